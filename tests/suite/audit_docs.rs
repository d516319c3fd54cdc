//! What the audit's pages and manifests say is true: codes exist, commands parse, example policies are policies.

use std::fs;

use acr_doctor::cli::args::Arguments;
use acr_doctor::fleet::policy::Policy;
use acr_doctor::reconcile::rules;
use clap::Parser;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn codes() -> Vec<&'static str> {
    rules::all().map(|rule| rule.code).collect()
}

/// Texts within backticks that have the form of a code.
fn named_codes(text: &str) -> Vec<&str> {
    let is_code = |t: &&str| {
        t.split_once('/').is_some_and(|(family, slug)| {
            !family.is_empty() && !slug.is_empty() && t.bytes().all(|b| b.is_ascii_lowercase() || b"/-".contains(&b))
        })
    };
    text.split('`').skip(1).step_by(2).filter(is_code).collect()
}

#[test]
fn every_rule_of_the_other_audits_has_a_code_or_a_reason() {
    let page = read("docs/compared-with-audits.md");
    let known = codes();
    let mut rows = 0;
    for line in page.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| rule ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "{line}");
        let here = cells[2].trim();
        let named = named_codes(here);
        for code in &named {
            assert!(known.contains(code), "{code} does not exist: {line}");
        }
        let reason = here.strip_prefix("not ours: ").is_some_and(|reason| reason.len() > 10);
        assert!(reason || !named.is_empty(), "neither a code nor a reason: {line}");
        rows += 1;
    }
    assert!(rows >= 30, "{rows} rows");
    for rule in ["cr-004", "cr-008", "AZR-000402", "AZR-000535", "CKV_AZURE_237", "d0793b48", "e9585a95", "a3701552"] {
        assert!(page.contains(rule), "{rule}");
    }
}

#[test]
fn the_manifests_commands_are_commands() {
    for file in ["daemonset.yaml", "job.yaml"] {
        let text = read(&format!("examples/kubernetes/{file}"));
        let mut seen = 0;
        for list in text.lines().filter_map(|line| line.trim().strip_prefix("args: ")) {
            let arguments: Vec<String> = serde_json::from_str(list).unwrap();
            let parsed = Arguments::try_parse_from(std::iter::once("acr-doctor".to_owned()).chain(arguments));
            assert!(parsed.is_ok(), "{file}: {list}: {}", parsed.unwrap_err());
            seen += 1;
        }
        assert!(seen > 0, "{file}");
    }
}

#[test]
fn the_audit_pages_commands_and_policy_are_what_they_seem() {
    let page = read("docs/audit.md");
    let mut seen = 0;
    for line in page.lines().map(str::trim).filter(|line| line.starts_with("acr-doctor audit")) {
        let parsed = Arguments::try_parse_from(line.split_whitespace());
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        seen += 1;
    }
    assert!(seen >= 4, "{seen} commands");
    let (_, policy) = page.split_once("```toml\n").expect("a policy");
    let (policy, _) = policy.split_once("```").expect("its end");
    let policy = Policy::parse(policy, &codes()).expect("a policy that parses");
    assert!(!policy.suppress.is_empty() && !policy.severity.is_empty());
}

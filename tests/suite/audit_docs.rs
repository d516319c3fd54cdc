//! What the audit's pages say is true: codes exist, commands parse, example policies are policies.

use std::fs;

use acr_doctor::cli::args::Arguments;
use acr_doctor::fleet::policy::Policy;
use acr_doctor::reconcile::rules;
use clap::Parser;

/// Every rule of the other audits that concerns network or access, by the name under which the audit has it.
const RULES: &[&str] = &[
    "cr-004",
    "cr-008",
    "AZR-000005",
    "AZR-000401",
    "AZR-000402",
    "AZR-000495",
    "AZR-000535",
    "containerregistry_admin_user_disabled",
    "containerregistry_not_publicly_accessible",
    "containerregistry_uses_private_link",
    "CKV_AZURE_137",
    "CKV_AZURE_138",
    "CKV_AZURE_139",
    "CKV_AZURE_237",
    "CKV2_AZURE_30",
    "42781ec6",
    "785596ed",
    "dc921057",
    "79fdfe03",
    "9f2dea28",
    "cced2946",
    "524b0254",
    "d0793b48",
    "e9585a95",
    "e8eef0a8",
    "d85c6833",
    "0fdf0491",
    "a3701552",
    "bd560fc0",
    "ff05e24e",
    "a9b426fe",
    "VirtualNetworkServiceEndpoint_ContainerRegistry_Audit",
    "ACRRestrictExternalPrivateEndpoint",
    "container_registry_use_virtual_service_endpoint",
    "container_registry_restrict_public_access",
    "container_registry_uses_private_link",
    "container_registry_admin_user_disabled",
    "container_registry_public_network_access_disabled",
    "acrAdminUser",
    "acrAnonymousPull",
    "acrPrivateEndpoints",
    "acrPublicAccess",
    "acrTrustedServiceEnabled",
    "acrLogAnalytics",
];

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
    assert!(rows >= 40, "{rows} rows");
    let missing: Vec<&&str> = RULES.iter().filter(|rule| !page.contains(**rule)).collect();
    assert!(missing.is_empty(), "rules that the page leaves out: {missing:?}");
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

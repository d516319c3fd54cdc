//! Runs the fixtures of tests/rules through the engine, and holds the catalogue together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use acr_doctor::facts::Finding;
use acr_doctor::reconcile::{Rule, rules};

use crate::fixtures::{self, Fixture};
use crate::golden;

/// Every code of the catalogue: a contract with the users.
const CATALOGUE: &[&str] = &include!("catalogue.in");

fn declared() -> BTreeMap<&'static str, &'static Rule> {
    rules::all().map(|rule| (rule.code, rule)).collect()
}

fn codes<'f>(findings: impl Iterator<Item = &'f Finding>) -> BTreeSet<String> {
    findings.map(|f| f.code.to_string()).collect()
}

fn set(codes: &[String]) -> BTreeSet<String> {
    codes.iter().cloned().collect()
}

/// What is wrong with a case, if anything.
pub(crate) fn complaint(fixture: &Fixture) -> Option<String> {
    let report = fixture.report();
    let findings: Vec<&Finding> = report.registries.iter().flat_map(|r| &r.findings).collect();
    let found = codes(findings.iter().copied());
    if found != set(&fixture.expect) {
        let shown: Vec<String> = findings
            .iter()
            .map(|f| format!("{} ({:?}, {:?}): {}", f.code, f.severity, f.confidence, f.title))
            .collect();
        return Some(format!("expected {:?}, found\n    {}", fixture.expect, shown.join("\n    ")));
    }
    if let Some(wanted) = &fixture.root_cause {
        let roots = codes(findings.iter().copied().filter(|f| f.root_cause));
        if roots != set(wanted) {
            return Some(format!("expected the root cause {wanted:?}, found {roots:?}"));
        }
    }
    let unknowns: Vec<_> = report.registries.iter().flat_map(|r| &r.unknowns).collect();
    let listed = |wanted: &str| {
        unknowns.iter().any(|u| u.fact.contains(wanted) || u.needs.as_deref().is_some_and(|n| n.contains(wanted)))
    };
    if let Some(missing) = fixture.unknowns.iter().find(|u| !listed(u)) {
        return Some(format!("'{missing}' is not listed as unknown: {unknowns:?}"));
    }
    if let Some(command) = &fixture.command {
        let printed: Vec<_> = findings.iter().flat_map(|f| &f.fix).filter_map(|fix| fix.command.as_deref()).collect();
        if !printed.contains(&command.as_str()) {
            return Some(format!("no fix prints '{command}', but {printed:?}"));
        }
    }
    let words = |f: &Finding| {
        let fixes: Vec<&str> = f.fix.iter().map(|fix| fix.summary.as_str()).collect();
        format!("{}\n{}\n{}", f.title, f.detail, fixes.join("\n"))
    };
    let said: Vec<String> = findings.iter().map(|f| words(f)).collect();
    if let Some(silent) = fixture.says.iter().find(|text| !said.iter().any(|words| words.contains(*text))) {
        return Some(format!("nothing says '{silent}', but\n{}", said.join("\n")));
    }
    for finding in findings {
        let code = finding.code.as_str();
        if let Some(wanted) = fixture.confidence.get(code).filter(|w| **w != finding.confidence) {
            return Some(format!("{code} should be {wanted:?}, it is {:?}", finding.confidence));
        }
        if let Some(wanted) = fixture.severity.get(code).filter(|w| **w != finding.severity) {
            return Some(format!("{code} should be of severity {wanted:?}, it is {:?}", finding.severity));
        }
    }
    None
}

#[test]
fn every_fixture_gives_exactly_its_findings() {
    let mut wrong = Vec::new();
    for file in fixtures::all() {
        for case in &file.cases {
            if let Some(complaint) = complaint(case) {
                wrong.push(format!("tests/rules/{}.toml, '{}': {complaint}", file.code, case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn healthy_worlds_have_nothing_to_mend() {
    for path in golden::files("tests/worlds", "json") {
        let name = path.trim_start_matches("tests/worlds/").trim_end_matches(".json").to_owned();
        let (config, probes) = fixtures::facts(&fixtures::world(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let report = acr_doctor::reconcile::reconcile(&config, &probes, &fixtures::options());
        let registry = &report.registries[0];
        let told: Vec<&str> = registry.findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(registry.verdict, acr_doctor::facts::Verdict::Healthy, "{name}: {told:?}");
    }
}

#[test]
fn every_fixture_file_is_named_after_a_code() {
    let declared = declared();
    for file in fixtures::all() {
        assert!(declared.contains_key(file.code.as_str()), "tests/rules/{}.toml names no code", file.code);
        let names: BTreeSet<&str> = file.cases.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names.len(), file.cases.len(), "{}: two cases have one name", file.code);
    }
}

/// What is still missing, in a file that only ever gets shorter.
#[test]
fn gaps_of_the_catalogue_are_written_down() {
    let declared = declared();
    let fixtures = fixtures::all();
    let cases = |code: &str| fixtures.iter().find(|f| f.code == code).map(|f| f.cases.as_slice()).unwrap_or_default();
    let expects = |case: &Fixture, code: &str| case.expect.iter().any(|c| c == code);
    let mut gaps =
        String::from("# Gaps of the catalogue; `UPDATE=1 cargo test` writes this file. It may only get shorter.\n");
    for code in CATALOGUE {
        let Some(rule) = declared.get(code) else {
            let _ = writeln!(gaps, "{code}: no rule");
            continue;
        };
        if !cases(code).iter().any(|case| expects(case, code)) {
            let _ = writeln!(gaps, "{code}: no fixture that fires");
        }
        if !cases(code).iter().any(|case| !expects(case, code)) {
            let _ = writeln!(gaps, "{code}: no near miss");
        }
        if !golden::path(&format!("tests/scenarios/{code}.toml")).exists() {
            let _ = writeln!(gaps, "{code}: no scenario");
        }
        for section in ["## Why it matters", "## How it shows", "## What decides it", "## Fix", "## References"] {
            if !rule.markdown().contains(section) {
                let _ = writeln!(gaps, "{code}: no section '{section}'");
            }
        }
    }
    golden::check("tests/goldens/gaps.txt", &gaps);
}

#[test]
fn every_declared_code_is_in_the_catalogue_once() {
    let catalogue: BTreeSet<&str> = CATALOGUE.iter().copied().collect();
    assert_eq!(catalogue.len(), CATALOGUE.len(), "a code stands twice in the catalogue");
    let mut seen = BTreeSet::new();
    for rule in rules::all() {
        assert!(catalogue.contains(rule.code), "{} is not in the catalogue", rule.code);
        assert!(seen.insert(rule.code), "{} is declared twice", rule.code);
    }
}

#[test]
fn codes_are_stable() {
    let list: String =
        declared().values().map(|rule| format!("{} {:?}\n", rule.code, rule.severity).to_lowercase()).collect();
    golden::check("tests/goldens/codes.txt", &list);
}

#[test]
fn explanations_name_codes_of_the_catalogue_and_have_no_cycle() {
    let declared = declared();
    for rule in declared.values() {
        for explained in rule.explains {
            assert!(CATALOGUE.contains(explained), "{} explains {explained}, which is no code", rule.code);
            assert_ne!(rule.code, *explained);
        }
        let mut stack = vec![(rule.code, vec![rule.code])];
        while let Some((code, way)) = stack.pop() {
            for next in declared.get(code).map(|r| r.explains).unwrap_or_default() {
                assert!(*next != rule.code, "a cycle: {} → {next}", way.join(" → "));
                if !way.contains(next) {
                    stack.push((next, [way.as_slice(), &[next]].concat()));
                }
            }
        }
    }
}

#[test]
fn titles_follow_the_convention() {
    for file in fixtures::all() {
        for case in &file.cases {
            for finding in case.report().registries.iter().flat_map(|r| &r.findings) {
                let (title, code) = (&finding.title, &finding.code);
                let first = title.chars().next().unwrap_or(' ');
                assert!(!title.ends_with(['.', '!', ':']), "{code}: '{title}' ends in a mark");
                assert!(
                    first.is_uppercase() || title.contains('.') || title.starts_with("myregistry"),
                    "{code}: '{title}' begins with a small letter"
                );
                assert!(!title.to_lowercase().contains("please"), "{code}: '{title}'");
                assert!(title.chars().count() <= 120, "{code}: '{title}' is longer than a line");
                assert!(!title.contains("''") && !title.contains("  "), "{code}: '{title}' has a hole");
                assert!(
                    finding.detail.ends_with(['.', '?', ')']),
                    "{code}: the detail is no sentence: {}",
                    finding.detail
                );
                assert!(finding.docs.starts_with("https://learn.microsoft.com/"), "{code}: {}", finding.docs);
                assert!(!finding.evidence.is_empty(), "{code}: no evidence in '{}'", case.name);
            }
        }
    }
}

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::facts::audit::PolicyNoticeKind;
use crate::facts::report::Report;
use crate::facts::{Confidence, Verdict};
use crate::fleet::Judge;
use crate::fleet::baseline::{Baseline, BaselineError};

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);
const CODES: [&str; 3] = ["firewall/open-to-all-networks", "firewall/broad-rule", "private-link/connection-pending"];

fn finding(code: &str, severity: Severity) -> Finding {
    Finding {
        code: code.into(),
        severity,
        confidence: Confidence::Certain,
        root_cause: false,
        explained_by: Vec::new(),
        title: format!("Title of {code}"),
        detail: String::new(),
        evidence: Vec::new(),
        fix: Vec::new(),
        docs: String::new(),
        depends_on_unknown: Vec::new(),
        decided_by: None,
    }
}

fn registry(name: &str, tags: &[(&str, &str)], findings: Vec<Finding>) -> RegistryReport {
    RegistryReport {
        name: name.to_owned(),
        login_server: None,
        id: format!("/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/{name}")
            .parse()
            .ok(),
        location: None,
        seen_from: None,
        tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>(),
        verdict: Verdict::Degraded,
        summary: String::new(),
        findings,
        paths: Vec::new(),
        unknowns: Vec::new(),
    }
}

fn report() -> Report {
    let open = || finding("firewall/open-to-all-networks", Severity::Warning);
    let broad = finding("firewall/broad-rule", Severity::Warning);
    Report::new(
        NOW,
        None,
        vec![registry("devone", &[("Env", "dev")], vec![open()]), registry("prodone", &[], vec![open(), broad])],
    )
}

fn policy(text: &str) -> Policy {
    Policy::parse(text, &CODES).unwrap()
}

/// A report as it is after policy and baseline.
fn judged(policy: Option<&Policy>, baseline: Option<Baseline>, mut report: Report) -> Report {
    let mut judge = Judge::new(policy, baseline, NOW);
    report.registries.iter_mut().for_each(|registry| judge.judge(registry));
    let (summary, audit) = judge.finish();
    Report { summary, audit: Some(audit), ..report }
}

fn baseline(report: &Report) -> Baseline {
    Baseline::parse(&serde_json::to_vec(report).unwrap()).unwrap()
}

fn codes(report: &Report) -> Vec<(String, Severity)> {
    let findings = report.registries.iter().flat_map(|r| &r.findings);
    findings.map(|f| (f.code.to_string(), f.severity)).collect()
}

#[test]
fn a_suppression_takes_only_what_it_names() {
    for selector in
        ["registry = \"dev*\"", "tag = \"env=dev\"", "registry = \"/subscriptions/S1/resourcegroups/*/devone\""]
    {
        let text =
            format!("[[suppress]]\ncode = \"firewall/*\"\n{selector}\nreason = \"sandbox\"\nexpires = 2026-11-24");
        let after = judged(Some(&policy(&text)), None, report());
        assert_eq!(after.registries.iter().map(|r| r.findings.len()).collect::<Vec<_>>(), [0, 2], "{selector}");
        assert_eq!(after.registries.first().unwrap().verdict, Verdict::Healthy);
        let outcome = after.audit.unwrap().policy.unwrap();
        assert_eq!((outcome.suppressed, outcome.notices.len()), (1, 0));
    }
}

#[test]
fn expired_and_useless_suppressions_are_reported() {
    let text = "[[suppress]]\ncode = \"firewall/broad-rule\"\nreason = \"until the move\"\nexpires = \"2026-11-23\"\n\
        [[suppress]]\ncode = \"private-link/connection-pending\"\nreason = \"manual\"";
    let after = judged(Some(&policy(text)), None, report());
    assert_eq!(codes(&after), codes(&report()), "neither takes anything");
    let notices = after.audit.unwrap().policy.unwrap().notices;
    let kinds: Vec<_> = notices.iter().map(|n| n.kind).collect();
    assert_eq!(kinds, [PolicyNoticeKind::Expired, PolicyNoticeKind::Unused]);
    assert!(notices[0].message.contains("2026-11-23") && notices[0].message.contains("until the move"));
}

#[test]
fn the_longest_pattern_grades() {
    let text = "[severity]\n\"firewall/*\" = \"off\"\n\"firewall/broad-rule\" = \"error\"";
    let after = judged(Some(&policy(text)), None, report());
    assert_eq!(codes(&after), [("firewall/broad-rule".to_owned(), Severity::Error)]);
    assert_eq!(after.summary.errors, 1);
    let outcome = after.audit.unwrap().policy.unwrap();
    assert_eq!((outcome.suppressed, outcome.regraded), (2, 1));
}

#[test]
fn a_blocked_registry_stays_blocked_whatever_is_accepted() {
    let mut report = report();
    report.registries[0].verdict = Verdict::Blocked;
    let after = judged(Some(&policy("[[suppress]]\ncode = \"*\"\nreason = \"r\"")), None, report);
    assert_eq!(after.registries[0].verdict, Verdict::Blocked);
    assert!(after.registries[0].findings.is_empty());
}

#[test]
fn passed_thresholds_are_named() {
    let after = judged(Some(&policy("[thresholds]\nwarnings = 2\nerrors = 0")), None, report());
    let notices = after.audit.unwrap().policy.unwrap().notices;
    assert_eq!(notices.len(), 1);
    assert_eq!(
        (notices[0].kind, notices[0].entry.as_str()),
        (PolicyNoticeKind::ThresholdExceeded, "thresholds.warnings")
    );
    assert!(
        judged(Some(&policy("[thresholds]\nwarnings = 3")), None, report())
            .audit
            .unwrap()
            .policy
            .unwrap()
            .notices
            .is_empty()
    );
}

#[test]
fn each_mistake_in_the_file_has_its_sentence() {
    let wrong = |text: &str| Policy::parse(text, &CODES).unwrap_err().to_string();
    assert!(
        wrong("[[suppress]]\ncode = \"firewall/braod-rule\"\nreason = \"r\"")
            .contains("no finding 'firewall/braod-rule'")
    );
    assert!(
        wrong("[[suppress]]\ncode = \"firewall/broad-rule\"").contains("suppress #1: a suppression needs a reason")
    );
    assert!(
        wrong("[severity]\n\"firewall/broad-rule\" = \"fatal\"")
            .contains("'fatal' is not one of error, warning, info, off")
    );
    assert!(wrong("\nsupress = []").starts_with("no policy: line 2, column 1: unknown field `supress`"));
    assert_eq!(wrong("[severity\n"), "no policy: line 1, column 10: unclosed table, expected `]`");
    assert!(wrong("[[suppress]]\ncode = \"*\"\nreason = \"r\"\nexpires = 2026-13-40").contains("no policy"));
    assert!(wrong("[[suppress]]\ncode = \"*\"\nreason = \"r\"\nexpires = \"soon\"").contains("2027-01-31"));
    assert!(wrong("broad-rule-prefix = 40").contains("0 to 32"));
    assert!(wrong("fail-on = \"sometimes\"").contains("never"));
}

#[test]
fn a_baseline_leaves_what_is_new_or_worse() {
    let yesterday = baseline(&report());
    let mut today = report();
    today.registries[0].findings[0].severity = Severity::Error;
    today.registries[1].findings.remove(1);
    today.registries[1].findings.push(finding("private-link/connection-pending", Severity::Error));
    let after = judged(None, Some(yesterday), today);
    assert_eq!(
        codes(&after),
        [
            ("firewall/open-to-all-networks".to_owned(), Severity::Error),
            ("private-link/connection-pending".to_owned(), Severity::Error)
        ]
    );
    let outcome = after.audit.unwrap().baseline.unwrap();
    assert_eq!((outcome.known, outcome.new, outcome.gone), (1, 2, 1));
    let gone = &outcome.gone_findings[0];
    assert_eq!((gone.registry.as_str(), gone.code.as_str()), ("prodone", "firewall/broad-rule"));
}

#[test]
fn what_is_accepted_or_was_not_looked_at_is_not_gone() {
    let accepts = policy("[[suppress]]\ncode = \"firewall/broad-rule\"\nreason = \"r\"");
    let mut today = report();
    today.registries.remove(0);
    let outcome = judged(Some(&accepts), Some(baseline(&report())), today).audit.unwrap().baseline.unwrap();
    assert_eq!((outcome.known, outcome.new, outcome.gone), (1, 0, 0));
    assert_eq!(outcome.absent, ["devone"]);
    assert_eq!(
        outcome.lines(),
        ["0 new, 1 known (not shown), 0 gone", "in the baseline, and not in this audit: devone"]
    );
}

#[test]
fn a_report_is_its_own_baseline_in_both_forms() {
    let json = serde_json::to_vec(&report()).unwrap();
    let mut lines = String::new();
    for registry in &report().registries {
        let mut line = serde_json::to_value(registry).unwrap();
        line["kind"] = "RegistryReport".into();
        lines.extend([line.to_string(), "\n".to_owned()]);
    }
    for text in [json, lines.into_bytes()] {
        let baseline = Baseline::parse(&text).unwrap();
        let after = judged(None, Some(baseline), report());
        assert!(after.registries.iter().all(|r| r.findings.is_empty() && r.verdict == Verdict::Healthy));
    }
}

#[test]
fn what_is_no_report_is_no_baseline() {
    for text in
        ["", "{", "[]", "{\"kind\":\"ConfigSnapshot\"}", "{\"apiVersion\":\"acr-doctor/v1\",\"kind\":\"Report\"}"]
    {
        assert!(matches!(Baseline::parse(text.as_bytes()), Err(BaselineError::NotAReport(_))), "{text}");
    }
    let other = br#"{"apiVersion":"acr-doctor/v9","kind":"Report"}"#;
    assert_eq!(Baseline::parse(other), Err(BaselineError::Version("acr-doctor/v9".to_owned())));
}

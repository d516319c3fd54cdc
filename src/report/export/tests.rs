use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::facts::audit::{
    Audit, BaselineOutcome, CodeCounter, GoneFinding, PolicyNotice, PolicyNoticeKind, PolicyOutcome, UnreadScope,
};
use crate::facts::report::{RegistryReport, Report, UnknownFact};
use crate::facts::{Code, Confidence, Evidence, Fix, Source};

/// A registry with a root cause and its effect, one of which nothing is wrong, one of which nothing is known;
/// foreign text that would be markup, a formula or a terminal's command wherever it is not escaped.
fn fleet() -> Report {
    let hostile = "block page says <script>alert(1)</script> & \"x\" | `y` \u{1b}[2J\u{202e} ]]>";
    let cause = finding("private-link/none-while-public-disabled", Severity::Error, "No private endpoint is approved");
    let cause = Finding {
        root_cause: true,
        detail: hostile.to_owned(),
        fix: vec![Fix {
            command: Some("az acr update --name contoso --public-network-enabled true".to_owned()),
            ..Fix::advice("Enable public access")
        }],
        ..cause
    };
    let effect = Finding {
        explained_by: vec![cause.code.clone()],
        ..finding("firewall/rules-without-effect", Severity::Warning, "=1+1 IP rules have no effect")
    };
    let mut report = Report::new(
        datetime!(2026-11-24 01:02:03 UTC),
        None,
        vec![
            registry("contoso", Verdict::Blocked, vec![cause, effect]),
            registry("fabrikam", Verdict::Unknown, Vec::new()),
            registry("tailwind", Verdict::Healthy, Vec::new()),
        ],
    );
    let mut codes = CodeCounter::default();
    for registry in &report.registries {
        codes.add(registry);
    }
    *report.audit_mut() = Audit {
        subscriptions: 2,
        unread: vec![UnreadScope {
            scope: "11111111-1111-1111-1111-111111111111".to_owned(),
            name: Some("Sales <eu>".to_owned()),
            why: "403 AuthorizationFailed".to_owned(),
            needs: Some("Microsoft.ContainerRegistry/registries/read".to_owned()),
        }],
        codes: codes.counts(),
        policy: Some(PolicyOutcome {
            suppressed: 1,
            regraded: 0,
            notices: vec![PolicyNotice {
                kind: PolicyNoticeKind::Expired,
                entry: "suppress #1 (firewall/broad-rule)".to_owned(),
                message: "expired on 2026-10-31".to_owned(),
            }],
        }),
        baseline: Some(BaselineOutcome {
            known: 3,
            new: 2,
            gone: 1,
            gone_findings: vec![GoneFinding {
                registry: "wingtip".to_owned(),
                code: Code::from("dns/name-not-found"),
                severity: Severity::Error,
            }],
            absent: vec!["adatum <old>".to_owned()],
        }),
    };
    report
}

fn registry(name: &str, verdict: Verdict, findings: Vec<Finding>) -> RegistryReport {
    let id = format!("/subscriptions/s/resourceGroups/rg é/providers/Microsoft.ContainerRegistry/registries/{name}");
    let unknowns = (verdict == Verdict::Unknown).then(|| UnknownFact {
        fact: "subnet rules".to_owned(),
        why: "Resource Graph does not show them".to_owned(),
        needs: Some("Microsoft.ContainerRegistry/registries/read".to_owned()),
    });
    RegistryReport {
        name: name.to_owned(),
        login_server: format!("{name}.azurecr.io").parse().ok(),
        id: id.parse().ok(),
        location: "westeurope".parse().ok(),
        seen_from: None,
        tags: BTreeMap::new(),
        verdict,
        summary: format!("What there is to say about {name}."),
        findings,
        paths: Vec::new(),
        unknowns: unknowns.into_iter().collect(),
    }
}

fn finding(code: &str, severity: Severity, title: &str) -> Finding {
    Finding {
        code: Code::from(code),
        severity,
        confidence: Confidence::Certain,
        root_cause: false,
        explained_by: Vec::new(),
        title: title.to_owned(),
        detail: "A sentence about it.".to_owned(),
        evidence: vec![Evidence {
            source: Source::Config,
            resource: Some("/subscriptions/S/x".to_owned()),
            pointer: None,
            endpoint: None,
            stage: None,
            observed: json!([]),
        }],
        fix: Vec::new(),
        docs: "https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks"
            .to_owned(),
        depends_on_unknown: Vec::new(),
        decided_by: None,
    }
}

fn headline(code: &str) -> Option<String> {
    (code == "firewall/rules-without-effect").then(|| "Rules that nothing asks.".to_owned())
}

#[test]
fn each_format_of_the_same_fleet() {
    let report = fleet();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/export"));
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        assert_snapshot!("sarif", sarif(&report, &headline));
        assert_snapshot!("junit", junit(&report, Some(Severity::Error)));
        assert_snapshot!("markdown", markdown(&report));
        assert_snapshot!("html", html(&report));
        assert_snapshot!("csv", csv(&report));
    });
}

#[test]
fn sarif_passes_the_whole_schema_of_2_1_0() {
    // The schema's file has a bracket too many in the pattern of a language, which no strict reader takes.
    let text = include_str!("../../../tests/schemas/sarif-2.1.0.json").replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
    let schema: Value = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::draft4::new(&schema).unwrap();
    for report in [fleet(), Report::new(datetime!(2026-11-24 01:02:03 +2), None, Vec::new())] {
        let log: Value = serde_json::from_str(&sarif(&report, &headline)).unwrap();
        let errors: Vec<String> = validator.iter_errors(&log).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    for (pointer, odd) in [
        ("/runs/0/results/0/level", json!("info")),
        ("/runs/0/results/0/locations/0/logicalLocations/0/name", json!(7)),
        ("/runs/0/invocations/0/endTimeUtc", json!(true)),
        ("/runs/0/results/0/message", json!({})),
    ] {
        let mut log: Value = serde_json::from_str(&sarif(&fleet(), &headline)).unwrap();
        *log.pointer_mut(pointer).unwrap() = odd;
        assert!(!validator.is_valid(&log), "{pointer}: the schema refuses what SARIF does not know");
    }
}

#[test]
fn sarif_results_point_at_their_rules() {
    let log: Value = serde_json::from_str(&sarif(&fleet(), &headline)).unwrap();
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
}

#[test]
fn no_format_lets_foreign_text_become_markup() {
    let report = fleet();
    for text in [html(&report), junit(&report, None), markdown(&report)] {
        assert!(!text.contains("<script"), "{text}");
    }
    for text in [html(&report), junit(&report, None), markdown(&report), csv(&report), sarif(&report, &headline)] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
    assert!(csv(&report).contains(",'=1+1 IP rules"));
}

#[test]
fn html_asks_nobody_for_anything() {
    let page = html(&fleet());
    for asks in ["<script", "<link", "<img", "src=", "@import", "url(", "<iframe"] {
        assert!(!page.contains(asks), "{asks}");
    }
}

#[test]
fn junit_counts_are_those_of_its_cases() {
    for fail_from in [None, Some(Severity::Error), Some(Severity::Info)] {
        let text = junit(&fleet(), fail_from);
        let all = |attribute: &str| -> Vec<usize> {
            let start = format!(" {attribute}=\"");
            let parts = text.split(start.as_str()).skip(1);
            parts.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
        };
        for (attribute, element) in [("tests", "<testcase"), ("failures", "<failure")] {
            let counts = all(attribute);
            assert_eq!(counts[0], text.matches(element).count());
            assert_eq!(counts[0], counts[1..].iter().sum::<usize>(), "{attribute} of all are those of each");
        }
        assert_eq!(all("skipped").iter().sum::<usize>(), text.matches("<skipped").count());
    }
}

#[test]
fn an_empty_report_renders() {
    let report = Report::new(datetime!(2026-11-24 01:02:03 UTC), None, Vec::new());
    assert_eq!(csv(&report).lines().count(), 1);
    assert!(junit(&report, None).contains("tests=\"0\""));
    assert!(markdown(&report).contains("0 registries") && html(&report).contains("</html>"));
}

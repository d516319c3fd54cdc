//! Each renderer on the same reports.

use acr_doctor::facts::{ConfigFacts, ProbeFacts, Report, Snapshot};
use acr_doctor::reconcile::{Options, reconcile};
use acr_doctor::report::{self, Style};
use time::macros::datetime;

use crate::doctor::golden;
use crate::golden::root;

const EXAMPLES: [&str; 4] =
    ["subnet-rule-missing", "data-endpoint-record-missing", "tls-intercepted", "client-ip-not-allowed"];

fn facts(name: &str) -> (ConfigFacts, ProbeFacts) {
    let read = |half: &str| std::fs::read(root().join(format!("examples/{name}/{half}.json"))).unwrap();
    (Snapshot::parse(&read("config")).unwrap().facts, Snapshot::parse(&read("probe")).unwrap().facts)
}

fn report_of(name: &str) -> Report {
    let (config, probe) = facts(name);
    reconcile(&config, &[probe], &Options::at(datetime!(2026-11-24 00:40:15 UTC)))
}

/// Four registries, one report.
fn fleet() -> (ConfigFacts, Report) {
    let all = EXAMPLES.map(facts);
    let config = all.iter().map(|(config, _)| config.clone()).reduce(ConfigFacts::joined_with).unwrap();
    let probes: Vec<ProbeFacts> = all.into_iter().map(|(_, probe)| probe).collect();
    let report = reconcile(&config, &probes, &Options::at(datetime!(2026-11-24 00:40:15 UTC)));
    (config, report)
}

#[test]
fn the_table_for_a_pipe() {
    for name in EXAMPLES {
        golden(&format!("table-{name}"), &report::table(&report_of(name), &Style::PLAIN));
    }
}

#[test]
fn the_table_on_a_small_terminal() {
    let style = Style { width: 80, colour: true, glyphs: true };
    for name in EXAMPLES {
        let text = report::table(&report_of(name), &style);
        golden(&format!("terminal-{name}"), &text.replace('\u{1b}', "␛"));
        let fix = text.lines().position(|line| line.contains("fix: ")).unwrap();
        assert!(fix + 2 <= 24, "{name}: the fix stands below the first screen, in line {fix}");
    }
}

#[test]
fn the_documents() {
    let report = report_of("data-endpoint-record-missing");
    let value = serde_json::to_value(&report).unwrap();
    golden("json", &report::json(&value, &Style::PLAIN));
    golden("yaml", &report::yaml(&value, &Style::PLAIN));
    golden("tsv", &report::findings_tsv(&report));
}

#[test]
fn many_registries_and_their_stance() {
    let (config, report) = fleet();
    golden("table-fleet", &report::table(&report, &Style::PLAIN));
    let (one, _) = facts("data-endpoint-record-missing");
    let audit = |config: &ConfigFacts| {
        report::stance(config, &reconcile(config, &[], &Options::at(report.generated_at)), &Style::PLAIN)
    };
    golden("stance-one", &audit(&one));
    golden("stance-many", &audit(&config));
}

#[test]
fn foreign_text_never_reaches_the_terminal_unescaped() {
    let (config, mut probe) = facts("tls-intercepted");
    let evil = "CN=\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}gateway";
    for endpoint in &mut probe.endpoints {
        for certificate in endpoint.tls.iter_mut().flat_map(|tls| &mut tls.chain) {
            evil.clone_into(&mut certificate.issuer);
            evil.clone_into(&mut certificate.subject);
        }
    }
    let report = reconcile(&config, &[probe], &Options::at(datetime!(2026-11-24 00:40:15 UTC)));
    let value = serde_json::to_value(&report).unwrap();
    for text in [
        report::table(&report, &Style::PLAIN),
        report::json(&value, &Style::PLAIN),
        report::yaml(&value, &Style::PLAIN),
        report::findings_tsv(&report),
    ] {
        assert!(text.contains("owned"), "the text is shown");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}') && !text.contains('\u{202e}'), "{text:?}");
    }
}

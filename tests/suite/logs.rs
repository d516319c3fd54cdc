//! `logs`: what its table and its document hold.

use acr_doctor::facts::{Known, LoginEvent, Unknown};
use acr_doctor::report::logins::LoginReport;

use crate::doctor::run;
use crate::fixtures;

fn event(result: &str, count: u64) -> LoginEvent {
    LoginEvent {
        time: "2026-01-02T00:00:00Z".to_owned(),
        first_seen: None,
        caller: "203.0.113.9".parse().ok(),
        identity: Some("ci\u{1b}[31m".to_owned()),
        operation: None,
        result: result.to_owned(),
        description: Some("client with IP '203.0.113.9' is not allowed access".to_owned()),
        region: None,
        user_agent: None,
        count,
    }
}

fn report(events: &Known<Vec<LoginEvent>>) -> LoginReport {
    let (config, _) = fixtures::facts(&fixtures::world("ip-rule")).unwrap();
    LoginReport::of(&config.registries[0], 24, events, None, Vec::new())
}

#[test]
fn failures_are_rows_and_successes_are_counted() {
    let report = report(&Known::Known(vec![event("403", 7), event("200", 5)]));
    let table = report.table();
    assert!(table.contains("7 failed, 5 succeeded in the last 24 h"), "{table}");
    assert_eq!(table.matches("203.0.113.9 ").count(), 1, "{table}");
    assert!(!table.contains('\u{1b}'), "what others wrote cannot steer the terminal");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((json["failures"].as_array().unwrap().len(), &json["succeeded"]), (1, &5.into()));
}

#[test]
fn a_log_that_was_not_read_is_not_an_empty_log() {
    let table = report(&Known::Unknown(Unknown::needing("403 Forbidden", "the right"))).table();
    assert!(table.starts_with("not known: ") && table.contains("needs: the right"), "{table}");
    assert!(!table.contains(" failed"), "{table}");
}

#[test]
fn without_a_registry_it_is_wrong_usage() {
    let ran = run(&["logs"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("--name NAME"), "{}", ran.stderr);
}

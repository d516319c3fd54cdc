//! The laboratory's scenario files, read and not run: how many there are, and which error texts they stand for.

use std::collections::BTreeSet;

use acr_doctor::explain::explain;
use acr_doctor::facts::Severity;
use acr_doctor::reconcile::rules;
use acr_doctor_lab::Scenario;
use serde::Deserialize;

use crate::golden;

/// The families of what lies between a client and the registry.
const CLIENT_SIDE: [&str; 7] = ["dns", "network", "tls", "proxy", "endpoint", "auth", "client"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Documented {
    text: Vec<Text>,
}

/// An error text, and where it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    /// Word for word.
    pub(crate) text: String,
    /// The article or the thread.
    pub(crate) source: String,
}

/// Every scenario with its `family/slug`.
pub(crate) fn scenarios() -> Vec<(String, Scenario)> {
    let name = |path: &str| path.trim_start_matches("tests/scenarios/").trim_end_matches(".toml").to_owned();
    let files = golden::files("tests/scenarios", "toml");
    files.iter().map(|path| (name(path), Scenario::read(&golden::path(path)).unwrap())).collect()
}

pub(crate) fn documented() -> Vec<Text> {
    let file: Documented = toml::from_str(include_str!("../explain/documented.toml")).unwrap();
    file.text
}

#[test]
fn every_documented_text_has_a_world() {
    let scenarios = scenarios();
    let claimed: BTreeSet<&str> = scenarios.iter().flat_map(|(_, s)| &s.explains).map(String::as_str).collect();
    let documented = documented();
    let texts: BTreeSet<&str> = documented.iter().map(|t| t.text.as_str()).collect();
    let without: Vec<String> = documented
        .iter()
        .filter(|t| !claimed.contains(t.text.as_str()))
        .map(|t| format!("{} ({})", t.text, t.source))
        .collect();
    assert_eq!(without, [""; 0], "texts that no scenario claims");
    let unknown: Vec<&&str> = claimed.difference(&texts).collect();
    assert_eq!(unknown, [&""; 0], "claims of texts that tests/explain/documented.toml does not hold");
}

/// Who pastes the text must be led to the cause that the world has.
#[test]
fn explain_offers_the_cause_of_every_world_that_claims_a_text() {
    let mut wrong = Vec::new();
    for (name, scenario) in scenarios() {
        let expect = &scenario.expect;
        // What is only worth knowing is no root cause.
        let causes = if expect.root_cause.is_empty() { &expect.found } else { &expect.root_cause };
        for text in &scenario.explains {
            let explanation = explain(text);
            let offered: Vec<&str> = explanation.candidates.iter().map(|c| c.code.as_str()).collect();
            if causes.is_empty() || !causes.iter().all(|cause| offered.contains(&cause.as_str())) {
                wrong.push(format!("{name}: {text:?} gives {offered:?}, not {causes:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_client_side_has_its_worlds() {
    let scenarios = scenarios();
    let family = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let faults = scenarios
        .iter()
        .filter(|(name, s)| CLIENT_SIDE.contains(&family(name).as_str()) && !s.expect.root_cause.is_empty())
        .count();
    assert!(faults >= 60, "{faults} client-side worlds name their root cause");
    let healthy = scenarios.iter().filter(|(name, s)| family(name) == "healthy" && s.expect.quiet).count();
    assert!(healthy >= 10, "{healthy} healthy worlds demand that nothing is said at warning or above");
    let silent: Vec<&str> =
        scenarios.iter().filter(|(_, s)| s.about.trim().is_empty()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(silent, [""; 0], "worlds that do not say what they are about");
}

/// What can be a root cause at all (what is only worth knowing cannot) is one in some world.
#[test]
fn each_code_of_the_client_side_is_the_root_cause_of_a_world() {
    let scenarios = scenarios();
    let causes: BTreeSet<&str> = scenarios.iter().flat_map(|(_, s)| &s.expect.root_cause).map(String::as_str).collect();
    let family = |code: &str| code.split('/').next().unwrap_or_default().to_owned();
    let without: Vec<&str> = rules::all()
        .filter(|rule| rule.severity > Severity::Info && CLIENT_SIDE.contains(&family(rule.code).as_str()))
        .map(|rule| rule.code)
        .filter(|code| !causes.contains(code))
        .collect();
    assert_eq!(without, [""; 0], "codes that no world has for its root cause");
}

//! `explain "error text"`: texts as people paste them, and documents that promise what it makes of them.

use std::collections::BTreeSet;

use acr_doctor::explain::decide::{Look, decide};
use acr_doctor::explain::explanation::Standing;
use acr_doctor::explain::{Explanation, explain, rule};
use acr_doctor::facts::{ConfigFacts, ProbeFacts, Snapshot, Verdict};
use acr_doctor::reconcile::reconcile;
use acr_doctor_lab::Scenario;
use proptest::prelude::*;
use serde::Deserialize;

use super::{fixtures, golden, worlds};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    text: String,
    first: Option<String>,
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    none: bool,
    says: Option<String>,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

fn codes(explanation: &Explanation) -> Vec<&str> {
    explanation.candidates.iter().map(|c| c.code.as_str()).collect()
}

fn complaint(case: &Case) -> Option<String> {
    let explanation = explain(&case.text);
    let codes = codes(&explanation);
    let first = if case.none { None } else { case.first.as_deref() };
    let wrong = (case.none || case.first.is_some()) && codes.first().copied() != first;
    let lacks = case.has.iter().any(|code| !codes.contains(&code.as_str()));
    let excess = case.without.iter().any(|code| codes.contains(&code.as_str()));
    let silent = case.says.as_ref().is_some_and(|part| !explanation.symptom.contains(part.as_str()));
    (wrong || lacks || excess || silent).then(|| format!("{}: {} → {codes:?}", case.name, explanation.symptom))
}

#[test]
fn each_pasted_text_leads_to_its_candidates() {
    let cases: Cases = toml::from_str(include_str!("../explain/texts.toml")).unwrap();
    let complaints: Vec<String> = cases.case.iter().filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), cases.case.len(), complaints.join("\n"));
}

#[test]
fn nothing_secret_is_repeated() {
    let text = r#"Get "https://user:hunter2@contoso.azurecr.io/v2/?sig=c2VjcmV0": proxyconnect tcp: dial tcp: lookup proxy: no such host Authorization: Bearer eyJhbGciOi.eyJzdWIi.sig"#;
    let json = serde_json::to_string(&explain(text)).unwrap();
    for secret in ["hunter2", "c2VjcmV0", "eyJ"] {
        assert!(!json.contains(secret), "{json}");
    }
}

#[test]
fn commands_name_the_registry_that_the_text_names() {
    let text = "denied: client with IP '203.0.113.5' is not allowed access (https://contoso-a1b2c3.azurecr.io/v2/)";
    let explanation = explain(text);
    let first = &explanation.candidates[0];
    assert_eq!(first.decides, "`az acr network-rule list -n contoso`: is 203.0.113.5 in one of the ranges?");
    let json = serde_json::to_string(&explanation).unwrap();
    assert!(!json.contains("NAME") && !json.contains("ADDRESS"), "{json}");
}

#[test]
fn ten_megabytes_are_read_in_part() {
    let line =
        "x509: certificate is valid for nothing \\u0027 https:// 10.0.0.1:443 dial tcp lookup a.b client with ip\n";
    let text = line.repeat(10 * 1024 * 1024 / line.len());
    let explanation = explain(&text);
    assert!(explanation.candidates.len() <= 8 && explanation.symptom.len() < 1000);
    let one_line = "denied ".repeat(1_500_000);
    assert_eq!(codes(&explain(&one_line)), [""; 0]);
}

fn decided(text: &str, world: &str) -> Explanation {
    let (config, probes) = fixtures::facts(&fixtures::world(world)).unwrap();
    let options = fixtures::options();
    let report = reconcile(&config, &probes, &options);
    let look = Look { config: &config, probe: &probes[0], report: &report.registries[0], options: &options };
    decide(explain(text), &look)
}

fn standing(explanation: &Explanation, code: &str) -> Option<Standing> {
    explanation.candidates.iter().find(|c| c.code.as_str() == code).and_then(|c| c.standing)
}

#[test]
fn a_look_at_a_healthy_registry_rules_out_what_it_can_see() {
    let explanation = decided("dial tcp: lookup contosoapps.azurecr.io: no such host", "private-link-geo");
    assert_eq!(standing(&explanation, "dns/name-not-found"), Some(Standing::RuledOut));
    assert!(explanation.candidates.iter().all(|c| c.standing != Some(Standing::Confirmed)), "{explanation:?}");
    let looked = explanation.looked.unwrap();
    assert_eq!((looked.verdict, looked.also), (Verdict::Healthy, Vec::new()));
}

#[test]
fn what_was_found_is_confirmed_and_comes_first() {
    let case = |name: &str| {
        let read = |half: &str| std::fs::read(golden::path(&format!("examples/{name}/{half}.json"))).unwrap();
        let config = Snapshot::<ConfigFacts>::parse(&read("config")).unwrap().facts;
        let probe = Snapshot::<ProbeFacts>::parse(&read("probe")).unwrap().facts;
        (config, probe)
    };
    let text = "denied: client with IP '10.20.1.4' is not allowed access (https://contosoapps.azurecr.io/v2/)";
    let (config, probe) = case("subnet-rule-missing");
    let options = fixtures::options();
    let report = reconcile(&config, std::slice::from_ref(&probe), &options);
    let look = Look { config: &config, probe: &probe, report: &report.registries[0], options: &options };
    let explanation = decide(explain(text), &look);
    assert_eq!(codes(&explanation)[0], "vnet/subnet-rule-missing");
    assert_eq!(explanation.candidates[0].standing, Some(Standing::Confirmed));
    let text = acr_doctor::explain::render(&explanation, 100);
    assert!(text.contains(" 1. vnet/subnet-rule-missing  CONFIRMED\n") && text.contains("From here: "), "{text}");

    // Without the configuration nothing that compares with it is ruled out.
    let unread = ConfigFacts::not_read(config.cloud.clone(), "--no-sign-in was given");
    let report = reconcile(&unread, std::slice::from_ref(&probe), &options);
    let look = Look { config: &unread, probe: &probe, report: &report.registries[0], options: &options };
    let explanation = decide(explain("no such host: contosoapps.azurecr.io"), &look);
    assert_eq!(standing(&explanation, "dns/name-not-found"), Some(Standing::RuledOut));
    assert_eq!(standing(&explanation, "dns/private-zone-record-missing"), Some(Standing::Open));
}

/// The first code that each row of docs/symptoms.md must name, in the rows' order: which cause Microsoft's article
/// puts behind it, or, where it names several, one that the article's own remedies begin with.
const LIKELIEST: [&str; 12] = [
    "dns/name-not-found",
    "network/blocked-silently",
    "network/blocked-silently",
    "service/untrusted-service",
    "proxy/denied",
    "proxy/https-scheme-to-http-proxy",
    "access/write-blocked",
    "access/arm-unreachable",
    "access/write-blocked",
    "service/tasks-blocked",
    "service/defender-blocked",
    "network/private-endpoint-unreachable",
];

/// The scenarios that claim a text of the article that stands in a row's first cell.
fn worlds_of(symptom: &str, scenarios: &[(String, Scenario)]) -> Vec<String> {
    let cell = symptom.replace('`', "");
    let texts: Vec<String> = worlds::documented()
        .into_iter()
        .filter(|t| t.source == "container-registry-troubleshoot-access" && cell.contains(&t.text))
        .map(|t| t.text)
        .collect();
    assert_eq!(texts.len(), 1, "{symptom} holds one text of tests/explain/documented.toml");
    let claims = |scenario: &Scenario| scenario.explains.iter().any(|text| texts.contains(text));
    scenarios.iter().filter(|(_, scenario)| claims(scenario)).map(|(name, _)| name.clone()).collect()
}

/// The third column of docs/symptoms.md is what `explain` answers to the first; the last names the laboratory's worlds
/// in which that is seen, each with one of those codes as its root cause.
#[test]
fn the_documented_symptoms_lead_where_the_document_says() {
    let document = std::fs::read_to_string(golden::path("docs/symptoms.md")).unwrap();
    let mut likeliest = Vec::new();
    let scenarios = worlds::scenarios();
    let wanted: Vec<String> = document
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [symptom, causes, ..] = cells.as_slice() else { return line.to_owned() };
            if *symptom == "symptom" {
                return line.to_owned();
            }
            let explanation = explain(symptom);
            likeliest.push(codes(&explanation)[0].to_owned());
            let worlds = worlds_of(symptom, &scenarios);
            assert!(!worlds.is_empty(), "{symptom} is seen in no world of the laboratory");
            let worlds: Vec<String> = worlds.iter().map(|world| format!("`{world}`")).collect();
            let page = |code: &&str| format!("[{code}](findings/{code}.md)");
            let codes: Vec<String> = codes(&explanation).iter().map(page).collect();
            format!("| {symptom} | {causes} | {} | {} |", codes.join(", "), worlds.join(", "))
        })
        .collect();
    assert_eq!(likeliest, LIKELIEST);
    golden::check("docs/symptoms.md", &(wanted.join("\n") + "\n"));
}

/// Codes in the table of symptoms exist; those that no rule has yet are listed in the suite's gaps.
#[test]
fn every_code_in_the_table_is_a_finding() {
    let catalogue = include_str!("catalogue.in");
    let mut unknown = BTreeSet::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/explain/symptoms")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for code in text.lines().filter_map(|l| l.strip_prefix("code = ")).map(|c| c.trim_matches('"')) {
            if rule(code).is_none() && !catalogue.contains(code) {
                unknown.insert(code.to_owned());
            }
        }
    }
    assert_eq!(unknown, BTreeSet::new());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let explanation = explain(&text);
        prop_assert!(explanation.candidates.len() <= 8);
    }

    #[test]
    fn no_mixture_of_real_pieces_makes_it_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "client with IP '", "10.0.0.4", "]:443", "[2603::", "->", "\\u00", "\\ud800", "\u{1b}[", "https://", "lookup ",
            ".azurecr.io", "contoso", "dial tcp ", ":53: ", "i/o timeout", " ", "\n", "é", "&quot;", "proxyconnect", "@", "::",
        ]), 0..24)
    ) {
        let explanation = explain(&pieces.concat());
        prop_assert!(explanation.candidates.len() <= 8);
        let filled = !explanation.symptom.contains('\u{7b}');
        prop_assert!(filled);
    }

    #[test]
    fn words_of_no_error_get_no_candidate(text in "[a-z]{1,7}( [a-z]{1,7}){0,6}") {
        prop_assume!(!text.contains("dial"));
        let explanation = explain(&text);
        prop_assert_eq!(codes(&explanation), [""; 0]);
    }
}

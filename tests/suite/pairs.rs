//! Two faults at once: every pair of single faults that touch different facts of one world must name both, unless
//! `tests/pairs/masks.toml` says which hides which, and why.

use std::collections::{BTreeMap, BTreeSet};

use acr_doctor::facts::finding::Decider;
use acr_doctor::facts::{Code, Finding, Severity, Verdict};
use acr_doctor::reconcile::reconcile;
use serde::Deserialize;
use serde_json::Value;

use crate::document::{self, Change};
use crate::findings::complaint;
use crate::{fixtures, golden};

/// A fault by itself: what it changes in its world, and the one cause that is named.
struct Fault {
    world: String,
    name: String,
    root: String,
    severity: Severity,
    changes: Vec<Change>,
}

/// What hides what, as reviewed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mask {
    /// The cause that stays.
    by: Vec<String>,
    /// The causes that are not named beside it.
    hides: Vec<String>,
    /// Why that is right.
    because: String,
}

fn masks() -> Vec<Mask> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        mask: Vec<Mask>,
    }
    let path = golden::path("tests/pairs/masks.toml");
    let text = std::fs::read_to_string(&path).expect("the masks can be read");
    toml::from_str::<File>(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mask
}

fn findings(world: &Value) -> Option<Vec<Finding>> {
    Some(judged(world)?.0)
}

/// The findings of a world, and whether its client is shut out.
fn judged(world: &Value) -> Option<(Vec<Finding>, bool)> {
    let (config, probes) = fixtures::facts(world).ok()?;
    let report = reconcile(&config, &probes, &fixtures::options());
    let blocked = report.registries.iter().any(|r| r.verdict == Verdict::Blocked);
    Some((report.registries.into_iter().flat_map(|r| r.findings).collect(), blocked))
}

/// The first case of every code and world that needs no options and names exactly its own code as the cause.
fn faults() -> Vec<Fault> {
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for file in fixtures::all() {
        for case in file.cases {
            if case.has_options() {
                continue;
            }
            let changed = case.changed_world();
            let Some(found) = findings(&changed) else { continue };
            let mut roots = found.iter().filter(|f| f.root_cause);
            let (Some(root), None) = (roots.next(), roots.next()) else { continue };
            if root.code.as_str() != file.code || !seen.insert((file.code.clone(), case.world.clone())) {
                continue;
            }
            faults.push(Fault {
                changes: document::changes(&fixtures::world(&case.world), &changed),
                world: case.world,
                name: case.name,
                root: file.code.clone(),
                severity: root.severity,
            });
        }
    }
    faults
}

/// What only limits the sight is no root cause beside a failure; it is named if it is found.
const LIMITS_OF_SIGHT: &[&str] = &["access/not-signed-in", "access/arm-forbidden"];

/// The causes of a pair that its combination does not name. A warning beside what shuts the client out (an error, or the
/// one warning that is met at an endpoint) is named if it is found.
fn lost<'f>(world: &Value, pair: [&'f Fault; 2]) -> Option<Vec<(&'f str, String)>> {
    let mut world = world.clone();
    for fault in pair {
        document::apply(&mut world, &fault.changes);
    }
    let (found, blocked) = judged(&world)?;
    let beside = found.iter().any(|f| f.severity == Severity::Error) || (blocked && found.iter().any(|f| f.root_cause));
    let named = |fault: &Fault| {
        let lighter = (beside && fault.severity < Severity::Error) || LIMITS_OF_SIGHT.contains(&fault.root.as_str());
        let mut own = found.iter().filter(|f| f.code.as_str() == fault.root);
        own.any(|f| f.root_cause || (lighter && f.explained_by.is_empty()))
    };
    let fate = |fault: &Fault| match found.iter().find(|f| f.code.as_str() == fault.root) {
        None => "it is not found".to_owned(),
        Some(f) if f.explained_by.is_empty() => "it is found and is no cause".to_owned(),
        Some(f) => {
            format!("explained by {:?}", f.explained_by.iter().map(acr_doctor::facts::Code::as_str).collect::<Vec<_>>())
        }
    };
    Some(pair.iter().filter(|f| !named(f)).map(|f| (f.root.as_str(), fate(f))).collect())
}

#[test]
fn two_independent_faults_are_both_named_or_the_mask_is_written_down() {
    let (faults, masks) = (faults(), masks());
    let mut tried = 0;
    let mut used = BTreeSet::new();
    let mut hidden: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (at, one) in faults.iter().enumerate() {
        let world = fixtures::world(&one.world);
        for other in faults.iter().skip(at + 1).filter(|f| f.world == one.world && f.root != one.root) {
            if document::overlap(&one.changes, &other.changes) {
                continue;
            }
            let Some(lost) = lost(&world, [one, other]) else { continue };
            tried += 1;
            for (code, fate) in lost {
                let by = if code == one.root { &other.root } else { &one.root };
                let story = format!("{}: '{}' and '{}' ({fate})", one.world, one.name, other.name);
                hidden.entry((by.clone(), code.to_owned())).or_default().push(story);
            }
        }
    }
    let mut unexplained = Vec::new();
    for ((by, code), stories) in &hidden {
        let fits = |mask: &&(usize, &Mask)| mask.1.by.contains(by) && mask.1.hides.contains(code);
        match masks.iter().enumerate().collect::<Vec<_>>().iter().find(fits) {
            Some((index, mask)) => {
                assert!(mask.because.len() > 20, "mask {index} gives no reason");
                used.insert((*index, by.clone()));
                used.insert((*index, code.clone()));
            }
            None => unexplained.push(format!("{by} hides {code} in {}", stories.join("; "))),
        }
    }
    assert!(unexplained.is_empty(), "{} of {tried} pairs:\n{}", unexplained.len(), unexplained.join("\n"));
    for (index, mask) in masks.iter().enumerate() {
        for code in mask.by.iter().chain(&mask.hides) {
            assert!(
                used.contains(&(index, code.clone())),
                "{code} stands in a mask ('{}') and needs none",
                mask.because
            );
        }
    }
    assert!(tried >= 500, "only {tried} pairs were tried");
}

/// The cases of a file of tests/pairs, each of which must hold.
fn hold(file: &str) -> Vec<fixtures::Fixture> {
    let cases = fixtures::read(&format!("tests/pairs/{file}.toml"));
    let names: BTreeSet<&str> = cases.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases of {file} have one name");
    let wrong: Vec<String> = cases.iter().filter_map(|c| Some(format!("'{}': {}", c.name, complaint(c)?))).collect();
    assert!(wrong.is_empty(), "tests/pairs/{file}.toml: {}", wrong.join("\n\n"));
    cases
}

#[test]
fn two_faults_at_once_are_both_the_cause() {
    let cases = hold("two-faults");
    for case in &cases {
        let roots = case.root_cause.as_ref().map_or(0, Vec::len);
        assert!(roots == 2, "'{}' names {roots} causes", case.name);
    }
    assert!(cases.len() >= 25, "only {} cases", cases.len());
}

#[test]
fn what_is_hidden_is_listed_and_nothing_false_is_said() {
    let cases = hold("missing-facts");
    for case in &cases {
        assert!(!case.unknowns.is_empty(), "'{}' does not say what is not known", case.name);
    }
    assert!(cases.len() >= 25, "only {} cases", cases.len());
}

/// The proof is as broad as it was: worlds of the laboratory, and cases of facts alone.
#[test]
fn there_are_enough_worlds_and_cases() {
    let worlds = golden::files("tests/scenarios", "toml").len();
    let cases: usize = fixtures::all().iter().map(|file| file.cases.len()).sum();
    assert!(worlds >= 150, "only {worlds} worlds");
    assert!(cases >= 250, "only {cases} cases of single rules");
}

/// What decides about a finding of a case.
fn decided(world: &str, hide: &[&str], meets: &[&str], code: &str) -> Decider {
    let text = format!(
        "name = 'x'\nworld = '{world}'\nunknown = {hide:?}\nmeets = {meets:?}\nexpect = []{}",
        if hide.is_empty() { "\nregistry = false" } else { "" }
    );
    let case: fixtures::Fixture = toml::from_str(&text).expect("a case");
    let report = case.report();
    let finding = report.registries.iter().flat_map(|r| &r.findings).find(|f| f.code.as_str() == code);
    finding.and_then(|f| f.decided_by.clone()).unwrap_or_else(|| panic!("{code} is not open"))
}

fn instead(decider: &Decider) -> Vec<&str> {
    decider.instead.iter().map(Code::as_str).collect()
}

#[test]
fn with_facts_missing_the_other_candidates_and_the_deciding_fact_are_told() {
    let refused = "firewall/client-ip-not-allowed";
    let at = "-n myregistry -g platform --subscription 3f0c8a54-9d1e-4c57-8b0a-6a2f5d7e1b90";
    let found =
        decided("ip-rule", &["/config/registries/0/publicNetworkAccess"], &["all denied 203.0.113.99"], refused);
    assert_eq!(found.fact, "publicNetworkAccess");
    assert_eq!(instead(&found), ["private-link/none-while-public-disabled"]);
    assert_eq!(found.command.as_deref(), Some(format!("az acr show {at} --query publicNetworkAccess").as_str()));
    let found =
        decided("public-allow", &["/config/registries/0/networkRuleSet"], &["all denied 203.0.113.99"], refused);
    assert!(instead(&found).contains(&"firewall/rule-not-in-effect"), "{found:?}");
    let found = decided("ip-rule", &[], &["all denied 203.0.113.99"], refused);
    assert!(instead(&found).contains(&"firewall/public-access-disabled"), "{found:?}");
}

#[test]
fn the_likeliest_candidate_comes_first_and_a_sure_effect_says_what_may_stand_behind_it() {
    let hidden = ["/config/registries/0/privateEndpointConnections"];
    let public = ["login resolves 203.0.113.70", "data resolves 203.0.113.72", "replica resolves 203.0.113.73"];
    let met: Vec<&str> = public.into_iter().chain(["all denied 198.51.100.7"]).collect();
    let found = decided("private-link-geo", &hidden, &met, "firewall/public-access-disabled");
    assert_eq!(found.fact, "privateEndpointConnections");
    let command = found.command.as_deref().unwrap_or_default();
    assert!(command.starts_with("az network private-endpoint-connection list --id /subscriptions/"), "{command}");
    // All of them would explain every refusal: what a request meets earlier comes first.
    let expected = [
        "dns/public-answer-for-private-endpoint",
        "private-link/connection-pending",
        "private-link/connection-rejected",
        "private-link/none-while-public-disabled",
    ];
    assert_eq!(instead(&found), expected);
}

//! What holds for any facts at all, tried on worlds and fixtures that are changed at random.

use std::collections::{BTreeMap, BTreeSet};

use acr_doctor::facts::{Confidence, Finding, Report, Severity};
use acr_doctor::reconcile::reconcile;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::document::{places, take};
use crate::{fixtures, golden};

/// Every world, and every fixture's world.
fn bases() -> &'static [Value] {
    static BASES: std::sync::OnceLock<Vec<Value>> = std::sync::OnceLock::new();
    BASES.get_or_init(|| {
        let worlds = golden::files("tests/worlds", "json")
            .into_iter()
            .map(|path| fixtures::world(path.trim_start_matches("tests/worlds/").trim_end_matches(".json")));
        let cases = fixtures::all().into_iter().flat_map(|file| file.cases).map(|case| case.changed_world());
        worlds.chain(cases).collect()
    })
}

fn pick(list: &[String], seed: usize) -> Option<&String> {
    list.get(seed.checked_rem(list.len())?)
}

/// One random change: a value of another world at the same place, a removal, an unknown, or an odd value.
fn mutate(world: &mut Value, kind: u8, seed: usize) {
    let mut all = Vec::new();
    places(world, "", &|_| true, &mut all);
    let Some(pointer) = pick(&all, seed).filter(|p| !p.is_empty()).cloned() else { return };
    match kind {
        0 => take(world, &pointer),
        1 => {
            let donor = &bases()[seed % bases().len()];
            if let (Some(value), Some(place)) = (donor.pointer(&pointer), world.pointer_mut(&pointer)) {
                *place = value.clone();
            }
        }
        2 => {
            let mut known = Vec::new();
            places(world, "", &|v| v.get("known").is_some(), &mut known);
            if let Some(place) = pick(&known, seed).and_then(|p| world.pointer_mut(p)) {
                *place = json!({ "unknown": { "why": "not allowed" } });
            }
        }
        3 => {
            let odd =
                ["", "::1", "10.0.0.0/0", "Pending", "Disabled", "0.0.0.0", "fd00::7", "nameNotFound", "timedOut"];
            if let Some(place) = world.pointer_mut(&pointer).filter(|v| v.is_string()) {
                *place = json!(odd[seed % odd.len()]);
            }
        }
        _ => {
            let numbers = [json!(0), json!(403), json!(u64::MAX), json!(-1), json!(true), Value::Null, json!([])];
            if let Some(place) = world.pointer_mut(&pointer) {
                *place = numbers[seed % numbers.len()].clone();
            }
        }
    }
}

/// The report of a world, if it is one that the types allow.
fn report(world: &Value, audit: bool) -> Option<Report> {
    let (config, probes) = fixtures::facts(world).ok()?;
    let mut options = fixtures::options();
    options.audit = audit;
    if audit {
        options.used_by = vec!["app-service".to_owned(), "container-instances".to_owned(), "something".to_owned()];
    }
    Some(reconcile(&config, &probes, &options))
}

fn findings(report: &Report) -> impl Iterator<Item = &Finding> {
    report.registries.iter().flat_map(|r| &r.findings)
}

/// Code to the best confidence that a report gives it.
fn confidences(report: &Report) -> BTreeMap<String, Confidence> {
    let mut all = BTreeMap::new();
    for finding in findings(report) {
        let best = all.entry(finding.code.to_string()).or_insert(finding.confidence);
        *best = (*best).max(finding.confidence);
    }
    all
}

/// What a report may never be.
fn sound(report: &Report) -> Result<(), TestCaseError> {
    for registry in &report.registries {
        let by_code: BTreeMap<&str, Vec<&Finding>> =
            registry.findings.iter().fold(BTreeMap::new(), |mut map: BTreeMap<_, Vec<_>>, f| {
                map.entry(f.code.as_str()).or_default().push(f);
                map
            });
        for finding in &registry.findings {
            prop_assert!(!finding.root_cause || finding.explained_by.is_empty(), "{} is both", finding.code);
            prop_assert!(!finding.root_cause || finding.severity > Severity::Info || has_effects(finding, registry));
            let mut seen = BTreeSet::new();
            let mut stack: Vec<&str> = finding.explained_by.iter().map(acr_doctor::facts::Code::as_str).collect();
            while let Some(code) = stack.pop() {
                prop_assert!(code != finding.code.as_str(), "{code} explains itself in the end");
                prop_assert!(by_code.contains_key(code), "{} is explained by {code}, which is not there", finding.code);
                if seen.insert(code) {
                    stack.extend(
                        by_code[code].iter().flat_map(|f| &f.explained_by).map(acr_doctor::facts::Code::as_str),
                    );
                }
            }
            prop_assert!(finding.confidence == Confidence::Possible || finding.depends_on_unknown.is_empty());
        }
        let errors = registry.findings.iter().any(|f| f.severity == Severity::Error);
        prop_assert!(!errors || registry.findings.iter().any(|f| f.root_cause), "an error, and no root cause");
    }
    Ok(())
}

fn has_effects(finding: &Finding, registry: &acr_doctor::facts::RegistryReport) -> bool {
    registry.findings.iter().any(|f| f.explained_by.contains(&finding.code))
}

/// Turns every list of a document round whose order means nothing.
fn turned(mut world: Value) -> Value {
    let lists = [
        "/config/subscriptions",
        "/config/subnets",
        "/config/virtualNetworks",
        "/config/privateDnsZones/known",
        "/config/registries/0/networkRuleSet/known/ipRules",
        "/config/registries/0/networkRuleSet/known/virtualNetworkRules/known",
        "/config/registries/0/privateEndpointConnections/known",
        "/config/registries/0/replications/known",
        "/config/registries/0/tasks/known",
        "/config/registries/0/locks/known",
        "/config/failedReads",
        "/probe/endpoints",
        "/probe/controls",
    ];
    for pointer in lists {
        if let Some(Value::Array(list)) = world.pointer_mut(pointer) {
            list.reverse();
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_rule_panics_and_every_report_is_sound(
        base in any::<prop::sample::Index>(),
        changes in prop::collection::vec((0_u8..5, any::<usize>()), 0..8),
        audit in any::<bool>(),
    ) {
        let mut world = base.get(bases()).clone();
        for (kind, seed) in changes {
            let before = world.clone();
            mutate(&mut world, kind, seed);
            if report(&world, audit).is_none() {
                world = before;
            }
        }
        let report = report(&world, audit).expect("only changes that the types allow were kept");
        sound(&report)?;
    }
}

#[test]
fn the_order_of_facts_does_not_matter() {
    for world in bases() {
        let told = |world: &Value| {
            let report = report(world, true).expect("a world");
            findings(&report)
                .map(|f| (f.code.to_string(), f.severity, f.confidence, f.root_cause))
                .collect::<BTreeSet<_>>()
        };
        let (one, other) = (told(world), told(&turned(world.clone())));
        assert_eq!(one, other, "{}", world["probe"]["endpoints"]);
    }
}

/// Errors and warnings that a certain finding may turn into when a fact is hidden are fine; becoming surer is not.
#[test]
fn hiding_a_fact_makes_nothing_surer() {
    let mut wrong = BTreeSet::new();
    for world in bases() {
        let before = confidences(&report(world, false).expect("a world"));
        let mut known = Vec::new();
        places(&world["config"], "/config", &|v| v.get("known").is_some(), &mut known);
        for pointer in known {
            let mut hidden = world.clone();
            *hidden.pointer_mut(&pointer).expect("found above") = json!({ "unknown": { "why": "not allowed" } });
            let Some(after) = report(&hidden, false) else { continue };
            for (code, confidence) in confidences(&after) {
                let surer = match before.get(&code) {
                    Some(then) => confidence > *then,
                    None => confidence == Confidence::Certain && !NAMES_WHAT_IS_HIDDEN.contains(&code.as_str()),
                };
                if surer {
                    wrong
                        .insert(format!("without {pointer}: {code} is {confidence:?}, before {:?}", before.get(&code)));
                }
            }
        }
    }
    let shown: Vec<&String> = wrong.iter().take(40).collect();
    assert!(wrong.is_empty(), "{} cases: {shown:#?}", wrong.len());
}

/// Findings that say of themselves that something is not known.
const NAMES_WHAT_IS_HIDDEN: &[&str] = &["access/rules-not-shown"];

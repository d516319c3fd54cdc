//! One fact less, of worlds in which a client fails: it is still told a cause; what the cause is with all facts is named,
//! or stands among what it may be instead, or `tests/pairs/lost-causes.toml` says why not. And of each fact that a finding
//! hangs on it is known what it can be.

use std::collections::{BTreeMap, BTreeSet};

use acr_doctor::facts::finding::Decider;
use acr_doctor::facts::report::Observed;
use acr_doctor::facts::{Finding, Report};
use serde::Deserialize;
use serde_json::json;

use crate::document::places;
use crate::{fixtures, golden};

/// Causes that are lost with a fact, as reviewed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lost {
    /// The facts' places, each index as 0.
    without: Vec<String>,
    /// The causes that are neither named nor candidates then.
    causes: Vec<String>,
    /// Why that is right.
    because: String,
}

/// A fact without supposed values, as reviewed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    /// The fact, as `dependsOnUnknown` names it.
    fact: String,
    /// Why it is more than a choice of a few.
    because: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reviewed {
    lost: Vec<Lost>,
    #[serde(default)]
    open: Vec<Open>,
}

fn reviewed() -> Reviewed {
    let path = golden::path("tests/pairs/lost-causes.toml");
    let text = std::fs::read_to_string(&path).expect("the list can be read");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What is left of a report where a fact is hidden.
struct Hidden {
    /// The case, and the fact's place with each index as 0.
    case: String,
    place: String,
    /// The causes that are named with all facts, where a client fails.
    true_causes: BTreeSet<String>,
    /// Whether a client fails without the fact, as far as is seen.
    fails: bool,
    /// The causes that are named without it, and what they may be instead.
    causes: BTreeSet<String>,
    instead: BTreeSet<String>,
    /// The facts on which some finding hangs.
    wanted: BTreeSet<String>,
    /// What decides about the causes.
    deciders: Vec<Decider>,
}

impl Hidden {
    fn new(case: String, place: String, before: &Report, after: &Report) -> Self {
        let deciders: Vec<Decider> = findings(after).filter_map(|f| f.decided_by.clone()).collect();
        Self {
            case,
            place,
            true_causes: if fails(before) { causes(before) } else { BTreeSet::new() },
            fails: fails(after),
            causes: causes(after),
            instead: deciders.iter().flat_map(|decider| &decider.instead).map(ToString::to_string).collect(),
            wanted: findings(after).flat_map(|f| f.depends_on_unknown.iter().cloned()).collect(),
            deciders,
        }
    }
}

fn findings(report: &Report) -> impl Iterator<Item = &Finding> {
    report.registries.iter().flat_map(|registry| &registry.findings)
}

fn causes(report: &Report) -> BTreeSet<String> {
    findings(report).filter(|f| f.root_cause).map(|f| f.code.to_string()).collect()
}

/// Whether somebody looked and did not get through somewhere.
fn fails(report: &Report) -> bool {
    let paths = report.registries.iter().flat_map(|registry| &registry.paths);
    paths.into_iter().any(|path| matches!(path.observed, Observed::Refused | Observed::Unreachable))
}

/// A place with each of its indices as 0.
fn anywhere(pointer: &str) -> String {
    let zeroed = |part: &str| if part.parse::<usize>().is_ok() { "0".to_owned() } else { part.to_owned() };
    pointer.split('/').map(zeroed).collect::<Vec<_>>().join("/")
}

/// Each case of each fixture without each of its facts; the cases in which facts are missing as they are.
fn all() -> &'static [Hidden] {
    static ALL: std::sync::OnceLock<Vec<Hidden>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = Vec::new();
        for case in fixtures::read("tests/pairs/missing-facts.toml") {
            let report = case.report();
            all.push(Hidden::new(case.name, String::new(), &report, &report));
        }
        for file in fixtures::all() {
            for case in &file.cases {
                let world = case.changed_world();
                let Ok(before) = case.report_of(&world) else { continue };
                let mut known = Vec::new();
                places(&world, "", &|value| value.get("known").is_some(), &mut known);
                for pointer in known {
                    let mut hidden = world.clone();
                    *hidden.pointer_mut(&pointer).expect("found above") =
                        json!({ "unknown": { "why": "not allowed" } });
                    if let Ok(after) = case.report_of(&hidden) {
                        let name = format!("{}: {}", file.code, case.name);
                        all.push(Hidden::new(name, anywhere(&pointer), &before, &after));
                    }
                }
            }
        }
        all
    })
}

/// The commands that decide, wherever a fact is missing.
pub(crate) fn commands() -> BTreeSet<&'static str> {
    all().iter().flat_map(|hidden| &hidden.deciders).filter_map(|decider| decider.command.as_deref()).collect()
}

#[test]
fn the_true_cause_is_named_or_a_candidate_where_one_fact_is_missing() {
    let reviewed = reviewed();
    let (mut tried, mut kept) = (0, 0);
    let mut used: BTreeSet<(usize, &str)> = BTreeSet::new();
    let mut lost: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for Hidden { case, place, true_causes, causes, instead, .. } in all() {
        for code in true_causes {
            tried += 1;
            kept += usize::from(causes.contains(code));
            if causes.contains(code) || instead.contains(code) {
                continue;
            }
            let excuses = |lost: &Lost| lost.without.contains(place) && lost.causes.contains(code);
            if let Some(at) = reviewed.lost.iter().position(excuses) {
                used.extend([(at, place.as_str()), (at, code.as_str())]);
            } else {
                lost.entry((place, code)).or_default().insert(format!("{case}: now {causes:?}, {instead:?}"));
            }
        }
    }
    assert!(lost.is_empty(), "{} of {tried}, {kept} named: {lost:#?}", lost.len());
    for (at, lost) in reviewed.lost.iter().enumerate() {
        assert!(lost.because.len() > 20, "entry {at} gives no reason");
        for word in lost.without.iter().chain(&lost.causes) {
            let because = &lost.because;
            assert!(used.contains(&(at, word.as_str())), "{word} stands in an entry ('{because}') and needs none");
        }
    }
    assert!(tried > 5_000 && kept + 80 < tried, "only {tried} were tried, {kept} of them were named all the same");
}

#[test]
fn a_client_that_fails_is_told_a_cause_whatever_fact_is_missing() {
    let untold =
        all().iter().filter(|hidden| hidden.fails && !hidden.true_causes.is_empty() && hidden.causes.is_empty());
    let untold: BTreeSet<String> = untold.map(|hidden| format!("{}, without {}", hidden.case, hidden.place)).collect();
    assert!(untold.is_empty(), "{untold:#?}");
}

#[test]
fn of_each_fact_that_a_finding_hangs_on_it_is_known_what_it_can_be() {
    let reviewed = reviewed();
    let wanted: BTreeSet<&String> = all().iter().flat_map(|hidden| &hidden.wanted).collect();
    let deciders = all().iter().flat_map(|hidden| &hidden.deciders);
    let supposed: BTreeSet<&String> = deciders.filter(|d| !d.instead.is_empty()).map(|d| &d.fact).collect();
    let listed: BTreeSet<&String> = reviewed.open.iter().map(|open| &open.fact).collect();
    let open: BTreeSet<&String> = wanted.difference(&supposed).copied().collect();
    assert_eq!(open, listed, "no value is supposed (left), and a reason is given (right), of {wanted:#?}");
    assert!(reviewed.open.iter().all(|open| open.because.len() > 20), "a reason is a sentence");
}

/// Somebody who does not know is not left without a next step.
#[test]
fn whatever_decides_has_a_command_that_changes_nothing() {
    let without = all().iter().flat_map(|hidden| &hidden.deciders).filter(|decider| decider.command.is_none());
    let without: BTreeSet<&String> = without.map(|decider| &decider.fact).collect();
    assert!(without.is_empty(), "{without:#?}");
    let reads = |command: &str| {
        let mut words = command.split(' ').take_while(|word| !word.starts_with('-'));
        command.starts_with("acr-doctor ") || words.any(|word| word == "show" || word == "list")
    };
    // A right that is missing is given, where the refusal names who lacks it.
    let gives_a_right = |command: &str| command.starts_with("az role definition create ");
    let changing: Vec<&str> = commands().into_iter().filter(|c| !reads(c) && !gives_a_right(c)).collect();
    assert!(changing.is_empty(), "{changing:#?}");
}

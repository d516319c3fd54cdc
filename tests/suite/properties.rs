//! What holds for any facts at all, tried on worlds and fixtures that are changed at random.

use std::collections::{BTreeMap, BTreeSet};

use acr_doctor::facts::report::Observed;
use acr_doctor::facts::{
    Code, Confidence, ConfigFacts, Finding, ProbeFacts, RegistryReport, Report, Severity, Verdict,
};
use acr_doctor::reconcile::{reconcile, rules};
use acr_doctor::report::{self, Style};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use crate::document::{places, take};
use crate::{any_facts, fixtures, golden};

/// The same cases in every run; PROPTEST_RNG_SEED and PROPTEST_CASES look further.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let rng_seed = if default.rng_seed == RngSeed::Random { RngSeed::Fixed(20_261_124) } else { default.rng_seed };
    ProptestConfig { failure_persistence: None, rng_seed, ..default }
}

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
            let mut stack: Vec<&str> = finding.explained_by.iter().map(Code::as_str).collect();
            while let Some(code) = stack.pop() {
                prop_assert!(code != finding.code.as_str(), "{code} explains itself in the end");
                prop_assert!(by_code.contains_key(code), "{} is explained by {code}, which is not there", finding.code);
                if seen.insert(code) {
                    stack.extend(by_code[code].iter().flat_map(|f| &f.explained_by).map(Code::as_str));
                }
            }
            prop_assert!(finding.confidence == Confidence::Possible || finding.depends_on_unknown.is_empty());
            let open = finding.root_cause && !finding.depends_on_unknown.is_empty();
            let decider = finding.decided_by.as_ref();
            prop_assert!(!open || decider.is_some(), "{} is open, and nothing decides", finding.code);
            prop_assert!(decider.is_none() || finding.root_cause, "{} is no cause, and is decided", finding.code);
            if let Some(decider) = decider {
                prop_assert!(open || !decider.instead.is_empty(), "{}: {decider:?}", finding.code);
                let listed = registry.unknowns.iter().any(|unknown| unknown.fact == decider.fact);
                prop_assert!(open || listed, "{} is not among what is not known", decider.fact);
                let once: BTreeSet<&Code> = decider.instead.iter().collect();
                prop_assert!(once.len() == decider.instead.len(), "{}: {decider:?}", finding.code);
                for code in &decider.instead {
                    let cause = by_code.get(code.as_str()).is_some_and(|all| all.iter().any(|f| f.root_cause));
                    prop_assert!(!cause, "{code} is the cause and a candidate");
                }
            }
            for by in &finding.explained_by {
                let declared =
                    rules::all().any(|r| r.code == by.as_str() && r.explains.contains(&finding.code.as_str()));
                prop_assert!(declared, "{by} explains {} by no declaration", finding.code);
            }
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
    #![proptest_config(config())]

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

/// The report over facts of any shape.
fn judged(config: &ConfigFacts, probes: &[ProbeFacts], audit: bool) -> Report {
    let mut options = fixtures::options();
    options.audit = audit;
    if audit {
        options.used_by = vec!["app-service".to_owned(), "aci".to_owned(), "tasks".to_owned()];
    }
    reconcile(config, probes, &options)
}

/// Turns every list round.
fn reversed(mut document: Value) -> Value {
    match &mut document {
        Value::Array(list) => {
            list.reverse();
            for item in list {
                *item = reversed(item.take());
            }
        }
        Value::Object(members) => {
            for member in members.values_mut() {
                *member = reversed(member.take());
            }
        }
        _ => {}
    }
    document
}

/// What a report says, whatever the order and the words.
fn gist(report: &Report) -> BTreeSet<String> {
    let of_registry = |r: &RegistryReport| {
        let told = r.findings.iter().map(|f| {
            let by: Vec<&str> = f.explained_by.iter().map(Code::as_str).collect();
            format!("{} {}: {:?} {:?} root {} by {by:?}", r.name, f.code, f.severity, f.confidence, f.root_cause)
        });
        told.chain([format!("{} {:?}", r.name, r.verdict)]).collect::<Vec<_>>()
    };
    report.registries.iter().flat_map(of_registry).collect()
}

/// Makes facts unknown, each with the chance of one in four.
fn hidden(document: &Value, seeds: &[prop::sample::Index]) -> Value {
    let mut known = Vec::new();
    places(document, "", &|v| v.get("known").is_some(), &mut known);
    let mut hidden = document.clone();
    for seed in seeds {
        if let Some(place) = pick(&known, seed.index(usize::MAX)).and_then(|p| hidden.pointer_mut(p)) {
            *place = json!({ "unknown": { "why": "not allowed" } });
        }
    }
    hidden
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_facts_give_a_sound_report_and_the_same_one_again(
        config in any_facts::config(),
        probes in prop::collection::vec(any_facts::probe(), 0..3),
        audit in any::<bool>(),
    ) {
        let report = judged(&config, &probes, audit);
        sound(&report)?;
        prop_assert_eq!(&report, &judged(&config, &probes, audit));
    }

    #[test]
    fn any_configuration_says_the_same_in_any_order(
        config in any_facts::document("config"),
        probe in any_facts::probe(),
        audit in any::<bool>(),
    ) {
        let other = reversed(config.clone());
        let probes = [probe];
        prop_assert_eq!(gist(&judged(&any_facts::read(&config), &probes, audit)), gist(&judged(&any_facts::read(&other), &probes, audit)));
    }

    #[test]
    fn what_is_certain_without_a_right_stays_so_with_it(
        config in any_facts::document("config"),
        probe in any_facts::probe(),
        seeds in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
    ) {
        let probes = [probe];
        let with = confidences(&judged(&any_facts::read(&config), &probes, false));
        let without = judged(&any_facts::read(&hidden(&config, &seeds)), &probes, false);
        for finding in findings(&without).filter(|f| f.confidence == Confidence::Certain) {
            let code = finding.code.as_str();
            prop_assert!(NAMES_WHAT_IS_HIDDEN.contains(&code) || with.contains_key(code), "{code}: {}", finding.title);
        }
    }

    #[test]
    fn any_report_can_be_shown_in_every_format(
        config in any_facts::config(),
        probes in prop::collection::vec(any_facts::probe(), 0..3),
        colour in any::<bool>(),
        width in 0_usize..120,
    ) {
        let report = judged(&config, &probes, true);
        let style = Style { width, colour, glyphs: colour };
        let value = serde_json::to_value(&report).expect("a report is JSON");
        for text in [
            report::table(&report, &style), report::json(&value, &style), report::yaml(&value, &style),
            report::json_lines(&value), report::grid(&value), report::value_tsv(&value), report::findings_tsv(&report),
            report::csv(&report), report::html(&report), report::markdown(&report),
            report::junit(&report, Some(Severity::Warning)), report::sarif(&report, &|_| None),
            report::stance(&config, &report, &style),
        ] {
            prop_assert!(!text.contains('\u{7}') && !text.contains('\u{202e}'), "{text:?}");
        }
    }

    #[test]
    fn whoever_does_not_get_in_is_told_why(config in any_facts::config(), probe in any_facts::probe()) {
        let report = judged(&config, &[probe], false);
        for registry in report.registries.iter().filter(|r| r.verdict == Verdict::Blocked) {
            let told: Vec<&str> = registry.findings.iter().map(|f| f.code.as_str()).collect();
            prop_assert!(registry.findings.iter().any(|f| f.root_cause), "{:?} {told:?}", registry.paths);
        }
    }

    /// In a healthy world, so that nothing else is the cause.
    #[test]
    fn an_endpoint_that_fails_is_told_why(
        (world, at) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        stage in prop::sample::select(vec!["dns", "tcp", "tls", "http"]),
        met in any_facts::document("probe"),
    ) {
        let mut world = world.get(healthy()).clone();
        let endpoints = world["probe"]["endpoints"].as_array_mut().expect("each world was looked at");
        let at = at.index(endpoints.len());
        let endpoint = &mut endpoints[at];
        let Some(what) = meets(endpoint, stage, &met) else { return Ok(()) };
        let Ok((config, probes)) = fixtures::facts(&world) else { return Ok(()) };
        let report = judged(&config, &probes, false);
        for registry in &report.registries {
            let fails = registry.paths.iter().any(|p| matches!(p.observed, Observed::Refused | Observed::Unreachable));
            let told = registry.findings.iter().any(|f| f.root_cause && f.severity >= Severity::Warning);
            prop_assert!(told || !fails, "{what}: {:?}", registry.paths);
        }
    }
}

/// The worlds in which nothing is wrong.
fn healthy() -> &'static [Value] {
    &bases()[..golden::files("tests/worlds", "json").len()]
}

/// At this stage an endpoint meets what another one met, and comes no further.
fn meets(endpoint: &mut Value, stage: &str, probe: &Value) -> Option<Value> {
    let others = probe["endpoints"].as_array()?.iter();
    let mut met = others.filter_map(|other| other.get(stage)).find(|met| !met.is_null())?.clone();
    for connection in met.as_array_mut().into_iter().flatten() {
        connection["address"] = endpoint["dns"]["answer"]["addresses"][0]["ip"].clone();
    }
    let members = endpoint.as_object_mut()?;
    let later = ["dns", "tcp", "tls", "http"].into_iter().skip_while(|other| *other != stage);
    for gone in later {
        members.remove(gone);
    }
    members.insert(stage.to_owned(), met.clone());
    Some(met)
}

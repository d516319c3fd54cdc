//! Missing rights, over every world and fixture: what an expert may not read is unknown, and nothing certain comes of it.

use std::collections::BTreeSet;

use acr_doctor::facts::{Confidence, Report};
use acr_doctor::reconcile::reconcile;
use serde_json::{Value, json};

use crate::{fixtures, golden};

/// What becomes unknown without a group of rights: places in the facts (`*`: every item), and the right.
type Group = (&'static str, &'static [(&'static str, &'static str)]);

const NETWORK: Group = (
    "network",
    &[
        ("/registries/*/privateEndpointConnections/known/*/privateEndpoint", "Microsoft.Network/privateEndpoints/read"),
        ("/subnets/*/subnet", "Microsoft.Network/virtualNetworks/subnets/read"),
        ("/virtualNetworks/*/network", "Microsoft.Network/virtualNetworks/read"),
        ("/serviceTags", "Microsoft.Network/locations/serviceTags/read"),
        ("/clientInterface", "Microsoft.Network/networkInterfaces/read"),
    ],
);
const PRIVATE_DNS: Group = ("private DNS", &[("/privateDnsZones", "Microsoft.Network/privateDnsZones/read")]);
const RECORDS: Group = (
    "records and links",
    &[
        ("/privateDnsZones/known/*/records", "Microsoft.Network/privateDnsZones/ALL/read"),
        ("/privateDnsZones/known/*/links", "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read"),
    ],
);
const SECURITY: Group = ("security", &[("/subscriptions/*/defender", "Microsoft.Security/pricings/read")]);
const GOVERNANCE: Group = (
    "governance",
    &[
        ("/subscriptions/*/containerRegistryProvider", "Microsoft.Resources/subscriptions/providers/read"),
        ("/registries/*/locks", "Microsoft.Authorization/locks/read"),
        ("/registries/*/policyAssignments", "Microsoft.Authorization/policyAssignments/read"),
        ("/registries/*/diagnosticSettings", "Microsoft.Insights/diagnosticSettings/read"),
    ],
);
const BELOW: Group = (
    "what lies below the registry",
    &[
        ("/registries/*/replications", "Microsoft.ContainerRegistry/registries/replications/read"),
        ("/registries/*/tasks", "Microsoft.ContainerRegistry/registries/tasks/read"),
        ("/registries/*/agentPools", "Microsoft.ContainerRegistry/registries/agentPools/read"),
        ("/registries/*/connectedRegistries", "Microsoft.ContainerRegistry/registries/connectedRegistries/read"),
        ("/registries/*/cacheRules", "Microsoft.ContainerRegistry/registries/cacheRules/read"),
        ("/registries/*/usages", "Microsoft.ContainerRegistry/registries/listUsages/read"),
    ],
);

/// Each alone, the usual combinations, and the registry's own document alone.
const COMBINATIONS: [&[Group]; 11] = [
    &[NETWORK],
    &[PRIVATE_DNS],
    &[RECORDS],
    &[SECURITY],
    &[GOVERNANCE],
    &[BELOW],
    &[NETWORK, PRIVATE_DNS],
    &[NETWORK, SECURITY],
    &[PRIVATE_DNS, SECURITY],
    &[NETWORK, PRIVATE_DNS, SECURITY, GOVERNANCE],
    &[NETWORK, PRIVATE_DNS, SECURITY, GOVERNANCE, BELOW],
];

/// Makes a place unknown, in every item where the path says so.
fn hide(facts: &mut Value, path: &[&str], right: &str) {
    match (path, facts) {
        // What was unknown already stays so, with its own reason.
        ([], facts) if facts.get("known").is_some() => {
            *facts = json!({ "unknown": { "why": "403 AuthorizationFailed", "needs": right } });
        }
        (["*", rest @ ..], Value::Array(items)) => items.iter_mut().for_each(|item| hide(item, rest, right)),
        ([name, rest @ ..], Value::Object(members)) => {
            if let Some(member) = members.get_mut(*name) {
                hide(member, rest, right);
            }
        }
        _ => {}
    }
}

fn without(world: &Value, groups: &[Group]) -> Value {
    let mut world = world.clone();
    for (place, right) in groups.iter().flat_map(|(_, places)| *places) {
        let path: Vec<&str> = place.split('/').skip(1).collect();
        hide(&mut world["config"], &path, right);
    }
    world
}

fn report(world: &Value) -> Report {
    let (config, probes) = fixtures::facts(world).expect("a world");
    reconcile(&config, &probes, &fixtures::options())
}

/// Codes, with those that are certain apart.
fn codes(report: &Report) -> (BTreeSet<String>, BTreeSet<String>) {
    let all = report.registries.iter().flat_map(|r| &r.findings);
    let certain = all.clone().filter(|f| f.confidence == Confidence::Certain);
    (all.map(|f| f.code.to_string()).collect(), certain.map(|f| f.code.to_string()).collect())
}

/// Every world and the world of every fixture, by name.
fn worlds() -> impl Iterator<Item = (String, Value)> {
    let worlds = golden::files("tests/worlds", "json").into_iter().map(|path| {
        let name = path.trim_start_matches("tests/worlds/").trim_end_matches(".json").to_owned();
        (format!("the world {name}"), fixtures::world(&name))
    });
    let cases = fixtures::all().into_iter().flat_map(|file| {
        file.cases.into_iter().map(move |case| (format!("{}, '{}'", file.code, case.name), case.changed_world()))
    });
    worlds.chain(cases)
}

/// Nothing certain may come of a missing right, and where a finding is lost by it, the report must name the right.
#[test]
fn a_missing_right_makes_nothing_certain_and_is_named_where_it_costs_a_finding() {
    let (mut surer, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for (name, world) in worlds() {
        let (full, _) = codes(&report(&world));
        for groups in COMBINATIONS {
            let hidden = without(&world, groups);
            if hidden == world {
                continue;
            }
            let reduced = report(&hidden);
            let (left, certain) = codes(&reduced);
            let names: Vec<&str> = groups.iter().map(|(name, _)| *name).collect();
            surer.extend(certain.difference(&full).map(|code| format!("{name}, without {names:?}: {code} is certain")));
            let lost: Vec<_> = full.difference(&left).collect();
            let rights: Vec<&str> = groups.iter().flat_map(|(_, places)| *places).map(|(_, right)| *right).collect();
            let mut unknowns = reduced.registries.iter().flat_map(|r| &r.unknowns);
            if !lost.is_empty() && !unknowns.any(|u| u.needs.as_deref().is_some_and(|needs| rights.contains(&needs))) {
                silent.insert(format!("{name}, without {names:?}: {lost:?} lost, and no right is named"));
            }
        }
    }
    assert!(surer.is_empty(), "{} cases: {:#?}", surer.len(), surer.iter().take(20).collect::<Vec<_>>());
    assert!(silent.is_empty(), "{} cases: {:#?}", silent.len(), silent.iter().take(20).collect::<Vec<_>>());
}

#[test]
fn the_places_that_are_hidden_are_places_of_the_facts() {
    let mut found = BTreeSet::new();
    for path in golden::files("tests/worlds", "json") {
        let world = fixtures::world(path.trim_start_matches("tests/worlds/").trim_end_matches(".json"));
        for group in [NETWORK, PRIVATE_DNS, RECORDS, SECURITY, GOVERNANCE, BELOW] {
            for place in group.1 {
                let mut one = world.clone();
                hide(&mut one["config"], &place.0.split('/').skip(1).collect::<Vec<_>>(), place.1);
                if one != world {
                    found.insert(place.0);
                }
            }
        }
    }
    let all: BTreeSet<&str> = [NETWORK, PRIVATE_DNS, RECORDS, SECURITY, GOVERNANCE, BELOW]
        .iter()
        .flat_map(|(_, places)| places.iter().map(|(place, _)| *place))
        .collect();
    // No world is that of an Azure VM whose interface was read; fixtures of network/nsg-blocks-outbound are.
    let missing: Vec<_> = all.difference(&found).filter(|place| **place != "/clientInterface").collect();
    assert!(missing.is_empty(), "{missing:?}");
}

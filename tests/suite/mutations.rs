//! Healthy worlds with one change: every scalar and list of their ARM documents, and every stage that the client met.
//! Each is named by a finding, listed as unknown or refused, or it stands in tests/goldens/silent-mutations.txt with the
//! reason from tests/mutations/silent.toml why nothing has to be said.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use acr_doctor::config::from_documents;
use acr_doctor::facts::config::SignIn;
use acr_doctor::facts::{Cloud, ProbeFacts, Severity, Verdict};
use acr_doctor::reconcile::reconcile;
use acr_doctor_lab::base;
use acr_doctor_lab::documents::resource_type;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::document::{places, put, take};
use crate::{fixtures, golden};

/// The laboratory's worlds, each with what a client met there.
const WORLDS: [&str; 4] = ["public", "ip-rule", "service-endpoint", "private-link-geo"];

/// Members whose values are a closed set, as Azure's API specification has them.
const CHOICES: &[(&str, &[&str])] = &[
    ("/access", &["Allow", "Deny"]),
    ("/azureADAuthenticationAsArmPolicy/status", &["enabled", "disabled"]),
    ("/defaultAction", &["Allow", "Deny"]),
    ("/direction", &["Inbound", "Outbound"]),
    ("/endpointProtocol", &["IPv4", "IPv4AndIPv6"]),
    ("/isEnabled", &["True", "False"]),
    ("/networkRuleBypassOptions", &["AzureServices", "None"]),
    ("/pricingTier", &["Free", "Standard"]),
    ("/privateEndpointNetworkPolicies", &["Enabled", "Disabled"]),
    ("/privateLinkServiceConnectionState/status", &["Approved", "Pending", "Rejected", "Disconnected"]),
    ("/provisioningState", &["Succeeded", "Updating", "Failed"]),
    ("/publicNetworkAccess", &["Enabled", "Disabled"]),
    ("/regionalEndpoints", &["Enabled", "Disabled"]),
    ("/resolutionPolicy", &["Default", "NxDomainRedirect"]),
    ("/roleAssignmentMode", &["LegacyRegistryPermissions", "AbacRepositoryPermissions"]),
    ("/sku/name", &["Basic", "Standard", "Premium"]),
    ("/sku/tier", &["Basic", "Standard", "Premium"]),
    ("/status", &["enabled", "disabled"]),
    ("/virtualNetworkLinkState", &["Completed", "InProgress"]),
];

/// What is said of a world: findings, what is not known, and the verdict.
#[derive(PartialEq, Eq)]
struct Said {
    findings: BTreeSet<(String, Severity)>,
    unknowns: BTreeSet<String>,
    verdict: Verdict,
}

/// A healthy world: documents by id, and the probe.
struct World {
    name: &'static str,
    documents: BTreeMap<String, Value>,
    probe: Value,
}

impl World {
    fn read(name: &'static str) -> Self {
        let base = base::world(name).unwrap();
        let documents = base.documents.all().map(|(id, document)| (id.clone(), document.clone())).collect();
        let path = format!("tests/mutations/{name}.probe.json");
        let probe = serde_json::from_str(&std::fs::read_to_string(golden::path(&path)).unwrap()).unwrap();
        Self { name, documents, probe }
    }

    /// What the program says of this world; `None`: it refuses a document.
    fn said(documents: &BTreeMap<String, Value>, probe: &Value) -> Option<Said> {
        let list = json!({ "value": documents.values().collect::<Vec<_>>() });
        let file = ("world.json".to_owned(), list.to_string().into_bytes());
        let mut config = from_documents(&[file], &Cloud::public()).ok()?;
        let probe = ProbeFacts::deserialize(probe).ok()?;
        config.client_subnet = probe.vantage.subnet.clone();
        config.sign_in = SignIn::SignedIn { credential: "environment".to_owned(), tenant: None, tried: Vec::new() };
        let report = reconcile(&config, &[probe], &fixtures::options());
        let registry = report.registries.into_iter().next()?;
        Some(Said {
            findings: registry.findings.iter().map(|f| (f.code.to_string(), f.severity)).collect(),
            unknowns: registry.unknowns.into_iter().map(|u| u.fact).collect(),
            verdict: registry.verdict,
        })
    }
}

/// Whether nothing is said beyond what is said of the healthy world.
fn quiet(said: &Said, healthy: &Said) -> bool {
    let quiet = said.findings == healthy.findings && said.unknowns == healthy.unknowns;
    assert!(!quiet || said.verdict == healthy.verdict, "{:?} without a finding", said.verdict);
    quiet
}

/// A change that nobody said anything of: where, and what was done there.
type Silent = BTreeMap<(String, String), BTreeSet<&'static str>>;

/// The other values that a scalar or a list could have, each with a name.
fn others(pointer: &str, value: &Value) -> Vec<(String, Option<Value>)> {
    let mut all = vec![("taken out".to_owned(), None)];
    match value {
        Value::Bool(on) => all.push((format!("{}", !on), Some(json!(!on)))),
        Value::Number(_) => all.push(("0".to_owned(), Some(json!(0)))),
        Value::String(text) => {
            all.extend(other_texts(pointer, text).into_iter().map(|(how, text)| (how, Some(json!(text)))));
        }
        Value::Array(list) if !list.is_empty() => all.push(("emptied".to_owned(), Some(json!([])))),
        Value::Null | Value::Array(_) | Value::Object(_) => {}
    }
    all
}

fn other_texts(pointer: &str, text: &str) -> Vec<(String, String)> {
    if let Some((_, values)) = CHOICES.iter().find(|(end, _)| pointer.ends_with(end)) {
        let unknown = ("a value of tomorrow".to_owned(), "Tomorrow".to_owned());
        let others = values.iter().filter(|v| !v.eq_ignore_ascii_case(text));
        return others.map(|v| (format!("= {v}"), (*v).to_owned())).chain([unknown]).collect();
    }
    let other = if text.parse::<Ipv4Addr>().is_ok() {
        ("another address", "10.20.77.77".to_owned())
    } else if text.parse::<ipnet::Ipv4Net>().is_ok() {
        ("another range", "10.77.0.0/24".to_owned())
    } else if text.starts_with("/subscriptions/") {
        ("another id", format!("{text}-other"))
    } else {
        ("another text", format!("other-{text}"))
    };
    vec![(other.0.to_owned(), other.1), ("empty".to_owned(), String::new())]
}

/// `registries#/properties/sku`: the type and the pointer, without the numbers of list items.
fn place(document: &Value, id: &str, pointer: &str) -> String {
    let own = document.get("type").and_then(Value::as_str).map(str::to_owned);
    let kind = own.or_else(|| resource_type(id)).unwrap_or_else(|| "subscription".to_owned());
    let kind = kind.split_once('/').map_or(kind.as_str(), |(_, rest)| rest);
    let parts = pointer.split('/').map(|p| if p.parse::<usize>().is_ok() { "*" } else { p });
    format!("{kind}#{}", parts.collect::<Vec<_>>().join("/"))
}

/// Every change of a world's documents of which nothing is said.
fn silent_documents(world: &World, healthy: &Said, silent: &mut Silent) -> usize {
    let mut tried = 0;
    // Where no network is in play, what stands around the registry is the same as in the other worlds.
    let of_registry = |id: &str| id.contains("/microsoft.containerregistry/registries/");
    let networked = ["service-endpoint", "private-link-geo"].contains(&world.name);
    for (id, document) in world.documents.iter().filter(|(id, _)| networked || of_registry(id)) {
        let mut found = Vec::new();
        places(document, "", &|v| !v.is_object(), &mut found);
        for pointer in found.iter().filter(|p| !p.starts_with("/lab")) {
            let value = document.pointer(pointer).unwrap();
            for (how, new) in others(pointer, value) {
                let mut documents = world.documents.clone();
                let changed = documents.get_mut(id).unwrap();
                match new {
                    None => take(changed, pointer),
                    Some(new) => put(changed, pointer, new),
                }
                tried += 1;
                if World::said(&documents, &world.probe).is_some_and(|said| quiet(&said, healthy)) {
                    silent.entry((place(document, id, pointer), how)).or_default().insert(world.name);
                }
            }
        }
    }
    tried
}

/// What a client can meet at an endpoint, as the fixtures play it.
const EVENTS: &[&str] = &[
    "dns nameNotFound",
    "dns noAddress",
    "dns serverFailure",
    "dns refused",
    "dns timedOut",
    "resolves 10.77.7.7",
    "resolves 198.51.100.77",
    "tcp timedOut",
    "tcp refused",
    "tcp reset",
    "tcp hostUnreachable",
    "tcp networkUnreachable",
    "tcp prohibited",
    "tls unknownIssuer",
    "tls nameMismatch",
    "tls expired",
    "tls notYetValid",
    "tls reset",
    "tls timedOut",
    "tls versionRejected",
    "tls notTls",
    "silent",
    "closed",
    "denied 203.0.113.99",
    "denied 10.20.1.4",
    "status 200",
    "status 302",
    "status 403",
    "status 404",
    "status 429",
    "status 500",
    "status 503",
];

/// Every stage that breaks at an endpoint of which nothing is said.
fn silent_stages(world: &World, healthy: &Said, silent: &mut Silent) -> usize {
    let mut tried = 0;
    for list in ["endpoints", "controls"] {
        let count = world.probe[list].as_array().map_or(0, Vec::len);
        for index in 0..count {
            let role = world.probe[list][index]["role"].as_str().unwrap_or_default().to_owned();
            for event in EVENTS {
                let mut probe = world.probe.clone();
                let endpoint = probe[list][index].as_object_mut().unwrap();
                let mut words = event.split(' ');
                // Of the cloud's own endpoints nothing is asked over HTTP.
                let Some(()) = fixtures::happen(endpoint, words.next().unwrap_or_default(), words.next()) else {
                    assert_eq!(list, "controls", "{}: {event} cannot be played at {role}", world.name);
                    continue;
                };
                tried += 1;
                match World::said(&world.documents, &probe) {
                    Some(said) if quiet(&said, healthy) => {
                        silent.entry((format!("probe#{role}"), (*event).to_owned())).or_default().insert(world.name);
                    }
                    Some(_) => {}
                    None => panic!("{}: {event} at {role} gives no facts", world.name),
                }
            }
        }
    }
    tried
}

/// Why nothing has to be said of a place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// Places, as in the golden file; `*` stands for anything. With `places | how` for one change alone.
    places: Vec<String>,
    /// The reviewed reason.
    because: String,
}

fn reasons() -> Vec<Reason> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        group: Vec<Reason>,
    }
    let text = std::fs::read_to_string(golden::path("tests/mutations/silent.toml")).unwrap();
    toml::from_str::<File>(&text).unwrap_or_else(|error| panic!("tests/mutations/silent.toml: {error}")).group
}

/// Whether a text is what a pattern with `*` says.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| fits(after, &rest[at..]))
        }),
    }
}

/// The golden file: groups by reason, in each the places with what was done there and in which worlds.
fn listed(silent: &Silent, reasons: &[Reason]) -> String {
    let mut groups: Vec<BTreeMap<&str, Vec<String>>> = reasons.iter().map(|_| BTreeMap::new()).collect();
    let mut used = BTreeSet::new();
    let mut unexplained = Vec::new();
    for ((place, how), worlds) in silent {
        let wanted = |pattern: &String| match pattern.split_once(" | ") {
            Some((of_place, of_how)) => fits(of_place, place) && fits(of_how, how),
            None => fits(pattern, place),
        };
        let found = reasons
            .iter()
            .enumerate()
            .find_map(|(group, reason)| Some((group, reason.places.iter().position(wanted)?)));
        let worlds = worlds.iter().copied().collect::<Vec<_>>().join(" ");
        match found {
            Some((group, pattern)) => {
                used.insert((group, pattern));
                groups[group].entry(place).or_default().push(format!("{how} ({worlds})"));
            }
            None => unexplained.push(format!("{place} | {how} ({worlds})")),
        }
    }
    assert!(unexplained.is_empty(), "nothing is said of these, and no reason is given:\n{}", unexplained.join("\n"));
    let mut text = String::from(
        "# Changes of healthy worlds of which nothing is said, and why that is right. `UPDATE=1 cargo test` writes this file;\n\
         # the reasons stand in tests/mutations/silent.toml.\n",
    );
    for (index, (reason, places)) in reasons.iter().zip(&groups).enumerate() {
        for (pattern, name) in reason.places.iter().enumerate() {
            assert!(
                used.contains(&(index, pattern)),
                "'{name}' stands in tests/mutations/silent.toml and needs no reason"
            );
        }
        text.push_str(&format!("\n## {}\n", reason.because));
        for (place, done) in places {
            text.push_str(&format!("{place}: {}\n", done.join(", ")));
        }
    }
    text
}

#[test]
fn every_change_of_a_healthy_world_is_named_or_known_to_be_harmless() {
    let results: Vec<(usize, Silent)> = std::thread::scope(|scope| {
        let running = WORLDS.map(|name| scope.spawn(move || try_all(&World::read(name))));
        running.into_iter().map(|thread| thread.join().expect("the thread told why")).collect()
    });
    let mut silent = Silent::new();
    let tried: usize = results.iter().map(|(tried, _)| tried).sum();
    for (change, worlds) in results.into_iter().flat_map(|(_, silent)| silent) {
        silent.entry(change).or_default().extend(worlds);
    }
    assert!(tried >= 2000, "only {tried} changes were tried");
    golden::check("tests/goldens/silent-mutations.txt", &listed(&silent, &reasons()));
}

fn try_all(world: &World) -> (usize, Silent) {
    let healthy = World::said(&world.documents, &world.probe).unwrap();
    assert_eq!(healthy.verdict, Verdict::Healthy, "{}: {:?}", world.name, healthy.findings);
    let mut silent = Silent::new();
    let tried = silent_documents(world, &healthy, &mut silent) + silent_stages(world, &healthy, &mut silent);
    (tried, silent)
}

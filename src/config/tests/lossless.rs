//! Every real and published document is read by the reader that meets it in production, and gives back what it was: facts
//! and kept members together, in Azure's own form.

mod back;

use serde_json::{Map, Value, json};

use super::recorded::{recorded, resources};
use super::*;
use crate::config::login_events::LogAnswer;
use crate::config::wire::registry::{Origin, registry};
use crate::config::wire::{Fields, governance, network, private_dns, private_link, registry_parts};
use crate::facts::Unrecognised;

/// Who reads the items of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Registry,
    Replication,
    Connection,
    PrivateLinkResource,
    ConnectedRegistry,
    CacheRule,
    Usage,
    Endpoints,
    NameAvailability,
    VirtualNetwork,
    Subnet,
    SecurityGroup,
    ServiceTag,
    PrivateEndpoint,
    ZoneGroup,
    RecordSet,
    Link,
    Provider,
    DefenderPlan,
    DiagnosticSetting,
    Rows,
    Log,
    Error,
}

/// The reader of each file under tests/fixtures/arm: the first pattern that its path contains.
const READERS: [(&str, Reader); 29] = [
    ("/errors/", Reader::Error),
    ("_providers_Microsof.2021-05-01-preview", Reader::DiagnosticSetting),
    ("registries_clireg000002_replications", Reader::Replication),
    ("registries_testreg000002_replications", Reader::Replication),
    ("_privateEndpointCo.", Reader::Connection),
    ("PrivateEndpointConnectionList", Reader::Connection),
    ("rivateLinkResources", Reader::PrivateLinkResource),
    ("ReplicationList", Reader::Replication),
    ("ConnectedRegistryList", Reader::ConnectedRegistry),
    ("CacheRuleList", Reader::CacheRule),
    ("RegistryListUsages", Reader::Usage),
    ("RegistryCheckNameAvailable", Reader::NameAvailability),
    ("show-endpoints", Reader::Endpoints),
    ("Microsoft_ContainerRegistry_registries_", Reader::Registry),
    ("create_normal_check_health", Reader::Registry),
    ("containerregistry/Registry", Reader::Registry),
    ("_subnets_", Reader::Subnet),
    ("network/Subnet", Reader::Subnet),
    ("Microsoft_Network_virtualNetworks_", Reader::VirtualNetwork),
    ("network/NetworkSecurityGroup", Reader::SecurityGroup),
    ("network/ServiceTags", Reader::ServiceTag),
    ("PrivateEndpointDnsZoneGroup", Reader::ZoneGroup),
    ("rivateEndpoint", Reader::PrivateEndpoint),
    ("privatedns/VirtualNetworkLink", Reader::Link),
    ("privatedns/", Reader::RecordSet),
    ("resources/GetProvider", Reader::Provider),
    ("spec/security/", Reader::DefenderPlan),
    ("resourcegraph/", Reader::Rows),
    ("loganalytics/", Reader::Log),
];

fn reader_of(name: &str) -> Option<Reader> {
    READERS.iter().find(|(pattern, _)| name.contains(pattern)).map(|(_, reader)| *reader)
}

/// What the reader made of one item, back in Azure's form; `None`: it could not read it.
fn given_back(reader: Reader, item: &Value, version: Option<&str>) -> Option<Value> {
    let origin = version.map_or(Origin::Document, Origin::Answer);
    Some(match reader {
        Reader::Registry => {
            let config = registry(item, origin).ok()?;
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<crate::facts::RegistryConfig>(&text).unwrap(), config);
            back::registry(&config)
        }
        Reader::Replication => back::replication(&registry_parts::replication(item, origin)?),
        Reader::Connection => back::connection(&registry_parts::connection(item)?),
        Reader::PrivateLinkResource => {
            back::private_link_resource(registry_parts::private_link_resource(std::slice::from_ref(item)).known()?)
        }
        Reader::ConnectedRegistry => back::connected_registry(&registry_parts::connected_registry(item)?),
        Reader::CacheRule => back::cache_rule(&registry_parts::cache_rule(item)?),
        Reader::Usage => back::usage(&registry_parts::usage(item)?),
        Reader::Endpoints => serde_json::to_value(registry_parts::shown_endpoints(item)?).unwrap(),
        Reader::NameAvailability => serde_json::to_value(registry_parts::name_availability(item)?).unwrap(),
        Reader::VirtualNetwork => {
            let mut whole = back::virtual_network(&network::virtual_network(item));
            // The subnets within are resources of their own, read by their own reader.
            let subnets = Fields::of(item).list("subnets").iter();
            let subnets: Vec<Value> = subnets.map(|s| back::subnet(s, &network::subnet(s).subnet)).collect();
            whole["properties"]["subnets"] = json!(subnets);
            back::with_id(item, whole)
        }
        Reader::Subnet => back::subnet(item, &network::subnet(item).subnet),
        Reader::SecurityGroup => back::security_group(&network::security_group(item)?),
        Reader::ServiceTag => back::service_tag(&network::service_tag(item)?),
        Reader::PrivateEndpoint => back::private_endpoint(&private_link::endpoint(item)?.endpoint),
        Reader::ZoneGroup => back::zone_group(&private_link::zone_group(item)?.0),
        Reader::RecordSet => match private_dns::record_set(item) {
            Some(records) => back::record_set(&records),
            None => Value::Object(private_dns::other_record_set(item)?),
        },
        Reader::Link => back::link(&private_dns::link(item)?),
        Reader::Provider => {
            let (state, rest) = governance::provider(item);
            back::shaped([("registrationState", json!(state?))], &rest)
        }
        Reader::DefenderPlan => back::defender_plan(&governance::defender_plan(item)?),
        Reader::DiagnosticSetting => back::diagnostic_setting(&governance::diagnostic_setting(item)?),
        // Rows of Resource Graph are places to look: their ids are used, and the readers above read what stands there.
        Reader::Rows => item.clone(),
        Reader::Log => serde_json::to_value(serde_json::from_value::<LogAnswer>(item.clone()).ok()?).unwrap(),
        Reader::Error => {
            let error = read_error::ReadError::from_answer("/x", 400, item.to_string().as_bytes()).failed_read("x");
            let mut body = error.unrecognised.clone();
            for (name, value) in [("code", json!(error.code?)), ("message", json!(error.message))] {
                body.insert(name.to_owned(), value.clone());
                // A provider's own flat form begins with capitals.
                body.insert(format!("{}{}", name[..1].to_uppercase(), &name[1..]), value);
            }
            let mut whole = body.clone();
            whole.insert("error".to_owned(), Value::Object(body));
            Value::Object(whole)
        }
    })
}

/// Members of a list beside its items: paging, which the reader of lists follows, and counts.
const ENVELOPE: [&str; 13] = [
    "value",
    "data",
    "values",
    "nextLink",
    "$skipToken",
    "count",
    "totalRecords",
    "resultTruncated",
    "facets",
    "id",
    "name",
    "type",
    "changeNumber",
];

/// The items of a document: of a list its items, else itself.
fn items(reader: Reader, name: &str, document: &Value) -> Vec<Value> {
    let items = match document.get("values") {
        Some(Value::Array(tags)) => tags.clone(),
        _ => resources(document),
    };
    if let (Some(envelope), false) = (document.as_object(), items.first() == Some(document)) {
        let known = |member: &&String| member.as_str() == "cloud" || ENVELOPE.contains(&member.as_str());
        assert!(envelope.keys().all(|k| known(&k)), "{name}: an envelope of {reader:?} with more than paging");
    }
    items
}

/// What of `document` is not in `back`, as JSON pointers. ARM's letters differ in case from answer to answer.
fn lost(document: &Value, back: &Value, at: &str) -> Vec<String> {
    match (document, back) {
        (Value::Null, _) => Vec::new(),
        (Value::Object(members), _) if !members.is_empty() => {
            let of = |(name, value): (&String, &Value)| {
                lost(value, back.get(name).unwrap_or(&Value::Null), &format!("{at}/{name}"))
            };
            members.iter().flat_map(of).collect()
        }
        (Value::Array(items), _) if !items.is_empty() => {
            let of = |(i, item)| lost(item, back.get(i).unwrap_or(&Value::Null), &format!("{at}/{i}"));
            items.iter().enumerate().flat_map(of).collect()
        }
        (Value::String(a), Value::String(b)) if a.eq_ignore_ascii_case(b) => Vec::new(),
        (a, b) if a == b => Vec::new(),
        _ => vec![at.to_owned()],
    }
}

#[test]
fn every_document_has_a_reader_that_loses_nothing() {
    let mut read = std::collections::BTreeMap::<String, usize>::new();
    for (name, version, document) in recorded() {
        let reader = reader_of(&name).unwrap_or_else(|| panic!("{name}: no reader; name it in READERS"));
        for item in items(reader, &name, &document) {
            let back =
                given_back(reader, &item, version.as_deref()).unwrap_or_else(|| panic!("{name}: not read: {item}"));
            assert_eq!(lost(&item, &back, ""), Vec::<String>::new(), "{name} by {reader:?}");
            *read.entry(format!("{reader:?}")).or_default() += 1;
        }
    }
    let without: Vec<_> = READERS.iter().map(|(_, r)| format!("{r:?}")).filter(|r| !read.contains_key(r)).collect();
    assert!(without.is_empty(), "readers that no document met: {without:?}");
    assert!(read["Registry"] > 25, "{read:?}");
}

#[test]
fn a_member_that_is_lost_is_found_to_be() {
    let document = json!({ "id": "/a", "properties": { "known": [{ "a": 1 }, { "b": {} }], "null": null } });
    let back = json!({ "id": "/A", "properties": { "known": [{ "a": 1 }] } });
    assert_eq!(lost(&document, &document, ""), Vec::<String>::new());
    assert_eq!(lost(&document, &back, ""), ["/properties/known/1/b"]);
}

/// A member that no version has today, at every level of a document.
fn with_future_members(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut grown: Map<String, Value> =
                members.iter().map(|(k, v)| (k.clone(), with_future_members(v))).collect();
            // A map of names, such as tags, is no object with members of Azure's.
            let telling = ["id", "name", "properties", "service", "status", "action", "defaultAction", "code", "Code"];
            if members.keys().any(|k| telling.contains(&k.as_str())) {
                grown.insert("futureMember".to_owned(), json!({ "added": [1, true, "text"] }));
            }
            Value::Object(grown)
        }
        Value::Array(items) => items.iter().map(with_future_members).collect(),
        other => other.clone(),
    }
}

#[test]
fn members_of_later_versions_are_kept_at_every_level() {
    for (name, version, document) in recorded() {
        let reader = reader_of(&name).unwrap();
        for item in items(reader, &name, &document) {
            let grown = with_future_members(&item);
            let back = given_back(reader, &grown, version.as_deref()).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(lost(&grown, &back, ""), Vec::<String>::new(), "{name} by {reader:?}");
        }
    }
}

#[test]
fn a_tasks_steps_are_not_kept_for_they_may_hold_secrets() {
    let document = json!({ "name": "build", "identity": { "type": "SystemAssigned" }, "properties": {
        "step": { "type": "EncodedTask", "encodedTaskContent": "Y2FuYXJ5", "values": [{ "name": "k", "value": "canary" }] },
        "credentials": { "customRegistries": { "x": { "password": { "value": "canary" } } } } } });
    let task = registry_parts::task(&document).unwrap();
    let text = serde_json::to_string(&task).unwrap();
    assert!(!text.contains("canary") && !text.contains("Y2Fu"), "{text}");
}

#[test]
fn other_peoples_interfaces_do_not_go_into_a_snapshot() {
    let document = json!({ "id": format!("{VNET}/subnets/a"), "properties": { "addressPrefix": "10.0.0.0/24",
        "ipConfigurations": [{ "id": "/subscriptions/s/neighbour" }] } });
    let subnet = network::subnet(&document).subnet;
    assert_eq!(subnet.used_addresses, Known::Known(6), "they are counted");
    assert_eq!(subnet.unrecognised, Unrecognised::new());
}

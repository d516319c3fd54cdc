//! Reads the decision table of docs/access-model.md, and checks each row against the code.

use acr_doctor::reconcile::reconcile;
use serde_json::{Value, json};

use crate::{fixtures, golden};

const COLUMNS: [&str; 7] = ["private", "public", "default", "address", "subnet", "host", "expected"];
const REGISTRY: &str = "/config/registries/0";

/// The rows of the table, cell by cell.
fn rows() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(golden::path("docs/access-model.md")).expect("the page is there");
    let lines: Vec<Vec<String>> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert_eq!(lines[0], COLUMNS, "the table's columns");
    lines.into_iter().skip(2).collect()
}

fn put(world: &mut Value, pointer: &str, value: Value) {
    *world.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
}

fn unknown() -> Value {
    json!({ "unknown": { "why": "not allowed" } })
}

/// The world of a row: the world with a private endpoint, or the one with a service endpoint, changed.
fn world_of(row: &[String]) -> Value {
    let [private, public, default, address, subnet, host, _] = row else { panic!("seven cells: {row:?}") };
    let mut world = match private.as_str() {
        "none" => fixtures::world("service-endpoint"),
        _ => fixtures::world("private-link-geo"),
    };
    let connection = format!("{REGISTRY}/privateEndpointConnections/known/0");
    match private.as_str() {
        "none" | "within reach" => {}
        "elsewhere" => {
            let far = "/subscriptions/3f0c8a54-9d1e-4c57-8b0a-6a2f5d7e1b90/resourceGroups/far/providers/Microsoft.Network/virtualNetworks/far/subnets/s";
            put(&mut world, &format!("{connection}/privateEndpoint/known/subnet"), json!(far));
        }
        "pending" => put(&mut world, &format!("{connection}/status"), json!("Pending")),
        "unknown" => put(&mut world, &format!("{REGISTRY}/privateEndpointConnections"), unknown()),
        other => panic!("private: {other}"),
    }
    if private != "none" && private != "within reach" {
        put(&mut world, "/probe/endpoints/0/dns/answer/addresses", json!([{ "ip": "203.0.113.70", "ttl": 60 }]));
    }
    put(&mut world, &format!("{REGISTRY}/publicNetworkAccess"), known_or(public, |v| json!(v)));
    let rules = rule_set(default, address, subnet, &world);
    put(&mut world, &format!("{REGISTRY}/networkRuleSet"), rules);
    seen_address(&mut world, address);
    if private == "none" && !subnet.contains("endpoint") {
        put(&mut world, "/config/subnets/0/subnet/known/serviceEndpoints", json!([]));
    }
    match host.as_str() {
        "vm" => {}
        "container-instances" => put(&mut world, "/probe/vantage/hostKind", json!("containerInstances")),
        "proxied" => {
            let route = json!({ "way": "proxy", "url": "http://proxy.corp:3128", "because": "HTTPS_PROXY" });
            put(&mut world, "/probe/endpoints/0/route", route);
        }
        other => panic!("host: {other}"),
    }
    world
}

fn known_or(cell: &str, value: impl Fn(&str) -> Value) -> Value {
    if cell == "unknown" { unknown() } else { json!({ "known": value(cell) }) }
}

fn rule_set(default: &str, address: &str, subnet: &str, world: &Value) -> Value {
    known_or(default, |action| {
        if action == "none" {
            return Value::Null;
        }
        let own = world["probe"]["vantage"]["subnet"]["known"].clone();
        let subnets = if subnet.contains("hidden") {
            unknown()
        } else if subnet.contains("rule") {
            json!({ "known": [{ "subnet": own }] })
        } else {
            json!({ "known": [] })
        };
        let ips = match address {
            "none" | "not told, no rule" => json!([]),
            _ => json!([{ "value": "198.51.100.7", "range": "198.51.100.7/32" }]),
        };
        json!({ "defaultAction": action, "ipRules": ips, "virtualNetworkRules": subnets })
    })
}

fn seen_address(world: &mut Value, address: &str) {
    let told = match address {
        "covered" => Some("198.51.100.7"),
        "uncovered" => Some("198.51.100.9"),
        "ipv6" => Some("2001:db8::7"),
        "none" | "not told" | "not told, no rule" => None,
        other => panic!("address: {other}"),
    };
    put(world, "/probe/vantage/egressIp", told.map_or_else(unknown, |ip| json!({ "known": ip })));
}

#[test]
fn the_decision_table_is_what_the_code_does() {
    let rows = rows();
    assert!(rows.len() >= 30, "the table has only {} rows", rows.len());
    for row in &rows {
        let (config, probes) = fixtures::facts(&world_of(row)).unwrap_or_else(|error| panic!("{row:?}: {error}"));
        let report = reconcile(&config, &probes, &fixtures::options());
        let path = &report.registries[0].paths[0];
        let expected = serde_json::to_value(path.expected).expect("an enum");
        assert_eq!(expected, json!(row[6]), "{row:?}: {}", path.because);
        assert!(!path.because.is_empty());
    }
}

//! Reads the decision tables of docs/access-model.md, and checks each row against the code.

use acr_doctor::reconcile::reconcile;
use acr_doctor::reconcile::what_if::client::Client;
use acr_doctor::reconcile::what_if::what_if;
use serde_json::{Value, json};

use crate::{fixtures, golden};

const ENDPOINTS: [&str; 8] = ["endpoint", "private", "public", "default", "address", "subnet", "host", "expected"];
const CLIENTS: [&str; 8] = ["client", "private", "public", "default", "bypass", "tasks", "subnets", "expected"];
const REGISTRY: &str = "/config/registries/0";
const CONNECTION: &str = "/config/registries/0/privateEndpointConnections/known/0";
const NETWORKS: &str = "/subscriptions/3f0c8a54-9d1e-4c57-8b0a-6a2f5d7e1b90/resourceGroups/far/providers/Microsoft.Network/virtualNetworks";
const PRIVATE: [&str; 2] = ["10.1.2.4", "10.1.2.5"];

/// The rows of the table with these columns, cell by cell.
fn rows(columns: [&str; 8]) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(golden::path("docs/access-model.md")).expect("the page is there");
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rest = text.lines().skip_while(|line| !line.starts_with('|') || cells(line) != columns);
    rest.skip(2).take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn put(world: &mut Value, pointer: &str, value: Value) {
    let place = world.pointer_mut(pointer);
    *place.unwrap_or_else(|| panic!("no {pointer}")) = value;
}

fn unknown() -> Value {
    json!({ "unknown": { "why": "not allowed" } })
}

fn known_or(cell: &str, value: impl Fn(&str) -> Value) -> Value {
    if cell == "unknown" { unknown() } else { json!({ "known": value(cell) }) }
}

/// The world with a private endpoint as the cell says, or the one with a service endpoint.
fn world_with(private: &str) -> Value {
    if private == "none" {
        return fixtures::world("service-endpoint");
    }
    let mut world = fixtures::world("private-link-geo");
    let (what, resolved) = private.split_once(", ").map_or((private, false), |(what, how)| (what, how == "resolved"));
    match what {
        "within reach" => return world,
        "peered" | "elsewhere" => {
            let far = format!("{NETWORKS}/far");
            put(&mut world, &format!("{CONNECTION}/privateEndpoint/known/subnet"), json!(format!("{far}/subnets/s")));
            if what == "peered" {
                let peering = json!([{ "remote": far, "state": "Connected" }]);
                put(&mut world, "/config/virtualNetworks/0/network/known/peerings", peering);
            }
        }
        "without the name" => {
            let addresses = format!("{CONNECTION}/privateEndpoint/known/addresses/known");
            world.pointer_mut(&addresses).and_then(Value::as_array_mut).expect("addresses").truncate(1);
        }
        "unread" => put(&mut world, &format!("{CONNECTION}/privateEndpoint"), unknown()),
        "unknown" => put(&mut world, &format!("{REGISTRY}/privateEndpointConnections"), unknown()),
        status => put(&mut world, &format!("{CONNECTION}/status"), json!(status)),
    }
    for (index, own) in PRIVATE.into_iter().enumerate() {
        let address = if resolved { own } else { "203.0.113.70" };
        let pointer = format!("/probe/endpoints/{index}/dns/answer/addresses");
        put(&mut world, &pointer, json!([{ "ip": address, "ttl": 60 }]));
    }
    world
}

/// Which observation a row is about: one of the world's, or one made from it.
fn endpoint(world: &mut Value, which: &str) -> usize {
    let host = match which {
        "login" => return 0,
        "data" => return 1,
        "storage" => "weumanaged15.blob.core.windows.net",
        "regional" => "myregistry.westeurope.geo.azurecr.io",
        "labelled" => "myregistry-a1b2c3d4e5f6.azurecr.io",
        other => panic!("endpoint: {other}"),
    };
    let index = usize::from(which == "storage");
    put(world, &format!("/probe/endpoints/{index}/host"), json!(host));
    match which {
        "storage" => put(world, "/probe/endpoints/1/role", json!("storage")),
        // The login server as it was, and the region's own name beside it.
        "regional" => {
            let mut regional = world["probe"]["endpoints"][0].clone();
            regional["role"] = json!("regional");
            put(world, "/probe/endpoints/0/host", json!("myregistry.azurecr.io"));
            put(world, "/probe/endpoints/1", regional);
            put(world, "/probe/endpoints/1/dns/answer/addresses", json!([{ "ip": "203.0.113.70", "ttl": 60 }]));
            return 1;
        }
        _ => {
            put(world, &format!("{REGISTRY}/loginServer"), json!(host));
            put(world, "/probe/loginServer", json!(host));
        }
    }
    index
}

fn rule_set(default: &str, ips: &[&str], subnet: &str, world: &Value) -> Value {
    known_or(default, |action| {
        if action == "none" {
            return Value::Null;
        }
        let own = world["probe"]["vantage"]["subnet"]["known"].clone();
        let subnets = if subnet.contains("hidden") {
            unknown()
        } else if subnet.contains("rule") || subnet == "own" {
            json!({ "known": [{ "subnet": own }] })
        } else {
            json!({ "known": [] })
        };
        let ips: Vec<Value> = ips.iter().map(|ip| json!({ "value": ip, "range": format!("{ip}/32") })).collect();
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

fn host(world: &mut Value, host: &str, endpoint: usize) {
    let (kind, bypass) = host.split_once(", ").unwrap_or((host, "AzureServices"));
    put(world, &format!("{REGISTRY}/networkRuleBypassOptions"), known_or(bypass, |v| json!(v)));
    match kind {
        "vm" => {}
        "container-instances" => put(world, "/probe/vantage/hostKind", json!("containerInstances")),
        "app-service" => put(world, "/probe/vantage/hostKind", json!("appService")),
        "proxied" => {
            let route = json!({ "way": "proxy", "url": "http://proxy.corp:3128", "because": "HTTPS_PROXY" });
            put(world, &format!("/probe/endpoints/{endpoint}/route"), route);
        }
        other => panic!("host: {other}"),
    }
}

#[test]
fn the_decision_table_is_what_the_code_does() {
    let rows = rows(ENDPOINTS);
    assert!(rows.len() >= 60, "the table has only {} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let [which, private, public, default, address, subnet, kind, expected] = row.as_slice() else {
            panic!("eight cells: {row:?}")
        };
        let mut world = world_with(private);
        let index = endpoint(&mut world, which);
        put(&mut world, &format!("{REGISTRY}/publicNetworkAccess"), known_or(public, |v| json!(v)));
        let ips: &[&str] =
            if ["none", "not told, no rule"].contains(&address.as_str()) { &[] } else { &["198.51.100.7"] };
        let rules = rule_set(default, ips, subnet, &world);
        put(&mut world, &format!("{REGISTRY}/networkRuleSet"), rules);
        seen_address(&mut world, address);
        if private == "none" && !subnet.contains("endpoint") {
            put(&mut world, "/config/subnets/0/subnet/known/serviceEndpoints", json!([]));
        }
        if subnet.contains("delegated") {
            put(&mut world, "/config/subnets/0/subnet/known/delegations", json!(["Microsoft.Web/serverFarms"]));
        }
        host(&mut world, kind, index);
        let (config, probes) = fixtures::facts(&world).unwrap_or_else(|error| panic!("{row:?}: {error}"));
        let report = reconcile(&config, &probes, &fixtures::options());
        let path = &report.registries[0].paths[index];
        if json!(path.expected) != json!(expected) || path.because.is_empty() {
            wrong.push(format!("{}: {:?}, {}", row.join(" | "), path.expected, path.because));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_of_services_is_what_the_code_does() {
    let rows = rows(CLIENTS);
    assert!(rows.len() >= 30, "the table has only {} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let [client, private, public, default, bypass, tasks, subnets, expected] = row.as_slice() else {
            panic!("eight cells: {row:?}")
        };
        let mut world = world_with(private);
        put(&mut world, &format!("{REGISTRY}/publicNetworkAccess"), known_or(public, |v| json!(v)));
        let rules = rule_set(default, &[], subnets, &world);
        put(&mut world, &format!("{REGISTRY}/networkRuleSet"), rules);
        put(&mut world, &format!("{REGISTRY}/networkRuleBypassOptions"), known_or(bypass, |v| json!(v)));
        let for_tasks = known_or(tasks, |v| json!(v == "true"));
        put(&mut world, &format!("{REGISTRY}/networkRuleBypassAllowedForTasks"), for_tasks);
        let own = world["probe"]["vantage"]["subnet"]["known"].as_str().expect("a subnet").to_owned();
        let who = if client == "subnet" { own } else { client.clone() };
        let client = Client { who: who.parse().expect("a client"), name: None, logins: None };
        let (config, _) = fixtures::facts(&world).unwrap_or_else(|error| panic!("{row:?}: {error}"));
        let told = what_if(&config, &config.registries[0], &[], &[client], &fixtures::options()).expect("no change");
        let access = &told.clients[0].before;
        if json!(access.access) != json!(expected) {
            wrong.push(format!("{}: {:?}, {}", row.join(" | "), access.access, access.because));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! `whatif` over the example snapshots: the document, the exit code, the mistakes.

use std::path::PathBuf;

use acr_doctor::facts::ConfigFacts;
use acr_doctor::facts::what_if::Admission;
use acr_doctor::reconcile::what_if::client::{Client, Who};
use acr_doctor::reconcile::what_if::what_if;
use serde_json::{Value, json};

use crate::doctor::run;
use crate::fixtures;
use crate::golden::root;

fn example(more: &[&str]) -> (i32, Value) {
    let config = root().join("examples/client-ip-not-allowed/config.json").display().to_string();
    let ran = run(&[&["whatif", "--config", &config, "-o", "json"], more].concat());
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default())
}

fn outcome<'v>(document: &'v Value, client: &str) -> &'v Value {
    let clients = document["clients"].as_array().unwrap();
    &clients.iter().find(|c| c["client"] == client).unwrap_or_else(|| panic!("{client} in {document:#}"))["outcome"]
}

/// A list of clients that goes away with the test.
struct Listed(PathBuf);

impl Listed {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("acr-doctor-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_rule_lets_an_address_in_and_nobody_out() {
    let clients = Listed::new("gained", "198.18.7.9,build agents\n");
    let (code, document) = example(&["--clients", &clients.path(), "--set", "networkRuleSet.ipRules+=198.18.7.0/24"]);
    assert_eq!(document["kind"], "WhatIf");
    assert_eq!(outcome(&document, "198.18.7.9"), "gained");
    assert_eq!((code, &document["summary"]["lost"]), (0, &Value::from(0)));
}

#[test]
fn disabling_public_access_shuts_an_allowed_address_out() {
    let clients = Listed::new("lost", "198.51.100.5\n198.18.7.9\n");
    let (code, document) = example(&["--clients", &clients.path(), "--set", "publicNetworkAccess=Disabled"]);
    assert_eq!((code, outcome(&document, "198.51.100.5")), (1, &Value::from("lost")));
    assert_eq!(outcome(&document, "198.18.7.9"), "unchanged");
}

#[test]
fn mistakes_are_told() {
    let config = root().join("examples/client-ip-not-allowed/config.json").display().to_string();
    let ran = run(&["whatif", "--config", &config, "--set", "sku=Basic"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("'sku=Basic' is no change"), "{}", ran.stderr);
}

const SUBNET: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/app/subnets/nodes";

/// Whether a registry with a rule for 203.0.113.0/30 lets this subnet in.
fn lets_in(subnet: &Value) -> Admission {
    let mut world = fixtures::world("ip-rule");
    world["config"]["registries"][0]["networkRuleSet"] = json!({ "known": { "defaultAction": "Deny",
        "ipRules": [{ "value": "203.0.113.0/30", "range": "203.0.113.0/30" }], "virtualNetworkRules": { "known": [] } } });
    let mut known = json!({ "addressPrefixes": ["10.0.9.0/24"], "networkSecurityGroup": { "known": null },
        "routeTable": { "known": null }, "egressFirewall": { "known": null }, "natGatewayAddresses": { "known": [] } });
    fixtures::merge(&mut known, subnet);
    world["config"]["subnets"] = json!([{ "id": SUBNET, "subnet": { "known": known } }]);
    let (config, _): (ConfigFacts, _) = fixtures::facts(&world).unwrap();
    let clients = [Client { who: Who::Subnet(SUBNET.parse().unwrap()), name: None, logins: None }];
    what_if(&config, &config.registries[0], &[], &clients, &fixtures::options()).unwrap().clients[0].before.access
}

#[test]
fn of_the_addresses_that_a_subnet_sends_from_all_must_be_covered_or_none() {
    let nat = |addresses: &[&str]| lets_in(&json!({ "natGatewayAddresses": { "known": addresses } }));
    assert_eq!(nat(&["203.0.113.2/32"]), Admission::Allowed);
    assert_eq!(nat(&["203.0.113.0/31", "203.0.113.3/32"]), Admission::Allowed);
    assert_eq!(nat(&["203.0.113.0/31", "198.51.100.7/32"]), Admission::Unknown);
    assert_eq!(nat(&["203.0.113.0/29"]), Admission::Unknown, "a part of the range");
    assert_eq!(nat(&["198.51.100.7/32", "198.51.100.8/32"]), Admission::Refused);
    assert_eq!(nat(&[]), Admission::Unknown);
}

#[test]
fn a_default_route_to_an_appliance_goes_before_the_nat_gateway() {
    let routed = |hop: &str, firewall: Value| {
        let route = json!({ "name": "out", "addressPrefix": "0.0.0.0/0", "nextHopType": hop });
        let table = json!({ "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/routeTables/t", "routes": [route] });
        lets_in(&json!({ "natGatewayAddresses": { "known": ["203.0.113.2/32"] }, "routeTable": { "known": table },
            "egressFirewall": firewall }))
    };
    let firewall = |address: &str| {
        json!({ "known": { "id": "/subscriptions/s/resourceGroups/g/providers/M.N/azureFirewalls/f",
        "publicAddresses": [address] } })
    };
    assert_eq!(routed("VirtualAppliance", json!({ "unknown": { "why": "403" } })), Admission::Unknown);
    assert_eq!(routed("VirtualAppliance", firewall("198.51.100.7/32")), Admission::Refused);
    assert_eq!(routed("VirtualAppliance", firewall("203.0.113.3/32")), Admission::Allowed);
    assert_eq!(routed("None", firewall("203.0.113.3/32")), Admission::Refused, "the route drops it");
    assert_eq!(routed("Internet", json!({})), Admission::Allowed);
}

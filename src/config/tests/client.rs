//! The client's own subnet: what guards it, and by which address its traffic leaves.

use std::sync::Arc;

use futures::FutureExt;
use serde_json::{Value, json};

use super::*;

fn net(kind: &str, name: &str) -> String {
    format!("/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Network/{kind}/{name}")
}

/// A subnet behind a security group, a route to a firewall, and a NAT gateway.
fn guarded(asked: &Asked) -> Reply {
    let path = asked.path();
    let document: Value = match path.rsplit('/').next().unwrap_or_default() {
        "nodes" => json!({ "id": path, "properties": { "addressPrefix": "10.0.9.0/24",
            "networkSecurityGroup": { "id": net("networkSecurityGroups", "nsg") },
            "routeTable": { "id": net("routeTables", "rt") },
            "natGateway": { "id": net("natGateways", "nat") } } }),
        "nsg" => json!({ "id": path, "properties": { "securityRules": [{ "name": "deny", "properties": {
            "priority": 100, "direction": "Outbound", "access": "Deny", "protocol": "*", "sourceAddressPrefix": "*",
            "destinationAddressPrefixes": ["AzureContainerRegistry"], "destinationPortRange": "443" } }] } }),
        "rt" => json!({ "id": path, "properties": { "routes": [{ "name": "out", "properties": {
            "addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.0.0.4" } }] } }),
        "nat" => {
            json!({ "id": path, "properties": { "publicIpAddresses": [{ "id": net("publicIPAddresses", "out") }] } })
        }
        "azureFirewalls" => {
            json!({ "value": [{ "id": net("azureFirewalls", "fw"), "properties": { "ipConfigurations": [
            { "properties": { "privateIPAddress": "10.0.0.4", "publicIPAddress": { "id": net("publicIPAddresses", "fw") } } }] } }] })
        }
        "publicIPAddresses" => json!({ "value": [
            { "id": net("publicIPAddresses", "out"), "properties": { "ipAddress": "203.0.113.9" } },
            { "id": net("publicIPAddresses", "fw"), "properties": { "ipAddress": "203.0.113.10" } }] }),
        "serviceTags" => json!({ "values": [
            { "name": "AzureContainerRegistry.WestEurope", "properties": { "addressPrefixes": ["198.51.100.0/24"] } },
            { "name": "Sql", "properties": { "addressPrefixes": ["192.0.2.0/24"] } }] }),
        _ => return world(asked),
    };
    Reply::ok(&document)
}

#[tokio::test]
async fn what_guards_the_clients_subnet_is_read_in_three_round_trips() {
    let subnet: ResourceId = format!("{VNET}/subnets/nodes").parse().unwrap();
    let (facts, trips, _) = super::round_trips::round_trips(guarded, |r| {
        r.client.subnet = Some(subnet.clone());
        r.target = Target::Registry(REGISTRY.parse().unwrap());
    })
    .await;
    assert!(trips <= 3, "{trips} round trips");
    assert_eq!(facts.client_subnet, Known::Known(Some(subnet.clone())));
    assert_eq!(facts.client_virtual_network.known().unwrap().as_ref().unwrap().as_str(), VNET);
    let read = facts.subnets.iter().find(|s| s.id == subnet).unwrap().subnet.known().unwrap().as_ref().unwrap();
    let group = read.network_security_group.known().unwrap().as_ref().unwrap();
    assert_eq!(group.rules[0].destination_address_prefixes, ["AzureContainerRegistry"]);
    assert_eq!(read.nat_gateway_addresses.known().unwrap()[0].to_string(), "203.0.113.9/32");
    let firewall = read.egress_firewall.known().unwrap().as_ref().unwrap();
    assert_eq!(firewall.public_addresses[0].to_string(), "203.0.113.10/32");
    let tags = facts.service_tags.known().unwrap();
    assert_eq!(tags.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["AzureContainerRegistry.WestEurope"]);
}

const HUB: &str = "99999999-9999-9999-9999-999999999999";

/// The same, with the firewall in the hub's subscription, as a virtual hub shows it or as a network of one's own does.
fn spoke(in_virtual_hub: bool) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked: &Asked| {
        let path = asked.path();
        let public =
            format!("/subscriptions/{HUB}/resourceGroups/hub/providers/Microsoft.Network/publicIPAddresses/fw");
        let firewall = if in_virtual_hub {
            json!({ "hubIPAddresses": { "privateIPAddress": "10.0.0.4",
                "publicIPs": { "count": 1, "addresses": [{ "address": "203.0.113.44" }] } } })
        } else {
            json!({ "ipConfigurations": [{ "properties": { "privateIPAddress": "10.0.0.4",
                "publicIPAddress": { "id": public } } }] })
        };
        Reply::ok(&match path {
            VNET => json!({ "id": VNET, "location": "westeurope", "properties": {
                "addressSpace": { "addressPrefixes": ["10.0.9.0/24"] },
                "virtualNetworkPeerings": [{ "properties": { "peeringState": "Connected",
                    "remoteVirtualNetwork": { "id": VNET.replace(SUB, HUB) },
                    "remoteAddressSpace": { "addressPrefixes": ["10.0.0.0/24"] } } }] } }),
            _ if path.ends_with("/azureFirewalls") && path.contains(HUB) => json!({ "value": [{
                "id": net("azureFirewalls", "fw").replace(SUB, HUB), "properties": firewall }] }),
            _ if path.ends_with("/publicIPAddresses") && path.contains(HUB) => {
                json!({ "value": [{ "id": public, "properties": { "ipAddress": "203.0.113.44" } }] })
            }
            _ => return guarded(asked),
        })
    }
}

#[tokio::test]
async fn a_firewall_is_found_in_the_subscription_of_the_hub() {
    let subnet: ResourceId = format!("{VNET}/subnets/nodes").parse().unwrap();
    for in_virtual_hub in [false, true] {
        let (facts, trips, _) = super::round_trips::round_trips(spoke(in_virtual_hub), |r| {
            r.client.subnet = Some(subnet.clone());
            r.target = Target::Registry(REGISTRY.parse().unwrap());
        })
        .await;
        let read = facts.subnets.iter().find(|s| s.id == subnet).unwrap().subnet.known().unwrap().as_ref().unwrap();
        let firewall = read.egress_firewall.known().unwrap().as_ref().unwrap();
        assert_eq!((firewall.id.subscription(), firewall.public_addresses.len()), (HUB, 1));
        assert_eq!(firewall.public_addresses[0].to_string(), "203.0.113.44/32");
        assert!(trips <= 3, "{trips} round trips");
    }
}

#[tokio::test]
async fn a_policy_that_excludes_the_registrys_group_is_not_in_its_way() {
    let deny = "/providers/Microsoft.Authorization/policyDefinitions/0fdf0491-d080-4575-b627-ad0e843cba0f";
    let (facts, _) = read_in(
        move |asked| {
            if !asked.path().ends_with("/policyAssignments") {
                return world(asked);
            }
            let assigned = |id: &str, excluded: &str| {
                json!({ "id": id, "name": id, "properties": { "policyDefinitionId": deny,
                    "parameters": { "effect": { "value": "Deny" } }, "notScopes": [excluded] } })
            };
            let (group, other) =
                (format!("/subscriptions/{SUB}/resourceGroups/RG"), format!("/subscriptions/{SUB}/resourceGroups/r"));
            Reply::ok(&json!({ "value": [assigned("excluded", &group), assigned("assigned", &other)] }))
        },
        |_| (),
    )
    .await;
    let assignments = facts.registries[0].policy_assignments.known().unwrap();
    assert_eq!(assignments.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["assigned"]);
}

#[tokio::test]
async fn a_machines_subnet_is_found_by_its_interface() {
    let machine = format!("/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm");
    let vm = machine.clone();
    let (facts, _) = read_in(
        move |asked| match asked.path().rsplit('/').next() {
            Some("networkInterfaces") => {
                let nic = |vm: &str, address: &str, subnet: &str| {
                    json!({ "id": net("networkInterfaces", subnet), "properties": { "virtualMachine": { "id": vm },
                    "networkSecurityGroup": { "id": net("networkSecurityGroups", "nsg") },
                    "ipConfigurations": [{ "properties": { "privateIPAddress": address,
                        "subnet": { "id": format!("{VNET}/subnets/{subnet}") } } }] } })
                };
                let upper = vm.to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions");
                Reply::ok(&json!({ "value": [nic("/subscriptions/s/other", "10.0.7.4", "x"),
                    nic(&upper, "10.0.8.4", "second"), nic(&upper, "10.0.9.4", "nodes")] }))
            }
            _ => guarded(asked),
        },
        |r| {
            r.client.azure_vm = Some(told(AzureVm {
                id: machine.parse().unwrap(),
                subscription: SUB.to_owned(),
                location: "westeurope".to_owned(),
                environment: None,
                private_addresses: vec!["10.0.9.4".parse().unwrap()],
                public_addresses: Vec::new(),
            }));
        },
    )
    .await;
    assert_eq!(facts.client_subnet.known().unwrap().as_ref().unwrap().name(), "nodes");
    let interface = facts.client_interface.known().unwrap();
    assert_eq!((interface.machine.name(), interface.id.name()), ("vm", "nodes"));
    let group = interface.network_security_group.known().unwrap().as_ref().unwrap();
    assert_eq!(group.rules[0].name, "deny");
    assert!(facts.service_tags.is_known(), "the interface's group may use them");
}

/// Where packets to it are dropped, the metadata service says so late: nothing of the registry waits for that.
#[tokio::test]
async fn the_registry_is_read_while_the_metadata_service_is_silent() {
    let read_whole = Arc::new(tokio::sync::Notify::new());
    let (told, waiting) = (Arc::clone(&read_whole), read_whole);
    let (facts, _) = read_in(
        move |asked| {
            if asked.path().ends_with("/virtualNetworkLinks") {
                told.notify_one();
            }
            world(asked)
        },
        |r| {
            r.client.azure_vm = Some(async move { waiting.notified().await }.map(|()| None).boxed().shared());
        },
    )
    .await;
    assert!(facts.registries[0].private_endpoint_connections.is_known());
    assert!(!facts.client_subnet.is_known());
}

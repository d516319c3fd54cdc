//! The custom role has exactly the actions that the code asks for.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::*;
use crate::config::inventory::{InventoryRequest, InventoryScope, Progress, SubnetRuleReads, inventory};
use crate::facts::registry::DiagnosticSetting;
use crate::facts::vantage::AzureVm;

fn net(kind: &str, name: &str) -> String {
    format!("/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Network/{kind}/{name}")
}

/// A world in which everything that can be read is worth reading: a guarded subnet with a firewall and a NAT gateway,
/// policies of one's own, a workspace; Resource Graph is denied.
fn rich(asked: &Asked) -> Reply {
    let path = asked.path();
    let last = path.rsplit('/').next().unwrap_or_default();
    let authorization = format!("/subscriptions/{SUB}/providers/Microsoft.Authorization");
    let document: Value = match last {
        "resources" if path.contains("ResourceGraph") => return Reply::error(403, "AccessDenied", "no"),
        "nodes" | "rule" => json!({ "id": path, "properties": { "addressPrefix": "10.0.9.0/24",
            "networkSecurityGroup": { "id": net("networkSecurityGroups", "nsg") },
            "routeTable": { "id": net("routeTables", "rt") }, "natGateway": { "id": net("natGateways", "nat") } } }),
        "nsg" => json!({ "id": path, "properties": { "securityRules": [] } }),
        "rt" => json!({ "id": path, "properties": { "routes": [{ "name": "out", "properties": {
            "addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.0.0.4" } }] } }),
        "nat" => {
            json!({ "id": path, "properties": { "publicIpPrefixes": [{ "id": net("publicIPPrefixes", "out") }] } })
        }
        "out" => json!({ "id": path, "properties": { "ipPrefix": "203.0.113.0/30" } }),
        "azureFirewalls" | "publicIPAddresses" | "serviceTags" => json!({ "value": [], "values": [] }),
        "policyAssignments" => json!({ "value": [
            { "id": "a", "properties": { "policyDefinitionId": format!("{authorization}/policyDefinitions/own") } },
            { "id": "b", "properties": { "policyDefinitionId": format!("{authorization}/policySetDefinitions/own") } }] }),
        "networkInterfaces" => json!({ "value": [{ "id": net("networkInterfaces", "own"), "properties": {
            "virtualMachine": { "id": machine("virtualMachines/vm") }, "ipConfigurations": [{ "properties": {
                "privateIPAddress": "10.0.9.4", "subnet": { "id": format!("{VNET}/subnets/nodes") } } }] } }] }),
        "prod" => json!({ "id": path, "properties": { "networkProfile": { "outboundType": "none" },
            "agentPoolProfiles": [{ "name": "p", "vnetSubnetID": format!("{VNET}/subnets/nodes") }],
            "identityProfile": { "kubeletidentity": { "objectId": "5e0c4b8a" } } } }),
        "descendants" => json!({ "value": [{ "type": "/subscriptions", "name": SUB }] }),
        "central" => json!({ "id": path, "properties": { "customerId": "0f2a6d1c-97c6-4b2b-9a55-0d2f0a7f5f11" } }),
        "query" => json!({ "tables": [] }),
        _ => return world(asked),
    };
    Reply::ok(&document)
}

fn machine(rest: &str) -> String {
    format!("/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Compute/{rest}")
}

fn vm(id: &str) -> AzureVm {
    AzureVm {
        id: id.parse().unwrap(),
        subscription: SUB.to_owned(),
        location: "westeurope".to_owned(),
        environment: None,
        private_addresses: vec!["10.0.9.4".parse().unwrap()],
        public_addresses: Vec::new(),
    }
}

/// Every path that any command asks ARM and the workspace for.
async fn asked_for() -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let scale_set = "virtualMachineScaleSets/s/virtualMachines/0";
    for (name, id) in [("myreg", "virtualMachines/vm"), ("myreg", scale_set), ("another", "virtualMachines/vm")] {
        let (_, asked) = read_in(rich, |r| {
            r.target = Target::Registry(name.parse().unwrap());
            r.client.azure_vm = Some(told(vm(&machine(id))));
        })
        .await;
        paths.extend(asked.iter().map(|a| a.path().to_owned()));
    }
    let fake = FakeArm::start(rich).await;
    let session = Session::signed_in(Cloud { log_analytics: fake.url.clone(), ..fake.cloud() }, "canary");
    let request = InventoryRequest {
        cloud: fake.cloud(),
        scope: InventoryScope::ManagementGroup("group".to_owned()),
        deadline: Duration::from_secs(10),
        max_in_flight: 8,
        finished: BTreeSet::new(),
        subnet_rules: SubnetRuleReads::All,
    };
    inventory(&request, &session, &Progress::default(), async |_| ControlFlow::Continue(())).await.unwrap();
    let (facts, _) = read_in(world, |_| ()).await;
    let mut config = facts.registries[0].clone();
    config.diagnostic_settings = Known::Known(vec![DiagnosticSetting {
        name: "logs".to_owned(),
        workspace_id: Some(
            format!(
                "/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/central"
            )
            .parse()
            .unwrap(),
        ),
        login_events: true,
        unrecognised: crate::facts::Unrecognised::new(),
    }]);
    let reference = ClusterReference {
        resource_group: "rg".to_owned(),
        name: "prod".to_owned(),
        subscription: Some(SUB.to_owned()),
    };
    let cluster = read_cluster(&session, &reference, Duration::from_secs(10)).await.unwrap();
    read_roles(&session, &config.id, &cluster.kubelet_identity, Duration::from_secs(10)).await;
    read_login_events(&session, &config, 24, Duration::from_secs(10)).await;
    paths.extend(fake.asked().iter().map(|a| a.path().to_owned()));
    paths
}

/// The actions that a request needs. Resource Graph needs none of its own; Log Analytics is no part of ARM.
fn needed(path: &str) -> Vec<String> {
    let logs = ["query/read", "query/ContainerRegistryLoginEvents/read"];
    match read_error::action_of(path) {
        _ if path.contains("Microsoft.ResourceGraph") => Vec::new(),
        Some(action) => vec![action],
        None if path.ends_with("/query") => {
            logs.iter().map(|right| format!("Microsoft.OperationalInsights/workspaces/{right}")).collect()
        }
        None => vec![format!("no action is known for {path}")],
    }
}

/// Types of resources that the code's own paths name, so that a command which the test above does not know is found.
#[test]
fn every_type_that_a_path_names_is_in_the_role() {
    let root = format!("{}/src/config", env!("CARGO_MANIFEST_DIR"));
    let files = walkdir::WalkDir::new(&root).into_iter().filter_map(Result::ok);
    let sources =
        files.filter(|f| f.path().extension().is_some_and(|e| e == "rs") && !f.path().ends_with("fake_arm.rs"));
    let mut named = BTreeSet::new();
    for file in sources.filter(|f| !f.path().components().any(|c| c.as_os_str().to_string_lossy().starts_with("tests")))
    {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for rest in code.split("providers/Microsoft.").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphabetic() && c != '/').unwrap_or(rest.len());
            named.insert(format!("Microsoft.{}", rest[..end].trim_end_matches('/')));
        }
    }
    assert!(named.len() > 8, "{named:?}");
    // Resource Graph needs no right of its own.
    let of_graph = |kind: &&String| !kind.starts_with("Microsoft.ResourceGraph");
    // A path may name less than the whole type, or one resource of it.
    let in_role = |kind: &String| {
        let mut kinds = permissions::rights().iter().filter_map(|r| r.action.strip_suffix("/read"));
        kinds.any(|own| own.starts_with(kind.as_str()) || kind.starts_with(&format!("{own}/")))
    };
    let missing: Vec<_> = named.iter().filter(of_graph).filter(|kind| !in_role(kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn the_role_has_every_action_that_is_asked_for_and_no_other() {
    let asked: BTreeSet<String> = asked_for().await.iter().flat_map(|path| needed(path)).collect();
    let role: BTreeSet<String> = permissions::rights().iter().map(|r| r.action.to_owned()).collect();
    let missing: Vec<_> = asked.difference(&role).collect();
    assert!(missing.is_empty(), "asked for, and not in the role: {missing:?}");
    let needless: Vec<_> = role.difference(&asked).collect();
    assert!(needless.is_empty(), "in the role, and never asked for: {needless:?}");
}

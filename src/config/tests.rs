//! Whole reads against a small ARM, and documents from files.

mod client;
mod documents;
mod lossless;
mod recorded;
mod rights;
mod role;
mod round_trips;
mod versions;

use futures::FutureExt;
use serde_json::{Value, json};

use super::fake_arm::{Asked, FakeArm, Reply};
use super::*;
use crate::facts::Known;
use crate::facts::config::ReadFailure;
use crate::facts::registry::PublicNetworkAccess;

const SUB: &str = "00000000-0000-0000-0000-000000000000";
const REGISTRY: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/myreg";
const VNET: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v";

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/arm/{name}", env!("CARGO_MANIFEST_DIR"));
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    document.get("body").cloned().unwrap_or(document)
}

/// A Premium registry with one subnet rule and one private endpoint; `key` is the rule's key.
fn registry(key: &str) -> Value {
    let mut document = fixture("create_normal_check_health.2026-09-10.GET.2026-09-01-preview.json");
    document["id"] = json!(REGISTRY);
    document["name"] = json!("myReg");
    document["sku"] = json!({ "name": "Premium", "tier": "Premium" });
    let properties = &mut document["properties"];
    properties["loginServer"] = json!("myreg.azurecr.io");
    properties["networkRuleSet"] = json!({
        "defaultAction": "Deny",
        "ipRules": [{ "action": "Allow", "value": "203.0.113.7" }],
        "virtualNetworkRules": [{ "action": "Allow", key: format!("{VNET}/subnets/rule") }],
    });
    let endpoint = format!("/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Network/privateEndpoints/pe");
    properties["privateEndpointConnections"] = json!([{
        "id": format!("{REGISTRY}/privateEndpointConnections/c"),
        "properties": {
            "privateEndpoint": { "id": endpoint },
            "privateLinkServiceConnectionState": { "status": "Approved", "actionsRequired": "None" },
            "provisioningState": "Succeeded",
        },
    }]);
    document
}

fn network(path: &str) -> Option<Value> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let id = json!(path);
    Some(match () {
        () if path.ends_with("/privateEndpoints/pe") => json!({ "id": id, "location": "westeurope", "properties": {
            "subnet": { "id": format!("{VNET}/subnets/pe") },
            "networkInterfaces": [{ "id": format!("/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/nic") }],
            "customDnsConfigs": [],
        }}),
        () if path.ends_with("/networkInterfaces/nic") => json!({ "id": id, "properties": { "ipConfigurations": [
            { "properties": { "privateIPAddress": "10.0.1.4", "privateLinkConnectionProperties": {
                "groupId": "registry", "requiredMemberName": "registry", "fqdns": ["myreg.azurecr.io"] } } },
        ]}}),
        () if path.ends_with("/privateDnsZoneGroups") => json!({ "value": [{ "name": "default", "properties": {
            "privateDnsZoneConfigs": [{ "properties": { "privateDnsZoneId": zone_id(), "recordSets": [] } }] } }] }),
        () if path.ends_with("/privateDnsZones") => json!({ "value": [
            { "id": zone_id(), "name": "privatelink.azurecr.io" },
            { "id": format!("{}x", zone_id()), "name": "privatelink.blob.core.windows.net" },
        ]}),
        () if path.ends_with("/ALL") => {
            json!({ "value": [{ "name": "myreg", "type": "Microsoft.Network/privateDnsZones/A",
            "properties": { "ttl": 10, "aRecords": [{ "ipv4Address": "10.0.1.4" }] } }] })
        }
        () if path.ends_with("/virtualNetworkLinks") => json!({ "value": [{ "name": "l", "properties": {
            "virtualNetwork": { "id": VNET }, "virtualNetworkLinkState": "Completed", "resolutionPolicy": "Default" } }] }),
        () if path.contains("/subnets/") => json!({ "id": id, "name": name, "properties": {
            "addressPrefix": "10.0.1.0/28", "serviceEndpoints": [{ "service": "Microsoft.ContainerRegistry" }],
            "ipConfigurations": [{ "id": "x" }] } }),
        () if path == VNET => json!({ "id": id, "location": "westeurope", "properties": {
            "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] }, "virtualNetworkPeerings": [] } }),
        () => return None,
    })
}

fn zone_id() -> String {
    format!(
        "/subscriptions/{SUB}/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones/privatelink.azurecr.io"
    )
}

/// The world's answer; registries at the newest version only.
fn world(asked: &Asked) -> Reply {
    let path = asked.path();
    let lists = format!("/subscriptions/{SUB}/providers/Microsoft.ContainerRegistry/registries");
    if path == "/subscriptions" {
        return Reply::ok(&json!({ "value": [{ "subscriptionId": SUB, "displayName": "Main" }] }));
    }
    if path == lists {
        return Reply::ok(&json!({ "value": [registry("virtualNetworkSubnetResourceId")] }));
    }
    if path == REGISTRY {
        return Reply::ok(&registry("virtualNetworkSubnetResourceId"));
    }
    if let Some(document) = network(path) {
        return Reply::ok(&document);
    }
    if path.starts_with(REGISTRY) || path.ends_with("/locks") {
        return Reply::ok(&json!({ "value": [] }));
    }
    if path.ends_with("/providers/Microsoft.ContainerRegistry") {
        return Reply::ok(&json!({ "registrationState": "Registered" }));
    }
    Reply::error(404, "ResourceNotFound", "nothing here")
}

fn request(cloud: Cloud, reference: &str) -> ReadRequest {
    ReadRequest {
        cloud,
        target: Target::Registry(reference.parse().unwrap()),
        subscription: None,
        resource_group: None,
        client: ClientHints::default(),
        deadline: Duration::from_secs(60),
        max_in_flight: 16,
    }
}

/// What the metadata service said already.
fn told(machine: AzureVm) -> Shared<BoxFuture<'static, Option<AzureVm>>> {
    async move { Some(machine) }.boxed().shared()
}

async fn read_in(
    world: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    change: impl FnOnce(&mut ReadRequest),
) -> (ConfigFacts, Vec<Asked>) {
    let fake = FakeArm::start(world).await;
    let mut request = request(fake.cloud(), "myreg");
    change(&mut request);
    let facts = read(&request, &Session::signed_in(fake.cloud(), "canary")).await;
    assert!(!serde_json::to_string(&facts).unwrap().contains("canary"));
    (facts, fake.asked())
}

#[tokio::test]
async fn a_registry_is_found_by_name_and_read_whole() {
    let (facts, asked) = read_in(world, |_| ()).await;
    assert!(matches!(facts.lookups[0].outcome, LookupOutcome::Found { .. }), "{:?}", facts.lookups);
    let registry = &facts.registries[0];
    let set = registry.network_rule_set.known().unwrap().as_ref().unwrap();
    assert_eq!(set.virtual_network_rules.known().unwrap()[0].subnet.name(), "rule");
    assert_eq!(set.ip_rules[0].range.unwrap().to_string(), "203.0.113.7/32");
    assert_eq!(registry.public_network_access, Known::Known(PublicNetworkAccess::Enabled));
    let connection = &registry.private_endpoint_connections.known().unwrap()[0];
    let endpoint = connection.private_endpoint.known().unwrap().as_ref().unwrap();
    assert_eq!(endpoint.addresses.known().unwrap()[0].fqdns[0].as_str(), "myreg.azurecr.io");
    assert_eq!(endpoint.dns_zone_groups.known().unwrap()[0].zones.len(), 1);
    let zones = facts.private_dns_zones.known().unwrap();
    assert_eq!(zones.len(), 1, "only the registry's zone");
    assert_eq!(zones[0].records.known().unwrap()[0].name, "myreg");
    assert_eq!(facts.subnets.len(), 2);
    let rule = facts.subnets.iter().find(|s| s.id.name() == "rule").unwrap().subnet.known().unwrap();
    assert!(rule.as_ref().unwrap().has_registry_service_endpoint());
    assert_eq!(facts.virtual_networks.len(), 1);
    for asked in asked.iter().filter(|a| !a.path().contains("ResourceGraph")) {
        let action = read_error::action_of(asked.path()).unwrap();
        assert!(permissions::without(&action).is_some(), "{action} is asked for and not in the role");
    }
    let mut targets: Vec<&str> = asked.iter().map(|a| a.target.as_str()).collect();
    targets.sort_unstable();
    let all = targets.len();
    targets.dedup();
    assert_eq!(targets.len(), all, "nothing is asked twice");
}

#[tokio::test]
async fn a_full_resource_id_needs_no_search() {
    let (facts, asked) = read_in(world, |r| r.target = Target::Registry(REGISTRY.parse().unwrap())).await;
    assert_eq!(facts.registries.len(), 1);
    assert!(asked.iter().all(|a| a.path() != "/subscriptions"));
}

#[tokio::test]
async fn a_cloud_without_the_newest_version_is_asked_twice_for_subnet_rules() {
    let offers = "The supported api-versions are '2019-05-01, 2021-08-01-preview, 2023-07-01'.";
    let (facts, asked) = read_in(
        move |asked| match (asked.path() == REGISTRY, asked.version()) {
            (_, "2026-09-01-preview") => Reply::error(400, "NoRegisteredProviderFound", offers),
            (true, "2021-08-01-preview") => Reply::ok(&registry("id")),
            (true, _) => {
                let mut document = registry("id");
                document["properties"]["networkRuleSet"].as_object_mut().unwrap().remove("virtualNetworkRules");
                document["properties"].as_object_mut().unwrap().remove("regionalEndpoints");
                Reply::ok(&document)
            }
            _ => world(asked),
        },
        |r| r.target = Target::Registry(REGISTRY.parse().unwrap()),
    )
    .await;
    let registry = &facts.registries[0];
    assert_eq!(registry.api_versions, ["2023-07-01", "2021-08-01-preview"]);
    let set = registry.network_rule_set.known().unwrap().as_ref().unwrap();
    assert_eq!(set.virtual_network_rules.known().unwrap().len(), 1);
    assert_eq!(registry.regional_endpoints.missing().unwrap().why, "api-version 2023-07-01 does not show it");
    assert!(facts.failed_reads.iter().all(|f| f.failure != ReadFailure::ApiVersion), "{:?}", facts.failed_reads);
    assert!(asked.iter().any(|a| a.version() == "2021-08-01-preview"));
}

#[tokio::test]
async fn where_no_version_shows_subnet_rules_they_are_unknown() {
    let (facts, _) = read_in(
        |asked| match (asked.path() == REGISTRY, asked.version()) {
            (_, "2026-09-01-preview") => Reply::error(
                400,
                "NoRegisteredProviderFound",
                "The supported api-versions are '2023-07-01, 2025-11-01'.",
            ),
            (true, _) => {
                let mut document = registry("id");
                document["properties"]["networkRuleSet"].as_object_mut().unwrap().remove("virtualNetworkRules");
                Reply::ok(&document)
            }
            _ => world(asked),
        },
        |r| r.target = Target::Registry(REGISTRY.parse().unwrap()),
    )
    .await;
    let set = facts.registries[0].network_rule_set.known().unwrap().as_ref().unwrap();
    let why = &set.virtual_network_rules.missing().unwrap().why;
    assert!(why.contains("no API version of this cloud"), "{why}");
}

#[tokio::test]
async fn a_name_that_is_not_there_lists_its_like() {
    let taken = |asked: &Asked| {
        if asked.path().ends_with("/checkNameAvailability") {
            assert!(String::from_utf8_lossy(&asked.body).contains("\"myregs\""));
            return Reply::ok(&json!({ "nameAvailable": false, "reason": "AlreadyExists", "message": "in use" }));
        }
        world(asked)
    };
    let (facts, _) = read_in(taken, |r| r.target = Target::Registry("myregs".parse().unwrap())).await;
    let lookup = &facts.lookups[0];
    let near_names = vec!["myreg".parse().unwrap()];
    assert_eq!(lookup.outcome, LookupOutcome::NotFound { near_names, name_taken: Known::Known(true) });
    assert_eq!(lookup.searched[0].name.as_deref(), Some("Main"));
    assert!(facts.private_dns_zones.is_known() || facts.registries.is_empty());
}

#[tokio::test]
async fn a_subscription_that_is_not_there_is_said_to_be_one() {
    let gone = |asked: &Asked| {
        if asked.path().starts_with("/subscriptions/") {
            Reply::json(
                404,
                include_bytes!("../../tests/fixtures/arm/spec/errors/404-SubscriptionNotFound.json").as_slice(),
            )
        } else {
            world(asked)
        }
    };
    let (facts, _) = read_in(gone, |r| r.subscription = Some(SUB.to_owned())).await;
    assert!(matches!(facts.lookups[0].outcome, LookupOutcome::SubscriptionNotFound { .. }), "{:?}", facts.lookups);
    let (facts, _) = read_in(world, |r| r.subscription = Some("No such name".to_owned())).await;
    assert!(matches!(facts.lookups[0].outcome, LookupOutcome::SubscriptionNotFound { .. }), "{:?}", facts.lookups);
}

#[tokio::test]
async fn each_missing_right_is_a_fact_with_its_action() {
    let refuse = |part: &'static str| {
        move |asked: &Asked| {
            if asked.path().contains(part) {
                let words = "The client 'x' does not have authorization to perform action 'A/read' over scope '/s'.";
                Reply::error(403, "AuthorizationFailed", words)
            } else {
                world(asked)
            }
        }
    };
    for part in [
        "Microsoft.Network/privateEndpoints",
        "privateDnsZones",
        "/subnets/",
        "Microsoft.Security",
        "/networkInterfaces",
    ] {
        let (facts, _) = read_in(refuse(part), |_| ()).await;
        assert_eq!(facts.registries.len(), 1, "{part}");
        let refused: Vec<_> = facts.failed_reads.iter().filter(|f| f.failure == ReadFailure::Forbidden).collect();
        assert!(!refused.is_empty() && refused.iter().all(|f| f.action.as_deref() == Some("A/read")), "{part}");
        let text = serde_json::to_string(&facts).unwrap();
        assert!(text.contains(r#"{"why":"403 AuthorizationFailed","needs":"A/read"}"#), "{part}");
    }
    let (facts, _) = read_in(refuse("Microsoft.ContainerRegistry"), |_| ()).await;
    assert!(facts.registries.is_empty());
    let LookupOutcome::Unknown { why, needs } = &facts.lookups[0].outcome else { panic!("{:?}", facts.lookups) };
    assert!(why.contains("403 AuthorizationFailed") && needs.as_deref() == Some("A/read"), "{why}");
}

#[tokio::test]
async fn one_odd_registry_does_not_cost_its_page() {
    let (facts, _) = read_in(
        |asked| {
            if asked.path().ends_with("/providers/Microsoft.ContainerRegistry/registries") {
                let mut odd = registry("id");
                odd["id"] = json!(format!("{REGISTRY}x"));
                odd.as_object_mut().unwrap().remove("location");
                Reply::ok(&json!({ "value": [odd, registry("virtualNetworkSubnetResourceId"), 7] }))
            } else {
                world(asked)
            }
        },
        |r| {
            r.target = Target::Subscription;
            r.subscription = Some(SUB.to_owned());
        },
    )
    .await;
    assert_eq!(facts.registries.len(), 1);
    let odd: Vec<_> = facts.failed_reads.iter().filter(|f| f.failure == ReadFailure::Malformed).collect();
    assert_eq!(odd.len(), 2, "{odd:?}");
}

#[tokio::test]
async fn hundreds_of_registries_are_read_from_their_list() {
    let (facts, asked) = read_in(
        |asked| {
            if asked.path().ends_with("/providers/Microsoft.ContainerRegistry/registries") {
                let many = (0..300).map(|i| {
                    let mut one = registry("virtualNetworkSubnetResourceId");
                    one["id"] = json!(format!("{REGISTRY}{i}"));
                    one
                });
                Reply::ok(&json!({ "value": many.collect::<Vec<_>>() }))
            } else {
                world(asked)
            }
        },
        |r| {
            r.target = Target::Subscription;
            r.subscription = Some(SUB.to_owned());
        },
    )
    .await;
    assert_eq!(facts.registries.len(), 300);
    assert!(facts.registries[0].tasks.missing().unwrap().why.contains("too many registries"));
    assert!(asked.len() < 10, "{} requests", asked.len());
}

#[tokio::test]
async fn the_clients_subnet_is_found_in_the_network_that_it_named() {
    let (facts, _) = read_in(
        |asked| {
            if asked.path() == VNET {
                Reply::ok(&json!({ "id": VNET, "location": "westeurope", "properties": {
                    "subnets": [{ "id": format!("{VNET}/subnets/nodes"), "properties": { "addressPrefix": "10.0.9.0/24" } }] } }))
            } else {
                world(asked)
            }
        },
        |r| {
            r.client.vnet = Some(VNET.parse().unwrap());
            r.client.addresses = vec!["10.0.9.8/24".parse().unwrap()];
        },
    )
    .await;
    assert_eq!(facts.client_subnet.known().unwrap().as_ref().unwrap().name(), "nodes");
    assert!(facts.subnets.iter().any(|s| s.id.name() == "nodes"));
}

#[tokio::test]
async fn without_a_sign_in_the_facts_say_so() {
    let fake = FakeArm::start(world).await;
    let session = Session::new(fake.cloud(), HttpSettings::default(), None);
    let session = session_without_sources(&session);
    let facts = read(&request(fake.cloud(), "myreg"), &session).await;
    assert!(matches!(facts.sign_in, SignIn::Failed { .. }));
    assert!(matches!(&facts.lookups[0].outcome, LookupOutcome::Unknown { why, .. } if why == "not signed in"));
    assert!(fake.asked().is_empty());
}

fn session_without_sources(session: &Session) -> Session {
    Session::of_test(session.cloud().clone(), sign_in::Environment::of(&[]))
}

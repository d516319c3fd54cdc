//! Combinations of missing rights: what is refused is unknown with its action, and the rest stays true.

use serde_json::json;

use super::*;

/// The world for an identity that may read only paths that contain one of these.
fn only(allowed: &'static [&'static str]) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked: &Asked| {
        if allowed.iter().any(|part| asked.path().contains(part)) {
            return world(asked);
        }
        let action = read_error::action_of(asked.path()).unwrap_or_default();
        let scope = asked.path();
        let words = format!(
            "The client 'x' with object id 'y' does not have authorization to perform action '{action}' over scope '{scope}' \
             or the scope is invalid."
        );
        Reply::error(403, "AuthorizationFailed", &words)
    }
}

const RG: &str = "/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/myreg";

async fn read_with(allowed: &'static [&'static str]) -> ConfigFacts {
    read_in(only(allowed), |r| {
        r.subscription = Some(SUB.to_owned());
        r.resource_group = Some("rg".to_owned());
    })
    .await
    .0
}

#[tokio::test]
async fn rights_on_the_registry_alone() {
    let facts = read_with(&[RG]).await;
    let registry = &facts.registries[0];
    assert!(registry.network_rule_set.known().unwrap().as_ref().unwrap().virtual_network_rules.is_known());
    let connection = &registry.private_endpoint_connections.known().unwrap()[0];
    assert_eq!(connection.status.as_str(), "Approved");
    let needs = connection.private_endpoint.missing().unwrap().needs.as_deref();
    assert_eq!(needs, Some("Microsoft.Network/privateEndpoints/read"));
    let zones = facts.private_dns_zones.missing().unwrap();
    assert_eq!(zones.needs.as_deref(), Some("Microsoft.Network/privateDnsZones/read"));
    let rule = &facts.subnets[0].subnet;
    assert_eq!(rule.missing().unwrap().needs.as_deref(), Some("Microsoft.Network/virtualNetworks/subnets/read"));
    let defender = facts.subscriptions[0].defender.missing().unwrap();
    assert_eq!(defender.needs.as_deref(), Some("Microsoft.Security/pricings/read"));
    assert!(registry.locks.is_known(), "the registry's own list answered");
}

#[tokio::test]
async fn all_but_private_dns_and_security() {
    let facts = read_with(&[RG, "/virtualNetworks", "/privateEndpoints", "/networkInterfaces", "/locks"]).await;
    let connection = &facts.registries[0].private_endpoint_connections.known().unwrap()[0];
    let endpoint = connection.private_endpoint.known().unwrap().as_ref().unwrap();
    assert_eq!(endpoint.addresses.known().unwrap().len(), 1);
    // The zone group names the zone, so it is known to be there; its records are not.
    let zones = facts.private_dns_zones.known().unwrap();
    assert_eq!(
        zones[0].records.missing().unwrap().needs.as_deref(),
        Some("Microsoft.Network/privateDnsZones/ALL/read")
    );
    assert!(facts.subscriptions[0].container_registry_provider.missing().is_some());
}

#[tokio::test]
async fn without_the_interfaces_the_zone_group_or_custom_dns_tells_the_addresses() {
    let facts = read_in(
        |asked| match asked.path() {
            path if path.contains("/networkInterfaces/") => only(&[])(asked),
            path if path.ends_with("/privateEndpoints/pe") => Reply::ok(&json!({ "id": path, "properties": {
                "networkInterfaces": [{ "id": path.replace("privateEndpoints/pe", "networkInterfaces/nic") }],
                "customDnsConfigs": [{ "fqdn": "myreg.azurecr.io", "ipAddresses": ["10.0.1.4"] }] } })),
            _ => world(asked),
        },
        |_| (),
    )
    .await
    .0;
    let connection = &facts.registries[0].private_endpoint_connections.known().unwrap()[0];
    let endpoint = connection.private_endpoint.known().unwrap().as_ref().unwrap();
    assert_eq!(endpoint.addresses.known().unwrap()[0].fqdns[0].as_str(), "myreg.azurecr.io");
    assert!(facts.failed_reads.iter().any(|f| f.what.starts_with("network interface")));
}

#[tokio::test]
async fn no_rights_at_all() {
    let facts = read_with(&[]).await;
    assert!(facts.registries.is_empty());
    let LookupOutcome::Unknown { why, needs } = &facts.lookups[0].outcome else { panic!("{:?}", facts.lookups) };
    assert!(why.contains("403 AuthorizationFailed"), "{why}");
    assert_eq!(needs.as_deref(), Some("Microsoft.ContainerRegistry/registries/read"));
    assert!(facts.failed_reads.iter().all(|f| f.scope.is_some() && f.action.is_some()));
}

//! Combinations of missing rights: what is refused is unknown with its action, and the rest stays true.

use serde_json::{Value, json};

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

/// Groups of rights as people hand them out, by what their requests' paths contain.
const GROUPS: [(&str, &[&str]); 5] = [
    ("network", &["/virtualNetworks/", "/privateEndpoints/", "/networkInterfaces", "/networkSecurityGroups"]),
    ("private DNS", &["/privateDnsZones"]),
    ("security", &["/Microsoft.Security/"]),
    ("governance", &["/Microsoft.Authorization/", "/Microsoft.Insights/", "/providers/Microsoft.ContainerRegistry?"]),
    ("what lies below the registry", &["/registries/myreg/"]),
];

/// The world without these groups.
fn without(removed: Vec<usize>) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let refused: Vec<&str> = removed.into_iter().flat_map(|group| GROUPS[group].1).copied().collect();
    move |asked: &Asked| {
        if refused.iter().any(|part| asked.target.contains(part)) { only(&[])(asked) } else { world(asked) }
    }
}

/// What facts say that fuller facts do not: an unknown says nothing, and must say which right is missing.
fn beyond(facts: &Value, fuller: &Value, at: &str, found: &mut Vec<String>) {
    if facts == fuller {
        return;
    }
    match (facts, fuller) {
        (Value::Object(facts), _) if facts.contains_key("unknown") => {
            let unknown = &facts["unknown"];
            if unknown["why"].as_str().is_some_and(|why| why.starts_with("403")) && unknown["needs"].is_null() {
                found.push(format!("{at} does not say which right is missing"));
            }
        }
        (Value::Object(facts), Value::Object(fuller)) => {
            for (name, value) in facts {
                beyond(value, fuller.get(name).unwrap_or(&Value::Null), &format!("{at}/{name}"), found);
            }
        }
        // Lists of things with ids may be shorter.
        (Value::Array(items), Value::Array(fuller)) if items.iter().all(|item| item.get("id").is_some()) => {
            for item in items {
                let same = fuller.iter().find(|f| f["id"] == item["id"]).unwrap_or(&Value::Null);
                beyond(item, same, &format!("{at}/{}", item["id"]), found);
            }
        }
        (Value::Array(items), Value::Array(fuller)) if items.len() == fuller.len() => {
            for (i, (item, full)) in items.iter().zip(fuller).enumerate() {
                beyond(item, full, &format!("{at}/{i}"), found);
            }
        }
        _ => found.push(format!("{at} is {facts}, with all rights {fuller}")),
    }
}

#[tokio::test]
async fn every_combination_of_missing_rights_says_nothing_that_full_rights_contradict() {
    let pinned = |r: &mut ReadRequest| {
        r.subscription = Some(SUB.to_owned());
        r.resource_group = Some("rg".to_owned());
    };
    let told = |facts: &ConfigFacts| {
        let mut value = serde_json::to_value(facts).unwrap();
        value.as_object_mut().unwrap().retain(|name, _| name != "failedReads" && name != "cloud");
        value
    };
    let full = told(&read_in(world, pinned).await.0);
    for combination in 0..1_usize << GROUPS.len() {
        let removed: Vec<usize> = (0..GROUPS.len()).filter(|group| combination >> group & 1 == 1).collect();
        let names: Vec<&str> = removed.iter().map(|group| GROUPS[*group].0).collect();
        let (facts, asked) = read_in(without(removed.clone()), pinned).await;
        let mut found = Vec::new();
        beyond(&told(&facts), &full, "", &mut found);
        assert!(found.is_empty(), "without {names:?}: {found:#?}");
        assert_eq!(facts.registries.len(), 1, "without {names:?}");
        // Whatever was refused is listed with its right, but for lists that another list may stand in for.
        for group in &removed {
            let refused = |a: &&Asked| GROUPS[*group].1.iter().any(|part| a.target.contains(part));
            let actions = asked.iter().filter(refused).filter_map(|a| read_error::action_of(a.path()));
            for action in actions.filter(|action| !action.contains("/locks/")) {
                let listed = facts.failed_reads.iter().any(|f| f.action.as_ref() == Some(&action));
                assert!(listed, "without {names:?}: {action} is not listed");
            }
        }
    }
}

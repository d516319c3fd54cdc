//! `az` commands with real values, quoted so that they can be pasted into a POSIX shell.

pub mod network;
pub mod private_link;
pub mod show;

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use crate::facts::{Change, Fix, LoginServer, RegistryConfig, ResourceId};

/// Quotes a word for a POSIX shell where it needs it.
pub fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&b));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Joins words into a command line, each quoted where it needs it.
pub fn line<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> String {
    words.into_iter().map(|w| quoted(w.as_ref())).collect::<Vec<_>>().join(" ")
}

/// The registry's name in its login server: a domain name label adds a hash after a hyphen, which no name has.
pub fn name_in(login_server: &LoginServer) -> &str {
    login_server.first_label().split('-').next().unwrap_or_default()
}

/// `az acr update -n NAME -g GROUP --subscription S …`.
pub fn acr_update(registry: &RegistryConfig, flags: &[&str]) -> String {
    let mut words = vec!["az", "acr", "update", "-n", registry.name.as_str()];
    words.extend(scope(&registry.id));
    words.extend(flags);
    line(words)
}

/// `-g GROUP --subscription S` of a resource.
pub fn scope(id: &ResourceId) -> Vec<&str> {
    let mut words = Vec::new();
    if let Some(group) = id.resource_group() {
        words.extend(["-g", group]);
    }
    words.extend(["--subscription", id.subscription()]);
    words
}

/// A rule for an address, the narrowest way in over the public endpoint. Rules hold IPv4 only: an IPv6 client has to come
/// another way.
pub fn let_in(registry: &RegistryConfig, address: IpAddr) -> Fix {
    match address {
        IpAddr::V4(address) => add_ip_rule(registry, address),
        IpAddr::V6(address) => Fix::advice(format!(
            "Let {address} come by IPv4 and allow that address, or by a private endpoint: IP rules hold no IPv6"
        )),
    }
}

/// `az acr network-rule add … --ip-address A`.
fn add_ip_rule(registry: &RegistryConfig, address: Ipv4Addr) -> Fix {
    let address = &address.to_string();
    let mut words = vec!["az", "acr", "network-rule", "add", "-n", registry.name.as_str()];
    words.extend(scope(&registry.id));
    words.extend(["--ip-address", address]);
    Fix::command(format!("Allow the address {address}"), line(words))
        .change(Change::Append {
            resource: registry.id.clone(),
            pointer: "/properties/networkRuleSet/ipRules".to_owned(),
            value: json!({ "action": "Allow", "value": address }),
        })
        .iac("properties.networkRuleSet.ipRules", "azurerm_container_registry.network_rule_set.ip_rule")
}

/// `az acr network-rule add … --subnet S`.
pub fn add_subnet_rule(registry: &RegistryConfig, subnet: &ResourceId) -> Fix {
    let mut words = vec!["az", "acr", "network-rule", "add", "-n", registry.name.as_str()];
    words.extend(scope(&registry.id));
    words.extend(["--subnet", subnet.as_str()]);
    Fix::command(format!("Allow the subnet '{}'", subnet.name()), line(words))
        .change(Change::Append {
            resource: registry.id.clone(),
            pointer: "/properties/networkRuleSet/virtualNetworkRules".to_owned(),
            value: json!({ "action": "Allow", "virtualNetworkSubnetResourceId": subnet.as_str() }),
        })
        // azurerm has no argument for subnet rules since its version 4.
        .bicep("properties.networkRuleSet.virtualNetworkRules")
}

/// A patch of the registry's properties, with the `az acr update` flags that do it.
pub fn update(registry: &RegistryConfig, summary: &str, flags: &[&str], properties: &serde_json::Value) -> Fix {
    Fix::command(summary, acr_update(registry, flags))
        .change(Change::Patch { resource: registry.id.clone(), merge: json!({ "properties": properties }) })
}

/// `az acr network-rule remove … --ip-address A`.
pub fn remove_ip_rule(registry: &RegistryConfig, value: &str) -> Fix {
    let mut words = vec!["az", "acr", "network-rule", "remove", "-n", registry.name.as_str()];
    words.extend(scope(&registry.id));
    words.extend(["--ip-address", value]);
    Fix::command(format!("Remove the rule for {value}"), line(words))
        .change(Change::Remove {
            resource: registry.id.clone(),
            pointer: "/properties/networkRuleSet/ipRules".to_owned(),
            value: json!({ "action": "Allow", "value": value }),
        })
        .iac("properties.networkRuleSet.ipRules", "azurerm_container_registry.network_rule_set.ip_rule")
}

/// `az acr network-rule remove … --subnet S`.
pub fn remove_subnet_rule(registry: &RegistryConfig, subnet: &ResourceId) -> Fix {
    let mut words = vec!["az", "acr", "network-rule", "remove", "-n", registry.name.as_str()];
    words.extend(scope(&registry.id));
    words.extend(["--subnet", subnet.as_str()]);
    Fix::command(format!("Remove the rule for the subnet '{}'", subnet.name()), line(words))
        .change(Change::Remove {
            resource: registry.id.clone(),
            pointer: "/properties/networkRuleSet/virtualNetworkRules".to_owned(),
            value: json!({ "action": "Allow", "virtualNetworkSubnetResourceId": subnet.as_str() }),
        })
        .bicep("properties.networkRuleSet.virtualNetworkRules")
}

/// Lets only the rules decide about the public endpoint.
pub fn selected_networks(registry: &RegistryConfig, summary: &str) -> Fix {
    update(
        registry,
        summary,
        &["--public-network-enabled", "true", "--default-action", "Deny"],
        &json!({ "publicNetworkAccess": "Enabled", "networkRuleSet": { "defaultAction": "Deny" } }),
    )
    .iac("properties.publicNetworkAccess", "azurerm_container_registry.public_network_access_enabled")
}

/// Switches dedicated data endpoints on.
pub fn data_endpoints(registry: &RegistryConfig, summary: &str) -> Fix {
    update(registry, summary, &["--data-endpoint-enabled", "true"], &json!({ "dataEndpointEnabled": true }))
        .iac("properties.dataEndpointEnabled", "azurerm_container_registry.data_endpoint_enabled")
}

/// Lets trusted services pass the network rules, or not.
pub fn trusted_services(registry: &RegistryConfig, summary: &str, allow: bool) -> Fix {
    let (flag, option) = if allow { ("true", "AzureServices") } else { ("false", "None") };
    update(registry, summary, &["--allow-trusted-services", flag], &json!({ "networkRuleBypassOptions": option }))
        .iac("properties.networkRuleBypassOptions", "azurerm_container_registry.network_rule_bypass_option")
}

/// Moves the registry to the Premium tier.
pub fn premium(registry: &RegistryConfig) -> Fix {
    Fix::command("Move the registry to the Premium tier", acr_update(registry, &["--sku", "Premium"]))
        .change(Change::Patch { resource: registry.id.clone(), merge: json!({ "sku": { "name": "Premium" } }) })
        .iac("sku.name", "azurerm_container_registry.sku")
}

/// Lets the global name send clients to a replica, or nobody.
pub fn route_to_replica(registry: &RegistryConfig, replica: &ResourceId, summary: String, on: bool) -> Fix {
    let mut words = vec!["az", "acr", "replication", "update", "-r", registry.name.as_str(), "-n", replica.name()];
    words.extend(scope(&registry.id));
    words.extend(["--global-endpoint-routing", if on { "true" } else { "false" }]);
    Fix::command(summary, line(words))
        .change(Change::Patch {
            resource: replica.clone(),
            merge: json!({ "properties": { "regionEndpointEnabled": on } }),
        })
        .iac(
            "Microsoft.ContainerRegistry/registries/replications properties.regionEndpointEnabled",
            "azurerm_container_registry.georeplications.global_endpoint_routing_enabled",
        )
}

/// Gives a change to the resource with this id, if it is one.
pub fn put(fix: Fix, id: &str, document: serde_json::Value) -> Fix {
    match id.parse() {
        Ok(resource) => fix.change(Change::Put { resource, document }),
        Err(_) => fix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_blanks_and_quotes_survive_a_shell() {
        assert_eq!(line(["az", "a b", "it's", ""]), r"az 'a b' 'it'\''s' ''");
        assert_eq!(quoted("10.0.0.0/16"), "10.0.0.0/16");
    }

    #[test]
    fn a_registry_is_named_without_the_hash_of_its_label() {
        let name = |host: &str| name_in(&host.parse().unwrap()).to_owned();
        assert_eq!(name("myregistry.azurecr.io"), "myregistry");
        assert_eq!(name("myregistry-a1b2c3d4e5f6.azurecr.io"), "myregistry");
    }
}

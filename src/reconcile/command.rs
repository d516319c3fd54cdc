//! `az` commands with real values, quoted so that they can be pasted into a POSIX shell.

use serde_json::json;

use crate::facts::finding::{Change, Fix};
use crate::facts::{RegistryConfig, ResourceId};

/// Quotes a word for a POSIX shell where it needs it.
pub fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&b));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Joins words into a command line, each quoted where it needs it.
pub fn line<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> String {
    words.into_iter().map(|w| quoted(w.as_ref())).collect::<Vec<_>>().join(" ")
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

/// `az acr network-rule add … --ip-address A`: the narrowest way in over the public endpoint.
pub fn add_ip_rule(registry: &RegistryConfig, address: &str) -> Fix {
    let mut words = vec!["az", "acr", "network-rule", "add", "-n", registry.name.as_str()];
    words.extend(scope(&registry.id));
    words.extend(["--ip-address", address]);
    Fix::command(format!("Allow the address {address}"), line(words))
        .change(Change::Append {
            resource: registry.id.clone(),
            pointer: "/properties/networkRuleSet/ipRules".to_owned(),
            value: json!({ "action": "Allow", "value": address }),
        })
        .iac("properties.networkRuleSet.ipRules", "network_rule_set.ip_rule")
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
        .iac("properties.networkRuleSet.virtualNetworkRules", "network_rule_set.virtual_network")
}

/// A patch of the registry's properties, with the `az acr update` flags that do it.
pub fn update(registry: &RegistryConfig, summary: &str, flags: &[&str], properties: &serde_json::Value) -> Fix {
    Fix::command(summary, acr_update(registry, flags))
        .change(Change::Patch { resource: registry.id.clone(), merge: json!({ "properties": properties }) })
}

/// Approves a private endpoint connection.
pub fn approve(connection: &ResourceId) -> Fix {
    Fix::command(
        "Approve the private endpoint connection",
        line([
            "az",
            "network",
            "private-endpoint-connection",
            "approve",
            "--id",
            connection.as_str(),
            "--description",
            "Approved",
        ]),
    )
    .change(Change::Patch {
        resource: connection.clone(),
        merge: json!({ "properties": { "privateLinkServiceConnectionState": { "status": "Approved" } } }),
    })
}

/// Adds an A record to a private DNS zone.
pub fn add_record(zone: &ResourceId, record: &str, address: std::net::IpAddr) -> Fix {
    let address = address.to_string();
    let mut words = vec!["az", "network", "private-dns", "record-set", "a", "add-record"];
    words.extend(scope(zone));
    words.extend(["--zone-name", zone.name(), "--record-set-name", record, "--ipv4-address", &address]);
    let fix = Fix::command(format!("Add the record {record} → {address} to the zone {}", zone.name()), line(words));
    match format!("{zone}/A/{record}").parse() {
        Ok(resource) => fix.change(Change::Put {
            resource,
            document: json!({ "name": record, "type": "Microsoft.Network/privateDnsZones/A",
                "properties": { "ttl": 10, "aRecords": [ { "ipv4Address": address } ] } }),
        }),
        Err(_) => fix,
    }
}

/// Links a private DNS zone to a virtual network.
pub fn link_zone(zone: &ResourceId, network: &ResourceId) -> Fix {
    let name = format!("{}-link", network.name());
    let mut words = vec!["az", "network", "private-dns", "link", "vnet", "create"];
    words.extend(scope(zone));
    words.extend([
        "--zone-name",
        zone.name(),
        "-n",
        &name,
        "--virtual-network",
        network.as_str(),
        "--registration-enabled",
        "false",
    ]);
    let fix = Fix::command(format!("Link the zone {} to the network '{}'", zone.name(), network.name()), line(words));
    match format!("{zone}/virtualNetworkLinks/{name}").parse() {
        Ok(resource) => fix.change(Change::Put {
            resource,
            document: json!({ "name": name, "location": "global", "properties": {
                "virtualNetwork": { "id": network.as_str() }, "registrationEnabled": false,
                "virtualNetworkLinkState": "Completed" } }),
        }),
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
}

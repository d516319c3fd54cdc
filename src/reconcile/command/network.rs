//! Commands for networks: peerings, security rules, service endpoints.

use serde_json::json;

use super::{line, put, scope};
use crate::facts::network::Peering;
use crate::facts::{Change, Fix, ResourceId};

/// Peers a network with another, in both directions: one alone connects nobody. `there` and `back` are the peerings that
/// stand already, where they are known. One that waits for the other side (Initiated) stays; one whose other side is gone
/// (Disconnected) can only be made anew, and the other side not before it is gone.
pub fn peer(own: &ResourceId, theirs: &ResourceId, there: Option<&Peering>, back: Option<&Peering>) -> Fix {
    let sides = [(own, theirs, there), (theirs, own, back)];
    let left_over = sides.into_iter().filter_map(|(from, _, stands)| {
        let gone = stands.filter(|p| !waits(p))?;
        Some(delete_peering(from, gone.name.as_deref()?))
    });
    let one_waits = [there, back].into_iter().flatten().filter(|p| waits(p)).count() == 1;
    let missing = sides.into_iter().filter(|(.., stands)| !(one_waits && stands.is_some_and(waits)));
    Fix::steps(
        format!("Peer the network '{}' with '{}', and back", own.name(), theirs.name()),
        left_over.chain(missing.map(|(from, to, _)| peering(from, to))),
    )
}

fn waits(peering: &Peering) -> bool {
    peering.state.eq_ignore_ascii_case("Initiated")
}

fn delete_peering(from: &ResourceId, name: &str) -> Fix {
    let mut words = vec!["az", "network", "vnet", "peering", "delete", "-n", name];
    words.extend(scope(from));
    words.extend(["--vnet-name", from.name()]);
    let fix = Fix::command(
        format!("Delete the peering '{name}' of '{}', whose other side is gone", from.name()),
        line(words),
    )
    .iac("Microsoft.Network/virtualNetworks/virtualNetworkPeerings", "azurerm_virtual_network_peering");
    match format!("{from}/virtualNetworkPeerings/{name}").parse() {
        Ok(resource) => fix.change(Change::Delete { resource }),
        Err(_) => fix,
    }
}

fn peering(from: &ResourceId, to: &ResourceId) -> Fix {
    let name = format!("to-{}", to.name());
    let mut words = vec!["az", "network", "vnet", "peering", "create", "-n", &name];
    words.extend(scope(from));
    words.extend(["--vnet-name", from.name(), "--remote-vnet", to.as_str(), "--allow-vnet-access"]);
    let fix = Fix::command(format!("Peer '{}' with '{}'", from.name(), to.name()), line(words))
        .iac("Microsoft.Network/virtualNetworks/virtualNetworkPeerings", "azurerm_virtual_network_peering");
    put(
        fix,
        &format!("{from}/virtualNetworkPeerings/{name}"),
        json!({ "properties": { "remoteVirtualNetwork": { "id": to.as_str() }, "allowVirtualNetworkAccess": true } }),
    )
}

/// A rule of a security group that allows TCP 443.
#[derive(Debug, Clone, Copy)]
pub struct AllowRule<'a> {
    /// The group.
    pub group: &'a ResourceId,
    /// `Inbound` or `Outbound`.
    pub direction: &'static str,
    /// Its priority: lower comes first.
    pub priority: u32,
    /// From where.
    pub source: &'static str,
    /// An address or a service tag.
    pub target: &'a str,
}

impl AllowRule<'_> {
    /// Creates it.
    pub fn create(&self, summary: String) -> Fix {
        let Self { group, direction, priority, source, target } = *self;
        let name = format!("Allow-{target}-443").replace([':', '/'], "-");
        let shown = priority.to_string();
        let mut words = vec!["az", "network", "nsg", "rule", "create", "-n", &name, "--nsg-name", group.name()];
        words.extend(scope(group));
        words.extend(["--direction", direction, "--access", "Allow", "--protocol", "Tcp", "--priority", &shown]);
        if source != "*" {
            words.extend(["--source-address-prefixes", source]);
        }
        words.extend(["--destination-address-prefixes", target, "--destination-port-ranges", "443"]);
        Fix::command(summary, line(words))
            .change(Change::Append {
                resource: group.clone(),
                pointer: "/properties/securityRules".to_owned(),
                value: json!({ "name": name, "properties": { "priority": priority, "direction": direction,
                    "access": "Allow", "protocol": "Tcp", "sourceAddressPrefix": source, "sourcePortRange": "*",
                    "destinationAddressPrefix": target, "destinationPortRange": "443" } }),
            })
            .iac("Microsoft.Network/networkSecurityGroups/securityRules", "azurerm_network_security_rule")
    }
}

/// Gives a rule of a security group another priority.
pub fn move_rule(group: &ResourceId, rule: &str, priority: u32) -> Fix {
    let shown = priority.to_string();
    let mut words = vec!["az", "network", "nsg", "rule", "update", "-n", rule, "--nsg-name", group.name()];
    words.extend(scope(group));
    words.extend(["--priority", &shown]);
    let fix = Fix::command(format!("Move the rule '{rule}' to priority {priority}"), line(words)).iac(
        "Microsoft.Network/networkSecurityGroups/securityRules properties.priority",
        "azurerm_network_security_rule.priority",
    );
    match format!("{group}/securityRules/{rule}").parse() {
        Ok(resource) => {
            fix.change(Change::Patch { resource, merge: json!({ "properties": { "priority": priority } }) })
        }
        Err(_) => fix,
    }
}

/// `az network vnet subnet update` of a subnet, with flags.
pub fn update_subnet(subnet: &ResourceId, flags: &[&str]) -> String {
    let network = subnet.virtual_network();
    let mut words = vec!["az", "network", "vnet", "subnet", "update", "-n", subnet.name()];
    if let Some(network) = &network {
        words.extend(["--vnet-name", network.name()]);
    }
    words.extend(scope(subnet));
    words.extend(flags);
    line(words)
}

/// The highest priority number below `before` that no rule of the direction has.
pub fn free_priority(taken: &[u32], before: u32) -> Option<u32> {
    (100..before.min(4096)).rev().find(|priority| !taken.contains(priority))
}

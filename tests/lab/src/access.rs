//! The access model: what a registry's own documents say to a request from an address.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use crate::documents::{self, Documents, items, text};
use crate::names;

/// Whether a request is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Let in, and why.
    Allowed(&'static str),
    /// 403 DENIED.
    Denied,
}

/// Decides on a request that arrived from `source` at `destination`.
pub fn decide(documents: &Documents, registry: &Value, source: IpAddr, destination: IpAddr) -> Access {
    let registry = &in_force(registry);
    let id = text(registry, "/id");
    let private = names::private_addresses(documents);
    let by_endpoint =
        private.iter().find(|p| IpAddr::V4(p.address) == destination && p.registry.eq_ignore_ascii_case(id));
    if let Some(endpoint) = by_endpoint {
        return if endpoint.state == "Approved" { Access::Allowed("private endpoint") } else { Access::Denied };
    }
    if text(registry, "/properties/publicNetworkAccess") == "Disabled" {
        return Access::Denied;
    }
    if text(registry, "/properties/networkRuleSet/defaultAction") != "Deny" {
        return Access::Allowed("default action");
    }
    let IpAddr::V4(source) = source else { return Access::Denied };
    if !source.is_private() {
        let rules = items(registry, "/properties/networkRuleSet/ipRules").iter();
        let covered = rules.map(|r| text(r, "/value")).any(|value| covers(value, source));
        return if covered { Access::Allowed("IP rule") } else { Access::Denied };
    }
    let subnet = names::subnet_of(documents, IpAddr::V4(source)).filter(|s| names::has_service_endpoint(s));
    let rules = items(registry, "/properties/networkRuleSet/virtualNetworkRules");
    let known = subnet.is_some_and(|s| rules.iter().any(|r| text(r, "/id").eq_ignore_ascii_case(text(s, "/id"))));
    if known { Access::Allowed("virtual network rule") } else { Access::Denied }
}

/// The registry as its front enforces it: with `lab.enforced`, some properties are not yet what ARM shows.
fn in_force(registry: &Value) -> Value {
    let mut registry = registry.clone();
    if let Some(enforced) = registry.pointer("/lab/enforced").cloned() {
        documents::merge(&mut registry, &json!({ "properties": enforced }));
    }
    registry
}

/// Whether an IP rule's value, an address or a network, covers an address.
fn covers(value: &str, address: Ipv4Addr) -> bool {
    value.parse::<Ipv4Addr>().is_ok_and(|a| a == address)
        || value.parse::<ipnet::Ipv4Net>().is_ok_and(|n| n.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base;

    fn ask(world: &str, change: &str, source: &str, destination: &str) -> Access {
        let mut base = base::world(world).unwrap();
        let patch: toml::Value = toml::from_str(change).unwrap();
        base.documents.patch("registries/myreg", &patch).unwrap();
        let registry = names::registries(&base.documents).into_iter().find(|r| text(r, "/name") == "myreg").unwrap();
        decide(&base.documents, registry, source.parse().unwrap(), destination.parse().unwrap())
    }

    #[test]
    fn ip_rules_decide_on_the_public_address_seen() {
        assert_eq!(ask("ip-rule", "", "203.0.113.50", "198.51.100.10"), Access::Allowed("IP rule"));
        assert_eq!(ask("ip-rule", "", "203.0.113.51", "198.51.100.10"), Access::Denied);
        let wider = "properties.networkRuleSet.ipRules = [{ action = 'Allow', value = '203.0.113.0/24' }]";
        assert_eq!(ask("ip-rule", wider, "203.0.113.51", "198.51.100.10"), Access::Allowed("IP rule"));
        assert_eq!(
            ask("ip-rule", "properties.publicNetworkAccess = 'Disabled'", "203.0.113.50", "198.51.100.10"),
            Access::Denied
        );
    }

    #[test]
    fn a_private_endpoint_passes_though_public_access_is_off() {
        assert_eq!(ask("private-link", "", "10.20.1.4", "10.20.2.5"), Access::Allowed("private endpoint"));
        assert_eq!(ask("private-link", "", "203.0.113.50", "198.51.100.10"), Access::Denied);
    }

    #[test]
    fn a_subnet_rule_decides_on_the_private_address() {
        assert_eq!(ask("service-endpoint", "", "10.20.1.4", "198.51.100.10"), Access::Allowed("virtual network rule"));
        let none = "properties.networkRuleSet.virtualNetworkRules = []";
        assert_eq!(ask("service-endpoint", none, "10.20.1.4", "198.51.100.10"), Access::Denied);
    }
}

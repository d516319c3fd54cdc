//! Subnets, networks, security groups, routes, service tags.

use serde_json::Value;

use super::{Fields, number, ranges};
use crate::facts::network::{
    NetworkSecurityGroup, Peering, Route, RouteTable, SecurityRule, ServiceEndpoint, ServiceTag, Subnet, VirtualNetwork,
};
use crate::facts::{Known, ResourceId};

/// A subnet's own document, and what it refers to.
pub(crate) struct SubnetDocument {
    pub(crate) subnet: Subnet,
    pub(crate) security_group: Option<ResourceId>,
    pub(crate) route_table: Option<ResourceId>,
    pub(crate) nat_gateway: Option<ResourceId>,
}

/// Azure keeps five addresses of every IPv4 range for itself.
const RESERVED: u64 = 5;

pub(crate) fn subnet(document: &Value) -> SubnetDocument {
    let fields = Fields::of(document);
    let mut prefixes = ranges(&fields.texts("addressPrefix"));
    for more in ranges(&fields.texts("addressPrefixes")) {
        if !prefixes.contains(&more) {
            prefixes.push(more);
        }
    }
    let endpoint = |e: &Value| {
        let fields = Fields::of(e);
        Some(ServiceEndpoint {
            service: fields.owned("service")?,
            provisioning_state: fields.owned("provisioningState"),
        })
    };
    let delegation = |d: &Value| Fields::of(d).owned("serviceName");
    // privateEndpoints lists endpoints, whose interfaces are among ipConfigurations already.
    let in_use = fields.list("ipConfigurations").len() as u64;
    let ranges_v4 = prefixes.iter().filter(|p| p.addr().is_ipv4()).count() as u64;
    SubnetDocument {
        security_group: fields.reference("networkSecurityGroup"),
        route_table: fields.reference("routeTable"),
        nat_gateway: fields.reference("natGateway"),
        subnet: Subnet {
            address_prefixes: prefixes,
            service_endpoints: fields.list("serviceEndpoints").iter().filter_map(endpoint).collect(),
            delegations: fields.list("delegations").iter().filter_map(delegation).collect(),
            service_endpoint_policies: fields
                .list("serviceEndpointPolicies")
                .iter()
                .filter_map(|p| Fields::of(p).id("id"))
                .collect(),
            private_endpoint_network_policies: fields.owned("privateEndpointNetworkPolicies"),
            network_security_group: Known::Known(None),
            route_table: Known::Known(None),
            egress_firewall: Known::Known(None),
            nat_gateway_addresses: Known::Known(Vec::new()),
            used_addresses: Known::Known(in_use + RESERVED * ranges_v4),
        },
    }
}

/// A security group with its default rules.
pub(crate) fn security_group(document: &Value) -> Option<NetworkSecurityGroup> {
    let fields = Fields::of(document);
    let rules = fields.list("securityRules").iter().chain(fields.list("defaultSecurityRules"));
    Some(NetworkSecurityGroup { id: fields.id("id")?, rules: rules.filter_map(security_rule).collect() })
}

fn security_rule(value: &Value) -> Option<SecurityRule> {
    let fields = Fields::of(value);
    // A rule has the singular or the plural member, or both with one of them empty.
    let both = |one: &str, many: &str| {
        let mut texts = fields.texts(one);
        texts.extend(fields.texts(many));
        texts.retain(|t| !t.is_empty());
        texts
    };
    Some(SecurityRule {
        name: fields.owned("name")?,
        priority: fields.get("priority").and_then(number)?.try_into().ok()?,
        direction: fields.owned("direction")?,
        access: fields.owned("access")?,
        protocol: fields.owned("protocol").unwrap_or_else(|| "*".to_owned()),
        source_address_prefixes: both("sourceAddressPrefix", "sourceAddressPrefixes"),
        destination_address_prefixes: both("destinationAddressPrefix", "destinationAddressPrefixes"),
        destination_port_ranges: both("destinationPortRange", "destinationPortRanges"),
    })
}

/// A route table.
pub(crate) fn route_table(document: &Value) -> Option<RouteTable> {
    let fields = Fields::of(document);
    let route = |value: &Value| {
        let fields = Fields::of(value);
        Some(Route {
            name: fields.owned("name")?,
            address_prefix: fields.owned("addressPrefix")?,
            next_hop_type: fields.owned("nextHopType")?,
            next_hop_address: fields.text("nextHopIpAddress").and_then(|a| a.parse().ok()),
        })
    };
    Some(RouteTable { id: fields.id("id")?, routes: fields.list("routes").iter().filter_map(route).collect() })
}

/// A virtual network.
pub(crate) fn virtual_network(document: &Value) -> VirtualNetwork {
    let fields = Fields::of(document);
    let peering = |value: &Value| {
        let fields = Fields::of(value);
        Some(Peering { remote: fields.reference("remoteVirtualNetwork")?, state: fields.owned("peeringState")? })
    };
    VirtualNetwork {
        address_space: ranges(&fields.nested("addressSpace").texts("addressPrefixes")),
        dns_servers: fields.nested("dhcpOptions").texts("dnsServers").iter().filter_map(|s| s.parse().ok()).collect(),
        peerings: fields.list("virtualNetworkPeerings").iter().filter_map(peering).collect(),
    }
}

/// The service tags that name a registry's endpoints or what its clients need besides.
pub(crate) fn service_tags(document: &Value) -> Vec<ServiceTag> {
    const WANTED: [&str; 6] = [
        "AzureContainerRegistry",
        "Storage",
        "AzureActiveDirectory",
        "AzureResourceManager",
        "AzureFrontDoor",
        "MicrosoftContainerRegistry",
    ];
    let one = |value: &Value| {
        let fields = Fields::of(value);
        let name = fields.owned("name")?;
        let stem = name.split('.').next().unwrap_or_default();
        let wanted = WANTED.iter().any(|w| w.eq_ignore_ascii_case(stem));
        wanted.then(|| ServiceTag { prefixes: ranges(&fields.texts("addressPrefixes")), name })
    };
    Fields::of(document).list("values").iter().filter_map(one).collect()
}

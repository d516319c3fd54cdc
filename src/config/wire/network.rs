//! Subnets, networks, security groups, routes, service tags.

use serde_json::Value;

use super::members::Members;
use super::{Fields, ranges};
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
    let mut members = Members::of(document);
    members.resource();
    let mut prefixes = members.ranges("addressPrefix");
    for more in members.ranges("addressPrefixes") {
        if !prefixes.contains(&more) {
            prefixes.push(more);
        }
    }
    // privateEndpoints lists endpoints, whose interfaces are among ipConfigurations already.
    let in_use = fields.list("ipConfigurations").len() as u64;
    members.drop_neighbours(&["ipConfigurations", "privateEndpoints", "ipConfigurationProfiles"]);
    let ranges_v4 = prefixes.iter().filter(|p| p.addr().is_ipv4()).count() as u64;
    SubnetDocument {
        security_group: fields.reference("networkSecurityGroup"),
        route_table: fields.reference("routeTable"),
        nat_gateway: fields.reference("natGateway"),
        subnet: Subnet {
            address_prefixes: prefixes,
            service_endpoints: members.list("serviceEndpoints", service_endpoint),
            // Names alone; the list stays besides, for it says more.
            delegations: fields.list("delegations").iter().filter_map(|d| Fields::of(d).owned("serviceName")).collect(),
            service_endpoint_policies: fields
                .list("serviceEndpointPolicies")
                .iter()
                .filter_map(|p| Fields::of(p).id("id"))
                .collect(),
            private_endpoint_network_policies: members.text("privateEndpointNetworkPolicies"),
            network_security_group: Known::Known(None),
            route_table: Known::Known(None),
            egress_firewall: Known::Known(None),
            nat_gateway_addresses: Known::Known(Vec::new()),
            used_addresses: Known::Known(in_use + RESERVED * ranges_v4),
            unrecognised: members.rest(),
        },
    }
}

fn service_endpoint(value: &Value) -> Option<ServiceEndpoint> {
    let mut members = Members::of(value);
    Some(ServiceEndpoint {
        service: members.text("service")?,
        provisioning_state: members.text("provisioningState"),
        unrecognised: members.rest(),
    })
}

/// A security group with its default rules.
pub(crate) fn security_group(document: &Value) -> Option<NetworkSecurityGroup> {
    let mut members = Members::of(document);
    let id = members.resource()?;
    members.drop_neighbours(&["subnets", "networkInterfaces"]);
    let own = members.list("securityRules", security_rule);
    let defaults = members.list("defaultSecurityRules", security_rule);
    Some(NetworkSecurityGroup { id, rules: [own, defaults].concat(), unrecognised: members.rest() })
}

fn security_rule(value: &Value) -> Option<SecurityRule> {
    let mut members = Members::of(value);
    // A rule has the singular or the plural member, or both with one of them empty.
    let mut both = |one: &'static str, many: &'static str| {
        let text = |text: &str| Some(text.to_owned());
        let mut texts = members.texts(one, text);
        texts.extend(members.texts(many, text));
        texts.retain(|t| !t.is_empty());
        texts
    };
    let source_address_prefixes = both("sourceAddressPrefix", "sourceAddressPrefixes");
    let destination_address_prefixes = both("destinationAddressPrefix", "destinationAddressPrefixes");
    let destination_port_ranges = both("destinationPortRange", "destinationPortRanges");
    Some(SecurityRule {
        name: members.text("name")?,
        priority: members.number("priority")?.try_into().ok()?,
        direction: members.text("direction")?,
        access: members.text("access")?,
        protocol: members.text("protocol").unwrap_or_else(|| "*".to_owned()),
        source_address_prefixes,
        destination_address_prefixes,
        destination_port_ranges,
        unrecognised: members.rest(),
    })
}

/// A route table.
pub(crate) fn route_table(document: &Value) -> Option<RouteTable> {
    let mut members = Members::of(document);
    let id = members.resource()?;
    members.drop_neighbours(&["subnets"]);
    Some(RouteTable { id, routes: members.list("routes", route), unrecognised: members.rest() })
}

fn route(value: &Value) -> Option<Route> {
    let mut members = Members::of(value);
    Some(Route {
        name: members.text("name")?,
        address_prefix: members.text("addressPrefix")?,
        next_hop_type: members.text("nextHopType")?,
        next_hop_address: members.take("nextHopIpAddress", |a| a.as_str()?.parse().ok()),
        unrecognised: members.rest(),
    })
}

/// A virtual network. Its subnets are resources of their own.
pub(crate) fn virtual_network(document: &Value) -> VirtualNetwork {
    let fields = Fields::of(document);
    let mut members = Members::of(document);
    members.resource();
    members.drop_neighbours(&["subnets"]);
    VirtualNetwork {
        // Both members stay besides, for they say more than these lists.
        address_space: ranges(&fields.nested("addressSpace").texts("addressPrefixes")),
        dns_servers: fields.nested("dhcpOptions").texts("dnsServers").iter().filter_map(|s| s.parse().ok()).collect(),
        peerings: members.list("virtualNetworkPeerings", peering),
        unrecognised: members.rest(),
    }
}

fn peering(value: &Value) -> Option<Peering> {
    let mut members = Members::of(value);
    Some(Peering {
        name: members.text("name"),
        remote: members.reference("remoteVirtualNetwork")?,
        state: members.text("peeringState")?,
        unrecognised: members.rest(),
    })
}

/// One service tag.
pub(crate) fn service_tag(value: &Value) -> Option<ServiceTag> {
    let mut members = Members::of(value);
    Some(ServiceTag {
        name: members.text("name")?,
        prefixes: members.ranges("addressPrefixes"),
        unrecognised: members.rest(),
    })
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
        let stem = Fields::of(value).text("name")?.split('.').next().unwrap_or_default();
        let wanted = WANTED.iter().any(|w| w.eq_ignore_ascii_case(stem));
        wanted.then(|| service_tag(value)).flatten()
    };
    Fields::of(document).list("values").iter().filter_map(one).collect()
}

//! Microsoft.Network as far as it decides who reaches a registry.

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::open_enum::open_enum;
use super::{Fqdn, Known, Region, ResourceId, Unrecognised};

/// A private endpoint (Microsoft.Network/privateEndpoints).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrivateEndpoint {
    /// Its id.
    pub id: ResourceId,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Region>,
    /// The subnet that holds its addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<ResourceId>,
    /// Which name has which address: from the NIC, else customDnsConfigs, else the zone group's record sets.
    #[serde(default)]
    pub addresses: Known<Vec<PrivateEndpointAddress>>,
    /// Its private DNS zone groups' zones; empty: no zone group.
    #[serde(default)]
    pub dns_zone_groups: Known<Vec<DnsZoneGroup>>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

impl PrivateEndpoint {
    /// The virtual network that the endpoint is in.
    pub fn virtual_network(&self) -> Option<ResourceId> {
        self.subnet.as_ref().and_then(ResourceId::virtual_network)
    }
}

/// One address of a private endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrivateEndpointAddress {
    /// The private address.
    pub address: IpAddr,
    /// The names it stands for, such as `myreg.westeurope.data.azurecr.io`.
    pub fqdns: Vec<Fqdn>,
    /// `registry`, `registry_data_<region>`, `registry_<region>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// A private DNS zone group of a private endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsZoneGroup {
    /// Its name.
    pub name: String,
    /// The zones that it keeps records in.
    pub zones: Vec<ResourceId>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A private DNS zone (Microsoft.Network/privateDnsZones).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrivateDnsZone {
    /// Its id.
    pub id: ResourceId,
    /// Its name, such as `privatelink.azurecr.io`.
    pub name: Fqdn,
    /// Its A and AAAA record sets.
    #[serde(default)]
    pub records: Known<Vec<RecordSet>>,
    /// Its record sets of other types (CNAME, SOA, TXT, …) as ARM shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_records: Vec<Unrecognised>,
    /// Its links to virtual networks.
    #[serde(default)]
    pub links: Known<Vec<VirtualNetworkLink>>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

impl PrivateDnsZone {
    /// Whether it is linked to a network; `None`: its links are not known.
    pub fn is_linked_to(&self, network: &ResourceId) -> Option<bool> {
        Some(self.links.known()?.iter().any(|link| link.virtual_network == *network))
    }
}

/// A record set of a private zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordSet {
    /// Relative to the zone: `myreg.westeurope.data`.
    pub name: String,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// Time to live in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

open_enum! {
    /// What a linked zone does with a name that it lacks.
    ResolutionPolicy { Default = "Default", NxDomainRedirect = "NxDomainRedirect" }
}

/// A virtual network link of a private zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkLink {
    /// The link's name.
    pub name: String,
    /// The network.
    pub virtual_network: ResourceId,
    /// `Default` or `NxDomainRedirect`.
    #[serde(default)]
    pub resolution_policy: Known<ResolutionPolicy>,
    /// `Completed` or `InProgress`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A subnet that was read, or why not. `Known(None)`: it does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubnetRead {
    /// The subnet's id.
    pub id: ResourceId,
    /// The subnet.
    pub subnet: Known<Option<Subnet>>,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subnet {
    /// Its address ranges.
    #[schemars(with = "Vec<String>")]
    pub address_prefixes: Vec<IpNet>,
    /// Service endpoints, such as `Microsoft.ContainerRegistry`.
    #[serde(default)]
    pub service_endpoints: Vec<ServiceEndpoint>,
    /// Services that the subnet is delegated to, such as `Microsoft.ContainerInstance/containerGroups`.
    #[serde(default)]
    pub delegations: Vec<String>,
    /// Service endpoint policies on it.
    #[serde(default)]
    pub service_endpoint_policies: Vec<ResourceId>,
    /// `Enabled`, `Disabled`, `NetworkSecurityGroupEnabled`, `RouteTableEnabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_endpoint_network_policies: Option<String>,
    /// The network security group, if any.
    #[serde(default)]
    pub network_security_group: Known<Option<NetworkSecurityGroup>>,
    /// The route table, if any.
    #[serde(default)]
    pub route_table: Known<Option<RouteTable>>,
    /// The Azure Firewall that the default route leads to. `Known(None)`: no such route, or another appliance.
    #[serde(default)]
    pub egress_firewall: Known<Option<EgressFirewall>>,
    /// Public addresses of its NAT gateway; empty: none.
    #[serde(default)]
    #[schemars(with = "Known<Vec<String>>")]
    pub nat_gateway_addresses: Known<Vec<IpNet>>,
    /// How many addresses are in use by NICs and reserved by Azure (five a range).
    #[serde(default)]
    pub used_addresses: Known<u64>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

impl Subnet {
    /// Whether the subnet has the Microsoft.ContainerRegistry service endpoint.
    pub fn has_registry_service_endpoint(&self) -> bool {
        self.service_endpoints.iter().any(|e| e.service.eq_ignore_ascii_case("Microsoft.ContainerRegistry"))
    }
}

/// The Azure Firewall through which a subnet's traffic leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EgressFirewall {
    /// Its id.
    pub id: ResourceId,
    /// Its public addresses: what a registry sees, and an IP rule must hold.
    #[schemars(with = "Vec<String>")]
    pub public_addresses: Vec<IpNet>,
}

/// A service endpoint of a subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEndpoint {
    /// `Microsoft.ContainerRegistry`, `Microsoft.Storage`, …
    pub service: String,
    /// `Succeeded`, `Updating`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A network security group with all its rules, defaults included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSecurityGroup {
    /// Its id.
    pub id: ResourceId,
    /// Rules in no particular order; `priority` decides.
    pub rules: Vec<SecurityRule>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A rule of a network security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecurityRule {
    /// Its name.
    pub name: String,
    /// 100 to 4096 for one's own, 65000 and up for the defaults; the lowest that matches decides.
    pub priority: u32,
    /// `Inbound` or `Outbound`.
    pub direction: String,
    /// `Allow` or `Deny`.
    pub access: String,
    /// `Tcp`, `Udp`, `*`, …
    pub protocol: String,
    /// Addresses, ranges, service tags or `*`.
    pub source_address_prefixes: Vec<String>,
    /// Addresses, ranges, service tags or `*`.
    pub destination_address_prefixes: Vec<String>,
    /// `443`, `400-500` or `*`.
    pub destination_port_ranges: Vec<String>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteTable {
    /// Its id.
    pub id: ResourceId,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Its name.
    pub name: String,
    /// A range or a service tag.
    pub address_prefix: String,
    /// `VirtualAppliance`, `Internet`, `None`, `VnetLocal`, `VirtualNetworkGateway`.
    pub next_hop_type: String,
    /// The appliance's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop_address: Option<IpAddr>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A virtual network that was read, or why not. `Known(None)`: it does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkRead {
    /// The network's id.
    pub id: ResourceId,
    /// The network.
    pub network: Known<Option<VirtualNetwork>>,
}

/// A virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetwork {
    /// Its address ranges.
    #[schemars(with = "Vec<String>")]
    pub address_space: Vec<IpNet>,
    /// Its own DNS servers; empty: Azure's (168.63.129.16).
    #[serde(default)]
    pub dns_servers: Vec<IpAddr>,
    /// Its peerings.
    #[serde(default)]
    pub peerings: Vec<Peering>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A peering to another network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Peering {
    /// Its own name in the network that it leads from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The other network.
    pub remote: ResourceId,
    /// `Connected`, `Initiated`, `Disconnected`.
    pub state: String,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A service tag and its ranges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTag {
    /// `AzureContainerRegistry.WestEurope`.
    pub name: String,
    /// Its ranges.
    #[schemars(with = "Vec<String>")]
    pub prefixes: Vec<IpNet>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

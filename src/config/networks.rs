//! Subnets and virtual networks, with what decides about traffic in them.

use super::read_error::ReadError;
use super::reader::{NETWORK, Reader};
use super::wire::Fields;
use super::wire::network::{route_table, security_group, subnet, virtual_network};
use crate::facts::network::{NetworkSecurityGroup, RouteTable, Subnet, SubnetRead, VirtualNetworkRead};
use crate::facts::{Known, ResourceId};

/// How much of a subnet decides something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The client's: everything, its way out included.
    Client,
    /// A rule's: its security group, routes and NAT gateway.
    Rule,
    /// A private endpoint's: its addresses; the rest only where network policies are enabled for private endpoints.
    Endpoint,
}

/// A thing that exists, does not, or could not be read.
fn optional<T>(reader: &Reader<'_>, what: &str, read: Result<Option<T>, ReadError>) -> Known<Option<T>> {
    match read {
        Ok(Some(thing)) => Known::Known(Some(thing)),
        Ok(None) => Known::unknown("the document has an unexpected form"),
        Err(error) if error.is_absence() => Known::Known(None),
        Err(error) => {
            reader.arm.note(what, &error);
            error.known()
        }
    }
}

impl Reader<'_> {
    /// Reads a subnet once.
    pub(super) async fn subnet(&self, id: &ResourceId, extent: Extent) -> SubnetRead {
        let read = || async {
            let what = format!("subnet '{}'", id.name());
            let subnet = match self.arm.get(id.as_str(), NETWORK).await {
                Ok(document) => Ok(Some(self.subnet_with(id, &document, extent).await)),
                Err(error) => Err(error),
            };
            SubnetRead { id: id.clone(), subnet: optional(self, &what, subnet) }
        };
        self.subnets.once(&id.key(), read).await
    }

    async fn subnet_with(&self, id: &ResourceId, document: &serde_json::Value, extent: Extent) -> Subnet {
        let read = subnet(document);
        let mut subnet = read.subnet;
        let policies = subnet.private_endpoint_network_policies.as_deref().unwrap_or("Disabled");
        if extent == Extent::Endpoint && policies.eq_ignore_ascii_case("Disabled") {
            let why = "not read: network policies are disabled for private endpoints in this subnet";
            if read.security_group.is_some() {
                subnet.network_security_group = Known::unknown(why);
            }
            if read.route_table.is_some() {
                subnet.route_table = Known::unknown(why);
                subnet.egress_firewall = Known::unknown(why);
            }
            if read.nat_gateway.is_some() {
                subnet.nat_gateway_addresses = Known::unknown("not read: private endpoints send nothing outwards");
            }
            return subnet;
        }
        // Only the client's way out matters: the registry sees it, and an IP rule must hold it.
        let sends = extent == Extent::Client || self.request.client.stands_in(id);
        let (group, routes, nat, network) = futures::join!(
            self.security_group(read.security_group.as_ref()),
            self.route_table(read.route_table.as_ref()),
            self.nat_addresses(read.nat_gateway.as_ref()),
            self.network_document(id, sends && read.route_table.is_some()),
        );
        subnet.egress_firewall = if sends {
            self.egress_firewall(id, &routes, network.as_deref()).await
        } else {
            Known::unknown("not read: this is not the client's subnet")
        };
        subnet.network_security_group = group;
        subnet.route_table = routes;
        subnet.nat_gateway_addresses = nat;
        subnet
    }

    pub(super) async fn security_group(&self, id: Option<&ResourceId>) -> Known<Option<NetworkSecurityGroup>> {
        let Some(id) = id else { return Known::Known(None) };
        let read = self.arm.get(id.as_str(), NETWORK).await.map(|d| security_group(&d));
        optional(self, &format!("network security group '{}'", id.name()), read)
    }

    async fn route_table(&self, id: Option<&ResourceId>) -> Known<Option<RouteTable>> {
        let Some(id) = id else { return Known::Known(None) };
        let read = self.arm.get(id.as_str(), NETWORK).await.map(|d| route_table(&d));
        optional(self, &format!("route table '{}'", id.name()), read)
    }

    /// Lists a subscription's private endpoints, networks with their subnets and private DNS zones before it is known
    /// whether any of them matters. Only a help: what the lists do not have is asked for by its id.
    pub(super) async fn networks_ahead(&self, subscription: &str) {
        let list = |kind: &str| {
            let path = format!("/subscriptions/{subscription}/providers/Microsoft.Network/{kind}");
            async move {
                for document in self.arm.list(&path, NETWORK).await.items {
                    self.remember(document);
                }
            }
        };
        // Records of zones would take a round trip more: they are read beside the registry.
        futures::join!(list("privateEndpoints"), list("virtualNetworks"), self.zone_names(subscription));
    }

    /// Keeps a listed document, and those of the subnets within it.
    fn remember(&self, document: serde_json::Value) {
        for subnet in Fields::of(&document).list("subnets") {
            if let Some(id) = Fields::of(subnet).id("id") {
                self.arm.remember(id.as_str(), subnet.clone());
            }
        }
        if let Some(id) = Fields::of(&document).id("id") {
            self.arm.remember(id.as_str(), document);
        }
    }

    /// Reads a virtual network once.
    pub(super) async fn network(&self, id: &ResourceId) {
        let read = || async {
            let read = self.arm.get(id.as_str(), NETWORK).await.map(|d| Some(virtual_network(&d)));
            VirtualNetworkRead {
                id: id.clone(),
                network: optional(self, &format!("virtual network '{}'", id.name()), read),
            }
        };
        self.networks.once(&id.key(), read).await;
    }

    /// Reads the virtual network of a subnet.
    pub(super) async fn network_of(&self, subnet: &ResourceId) {
        if let Some(network) = subnet.virtual_network() {
            self.network(&network).await;
        }
    }
}

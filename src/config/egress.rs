//! By which public addresses a subnet's traffic leaves: those that a registry sees, and an IP rule must hold.

use std::net::IpAddr;
use std::sync::Arc;

use futures::future::join_all;
use ipnet::IpNet;
use serde_json::Value;

use super::reader::{NETWORK, Reader};
use super::wire::{Fields, range, ranges};
use crate::facts::network::{EgressFirewall, RouteTable};
use crate::facts::{Known, ResourceId};

impl Reader<'_> {
    /// The Azure Firewall whose private address the default route names; its public addresses are what others see.
    pub(super) async fn egress_firewall(
        &self,
        subnet: &ResourceId,
        routes: &Known<Option<RouteTable>>,
        network: Option<&Value>,
    ) -> Known<Option<EgressFirewall>> {
        let Known::Known(routes) = routes else {
            return Known::unknown("the route table could not be read");
        };
        let default = routes.iter().flat_map(|t| &t.routes).find(|r| r.address_prefix == "0.0.0.0/0");
        let Some(hop) = default.and_then(|r| r.next_hop_address) else { return Known::Known(None) };
        let subscription = subscription_of_hop(subnet, network, hop);
        let base = format!("/subscriptions/{subscription}/providers/Microsoft.Network");
        let (firewalls, publics) = (format!("{base}/azureFirewalls"), format!("{base}/publicIPAddresses"));
        let (firewalls, publics) = futures::join!(self.arm.list(&firewalls, NETWORK), self.arm.list(&publics, NETWORK));
        let Some(firewall) = firewalls.items.iter().find(|document| listens_at(document, hop)) else {
            return match firewalls.error {
                Some(error) => {
                    self.arm.note("Azure Firewalls that the default route may lead to", &error);
                    error.known()
                }
                None => Known::unknown(format!(
                    "the default route leads to {hop}, which is no Azure Firewall of the subscription {subscription}"
                )),
            };
        };
        let configurations = Fields::of(firewall).list("ipConfigurations").iter().map(Fields::of);
        let wanted: Vec<ResourceId> = configurations.filter_map(|c| c.reference("publicIPAddress")).collect();
        let found = publics.items.iter().filter(|d| Fields::of(d).id("id").is_some_and(|id| wanted.contains(&id)));
        let mut public_addresses: Vec<IpNet> = found.filter_map(public_range).collect();
        // One in a virtual hub shows its public addresses itself.
        let in_hub = Fields::of(firewall).nested("hubIPAddresses").nested("publicIPs").list("addresses");
        public_addresses.extend(in_hub.iter().filter_map(|a| Fields::of(a).text("address").and_then(range)));
        match (publics.error, Fields::of(firewall).id("id")) {
            (Some(error), _) if public_addresses.len() < wanted.len() => {
                self.arm.note("the firewall's public addresses", &error);
                error.known()
            }
            (_, Some(id)) => Known::Known(Some(EgressFirewall { id, public_addresses })),
            _ => Known::unknown("the firewall's document has no id"),
        }
    }

    /// The document of a subnet's network, which says where a hub is; read beside the routes that lead there.
    pub(super) async fn network_document(&self, subnet: &ResourceId, wanted: bool) -> Option<Arc<Value>> {
        let network = subnet.virtual_network().filter(|_| wanted)?;
        self.arm.get(network.as_str(), NETWORK).await.ok()
    }

    /// The public addresses that a NAT gateway sends from. The public addresses of its group are listed beside it,
    /// which saves a round trip wherever the gateway's own addresses are in its group.
    pub(super) async fn nat_addresses(&self, id: Option<&ResourceId>) -> Known<Vec<IpNet>> {
        let Some(id) = id else { return Known::Known(Vec::new()) };
        let group = id.resource_group().unwrap_or_default();
        let beside = format!(
            "/subscriptions/{}/resourceGroups/{group}/providers/Microsoft.Network/publicIPAddresses",
            id.subscription()
        );
        let (gateway, beside) = futures::join!(self.arm.get(id.as_str(), NETWORK), self.arm.list(&beside, NETWORK));
        let gateway = match gateway {
            Ok(gateway) => gateway,
            Err(error) => {
                self.arm.note(&format!("NAT gateway '{}'", id.name()), &error);
                return error.known();
            }
        };
        let fields = Fields::of(&gateway);
        let of = |member: &str| fields.list(member).iter().filter_map(|r| Fields::of(r).id("id")).collect::<Vec<_>>();
        let wanted = [of("publicIpAddresses"), of("publicIpPrefixes")].concat();
        let read = join_all(wanted.iter().map(|address| async {
            let near = beside.items.iter().find(|d| Fields::of(d).id("id").as_ref() == Some(address));
            match near {
                Some(document) => Ok(public_range(document)),
                None => self.arm.get(address.as_str(), NETWORK).await.map(|d| public_range(&d)),
            }
        }))
        .await;
        let mut ranges = Vec::new();
        for read in read {
            match read {
                Ok(found) => ranges.extend(found),
                Err(error) => {
                    self.arm.note("a public address of the NAT gateway", &error);
                    return error.known();
                }
            }
        }
        Known::Known(ranges)
    }
}

/// Where an appliance is to be looked for: in the subscription of the peered network that holds its address, for a hub is
/// often in another one than its spokes; else in the subnet's own.
fn subscription_of_hop(subnet: &ResourceId, network: Option<&Value>, hop: IpAddr) -> String {
    let holds = |peering: &Fields<'_>| {
        ranges(&peering.nested("remoteAddressSpace").texts("addressPrefixes")).iter().any(|r| r.contains(&hop))
    };
    let peerings = network.map(|document| Fields::of(document).list("virtualNetworkPeerings")).unwrap_or_default();
    let hub = peerings.iter().map(Fields::of).find(holds).and_then(|p| p.reference("remoteVirtualNetwork"));
    hub.as_ref().unwrap_or(subnet).subscription().to_owned()
}

/// Whether an Azure Firewall has this private address, in a network of one's own or in a virtual hub.
fn listens_at(firewall: &Value, hop: IpAddr) -> bool {
    let fields = Fields::of(firewall);
    let own = fields.list("ipConfigurations").iter().map(Fields::of);
    let own = own.filter_map(|configuration| configuration.text("privateIPAddress"));
    let all = own.chain(fields.nested("hubIPAddresses").text("privateIPAddress"));
    all.filter_map(|address| address.parse().ok()).any(|address: IpAddr| address == hop)
}

/// The address of a public IP address resource, or the range of a prefix.
fn public_range(document: &Value) -> Option<IpNet> {
    let fields = Fields::of(document);
    fields.text("ipAddress").or_else(|| fields.text("ipPrefix")).and_then(range)
}

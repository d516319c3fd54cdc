//! Private endpoints behind a registry's connections: addresses, zone groups, the networks that they stand in.

use futures::future::join_all;

use super::networks::Extent;
use super::reader::{NETWORK, Reader};
use super::wire::private_link::{EndpointDocument, endpoint, interface_addresses, zone_group};
use crate::facts::config::ReadFailure;
use crate::facts::network::{DnsZoneGroup, PrivateEndpoint, PrivateEndpointAddress};
use crate::facts::registry::PrivateEndpointConnection;
use crate::facts::{Known, ResourceId, Unknown};

/// Zone groups, and the pairs in their record sets.
type ZoneGroups = (Known<Vec<DnsZoneGroup>>, Vec<PrivateEndpointAddress>);

impl Reader<'_> {
    /// The connections with their endpoints, all side by side.
    pub(super) async fn connections(
        &self,
        connections: &Known<Vec<PrivateEndpointConnection>>,
    ) -> Known<Vec<PrivateEndpointConnection>> {
        let Known::Known(connections) = connections else { return connections.clone() };
        let read = connections.iter().map(|connection| async {
            let mut connection = connection.clone();
            if let Some(id) = connection.private_endpoint_id.clone() {
                let read = || Box::pin(self.private_endpoint(&id));
                connection.private_endpoint = self.endpoints.once(&id.key(), read).await;
            }
            connection
        });
        Known::Known(join_all(read).await)
    }

    async fn private_endpoint(&self, id: &ResourceId) -> Known<Option<PrivateEndpoint>> {
        let path = format!("{}/privateDnsZoneGroups", id.as_str());
        let own = async {
            let document = self.arm.get(id.as_str(), NETWORK).await?;
            let Some(document) = endpoint(&document) else {
                return Ok::<_, super::read_error::ReadError>(None);
            };
            let addresses = self.behind(&document).await;
            Ok(Some((document, addresses)))
        };
        let groups = async {
            let listing = self.arm.list(&path, NETWORK).await;
            if let Some(zones) = zone_groups(&listing.items) {
                join_all(zones.iter().map(|zone| self.zone(zone))).await;
            }
            listing
        };
        let (own, groups, ()) = futures::join!(own, groups, self.zones_of(id.subscription()));
        let what = format!("private endpoint '{}'", id.name());
        match own {
            Ok(Some((document, addresses))) => {
                let groups = self.groups(id, groups);
                Known::Known(Some(assembled(document, addresses, groups)))
            }
            Ok(None) => Known::unknown("the private endpoint's document has no id"),
            Err(error) if error.is_absence() => Known::Known(None),
            Err(error) => {
                self.arm.note(&what, &error);
                // Whoever asks for the one right should ask for the other as well.
                self.groups(id, groups);
                let mut unknown = error.unknown();
                if error.failure == ReadFailure::Unauthorized || error.is_missing_subscription() {
                    unknown.why =
                        format!("{}: it is in a subscription or tenant that this sign-in does not see", unknown.why);
                    unknown.needs.get_or_insert_with(|| "Microsoft.Network/privateEndpoints/read".to_owned());
                }
                Known::Unknown(unknown)
            }
        }
    }

    /// The addresses on the endpoint's interfaces; beside it, the subnet and the network that it stands in.
    async fn behind(&self, document: &EndpointDocument) -> Result<Vec<PrivateEndpointAddress>, Unknown> {
        let interfaces = join_all(
            document.interfaces.iter().map(|id| async move { (id, self.arm.get(id.as_str(), NETWORK).await) }),
        );
        let network = async {
            if let Some(subnet) = &document.endpoint.subnet {
                futures::join!(self.subnet(subnet, Extent::Endpoint), self.network_of(subnet));
            }
        };
        let (interfaces, ()) = futures::join!(interfaces, network);
        let mut addresses = Vec::new();
        for (id, read) in interfaces {
            match read {
                Ok(document) => addresses.extend(interface_addresses(&document)),
                Err(error) => {
                    self.arm.note(&format!("network interface '{}'", id.name()), &error);
                    return Err(error.unknown());
                }
            }
        }
        Ok(addresses)
    }

    fn groups(&self, id: &ResourceId, listing: super::arm::Listing) -> ZoneGroups {
        let read = self.arm.known(&format!("zone groups of '{}'", id.name()), listing.complete(), |items| {
            items.iter().filter_map(zone_group).collect::<Vec<_>>()
        });
        let pairs = read.known().into_iter().flatten().flat_map(|(_, pairs)| pairs.clone()).collect();
        (read.map(|groups| groups.into_iter().map(|(group, _)| group).collect()), pairs)
    }
}

fn zone_groups(items: &[serde_json::Value]) -> Option<Vec<ResourceId>> {
    let zones: Vec<ResourceId> = items.iter().filter_map(zone_group).flat_map(|(group, _)| group.zones).collect();
    (!zones.is_empty()).then_some(zones)
}

/// The endpoint with its addresses: from its interfaces, else from customDnsConfigs, else from the zone groups.
pub(super) fn assembled(
    document: EndpointDocument,
    interfaces: Result<Vec<PrivateEndpointAddress>, Unknown>,
    (groups, recorded): ZoneGroups,
) -> PrivateEndpoint {
    let mut endpoint = document.endpoint;
    let named = |addresses: &[PrivateEndpointAddress]| addresses.iter().any(|a| !a.fqdns.is_empty());
    let fallback = [document.custom_dns, recorded].into_iter().find(|pairs| named(pairs));
    endpoint.addresses = match (interfaces, fallback) {
        (Ok(addresses), _) if named(&addresses) => Known::Known(addresses),
        (_, Some(pairs)) => Known::Known(pairs),
        (Ok(addresses), None) => Known::Known(addresses),
        (Err(unknown), None) => Known::Unknown(unknown),
    };
    endpoint.dns_zone_groups = groups;
    endpoint
}

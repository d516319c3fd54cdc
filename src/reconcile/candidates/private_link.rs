//! Missing facts of private link: connections, the endpoints behind them, their addresses.

use std::net::{IpAddr, Ipv4Addr};

use crate::facts::network::{PrivateEndpoint, PrivateEndpointAddress};
use crate::facts::registry::{ConnectionStatus, PrivateEndpointConnection, Replication};
use crate::facts::{EndpointObservation, EndpointRole, Fqdn, Known, Region, RegistryConfig, ResourceId, Unrecognised};
use crate::reconcile::case::Case;
use crate::reconcile::place::is_private;

use super::supposed::{Gap, Supposed};

/// An address that no client was given (RFC 5737).
pub(super) const NOBODYS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// A network that no client stands in.
const ELSEWHERE: &str =
    "/subscriptions/unknown/resourceGroups/unknown/providers/Microsoft.Network/virtualNetworks/elsewhere";

/// What is missing of the registry's private link.
pub(super) fn gaps<'a>(case: &Case<'a>) -> Vec<Gap<'a>> {
    let all = [
        Gap::of_registry(
            case,
            "privateEndpointConnections",
            |r| &r.private_endpoint_connections,
            |r| &mut r.private_endpoint_connections,
            connections(case),
        ),
        endpoints_behind(case, "private endpoint"),
        addresses_of(case),
        replications(case),
    ];
    all.into_iter().flatten().collect()
}

/// The registry's endpoints that a private endpoint stands for.
pub(super) fn carried<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a EndpointObservation> {
    case.endpoints().filter(|e| e.role != EndpointRole::Storage)
}

/// The private address that the client was given for an endpoint, else the one that a zone has for it.
pub(super) fn given(case: &Case<'_>, endpoint: &EndpointObservation) -> Option<IpAddr> {
    let seen = endpoint.dns.as_ref().and_then(|dns| dns.answer.ips().find(|ip| is_private(*ip)));
    let held = || {
        let zones = case.zones_for(&endpoint.host);
        zones.iter().find_map(|(zone, record)| case.record(zone, record)?.addresses.first().copied())
    };
    seen.or_else(held)
}

/// Which addresses a private endpoint may have.
#[derive(Debug, Clone, Copy)]
enum Addresses {
    /// Those that the client was given; for other names one that it was not.
    Given,
    /// Those that the client was given, and none for other names.
    GivenAlone,
    /// Others for all names.
    Others,
}

impl Addresses {
    fn list(self, case: &Case<'_>) -> Vec<PrivateEndpointAddress> {
        let address = |e: &EndpointObservation| match self {
            Self::Given => Some(given(case, e).unwrap_or(NOBODYS)),
            Self::GivenAlone => given(case, e),
            Self::Others => Some(NOBODYS),
        };
        let one = |host: &Fqdn, address, region: Option<&Region>, role| PrivateEndpointAddress {
            address,
            fqdns: vec![host.clone()],
            member: Some(match (role, region) {
                (EndpointRole::Data, Some(region)) => format!("registry_data_{}", region.as_str()),
                _ => "registry".to_owned(),
            }),
        };
        carried(case).filter_map(|e| Some(one(&e.host, address(e)?, e.region.as_ref(), e.role))).collect()
    }
}

/// The network in which the client, or the cluster's nodes, stand.
fn own_network(case: &Case<'_>) -> Option<ResourceId> {
    let of_nodes = || case.config.cluster.as_ref()?.node_subnets().first()?.virtual_network();
    case.place.network.clone().or_else(of_nodes)
}

/// A private endpoint in a network.
fn endpoint(network: &ResourceId, addresses: Vec<PrivateEndpointAddress>) -> Option<PrivateEndpoint> {
    Some(PrivateEndpoint {
        id: "/subscriptions/unknown/resourceGroups/unknown/providers/Microsoft.Network/privateEndpoints/supposed"
            .parse()
            .ok()?,
        location: None,
        subnet: Some(format!("{network}/subnets/supposed").parse().ok()?),
        addresses: Known::Known(addresses),
        dns_zone_groups: Known::default(),
        unrecognised: Unrecognised::new(),
    })
}

/// What may stand behind a connection; `None`: nothing any more.
fn behind(case: &Case<'_>) -> Vec<Option<PrivateEndpoint>> {
    let all = [Addresses::Given, Addresses::GivenAlone, Addresses::Others];
    let networks = own_network(case).into_iter().chain(ELSEWHERE.parse().ok());
    let endpoints = networks.flat_map(|network| all.map(|addresses| endpoint(&network, addresses.list(case))));
    std::iter::once(None).chain(endpoints.flatten().map(Some)).collect()
}

fn connection(status: ConnectionStatus, endpoint: PrivateEndpoint) -> Option<PrivateEndpointConnection> {
    Some(PrivateEndpointConnection {
        id: "/subscriptions/unknown/resourceGroups/unknown/providers/Microsoft.ContainerRegistry/registries/unknown/privateEndpointConnections/supposed"
            .parse()
            .ok()?,
        status,
        description: None,
        actions_required: None,
        provisioning_state: None,
        private_endpoint_id: Some(endpoint.id.clone()),
        private_endpoint: Known::Known(Some(endpoint)),
        unrecognised: Unrecognised::new(),
    })
}

/// The connections that a registry may have: none; one in each state, near and far; one near beside one that took its name.
pub(super) fn connections(case: &Case<'_>) -> Vec<Vec<PrivateEndpointConnection>> {
    let behind: Vec<PrivateEndpoint> = behind(case).into_iter().flatten().collect();
    let mut all = vec![Vec::new()];
    for status in [ConnectionStatus::Approved, ConnectionStatus::Pending, ConnectionStatus::Rejected] {
        all.extend(behind.iter().filter_map(|e| Some(vec![connection(status.clone(), e.clone())?])));
    }
    if let (Some(near), Some(far)) = (own_network(case), ELSEWHERE.parse::<ResourceId>().ok()) {
        let both = [(near, Addresses::Others), (far, Addresses::Given)].map(|(network, addresses)| {
            connection(ConnectionStatus::Approved, endpoint(&network, addresses.list(case))?)
        });
        all.push(both.into_iter().flatten().collect());
    }
    all
}

/// The endpoints behind connections, where they could not be read: all the same.
pub(super) fn endpoints_behind<'a>(case: &Case<'a>, fact: &str) -> Option<Gap<'a>> {
    let connections = case.registry?.private_endpoint_connections.known()?;
    let missing = connections.iter().find_map(|c| c.private_endpoint.missing())?;
    let with = |endpoint: Option<PrivateEndpoint>| {
        on_connections(case, |connection| {
            if !connection.private_endpoint.is_known() {
                connection.private_endpoint = Known::Known(endpoint.clone());
            }
        })
    };
    Some(Gap::new(fact, missing, behind(case).into_iter().map(with)))
}

fn addresses_of<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let connections = case.registry?.private_endpoint_connections.known()?;
    let endpoints = connections.iter().filter_map(|c| c.endpoint());
    let missing = endpoints.clone().find_map(|e| e.addresses.missing())?;
    let with = |addresses: Addresses| {
        let list = addresses.list(case);
        on_connections(case, move |connection| {
            if let Known::Known(Some(endpoint)) = &mut connection.private_endpoint
                && !endpoint.addresses.is_known()
            {
                endpoint.addresses = Known::Known(list.clone());
            }
        })
    };
    let all = [Addresses::Given, Addresses::GivenAlone, Addresses::Others].map(with);
    Some(Gap::new("private endpoint's addresses", missing, all))
}

/// The registry's replicas: one in each region whose data endpoint was looked at, or none.
fn replications<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let regions = || case.endpoints().filter(|e| e.role == EndpointRole::Data).filter_map(|e| e.region.clone());
    let replica = |region: Region| {
        Some(Replication {
            id: format!("{}/replications/{}", case.registry?.id, region.as_str()).parse().ok()?,
            location: region,
            region_endpoint_enabled: Known::Known(true),
            provisioning_state: Known::Known("Succeeded".to_owned()),
            display_status: None,
            message: None,
            unrecognised: Unrecognised::new(),
        })
    };
    let all = [Vec::new(), regions().filter_map(replica).collect()];
    Gap::of_registry(case, "replications", |r| &r.replications, |r| &mut r.replications, all)
}

fn on_connections<'a>(case: &Case<'a>, change: impl Fn(&mut PrivateEndpointConnection)) -> Supposed<'a> {
    Supposed::of(case).registry(|registry: &mut RegistryConfig| {
        if let Known::Known(connections) = &mut registry.private_endpoint_connections {
            connections.iter_mut().for_each(change);
        }
    })
}

//! Where the client stands: which subnet and network, and which private endpoints it should use.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::facts::network::{PrivateEndpoint, Subnet, VirtualNetwork};
use crate::facts::registry::{ConnectionStatus, PrivateEndpointConnection};
use crate::facts::{ConfigFacts, Known, ProbeFacts, RegistryConfig, ResourceId};

/// Whether an address is private: RFC 1918, RFC 6598 (shared), RFC 4193 (unique local), link-local.
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || v4.is_loopback() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || (v6.segments()[0] & 0xfe00) == 0xfc00 || (v6.segments()[0] & 0xffc0) == 0xfe80
        }
    }
}

/// The one that there is: of several, none is the client's more than another.
pub fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// The client's place, as far as vantage and configuration tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The subnet.
    pub subnet: Option<ResourceId>,
    /// The virtual network.
    pub network: Option<ResourceId>,
    /// Whether the place was derived from addresses alone (a guess that may be wrong where ranges overlap).
    pub by_address: bool,
    /// The address that the registry sees, where the client is one of a list (`whatif`).
    pub address: Option<IpAddr>,
}

impl Place {
    /// Decides the place: what was said or read first, addresses against known subnets last.
    pub fn of(config: &ConfigFacts, probe: Option<&ProbeFacts>) -> Self {
        let told = |known: Option<&Option<ResourceId>>| known.and_then(Clone::clone);
        let vantage = probe.map(|p| &p.vantage);
        let subnet = vantage.and_then(|v| told(v.subnet.known())).or_else(|| told(config.client_subnet.known()));
        let network = vantage
            .and_then(|v| told(v.virtual_network.known()))
            .or_else(|| told(config.client_virtual_network.known()))
            .or_else(|| subnet.as_ref().and_then(ResourceId::virtual_network));
        if subnet.is_some() || network.is_some() {
            return Self { subnet, network, by_address: false, address: None };
        }
        let addresses: Vec<IpAddr> = vantage.map(|v| v.addresses.iter().map(IpNet::addr).collect()).unwrap_or_default();
        let here = |nets: &[IpNet]| addresses.iter().any(|a| is_private(*a) && nets.iter().any(|n| n.contains(a)));
        let subnet = only(config.subnets.iter().filter_map(|read| {
            let subnet: &Subnet = read.subnet.known()?.as_ref()?;
            here(&subnet.address_prefixes).then(|| read.id.clone())
        }));
        let network = subnet.as_ref().and_then(ResourceId::virtual_network).or_else(|| {
            only(config.virtual_networks.iter().filter_map(|read| {
                let network: &VirtualNetwork = read.network.known()?.as_ref()?;
                here(&network.address_space).then(|| read.id.clone())
            }))
        });
        Self { by_address: subnet.is_some() || network.is_some(), subnet, network, address: None }
    }

    /// The place of a client in a subnet.
    pub fn in_subnet(id: &ResourceId) -> Self {
        Self { subnet: Some(id.clone()), network: id.virtual_network(), by_address: false, address: None }
    }

    /// The place of a client of which only the address that the registry sees is known.
    pub fn at(address: IpAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// Whether the client's network is `network` or peered with it; `None`: not known.
    pub fn reaches(&self, config: &ConfigFacts, network: &ResourceId) -> Option<bool> {
        let own = self.network.as_ref()?;
        if own == network {
            return Some(true);
        }
        let peered = |from: &ResourceId, to: &ResourceId| {
            let read = config.virtual_networks.iter().find(|n| n.id == *from)?;
            let network = read.network.known()?.as_ref()?;
            Some(network.peerings.iter().any(|p| p.remote == *to && p.state.eq_ignore_ascii_case("Connected")))
        };
        match (peered(own, network), peered(network, own)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), _) | (_, Some(false)) => Some(false),
            (None, None) => None,
        }
    }
}

/// The approved connections whose endpoint stands in a network that the client reaches.
pub fn usable_connections<'a>(
    config: &'a ConfigFacts,
    registry: &'a RegistryConfig,
    place: &'a Place,
) -> impl Iterator<Item = (&'a PrivateEndpointConnection, &'a PrivateEndpoint)> {
    approved(registry).filter_map(move |connection| {
        let endpoint = connection.endpoint()?;
        let network = endpoint.virtual_network()?;
        (place.reaches(config, &network) == Some(true)).then_some((connection, endpoint))
    })
}

/// The approved connections, but for those whose private endpoint is known to be gone.
pub fn approved(registry: &RegistryConfig) -> impl Iterator<Item = &PrivateEndpointConnection> {
    registry
        .private_endpoint_connections
        .known()
        .into_iter()
        .flatten()
        .filter(|c| c.status == ConnectionStatus::Approved && c.private_endpoint != Known::Known(None))
}

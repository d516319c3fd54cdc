//! Missing facts of where the client stands: its subnet, its network, what these do with its traffic.

use std::net::{IpAddr, SocketAddr};

use crate::facts::config::ClientInterface;
use crate::facts::known::Unknown;
use crate::facts::network::{
    NetworkSecurityGroup, Peering, PrivateEndpoint, Route, RouteTable, SecurityRule, ServiceEndpoint, Subnet,
    SubnetRead, VirtualNetwork,
};
use crate::facts::report::UnknownFact;
use crate::facts::{ConfigFacts, Known, ResourceId, Unrecognised};
use crate::reconcile::case::Case;

use super::supposed::{Gap, Supposed};

/// So many places are supposed to be the client's, and no more: of a fleet's subnets each could be.
const PLACES: usize = 4;

/// What is missing of the client's place.
pub(super) fn gaps<'a>(case: &Case<'a>) -> Vec<Gap<'a>> {
    let noted = case.unknowns();
    let place = |fact: &str| noted.iter().find(|unknown| unknown.fact == fact);
    let all = [
        subnet(case),
        group_of_subnet(case),
        routes(case),
        group_of_interface(case),
        network(case),
        provider(case),
        place("the client's subnet").or_else(|| place("client's subnet")).map(|unknown| own_subnet(case, unknown)),
        place("client's subnet").map(|unknown| policies(case, unknown)),
        place("the client's virtual network").map(|unknown| own_network(case, unknown)),
    ];
    all.into_iter().flatten().collect()
}

/// A resource of a kind that nobody has.
fn nobodys(kind: &str) -> Option<ResourceId> {
    format!("/subscriptions/unknown/resourceGroups/unknown/providers/Microsoft.Network/{kind}/supposed").parse().ok()
}

fn plain() -> Subnet {
    Subnet {
        address_prefixes: Vec::new(),
        service_endpoints: Vec::new(),
        delegations: Vec::new(),
        service_endpoint_policies: Vec::new(),
        private_endpoint_network_policies: None,
        network_security_group: Known::Known(None),
        route_table: Known::Known(None),
        egress_firewall: Known::default(),
        nat_gateway_addresses: Known::default(),
        used_addresses: Known::default(),
        unrecognised: Unrecognised::new(),
    }
}

/// A group that lets nothing out to the internet.
fn denying() -> Option<NetworkSecurityGroup> {
    let everything = || vec!["*".to_owned()];
    let rule = SecurityRule {
        name: "supposed".to_owned(),
        priority: 100,
        direction: "Outbound".to_owned(),
        access: "Deny".to_owned(),
        protocol: "*".to_owned(),
        source_address_prefixes: everything(),
        destination_address_prefixes: everything(),
        destination_port_ranges: everything(),
        unrecognised: Unrecognised::new(),
    };
    let id = nobodys("networkSecurityGroups")?;
    Some(NetworkSecurityGroup { id, rules: vec![rule], unrecognised: Unrecognised::new() })
}

/// A table that leads everything to an appliance.
fn filtering() -> Option<RouteTable> {
    let route = Route {
        name: "supposed".to_owned(),
        address_prefix: "0.0.0.0/0".to_owned(),
        next_hop_type: "VirtualAppliance".to_owned(),
        next_hop_address: None,
        unrecognised: Unrecognised::new(),
    };
    Some(RouteTable { id: nobodys("routeTables")?, routes: vec![route], unrecognised: Unrecognised::new() })
}

/// What the subnet of a client may be; `None`: it does not exist any more.
fn subnets() -> Vec<Option<Subnet>> {
    let service = |name: &str| ServiceEndpoint {
        service: name.to_owned(),
        provisioning_state: None,
        unrecognised: Unrecognised::new(),
    };
    let with_endpoint = Subnet { service_endpoints: vec![service("Microsoft.ContainerRegistry")], ..plain() };
    let denied = Subnet { network_security_group: Known::Known(denying()), ..plain() };
    let filtered = Subnet { route_table: Known::Known(filtering()), ..plain() };
    let delegated = Subnet { delegations: vec!["Microsoft.Web/serverFarms".to_owned()], ..with_endpoint.clone() };
    let narrowed =
        Subnet { service_endpoint_policies: nobodys("serviceEndpointPolicies").into_iter().collect(), ..plain() };
    let all = [plain(), with_endpoint, denied, filtered, delegated, narrowed];
    std::iter::once(None).chain(all.map(Some)).collect()
}

/// The client's subnet, which could not be read.
fn subnet<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let id = case.place.subnet.as_ref()?;
    let missing = case.config.subnets.iter().find(|read| read.id == *id)?.subnet.missing()?;
    let with = |subnet: Option<Subnet>| {
        Supposed::of(case).config(|config| {
            for read in config.subnets.iter_mut().filter(|read| read.id == *id) {
                read.subnet = Known::Known(subnet.clone());
            }
        })
    };
    Some(Gap::new(format!("subnet '{}'", id.name()), missing, subnets().into_iter().map(with)))
}

/// Changes the client's subnet, where that was read.
fn on_subnet<'a>(case: &Case<'a>, change: impl Fn(&mut Subnet)) -> Supposed<'a> {
    Supposed::of(case).config(|config| {
        let own = config.subnets.iter_mut().filter(|read| Some(&read.id) == case.place.subnet.as_ref());
        for read in own {
            if let Known::Known(Some(subnet)) = &mut read.subnet {
                change(subnet);
            }
        }
    })
}

fn group_of_subnet<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let (id, subnet) = case.client_subnet()?;
    let missing = subnet.network_security_group.missing()?;
    let with = |group: Option<NetworkSecurityGroup>| {
        on_subnet(case, move |subnet| subnet.network_security_group = Known::Known(group.clone()))
    };
    Some(Gap::new(format!("security group of the subnet '{}'", id.name()), missing, [None, denying()].map(with)))
}

fn routes<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let (id, subnet) = case.client_subnet()?;
    let missing = subnet.route_table.missing()?;
    let with =
        |table: Option<RouteTable>| on_subnet(case, move |subnet| subnet.route_table = Known::Known(table.clone()));
    Some(Gap::new(format!("route table of the subnet '{}'", id.name()), missing, [None, filtering()].map(with)))
}

/// The group of the interface of the Azure VM that looked.
fn group_of_interface<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let vm = case.probe?.vantage.azure_vm.known()?.as_ref()?;
    let read = &case.config.client_interface;
    let missing = match read {
        Known::Unknown(missing) => missing,
        Known::Known(interface) => Some(interface).filter(|i| i.machine == vm.id)?.network_security_group.missing()?,
    };
    let id = read.known().map(|interface| interface.id.clone()).or_else(|| nobodys("networkInterfaces"))?;
    let with = |group: Option<NetworkSecurityGroup>| {
        let interface =
            ClientInterface { machine: vm.id.clone(), id: id.clone(), network_security_group: Known::Known(group) };
        Supposed::of(case).config(|config| config.client_interface = Known::Known(interface))
    };
    Some(Gap::new(
        format!("security group of the interface of '{}'", vm.id.name()),
        missing,
        [None, denying()].map(with),
    ))
}

/// A network that could not be read: its peerings and its name servers count.
fn network<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let (id, missing) =
        case.config.virtual_networks.iter().find_map(|read| Some((&read.id, read.network.missing()?)))?;
    let others: Vec<ResourceId> = private_networks(case).into_iter().chain(case.place.network.clone()).collect();
    let servers = name_servers(case, id);
    let with = |remotes: &[ResourceId], dns_servers: &[IpAddr]| {
        let peerings = remotes.iter().map(|remote| Peering {
            name: None,
            remote: remote.clone(),
            state: "Connected".to_owned(),
            unrecognised: Unrecognised::new(),
        });
        let network = VirtualNetwork {
            address_space: Vec::new(),
            dns_servers: dns_servers.to_vec(),
            peerings: peerings.collect(),
            unrecognised: Unrecognised::new(),
        };
        Supposed::of(case).config(|config| {
            for read in config.virtual_networks.iter_mut().filter(|read| read.id == *id) {
                read.network = Known::Known(Some(network.clone()));
            }
        })
    };
    let azure = std::iter::once(Vec::new());
    let all = azure.chain(servers).flat_map(|servers| [with(&[], &servers), with(&others, &servers)]);
    let all: Vec<_> = all.collect();
    Some(Gap::new(format!("virtual network '{}'", id.name()), missing, all))
}

/// Name servers that a network may have instead of Azure's: those that the client asks, or one in another network.
fn name_servers(case: &Case<'_>, network: &ResourceId) -> Vec<Vec<IpAddr>> {
    let asked = case.probe.map(|probe| probe.vantage.resolvers.iter().map(SocketAddr::ip).collect());
    let others = case.config.virtual_networks.iter().filter(|read| read.id != *network);
    let within = others.filter_map(|read| Some(vec![read.network.known()?.as_ref()?.address_space.first()?.addr()]));
    asked.into_iter().chain(within.take(PLACES)).collect()
}

fn provider<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let missing = case.config.subscriptions.iter().find_map(|s| s.container_registry_provider.missing())?;
    let with = |state: &str| {
        Supposed::of(case).config(|config: &mut ConfigFacts| {
            for subscription in &mut config.subscriptions {
                if !subscription.container_registry_provider.is_known() {
                    subscription.container_registry_provider = Known::Known(state.to_owned());
                }
            }
        })
    };
    let states = ["Registered", "NotRegistered"].map(with);
    Some(Gap::new("registration of Microsoft.ContainerRegistry", missing, states))
}

/// The networks in which the registry's private endpoints stand.
fn private_networks(case: &Case<'_>) -> Vec<ResourceId> {
    let connections = case.registry.and_then(|r| r.private_endpoint_connections.known()).into_iter().flatten();
    let endpoints = connections.filter_map(|c| c.endpoint());
    let mut networks: Vec<ResourceId> = endpoints.filter_map(PrivateEndpoint::virtual_network).collect();
    networks.sort();
    networks.dedup();
    networks.truncate(PLACES);
    networks
}

/// In each subnet that a rule names or that was read; and in none of Azure's.
fn own_subnet<'a>(case: &Case<'a>, unknown: &UnknownFact) -> Gap<'a> {
    let ruled = case.subnet_rules().unwrap_or_default().into_iter();
    let mut places: Vec<&ResourceId> = Vec::new();
    for id in ruled.chain(case.config.subnets.iter().map(|read| &read.id)) {
        if !places.contains(&id) && places.len() < PLACES {
            places.push(id);
        }
    }
    let worlds: Vec<_> =
        places.into_iter().map(|id| in_subnet(case, Some(id))).chain([in_subnet(case, None)]).collect();
    Gap::new(unknown.fact.clone(), &missing(unknown), worlds)
}

fn in_subnet<'a>(case: &Case<'a>, subnet: Option<&ResourceId>) -> Supposed<'a> {
    Supposed::of(case).probe(|probe| {
        probe.vantage.subnet = Known::Known(subnet.cloned());
        probe.vantage.virtual_network = Known::Known(subnet.and_then(ResourceId::virtual_network));
    })
}

/// In each network of a private endpoint; and in none of Azure's.
fn own_network<'a>(case: &Case<'a>, unknown: &UnknownFact) -> Gap<'a> {
    let networks = private_networks(case).into_iter().map(Some).chain([None]);
    let with = |network| Supposed::of(case).probe(|probe| probe.vantage.virtual_network = Known::Known(network));
    Gap::new(unknown.fact.clone(), &missing(unknown), networks.map(with).collect::<Vec<_>>())
}

/// The client's subnet, of which nothing is known, with a service endpoint policy and without.
fn policies<'a>(case: &Case<'a>, unknown: &UnknownFact) -> Gap<'a> {
    let id = nobodys("virtualNetworks").and_then(|network| format!("{network}/subnets/supposed").parse().ok());
    let with = |id: &ResourceId, policies: Vec<ResourceId>| {
        let subnet = Subnet { service_endpoint_policies: policies, ..plain() };
        let read = SubnetRead { id: id.clone(), subnet: Known::Known(Some(subnet)) };
        in_subnet(case, Some(id)).config(|config| config.subnets.push(read))
    };
    let worlds = id.iter().flat_map(|id: &ResourceId| {
        [with(id, Vec::new()), with(id, nobodys("serviceEndpointPolicies").into_iter().collect())]
    });
    Gap::new("service endpoint policies of the client's subnet", &missing(unknown), worlds.collect::<Vec<_>>())
}

fn missing(unknown: &UnknownFact) -> Unknown {
    Unknown { why: unknown.why.clone(), needs: unknown.needs.clone() }
}

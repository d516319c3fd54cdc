//! What mends name resolution: records, zones, forwarders.

use std::net::IpAddr;

use crate::facts::dns::DnsObservation;
use crate::facts::network::{PrivateDnsZone, PrivateEndpoint};
use crate::facts::{Change, EndpointObservation, Fix, Fqdn, ResourceId};
use crate::reconcile::case::Case;
use crate::reconcile::command::private_link;
use crate::reconcile::place::is_private;
use crate::reconcile::sentence::within;

use super::dns_zone::resolving_network;

/// Azure's own resolver, as every virtual network sees it.
pub(super) const AZURE_DNS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(168, 63, 129, 16));

/// The record of a host, in the zone where it belongs.
pub(super) fn record_fixes(zone: Option<&(&PrivateDnsZone, String)>, address: Option<IpAddr>, host: &Fqdn) -> Vec<Fix> {
    match (zone, address) {
        (Some((zone, record)), Some(address)) => vec![private_link::add_record(&zone.id, record, address)],
        (Some((zone, record)), None) => vec![Fix::advice(format!(
            "Add an A record '{record}' with the private endpoint's address for {host} to the zone {}",
            zone.name
        ))],
        (None, Some(address)) => {
            vec![Fix::advice(format!("Add an A record for {host} → {address} to the private zone that answers here"))]
        }
        (None, None) => vec![Fix::advice(format!(
            "Add an A record for {host} to the private zone that answers here, or set the fallback to internet on the zone's link"
        ))],
    }
}

/// What mends the client's own DNS, where the zone in Azure is right: the record, or a forwarder for all of them.
pub(super) fn client_record_fixes(case: &Case<'_>, endpoint: &EndpointObservation, address: IpAddr) -> Vec<Fix> {
    let (host, servers) = (&endpoint.host, custom_servers(endpoint));
    if servers.is_empty() {
        return vec![Fix::advice(format!(
            "Add the record {host} → {address} where this client's names are kept, or forward {} from there to {AZURE_DNS} (in a network that the zone is linked to)",
            case.config.cloud.registry_suffix
        ))];
    }
    let record = Fix::advice(format!("Add the record {host} → {address} on {}", shown(&servers)));
    let forward = forward(case, &servers);
    vec![record.change(Change::ResolverRecord { servers, name: host.clone(), address: Some(address) }), forward]
}

/// What corrects a record that no private zone holds which was read: a resolver of one's own keeps it, as far as is known.
pub(super) fn stale_record_fix(endpoint: &EndpointObservation, stale: IpAddr, right: Option<IpAddr>) -> Fix {
    let (host, servers) = (&endpoint.host, custom_servers(endpoint));
    let place = if servers.is_empty() { "the resolver".to_owned() } else { shown(&servers) };
    let whose = "(a custom zone, or a private zone that could not be read)";
    let fix = Fix::advice(match right {
        Some(right) => format!("Correct {host} → {stale} to {right} where {place} keeps it {whose}"),
        None => format!("Remove {host} → {stale} where {place} keeps it {whose}"),
    });
    if servers.is_empty() {
        return fix;
    }
    fix.change(Change::ResolverRecord { servers, name: host.clone(), address: right })
}

/// Addresses, one after the other.
pub(super) fn shown(servers: &[IpAddr]) -> String {
    servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The name servers that answered, except for Azure's own.
fn custom_servers(endpoint: &EndpointObservation) -> Vec<IpAddr> {
    let servers = endpoint.dns.iter().flat_map(DnsObservation::real_servers);
    servers.map(|s| s.server.ip()).filter(|ip| *ip != AZURE_DNS).collect()
}

/// Whether a name was asked of resolvers on the internet alone: no link and no forwarder reaches them.
pub(super) fn asks_the_internet(endpoint: &EndpointObservation) -> bool {
    let mut servers = endpoint.dns.iter().flat_map(DnsObservation::real_servers).map(|s| s.server.ip()).peekable();
    servers.peek().is_some() && servers.all(|ip| ip != AZURE_DNS && !is_private(ip))
}

/// What brings the private answer to a client that gets the public one.
pub(super) fn public_answer_fixes(
    case: &Case<'_>,
    login: &EndpointObservation,
    endpoint: &PrivateEndpoint,
) -> Vec<Fix> {
    let servers = custom_servers(login);
    // A link counts only where the names are resolved: in the client's network, or in that of its own DNS server.
    let resolving = resolving_network(case);
    let zones: Vec<&PrivateDnsZone> = case.zones_for(&login.host).into_iter().map(|(zone, _)| zone).collect();
    let linked = |network: &ResourceId| zones.iter().any(|zone| zone.is_linked_to(network) == Some(true));
    if asks_the_internet(login) {
        let network = case.place.network.as_ref().filter(|network| !linked(network));
        let link = zones.first().and_then(|zone| Some(private_link::link_zone(&zone.id, network?)));
        let ask = format!(
            "Ask the network's own DNS server ({AZURE_DNS}, where it has none) instead of {}, which sees no private zone",
            shown(&servers)
        );
        // The command does half: which file names the servers is the host's matter.
        return vec![match link {
            Some(link) => Fix { summary: format!("{ask}, once it is linked: {}", within(&link.summary)), ..link },
            None => Fix::advice(ask),
        }];
    }
    match (zones.first(), &resolving) {
        (Some(zone), Some(network)) if !linked(network) => vec![private_link::link_zone(&zone.id, network)],
        _ if !servers.is_empty() => vec![forward(case, &servers)],
        (None, Some(network)) if case.config.private_dns_zones.is_known() => vec![new_zone(case, endpoint, network)],
        _ => vec![Fix::advice(format!(
            "Create the zone {} with the records of the private endpoint '{}' and link it to the client's network",
            case.config.cloud.private_zone,
            endpoint.id.name()
        ))],
    }
}

/// A conditional forwarder to Azure's own resolver.
pub(super) fn forward(case: &Case<'_>, servers: &[IpAddr]) -> Fix {
    let zone = case.config.cloud.registry_suffix.clone();
    Fix::advice(format!(
        "Forward {zone} on the resolver {} to {AZURE_DNS} (a conditional forwarder in a network that the private zone is linked to)",
        shown(servers)
    ))
    .change(Change::Forward { servers: servers.to_vec(), zone, to: AZURE_DNS })
}

/// A zone with the private endpoint's records, where there is none.
fn new_zone(case: &Case<'_>, endpoint: &PrivateEndpoint, network: &ResourceId) -> Fix {
    let (subscription, group) = (endpoint.id.subscription(), endpoint.id.resource_group().unwrap_or_default());
    let name = &case.config.cloud.private_zone;
    let summary = format!("Create the zone {name} with the records of '{}'", endpoint.id.name());
    let id = format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/privateDnsZones/{name}"
    );
    let Ok(zone) = id.parse() else { return Fix::advice(summary) };
    let steps = [private_link::create_zone(&zone), private_link::link_zone(&zone, network)];
    Fix::steps(summary, steps.into_iter().chain([private_link::zone_group(&endpoint.id, &zone)]))
}

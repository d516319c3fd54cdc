//! One private zone for several private endpoints of a registry: whoever writes a record last has it.

use std::net::IpAddr;

use serde_json::json;

use crate::facts::endpoints::endpoints;
use crate::facts::network::{PrivateDnsZone, PrivateEndpoint};
use crate::facts::registry::ConnectionStatus;
use crate::facts::{Fix, Fqdn, Region, RegistryConfig, ResourceId, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::command::{self, private_link};
use crate::reconcile::evidence;
use crate::reconcile::place::Place;
use crate::reconcile::rule::Draft;

use super::dns_zone::resolving_for;
use super::network::list_of;

/// A name that a network resolves to somebody else's address.
struct Misled<'a> {
    host: Fqdn,
    zone: &'a PrivateDnsZone,
    record: String,
    address: IpAddr,
    owner: &'a PrivateEndpoint,
}

/// The networks with a private endpoint of their own to which a shared zone gives the address of another one.
pub(super) fn networks_misled(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else { return Vec::new() };
    let mut told: Vec<ResourceId> = Vec::new();
    // What this client met is known better.
    told.extend(case.place.network.clone().filter(|_| case.probe.is_some()));
    let mut drafts = Vec::new();
    for connection in case.approved() {
        let Some(near) = connection.private_endpoint.known().and_then(Option::as_ref) else { continue };
        let Some(network) = near.virtual_network().filter(|network| !told.contains(network)) else { continue };
        if let Some(draft) = misled(case, registry, near, &network) {
            drafts.push(if case.probe.is_some() { draft.bystander() } else { draft });
            told.push(network);
        }
    }
    drafts
}

fn misled(case: &Case<'_>, registry: &RegistryConfig, near: &PrivateEndpoint, network: &ResourceId) -> Option<Draft> {
    let resolver = resolving_for(case, network)?;
    let hosts = endpoints(registry, &case.config.cloud).into_iter().map(|e| e.host);
    let wrong: Vec<Misled<'_>> = hosts.filter_map(|host| wrong_address(case, &host, network, &resolver)).collect();
    let Misled { zone, record, address, owner, .. } = wrong.first()?;
    let names: Vec<&Fqdn> = wrong.iter().map(|m| &m.host).collect();
    let (near_name, owner_name) = (near.id.name(), owner.id.name());
    let theirs = owner.virtual_network();
    let theirs = theirs.as_ref().map_or("another network", |n| n.name());
    Some(
        Draft::new(
            format!("The network '{}' gets another network's private endpoint for {}", network.name(), list_of(&names)),
            format!(
                "The record '{record}' of the zone {} holds {address} of '{owner_name}' in '{theirs}', which is not peered with '{}'; its own private endpoint is '{near_name}'. Zone groups that share a zone overwrite each other's record.",
                zone.name, network.name(),
            ),
        )
        .severity(Severity::Warning)
        .likely()
        .about(names)
        .seen(wrong.iter().map(|m| {
            evidence::config(&m.zone.id, &format!("/A/{}", m.record), json!([m.address.to_string()]))
        }))
        .seen([evidence::config(&owner.id, "/properties/subnet", owner.subnet.as_ref().map_or("", |s| s.as_str()))])
        .mend([own_zone(case, Some(network), near, Some(zone))]),
    )
}

/// The record for a host that a network sees, where its address is that of a private endpoint out of reach.
fn wrong_address<'a>(case: &Case<'a>, host: &Fqdn, network: &ResourceId, resolver: &ResourceId) -> Option<Misled<'a>> {
    let from = Place { network: Some(network.clone()), ..Place::default() };
    let out_of_reach = |owner: &PrivateEndpoint| {
        owner.virtual_network().is_some_and(|theirs| from.reaches(case.config, &theirs) == Some(false))
    };
    let seen = |zone: &PrivateDnsZone| zone.is_linked_to(resolver) == Some(true);
    case.zones_for(host).into_iter().filter(|(zone, _)| seen(zone)).find_map(|(zone, record)| {
        let addresses = &case.record(zone, &record)?.addresses;
        let (address, owner) = addresses.iter().find_map(|ip| {
            let (connection, owner) = case.owner_of(*ip)?;
            (connection.status == ConnectionStatus::Approved && out_of_reach(owner)).then_some((*ip, owner))
        })?;
        Some(Misled { host: host.clone(), zone, record, address, owner })
    })
}

/// A zone for one network alone: in a resource group of its own, since a group holds a zone's name once; linked
/// in place of the shared one, since a network sees one zone of a name.
pub(super) fn own_zone(
    case: &Case<'_>,
    network: Option<&ResourceId>,
    near: &PrivateEndpoint,
    shared: Option<&PrivateDnsZone>,
) -> Fix {
    let name = case.config.cloud.private_zone.as_str();
    let advice = || {
        Fix::advice(format!(
            "Give this network a zone {name} of its own, in which '{}' keeps its records",
            near.id.name()
        ))
    };
    let (Some(network), Some(shared)) = (network, shared) else { return advice() };
    let group = format!("{}-dns", network.name());
    let id = format!(
        "/subscriptions/{}/resourceGroups/{group}/providers/Microsoft.Network/privateDnsZones/{name}",
        near.id.subscription()
    );
    let Ok(zone) = id.parse() else { return advice() };
    let link = shared.links.known().into_iter().flatten().find(|link| link.virtual_network == *network);
    let groups = near.dns_zone_groups.known().map_or(&[][..], Vec::as_slice);
    let leave = groups.iter().map(|old| private_link::delete_zone_group(&near.id, &old.name));
    let steps = near
        .location
        .iter()
        .map(|location| new_group(&zone, &group, location))
        .chain([private_link::create_zone(&zone)])
        .chain(leave)
        .chain(link.map(|link| private_link::unlink_zone(&shared.id, &link.name)))
        .chain([private_link::link_zone(&zone, network), private_link::zone_group(&near.id, &zone)]);
    Fix::steps(format!("Give the network '{}' a zone of its own, instead of {}", network.name(), shared.id), steps)
}

/// A resource group for a zone.
fn new_group(zone: &ResourceId, name: &str, location: &Region) -> Fix {
    let words = ["az", "group", "create", "-n", name, "--location", location.as_str(), "--subscription"];
    let fix = Fix::command(
        format!("Create the resource group '{name}'"),
        command::line(words.into_iter().chain([zone.subscription()])),
    )
    .iac("Microsoft.Resources/resourceGroups", "azurerm_resource_group");
    let id = format!("/subscriptions/{}/resourceGroups/{name}", zone.subscription());
    command::put(fix, &id, json!({ "location": location.as_str() }))
}

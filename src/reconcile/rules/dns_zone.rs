//! Private DNS zones as a whole: links, fallback, zone groups.

use serde_json::json;

use crate::facts::config::LookupOutcome;
use crate::facts::network::{PrivateDnsZone, RecordSet, VirtualNetworkLink};
use crate::facts::{EndpointObservation, Fix, Fqdn, ResourceId, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::command::{self, private_link};
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

use super::dns_mend::asks_the_internet;
use super::dns_private::{missing_in_private_zone, place_evidence, public_answer};

pub(super) static RULES: &[&Rule] = &[&PRIVATE_ZONE_NOT_LINKED, &ZONE_SHADOWS_REGISTRY, &ZONE_GROUP_MISSING];

declare_finding! {
    /// The private DNS zone has the record, and is not linked to the client's network.
    ///
    /// ## Why it matters
    /// A private zone answers only in networks that it is linked to; everywhere else the public name answers, and the
    /// private endpoint stands unused.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '203.0.113.5' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`
    /// - nslookup shows a public address inside the virtual network
    ///
    /// ## What decides it
    /// A zone that could be read has the record with an approved private endpoint's address, none of its links names the
    /// network in which the client's names are resolved (the client's own, or that of its custom DNS server), and the
    /// resolver gives a public address. Where nobody looked it is a likely warning, and only of a zone without any link.
    ///
    /// ## Fix
    /// The virtual network link.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    PRIVATE_ZONE_NOT_LINKED = "dns/private-zone-not-linked", Error, article "container-registry-private-link",
    explains ["dns/public-answer-for-private-endpoint", "dns/resolvers-disagree", "firewall/public-access-disabled",
        "firewall/client-ip-not-allowed", "network/blocked-silently", "network/data-endpoint-blocked",
        "network/refused", "network/unreachable", "network/nsg-blocks-outbound", "network/egress-through-firewall"],
    private_zone_not_linked;
}

/// The network whose links decide about the client's names.
pub(super) fn resolving_network(case: &Case<'_>) -> Option<ResourceId> {
    resolving_for(case, case.place.network.as_ref()?)
}

/// The network whose links decide about the names that one asks for: its own, or the one that its custom DNS server is
/// in. `None`: the server is in no network that could be read, so links are beside the point.
pub(super) fn resolving_for(case: &Case<'_>, own: &ResourceId) -> Option<ResourceId> {
    let servers = case.network(own).map_or(&[][..], |n| n.dns_servers.as_slice());
    let azure = |ip: &std::net::IpAddr| *ip == super::dns_mend::AZURE_DNS;
    if servers.is_empty() || servers.iter().any(azure) {
        return Some(own.clone());
    }
    let holds = |id: &ResourceId| {
        case.network(id).is_some_and(|n| servers.iter().any(|s| n.address_space.iter().any(|r| r.contains(s))))
    };
    std::iter::once(own).chain(case.config.virtual_networks.iter().map(|n| &n.id)).find(|id| holds(id)).cloned()
}

/// A zone that has a host's record at an approved private endpoint's address, without a link to a network.
pub(super) fn unlinked<'a>(
    case: &Case<'a>,
    host: &Fqdn,
    network: &ResourceId,
) -> Option<(&'a PrivateDnsZone, &'a RecordSet)> {
    let zones = case.zones_for(host);
    if zones.iter().any(|(zone, _)| zone.is_linked_to(network) != Some(false)) {
        return None;
    }
    zones.into_iter().find_map(|(zone, name)| {
        let record = case.record(zone, &name)?;
        let approved = |ip: &std::net::IpAddr| {
            case.owner_of(*ip).map_or(!case.all_addresses_known() && !case.approved().is_empty(), |(c, _)| {
                c.status == crate::facts::registry::ConnectionStatus::Approved
            })
        };
        record.addresses.iter().any(approved).then_some((zone, record))
    })
}

/// Whether the private endpoint that a record names stands in a network that the client does not reach.
fn out_of_reach(case: &Case<'_>, record: &RecordSet) -> bool {
    record.addresses.iter().filter_map(|ip| case.owner_of(*ip)).any(|(_, endpoint)| {
        endpoint.virtual_network().is_some_and(|n| case.place.reaches(case.config, &n) == Some(false))
    })
}

fn private_zone_not_linked(case: &Case<'_>) -> Vec<Draft> {
    if case.probe.is_none() {
        return super::dns_unseen::zone_without_links(case).into_iter().collect();
    }
    let asks = |e: &EndpointObservation| !is_pinned(e) && !asks_the_internet(e);
    let Some(login) = case.login().filter(|e| public_answer(e).is_some() && asks(e)) else {
        return Vec::new();
    };
    let Some(network) = resolving_network(case) else {
        return Vec::new();
    };
    let Some((zone, record)) = unlinked(case, &login.host, &network).filter(|(_, r)| !out_of_reach(case, r)) else {
        return Vec::new();
    };
    let broken = !case.login_symptom().is_reached();
    // A client that gets in over the public endpoint may well be meant to: only where the private one is within reach.
    if !broken && case.usable().is_empty() {
        return Vec::new();
    }
    let hosts = case.data_endpoints().filter(|e| public_answer(e).is_some() && !is_pinned(e)).map(|e| &e.host);
    let shown: Vec<String> = record.addresses.iter().map(ToString::to_string).collect();
    let links: Vec<&str> = zone.links.known().into_iter().flatten().map(|l| l.virtual_network.name()).collect();
    let draft = Draft::new(
        format!("The private DNS zone {} is not linked to the network '{}'", zone.name, network.name()),
        format!(
            "The zone has the record '{}' with {}, and this network does not see it: {} resolves to a public address.",
            record.name,
            shown.join(", "),
            login.host
        ),
    )
    .about(std::iter::once(&login.host).chain(hosts))
    .seen([
        evidence::config(&zone.id, "/virtualNetworkLinks", json!(links)),
        evidence::config(&zone.id, &format!("/A/{}", record.name), json!(shown)),
        evidence::dns(login),
        place_evidence(case),
    ])
    .mend([private_link::link_zone(&zone.id, &network)]);
    // Whether the record's address is within reach is only sure where a private endpoint is known to be.
    let own = case.config.virtual_networks.iter().find(|n| Some(&n.id) == case.place.network.as_ref());
    let servers_known = own.is_none_or(|n| n.network.is_known());
    let sure = !case.place.by_address && servers_known && case.all_addresses_known() && !case.usable().is_empty();
    let draft = if sure { draft } else { draft.likely() };
    vec![if broken { draft } else { draft.severity(Severity::Warning) }]
}

/// Whether the hosts file answers for an endpoint: then no zone has a say.
pub(super) fn is_pinned(endpoint: &EndpointObservation) -> bool {
    endpoint.dns.as_ref().is_some_and(|d| !d.hosts_file.is_empty())
}

declare_finding! {
    /// A private zone of our own hides the public name of a registry that is not ours.
    ///
    /// ## Why it matters
    /// Every registry with a private endpoint anywhere is an alias into `privatelink.azurecr.io`. A network with a linked
    /// zone of that name asks that zone alone, which knows only its own registries.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup partnerregistry.azurecr.io: no such host`, from one network only
    ///
    /// ## What decides it
    /// The chain leads into `privatelink.azurecr.io` and ends in NXDOMAIN; a private zone of that name is ours (and linked
    /// to the client's network, where that is known) and lacks the record; and the registry is in none of the
    /// subscriptions that this identity sees.
    ///
    /// ## Fix
    /// Fallback to internet on the zone's link (`NxDomainRedirect`), or a private endpoint and record of one's own for
    /// that registry.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/dns/private-dns-fallback>
    ZONE_SHADOWS_REGISTRY = "dns/zone-shadows-registry", Error,
    article "https://learn.microsoft.com/azure/dns/private-dns-fallback",
    explains ["access/registry-not-found"], zone_shadows_registry;
}

/// The zone of ours that hides a host of a registry that is known not to be ours.
pub(super) fn shadowing_zone<'a>(case: &Case<'a>, host: &Fqdn) -> Option<&'a PrivateDnsZone> {
    if !case.lookup().is_some_and(|l| matches!(l.outcome, LookupOutcome::NotFound { .. })) {
        return None;
    }
    let mut zones = case.zones_for(host);
    zones.retain(|(zone, name)| case.linked_here(zone) != Some(false) && case.record(zone, name).is_none());
    zones.sort_by_key(|(zone, _)| case.linked_here(zone) != Some(true));
    zones.first().map(|(zone, _)| *zone)
}

fn zone_shadows_registry(case: &Case<'_>) -> Vec<Draft> {
    let hidden: Vec<_> = case.endpoints().filter(|e| missing_in_private_zone(case, e)).collect();
    let Some((first, zone)) = hidden.first().and_then(|e| Some((e, shadowing_zone(case, &e.host)?))) else {
        return Vec::new();
    };
    let links = zone.links.known().map_or(&[][..], Vec::as_slice);
    let here = links.iter().find(|l| Some(&l.virtual_network) == case.place.network.as_ref());
    let link = here.or(links.first().filter(|_| links.len() == 1));
    let record = case.record_name(&first.host);
    let draft = Draft::new(
        format!("Your private DNS zone {} hides {}", zone.name, first.host),
        format!(
            "The registry is in none of your subscriptions, and its name is an alias into {}, for which your own zone answers: it has no record '{record}', so the name does not exist here, and its public address is never asked for.",
            zone.name
        ),
    )
    .about(hidden.iter().map(|e| &e.host))
    .seen([evidence::dns(first), evidence::config(&zone.id, &format!("/A/{record}"), serde_json::Value::Null)])
    .seen(link.map(|l| {
        let policy = l.resolution_policy.known().map_or("Default", |p| p.as_str());
        evidence::config(&link_id(zone, l), "/properties/resolutionPolicy", policy)
    }))
    .mend(link.map(|l| fall_back(zone, l)))
    .mend([Fix::advice(format!(
        "Or reach it by a private endpoint of your own, and add its address as the record '{record}' to the zone"
    ))]);
    vec![if case.linked_here(zone) == Some(true) { draft } else { draft.likely() }]
}

fn link_id(zone: &PrivateDnsZone, link: &VirtualNetworkLink) -> String {
    format!("{}/virtualNetworkLinks/{}", zone.id, link.name)
}

/// Fallback to internet on a link.
fn fall_back(zone: &PrivateDnsZone, link: &VirtualNetworkLink) -> Fix {
    let mut words = vec!["az", "network", "private-dns", "link", "vnet", "update"];
    words.extend(command::scope(&zone.id));
    words.extend(["--zone-name", zone.name.as_str(), "-n", &link.name, "--resolution-policy", "NxDomainRedirect"]);
    let fix =
        Fix::command(format!("Let names that {} lacks fall back to the internet", zone.name), command::line(words))
            .iac(
                "Microsoft.Network/privateDnsZones/virtualNetworkLinks properties.resolutionPolicy",
                "azurerm_private_dns_zone_virtual_network_link.resolution_policy",
            );
    match link_id(zone, link).parse() {
        Ok(resource) => fix.change(crate::facts::Change::Patch {
            resource,
            merge: json!({ "properties": { "resolutionPolicy": "NxDomainRedirect" } }),
        }),
        Err(_) => fix,
    }
}

declare_finding! {
    /// A private endpoint has no private DNS zone group.
    ///
    /// ## Why it matters
    /// Nobody keeps its records: a new replica's data endpoint, or a changed address, must be entered by hand, and pulls
    /// fail until somebody does.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup myregistry.northeurope.data.azurecr.io: no such host`, after a replica was added
    ///
    /// ## What decides it
    /// An approved connection's private endpoint was read, and has no zone group.
    ///
    /// ## Fix
    /// A zone group with the private zone; existing records are taken over.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    ZONE_GROUP_MISSING = "dns/zone-group-missing", Warning, article "container-registry-private-link",
    explains [], zone_group_missing;
}

fn zone_group_missing(case: &Case<'_>) -> Vec<Draft> {
    let approved = case.approved();
    let endpoints = approved.iter().filter_map(|c| c.endpoint());
    endpoints
        .filter(|e| e.dns_zone_groups.known().is_some_and(Vec::is_empty))
        .map(|endpoint| {
            let zone = case.zones().iter().find(|z| z.name.as_str() == case.config.cloud.private_zone);
            Draft::new(
                format!("The private endpoint '{}' has no DNS zone group", endpoint.id.name()),
                "Its records are kept by hand: a new replica's data endpoint will not resolve until somebody adds it.",
            )
            .seen([evidence::config(&endpoint.id, "/privateDnsZoneGroups", json!([]))])
            .mend([zone.map_or_else(
                || Fix::advice(format!("Create a zone group with the zone {}", case.config.cloud.private_zone)),
                |zone| private_link::zone_group(&endpoint.id, &zone.id),
            )])
        })
        .collect()
}

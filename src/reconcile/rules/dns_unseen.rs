//! Private zones that are not whole, judged from the configuration alone: nobody looked from a network that sees them.

use serde_json::{Value, json};

use crate::facts::endpoints::endpoints;
use crate::facts::network::{PrivateDnsZone, PrivateEndpoint};
use crate::facts::{EndpointRole, Fqdn, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::command::private_link;
use crate::reconcile::evidence;
use crate::reconcile::rule::Draft;

/// An approved private endpoint, and the zone that has its address for the login server.
type Served<'a> = (&'a PrivateEndpoint, &'a PrivateDnsZone, String);

fn served<'a>(case: &Case<'a>) -> Vec<Served<'a>> {
    let Some(registry) = case.registry else { return Vec::new() };
    let login = &registry.login_server;
    let endpoints = case.approved().into_iter().filter_map(|c| c.endpoint());
    endpoints
        .filter_map(|endpoint| {
            let address = case.private_address_for(endpoint, login)?;
            let mut zones = case.zones_for(login).into_iter();
            let holds = |zone: &PrivateDnsZone, name: &str| {
                case.record(zone, name).is_some_and(|record| record.addresses.contains(&address))
            };
            zones.find(|(zone, name)| holds(zone, name)).map(|(zone, name)| (endpoint, zone, name))
        })
        .collect()
}

/// The data endpoints for which a private endpoint has an address and no zone a record, although one has the login server's.
pub(super) fn records_lacking(case: &Case<'_>, home: bool) -> Vec<Draft> {
    let Some(registry) = case.registry else { return Vec::new() };
    let all = endpoints(registry, &case.config.cloud).into_iter();
    let data = all.filter(|e| e.role == EndpointRole::Data && case.is_home(e.region.as_ref()) == home);
    let served = served(case);
    data.filter_map(|e| served.iter().find_map(|one| record_lacking(case, one, &e.host))).collect()
}

fn record_lacking(case: &Case<'_>, (endpoint, zone, login): &Served<'_>, host: &Fqdn) -> Option<Draft> {
    let address = case.private_address_for(endpoint, host)?;
    let zones = case.zones_for(host);
    if zones.iter().any(|(zone, name)| !zone.records.is_known() || case.record(zone, name).is_some()) {
        return None;
    }
    let (_, record) = zones.iter().find(|(own, _)| own.id == zone.id)?;
    Some(
        Draft::new(
            format!("The private DNS zone has no record for the data endpoint {host}"),
            format!(
                "The zone {} has the address of '{}' for the login server, and nothing for {host} (it should be {address}): in networks that see it, login works and pulls fail.",
                zone.name,
                endpoint.id.name()
            ),
        )
        .severity(Severity::Warning)
        .likely()
        .about([host])
        .seen([
            evidence::config(&zone.id, &format!("/A/{login}"), case.record(zone, login).map_or(Value::Null, |r| json!(r.addresses))),
            evidence::config(&zone.id, &format!("/A/{record}"), Value::Null),
            evidence::config(&endpoint.id, "/properties/networkInterfaces", json!({ host.as_str(): address })),
        ])
        .mend([private_link::add_record(&zone.id, record, address)]),
    )
}

/// A zone with a private endpoint's record that no network sees: not even that of a DNS server which others ask.
pub(super) fn zone_without_links(case: &Case<'_>) -> Option<Draft> {
    // Of a cluster's own network more is known.
    let registry = case.registry.filter(|_| case.config.cluster.is_none())?;
    let unseen = |zone: &PrivateDnsZone| zone.links.known().is_some_and(Vec::is_empty);
    if !case.zones_for(&registry.login_server).iter().all(|(zone, _)| unseen(zone)) {
        return None;
    }
    let (endpoint, zone, record) = served(case).into_iter().next()?;
    let network = endpoint.virtual_network();
    Some(
        Draft::new(
            format!("The private DNS zone {} is linked to no network", zone.name),
            format!(
                "It has the record '{record}' with the address of '{}', and nobody sees it: names resolve to public addresses, and the private endpoint stands unused.",
                endpoint.id.name()
            ),
        )
        .severity(Severity::Warning)
        .likely()
        .about([&registry.login_server])
        .seen([
            evidence::config(&zone.id, "/virtualNetworkLinks", json!([])),
            evidence::config(&zone.id, &format!("/A/{record}"), case.record(zone, &record).map_or(Value::Null, |r| json!(r.addresses))),
        ])
        .mend(network.map(|network| private_link::link_zone(&zone.id, &network))),
    )
}

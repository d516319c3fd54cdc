//! Addresses that DNS gives and that are not where this client should go.

use std::net::IpAddr;

use serde_json::json;

use crate::facts::network::{PrivateDnsZone, PrivateEndpoint};
use crate::facts::registry::ConnectionStatus;
use crate::facts::{EndpointObservation, Fix, Fqdn};
use crate::reconcile::case::Case;
use crate::reconcile::command::{self, private_link};
use crate::reconcile::evidence;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;

use super::dns_mend::stale_record_fix;
use super::dns_private::place_evidence;
use super::dns_shared_zone::own_zone;
use super::dns_zone::is_pinned;
use super::network::list_of;

pub(super) static RULES: &[&Rule] = &[&ADDRESS_OF_ANOTHER_ENDPOINT, &STALE_PRIVATE_ADDRESS, &PRIVATELINK_NAME_USED];

/// The private addresses that DNS gave for an endpoint that then failed.
fn failing_private(endpoint: &EndpointObservation) -> Vec<IpAddr> {
    if Symptom::of(endpoint).is_reached() || is_pinned(endpoint) {
        return Vec::new();
    }
    endpoint.dns.iter().flat_map(|d| d.answer.ips()).filter(|ip| is_private(*ip)).collect()
}

/// The zone and record that hold an address for a host, if they were read.
fn record_with<'a>(case: &Case<'a>, host: &Fqdn, address: IpAddr) -> Option<(&'a PrivateDnsZone, String)> {
    case.zones_for(host)
        .into_iter()
        .find(|(zone, name)| case.record(zone, name).is_some_and(|r| r.addresses.contains(&address)))
}

declare_finding! {
    /// DNS gives the address of another private endpoint of this registry, in a network that the client does not reach.
    ///
    /// ## Why it matters
    /// Two private endpoints whose zone groups write into one zone overwrite each other's record: the last one wins, for
    /// every network linked to that zone.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 10.2.0.4:443: i/o timeout`, since another network got its private endpoint
    ///
    /// ## What decides it
    /// The address is owned by an approved private endpoint of this registry whose network is not the client's and not
    /// peered with it, while another private endpoint is within reach. Of networks in which nobody looked it is a likely
    /// warning: a zone that such a network sees holds the record, and the network has a private endpoint of its own.
    ///
    /// ## Fix
    /// A zone of its own for each region or network, in its own resource group, linked to that network alone.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    ADDRESS_OF_ANOTHER_ENDPOINT = "dns/address-of-another-endpoint", Error, article "container-registry-private-link",
    explains ["network/private-endpoint-unreachable", "network/refused", "network/data-endpoint-blocked",
        "network/nsg-blocks-outbound", "endpoint/regional-endpoint-blocked"],
    address_of_another_endpoint;
}

/// The owner of an address, where it stands in a network that the client is not known to reach.
fn elsewhere<'a>(case: &Case<'a>, address: IpAddr) -> Option<(&'a PrivateEndpoint, bool)> {
    let (connection, endpoint) = case.owner_of(address)?;
    let reached = case.place.reaches(case.config, &endpoint.virtual_network()?);
    (connection.status == ConnectionStatus::Approved && reached != Some(true))
        .then_some((endpoint, reached == Some(false)))
}

fn address_of_another_endpoint(case: &Case<'_>) -> Vec<Draft> {
    client_misled(case).into_iter().chain(super::dns_shared_zone::networks_misled(case)).collect()
}

/// What this client met.
fn client_misled(case: &Case<'_>) -> Option<Draft> {
    let usable = case.usable();
    let (_, near) = usable.first()?;
    let wrong: Vec<_> = case
        .endpoints()
        .filter_map(|e| failing_private(e).into_iter().find_map(|ip| Some((e, ip, elsewhere(case, ip)?))))
        .collect();
    let (first, address, (owner, sure)) = wrong.first()?;
    let hosts: Vec<&Fqdn> = wrong.iter().map(|(e, ..)| &e.host).collect();
    let right = case.private_address_for(near, &first.host).map(|a| format!(" ({a})")).unwrap_or_default();
    let network = owner.virtual_network();
    let network = network.as_ref().map_or("another network", |n| n.name());
    let zone = record_with(case, &first.host, *address);
    let draft = Draft::new(
        format!("{} resolves to the private endpoint '{}' of another network", list_of(&hosts), owner.id.name()),
        format!(
            "{address} belongs to '{}' in the network '{network}', which this client does not reach. The private endpoint within reach is '{}'{right}: both write their records into one zone.",
            owner.id.name(),
            near.id.name()
        ),
    )
    .about(hosts)
    .seen(wrong.iter().flat_map(|(e, ..)| [evidence::dns(e), evidence::tcp(e)]))
    .seen([evidence::config(&owner.id, "/properties/subnet", owner.subnet.as_ref().map_or("", |s| s.as_str()))])
    .seen(zone.iter().map(|(zone, name)| evidence::config(&zone.id, &format!("/A/{name}"), json!([address.to_string()]))))
    .seen([place_evidence(case)])
    .mend([own_zone(case, case.place.network.as_ref(), near, zone.as_ref().map(|(zone, _)| *zone))]);
    Some(if *sure && !case.place.by_address { draft } else { draft.likely() })
}

declare_finding! {
    /// DNS gives a private address that no private endpoint of the registry has.
    ///
    /// ## Why it matters
    /// The record outlived its private endpoint, which was deleted or made anew with another address. Nothing answers
    /// there, or somebody else does.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 10.1.0.9:443: i/o timeout`
    /// - docker: `x509: certificate is valid for other.example.com, not myregistry.azurecr.io`
    ///
    /// ## What decides it
    /// The addresses of all private endpoints of this registry were read, and the one that DNS gives is none of them.
    ///
    /// ## Fix
    /// The record corrected to the private endpoint's address, or removed where there is none any more.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    STALE_PRIVATE_ADDRESS = "dns/stale-private-address", Error, article "container-registry-private-link",
    explains ["network/private-endpoint-unreachable", "network/refused", "network/unreachable", "network/blocked-silently",
        "network/data-endpoint-blocked", "network/nsg-blocks-outbound", "tls/wrong-certificate", "tls/intercepted",
        "tls/reset-in-handshake", "tls/handshake-timeout", "endpoint/no-answer", "endpoint/not-a-registry",
        "endpoint/regional-endpoint-blocked"],
    stale_private_address;
}

fn stale_private_address(case: &Case<'_>) -> Vec<Draft> {
    let suspected = case.endpoints().any(|e| !failing_private(e).is_empty());
    let Some(registry) = case.registry.filter(|_| suspected && case.all_addresses_known()) else {
        return Vec::new();
    };
    let stale: Vec<_> = case
        .endpoints()
        .filter(|e| !matches!(Symptom::of(e), Symptom::Denied(..) | Symptom::Unavailable(_)))
        .filter_map(|e| failing_private(e).into_iter().find(|ip| case.owner_of(*ip).is_none()).map(|ip| (e, ip)))
        .collect();
    let Some((_, address)) = stale.first() else {
        return Vec::new();
    };
    let hosts: Vec<&Fqdn> = stale.iter().map(|(e, _)| &e.host).collect();
    let owned: Vec<String> = case
        .connections()
        .iter()
        .filter_map(|c| c.endpoint()?.addresses.known())
        .flatten()
        .map(|a| a.address.to_string())
        .collect();
    let has = if owned.is_empty() {
        format!("{} has no private endpoint any more", registry.name)
    } else {
        format!("its private endpoints have {}", owned.join(", "))
    };
    vec![
        Draft::new(
            format!("{} resolves to {address}, which no private endpoint has", list_of(&hosts)),
            format!("The record is left over: {has}."),
        )
        .about(hosts)
        .seen(stale.iter().flat_map(|(e, _)| [evidence::dns(e), evidence::tcp(e)]))
        .seen([evidence::registry(registry, "/properties/privateEndpointConnections", json!(owned))])
        .mend(corrections(case, &stale)),
    ]
}

/// The stale records corrected, all in one fix: one alone mends half.
fn corrections(case: &Case<'_>, stale: &[(&EndpointObservation, IpAddr)]) -> Option<Fix> {
    let mut all: Vec<Fix> = stale.iter().map(|(endpoint, ip)| correct(case, endpoint, *ip)).collect();
    if all.len() > 1 {
        return Some(Fix::steps("Correct the stale records", all.into_iter().flat_map(apart)));
    }
    all.pop()
}

/// The steps of a fix, or the fix itself: a step has none of its own.
fn apart(fix: Fix) -> Vec<Fix> {
    if fix.steps.is_empty() { vec![fix] } else { fix.steps.into_iter().map(Fix::from).collect() }
}

/// Removes a stale record, and adds the right one where a private endpoint within reach has it.
fn correct(case: &Case<'_>, endpoint: &EndpointObservation, stale: IpAddr) -> Fix {
    let usable = case.usable();
    let approved = case.approved();
    let all = approved.iter().filter_map(|c| c.endpoint());
    let right = usable.iter().map(|(_, e)| *e).chain(all).find_map(|e| case.private_address_for(e, &endpoint.host));
    let Some((zone, record)) = record_with(case, &endpoint.host, stale) else {
        return stale_record_fix(endpoint, stale, right);
    };
    let remove = private_link::remove_record(&zone.id, &record, stale);
    let steps = std::iter::once(remove).chain(right.map(|ip| private_link::add_record(&zone.id, &record, ip)));
    Fix::steps(format!("Correct the record {record} of the zone {}", zone.name), steps)
}

declare_finding! {
    /// The name asked for is the one behind private link.
    ///
    /// ## Why it matters
    /// `<registry>.privatelink.azurecr.io` is an alias for DNS alone. The certificate covers `*.azurecr.io`, which that
    /// name is not, and the registry knows nothing of it.
    ///
    /// ## How it shows
    /// - docker: `x509: certificate is valid for *.azurecr.io, not myregistry.privatelink.azurecr.io`
    ///
    /// ## What decides it
    /// The name that was given lies within the private zone.
    ///
    /// ## Fix
    /// The login server's own name, everywhere: images, logins, manifests, secrets.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    PRIVATELINK_NAME_USED = "dns/privatelink-name-used", Error, article "container-registry-private-link",
    explains ["tls/wrong-certificate", "dns/name-not-found", "dns/private-zone-record-missing",
        "access/registry-not-found", "endpoint/not-a-registry"],
    privatelink_name_used;
}

fn privatelink_name_used(case: &Case<'_>) -> Vec<Draft> {
    let Some(probe) = case.probe else { return Vec::new() };
    let zone = case.config.cloud.private_zone.as_str();
    let asked = probe.asked.parse::<Fqdn>().ok();
    let used = asked.iter().chain([&probe.login_server]).chain(probe.endpoints.iter().map(|e| &e.host));
    let Some(name) = used.into_iter().find(|n| n.is_within(zone)).cloned() else {
        return Vec::new();
    };
    let guessed = name.as_str().replacen(".privatelink.", ".", 1);
    let right = case.registry.map_or(guessed, |r| r.login_server.to_string());
    let login = case.login();
    vec![
        Draft::new(
            format!("{name} is the name behind private link, not the login server"),
            format!(
                "The registry's certificate does not cover it. Clients use {right}, which leads to the same address."
            ),
        )
        .about([&name])
        .about(login.map(|e| &e.host))
        .seen(login.map(evidence::dns))
        .seen([evidence::vantage(format!("asked for {}", probe.asked))])
        .mend([Fix::command("Use the login server's own name", command::line(["docker", "login", &right]))]),
    ]
}

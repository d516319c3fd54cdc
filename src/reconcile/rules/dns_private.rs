//! Name resolution of private endpoints: zones, records, links.

use std::net::IpAddr;

use super::dns_dropped::dropped;
use super::dns_mend::{client_record_fixes, public_answer_fixes, record_fixes};
use crate::facts::dns::DnsOutcome;
use crate::facts::network::PrivateDnsZone;
use crate::facts::{EndpointObservation, EndpointRole, Evidence, Fqdn, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;

pub(super) static RULES: &[&Rule] = &[
    &PRIVATE_ZONE_RECORD_MISSING,
    &DATA_ENDPOINT_RECORD_MISSING,
    &REPLICA_RECORD_MISSING,
    &PUBLIC_ANSWER_FOR_PRIVATE_ENDPOINT,
];

declare_finding! {
    /// The private DNS zone has no record for the login server.
    ///
    /// ## Why it matters
    /// A linked private zone answers for every name below it: without the record the name does not exist here,
    /// although the public one does.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup myregistry.azurecr.io: no such host`
    /// - az: `CONNECTIVITY_DNS_ERROR`
    ///
    /// ## What decides it
    /// The chain leads into `privatelink.azurecr.io` and ends there in NXDOMAIN or without an address, and the registry
    /// is one that we can see (else the zone shadows somebody else's: `dns/zone-shadows-registry`). An answer without an
    /// error, of a name whose record the zone has, was filtered on its way (`dns/private-answer-dropped`). Where zones or their
    /// records may not be read it is only possible.
    ///
    /// ## Fix
    /// The record with the private endpoint's address; better, a DNS zone group that keeps all of them.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    PRIVATE_ZONE_RECORD_MISSING = "dns/private-zone-record-missing", Error, article "container-registry-private-link",
    explains ["access/registry-not-found", "dns/zone-group-missing"], private_zone_record_missing;
}

fn private_zone_record_missing(case: &Case<'_>) -> Vec<Draft> {
    let Some(login) = case.login().filter(|e| missing_in_private_zone(case, e) && dropped(case, e).is_none()) else {
        return Vec::new();
    };
    if super::dns_zone::shadowing_zone(case, &login.host).is_some() {
        return Vec::new();
    }
    let zone = zone_to_mend(case, &login.host);
    let address = address_for(case, &login.host);
    let held = zone.as_ref().is_some_and(|(zone, record)| case.record(zone, record).is_some());
    let draft = Draft::new(
        format!("The private DNS zone has no record for {}", login.host),
        match (&zone, case.registry) {
            (Some((zone, record)), _) if held => format!(
                "The name leads into a private zone and ends there. The zone '{}' that was read has the record '{record}': another zone of that name answers here.",
                zone.name
            ),
            (Some((zone, record)), _) if !zone.records.is_known() => format!(
                "The name leads into a private zone and ends there. The records of '{}' could not be read; '{record}' is missing, or another zone answers.",
                zone.name
            ),
            (Some((zone, record)), _) => {
                format!("The name leads into the private zone '{}', which has no address record '{record}'.", zone.name)
            }
            (None, Some(_)) => {
                "The name leads into the private zone and ends there; the zone itself could not be read.".to_owned()
            }
            (None, None) => {
                "The name leads into a private zone and ends there. Whether the registry is yours is not known."
                    .to_owned()
            }
        },
    )
    .about([&login.host])
    .seen([evidence::dns(login)])
    .seen(
        zone.as_ref()
            .filter(|(zone, _)| !held && zone.records.is_known())
            .map(|(zone, record)| evidence::config(&zone.id, &format!("/A/{record}"), serde_json::Value::Null)),
    )
    .mend(record_fixes(zone.as_ref().filter(|_| !held), address, &login.host));
    let draft = match &zone {
        _ if !case.config.private_dns_zones.is_known() => draft.possible(["private DNS zones".to_owned()]),
        Some((zone, _)) if !zone.records.is_known() => draft.possible(["records of the private DNS zone".to_owned()]),
        Some((zone, _)) if held || case.linked_here(zone).is_none() => draft.likely(),
        _ => draft,
    };
    vec![if case.registry.is_some() { draft } else { draft.likely() }]
}

/// The chain leads into the private zone and ends there without an address.
pub(super) fn missing_in_private_zone(case: &Case<'_>, endpoint: &EndpointObservation) -> bool {
    let Symptom::Dns(dns) = Symptom::of(endpoint) else {
        return false;
    };
    matches!(dns.answer.outcome, DnsOutcome::NameNotFound | DnsOutcome::NoAddress)
        && dns.answer.alias_within(&case.config.cloud.private_zone).is_some()
}

/// The zone in which a host's record belongs: one that is linked here before one that is not.
pub(super) fn zone_to_mend<'a>(case: &Case<'a>, host: &Fqdn) -> Option<(&'a PrivateDnsZone, String)> {
    let mut zones = case.zones_for(host);
    zones.sort_by_key(|(zone, _)| (case.linked_here(zone) != Some(true), zone.name.as_str().len()));
    zones.into_iter().next()
}

/// The address that a private endpoint has for a host: one within reach before any other.
fn address_for(case: &Case<'_>, host: &Fqdn) -> Option<IpAddr> {
    let approved = case.approved();
    let all = approved.iter().filter_map(|c| c.endpoint());
    case.usable().iter().map(|(_, endpoint)| *endpoint).chain(all).find_map(|e| case.private_address_for(e, host))
}

declare_finding! {
    /// A data endpoint has no record in the private DNS zone, although the login server has.
    ///
    /// ## Why it matters
    /// Login works and every pull fails: the registry sends blobs to the data endpoint, a separate name with a
    /// record of its own.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup myregistry.westeurope.data.azurecr.io: no such host`, after `Login Succeeded`
    /// - docker: `denied: client with IP '…' is not allowed access` while pulling layers
    ///
    /// ## What decides it
    /// The login server resolves to a private address; the data endpoint of the home region gives NXDOMAIN or a public one.
    /// Where the private endpoint's addresses may not be read it is only possible: it may have none for this name. Where nobody
    /// looked it is a likely warning: a zone has the login server's record for a private endpoint, and none for this name.
    /// If the zone in Azure has the record, the client's resolver answers from elsewhere, such as from records kept by hand.
    ///
    /// ## Fix
    /// The record `<registry>.<region>.data` with the private endpoint's address for it; where Azure's zone has it, the same
    /// on the client's resolver, or a forwarder to 168.63.129.16.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    DATA_ENDPOINT_RECORD_MISSING = "dns/data-endpoint-record-missing", Error, article "container-registry-private-link",
    explains ["firewall/public-access-disabled", "firewall/client-ip-not-allowed", "network/data-endpoint-blocked",
        "network/blocked-silently", "network/refused", "network/unreachable", "dns/zone-group-missing"],
    data_endpoint_record_missing;
}

fn data_endpoint_record_missing(case: &Case<'_>) -> Vec<Draft> {
    data_records_missing(case, true)
}

declare_finding! {
    /// The data endpoint of a geo-replica has no record in the private DNS zone.
    ///
    /// ## Why it matters
    /// A client may be sent to any replica: pulls fail now and then, or as soon as traffic moves.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup myregistry.northeurope.data.azurecr.io: no such host`, but not every time
    ///
    /// ## What decides it
    /// As for `dns/data-endpoint-record-missing`, for a region other than the home region.
    ///
    /// ## Fix
    /// The record for that replica; a DNS zone group adds it by itself for every new one.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    REPLICA_RECORD_MISSING = "dns/replica-record-missing", Error, article "container-registry-private-link",
    explains ["firewall/public-access-disabled", "firewall/client-ip-not-allowed", "network/data-endpoint-blocked",
        "network/blocked-silently", "network/refused", "network/unreachable", "dns/zone-group-missing"],
    replica_record_missing;
}

fn replica_record_missing(case: &Case<'_>) -> Vec<Draft> {
    data_records_missing(case, false)
}

fn data_records_missing(case: &Case<'_>, home: bool) -> Vec<Draft> {
    if case.probe.is_none() {
        return super::dns_unseen::records_lacking(case, home);
    }
    let login_is_private = case.login().is_some_and(resolves_privately);
    if !login_is_private {
        return Vec::new();
    }
    case.data_endpoints()
        .filter(|e| e.role == EndpointRole::Data && case.is_home(e.region.as_ref()) == home)
        .filter(|e| dropped(case, e).is_none())
        .filter(|e| missing_in_private_zone(case, e) || is_nxdomain(e) || public_though_private_exists(case, e))
        .map(|e| data_record_missing(case, e))
        .collect()
}

fn is_nxdomain(endpoint: &EndpointObservation) -> bool {
    matches!(Symptom::of(endpoint), Symptom::Dns(dns) if matches!(dns.answer.outcome, DnsOutcome::NameNotFound | DnsOutcome::NoAddress))
}

/// A public answer, although a private endpoint has an address for the name (or is not known not to).
fn public_though_private_exists(case: &Case<'_>, endpoint: &EndpointObservation) -> bool {
    let public = endpoint
        .dns
        .as_ref()
        .is_some_and(|d| d.answer.outcome == DnsOutcome::Resolved && d.answer.ips().all(|ip| !is_private(ip)));
    public
        && (address_for(case, &endpoint.host).is_some() || (!case.approved().is_empty() && !case.all_addresses_known()))
}

fn data_record_missing(case: &Case<'_>, endpoint: &EndpointObservation) -> Draft {
    let zone = zone_to_mend(case, &endpoint.host);
    let address = address_for(case, &endpoint.host);
    let held = zone.as_ref().and_then(|(zone, record)| case.record(zone, record)?.addresses.first().copied());
    let (title, more) = match held {
        None => (format!("The private DNS zone has no record for the data endpoint {}", endpoint.host), ""),
        Some(_) => (
            format!("This client's DNS has no private record for the data endpoint {}", endpoint.host),
            " The zone in Azure has the record: the client's answers come from elsewhere.",
        ),
    };
    let fails = match case.login_symptom().is_reached() {
        true if case.is_home(endpoint.region.as_ref()) => "login works and pulls fail",
        true => "login works, and a pull that is sent there fails",
        false => "pulls fail even where login works",
    };
    let draft = Draft::new(
        title,
        format!(
            "The login server resolves to the private endpoint, its data endpoint does not{}. Layers come from the data endpoint: {fails}.{more}",
            address.map(|a| format!(" (it should be {a})")).unwrap_or_default()
        ),
    )
    .about([&endpoint.host])
    .seen(case.login().map(evidence::dns))
    .seen([evidence::dns(endpoint)])
    .seen(zone.as_ref().map(|(zone, record)| match held {
        None => evidence::config(&zone.id, &format!("/A/{record}"), serde_json::Value::Null),
        Some(held) => {
            evidence::config(&zone.id, &format!("/A/{record}/properties/aRecords/0/ipv4Address"), held.to_string())
        }
    }))
    .mend(match held {
        None => record_fixes(zone.as_ref(), address, &endpoint.host),
        Some(held) => client_record_fixes(case, endpoint, address.unwrap_or(held)),
    });
    let draft = if case.registry.is_some() { draft } else { draft.likely() };
    // An endpoint that was made before the replica has no address for it; then the record is not what is missing.
    if address.is_none()
        && let Some(unread) = case.unread_of_private_link()
    {
        return draft.possible([unread.to_owned()]);
    }
    // An answer without an error may have been filtered; only the zone tells that from a record that is not there.
    let empty = matches!(Symptom::of(endpoint), Symptom::Dns(dns) if dns.answer.outcome == DnsOutcome::NoAddress);
    if empty && zone.is_none_or(|(zone, _)| !zone.records.is_known()) {
        return draft.possible(["records of the private DNS zone".to_owned()]);
    }
    draft
}

/// Whether every address of an endpoint is private (and there is one).
pub(super) fn resolves_privately(endpoint: &EndpointObservation) -> bool {
    endpoint.dns.as_ref().is_some_and(|d| d.answer.outcome == DnsOutcome::Resolved && d.answer.ips().any(is_private))
}

declare_finding! {
    /// The registry's name resolves to its public address, although a private endpoint is within reach.
    ///
    /// ## Why it matters
    /// The traffic leaves through the public endpoint, where rules or disabled public access refuse it.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '203.0.113.5' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`
    /// - nslookup shows a public address inside the virtual network
    ///
    /// ## What decides it
    /// An approved private endpoint stands in the client's network or a peered one, and the resolver in use gives a public
    /// address. If the zone with the record is not linked to that network, `dns/private-zone-not-linked` is the reason.
    ///
    /// ## Fix
    /// Link the private zone to the client's network, or forward from the custom resolver to 168.63.129.16.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    PUBLIC_ANSWER_FOR_PRIVATE_ENDPOINT = "dns/public-answer-for-private-endpoint", Error,
    article "container-registry-private-link",
    explains ["firewall/public-access-disabled", "firewall/client-ip-not-allowed", "network/blocked-silently",
        "network/data-endpoint-blocked", "network/refused", "network/unreachable", "network/nsg-blocks-outbound",
        "network/egress-through-firewall"],
    public_answer_for_private_endpoint;
}

fn public_answer_for_private_endpoint(case: &Case<'_>) -> Vec<Draft> {
    let Some((login, ips)) = case.login().and_then(|e| Some((e, public_answer(e)?))) else {
        return Vec::new();
    };
    let usable = case.usable();
    let Some((connection, endpoint)) = usable.first() else {
        return Vec::new();
    };
    let broken = !case.login_symptom().is_reached();
    let network = case.place.network.as_ref().map_or("?", |n| n.name());
    let shown: Vec<String> = ips.iter().map(ToString::to_string).collect();
    let data = case.data_endpoints().filter(|e| public_answer(e).is_some()).map(|e| &e.host);
    let draft = Draft::new(
        format!("{} resolves to a public address although a private endpoint is within reach", login.host),
        format!(
            "The client is in the network '{network}', which reaches the private endpoint '{}', but DNS gives {}.",
            endpoint.id.name(),
            shown.join(", ")
        ),
    )
    .about(std::iter::once(&login.host).chain(data))
    .seen([
        evidence::dns(login),
        evidence::config(
            &connection.id,
            "/properties/privateLinkServiceConnectionState/status",
            connection.status.as_str(),
        ),
        place_evidence(case),
    ])
    .mend(public_answer_fixes(case, login, endpoint));
    let draft = if case.place.by_address { draft.likely() } else { draft };
    vec![if broken { draft } else { draft.severity(Severity::Warning) }]
}

pub(super) fn public_answer(endpoint: &EndpointObservation) -> Option<Vec<IpAddr>> {
    let dns = endpoint.dns.as_ref()?;
    let ips: Vec<IpAddr> = dns.answer.ips().collect();
    (!ips.is_empty() && ips.iter().all(|ip| !is_private(*ip))).then_some(ips)
}

/// Where the client stands, as evidence.
pub(super) fn place_evidence(case: &Case<'_>) -> Evidence {
    let place = case.place.subnet.as_ref().or(case.place.network.as_ref());
    evidence::vantage(place.map_or("the client's network is not known", |id| id.as_str()))
}

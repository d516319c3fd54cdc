//! Resolvers that take private addresses out of their answers.

use std::net::IpAddr;

use super::dns_mend::shown;
use super::dns_private::zone_to_mend;
use crate::facts::dns::{DnsObservation, DnsOutcome};
use crate::facts::{Change, EndpointObservation, Fix};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;

pub(super) static RULES: &[&Rule] = &[&PRIVATE_ANSWER_DROPPED];

declare_finding! {
    /// A resolver drops the registry's private addresses from its answers.
    ///
    /// ## Why it matters
    /// Home routers, VPN clients and some corporate resolvers do not let private addresses into answers that come from
    /// elsewhere, against DNS rebinding. A registry behind a private endpoint has private addresses only, so nothing
    /// is left of the answer, although zone, record and link are right.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup myregistry.azurecr.io: no such host`
    /// - dig: `status: NOERROR` with the aliases and no address
    /// - dnsmasq, in its log: `possible DNS-rebind attack detected: myregistry.azurecr.io`
    ///
    /// ## What decides it
    /// The name is answered without an address and without an error, and the private zone has the record. A zone that
    /// lacks it answers NXDOMAIN, which is `dns/private-zone-record-missing`.
    ///
    /// ## Fix
    /// An exception for the registries' domain on that resolver, or a resolver that does not filter.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    PRIVATE_ANSWER_DROPPED = "dns/private-answer-dropped", Error, article "container-registry-private-link",
    explains [], private_answer_dropped;
}

/// The address that the private zone has for an endpoint, where the resolver's answer holds none and no error.
pub(super) fn dropped(case: &Case<'_>, endpoint: &EndpointObservation) -> Option<IpAddr> {
    let empty = matches!(Symptom::of(endpoint), Symptom::Dns(dns) if dns.answer.outcome == DnsOutcome::NoAddress);
    let (zone, record) = zone_to_mend(case, &endpoint.host).filter(|_| empty)?;
    case.record(zone, &record)?.addresses.first().copied()
}

fn private_answer_dropped(case: &Case<'_>) -> Vec<Draft> {
    let all: Vec<(&EndpointObservation, IpAddr)> =
        case.endpoints().filter_map(|e| Some((e, dropped(case, e)?))).collect();
    let Some((first, address)) = all.first() else { return Vec::new() };
    let servers = first.dns.iter().flat_map(DnsObservation::real_servers);
    let mut servers: Vec<IpAddr> =
        servers.filter(|s| s.answer.outcome == DnsOutcome::NoAddress).map(|s| s.server.ip()).collect();
    servers.dedup();
    let who = if servers.is_empty() { "The resolver".to_owned() } else { format!("The resolver {}", shown(&servers)) };
    let suffix = &case.config.cloud.registry_suffix;
    let zone = zone_to_mend(case, &first.host);
    let except = Fix::advice(format!(
        "Except {suffix} from the protection: `rebind-domain-ok=/{suffix}/` in dnsmasq, `private-domain: \"{suffix}\"` in unbound, the list of exceptions in a router"
    ));
    vec![
        Draft::new(
            format!("{who} drops the private address of {}", first.host),
            format!(
                "The private zone has {address} for it; the answer that arrives here has no error and no address. That is what protection against DNS rebinding does to private addresses."
            ),
        )
        .about(all.iter().map(|(endpoint, _)| &endpoint.host))
        .seen(all.iter().map(|(endpoint, _)| evidence::dns(endpoint)))
        .seen(zone.map(|(zone, record)| {
            evidence::config(&zone.id, &format!("/A/{record}/properties/aRecords/0/ipv4Address"), address.to_string())
        }))
        .mend([
            if servers.is_empty() {
                except
            } else {
                except.change(Change::PrivateAnswers { servers, zone: suffix.clone() })
            },
            Fix::advice(format!(
                "Ask a resolver that does not filter for {suffix}: 168.63.129.16 inside Azure, a DNS Private Resolver's inbound endpoint from outside"
            )),
        ]),
    ]
}

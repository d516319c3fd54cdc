//! Addresses that alternate: those of a NAT gateway or a firewall, of which each connection takes one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::facts::registry::PublicNetworkAccess;
use crate::facts::{EndpointObservation, EndpointRole, Fix, Known, RegistryConfig, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::expect::{egress_of, lets_in_a_part};
use crate::reconcile::place::is_private;
use crate::reconcile::rule::Draft;
use crate::reconcile::symptom::Symptom;
use crate::reconcile::{command, evidence};

use super::dns_private::resolves_privately;
use super::firewall::rule_set;

/// Every public address that was refused: those of all tries.
pub(super) fn addresses(denied: &[(&EndpointObservation, Option<IpAddr>)]) -> BTreeSet<IpAddr> {
    let tries = denied.iter().flat_map(|(e, ip)| ip.iter().chain(&e.denied_clients));
    tries.copied().filter(|ip| !is_private(*ip)).collect()
}

/// A sentence about addresses that alternate, as those of a NAT gateway or a firewall: several were refused, or an
/// endpoint of the same rules let the client in.
pub(super) fn by_several(case: &Case<'_>, refused: &BTreeSet<IpAddr>) -> String {
    if refused.len() > 1 {
        let shown: Vec<String> = refused.iter().map(ToString::to_string).collect();
        return format!(" The address alternates: {} were refused.", shown.join(", "));
    }
    let let_in = case.endpoints().find(|e| {
        e.role != EndpointRole::Storage
            && e.http.is_some()
            && Symptom::of(e).is_reached()
            && !resolves_privately(e)
            && case.default_deny()
    });
    let_in.map(|e| format!(" {} let the client in: it comes by more than one address.", e.host)).unwrap_or_default()
}

/// The other addresses of the NAT gateway or firewall that one of these belongs to.
pub(super) fn of_one_gateway(case: &Case<'_>, refused: &BTreeSet<IpAddr>) -> Vec<IpAddr> {
    let ranges = egress_of(case).unwrap_or_default();
    let is_its = ranges.iter().any(|range| refused.iter().any(|ip| range.contains(ip)));
    ranges.iter().filter(|_| is_its).filter_map(|range| single(*range)).collect()
}

/// The address of a range that holds one.
fn single(range: IpNet) -> Option<IpAddr> {
    (range.prefix_len() == range.max_prefix_len()).then(|| range.addr())
}

/// Rules for all of the addresses that have none, in one fix: a rule for one of them mends a part of the connections.
pub(super) fn rules_for(case: &Case<'_>, registry: &RegistryConfig, addresses: &BTreeSet<IpAddr>) -> Vec<Fix> {
    let missing = addresses.iter().filter(|ip| !case.ip_rule_covers(**ip));
    let fixes: Vec<Fix> = missing.map(|ip| command::let_in(registry, *ip)).collect();
    if fixes.len() > 1 && fixes.iter().all(|fix| fix.command.is_some()) {
        return vec![Fix::steps("Allow every address that this client comes from", fixes)];
    }
    fixes
}

/// A client that was let in by one of several addresses, of which the rules hold a part.
pub(super) fn only_some_let_in(case: &Case<'_>) -> Option<Draft> {
    let (registry, login) = (case.registry?, case.login()?);
    let by_rules = case.public_access() == Some(&PublicNetworkAccess::Enabled) && case.default_deny();
    let let_in = login.http.is_some() && case.login_symptom().is_reached() && !resolves_privately(login);
    let outside = lets_in_a_part(case, login).filter(|_| by_rules && let_in)?;
    let all = evidence::list(egress_of(case)?);
    let (subnet, read) = case.client_subnet()?;
    let gateway = matches!(read.egress_firewall, Known::Known(Some(_)));
    let pointer = if gateway { "/properties/routeTable" } else { "/properties/natGateway" };
    let words = |range: &IpNet| single(*range).map_or_else(|| range.to_string(), |ip| ip.to_string());
    let shown: Vec<String> = outside.iter().map(words).collect();
    let missing: BTreeSet<IpAddr> = outside.iter().filter_map(|range| single(*range)).collect();
    let ranges = outside.iter().filter(|range| single(**range).is_none());
    Some(
        Draft::new(
            format!("{} allows a part of the addresses that this client comes from", registry.name),
            format!(
                "The subnet '{}' sends from several addresses, and no rule covers {}: it was let in by another one, and a connection by this one is refused.",
                subnet.name(),
                shown.join(", ")
            ),
        )
        .severity(Severity::Warning)
        .likely()
        .about([&login.host])
        .seen(case.rules().flatten().map(|rules| rule_set(registry, rules)))
        .seen([evidence::config(subnet, pointer, all)])
        .seen(login.http.as_ref().map(|http| evidence::http(&login.host, http)))
        .mend(rules_for(case, registry, &missing))
        .mend(ranges.map(|range| Fix::advice(format!("Allow the addresses of {range} that are used")))),
    )
}

//! Proxies that stand between a client and its private endpoint, and NO_PROXY.

use std::net::IpAddr;

use crate::facts::registry::ConnectionStatus;
use crate::facts::{Change, EndpointObservation, Fix, Fqdn, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;
use crate::reconcile::{command, evidence};

use super::dns_private::place_evidence;
use super::network::list_of;
use super::proxy::is_down;

pub(super) static RULES: &[&Rule] = &[&PRIVATE_ENDPOINT_THROUGH_PROXY];

/// NO_PROXY with more names, as a command and as data.
pub(super) fn no_proxy(case: &Case<'_>, hosts: &[&Fqdn]) -> Vec<Fix> {
    let Some(probe) = case.probe else { return Vec::new() };
    let mut entries: Vec<String> = probe.vantage.proxy.no_proxy.clone();
    entries.extend(hosts.iter().map(ToString::to_string).filter(|h| !probe.vantage.proxy.no_proxy.contains(h)));
    let value = entries.join(",");
    vec![
        Fix::command(
            "Go past the proxy for these names, for docker's daemon and containerd too",
            format!("export NO_PROXY={0} no_proxy={0}", command::quoted(&value)),
        )
        .change(Change::Environment { name: "NO_PROXY".to_owned(), value: Some(value) }),
    ]
}

declare_finding! {
    /// The registry has a private endpoint here, and the client's traffic leaves through a proxy.
    ///
    /// ## Why it matters
    /// The proxy resolves the name itself, to the public address, and connects from its own: the private endpoint stands
    /// unused, and rules or disabled public access refuse the proxy.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '198.51.100.20' is not allowed access`, with the proxy's address
    /// - docker: `proxyconnect tcp: Forbidden`
    ///
    /// ## What decides it
    /// An approved private endpoint is within the client's reach (by its network, or because the name resolves to a
    /// private address here), the route goes through a proxy, and no NO_PROXY entry covers the name. An error where that
    /// fails; a warning where the proxy gets through all the same.
    ///
    /// ## Fix
    /// NO_PROXY entries for the login server and every data endpoint.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    PRIVATE_ENDPOINT_THROUGH_PROXY = "proxy/private-endpoint-through-proxy", Error, article "container-registry-private-link",
    explains ["proxy/denied", "proxy/data-endpoint-denied", "proxy/cannot-resolve", "firewall/public-access-disabled",
        "firewall/client-ip-not-allowed", "endpoint/regional-endpoint-blocked", "endpoint/no-answer"],
    private_endpoint_through_proxy;
}

/// The private addresses that the name resolves to on this host, the proxy left aside.
fn private_here(endpoint: &EndpointObservation) -> impl Iterator<Item = IpAddr> + '_ {
    let direct = endpoint.without_proxy.as_ref().map(|d| &d.dns).or(endpoint.dns.as_ref());
    direct.into_iter().flat_map(|dns| dns.answer.ips()).filter(|ip| is_private(*ip))
}

fn private_endpoint_through_proxy(case: &Case<'_>) -> Vec<Draft> {
    let approved = case.approved();
    let Some(connection) = case.usable().first().map(|(c, _)| *c).or(approved.first().copied()) else {
        return Vec::new();
    };
    let proxied: Vec<_> = case
        .endpoints()
        .filter(|e| e.route.is_proxied() && !e.host.is_within(&case.config.cloud.blob_suffix))
        .collect();
    let failed = |e: &&EndpointObservation| !matches!(Symptom::of(e), Symptom::Reached(_) | Symptom::Untested);
    let broken = proxied.iter().any(failed);
    let here: Vec<IpAddr> = proxied.iter().flat_map(|e| private_here(e)).collect();
    let near = !case.usable().is_empty() || !here.is_empty();
    // Without a known place, disabled public access alone says that the private endpoint is meant.
    let meant = case.place.network.is_none() && broken && case.public_access_disabled();
    let Some(first) = proxied.first().filter(|_| near || meant) else {
        return Vec::new();
    };
    let hosts: Vec<&Fqdn> = proxied.iter().map(|e| &e.host).collect();
    let name = connection.private_endpoint_id.as_ref().unwrap_or(&connection.id).name();
    let proxy = first.proxy.as_ref().map_or_else(|| "a proxy".to_owned(), |p| format!("the proxy {}", p.url));
    let draft = Draft::new(
        format!("Traffic for the private endpoint of {} goes through {proxy}", list_of(&hosts)),
        format!("The private endpoint '{name}' is within reach, and no NO_PROXY entry covers these names: the proxy resolves them itself, to the public address."),
    )
    .about(hosts.iter().copied())
    .seen(proxied.iter().map(|e| evidence::proxy(e)))
    .seen([
        evidence::config(
            &connection.id,
            "/properties/privateLinkServiceConnectionState/status",
            connection.status.as_str(),
        ),
        place_evidence(case),
    ])
    .mend(no_proxy(case, &hosts));
    // A private address of nobody in particular may be another thing than the private endpoint.
    let approved = |ip: &IpAddr| case.owner_of(*ip).is_some_and(|(c, _)| c.status == ConnectionStatus::Approved);
    let sure = !case.usable().is_empty() || here.iter().any(approved);
    let draft = if sure { draft } else { draft.likely() };
    // A proxy that carries nothing at all is a fault of its own, which NO_PROXY would only hide.
    vec![if broken && !is_down(case) { draft } else { draft.severity(Severity::Warning).bystander() }]
}

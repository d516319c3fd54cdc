//! NO_PROXY that takes more past the proxy than can go without.

use crate::facts::no_proxy::covers;
use crate::facts::probe::{ProxyObservation, ProxyOutcome, Route};
use crate::facts::{Change, EndpointObservation, Fix, Fqdn};
use crate::reconcile::case::Case;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;
use crate::reconcile::{command, evidence};

use super::network::{list_of, on_private_address};

pub(super) static RULES: &[&Rule] = &[&NO_PROXY_TOO_WIDE];

declare_finding! {
    /// NO_PROXY takes the registry past the proxy, and only the proxy gets out.
    ///
    /// ## Why it matters
    /// The entry is right for a private endpoint within reach and wrong for a public one: the direct way is closed here.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 20.62.128.0:443: i/o timeout`, although a proxy is configured
    ///
    /// ## What decides it
    /// An entry of NO_PROXY covers the endpoint, it does not resolve or accept a connection directly at a public address,
    /// and the proxy, asked for the same endpoint, makes a tunnel. A private endpoint within reach of the client means the
    /// entry, and then this is not found.
    ///
    /// ## Fix
    /// NO_PROXY without that entry.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    NO_PROXY_TOO_WIDE = "proxy/no-proxy-too-wide", Error, article "container-registry-troubleshoot-access",
    explains ["dns/name-not-found", "dns/resolver-failed", "network/blocked-silently", "network/refused",
        "network/unreachable", "network/data-endpoint-blocked", "endpoint/regional-endpoint-blocked",
        "endpoint/dedicated-data-endpoints-off", "access/authority-unreachable", "access/arm-unreachable",
        "access/not-signed-in"],
    no_proxy_too_wide;
}

/// The proxy that would carry an endpoint which fails without it.
fn carried(endpoint: &EndpointObservation) -> Option<&ProxyObservation> {
    let fails = matches!(Symptom::of(endpoint), Symptom::Dns(_) | Symptom::Tcp(_)) && !on_private_address(endpoint);
    endpoint.with_proxy.as_deref().filter(|proxy| fails && proxy.outcome == ProxyOutcome::Tunnel)
}

fn no_proxy_too_wide(case: &Case<'_>) -> Vec<Draft> {
    let Some(probe) = case.probe.filter(|_| case.usable().is_empty()) else {
        return Vec::new();
    };
    let own: Vec<_> = case.endpoints().filter_map(|e| Some((e, carried(e)?))).collect();
    let Some((first, proxy)) = own.first() else {
        return Vec::new();
    };
    let controls = case.controls().filter(|e| carried(e).is_some());
    let hosts: Vec<&Fqdn> = own.iter().map(|(e, _)| &e.host).collect();
    let because = match &first.route {
        Route::Direct { because } | Route::Proxy { because, .. } => because,
    };
    let entries = &probe.vantage.proxy.no_proxy;
    let left: Vec<&str> =
        entries.iter().filter(|entry| !hosts.iter().any(|host| covers(entry, host))).map(String::as_str).collect();
    vec![
        Draft::new(
            format!("NO_PROXY takes {} past the proxy, which alone gets out", list_of(&hosts)),
            format!("{because}, so that the way is direct, which fails; the proxy {} makes a tunnel.", proxy.url),
        )
        .about(hosts.iter().copied())
        .about(controls.map(|e| &e.host))
        .seen(own.iter().flat_map(|(e, proxy)| {
            let asked = format!("{}: {}", proxy.url, evidence::proxy_outcome(&proxy.outcome));
            [evidence::tcp(e), evidence::probe(&e.host, crate::facts::Stage::Proxy, asked)]
        }))
        .mend([narrower(&left)]),
    ]
}

/// NO_PROXY with what is left of it.
fn narrower(left: &[&str]) -> Fix {
    let value = (!left.is_empty()).then(|| left.join(","));
    let command = match &value {
        Some(value) => format!("export NO_PROXY={0} no_proxy={0}", command::quoted(value)),
        None => "unset NO_PROXY no_proxy".to_owned(),
    };
    Fix::command("Take the entry out of NO_PROXY, for docker's daemon and containerd too", command)
        .change(Change::Environment { name: "NO_PROXY".to_owned(), value })
}

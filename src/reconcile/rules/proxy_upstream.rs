//! What lies behind the proxy: names that it does not resolve, targets that it does not reach.

use crate::facts::probe::{ProxyOutcome, TcpOutcome};
use crate::facts::{Change, Fix};
use crate::reconcile::case::Case;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

use super::network::list_of;
use super::proxy::{Kind, draft, failing, joined, own_hosts, said};
use super::proxy_private::no_proxy;

pub(super) static RULES: &[&Rule] = &[&CANNOT_RESOLVE];

declare_finding! {
    /// The proxy cannot reach the endpoint: it answers 502, 503 or 504.
    ///
    /// ## Why it matters
    /// Behind a proxy it is the proxy that resolves names and connects. A name that only the client's network resolves to
    /// a private address, or a target that the proxy's own way out blocks, fails there.
    ///
    /// ## How it shows
    /// - docker: `proxyconnect tcp: Bad Gateway`, `Service Unavailable`, `Gateway Timeout`
    ///
    /// ## What decides it
    /// `CONNECT` is answered 502, 503 or 504, or gets no answer while other tunnels come about. Whether the name or the
    /// connection is missing is said where the proxy says it (`X-Squid-Error`, `Proxy-Status`); NO_PROXY is offered
    /// unless the direct way was seen to fail.
    ///
    /// ## Fix
    /// The proxy's resolver and way out; or NO_PROXY for these names, where this host reaches them directly.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    CANNOT_RESOLVE = "proxy/cannot-resolve", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], cannot_resolve;
}

/// What a proxy means by its error, in squid's words (X-Squid-Error) or in those of RFC 9209 (section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstream {
    /// It does not find the name.
    Name,
    /// It finds the name, and gets no connection.
    Connection,
    /// It does not say: squid's ERR_CANNOT_FORWARD is either.
    Untold,
}

fn upstream(outcome: &ProxyOutcome) -> Upstream {
    let ProxyOutcome::Answered { error, excerpt, .. } = outcome else { return Upstream::Untold };
    let told = format!("{} {}", error.as_deref().unwrap_or_default(), excerpt.as_deref().unwrap_or_default());
    let says = |words: &[&str]| words.iter().any(|word| told.contains(word));
    if says(&["ERR_DNS_FAIL", "dns_error", "dns_timeout", "destination_not_found"]) {
        Upstream::Name
    } else if says(&[
        "ERR_CONNECT_FAIL",
        "ERR_READ_TIMEOUT",
        "connection_refused",
        "connection_timeout",
        "connection_terminated",
        "destination_unavailable",
        "destination_ip_unroutable",
    ]) {
        Upstream::Connection
    } else {
        Upstream::Untold
    }
}

fn cannot_resolve(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, Kind::Upstream);
    let Some((first, proxy)) = failed.first() else {
        return Vec::new();
    };
    let own = own_hosts(&failed);
    let names = joined(&own);
    let kind = upstream(&proxy.outcome);
    let (verb, why, cure) = match kind {
        Upstream::Name => {
            ("resolve", "Names are resolved by the proxy itself, and it does not find this one.", "resolver find")
        }
        Upstream::Connection => (
            "connect to",
            "It resolves the name itself, and what it finds there does not answer it: its own way out is filtered, or its resolver gives another address than this host's.",
            "resolver and firewall reach",
        ),
        Upstream::Untold => (
            "reach",
            "The proxy resolves names itself: it does not find the endpoint, or is kept from it.",
            "resolver and firewall reach",
        ),
    };
    let cure = Fix::advice(format!("Let the proxy's own {cure} {names}"));
    // Where the way without the proxy was seen to fail, NO_PROXY would only change the error.
    let direct = first.without_proxy.as_ref();
    let is_open = direct.is_none_or(|d| d.tcp.iter().any(|t| t.outcome == TcpOutcome::Connected));
    let past = if is_open { no_proxy(case, &own) } else { Vec::new() };
    vec![
        draft(
            &failed,
            format!("The proxy {} cannot {verb} {}", proxy.url, list_of(&own)),
            format!("CONNECT was answered: {}. {why}", said(&proxy.outcome)),
        )
        .mend([match kind {
            Upstream::Name => cure,
            Upstream::Connection | Upstream::Untold => {
                cure.change(Change::AllowEgress { hosts: own.iter().copied().cloned().collect() })
            }
        }])
        .mend(past),
    ]
}

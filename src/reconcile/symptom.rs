//! How far an endpoint got: the first rung of its ladder that broke.

use std::net::IpAddr;

use crate::facts::dns::{DnsObservation, DnsOutcome};
use crate::facts::http::{HttpAnswer, HttpObservation, HttpOutcome};
use crate::facts::probe::{EndpointObservation, EndpointRole, ProxyOutcome, TcpOutcome};
use crate::facts::tls::TlsOutcome;

/// The first rung that broke at an endpoint, or that all held.
#[derive(Debug, Clone, PartialEq)]
pub enum Symptom<'a> {
    /// The endpoint answered as what it should be.
    Reached(Option<&'a HttpAnswer>),
    /// The name did not give an address.
    Dns(&'a DnsObservation),
    /// The proxy made no tunnel.
    Proxy(&'a ProxyOutcome),
    /// No address accepted a connection; the outcome of the first that tells most.
    Tcp(&'a TcpOutcome),
    /// The handshake failed or is not to be trusted.
    Tls(&'a TlsOutcome),
    /// No HTTP answer.
    NoAnswer(&'a HttpObservation),
    /// The registry's firewall: 403 DENIED, with the address that it saw.
    Denied(Option<IpAddr>, &'a HttpAnswer),
    /// The service itself is throttling or failing: 429 or 5xx; or a registry's own answer that `GET /v2/` never has.
    Unavailable(&'a HttpAnswer),
    /// Something else answered, or the registry refused in another way.
    Stranger(&'a HttpAnswer),
    /// Nothing was tried.
    Untested,
}

impl<'a> Symptom<'a> {
    /// Climbs the ladder of an endpoint until a rung breaks.
    pub fn of(endpoint: &'a EndpointObservation) -> Self {
        if let Some(proxy) = &endpoint.proxy {
            if proxy.outcome != ProxyOutcome::Tunnel {
                return Self::Proxy(&proxy.outcome);
            }
        } else {
            match endpoint.dns.as_ref() {
                None => return Self::Untested,
                Some(dns) if dns.answer.outcome != DnsOutcome::Resolved => return Self::Dns(dns),
                Some(_) => {}
            }
            if !endpoint.tcp.iter().any(|t| t.outcome == TcpOutcome::Connected) {
                return telling(endpoint).map_or(Self::Untested, Self::Tcp);
            }
        }
        match &endpoint.tls {
            Some(tls) if tls.outcome != TlsOutcome::Established => Self::Tls(&tls.outcome),
            Some(_) => Self::of_http(endpoint),
            None => Self::Untested,
        }
    }

    fn of_http(endpoint: &'a EndpointObservation) -> Self {
        let Some(http) = &endpoint.http else {
            return Self::Reached(None);
        };
        let answer = match &http.outcome {
            HttpOutcome::Answered(answer) => answer,
            HttpOutcome::TimedOut | HttpOutcome::Closed | HttpOutcome::Malformed(_) => return Self::NoAnswer(http),
        };
        if let Some(client) = answer.denied_client {
            return Self::Denied(Some(client), answer);
        }
        if answer.status == 403 && answer.has_error("DENIED") {
            return Self::Denied(None, answer);
        }
        // A web server in front of the registry says 5xx in HTML too; 511 alone is a captive portal's (RFC 6585).
        if answer.status == 429
            || (answer.status >= 500 && answer.status != 511 && !foreign(answer))
            || refuses_oddly(endpoint, answer)
        {
            return Self::Unavailable(answer);
        }
        let reached = match endpoint.role {
            EndpointRole::Login | EndpointRole::Regional => is_registry(answer),
            // A data endpoint or a storage host asked without a signature refuses in many ways.
            EndpointRole::Data | EndpointRole::Storage => !foreign(answer),
            EndpointRole::Authority | EndpointRole::ResourceManager => true,
        };
        if reached { Self::Reached(Some(answer)) } else { Self::Stranger(answer) }
    }

    /// Whether the endpoint can be used from here, as far as the ladder tells.
    pub fn is_reached(&self) -> bool {
        matches!(self, Self::Reached(_))
    }

    /// Whether somebody looked and the endpoint cannot be used from here.
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Reached(_) | Self::Untested)
    }

    /// Whether the endpoint's own service answered, be it with a refusal.
    pub fn answered(&self) -> bool {
        matches!(self, Self::Reached(_) | Self::Denied(..) | Self::Unavailable(_))
    }
}

/// The outcome that tells most: an explicit refusal beats silence, which beats a missing route.
fn telling(endpoint: &EndpointObservation) -> Option<&TcpOutcome> {
    let rank = |outcome: &TcpOutcome| match outcome {
        TcpOutcome::Connected => 0,
        TcpOutcome::Refused | TcpOutcome::Reset => 1,
        TcpOutcome::TimedOut => 2,
        TcpOutcome::Prohibited => 3,
        TcpOutcome::HostUnreachable => 4,
        TcpOutcome::Other(_) => 5,
        TcpOutcome::NetworkUnreachable => 6,
    };
    // IPv6 without a route says nothing where IPv4 was tried too.
    endpoint.tcp.iter().map(|t| &t.outcome).min_by_key(|o| rank(o))
}

/// Whether a registry's login server answers `GET /v2/` as itself, and with neither of the answers that it has for it:
/// the challenge, or 200 where anybody may pull.
fn refuses_oddly(endpoint: &EndpointObservation, answer: &HttpAnswer) -> bool {
    let login = matches!(endpoint.role, EndpointRole::Login | EndpointRole::Regional);
    login && answer.is_registry && !matches!(answer.status, 200 | 401)
}

/// Whether an answer to `GET /v2/` is a registry's: its header, a bearer challenge, or OCI errors.
fn is_registry(answer: &HttpAnswer) -> bool {
    match answer.status {
        401 => answer.challenge.is_some(),
        _ => answer.is_registry,
    }
}

/// Whether an answer at an endpoint of blobs is a middlebox's page: an HTML welcome, or an HTML refusal that is not the
/// plain one of the web server in front of the endpoint (400, 404 and 405 in HTML are such a server's own).
fn foreign(answer: &HttpAnswer) -> bool {
    let html = answer.content_type.as_deref().is_some_and(|t| t.eq_ignore_ascii_case("text/html"));
    let own = answer.server.as_deref().is_some_and(|s| {
        ["openresty", "nginx", "azurecontainerregistry", "windows-azure-blob"]
            .iter()
            .any(|n| s.to_ascii_lowercase().starts_with(n))
    });
    let page = match answer.status {
        200 | 511 => true,
        403 => !own,
        _ => !answer.middlebox_headers.is_empty(),
    };
    html && page && !answer.is_registry && answer.errors.is_empty()
}

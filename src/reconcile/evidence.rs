//! Short constructors for evidence, so that rules read as sentences.

use serde_json::{Value, json};

use crate::facts::dns::{DnsAnswer, DnsOutcome};
use crate::facts::http::{HttpObservation, HttpOutcome};
use crate::facts::probe::{ProxyOutcome, TcpOutcome};
use crate::facts::{EndpointObservation, Evidence, Fqdn, RegistryConfig, Source, Stage};

/// What a document of ARM says at a place (RFC 6901 pointer).
pub fn config(resource: &impl ToString, pointer: &str, observed: impl Into<Value>) -> Evidence {
    Evidence {
        source: Source::Config,
        resource: Some(resource.to_string()),
        pointer: Some(pointer.to_owned()),
        endpoint: None,
        stage: None,
        observed: observed.into(),
    }
}

/// What the registry's own document says.
pub fn registry(registry: &RegistryConfig, pointer: &str, observed: impl Into<Value>) -> Evidence {
    config(&registry.id, pointer, observed)
}

/// What happened at a stage of an endpoint.
pub fn probe(endpoint: &Fqdn, stage: Stage, observed: impl Into<Value>) -> Evidence {
    Evidence {
        source: Source::Probe,
        resource: None,
        pointer: None,
        endpoint: Some(endpoint.to_string()),
        stage: Some(stage),
        observed: observed.into(),
    }
}

/// What is known of the client's place.
pub fn vantage(observed: impl Into<Value>) -> Evidence {
    Evidence {
        source: Source::Vantage,
        resource: None,
        pointer: None,
        endpoint: None,
        stage: None,
        observed: observed.into(),
    }
}

/// The name resolution of an endpoint, in one line.
pub fn dns(endpoint: &EndpointObservation) -> Evidence {
    let observed = endpoint.dns.as_ref().map_or_else(|| "not asked".to_owned(), |d| answer(&d.answer));
    probe(&endpoint.host, Stage::Dns, observed)
}

/// An answer in one line: `CNAME a → b; NXDOMAIN`.
pub fn answer(answer: &DnsAnswer) -> String {
    let mut parts = Vec::new();
    if !answer.chain.is_empty() {
        let chain: Vec<&str> = answer.chain.iter().map(|a| a.to.as_str()).collect();
        parts.push(format!("CNAME {}", chain.join(" → ")));
    }
    match &answer.outcome {
        DnsOutcome::Resolved => {
            let ips: Vec<String> = answer.ips().map(|ip| ip.to_string()).collect();
            parts.push(ips.join(", "));
        }
        other => parts.push(outcome(other)),
    }
    parts.join(", then ")
}

/// A DNS outcome in the words of dig.
pub fn outcome(outcome: &DnsOutcome) -> String {
    match outcome {
        DnsOutcome::Resolved => "resolved".to_owned(),
        DnsOutcome::NameNotFound => "NXDOMAIN".to_owned(),
        DnsOutcome::NoAddress => "no address (NOERROR without A or AAAA)".to_owned(),
        DnsOutcome::ServerFailure => "SERVFAIL".to_owned(),
        DnsOutcome::Refused => "REFUSED".to_owned(),
        DnsOutcome::TimedOut => "no answer in time".to_owned(),
        DnsOutcome::Unreachable(why) => format!("resolver unreachable: {why}"),
        DnsOutcome::Other(what) => what.clone(),
    }
}

/// The connection attempts of an endpoint, in one line.
pub fn tcp(endpoint: &EndpointObservation) -> Evidence {
    let tries: Vec<String> =
        endpoint.tcp.iter().map(|t| format!("{}:{} {}", t.address, t.port, tcp_outcome(&t.outcome))).collect();
    probe(&endpoint.host, Stage::Tcp, tries.join(", "))
}

/// A TCP outcome in words.
pub fn tcp_outcome(outcome: &TcpOutcome) -> String {
    match outcome {
        TcpOutcome::Connected => "connected".to_owned(),
        TcpOutcome::TimedOut => "timed out (no answer to SYN)".to_owned(),
        TcpOutcome::Refused => "refused (RST)".to_owned(),
        TcpOutcome::Reset => "reset".to_owned(),
        TcpOutcome::HostUnreachable => "host unreachable".to_owned(),
        TcpOutcome::NetworkUnreachable => "network unreachable".to_owned(),
        TcpOutcome::Prohibited => "prohibited".to_owned(),
        TcpOutcome::Other(what) => what.clone(),
    }
}

/// The HTTP answer of an endpoint, in one line.
pub fn http(endpoint: &Fqdn, observation: &HttpObservation) -> Evidence {
    probe(endpoint, Stage::Http, http_line(observation))
}

/// An HTTP observation in one line: `403 DENIED: client with IP …`.
pub fn http_line(observation: &HttpObservation) -> String {
    match &observation.outcome {
        HttpOutcome::Answered(answer) => {
            let mut line = answer.status.to_string();
            if let Some(error) = answer.errors.first() {
                line = format!("{line} {}: {}", error.code, error.message);
            } else if let Some(excerpt) = &answer.excerpt {
                line = format!("{line} {excerpt}");
            }
            line
        }
        HttpOutcome::TimedOut => "no answer in time".to_owned(),
        HttpOutcome::Closed => "connection closed before an answer".to_owned(),
        HttpOutcome::Malformed(what) => format!("not HTTP: {what}"),
    }
}

/// The proxy's part, in one line.
pub fn proxy(endpoint: &EndpointObservation) -> Evidence {
    let observed = endpoint.proxy.as_ref().map_or_else(
        || "no proxy".to_owned(),
        |p| format!("{} (from {}): {}", p.url, p.source, proxy_outcome(&p.outcome)),
    );
    probe(&endpoint.host, Stage::Proxy, observed)
}

/// A proxy outcome in words.
pub fn proxy_outcome(outcome: &ProxyOutcome) -> String {
    match outcome {
        ProxyOutcome::Tunnel => "tunnel established".to_owned(),
        ProxyOutcome::Answered { status, reason, error, .. } => {
            let error = error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
            format!("CONNECT answered {}{error}", format!("{status} {reason}").trim())
        }
        ProxyOutcome::NameNotResolved => "the proxy's name does not resolve".to_owned(),
        ProxyOutcome::NotConnected => "the proxy does not accept connections".to_owned(),
        ProxyOutcome::Closed => "the proxy closed the connection (EOF)".to_owned(),
        ProxyOutcome::TimedOut => "the proxy did not answer CONNECT in time".to_owned(),
        ProxyOutcome::PlainHttpBehindHttpsUrl => "the proxy speaks plain HTTP, its URL says https://".to_owned(),
        ProxyOutcome::TlsFailed { message } => format!("TLS to the proxy failed: {message}"),
        ProxyOutcome::Malformed => "the proxy's answer is not HTTP".to_owned(),
    }
}

/// Values as a JSON array of text.
pub fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> Value {
    json!(items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>())
}

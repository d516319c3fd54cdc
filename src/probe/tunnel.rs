//! `CONNECT` through a proxy (RFC 9110, section 9.3.6), byte by byte: the status and headers of a refusal are evidence.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant as Deadline, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::connect::Attempts;
use super::excerpt;
use super::proxy::{ProxyConfig, without_credentials};
use super::resolve::{Asking, millis};
use super::system::System;
use super::watch::Stragglers;
use crate::facts::Fqdn;
use crate::facts::probe::{ProxyObservation, ProxyOutcome};

/// The longest head of an answer that is read.
const MAX_HEAD: usize = 16 * 1024;

/// A way to an endpoint's port: direct, or through a proxy's tunnel.
pub enum Wire {
    /// A connection of one's own, or a tunnel through a plain proxy.
    Tcp(TcpStream),
    /// A tunnel through a proxy that speaks TLS.
    TlsProxy(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::TlsProxy(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::TlsProxy(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::TlsProxy(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::TlsProxy(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A tunnel, or why there is none; the proxy's other name servers and addresses are still being watched.
pub struct Tunnel {
    /// What was seen so far.
    pub observation: ProxyObservation,
    /// The way, where it stands.
    pub wire: Option<Wire>,
    /// What is still to come.
    pub rest: Stragglers,
}

/// Asks the configured proxy for a tunnel to `host:443`.
pub async fn tunnel(system: &System, proxy: &ProxyConfig, url: &Url, host: &Fqdn, deadline: Deadline) -> Tunnel {
    let started = Instant::now();
    let mut observation = ProxyObservation {
        url: without_credentials(url),
        has_credentials: !url.username().is_empty(),
        source: proxy.source().to_owned(),
        dns: None,
        tcp: Vec::new(),
        outcome: ProxyOutcome::NotConnected,
        ms: 0.0,
    };
    let mut rest = Stragglers::default();
    let wire = open(system, url, host, deadline, &mut observation, &mut rest).await;
    observation.ms = millis(started);
    Tunnel { observation, wire, rest }
}

async fn open(
    system: &System,
    url: &Url,
    host: &Fqdn,
    deadline: Deadline,
    seen: &mut ProxyObservation,
    rest: &mut Stragglers,
) -> Option<Wire> {
    let addresses = match url.host()? {
        Host::Ipv4(ip) => vec![ip.into()],
        Host::Ipv6(ip) => vec![ip.into()],
        Host::Domain(name) => {
            let Ok(name) = name.parse::<Fqdn>() else {
                seen.outcome = ProxyOutcome::NameNotResolved;
                return None;
            };
            let asking = rest.asking.insert(Asking::start(system, &name, deadline));
            let ips: Vec<_> = asking.decide().await.ips().collect();
            seen.dns = asking.so_far();
            if ips.is_empty() {
                seen.outcome = ProxyOutcome::NameNotResolved;
                return None;
            }
            ips
        }
    };
    let port = url.port_or_known_default().unwrap_or(80);
    let attempts = rest.attempts.insert(Attempts::start(&addresses, port, deadline));
    let stream = attempts.first().await;
    seen.tcp = attempts.ended();
    // None that connected: [`ProxyOutcome::NotConnected`] stays.
    let stream = stream?;
    let mut wire = match url.scheme() {
        "https" => match secure(url, stream, deadline).await {
            Ok(stream) => Wire::TlsProxy(Box::new(stream)),
            Err(outcome) => {
                seen.outcome = outcome;
                return None;
            }
        },
        _ => Wire::Tcp(stream),
    };
    seen.outcome = ask(&mut wire, url, host, deadline).await;
    (seen.outcome == ProxyOutcome::Tunnel).then_some(wire)
}

/// TLS to the proxy itself. A plain proxy answers a ClientHello with an HTTP error, or closes.
async fn secure(url: &Url, stream: TcpStream, deadline: Deadline) -> Result<TlsStream<TcpStream>, ProxyOutcome> {
    let failed = |message: String| ProxyOutcome::TlsFailed { message };
    let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let server = ServerName::try_from(name).map_err(|e| failed(e.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(&provider)).map_err(|e| failed(e.to_string()))?;
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    match timeout_at(deadline, TlsConnector::from(Arc::new(config)).connect(server, stream)).await {
        Err(_) => Err(ProxyOutcome::TimedOut),
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(plain_or_failed(&error)),
    }
}

fn plain_or_failed(error: &std::io::Error) -> ProxyOutcome {
    use std::io::ErrorKind;
    let tls = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        // A plain proxy answers a ClientHello with an HTTP error, or closes: Go's "proxyconnect tcp: EOF".
        (Some(rustls::Error::InvalidMessage(_)), _) | (None, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            ProxyOutcome::PlainHttpBehindHttpsUrl
        }
        (Some(other), _) => ProxyOutcome::TlsFailed { message: other.to_string() },
        (None, kind) => ProxyOutcome::TlsFailed { message: kind.to_string() },
    }
}

/// Sends CONNECT and reads the answer's head.
async fn ask(wire: &mut Wire, url: &Url, host: &Fqdn, deadline: Deadline) -> ProxyOutcome {
    let mut request = format!(
        "CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\nUser-Agent: acr-doctor/{}\r\n",
        env!("CARGO_PKG_VERSION")
    );
    if !url.username().is_empty() {
        let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pair = format!("{}:{}", plain(url.username()), plain(url.password().unwrap_or_default()));
        request.push_str(&format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair)));
    }
    request.push_str("\r\n");
    let exchanged = timeout_at(deadline, async {
        wire.write_all(request.as_bytes()).await?;
        wire.flush().await?;
        read_head(wire).await
    });
    match exchanged.await {
        Err(_) => ProxyOutcome::TimedOut,
        Ok(Err(_)) => ProxyOutcome::Closed,
        Ok(Ok(head)) if head.is_empty() => ProxyOutcome::Closed,
        Ok(Ok(head)) => outcome_of(wire, &head, deadline).await,
    }
}

/// Reads up to the blank line, byte by byte at the end so that nothing of the tunnel is swallowed.
async fn read_head(wire: &mut Wire) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0u8; 1];
    while head.len() < MAX_HEAD && !head.ends_with(b"\r\n\r\n") {
        if wire.read(&mut byte).await? == 0 {
            break;
        }
        head.extend(byte);
        if head.len() == 5 && !head.starts_with(b"HTTP/") {
            break;
        }
    }
    Ok(head)
}

/// `error` of the last proxy in a Proxy-Status header (RFC 9209, section 2.1.1): the one that is nearest to the client.
fn status_error(header: &str) -> Option<String> {
    let mut parameters = header.rsplit(',').find(|member| member.contains("error="))?.split(';');
    let error = parameters.find_map(|parameter| parameter.trim().strip_prefix("error="))?;
    Some(error.trim_matches('"').to_owned()).filter(|error| !error.is_empty())
}

async fn outcome_of(wire: &mut Wire, head: &[u8], deadline: Deadline) -> ProxyOutcome {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let status_line = lines.next().unwrap_or_default();
    let mut words = status_line.splitn(3, ' ');
    let is_http = words.next().is_some_and(|w| w.starts_with("HTTP/"));
    let Some(status) = words.next().and_then(|s| s.parse::<u16>().ok()).filter(|_| is_http) else {
        return ProxyOutcome::Malformed;
    };
    if (200..300).contains(&status) {
        return ProxyOutcome::Tunnel;
    }
    let headers: Vec<(&str, &str)> =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.trim(), v.trim())).collect();
    let header = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| excerpt::line(v));
    let schemes = headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case("proxy-authenticate"))
        .filter_map(|(_, v)| v.split_whitespace().next())
        .map(|s| excerpt::line(s.trim_end_matches(',')))
        .collect();
    let mut body = vec![0u8; 4096];
    let read =
        timeout_at(deadline.min(Deadline::now() + std::time::Duration::from_millis(300)), wire.read(&mut body)).await;
    let body =
        read.ok().and_then(Result::ok).and_then(|n| body.get(..n)).map(excerpt::of_body).filter(|s| !s.is_empty());
    ProxyOutcome::Answered {
        status,
        reason: excerpt::line(words.next().unwrap_or_default()),
        server: header("server").or_else(|| header("via")),
        error: header("x-squid-error").or_else(|| header("proxy-status").and_then(|status| status_error(&status))),
        schemes,
        excerpt: body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_proxy_status_is_read() {
        let of = |header| status_error(header);
        assert_eq!(of("edge.example; error=dns_error; rcode=NXDOMAIN").as_deref(), Some("dns_error"));
        assert_eq!(of("far; error=connection_timeout, near; error=\"dns_timeout\"").as_deref(), Some("dns_timeout"));
        assert_eq!((of("near; received-status=502"), of("near; error=")), (None, None));
    }
}

//! The proxy on the way: unreachable, or refusing to make a tunnel.

use crate::facts::probe::{ProxyObservation, ProxyOutcome};
use crate::facts::{EndpointObservation, EndpointRole, Fix, Fqdn};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;

use super::network::list_of;

pub(super) static RULES: &[&Rule] =
    &[&UNREACHABLE, &DENIED, &AUTHENTICATION_REQUIRED, &HTTPS_SCHEME_TO_HTTP_PROXY, &DATA_ENDPOINT_DENIED];

/// An endpoint and what the proxy did.
pub(super) type Refusal<'a> = (&'a EndpointObservation, &'a ProxyObservation);

/// What a failed CONNECT comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The proxy itself is not there.
    Unreachable,
    /// It refuses this target.
    Denied,
    /// 407.
    Authentication,
    /// An https:// URL of a plain proxy.
    Scheme,
    /// It cannot reach the target.
    Upstream,
}

/// Sorts an outcome. A proxy that makes other tunnels and closes this one, or never answers, refuses or cannot get there.
/// Silence in answer to TLS is a plain proxy's too, which waits for the end of a line.
fn kind(proxy: &ProxyObservation, tunnels: bool) -> Option<Kind> {
    Some(match &proxy.outcome {
        ProxyOutcome::Tunnel => return None,
        ProxyOutcome::Answered { status: 407, .. } => Kind::Authentication,
        // What a web server says to CONNECT.
        ProxyOutcome::Answered { status: 400 | 404 | 405 | 501, .. } if !tunnels => Kind::Unreachable,
        ProxyOutcome::Answered { status: 500.., .. } => Kind::Upstream,
        ProxyOutcome::Answered { .. } => Kind::Denied,
        ProxyOutcome::Closed if tunnels => Kind::Denied,
        ProxyOutcome::TimedOut if tunnels => Kind::Upstream,
        ProxyOutcome::TimedOut if proxy.url.starts_with("https://") => Kind::Scheme,
        ProxyOutcome::PlainHttpBehindHttpsUrl => Kind::Scheme,
        ProxyOutcome::NameNotResolved
        | ProxyOutcome::NotConnected
        | ProxyOutcome::Closed
        | ProxyOutcome::TimedOut
        | ProxyOutcome::TlsFailed { .. }
        | ProxyOutcome::Malformed => Kind::Unreachable,
    })
}

/// The registry's endpoints, then the controls, at which the proxy failed in a way.
pub(super) fn failing<'a>(case: &Case<'a>, wanted: Kind) -> Vec<Refusal<'a>> {
    let tunnels = case.everything().any(|e| e.proxy.as_ref().is_some_and(|p| p.outcome == ProxyOutcome::Tunnel));
    let failed = |e: &'a EndpointObservation| {
        let proxy = e.proxy.as_ref()?;
        (kind(proxy, tunnels) == Some(wanted)).then_some((e, proxy))
    };
    let own: Vec<_> = case.endpoints().filter_map(failed).collect();
    if own.is_empty() { own } else { own.into_iter().chain(case.controls().filter_map(failed)).collect() }
}

/// Whether the proxy fails for every endpoint alike, the cloud's own ones included: then the proxy itself is at fault.
pub(super) fn is_down(case: &Case<'_>) -> bool {
    [Kind::Unreachable, Kind::Authentication, Kind::Scheme].iter().any(|k| !failing(case, *k).is_empty())
}

fn hosts<'a>(failed: &[Refusal<'a>]) -> Vec<&'a Fqdn> {
    failed.iter().map(|(e, _)| &e.host).collect()
}

/// The registry's own hosts among them, for titles and rules.
pub(super) fn own_hosts<'a>(failed: &[Refusal<'a>]) -> Vec<&'a Fqdn> {
    let control = |e: &EndpointObservation| matches!(e.role, EndpointRole::Authority | EndpointRole::ResourceManager);
    failed.iter().filter(|(e, _)| !control(e)).map(|(e, _)| &e.host).collect()
}

pub(super) fn joined(hosts: &[&Fqdn]) -> String {
    hosts.iter().map(|h| h.as_str()).collect::<Vec<_>>().join(", ")
}

/// The draft that all of them share.
pub(super) fn draft(failed: &[Refusal<'_>], title: String, detail: String) -> Draft {
    Draft::new(title, detail).about(hosts(failed)).seen(failed.iter().map(|(e, _)| evidence::proxy(e)))
}

/// Goes past the proxy: where a variable of the environment names it, without that.
fn unset(proxy: &ProxyObservation, host: &Fqdn) -> Fix {
    let variable = &proxy.source;
    let summary = format!("Unset {variable}: {host} can be reached directly");
    if !variable.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') {
        return Fix::advice(summary);
    }
    Fix::command(summary, format!("unset {} {}", variable.to_ascii_uppercase(), variable.to_ascii_lowercase()))
        .change(crate::facts::Change::Environment { name: variable.clone(), value: None })
}

/// "Let the proxy pass these hosts", as advice and as data.
fn allow(proxy: &ProxyObservation, failed: &[Refusal<'_>]) -> Fix {
    let hosts = hosts(failed);
    Fix::advice(format!("Allow CONNECT to port 443 of {} in the proxy {}", joined(&hosts), proxy.url))
        .change(crate::facts::Change::AllowEgress { hosts: hosts.into_iter().cloned().collect() })
}

declare_finding! {
    /// The configured proxy is not there.
    ///
    /// ## Why it matters
    /// Everything that the proxy should carry fails, the registry among it: nothing has left this host's network yet.
    ///
    /// ## How it shows
    /// - docker: `proxyconnect tcp: dial tcp: lookup proxy.example.com: no such host`
    /// - docker: `proxyconnect tcp: dial tcp 10.0.0.8:3128: connect: connection refused`
    ///
    /// ## What decides it
    /// The proxy's own name does not resolve, no address of it accepts a connection, or what answers there is no proxy: not
    /// HTTP, or a web server that does not know CONNECT (400, 404, 405, 501).
    ///
    /// ## Fix
    /// The right URL in the variable that is named, or the proxy started; or no proxy, where direct access works.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    UNREACHABLE = "proxy/unreachable", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], unreachable;
}

fn unreachable(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, Kind::Unreachable);
    let Some((first, proxy)) = failed.first() else {
        return Vec::new();
    };
    let direct = first
        .without_proxy
        .as_ref()
        .is_some_and(|d| d.tcp.iter().any(|t| t.outcome == crate::facts::probe::TcpOutcome::Connected));
    let draft = draft(
        &failed,
        format!("The proxy {} cannot be used: {}", proxy.url, evidence::proxy_outcome(&proxy.outcome)),
        format!("{} names it, and nothing can be asked through it.", proxy.source),
    )
    .seen(proxy.tcp.iter().map(|t| {
        let line = format!("{}:{} {}", t.address, t.port, evidence::tcp_outcome(&t.outcome));
        evidence::probe(&first.host, crate::facts::Stage::Proxy, line)
    }))
    .mend([Fix::advice(format!("Correct the proxy's address in {}, or start the proxy", proxy.source))]);
    vec![if direct { draft.mend([unset(proxy, &first.host)]) } else { draft }]
}

declare_finding! {
    /// The proxy refuses to connect to the registry.
    ///
    /// ## Why it matters
    /// This 403 looks like the registry's own and is the proxy's: the registry has not been asked, and its rules do not
    /// matter yet.
    ///
    /// ## How it shows
    /// - docker: `Error response from daemon: login attempt failed with status: 403 Forbidden`
    /// - docker: `proxyconnect tcp: Forbidden`
    /// - curl: `Received HTTP code 403 from proxy after CONNECT`
    ///
    /// ## What decides it
    /// `CONNECT` to the login server is answered by the proxy with 403 or another refusal; no tunnel, no TLS and so no
    /// answer of the registry came about. (Where only data endpoints are refused: `proxy/data-endpoint-denied`.)
    ///
    /// ## Fix
    /// The registry's endpoints in the proxy's allow-list.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    DENIED = "proxy/denied", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], denied;
}

/// Whether refusals concern endpoints that carry blobs alone, while the login server is not refused by the proxy.
fn data_alone(case: &Case<'_>, failed: &[Refusal<'_>]) -> bool {
    let data = |e: &EndpointObservation| matches!(e.role, EndpointRole::Data | EndpointRole::Storage);
    let own = own_hosts(failed);
    !matches!(case.login_symptom(), Symptom::Proxy(_) | Symptom::Untested)
        && failed.iter().filter(|(e, _)| own.contains(&&e.host)).all(|(e, _)| data(e))
}

/// What the proxy said, in the words of its status line and page.
pub(super) fn said(outcome: &ProxyOutcome) -> String {
    match outcome {
        ProxyOutcome::Answered { status, reason, error, excerpt, .. } => {
            let page = error.as_ref().or(excerpt.as_ref()).map(|e| format!(" ('{e}')")).unwrap_or_default();
            format!("{}{page}", format!("{status} {reason}").trim())
        }
        other => evidence::proxy_outcome(other),
    }
}

fn denied(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, Kind::Denied);
    let Some((_, proxy)) = failed.first().filter(|_| !data_alone(case, &failed)) else {
        return Vec::new();
    };
    let own = own_hosts(&failed);
    vec![
        draft(
            &failed,
            format!("The proxy {} refuses to connect to {}", proxy.url, list_of(&own)),
            format!(
                "CONNECT was answered: {}. It is the proxy that says so, not the registry, which has not been asked.",
                said(&proxy.outcome)
            ),
        )
        .mend([allow(proxy, &failed)]),
    ]
}

declare_finding! {
    /// The proxy wants authentication.
    ///
    /// ## Why it matters
    /// Docker and containerd can send a user name and password in the proxy's URL, and no Kerberos or NTLM.
    ///
    /// ## How it shows
    /// - docker: `proxyconnect tcp: Proxy Authentication Required`
    /// - curl: `Received HTTP code 407 from proxy after CONNECT`
    ///
    /// ## What decides it
    /// `CONNECT` is answered 407; Proxy-Authenticate names the schemes.
    ///
    /// ## Fix
    /// Credentials in the proxy's URL (Basic), a rule in the proxy that asks no credentials for these endpoints, or a
    /// local forwarder that speaks the proxy's scheme.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    AUTHENTICATION_REQUIRED = "proxy/authentication-required", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], authentication_required;
}

fn authentication_required(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, Kind::Authentication);
    let Some((_, proxy)) = failed.first() else {
        return Vec::new();
    };
    let ProxyOutcome::Answered { schemes, .. } = &proxy.outcome else {
        return Vec::new();
    };
    let offered = if schemes.is_empty() { "no scheme".to_owned() } else { schemes.join(", ") };
    let basic = schemes.iter().any(|s| s.eq_ignore_ascii_case("Basic"));
    let had = if proxy.has_credentials { "does not take the credentials in" } else { "gets none from" };
    let open = Fix::advice(format!("Let {} pass without authentication in the proxy", joined(&hosts(&failed))));
    let fixes = if basic {
        vec![Fix::advice(format!("Put a valid user and password into the proxy's URL in {}", proxy.source)), open]
    } else {
        vec![
            open,
            Fix::advice(format!("Or run a local forwarder that speaks {offered}, and name it in {}", proxy.source)),
        ]
    };
    vec![
        draft(
            &failed,
            format!("The proxy {} wants authentication ({offered})", proxy.url),
            format!("It answers 407 and {had} {}.", proxy.source),
        )
        .mend(fixes),
    ]
}

declare_finding! {
    /// The proxy's URL says https://, and the proxy speaks plain HTTP.
    ///
    /// ## Why it matters
    /// The scheme of a proxy's URL says how to speak to the proxy, not what goes through it. Nearly every proxy takes
    /// plain HTTP, for https:// targets too.
    ///
    /// ## How it shows
    /// - docker: `proxyconnect tcp: EOF`
    /// - docker: `proxyconnect tcp: tls: first record does not look like a TLS handshake`
    ///
    /// ## What decides it
    /// A TLS handshake with the proxy gets an answer that is no TLS.
    ///
    /// ## Fix
    /// `http://` in front of the same host and port.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    HTTPS_SCHEME_TO_HTTP_PROXY = "proxy/https-scheme-to-http-proxy", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"],
    https_scheme_to_http_proxy;
}

fn https_scheme_to_http_proxy(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, Kind::Scheme);
    let Some((_, proxy)) = failed.first() else {
        return Vec::new();
    };
    let plain = proxy.url.replacen("https://", "http://", 1);
    let variable = if proxy.source.starts_with('-') { "HTTPS_PROXY" } else { proxy.source.as_str() };
    let told = proxy.outcome == ProxyOutcome::PlainHttpBehindHttpsUrl;
    let draft = draft(
        &failed,
        format!("The proxy {} speaks plain HTTP, not TLS", proxy.url),
        format!("{} says https://, which means TLS to the proxy itself; what answers there is no TLS.", proxy.source),
    )
    .mend([Fix::command(
        format!("Use {plain} (for https:// targets too)"),
        format!("export {variable}={}", crate::reconcile::command::quoted(&plain)),
    )
    .change(crate::facts::Change::Environment { name: variable.to_owned(), value: Some(plain.clone()) })]);
    vec![if told { draft } else { draft.likely() }]
}

declare_finding! {
    /// The proxy lets the login server through, and refuses a data endpoint.
    ///
    /// ## Why it matters
    /// Login works and every pull fails: layers come from another name, which the proxy's allow-list lacks.
    ///
    /// ## How it shows
    /// - docker: `error pulling image configuration: … proxyconnect tcp: Forbidden`, after `Login Succeeded`
    ///
    /// ## What decides it
    /// The login server answers (through the proxy or past it), and `CONNECT` to a data endpoint or to blob storage is
    /// refused.
    ///
    /// ## Fix
    /// The data endpoints in the proxy's allow-list.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-dedicated-data-endpoints>
    DATA_ENDPOINT_DENIED = "proxy/data-endpoint-denied", Error, article "container-registry-dedicated-data-endpoints",
    explains ["endpoint/dedicated-data-endpoints-off"], data_endpoint_denied;
}

fn data_endpoint_denied(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, Kind::Denied);
    let Some((_, proxy)) = failed.first().filter(|_| data_alone(case, &failed)) else {
        return Vec::new();
    };
    let own = own_hosts(&failed);
    vec![
        draft(
            &failed,
            format!("The proxy {} refuses to connect to the data endpoint {}", proxy.url, list_of(&own)),
            format!("CONNECT was answered: {}. The login server is let through, so login works; layers come from the data endpoint.", said(&proxy.outcome)),
        )
        .seen(case.login().map(evidence::proxy))
        .mend([allow(proxy, &failed)]),
    ]
}

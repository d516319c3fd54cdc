//! The endpoints of a report: what was promised, what happened, rung by rung.

use crate::facts::dns::DnsOutcome;
use crate::facts::endpoints::{RegistryEndpoint, endpoints};
use crate::facts::http::{HttpObservation, HttpOutcome};
use crate::facts::known::Known;
use crate::facts::probe::{ProxyOutcome, Route, TcpOutcome};
use crate::facts::report::{ExpectedPath, Observed, PathReport, PathVerdict, StageReport, StageStatus};
use crate::facts::tls::{TlsObservation, TlsOutcome};
use crate::facts::{EndpointObservation, EndpointRole, Stage};

use super::case::Case;
use super::evidence;
use super::expect::expect;
use super::place::is_private;
use super::symptom::Symptom;

/// Every endpoint that was probed, or that the configuration lists where nobody probed.
pub fn paths(case: &Case<'_>) -> Vec<PathReport> {
    if case.probe.is_some() {
        return case.endpoints().map(|e| path(case, e)).collect();
    }
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    endpoints(registry, &case.config.cloud).into_iter().map(|endpoint| untested(case, endpoint)).collect()
}

fn untested(case: &Case<'_>, endpoint: RegistryEndpoint) -> PathReport {
    let expectation = expect(case, &endpoint.host, None);
    PathReport {
        endpoint: endpoint.host,
        role: endpoint.role,
        region: endpoint.region,
        expected: expectation.path,
        because: expectation.because,
        observed: Observed::Untested,
        verdict: PathVerdict::Undecided,
        stages: Vec::new(),
    }
}

fn path(case: &Case<'_>, endpoint: &EndpointObservation) -> PathReport {
    let expectation = expect(case, &endpoint.host, Some(endpoint));
    let observed = match Symptom::of(endpoint) {
        Symptom::Reached(_) => Observed::Reached,
        Symptom::Denied(..) => Observed::Refused,
        Symptom::Untested => Observed::Untested,
        _ => Observed::Unreachable,
    };
    PathReport {
        endpoint: endpoint.host.clone(),
        role: endpoint.role,
        region: endpoint.region.clone(),
        expected: expectation.path,
        because: expectation.because,
        observed,
        verdict: verdict(expectation.path, observed, endpoint),
        stages: stages(case, endpoint),
    }
}

/// The promise against what happened.
fn verdict(promised: ExpectedPath, observed: Observed, endpoint: &EndpointObservation) -> PathVerdict {
    let privately = endpoint.tcp.iter().any(|t| t.outcome == TcpOutcome::Connected && is_private(t.address));
    match (promised, observed) {
        (ExpectedPath::Unknown, _) | (_, Observed::Untested) | (ExpectedPath::Blocked, Observed::Unreachable) => {
            PathVerdict::Undecided
        }
        (ExpectedPath::Blocked, Observed::Reached) => PathVerdict::Unexpected,
        (ExpectedPath::PrivateLink, Observed::Reached) if !privately => PathVerdict::Detour,
        (ExpectedPath::Blocked, Observed::Refused) | (_, Observed::Reached) => PathVerdict::Kept,
        (_, Observed::Refused | Observed::Unreachable) => PathVerdict::Broken,
    }
}

fn rung(stage: Stage, ok: bool, ms: f64, detail: impl Into<String>) -> StageReport {
    let status = if ok { StageStatus::Ok } else { StageStatus::Failed };
    StageReport { stage, status, ms: Some(ms), detail: detail.into() }
}

fn skipped(stage: Stage, detail: &str) -> StageReport {
    StageReport { stage, status: StageStatus::Skipped, ms: None, detail: detail.to_owned() }
}

fn stages(case: &Case<'_>, endpoint: &EndpointObservation) -> Vec<StageReport> {
    let mut stages =
        vec![dns_rung(endpoint), proxy_rung(endpoint), tcp_rung(endpoint), tls_rung(endpoint), http_rung(endpoint)];
    if endpoint.role == EndpointRole::Login {
        stages.push(auth_rung(case));
        stages.extend(pull_rung(case));
    }
    stages
}

fn dns_rung(endpoint: &EndpointObservation) -> StageReport {
    endpoint.dns.as_ref().map_or_else(
        || skipped(Stage::Dns, "the proxy resolves the name"),
        |dns| rung(Stage::Dns, dns.answer.outcome == DnsOutcome::Resolved, dns.ms, evidence::answer(&dns.answer)),
    )
}

fn proxy_rung(endpoint: &EndpointObservation) -> StageReport {
    match (&endpoint.route, &endpoint.proxy) {
        (Route::Direct { because }, _) => skipped(Stage::Proxy, because),
        (Route::Proxy { .. }, Some(proxy)) => rung(
            Stage::Proxy,
            proxy.outcome == ProxyOutcome::Tunnel,
            proxy.ms,
            format!("{}: {}", proxy.url, evidence::proxy_outcome(&proxy.outcome)),
        ),
        (Route::Proxy { url, .. }, None) => skipped(Stage::Proxy, url),
    }
}

fn tcp_rung(endpoint: &EndpointObservation) -> StageReport {
    if endpoint.tcp.is_empty() {
        return skipped(Stage::Tcp, if endpoint.route.is_proxied() { "through the proxy" } else { "no address" });
    }
    let connected = endpoint.tcp.iter().find(|t| t.outcome == TcpOutcome::Connected);
    let ms = connected.map_or_else(|| endpoint.tcp.iter().map(|t| t.ms).fold(0.0, f64::max), |t| t.ms);
    let words: Vec<String> =
        endpoint.tcp.iter().map(|t| format!("{} {}", t.address, evidence::tcp_outcome(&t.outcome))).collect();
    rung(Stage::Tcp, connected.is_some(), ms, words.join(", "))
}

fn tls_rung(endpoint: &EndpointObservation) -> StageReport {
    endpoint.tls.as_ref().map_or_else(
        || skipped(Stage::Tls, "no connection"),
        |tls| rung(Stage::Tls, tls.outcome == TlsOutcome::Established, tls.ms, tls_words(tls)),
    )
}

/// A handshake in words.
pub fn tls_words(tls: &TlsObservation) -> String {
    let last = tls.chain.last().map_or("an unnamed issuer", |c| c.issuer.as_str());
    match &tls.outcome {
        TlsOutcome::Established => tls.version.clone().unwrap_or_else(|| "established".to_owned()),
        TlsOutcome::UnknownIssuer => format!("not trusted: issued by {last}"),
        TlsOutcome::NameMismatch => {
            let names = tls.chain.first().map(|c| c.dns_names.join(", ")).unwrap_or_default();
            format!("the certificate is for {names}")
        }
        TlsOutcome::Expired => "the certificate has expired, by this clock".to_owned(),
        TlsOutcome::NotYetValid => "the certificate is not valid yet, by this clock".to_owned(),
        TlsOutcome::Reset => "connection reset after ClientHello".to_owned(),
        TlsOutcome::TimedOut => "no answer to ClientHello".to_owned(),
        TlsOutcome::VersionRejected { .. } => "the peer accepts no version from TLS 1.2 up".to_owned(),
        TlsOutcome::NotTls => "what answered does not speak TLS".to_owned(),
        TlsOutcome::Failed { message } => message.clone(),
    }
}

fn http_rung(endpoint: &EndpointObservation) -> StageReport {
    let Some(http) = &endpoint.http else {
        return skipped(Stage::Http, "not asked");
    };
    let ok = Symptom::of(endpoint).is_reached();
    rung(Stage::Http, ok, http.ms, evidence::http_line(http))
}

fn is_success(observation: &HttpObservation) -> bool {
    matches!(&observation.outcome, HttpOutcome::Answered(a) if (200..300).contains(&a.status))
}

fn auth_rung(case: &Case<'_>) -> StageReport {
    let auth = case.probe.map(|p| &p.auth);
    match auth {
        Some(Known::Known(auth)) => {
            let steps: Vec<&HttpObservation> = auth.exchange.iter().chain(&auth.token).collect();
            let ms = steps.iter().map(|s| s.ms).sum();
            let failed = steps.iter().find(|s| !is_success(s));
            match failed {
                Some(step) => rung(Stage::Auth, false, ms, format!("{}: {}", step.path, evidence::http_line(step))),
                None if steps.is_empty() => skipped(Stage::Auth, "no token was asked for"),
                None => rung(Stage::Auth, true, ms, "token given"),
            }
        }
        Some(Known::Unknown(unknown)) => skipped(Stage::Auth, &unknown.why),
        None => skipped(Stage::Auth, "not probed"),
    }
}

fn pull_rung(case: &Case<'_>) -> Option<StageReport> {
    let pull = case.probe?.pull.known()?;
    let steps: Vec<&HttpObservation> =
        [Some(&pull.manifest), pull.blob.as_ref(), pull.data.as_ref()].into_iter().flatten().collect();
    let ms = steps.iter().map(|s| s.ms).sum();
    let redirected = pull.redirected_to.is_some();
    let failed = steps.iter().find(|s| {
        let is_redirect =
            redirected && matches!(&s.outcome, HttpOutcome::Answered(a) if (300..400).contains(&a.status));
        !is_success(s) && !is_redirect
    });
    Some(match failed {
        Some(step) => rung(Stage::Pull, false, ms, format!("{}: {}", step.path, evidence::http_line(step))),
        None => rung(Stage::Pull, true, ms, format!("{}: manifest and one byte of a blob", pull.image)),
    })
}

//! Answers that are no registry's, and registries that do not answer.

use crate::facts::http::{HttpAnswer, HttpObservation, HttpOutcome};
use crate::facts::tls::TlsOutcome;
use crate::facts::{EndpointObservation, Evidence, Fix, Fqdn, Stage};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;

use super::network::list_of;

pub(super) static RULES: &[&Rule] = &[&NO_ANSWER, &UNAVAILABLE, &NOT_A_REGISTRY];

fn http(endpoint: &EndpointObservation) -> Option<Evidence> {
    endpoint.http.as_ref().map(|http| evidence::http(&endpoint.host, http))
}

declare_finding! {
    /// The connection and TLS stand, and no HTTP answer comes in time.
    ///
    /// ## Why it matters
    /// Clients wait until their own time-out. What ends TLS (an inspecting middlebox, or the service itself) takes the
    /// request and never answers it.
    ///
    /// ## How it shows
    /// - docker: `net/http: request canceled (Client.Timeout exceeded while awaiting headers)`
    /// - curl: `Empty reply from server`
    ///
    /// ## What decides it
    /// TCP connects, TLS is established and trusted, and `GET /v2/` (or a later request, for tokens or for `--image`) gets
    /// no headers, or the connection is closed before them.
    ///
    /// ## Fix
    /// Look at the middlebox or proxy in between; from another network, tell whether the registry answers.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    NO_ANSWER = "endpoint/no-answer", Error, article "container-registry-troubleshoot-access",
    explains ["auth/token-exchange-failed"], no_answer;
}

fn no_answer(case: &Case<'_>) -> Vec<Draft> {
    let silent: Vec<_> = case
        .endpoints()
        .filter(
            |e| matches!(Symptom::of(e), Symptom::NoAnswer(http) if !matches!(http.outcome, HttpOutcome::Malformed(_))),
        )
        .collect();
    let late: Vec<_> = later_steps(case)
        .into_iter()
        .filter(|(host, _, step)| {
            matches!(step.outcome, HttpOutcome::TimedOut | HttpOutcome::Closed)
                && silent.iter().all(|e| e.host != **host)
        })
        .collect();
    let mut hosts: Vec<&Fqdn> = silent.iter().map(|e| &e.host).chain(late.iter().map(|(host, ..)| *host)).collect();
    hosts.dedup();
    if hosts.is_empty() {
        return Vec::new();
    }
    let through = silent.iter().find_map(|e| e.proxy.as_ref()).map(|p| format!(" through the proxy {}", p.url));
    vec![
        Draft::new(
            format!("{} accepts the request and never answers", list_of(&hosts)),
            format!(
                "The connection{} and TLS stand, and no HTTP answer follows: the service, or a middlebox that passes TLS on, swallows the request.",
                through.as_deref().unwrap_or_default()
            ),
        )
        .about(hosts.iter().copied())
        .seen(silent.iter().filter_map(|e| http(e)))
        .seen(late.iter().map(|(host, stage, step)| {
            evidence::probe(host, *stage, format!("{} {}: {}", step.method, step.path, evidence::http_line(step)))
        }))
        .mend([
            Fix::command("Ask again from another network, to tell the service from the way to it", format!("curl -sS -m 30 -o /dev/null -w '%{{http_code}}\\n' https://{}/v2/", list_first(&hosts))),
            Fix::advice("If it answers there, look at the middlebox or the proxy in between; else ask Azure's service health"),
        ]),
    ]
}

fn list_first(hosts: &[&Fqdn]) -> String {
    hosts.first().map(ToString::to_string).unwrap_or_default()
}

declare_finding! {
    /// The registry itself throttles or fails: 429 or 5xx.
    ///
    /// ## Why it matters
    /// The network is fine; the service asks to slow down, or has trouble in a region.
    ///
    /// ## How it shows
    /// - docker: `toomanyrequests: too many requests`
    /// - docker: `received unexpected HTTP status: 503 Service Unavailable`
    /// - az: `CONNECTIVITY_TOOMANYREQUESTS_ERROR`
    ///
    /// ## What decides it
    /// A registry's endpoint (or its token service) answers 429 or 5xx, not as an HTML page of a middlebox. `Retry-After`
    /// says when to come back.
    ///
    /// ## Fix
    /// Wait as long as `Retry-After` says; fewer parallel pulls, or a higher tier; otherwise Azure's service health.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-skus>
    UNAVAILABLE = "endpoint/unavailable", Error, article "container-registry-skus",
    explains ["auth/token-exchange-failed"], unavailable;
}

/// The answer, if it says that the service is throttling or failing.
fn trouble(observation: &HttpObservation) -> Option<&HttpAnswer> {
    match &observation.outcome {
        HttpOutcome::Answered(a) if a.status == 429 || a.status >= 500 => Some(a),
        _ => None,
    }
}

/// Steps behind the first answer: tokens, manifest, blob; with the host that each one asks.
fn later_steps<'a>(case: &Case<'a>) -> Vec<(&'a Fqdn, Stage, &'a HttpObservation)> {
    let (Some(probe), Some(login)) = (case.probe, case.login()) else {
        return Vec::new();
    };
    let auth = probe.auth.known().into_iter().flat_map(|a| a.exchange.iter().chain(&a.token));
    let mut steps: Vec<_> = auth.map(|step| (&login.host, Stage::Auth, step)).collect();
    if let Some(pull) = probe.pull.known() {
        steps.extend(std::iter::once(&pull.manifest).chain(&pull.blob).map(|step| (&login.host, Stage::Pull, step)));
        steps.extend(
            pull.data.iter().map(|step| (pull.redirected_to.as_ref().unwrap_or(&login.host), Stage::Pull, step)),
        );
    }
    steps
}

fn unavailable(case: &Case<'_>) -> Vec<Draft> {
    let first = case.endpoints().filter_map(|e| match Symptom::of(e) {
        Symptom::Unavailable(answer) => Some((&e.host, answer, http(e)?, e.region.as_ref())),
        _ => None,
    });
    let later = later_steps(case).into_iter().filter_map(|(host, stage, step)| {
        let line = format!("{} {}: {}", step.method, step.path, evidence::http_line(step));
        Some((host, trouble(step)?, evidence::probe(host, stage, line), None))
    });
    let troubled: Vec<_> = first.chain(later).collect();
    let Some((host, answer, _, region)) = troubled.first() else {
        return Vec::new();
    };
    let wait = troubled.iter().find_map(|(_, a, _, _)| a.retry_after_seconds);
    let throttled = answer.status == 429;
    let place = region.or(case.registry.map(|r| &r.location)).map(|r| format!(" in {r}")).unwrap_or_default();
    let mut fixes = vec![match (throttled, wait) {
        (_, Some(seconds)) => Fix::advice(format!("Try again in {seconds} seconds, as Retry-After says")),
        (true, None) => Fix::advice("Try again later, with fewer parallel requests"),
        (false, None) => {
            Fix::advice(format!("Try again later; see Azure's service health for Container Registry{place}"))
        }
    }];
    if throttled && let Some(registry) = case.registry {
        fixes.push(Fix::command(
            "If it happens often, compare the registry's limits and use",
            crate::reconcile::command::line(
                ["az", "acr", "show-usage", "-n", registry.name.as_str()]
                    .into_iter()
                    .chain(crate::reconcile::command::scope(&registry.id))
                    .chain(["--output", "table"]),
            ),
        ));
    }
    let request = answer.correlation_id.as_ref().map(|id| format!(" Correlation id for a support ticket: {id}."));
    vec![
        Draft::new(
            format!("{host} {}: {}", if throttled { "throttles this client" } else { "is failing" }, answer.status),
            format!(
                "The network is fine: the registry{place} itself answers {}.{}",
                answer.status,
                request.unwrap_or_default()
            ),
        )
        .about(troubled.iter().map(|(host, ..)| *host))
        .seen(troubled.iter().map(|(_, _, seen, _)| seen.clone()))
        .mend(fixes),
    ]
}

declare_finding! {
    /// Something answers in the registry's place: a captive portal, a block page, another web server.
    ///
    /// ## Why it matters
    /// A 403 or a redirect of a middlebox looks like the registry's own and is not: the registry's rules have not even
    /// been asked.
    ///
    /// ## How it shows
    /// - docker: `error parsing HTTP 403 response body: invalid character '<' looking for beginning of value`
    /// - docker: `login attempt to https://myregistry.azurecr.io/v2/ failed with status: 403 Forbidden`
    /// - az: `CONNECTIVITY_CHALLENGE_ERROR`, `CONNECTIVITY_FORBIDDEN_ERROR`
    ///
    /// ## What decides it
    /// `GET /v2/` is answered without `Docker-Distribution-Api-Version`, without a challenge and without the registry's
    /// errors: HTML, a redirect to another host, or no HTTP or TLS at all.
    ///
    /// ## Fix
    /// Let the endpoints through whatever answers: its page, its `Server` or `Via` header or its redirect name it.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-firewall-access-rules>
    NOT_A_REGISTRY = "endpoint/not-a-registry", Error, article "container-registry-firewall-access-rules",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in",
        "auth/token-exchange-failed", "auth/not-network"], not_a_registry;
}

fn speaks_something_else(endpoint: &EndpointObservation) -> bool {
    match Symptom::of(endpoint) {
        Symptom::Stranger(_) | Symptom::Tls(TlsOutcome::NotTls) => true,
        Symptom::NoAnswer(http) => matches!(http.outcome, HttpOutcome::Malformed(_)),
        _ => false,
    }
}

/// What gives the impostor away: its page, its headers, where it sends the client.
fn marks(answer: &HttpAnswer) -> String {
    let redirect = answer.redirect_host.as_ref().map(|h| format!("sends the client to {h}"));
    let server = answer.server.as_ref().map(|s| format!("calls itself '{s}'"));
    let headers =
        (!answer.middlebox_headers.is_empty()).then(|| format!("has {}", answer.middlebox_headers.join(", ")));
    let page = answer.excerpt.as_ref().map(|e| format!("shows '{e}'"));
    let marks: Vec<String> = [redirect, server, headers, page].into_iter().flatten().collect();
    if marks.is_empty() { String::new() } else { format!(" It {}.", marks.join(", ")) }
}

fn not_a_registry(case: &Case<'_>) -> Vec<Draft> {
    let strange: Vec<_> = case.endpoints().filter(|e| speaks_something_else(e)).collect();
    let Some(first) = strange.first() else {
        return Vec::new();
    };
    let controls: Vec<_> = case.controls().filter(|e| speaks_something_else(e)).collect();
    let hosts: Vec<&Fqdn> = strange.iter().map(|e| &e.host).collect();
    let names: Vec<&str> = hosts.iter().map(|h| h.as_str()).collect();
    let (what, marks) = match Symptom::of(first) {
        Symptom::Stranger(answer) => (format!("answers {} as no registry does", answer.status), marks(answer)),
        Symptom::Tls(_) => ("does not speak TLS on port 443".to_owned(), String::new()),
        _ => ("does not speak HTTP".to_owned(), String::new()),
    };
    vec![
        Draft::new(
            format!("What answers for {} is not the registry", list_of(&hosts)),
            format!("It {what}: a captive portal, a block page or another server stands in between.{marks} The registry's own rules are not involved."),
        )
        .about(strange.iter().chain(&controls).map(|e| &e.host))
        .seen(strange.iter().flat_map(|e| [Some(evidence::dns(e)), http(e)]).flatten())
        .mend([Fix::advice(format!("Let {} pass what answers in their place (log in to the portal, or allow them)", names.join(", ")))
            .change(crate::facts::Change::AllowEgress { hosts: hosts.iter().copied().cloned().collect() })]),
    ]
}

//! The management plane's own endpoints: the sign-in authority and Azure Resource Manager.

use crate::facts::config::{FailedRead, ReadFailure, SignIn};
use crate::facts::{EndpointObservation, EndpointRole, Evidence, Fqdn, Severity, Stage};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::paths::tls_words;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;

use super::network::allow_egress;

pub(super) static RULES: &[&Rule] = &[&AUTHORITY_UNREACHABLE, &ARM_UNREACHABLE];

/// The control of a role that breaks before any HTTP answer.
fn broken<'a>(case: &Case<'a>, role: EndpointRole) -> Option<&'a EndpointObservation> {
    case.controls().filter(|e| e.role == role).find(|e| {
        matches!(
            Symptom::of(e),
            Symptom::Dns(_) | Symptom::Proxy(_) | Symptom::Tcp(_) | Symptom::Tls(_) | Symptom::NoAnswer(_)
        )
    })
}

/// Reads of a host that got no answer.
fn unanswered<'a>(case: &Case<'a>, host: Option<&str>) -> Option<&'a FailedRead> {
    let silent = |r: &&FailedRead| matches!(r.failure, ReadFailure::Unreachable | ReadFailure::TimedOut);
    case.failed_reads().iter().filter(silent).find(|r| match host {
        Some(host) => r.resource.contains(host),
        None => !r.resource.contains("loganalytics"),
    })
}

/// The rung that broke, as evidence.
fn rung(endpoint: &EndpointObservation) -> Option<Evidence> {
    match Symptom::of(endpoint) {
        Symptom::Dns(_) => Some(evidence::dns(endpoint)),
        Symptom::Proxy(_) => Some(evidence::proxy(endpoint)),
        Symptom::Tcp(_) => Some(evidence::tcp(endpoint)),
        Symptom::Tls(_) => Some(evidence::probe(&endpoint.host, Stage::Tls, tls_words(endpoint.tls.as_ref()?))),
        Symptom::NoAnswer(http) => Some(evidence::http(&endpoint.host, http)),
        _ => None,
    }
}

/// A finding about one of the two, from the probe, else from the reads that failed.
fn unreachable(case: &Case<'_>, what: &str, role: EndpointRole, host: Option<&str>, cost: &str) -> Vec<Draft> {
    let seen = broken(case, role);
    let read = unanswered(case, host.filter(|_| role == EndpointRole::Authority));
    let Some(name) = seen.map(|e| e.host.to_string()).or_else(|| read.and(host).map(str::to_owned)) else {
        return Vec::new();
    };
    let parsed: Option<Fqdn> = name.parse().ok();
    let draft = Draft::new(format!("{what} {name} cannot be reached"), cost)
        .about(&parsed)
        .seen(seen.and_then(rung))
        .seen(read.map(|r| Evidence { pointer: None, ..evidence::config(&r.resource, "", r.message.clone()) }))
        .mend(allow_egress_of(case, parsed.as_ref()));
    let nobody_tried = matches!(case.config.sign_in, SignIn::NotAttempted { .. });
    vec![if nobody_tried { draft.severity(Severity::Warning) } else { draft }]
}

fn allow_egress_of(case: &Case<'_>, host: Option<&Fqdn>) -> Vec<crate::facts::Fix> {
    let Some(host) = host else { return Vec::new() };
    let tag = if case.config.cloud.authority.host_str() == Some(host.as_str()) {
        "AzureActiveDirectory"
    } else {
        "AzureResourceManager"
    };
    allow_egress(case, [host])
        .into_iter()
        .map(|fix| fix.saying(format!("Let the client's firewall or proxy pass TCP 443 to {host} (service tag {tag})")))
        .collect()
}

declare_finding! {
    /// The sign-in authority cannot be reached, so no token can be had.
    ///
    /// ## Why it matters
    /// Neither `az login` nor `az acr login` works without it, and the registry's configuration cannot be read from here.
    ///
    /// ## How it shows
    /// - az: `Could not connect to the registry login server`, or `HTTPSConnectionPool(host='login.microsoftonline.com', port=443): Max retries exceeded`
    /// - az: `AADSTS…` does not appear at all: no answer came
    ///
    /// ## What decides it
    /// The authority of this cloud fails at DNS, TCP, TLS or the proxy, and nobody is signed in here. Where no sign-in was
    /// tried (`probe` alone), it is a warning. A fault that hits the registry as well (resolver, firewall, proxy,
    /// inspection) explains it.
    ///
    /// ## Fix
    /// Allow the authority's name, or the service tag AzureActiveDirectory.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    AUTHORITY_UNREACHABLE = "access/authority-unreachable", Error, article "container-registry-troubleshoot-access",
    explains ["access/not-signed-in"], authority_unreachable;
}

fn authority_unreachable(case: &Case<'_>) -> Vec<Draft> {
    // A token was had, or the configuration was read elsewhere: nobody needs the authority here.
    if case.signed_in() || case.registry.is_some() {
        return Vec::new();
    }
    unreachable(
        case,
        "The sign-in authority",
        EndpointRole::Authority,
        case.config.cloud.authority.host_str(),
        "Without it nobody can sign in from here: no token for Azure Resource Manager, none for the registry.",
    )
}

declare_finding! {
    /// Azure Resource Manager cannot be reached, so the registry's configuration cannot be read or changed from here.
    ///
    /// ## Why it matters
    /// Settings cannot be viewed, and the registry cannot be managed with the Azure CLI from here. Pulling and pushing
    /// do not need it.
    ///
    /// ## How it shows
    /// - az: `HTTPSConnectionPool(host='management.azure.com', port=443): Max retries exceeded`
    /// - az: `Please ensure you have network connection.`
    ///
    /// ## What decides it
    /// The ARM endpoint of this cloud fails at DNS, TCP, TLS or the proxy, or every read of it got no answer, and the
    /// configuration was not read. Where no sign-in was tried (`probe` alone), it is a warning.
    ///
    /// ## Fix
    /// Allow the ARM endpoint's name, or the service tag AzureResourceManager.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    ARM_UNREACHABLE = "access/arm-unreachable", Error, article "container-registry-troubleshoot-access",
    explains [], arm_unreachable;
}

fn arm_unreachable(case: &Case<'_>) -> Vec<Draft> {
    let answered = case.config.lookups.iter().any(|l| {
        use crate::facts::config::LookupOutcome::{Found, NotFound, SubscriptionNotFound};
        matches!(l.outcome, Found { .. } | NotFound { .. } | SubscriptionNotFound { .. })
    });
    if case.registry.is_some() || answered {
        return Vec::new();
    }
    unreachable(
        case,
        "Azure Resource Manager at",
        EndpointRole::ResourceManager,
        case.config.cloud.resource_manager.host_str(),
        "The registry's settings can be neither read nor changed from here. Pulling and pushing do not need it.",
    )
}

//! Findings and paths to a verdict and the one sentence that a person would say.

use crate::facts::report::{Observed, PathReport};
use crate::facts::{EndpointRole, Evidence, Finding, Severity, Stage, Verdict};

use super::case::Case;
use super::sentence::within;

/// Codes that say, from the configuration alone, that nobody gets in, or that a cluster's nodes do not.
const SEALED: &[&str] = &[
    "auth/kubelet-cannot-pull",
    "firewall/cluster-not-allowed",
    "dns/cluster-zone-not-linked",
    "firewall/nobody-allowed",
    "private-link/none-while-public-disabled",
    "vnet/disabled-with-public-access",
];

/// Codes that say that the client cannot pull although every endpoint answers.
const CANNOT_PULL: &[&str] = &[
    "auth/not-network",
    "auth/token-exchange-failed",
    "auth/arm-audience-disabled",
    "network/storage-policy-denies",
    "endpoint/unavailable",
    "dns/daemon-resolves-differently",
    "proxy/daemon-not-configured",
    "client/registry-blocked",
    "dns/search-domain-answers",
];

/// The verdict and its sentence.
pub fn verdict(case: &Case<'_>, findings: &[Finding], paths: &[PathReport]) -> (Verdict, String) {
    let verdict = decide(case, findings, paths);
    (verdict, sentence(case, verdict, findings))
}

fn decide(case: &Case<'_>, findings: &[Finding], paths: &[PathReport]) -> Verdict {
    let errors =
        |codes: &[&str]| findings.iter().any(|f| f.severity == Severity::Error && codes.contains(&f.code.as_str()));
    let login = paths.iter().find(|p| p.role == EndpointRole::Login).map(|p| p.observed);
    match login {
        Some(Observed::Reached) if home_data_fails(case, paths) || errors(CANNOT_PULL) || breaks_the_pull(findings) => {
            Verdict::Blocked
        }
        Some(Observed::Refused | Observed::Unreachable) => Verdict::Blocked,
        Some(Observed::Untested) | None if case.registry.is_none() => Verdict::Unknown,
        Some(Observed::Untested) | None if errors(SEALED) => Verdict::Blocked,
        Some(Observed::Reached | Observed::Untested) | None => by_severity(findings),
    }
}

/// A pull needs login server and data endpoint: whether the one that this client is sent to fails.
/// With replicas, one that fails alone degrades; the home region's, or all, block.
fn home_data_fails(case: &Case<'_>, paths: &[PathReport]) -> bool {
    let data: Vec<&PathReport> =
        paths.iter().filter(|p| matches!(p.role, EndpointRole::Data | EndpointRole::Storage)).collect();
    let fails = |p: &PathReport| matches!(p.observed, Observed::Refused | Observed::Unreachable);
    !data.is_empty()
        && (data.iter().all(|p| fails(p)) || data.iter().any(|p| fails(p) && case.is_home(p.region.as_ref())))
}

/// Whether an error was seen at the token's or the pull's own rung.
fn breaks_the_pull(findings: &[Finding]) -> bool {
    let at_pull = |e: &Evidence| matches!(e.stage, Some(Stage::Auth | Stage::Pull));
    findings.iter().any(|f| f.severity == Severity::Error && f.evidence.iter().any(at_pull))
}

fn by_severity(findings: &[Finding]) -> Verdict {
    if findings.iter().any(|f| f.severity >= Severity::Warning) { Verdict::Degraded } else { Verdict::Healthy }
}

fn sentence(case: &Case<'_>, verdict: Verdict, findings: &[Finding]) -> String {
    let name = super::name(case);
    let roots: Vec<&Finding> = findings.iter().filter(|f| f.root_cause).collect();
    let from_here = if case.probe.is_some() { " from here" } else { "" };
    let because = match roots.as_slice() {
        [] => String::new(),
        [one] => format!(": {}", within(&one.title)),
        [first, rest @ ..] => {
            format!(": {}, and {} more independent cause{}", within(&first.title), rest.len(), plural(rest.len()))
        }
    };
    match verdict {
        Verdict::Healthy if case.probe.is_none() => {
            let unread = if case.unknowns().is_empty() { "" } else { ", as far as it was read" };
            format!("The configuration of {name} has nothing that needs mending{unread}.")
        }
        Verdict::Healthy => {
            format!("{name} can be used from here; every endpoint answers as the configuration promises.")
        }
        Verdict::Degraded => format!("{name} can be used{from_here}, with something to mend{because}."),
        Verdict::Blocked => format!("{name} cannot be used{from_here}{because}."),
        Verdict::Unknown => format!("Too little is known about {name} to judge{because}."),
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

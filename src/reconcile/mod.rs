//! Pure: joins the configuration with what a client met, and names the root cause.
//!
//! [`reconcile`] has no clock, no file, no socket. It builds a [`case::Case`] a registry, lets every
//! rule look at it, decides which findings explain the others, and sums up.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod candidates;
pub mod case;
pub mod clock;
pub mod command;
pub mod evidence;
pub mod expect;
mod fix;
pub mod hypothesis;
mod locked;
pub mod paths;
pub mod place;
pub mod root_cause;
pub mod routes;
pub mod rule;
pub mod rules;
pub mod security_rules;
mod sentence;
pub mod symptom;
pub mod unknowns;
pub mod verdict;
pub mod what_if;

use time::OffsetDateTime;

use crate::facts::config::LookupOutcome;
use crate::facts::{ConfigFacts, Finding, Known, ProbeFacts, RegistryConfig, RegistryReport, Report};

use case::Case;
pub use rule::Rule;

/// What the user wants of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// When the report is made: `reconcile` has no clock of its own.
    pub generated_at: OffsetDateTime,
    /// Whether this is an audit: some findings are of interest only there.
    pub audit: bool,
    /// An IP rule with a prefix shorter than this is broad.
    pub broad_rule_prefix: u8,
    /// Services that must pull, as named with `--used-by`.
    pub used_by: Vec<String>,
}

impl Options {
    /// The defaults, at a time.
    pub fn at(generated_at: OffsetDateTime) -> Self {
        Self { generated_at, audit: false, broad_rule_prefix: 16, used_by: Vec::new() }
    }
}

/// Joins what ARM said with what clients met. A probe belongs to the registry with its login server;
/// a probe without a registry, and a lookup without one, get an entry of their own.
pub fn reconcile(config: &ConfigFacts, probes: &[ProbeFacts], options: &Options) -> Report {
    let several = several_hosts(probes);
    let alone = |registry| diagnose(&Case::new(config, registry, None, options));
    let seen = |registry, probe: &ProbeFacts| RegistryReport {
        seen_from: several.then(|| probe.vantage.hostname.clone()),
        ..diagnose(&Case::new(config, registry, Some(probe), options))
    };
    let mut registries = Vec::new();
    let mut used = vec![false; probes.len()];
    for registry in &config.registries {
        let mut own = probes.iter().zip(&mut used).filter(|(probe, _)| belongs(probe, registry)).peekable();
        if own.peek().is_none() {
            registries.push(alone(Some(registry)));
        }
        for (probe, used) in own {
            *used = true;
            registries.push(seen(Some(registry), probe));
        }
    }
    for (probe, _) in probes.iter().zip(&used).filter(|(_, used)| !**used) {
        registries.push(seen(None, probe));
    }
    if registries.is_empty() && (config.lookups.iter().any(unfound) || probes.is_empty()) {
        registries.push(alone(None));
    }
    let vantage = probes.first().filter(|_| !several).map(with_egress);
    Report::new(options.generated_at, vantage, registries)
}

/// Whether the probes are of more than one host, as those of a cluster's nodes are.
fn several_hosts(probes: &[ProbeFacts]) -> bool {
    let mut hosts = probes.iter().map(|probe| probe.vantage.hostname.as_str());
    hosts.next().is_some_and(|first| hosts.any(|other| !other.eq_ignore_ascii_case(first)))
}

fn unfound(lookup: &crate::facts::config::RegistryLookup) -> bool {
    !matches!(lookup.outcome, LookupOutcome::Found { .. })
}

/// Whether a probe looked at this registry: the same login server, one of them tried, or the name asked for.
fn belongs(probe: &ProbeFacts, registry: &RegistryConfig) -> bool {
    probe.login_server == registry.login_server
        || probe.endpoints.iter().any(|e| e.host == registry.login_server)
        || probe.login_server.first_label() == registry.name.as_str()
}

/// The vantage, with the egress address that the registry's own refusal named.
fn with_egress(probe: &ProbeFacts) -> crate::facts::Vantage {
    let mut vantage = probe.vantage.clone();
    if !vantage.egress_ip.is_known() {
        let seen = probe.endpoints.iter().find_map(|e| match symptom::Symptom::of(e) {
            symptom::Symptom::Denied(Some(ip), _) if !place::is_private(ip) => Some(ip),
            _ => None,
        });
        if let Some(ip) = seen {
            vantage.egress_ip = Known::Known(ip);
        }
    }
    vantage
}

/// The right without which nothing is known of a registry.
pub(super) const READ_REGISTRY: &str = "Microsoft.ContainerRegistry/registries/read";

/// Says that a registry that could not be looked for is not known.
fn note_lookup(case: &Case<'_>) {
    if let Some(LookupOutcome::Unknown { why, .. }) = case.lookup().map(|l| &l.outcome)
        && case.signed_in()
    {
        case.note_unknown("registry configuration", why, Some(READ_REGISTRY));
    }
}

/// What every rule says of a case, and which of it explains the rest.
fn judge(case: &Case<'_>) -> Vec<Finding> {
    let said = rules::all().flat_map(|rule| (rule.check)(case).into_iter().map(move |draft| (rule, draft)));
    let failing = case.endpoints().filter(|e| !symptom::Symptom::of(e).is_reached()).map(|e| &e.host);
    root_cause::settle(said.collect(), &failing.collect::<Vec<_>>())
}

fn diagnose(case: &Case<'_>) -> RegistryReport {
    note_lookup(case);
    let mut findings = judge(case);
    unknowns::note(case);
    locked::tell(case, &mut findings);
    candidates::decide(case, &mut findings);
    let paths = paths::paths(case);
    let (verdict, summary) = verdict::verdict(case, &findings, &paths);
    RegistryReport {
        name: name(case),
        login_server: case.login_server().cloned(),
        id: case.registry.map(|r| r.id.clone()),
        location: case.registry.map(|r| r.location.clone()),
        seen_from: None,
        tags: case.registry.map(|r| r.tags.clone()).unwrap_or_default(),
        verdict,
        summary,
        findings,
        paths,
        unknowns: case.unknowns(),
    }
}

fn name(case: &Case<'_>) -> String {
    case.registry
        .map(|r| r.name.to_string())
        .or_else(|| case.probe.map(|p| p.login_server.first_label().to_owned()))
        .or_else(|| case.config.lookups.first().map(|l| l.asked.clone()))
        .unwrap_or_else(|| "(no registry)".to_owned())
}

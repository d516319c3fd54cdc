//! The report: what `check`, `config`, `reconcile` and `audit` print (`acr-doctor/v1`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::audit::Audit;
use super::cluster::ClusterConfig;
use super::finding::{Finding, Stage};
use super::hosts::HostGroup;
use super::probe::EndpointRole;
use super::timings::Timings;
use super::vantage::Vantage;
use super::{ConfigFacts, Fqdn, LoginServer, Region, ResourceId};

/// The `apiVersion` of reports and snapshots.
pub const API_VERSION: &str = "acr-doctor/v1";

/// One report over one or many registries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `acr-doctor/v1`.
    pub api_version: String,
    /// `Report`.
    pub kind: String,
    /// When the report was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub generated_at: OffsetDateTime,
    /// Who looked; null where nobody probed, or several hosts did (then each entry has its `seenFrom`).
    pub vantage: Option<Vantage>,
    /// One entry a registry, or one for each host that looked at it.
    pub registries: Vec<RegistryReport>,
    /// Which hosts see what, where several looked; absent elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostGroup>,
    /// Totals over the entries.
    pub summary: Summary,
    /// What an audit adds; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// What the configuration is (`config`): the `facts` of a ConfigSnapshot; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Box<ConfigFacts>>,
    /// Where the time went (`--timings`); absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
    /// The nodes that were asked about (`check --from aks`); absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodesReport>,
}

/// The nodes of a cluster, and how to look from one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodesReport {
    /// The cluster.
    pub cluster: ClusterConfig,
    /// The `kubectl` command that looks from a node and brings its snapshot back.
    pub probe_command: String,
}

/// What is the matter with a registry, as seen from the vantage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing at warning or above.
    Healthy,
    /// It can be reached, and something is wrong all the same.
    Degraded,
    /// It cannot be used from here.
    Blocked,
    /// Too little is known.
    Unknown,
}

/// One registry's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryReport {
    /// The registry's name, or what was asked for.
    pub name: String,
    /// Its login server, where known.
    pub login_server: Option<LoginServer>,
    /// Its resource id, where known.
    pub id: Option<ResourceId>,
    /// Its home region, where known.
    pub location: Option<Region>,
    /// The host that looked, where several did; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_from: Option<String>,
    /// Its tags, where known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence that a person would say.
    pub summary: String,
    /// Root causes first, then by severity and code.
    pub findings: Vec<Finding>,
    /// The endpoints.
    pub paths: Vec<PathReport>,
    /// Facts that were missing.
    pub unknowns: Vec<UnknownFact>,
}

/// What the configuration lets this vantage do at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectedPath {
    /// In, through an approved private endpoint.
    PrivateLink,
    /// In, by a service endpoint and a subnet rule.
    ServiceEndpoint,
    /// In, over the public endpoint.
    PublicAllowed,
    /// Refused.
    Blocked,
    /// A needed fact is missing.
    Unknown,
}

/// How an endpoint turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Observed {
    /// It answered as the registry.
    Reached,
    /// The registry answered and refused this client.
    Refused,
    /// It could not be reached, or something else answered.
    Unreachable,
    /// Nobody looked.
    Untested,
}

/// The promise against the outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PathVerdict {
    /// They agree: let in as promised, or refused as promised.
    Kept,
    /// A way in is promised, and the client does not get in.
    Broken,
    /// The client gets in, by another way than the one that is meant for it.
    Detour,
    /// The client gets in, although the configuration promises a refusal.
    Unexpected,
    /// Nothing is promised for want of a fact, nobody looked, or something stopped the client before the registry could
    /// refuse it.
    #[default]
    Undecided,
}

/// One endpoint: what was promised and what happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathReport {
    /// The name.
    pub endpoint: Fqdn,
    /// `login`, `data`, …
    pub role: EndpointRole,
    /// Its region, where known.
    pub region: Option<Region>,
    /// What the configuration promises.
    pub expected: ExpectedPath,
    /// The clause of the access model that decided, or the fact that is missing.
    pub because: String,
    /// What happened.
    pub observed: Observed,
    /// The promise against that.
    #[serde(default)]
    pub verdict: PathVerdict,
    /// The ladder.
    pub stages: Vec<StageReport>,
}

/// Whether a rung held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageStatus {
    /// It held.
    Ok,
    /// It broke.
    Failed,
    /// Not tried.
    Skipped,
}

/// One rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageReport {
    /// Which.
    pub stage: Stage,
    /// Whether it held.
    pub status: StageStatus,
    /// Milliseconds, where tried.
    pub ms: Option<f64>,
    /// In words.
    pub detail: String,
}

/// A fact that was missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnknownFact {
    /// Which.
    pub fact: String,
    /// Why it is missing.
    pub why: String,
    /// The right or flag that would supply it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}

/// Totals over all registries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Registries.
    pub registries: usize,
    /// With verdict blocked.
    pub blocked: usize,
    /// With verdict degraded.
    pub degraded: usize,
    /// With verdict healthy.
    pub healthy: usize,
    /// With verdict unknown.
    pub unknown: usize,
    /// Findings of severity error.
    pub errors: usize,
    /// Findings of severity warning.
    pub warnings: usize,
    /// Findings of severity info.
    pub infos: usize,
}

impl Report {
    /// A report over `registries`, with its totals.
    pub fn new(generated_at: OffsetDateTime, vantage: Option<Vantage>, registries: Vec<RegistryReport>) -> Self {
        let (hosts, summary) = (HostGroup::of(&registries), Summary::of(&registries));
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Report".to_owned(),
            generated_at,
            vantage,
            registries,
            hosts,
            summary,
            audit: None,
            facts: None,
            timings: None,
            nodes: None,
        }
    }

    /// Adds the findings of another look at the same registries that this one does not have, and counts anew.
    pub fn add_findings(&mut self, other: Self) {
        for registry in other.registries {
            let Some(own) = self.registries.iter_mut().find(|own| own.name == registry.name) else { continue };
            let fresh =
                |finding: &Finding| !own.findings.iter().any(|o| o.code == finding.code && o.title == finding.title);
            let found: Vec<Finding> = registry.findings.into_iter().filter(fresh).collect();
            own.findings.extend(found);
            own.findings.sort_by(|a, b| {
                b.root_cause.cmp(&a.root_cause).then(b.severity.cmp(&a.severity)).then(a.code.cmp(&b.code))
            });
            if own.verdict == Verdict::Healthy || registry.verdict == Verdict::Blocked {
                (own.verdict, own.summary) = (registry.verdict, registry.summary);
            }
        }
        self.summary = Summary::of(&self.registries);
    }
}

impl Summary {
    /// Counts verdicts and severities.
    pub fn of(registries: &[RegistryReport]) -> Self {
        let mut summary = Self::default();
        for registry in registries {
            summary.add(registry);
        }
        summary
    }

    /// Counts one more registry.
    pub fn add(&mut self, registry: &RegistryReport) {
        use super::finding::Severity;
        self.registries += 1;
        match registry.verdict {
            Verdict::Blocked => self.blocked += 1,
            Verdict::Degraded => self.degraded += 1,
            Verdict::Healthy => self.healthy += 1,
            Verdict::Unknown => self.unknown += 1,
        }
        for finding in &registry.findings {
            match finding.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
                Severity::Info => self.infos += 1,
            }
        }
    }

    /// Findings of at least a severity.
    pub fn findings_from(&self, severity: super::finding::Severity) -> usize {
        use super::finding::Severity;
        match severity {
            Severity::Error => self.errors,
            Severity::Warning => self.errors + self.warnings,
            Severity::Info => self.errors + self.warnings + self.infos,
        }
    }
}

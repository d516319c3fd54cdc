//! What an audit adds to a report: which subscriptions were seen, the findings by code, policy and baseline.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding::{Code, Finding, Severity};
use super::report::{RegistryReport, Report, Verdict};

/// The part of a report that only an audit has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Subscriptions that were read.
    pub subscriptions: usize,
    /// Subscriptions and management groups that could not be read, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadScope>,
    /// The findings by code, the worst and most frequent first.
    pub codes: Vec<CodeCount>,
    /// What the policy file did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyOutcome>,
    /// What changed since the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineOutcome>,
}

/// A scope that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadScope {
    /// The subscription's GUID, or the management group's name.
    pub scope: String,
    /// Its display name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why not.
    pub why: String,
    /// The right that is missing, where ARM named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}

/// How often a code was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodeCount {
    /// The code.
    pub code: Code,
    /// The highest severity that it was found with.
    pub severity: Severity,
    /// Registries that have it.
    pub registries: usize,
    /// Findings of it.
    pub findings: usize,
}

/// What the policy file did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyOutcome {
    /// Findings that a suppression took out of the report.
    pub suppressed: usize,
    /// Findings whose severity the policy changed.
    pub regraded: usize,
    /// Suppressions that need attention, and thresholds that were passed.
    pub notices: Vec<PolicyNotice>,
}

/// What is wrong with a policy entry, or which threshold was passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyNotice {
    /// The kind.
    pub kind: PolicyNoticeKind,
    /// The entry as a person finds it in the file: `suppress #2 (firewall/broad-rule)`.
    pub entry: String,
    /// One sentence.
    pub message: String,
}

/// The kind of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyNoticeKind {
    /// A suppression past its date: it no longer suppresses.
    Expired,
    /// A suppression that matched no finding.
    Unused,
    /// A threshold that the report passes.
    ThresholdExceeded,
}

/// What changed since the baseline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaselineOutcome {
    /// Findings that the baseline had already.
    pub known: usize,
    /// Findings that are not in the baseline, or were milder there.
    pub new: usize,
    /// Findings of the baseline that are gone from registries that were looked at again.
    pub gone: usize,
    /// Which, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone_findings: Vec<GoneFinding>,
    /// Registries of the baseline that this audit lacks: deleted, filtered out, or not readable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
}

/// A finding of the baseline that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GoneFinding {
    /// The registry's name, and the host that looked where several did.
    pub registry: String,
    /// The code.
    pub code: Code,
    /// How grave it was.
    pub severity: Severity,
}

impl BaselineOutcome {
    /// The outcome in lines: the counts, then each code that is gone with its registries, then the absent registries.
    pub fn lines(&self) -> Vec<String> {
        let Self { known, new, gone, gone_findings, absent } = self;
        let mut lines = vec![format!("{new} new, {known} known (not shown), {gone} gone")];
        for group in gone_findings.chunk_by(|a, b| a.code == b.code) {
            let mut names: Vec<&str> = group.iter().map(|finding| finding.registry.as_str()).collect();
            names.dedup();
            lines.extend(group.first().map(|first| format!("gone: {} ({})", first.code, in_words(&names))));
        }
        if !absent.is_empty() {
            let names: Vec<&str> = absent.iter().map(String::as_str).collect();
            lines.push(format!("in the baseline, and not in this audit: {}", in_words(&names)));
        }
        lines
    }
}

/// A few names; of many the first three, and how many more there are.
pub(super) fn in_words(names: &[&str]) -> String {
    match names {
        [first, second, third, rest @ ..] if rest.len() > 2 => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        few => few.join(", "),
    }
}

/// Counts codes, registry by registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeCounter(BTreeMap<Code, CodeCount>);

impl CodeCounter {
    /// Counts the findings of one more registry.
    pub fn add(&mut self, registry: &RegistryReport) {
        let mut here = BTreeSet::new();
        for finding in &registry.findings {
            let count = self.0.entry(finding.code.clone()).or_insert_with(|| CodeCount {
                code: finding.code.clone(),
                severity: finding.severity,
                registries: 0,
                findings: 0,
            });
            count.severity = count.severity.max(finding.severity);
            count.findings += 1;
            count.registries += usize::from(here.insert(&finding.code));
        }
    }

    /// The counts, the worst and most frequent first.
    pub fn counts(self) -> Vec<CodeCount> {
        let mut counts: Vec<CodeCount> = self.0.into_values().collect();
        counts.sort_by(|a, b| (b.severity, b.registries, &a.code).cmp(&(a.severity, a.registries, &b.code)));
        counts
    }
}

impl RegistryReport {
    /// What this registry is recognised by in another report: its id, its login server, its name.
    pub fn key(&self) -> String {
        let id = self.id.as_ref().map(super::ResourceId::key);
        id.or_else(|| self.login_server.as_ref().map(|host| host.as_str().to_owned()))
            .unwrap_or_else(|| self.name.to_ascii_lowercase())
    }
}

impl Finding {
    /// What it is recognised by within its registry in another report: the code and the endpoints, or else the
    /// resources, that it was seen on. Neither its words nor its severity: those change without a new cause.
    pub fn fingerprint(&self) -> String {
        let endpoints: BTreeSet<String> = self.evidence.iter().filter_map(|e| e.endpoint.clone()).collect();
        let resources = || self.evidence.iter().filter_map(|e| e.resource.as_ref().map(|r| r.to_ascii_lowercase()));
        let subject = if endpoints.is_empty() { resources().collect() } else { endpoints };
        let subject: Vec<String> = subject.into_iter().collect();
        format!("{}|{}", self.code, subject.join("|"))
    }
}

impl Report {
    /// Whether a baseline left nothing to show of a registry. One of which nothing is known may have anything new.
    pub fn is_as_before(&self, registry: &RegistryReport) -> bool {
        let against = self.audit.as_ref().is_some_and(|audit| audit.baseline.is_some());
        against && registry.findings.is_empty() && registry.verdict != Verdict::Unknown
    }

    /// The part of an audit, made on first use.
    pub fn audit_mut(&mut self) -> &mut Audit {
        self.audit.get_or_insert_with(Audit::default)
    }
}

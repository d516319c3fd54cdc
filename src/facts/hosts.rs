//! The same registry seen from several hosts: which of them see what.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding::{Code, Severity};
use super::report::{RegistryReport, Verdict};

/// What makes two entries alike: the registry's place in the report, the verdict's rank, errors and warnings.
type Look = (usize, usize, Vec<(Severity, Code)>);

/// Hosts from which a registry looks the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostGroup {
    /// The registry's name.
    pub registry: String,
    /// What its entries are recognised by: its id, its login server, its name.
    pub key: String,
    /// The verdict from these hosts.
    pub verdict: Verdict,
    /// The root causes from these hosts.
    pub root_causes: Vec<Code>,
    /// The hosts, in the order of their names.
    pub hosts: Vec<String>,
}

impl HostGroup {
    /// The groups of each registry that several hosts looked at, in the registries' order and the worst first: alike
    /// are those with the same verdict, the same root causes and the same errors and warnings.
    pub fn of(registries: &[RegistryReport]) -> Vec<Self> {
        let mut order: BTreeMap<String, usize> = BTreeMap::new();
        let mut groups: BTreeMap<Look, Self> = BTreeMap::new();
        for registry in registries {
            let Some(host) = &registry.seen_from else { continue };
            let key = registry.key();
            let next = order.len();
            let place = *order.entry(key.clone()).or_insert(next);
            let mut seen: Vec<(Severity, Code)> = registry
                .findings
                .iter()
                .filter(|f| f.severity > Severity::Info || f.root_cause)
                .map(|f| (f.severity, f.code.clone()))
                .collect();
            seen.sort_by(|a, b| b.cmp(a));
            let group = groups.entry((place, rank(registry.verdict), seen)).or_insert_with(|| Self {
                registry: registry.name.clone(),
                key,
                verdict: registry.verdict,
                root_causes: registry.findings.iter().filter(|f| f.root_cause).map(|f| f.code.clone()).collect(),
                hosts: Vec::new(),
            });
            group.hosts.push(host.clone());
        }
        let sorted = |mut group: Self| {
            group.hosts.sort();
            group
        };
        groups.into_values().map(sorted).collect()
    }

    /// The hosts for a line: all of a few, the first three of many.
    pub fn hosts_in_words(&self) -> String {
        super::audit::in_words(&self.hosts.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// The worst verdict first.
fn rank(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Blocked => 0,
        Verdict::Degraded => 1,
        Verdict::Unknown => 2,
        Verdict::Healthy => 3,
    }
}

impl RegistryReport {
    /// Its name for a person, with the host that looked where several did.
    pub fn label(&self) -> String {
        match &self.seen_from {
            Some(host) => format!("{} from {host}", self.name),
            None => self.name.clone(),
        }
    }

    /// What this entry is recognised by in another report: the registry, and the host that looked where several did.
    pub fn identity(&self) -> String {
        match &self.seen_from {
            Some(host) => format!("{} from {}", self.key(), host.to_ascii_lowercase()),
            None => self.key(),
        }
    }
}

//! What an organisation thinks of each registry, and the totals; one registry at a time, so that a stream can be
//! judged as it comes.

use std::cmp::Reverse;
use std::collections::HashSet;

use time::OffsetDateTime;

use super::baseline::{Baseline, BaselineRun};
use super::policy::{Policy, PolicyRun};
use crate::facts::audit::{Audit, CodeCounter};
use crate::facts::report::{RegistryReport, Summary};
use crate::facts::{Finding, Severity, Verdict};

/// Policy and baseline at work, with the totals of what is left.
#[derive(Debug)]
pub struct Judge<'p> {
    policy: Option<PolicyRun<'p>>,
    baseline: Option<BaselineRun>,
    summary: Summary,
    codes: CodeCounter,
}

impl<'p> Judge<'p> {
    /// A judge at a time: suppressions end by its date.
    pub fn new(policy: Option<&'p Policy>, baseline: Option<Baseline>, now: OffsetDateTime) -> Self {
        Self {
            policy: policy.map(|policy| PolicyRun::new(policy, now.date())),
            baseline: baseline.map(BaselineRun::new),
            summary: Summary::default(),
            codes: CodeCounter::default(),
        }
    }

    /// Applies policy, then baseline, and counts what is left.
    pub fn judge(&mut self, registry: &mut RegistryReport) {
        let fingerprints = |registry: &RegistryReport| registry.findings.iter().map(Finding::fingerprint).collect();
        let found: Option<HashSet<String>> = self.baseline.is_some().then(|| fingerprints(registry));
        if let Some(policy) = &mut self.policy {
            policy.judge(registry);
        }
        if let (Some(baseline), Some(found)) = (&mut self.baseline, found) {
            baseline.judge(registry, &found);
        }
        self.summary.add(registry);
        self.codes.add(registry);
    }

    /// The totals so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The totals, and the audit part with what policy and baseline have to say.
    pub fn finish(self) -> (Summary, Audit) {
        let audit = Audit {
            codes: self.codes.counts(),
            policy: self.policy.map(|policy| policy.finish(&self.summary)),
            baseline: self.baseline.map(BaselineRun::finish),
            ..Audit::default()
        };
        (self.summary, audit)
    }
}

/// The worst first: by the worst finding, blocked before others, by the number of errors and warnings, by name and id.
pub fn by_severity(registries: &mut [RegistryReport]) {
    registries.sort_by_cached_key(|registry| {
        let count = |severity: Severity| registry.findings.iter().filter(|f| f.severity == severity).count();
        let worst = registry.findings.iter().map(|f| f.severity).max();
        let rank = match registry.verdict {
            Verdict::Blocked => 0,
            Verdict::Degraded => 1,
            Verdict::Unknown => 2,
            Verdict::Healthy => 3,
        };
        let counts = (count(Severity::Error), count(Severity::Warning));
        (Reverse(worst), rank, Reverse(counts), registry.name.clone(), registry.key())
    });
}

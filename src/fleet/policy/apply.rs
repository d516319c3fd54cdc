//! A policy over a report: registry by registry, so that a stream can be judged as it comes.

use time::Date;

use super::{Grade, Policy, Suppression};
use crate::facts::audit::{PolicyNotice, PolicyNoticeKind, PolicyOutcome};
use crate::facts::report::{RegistryReport, Summary};
use crate::facts::{Code, Severity, Verdict};

/// A policy at work: it remembers which of its entries were of use.
#[derive(Debug)]
pub struct PolicyRun<'p> {
    policy: &'p Policy,
    today: Date,
    used: Vec<bool>,
    suppressed: usize,
    regraded: usize,
}

impl Policy {
    /// What a code is worth: the longest pattern that matches decides.
    fn grade(&self, code: &Code) -> Option<Grade> {
        let matching = self.severity.iter().filter(|(pattern, _)| pattern.matches(code));
        matching.max_by_key(|(pattern, _)| pattern.0.len()).map(|(_, grade)| *grade)
    }
}

impl<'p> PolicyRun<'p> {
    /// A run on a day.
    pub fn new(policy: &'p Policy, today: Date) -> Self {
        Self { policy, today, used: vec![false; policy.suppress.len()], suppressed: 0, regraded: 0 }
    }

    /// Regrades and suppresses the findings of one registry. The verdicts healthy and degraded follow from the
    /// findings and follow them here; blocked and unknown are facts, and stay.
    pub fn judge(&mut self, registry: &mut RegistryReport) {
        let before = registry.findings.len();
        let mut findings = std::mem::take(&mut registry.findings);
        findings.retain_mut(|finding| {
            match self.policy.grade(&finding.code) {
                Some(Grade::Off) => {
                    self.suppressed += 1;
                    return false;
                }
                Some(Grade::Severity(severity)) if severity != finding.severity => {
                    self.regraded += 1;
                    finding.severity = severity;
                }
                Some(Grade::Severity(_)) | None => {}
            }
            let mut suppressed = false;
            for (entry, used) in self.policy.suppress.iter().zip(&mut self.used) {
                if holds(entry, self.today) && entry.matches(registry, finding) {
                    *used = true;
                    suppressed = true;
                }
            }
            self.suppressed += usize::from(suppressed);
            !suppressed
        });
        let hidden = before - findings.len();
        registry.findings = findings;
        reconsider(registry, hidden);
    }

    /// What there is to say at the end: entries that are of no use any more, thresholds that are passed.
    pub fn finish(self, summary: &Summary) -> PolicyOutcome {
        let mut notices = Vec::new();
        for (index, (entry, used)) in self.policy.suppress.iter().zip(&self.used).enumerate() {
            let label = format!("suppress #{} ({})", index + 1, entry.code);
            if let Some(end) = entry.expires.filter(|_| !holds(entry, self.today)) {
                let message = format!("expired on {end}; its reason was: {}", entry.reason);
                notices.push(PolicyNotice { kind: PolicyNoticeKind::Expired, entry: label, message });
            } else if !used {
                let message = format!("matches no finding any more; its reason was: {}", entry.reason);
                notices.push(PolicyNotice { kind: PolicyNoticeKind::Unused, entry: label, message });
            }
        }
        notices.extend(self.policy.thresholds.passed(summary));
        PolicyOutcome { suppressed: self.suppressed, regraded: self.regraded, notices }
    }
}

fn holds(entry: &Suppression, today: Date) -> bool {
    entry.expires.is_none_or(|end| today <= end)
}

/// The verdict and its sentence after `hidden` findings were taken away.
pub(in crate::fleet) fn reconsider(registry: &mut RegistryReport, hidden: usize) {
    if !matches!(registry.verdict, Verdict::Healthy | Verdict::Degraded) {
        return;
    }
    let before = registry.verdict;
    let grave = registry.findings.iter().any(|f| f.severity >= Severity::Warning);
    registry.verdict = if grave { Verdict::Degraded } else { Verdict::Healthy };
    if registry.verdict == before && hidden == 0 {
        return;
    }
    let name = &registry.name;
    match registry.findings.iter().find(|f| f.severity >= Severity::Warning) {
        None if hidden > 0 => {
            let (s, are) = if hidden == 1 { ("", "is") } else { ("s", "are") };
            registry.summary =
                format!("{name} has nothing to mend that is not accepted: {hidden} finding{s} {are} not shown.");
        }
        None => registry.summary = format!("{name} has nothing that the policy wants mended."),
        Some(first) => registry.summary = format!("{name} has something to mend: {}.", first.title),
    }
}

impl super::Thresholds {
    /// The thresholds that these totals pass.
    pub(in crate::fleet) fn passed(&self, summary: &Summary) -> Vec<PolicyNotice> {
        let limits = [
            ("errors", self.errors, summary.errors),
            ("warnings", self.warnings, summary.warnings),
            ("blocked", self.blocked, summary.blocked),
            ("unknown", self.unknown, summary.unknown),
        ];
        let passed = limits.into_iter().filter_map(|(what, limit, count)| Some((what, limit?, count)));
        passed
            .filter(|(_, limit, count)| count > limit)
            .map(|(what, limit, count)| PolicyNotice {
                kind: PolicyNoticeKind::ThresholdExceeded,
                entry: format!("thresholds.{what}"),
                message: format!("{count} {what}, and the policy allows {limit}"),
            })
            .collect()
    }
}

//! A report of an earlier day: what it had already is not news.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use thiserror::Error;

use super::policy::reconsider;
use crate::facts::Severity;
use crate::facts::audit::{BaselineOutcome, GoneFinding};
use crate::facts::report::{API_VERSION, RegistryReport, Report};

/// An earlier report: what it found on each registry, by identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    registries: BTreeMap<String, Earlier>,
}

/// A registry in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Earlier {
    /// As a person knows it.
    label: String,
    /// By fingerprint the severities found, the worst last.
    findings: HashMap<String, Vec<Severity>>,
    /// Whether today's audit has it too.
    seen: bool,
}

/// Why a text is no baseline. The caller adds the file's name.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BaselineError {
    /// Neither a report nor lines of one.
    #[error("no report of acr-doctor (`audit -o json`, or the lines of `-o jsonl`): {0}")]
    NotAReport(String),
    /// A report of another version.
    #[error("a report of version '{0}'; this acr-doctor reads {API_VERSION}")]
    Version(String),
}

impl Baseline {
    /// Reads a report (`-o json`), or the lines of one (`-o jsonl`).
    ///
    /// # Errors
    /// [`BaselineError`] if it is neither.
    pub fn parse(text: &[u8]) -> Result<Self, BaselineError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let refused = |e: serde_json::Error| BaselineError::NotAReport(e.to_string());
        let mut baseline = Self::default();
        let mut documents = 0;
        for document in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
            let document = document.map_err(refused)?;
            documents += 1;
            let text_of = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
            if let Some(version) = text_of("apiVersion").filter(|version| version != API_VERSION) {
                return Err(BaselineError::Version(version.chars().filter(|c| !c.is_control()).take(60).collect()));
            }
            match text_of("kind").as_deref() {
                Some("Report") => {
                    let report: Report = serde_json::from_value(document).map_err(refused)?;
                    report.registries.iter().for_each(|registry| baseline.add(registry));
                }
                Some("Summary") => {}
                Some("RegistryReport") => baseline.add(&serde_json::from_value(document).map_err(refused)?),
                Some(_) | None => return Err(BaselineError::NotAReport("it has another kind, or none".to_owned())),
            }
        }
        if documents == 0 {
            return Err(BaselineError::NotAReport("it is empty".to_owned()));
        }
        Ok(baseline)
    }

    fn add(&mut self, registry: &RegistryReport) {
        let earlier = self.registries.entry(registry.identity()).or_default();
        earlier.label = registry.label();
        for finding in &registry.findings {
            let known = earlier.findings.entry(finding.fingerprint()).or_default();
            known.push(finding.severity);
            known.sort_unstable();
        }
    }
}

/// A baseline at work, registry by registry.
#[derive(Debug)]
pub struct BaselineRun {
    earlier: Baseline,
    known: usize,
    new: usize,
}

impl BaselineRun {
    /// A run against a baseline.
    pub fn new(earlier: Baseline) -> Self {
        Self { earlier, known: 0, new: 0 }
    }

    /// Takes what is known out of one registry; a finding that was milder then is news. `found` are the fingerprints
    /// before any policy: what is accepted today is not gone. Its verdict is kept where it is a fact: blocked, unknown.
    pub fn judge(&mut self, registry: &mut RegistryReport, found: &HashSet<String>) {
        let Some(earlier) = self.earlier.registries.get_mut(&registry.identity()) else {
            self.new += registry.findings.len();
            return;
        };
        earlier.seen = true;
        let before = registry.findings.len();
        let mut findings = std::mem::take(&mut registry.findings);
        findings.retain(|finding| {
            let known = earlier.findings.get_mut(&finding.fingerprint());
            // Each finding of the baseline stands for one: two alike today, where there was one, are one new.
            let same = known.and_then(Vec::pop).is_some_and(|then| finding.severity <= then);
            self.known += usize::from(same);
            self.new += usize::from(!same);
            !same
        });
        earlier.findings.retain(|fingerprint, left| !left.is_empty() && !found.contains(fingerprint));
        let hidden = before - findings.len();
        registry.findings = findings;
        reconsider(registry, hidden);
    }

    /// The counts, and what is left of the baseline: findings that are gone, and registries that today's audit lacks.
    pub fn finish(self) -> BaselineOutcome {
        let mut outcome = BaselineOutcome { known: self.known, new: self.new, ..BaselineOutcome::default() };
        for earlier in self.earlier.registries.into_values() {
            if !earlier.seen {
                outcome.absent.push(earlier.label);
                continue;
            }
            for (fingerprint, severities) in earlier.findings {
                let code = fingerprint.split('|').next().unwrap_or_default();
                let gone = |severity| GoneFinding { registry: earlier.label.clone(), code: code.into(), severity };
                outcome.gone_findings.extend(severities.into_iter().map(gone));
            }
        }
        outcome
            .gone_findings
            .sort_by(|a, b| (b.severity, &a.code, &a.registry).cmp(&(a.severity, &b.code, &b.registry)));
        outcome.gone = outcome.gone_findings.len();
        outcome
    }
}

//! A report of an earlier day: what it had already is not news.

use std::collections::HashMap;

use serde_json::Value;
use thiserror::Error;

use super::policy::reconsider;
use crate::facts::audit::BaselineOutcome;
use crate::facts::report::{API_VERSION, RegistryReport, Report, Summary};
use crate::facts::{Finding, HostGroup, Severity};

/// The findings of an earlier report: by registry and fingerprint, the severities found, the worst last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    findings: HashMap<String, Vec<Severity>>,
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

    /// The baseline that a report is for later ones.
    pub fn of(report: &Report) -> Self {
        let mut baseline = Self::default();
        report.registries.iter().for_each(|registry| baseline.add(registry));
        baseline
    }

    fn add(&mut self, registry: &RegistryReport) {
        for finding in &registry.findings {
            let known = self.findings.entry(identity(registry, finding)).or_default();
            known.push(finding.severity);
            known.sort_unstable();
        }
    }

    /// The report without what the baseline had already. A finding that was milder then is news.
    pub fn apply(self, mut report: Report) -> Report {
        let mut run = BaselineRun::new(self);
        for registry in &mut report.registries {
            run.judge(registry);
        }
        report.summary = Summary::of(&report.registries);
        report.hosts = HostGroup::of(&report.registries);
        report.audit_mut().baseline = Some(run.finish());
        report
    }
}

/// A baseline at work, registry by registry.
#[derive(Debug)]
pub struct BaselineRun {
    left: HashMap<String, Vec<Severity>>,
    known: usize,
    new: usize,
}

impl BaselineRun {
    /// A run against a baseline.
    pub fn new(baseline: Baseline) -> Self {
        Self { left: baseline.findings, known: 0, new: 0 }
    }

    /// Takes what is known out of one registry. Its verdict is kept where it is a fact: blocked, unknown.
    pub fn judge(&mut self, registry: &mut RegistryReport) {
        let before = registry.findings.len();
        let mut findings = std::mem::take(&mut registry.findings);
        findings.retain(|finding| {
            let known = self.left.get_mut(&identity(registry, finding));
            // Each finding of the baseline stands for one: two alike today, where there was one, are one new.
            let same = known.and_then(Vec::pop).is_some_and(|then| finding.severity <= then);
            self.known += usize::from(same);
            self.new += usize::from(!same);
            !same
        });
        let hidden = before - findings.len();
        registry.findings = findings;
        reconsider(registry, hidden);
    }

    /// The counts. What is left of the baseline was not found any more.
    pub fn finish(self) -> BaselineOutcome {
        let gone = self.left.values().map(Vec::len).sum();
        BaselineOutcome { known: self.known, new: self.new, gone }
    }
}

fn identity(registry: &RegistryReport, finding: &Finding) -> String {
    format!("{}|{}", registry.identity(), finding.fingerprint())
}

//! `acr-doctor.toml`: what an organisation thinks of findings. Severities by code, suppressions with a reason
//! and an end, thresholds. Applied to a report as a pure function; facts and verdict words stay as they are.

mod apply;
mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use thiserror::Error;
use time::Date;

use super::glob::Glob;
use crate::facts::report::RegistryReport;
use crate::facts::{Code, Finding, Severity};

pub use apply::PolicyRun;
pub(in crate::fleet) use apply::reconsider;

/// A policy that was read and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// From which severity on findings are a failure; a flag on the command line goes before it.
    pub fail_on: Option<FailFrom>,
    /// Numbers that the report must not pass.
    pub thresholds: Thresholds,
    /// An IP rule with a shorter prefix is broad (`firewall/broad-rule`).
    pub broad_rule_prefix: Option<u8>,
    /// What a code, or a family of them, is worth here.
    pub severity: BTreeMap<CodePattern, Grade>,
    /// Findings that are accepted.
    pub suppress: Vec<Suppression>,
}

/// `fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailFrom {
    /// Findings of at least this severity.
    Severity(Severity),
    /// No finding.
    Never,
}

/// `[thresholds]`: more than this is a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// Findings of severity error.
    pub errors: Option<usize>,
    /// Findings of severity warning.
    pub warnings: Option<usize>,
    /// Registries with verdict blocked.
    pub blocked: Option<usize>,
    /// Registries with verdict unknown.
    pub unknown: Option<usize>,
}

/// `family/slug`, `family/*` or `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodePattern(String);

impl CodePattern {
    fn matches(&self, code: &Code) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => code.as_str().starts_with(start),
            None => code.as_str() == self.0,
        }
    }
}

impl std::fmt::Display for CodePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a code is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// This severity.
    Severity(Severity),
    /// Nothing: it is left out.
    Off,
}

/// `[[suppress]]`: a finding that is accepted, why, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Which findings.
    pub code: CodePattern,
    /// Only of registries with this name, or, with a slash in it, whose id matches or lies below.
    pub registry: Option<Glob>,
    /// Only of registries with this tag: its key, and a pattern of its value.
    pub tag: Option<(String, Glob)>,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Option<Date>,
}

impl Suppression {
    /// Whether it speaks of this finding, its end apart.
    pub fn matches(&self, registry: &RegistryReport, finding: &Finding) -> bool {
        self.code.matches(&finding.code)
            && self.registry.as_ref().is_none_or(|wanted| names(wanted, registry))
            && self.tag.as_ref().is_none_or(|(key, value)| tagged(registry, key, value))
    }
}

fn names(wanted: &Glob, registry: &RegistryReport) -> bool {
    if !wanted.as_str().contains('/') {
        return wanted.matches(&registry.name);
    }
    registry.id.as_ref().is_some_and(|id| id.is_within(wanted.as_str()) || wanted.matches(id.as_str()))
}

/// Azure's tag keys are compared without regard to case.
fn tagged(registry: &RegistryReport, key: &str, value: &Glob) -> bool {
    registry.tags.iter().any(|(k, v)| k.eq_ignore_ascii_case(key) && value.matches(v))
}

/// Why a text is no policy. The caller adds the file's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Not TOML, or of another shape.
    #[error("no policy: {0}")]
    Shape(String),
    /// A code that no finding has.
    #[error("{entry}: there is no finding '{code}' (acr-doctor explain lists them)")]
    UnknownCode {
        /// Where.
        entry: String,
        /// As written.
        code: String,
    },
    /// A severity that is none.
    #[error("{entry}: '{value}' is not one of {allowed}")]
    Value {
        /// Where.
        entry: String,
        /// As written.
        value: String,
        /// What would be right.
        allowed: &'static str,
    },
    /// A suppression without a reason.
    #[error("{entry}: a suppression needs a reason that is not empty")]
    NoReason {
        /// Where.
        entry: String,
    },
}

//! Exit codes, and the one place where errors become one.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

use crate::config::inventory::InventoryError;
use crate::facts::report::Report;
use crate::facts::{SnapshotError, Verdict};
use crate::fleet::baseline::BaselineError;
use crate::fleet::policy::PolicyError;
use crate::fleet::resume::ResumeError;

use super::args::FailOn;

/// No finding at or above `--fail-on`.
pub(super) const HEALTHY: u8 = 0;
/// Findings at or above `--fail-on`, or a registry that cannot be used.
pub(super) const FINDINGS: u8 = 1;
/// Wrong usage: arguments, or files that are not what they should be.
pub(super) const USAGE: u8 = 2;
/// The diagnosis could not be completed.
pub(super) const INCOMPLETE: u8 = 3;

/// Interrupted by Ctrl-C (128 + SIGINT, as shells have it).
pub(super) const INTERRUPTED: u8 = 130;

/// How a command ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing to complain of.
    Healthy,
    /// Findings at or above `--fail-on`, or a registry that cannot be used.
    Findings,
    /// Too little could be known.
    Incomplete,
    /// Ctrl-C: what was known has been printed.
    Interrupted,
}

impl Outcome {
    /// The outcome of a report. `decided` says that the configuration answers the question without any
    /// observation, e.g. that no such registry exists.
    pub(super) fn of(report: &Report, fail_on: FailOn, decided: bool) -> Self {
        let nothing_known = report.registries.iter().all(|registry| registry.verdict == Verdict::Unknown);
        if nothing_known && !decided {
            return Self::Incomplete;
        }
        let found = |threshold| report.registries.iter().flat_map(|r| &r.findings).any(|f| f.severity >= threshold);
        // A client that does not get in is no success, however mild the reason: a rule that is not in force yet.
        let blocked = report.registries.iter().any(|registry| registry.verdict == Verdict::Blocked);
        if fail_on.severity().is_some_and(|threshold| blocked || found(threshold)) {
            Self::Findings
        } else {
            Self::Healthy
        }
    }

    /// The outcome of reading the logs: incomplete where they could not be read and nothing says that there are none.
    pub(super) fn of_logs(report: &Report, fail_on: FailOn, read: bool) -> Self {
        let explained = report.registries.iter().any(|registry| !registry.findings.is_empty());
        if read || explained { Self::of(report, fail_on, true) } else { Self::Incomplete }
    }
}

/// Why a command could not do its work: one sentence, and the causes below it.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// A file could not be read.
    #[error("cannot read '{}'", path.display())]
    ReadFile {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file is larger than any snapshot.
    #[error("'{}' is larger than {limit_mib} MiB, which no snapshot is", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The bound in MiB.
        limit_mib: u64,
    },
    /// A file is no snapshot of the kind expected.
    #[error("'{}' is {source}", path.display())]
    Snapshot {
        /// Which.
        path: PathBuf,
        /// What it is.
        #[source]
        source: SnapshotError,
    },
    /// A directory without snapshots.
    #[error("'{}' has no {kind} in it (looked at its *.json files)", path.display())]
    NoSnapshot {
        /// Which.
        path: PathBuf,
        /// The kind looked for.
        kind: &'static str,
    },
    /// Snapshots that cannot be joined.
    #[error("the configuration snapshots are of different clouds: {first} and {second}")]
    Clouds {
        /// The first's.
        first: String,
        /// Another's.
        second: String,
    },
    /// The registry's name is none.
    #[error(transparent)]
    Reference(#[from] crate::facts::reference::ReferenceError),
    /// The registry's name makes no host name.
    #[error(transparent)]
    Name(#[from] crate::facts::NameError),
    /// `--cloud` is neither a name nor a file.
    #[error("{0}")]
    Cloud(String),
    /// Neither `--name` nor `--subscription`.
    #[error("{0}")]
    Missing(&'static str),
    /// No finding has this code.
    #[error("there is no finding '{code}'{}", if near.is_empty() { String::new() } else { format!("; near: {near}") })]
    UnknownCode {
        /// As typed.
        code: String,
        /// Codes like it, with commas.
        near: String,
    },
    /// The registry's configuration is needed and was not to be had.
    #[error("the registry's configuration could not be read; `acr-doctor config` with the same arguments says why")]
    NotRead,
    /// The cluster is needed and was not to be had.
    #[error("the cluster '{name}' could not be read: {}{}", why.why, why.needs.as_ref().map(|needs| format!("; needs {needs}")).unwrap_or_default())]
    Cluster {
        /// Its name.
        name: String,
        /// The reason, and the right that it takes.
        why: crate::facts::Unknown,
    },
    /// A document is not one of ARM's.
    #[error(transparent)]
    Document(#[from] crate::config::DocumentError),
    /// A list of clients with a mistake.
    #[error(transparent)]
    Clients(#[from] crate::reconcile::what_if::client::ClientError),
    /// A change that cannot be tried.
    #[error(transparent)]
    Setting(#[from] crate::reconcile::what_if::setting::SettingError),
    /// A snapshot could not be saved.
    #[error("cannot save '{}'", path.display())]
    Save {
        /// Where.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// `--proxy` is no proxy's URL. The text is not repeated: it may hold a password.
    #[error("--proxy is not a proxy's URL; expected http://HOST:PORT or https://HOST:PORT")]
    Proxy,
    /// `--ca-file` cannot be read.
    #[error("cannot read the certificates of --ca-file '{}'", path.display())]
    CaFile {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The runtime could not be started.
    #[error("cannot start")]
    Start(#[source] io::Error),
    /// `--query` is no JMESPath expression.
    #[error("--query is not a JMESPath expression: {0}")]
    Query(String),
    /// `--query` cannot be applied to this document.
    #[error("--query cannot be applied: {0}")]
    QueryRun(String),
    /// A policy file with a mistake.
    #[error("'{}': {source}", path.display())]
    Policy {
        /// Which.
        path: PathBuf,
        /// The mistake.
        #[source]
        source: PolicyError,
    },
    /// A baseline that is none.
    #[error("'{}' is {source}", path.display())]
    Baseline {
        /// Which.
        path: PathBuf,
        /// What it is.
        #[source]
        source: BaselineError,
    },
    /// A resume file that cannot be used.
    #[error(transparent)]
    Resume(ResumeError),
    /// `--report` names a file whose extension is no format.
    #[error(
        "'{}' has no extension that says a format: .html, .sarif, .xml (JUnit), .md, .csv, .json, .jsonl, .yaml, .tsv or .txt",
        path.display()
    )]
    ReportFormat {
        /// Which.
        path: PathBuf,
    },
    /// A report's file could not be written.
    #[error("cannot write the report '{}'", path.display())]
    WriteReport {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// There is nothing to audit.
    #[error(transparent)]
    Inventory(InventoryError),
    /// Standard output could not be written.
    #[error("cannot write the result")]
    Write(#[source] io::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::ReadFile { .. }
            | Self::TooLarge { .. }
            | Self::Snapshot { .. }
            | Self::NoSnapshot { .. }
            | Self::Clouds { .. }
            | Self::Reference(_)
            | Self::Name(_)
            | Self::Cloud(_)
            | Self::Missing(_)
            | Self::UnknownCode { .. }
            | Self::Document(_)
            | Self::Clients(_)
            | Self::Setting(_)
            | Self::Save { .. }
            | Self::Proxy
            | Self::CaFile { .. }
            | Self::Query(_)
            | Self::QueryRun(_)
            | Self::Policy { .. }
            | Self::Baseline { .. }
            | Self::Resume(_)
            | Self::ReportFormat { .. } => USAGE,
            // Whoever reads has seen enough (`… | head`).
            Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => HEALTHY,
            Self::Start(_)
            | Self::NotRead
            | Self::Cluster { .. }
            | Self::Write(_)
            | Self::WriteReport { .. }
            | Self::Inventory(_) => INCOMPLETE,
        }
    }

    /// Whether the display already contains the source's words.
    fn tells_source(&self) -> bool {
        matches!(self, Self::Snapshot { .. } | Self::Policy { .. } | Self::Baseline { .. })
    }
}

/// The exit code of a run; a failure is told on standard error.
pub(super) fn code(result: Result<Outcome, Failure>) -> ExitCode {
    match result {
        Ok(Outcome::Healthy) => ExitCode::from(HEALTHY),
        Ok(Outcome::Findings) => ExitCode::from(FINDINGS),
        Ok(Outcome::Incomplete) => ExitCode::from(INCOMPLETE),
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(failure) => {
            let code = failure.code();
            if code != HEALTHY {
                tell(&failure);
            }
            ExitCode::from(code)
        }
    }
}

fn tell(failure: &Failure) {
    let mut lines = vec![format!("error: {failure}")];
    let mut source = std::error::Error::source(failure).filter(|_| !failure.tells_source());
    while let Some(cause) = source {
        lines.push(format!("  because: {cause}"));
        source = cause.source();
    }
    let clean: Vec<_> = lines.iter().map(|line| crate::report::terminal::sanitise(line)).collect();
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{}", clean.join("\n"));
}

/// Help and version go to standard output and succeed; anything else that clap says is wrong usage.
pub(super) fn of_usage(error: &clap::Error) -> ExitCode {
    // A closed pipe is no reason to fail (`--help | head`).
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { USAGE } else { HEALTHY })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_that_cannot_be_used_is_no_success_whatever_the_severity() {
        let ends = |verdict: &str, fail_on| {
            let registry = serde_json::json!({ "name": "myregistry", "loginServer": null, "id": null, "location": null,
                "verdict": verdict, "summary": "", "findings": [], "paths": [], "unknowns": [] });
            let registry = serde_json::from_value(registry).unwrap();
            Outcome::of(&Report::new(time::OffsetDateTime::UNIX_EPOCH, None, vec![registry]), fail_on, false)
        };
        assert_eq!(ends("blocked", FailOn::Error), Outcome::Findings);
        assert_eq!(ends("blocked", FailOn::Never), Outcome::Healthy);
        assert_eq!(ends("degraded", FailOn::Error), Outcome::Healthy);
        assert_eq!(ends("unknown", FailOn::Error), Outcome::Incomplete);
    }
}

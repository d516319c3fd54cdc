//! What can go wrong in the laboratory itself (never what goes wrong in a scenario).

use std::io;

/// A fault of the laboratory.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// This machine has no namespaces for us, or lacks a program; the text names it.
    #[error("this machine cannot hold a world: {0}")]
    Unsupported(String),
    /// A file or socket operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program that the laboratory needs failed.
    #[error("`{command}` failed: {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// What it wrote.
        stderr: String,
    },
    /// The scenario file says something that makes no sense.
    #[error("{0}")]
    Scenario(String),
    /// Certificates could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A document is not JSON.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl LabError {
    /// Wraps an I/O error with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Wraps an error number of a system call, which here mostly means that namespaces are not allowed.
    pub fn system(what: &str) -> impl FnOnce(nix::errno::Errno) -> Self + '_ {
        move |errno| Self::Unsupported(format!("{what}: {errno}"))
    }
}

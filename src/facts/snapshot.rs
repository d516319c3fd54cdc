//! The versioned files in which facts travel between machines.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;

use super::config::ConfigFacts;
use super::probe::ProbeFacts;
use super::report::API_VERSION;

/// A kind of facts that is saved by itself.
pub trait SnapshotFacts: Serialize + DeserializeOwned {
    /// The envelope's `kind`.
    const KIND: &'static str;
    /// The command that saves one, for error messages.
    const SAVED_BY: &'static str;
}

impl SnapshotFacts for ConfigFacts {
    const KIND: &'static str = "ConfigSnapshot";
    const SAVED_BY: &'static str = "acr-doctor config --save FILE";
}

impl SnapshotFacts for ProbeFacts {
    const KIND: &'static str = "ProbeSnapshot";
    const SAVED_BY: &'static str = "acr-doctor probe --save FILE";
}

/// Facts in their envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot<F> {
    /// `acr-doctor/v1`.
    pub api_version: String,
    /// `ConfigSnapshot` or `ProbeSnapshot`.
    pub kind: String,
    /// When it was saved.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub saved_at: OffsetDateTime,
    /// The program's version that saved it.
    pub tool_version: String,
    /// The facts.
    pub facts: F,
}

/// Why a text is not a snapshot of the expected kind. The caller adds the file's name.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// Not JSON, or cut off.
    #[error("not JSON at line {line}, column {column}: {message}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The parser's words.
        message: String,
    },
    /// JSON, and no snapshot at all.
    #[error(
        "no acr-doctor snapshot: it has no \"apiVersion\" and \"kind\" (expected kind {expected}, as `{saved_by}` writes it)"
    )]
    NoEnvelope {
        /// The kind expected.
        expected: &'static str,
        /// The command that makes one.
        saved_by: &'static str,
    },
    /// Of a version that this program does not read.
    #[error(
        "a snapshot of version '{found}'; this acr-doctor reads {API_VERSION}: use a newer acr-doctor, or save it again with this one"
    )]
    Version {
        /// The version found.
        found: String,
    },
    /// Of another kind.
    #[error("a {found}, where a {expected} is expected (as `{saved_by}` writes it)")]
    Kind {
        /// The kind found.
        found: String,
        /// The kind expected.
        expected: &'static str,
        /// The command that makes one.
        saved_by: &'static str,
    },
    /// The facts do not have the shape that the schema says.
    #[error("a damaged {kind}: {message}")]
    Facts {
        /// The kind.
        kind: &'static str,
        /// What and where.
        message: String,
    },
}

impl<F: SnapshotFacts> Snapshot<F> {
    /// Puts facts into an envelope.
    pub fn new(facts: F, saved_at: OffsetDateTime) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: F::KIND.to_owned(),
            saved_at,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            facts,
        }
    }

    /// Reads a snapshot: first that it is JSON, then the envelope, then the facts,
    /// so that each mistake gets its own sentence.
    ///
    /// # Errors
    /// [`SnapshotError`], one variant a mistake.
    pub fn parse(text: &[u8]) -> Result<Self, SnapshotError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let document: serde_json::Value = serde_json::from_slice(text).map_err(|e| SnapshotError::NotJson {
            line: e.line(),
            column: e.column(),
            message: e.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        })?;
        let field = |name: &str| document.get(name).and_then(serde_json::Value::as_str);
        let (Some(version), Some(kind)) = (field("apiVersion"), field("kind")) else {
            return Err(SnapshotError::NoEnvelope { expected: F::KIND, saved_by: F::SAVED_BY });
        };
        if version != API_VERSION {
            return Err(SnapshotError::Version { found: shown(version) });
        }
        if kind != F::KIND {
            return Err(SnapshotError::Kind { found: shown(kind), expected: F::KIND, saved_by: F::SAVED_BY });
        }
        // From the text again, not from the value: the message then names line and column.
        serde_json::from_slice(text).map_err(|e| SnapshotError::Facts { kind: F::KIND, message: e.to_string() })
    }
}

/// Foreign text for a sentence: short, and without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

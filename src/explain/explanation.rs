//! What `explain "error text"` answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::Code;
use crate::facts::report::API_VERSION;

/// What a pasted text says, and which findings may be behind it, likeliest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// `acr-doctor/v1`.
    pub api_version: String,
    /// `Explanation`.
    pub kind: String,
    /// What the text says, in one sentence; that it is not known, where it is not.
    pub symptom: String,
    /// The findings that show like this; empty where the text is unknown, or tells of something else than the network.
    pub candidates: Vec<Candidate>,
}

/// One finding that may be behind a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// `family/slug`.
    pub code: Code,
    /// Why this text makes it a candidate.
    pub why: String,
    /// The check or the command that tells whether it is this one.
    pub decides: String,
}

impl Explanation {
    /// An explanation, in its envelope.
    pub fn new(symptom: impl Into<String>, candidates: Vec<Candidate>) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Explanation".to_owned(),
            symptom: symptom.into(),
            candidates,
        }
    }
}

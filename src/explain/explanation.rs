//! What `explain "error text"` answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::report::API_VERSION;
use crate::facts::{Code, Verdict};

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
    /// What a look at the registry said (`explain -n NAME`); absent where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<Looked>,
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
    /// How it stands after a look at the registry; absent where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// What was seen, or what is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// How a candidate stands, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// All that it needs was seen, and it is not so from here.
    RuledOut,
    /// A fact is missing that would decide.
    Open,
    /// It was found.
    Confirmed,
}

/// What a look at the registry said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Looked {
    /// The registry's name.
    pub name: String,
    /// The verdict from here.
    pub verdict: Verdict,
    /// One sentence that a person would say.
    pub summary: String,
    /// Root causes that the text did not suggest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
}

/// A root cause besides the candidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Also {
    /// `family/slug`.
    pub code: Code,
    /// One line that names the object.
    pub title: String,
}

impl Explanation {
    /// An explanation, in its envelope.
    pub fn new(symptom: impl Into<String>, candidates: Vec<Candidate>) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Explanation".to_owned(),
            symptom: symptom.into(),
            candidates,
            looked: None,
        }
    }
}

//! Findings: what is wrong, and how that is known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fix::Fix;

/// A finding's code, `family/slug`: stable once released.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Code(pub String);

impl Code {
    /// The part before the slash.
    pub fn family(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Code {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Works now; fragile or insecure.
    Warning,
    /// Access is, or will be, broken.
    Error,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A needed fact is unknown; `unknowns` says which.
    Possible,
    /// The evidence favours it.
    Likely,
    /// Configuration and probe agree, or the evidence admits one cause.
    Certain,
}

/// One finding about one registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `family/slug`.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Whether this finding explains the failure.
    pub root_cause: bool,
    /// The findings that explain this one.
    pub explained_by: Vec<Code>,
    /// One line that names the object.
    pub title: String,
    /// A sentence or two.
    pub detail: String,
    /// What was seen, on both sides.
    pub evidence: Vec<Evidence>,
    /// What mends it, the narrowest first.
    pub fix: Vec<Fix>,
    /// Microsoft's article.
    pub docs: String,
    /// The unknown facts that keep this from being certain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on_unknown: Vec<String>,
    /// What decides about a root cause that is only possible, or that would be an effect of something else if a missing
    /// fact were known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decider>,
}

/// The one fact that decides between candidates: the one whose values lead to the most different causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decider {
    /// The fact, as `unknowns` names it.
    pub fact: String,
    /// The right, flag or command that supplies it, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// A command that shows the fact and changes nothing, for somebody who holds the right; where none can, the one that
    /// gives the right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What the cause may be instead, likeliest first: what explains most of the endpoints that fail; of equal ones what
    /// would be surer, then what comes earlier on a request's way (client, dns, proxy, network, private-link, tls,
    /// endpoint, firewall, vnet, auth, service, access, logs), then the code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instead: Vec<Code>,
}

/// Which half of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// ARM.
    Config,
    /// The client's network.
    Probe,
    /// The client's place.
    Vantage,
}

/// One observation that supports a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Which half.
    pub source: Source,
    /// Config: the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Config: the place in its document (RFC 6901).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Probe: the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Probe: the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// What was observed.
    pub observed: Value,
}

/// A rung of the ladder from a name to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Name resolution.
    Dns,
    /// The proxy's tunnel.
    Proxy,
    /// The TCP connection.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// The first HTTP answer.
    Http,
    /// Challenge and tokens.
    Auth,
    /// Manifest and blob.
    Pull,
}

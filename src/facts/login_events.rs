//! Logins as the registry's own log holds them (table ContainerRegistryLoginEvents).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows of ContainerRegistryLoginEvents that are alike: who, from where, with which result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginEvent {
    /// `TimeGenerated` of the last one, as written.
    pub time: String,
    /// `TimeGenerated` of the first one, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// `CallerIpAddress`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<std::net::IpAddr>,
    /// `Identity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// `OperationName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// `ResultType`, e.g. an HTTP status.
    pub result: String,
    /// `ResultDescription`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `Region`: the replica that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `UserAgent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// How many events this row stands for.
    pub count: u64,
}

impl LoginEvent {
    /// Whether the login failed: a status from 400 up, or a word other than success.
    pub fn failed(&self) -> bool {
        let result = self.result.trim();
        match result.parse::<u32>() {
            Ok(status) => status >= 400,
            Err(_) => !["", "success", "succeeded", "ok"].iter().any(|word| result.eq_ignore_ascii_case(word)),
        }
    }

    /// Whether the failure was the network rules': 403, or their words.
    pub fn blocked(&self) -> bool {
        let words = self.description.as_deref().unwrap_or_default().to_ascii_lowercase();
        self.result.trim() == "403" || words.contains("not allowed") || words.contains("denied")
    }
}

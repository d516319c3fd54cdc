//! Who would be let in and who shut out by a change of the registry: the document of `whatif`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LoginServer, RegistryName};

/// What a change would do to each client (`kind` is `WhatIf`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhatIf {
    /// `acr-doctor/v1`.
    pub api_version: String,
    /// `WhatIf`.
    pub kind: String,
    /// The registry's name.
    pub name: RegistryName,
    /// Its login server.
    pub login_server: LoginServer,
    /// The changes, as they were asked for.
    pub changes: Vec<String>,
    /// Those who lose access first, then those who gain it, those of whom it is not known, and the rest.
    pub clients: Vec<ClientChange>,
    /// Totals.
    pub summary: WhatIfSummary,
}

/// How many clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhatIfSummary {
    /// Lose access.
    pub lost: usize,
    /// Gain access.
    pub gained: usize,
    /// A fact is missing, before or after.
    pub unknown: usize,
    /// Neither.
    pub unchanged: usize,
}

/// One client, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientChange {
    /// Its address or range, its subnet's id, or the service's name.
    pub client: String,
    /// What it is called, or the identities that logged in from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many logins the registry's log shows from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins: Option<u64>,
    /// Now.
    pub before: Access,
    /// With the change.
    pub after: Access,
    /// The difference.
    pub outcome: Difference,
}

/// Whether a client is let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// In, out, or not known.
    pub access: Admission,
    /// The clause of the access model that decides, or the fact that is missing.
    pub because: String,
}

/// In or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Admission {
    /// Let in.
    Allowed,
    /// Refused.
    Refused,
    /// A fact is missing.
    Unknown,
}

/// What the change does to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// It is let in now and would be refused.
    Lost,
    /// It is refused now and would be let in.
    Gained,
    /// A fact is missing, before or after.
    Unknown,
    /// It stays in or out.
    Unchanged,
}

impl Difference {
    /// Compares.
    pub fn between(before: Admission, after: Admission) -> Self {
        match (before, after) {
            (Admission::Unknown, _) | (_, Admission::Unknown) => Self::Unknown,
            (Admission::Allowed, Admission::Refused) => Self::Lost,
            (Admission::Refused, Admission::Allowed) => Self::Gained,
            _ => Self::Unchanged,
        }
    }
}

impl WhatIfSummary {
    /// Counts the differences.
    pub fn of(clients: &[ClientChange]) -> Self {
        let count = |wanted| clients.iter().filter(|c| c.outcome == wanted).count();
        Self {
            lost: count(Difference::Lost),
            gained: count(Difference::Gained),
            unknown: count(Difference::Unknown),
            unchanged: count(Difference::Unchanged),
        }
    }
}

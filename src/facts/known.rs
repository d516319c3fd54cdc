//! A fact that was read, or the reason why it was not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fact, or the reason why it could not be read.
///
/// "We were not allowed to look" and "there is none" are different facts: the second is
/// `Known(None)` or `Known(vec![])`, never `Unknown`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Known<T> {
    /// The value as it was read.
    Known(T),
    /// It could not be read.
    Unknown(Unknown),
}

/// Why a fact is missing, and what would supply it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unknown {
    /// One phrase for a person: `403 AuthorizationFailed`, `api-version 2025-11-01 does not show it`.
    pub why: String,
    /// What would make it known: an ARM action such as `Microsoft.Network/virtualNetworks/subnets/read`,
    /// or a flag such as `--subnet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}

impl Unknown {
    /// A missing fact that nothing in particular would supply.
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), needs: None }
    }

    /// A missing fact, and the right or the flag that would supply it.
    pub fn needing(why: impl Into<String>, needs: impl Into<String>) -> Self {
        Self { why: why.into(), needs: Some(needs.into()) }
    }
}

impl<T> Known<T> {
    /// Shorthand for an unknown fact with its reason.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown(Unknown::because(why))
    }

    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The reason, if it is not known.
    pub fn missing(&self) -> Option<&Unknown> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(unknown) => Some(unknown),
        }
    }

    /// Whether the value was read.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// Borrows the value.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Self::Known(value) => Known::Known(value),
            Self::Unknown(unknown) => Known::Unknown(unknown.clone()),
        }
    }

    /// Applies `f` to a known value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Known(value) => Known::Known(f(value)),
            Self::Unknown(unknown) => Known::Unknown(unknown),
        }
    }
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self::unknown("not read")
    }
}

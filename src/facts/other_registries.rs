//! Registries that a registry deals with: connected registries that sync with it, sources that it caches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ResourceId, Unrecognised};

/// A connected registry (on premises or at the edge), which syncs with this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectedRegistry {
    /// Its name.
    pub name: String,
    /// `ReadWrite`, `ReadOnly`, `Registry` or `Mirror`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// `Online`, `Offline`, `Syncing` or `Unhealthy`, as the registry last knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_state: Option<String>,
    /// When it was last heard of (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_activity_time: Option<String>,
    /// `activation.status`: `Active` or `Inactive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<String>,
    /// The connected registry above it; none: it syncs with this registry itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ResourceId>,
    /// The host that it syncs by (`parent.syncProperties.gatewayEndpoint`): it must be reached from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_endpoint: Option<String>,
    /// The host that its own clients use (`loginServer.host`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_server: Option<String>,
    /// Members that became no fact, kept as they were; those that hold several facts are kept whole.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A cache rule: the registry pulls these repositories from another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CacheRule {
    /// Its name.
    pub name: String,
    /// Where the images come from: `docker.io/library/hello-world`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_repository: Option<String>,
    /// The repository that they are cached in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_repository: Option<String>,
    /// The credential set for the source, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_set: Option<ResourceId>,
    /// `Succeeded`, `Failed`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

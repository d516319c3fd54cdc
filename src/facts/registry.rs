//! A registry's own configuration (Microsoft.ContainerRegistry, api-version 2026-09-01-preview and older).

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network::PrivateEndpoint;
use super::open_enum::open_enum;
pub use super::other_registries::{CacheRule, ConnectedRegistry};
use super::{Fqdn, Known, LoginEvent, LoginServer, Region, RegistryName, ResourceId, Unrecognised};

open_enum! {
    /// `sku.name` of a registry.
    Sku { Basic = "Basic", Standard = "Standard", Premium = "Premium", Classic = "Classic" }
}
open_enum! {
    /// `publicNetworkAccess`.
    PublicNetworkAccess { Enabled = "Enabled", Disabled = "Disabled" }
}
open_enum! {
    /// `networkRuleSet.defaultAction`.
    DefaultAction { Allow = "Allow", Deny = "Deny" }
}
open_enum! {
    /// `networkRuleBypassOptions`: whether trusted services pass the rules.
    NetworkRuleBypassOptions { AzureServices = "AzureServices", None = "None" }
}
open_enum! {
    /// `privateLinkServiceConnectionState.status`.
    ConnectionStatus { Approved = "Approved", Pending = "Pending", Rejected = "Rejected", Disconnected = "Disconnected" }
}
open_enum! {
    /// A switch that ARM writes as `enabled` or `disabled`, in either letter case.
    Switch { Enabled = "enabled", Disabled = "disabled" }
}

/// One registry as ARM shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryConfig {
    /// The resource id.
    pub id: ResourceId,
    /// The resource name.
    pub name: RegistryName,
    /// Never derived from the name: a domain name label adds a hash.
    pub login_server: LoginServer,
    /// The home region.
    pub location: Region,
    /// The resource's tags.
    #[serde(default)]
    pub tags: std::collections::BTreeMap<String, String>,
    /// The API versions that answered, the one that gave most first.
    #[serde(default)]
    pub api_versions: Vec<String>,
    /// The tier.
    #[serde(default)]
    pub sku: Known<Sku>,
    /// `Succeeded`, `Updating`, …
    #[serde(default)]
    pub provisioning_state: Known<String>,
    /// Whether the public endpoint listens at all.
    #[serde(default)]
    pub public_network_access: Known<PublicNetworkAccess>,
    /// The rules of the public endpoint. `Known(None)`: the registry has none (Basic omits the property).
    #[serde(default)]
    pub network_rule_set: Known<Option<NetworkRuleSet>>,
    /// Whether trusted services pass.
    #[serde(default)]
    pub network_rule_bypass_options: Known<NetworkRuleBypassOptions>,
    /// Whether ACR Tasks pass too (since 2025-05-01-preview).
    #[serde(default)]
    pub network_rule_bypass_allowed_for_tasks: Known<bool>,
    /// Whether dedicated data endpoints are switched on.
    #[serde(default)]
    pub data_endpoint_enabled: Known<bool>,
    /// The data endpoints that ARM lists.
    #[serde(default)]
    pub data_endpoint_host_names: Known<Vec<Fqdn>>,
    /// `Enabled` or `Disabled`: regional login servers (preview).
    #[serde(default)]
    pub regional_endpoints: Known<Switch>,
    /// The regional login servers that ARM lists.
    #[serde(default)]
    pub regional_endpoint_host_names: Known<Vec<Fqdn>>,
    /// `IPv4` or `IPv4AndIPv6`.
    #[serde(default)]
    pub endpoint_protocol: Known<String>,
    /// Whether the admin user may log in.
    #[serde(default)]
    pub admin_user_enabled: Known<bool>,
    /// Whether anyone may pull.
    #[serde(default)]
    pub anonymous_pull_enabled: Known<bool>,
    /// policies.azureADAuthenticationAsArmPolicy: whether ARM-audience tokens are taken.
    #[serde(default)]
    pub arm_audience_tokens: Known<Switch>,
    /// `AbacRepositoryPermissions` or `LegacyRegistryPermissions`.
    #[serde(default)]
    pub role_assignment_mode: Known<String>,
    /// The customer-managed key, if any.
    #[serde(default)]
    pub encryption: Known<Option<CustomerManagedKey>>,
    /// Private endpoint connections.
    #[serde(default)]
    pub private_endpoint_connections: Known<Vec<PrivateEndpointConnection>>,
    /// What a private endpoint must carry, and the zone (`privateLinkResources`). From documents only: no custom role can
    /// hold the right to list it, and the replications say the same.
    #[serde(default)]
    pub private_link_resource: Known<PrivateLinkResource>,
    /// Geo-replications (the home region is one of them once there are any).
    #[serde(default)]
    pub replications: Known<Vec<Replication>>,
    /// ACR tasks.
    #[serde(default)]
    pub tasks: Known<Vec<Task>>,
    /// Agent pools of tasks.
    #[serde(default)]
    pub agent_pools: Known<Vec<AgentPool>>,
    /// Connected registries, which sync with this one from elsewhere.
    #[serde(default)]
    pub connected_registries: Known<Vec<ConnectedRegistry>>,
    /// Cache rules.
    #[serde(default)]
    pub cache_rules: Known<Vec<CacheRule>>,
    /// Locks on the registry or above it.
    #[serde(default)]
    pub locks: Known<Vec<Lock>>,
    /// Policy assignments that deny or rewrite network changes.
    #[serde(default)]
    pub policy_assignments: Known<Vec<PolicyAssignment>>,
    /// Where diagnostic logs go.
    #[serde(default)]
    pub diagnostic_settings: Known<Vec<DiagnosticSetting>>,
    /// Login events from the logs, if they were asked for.
    #[serde(default)]
    pub login_events: Known<Vec<LoginEvent>>,
    /// `listUsages`: the registry's limits.
    #[serde(default)]
    pub usages: Known<Vec<Usage>>,
    /// Properties that this version does not know, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// `networkRuleSet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkRuleSet {
    /// What happens to a client that no rule names.
    pub default_action: DefaultAction,
    /// IP rules.
    #[serde(default)]
    pub ip_rules: Vec<IpRule>,
    /// Subnet rules; Unknown where the API version does not show them.
    #[serde(default)]
    pub virtual_network_rules: Known<Vec<VirtualNetworkRule>>,
}

/// An IP rule: a public IPv4 address or range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IpRule {
    /// As ARM shows it: `203.0.113.7` or `203.0.113.0/24`.
    pub value: String,
    /// The range, where the value is one (a single address is a /32).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub range: Option<Ipv4Net>,
}

impl IpRule {
    /// Reads a rule's value; a value that is no range is kept without one.
    pub fn new(value: impl Into<String>) -> Self {
        let value = value.into();
        let text = value.trim();
        let range = text.parse::<Ipv4Net>().ok().or_else(|| text.parse::<std::net::Ipv4Addr>().ok().map(Ipv4Net::from));
        Self { range: range.map(|net| net.trunc()), value }
    }
}

/// A subnet rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkRule {
    /// The subnet.
    pub subnet: ResourceId,
}

/// A private endpoint connection of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrivateEndpointConnection {
    /// The connection's id.
    pub id: ResourceId,
    /// Approved, Pending, Rejected, Disconnected.
    pub status: ConnectionStatus,
    /// What the approver or the requester wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `None` or `Recreate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions_required: Option<String>,
    /// `Succeeded`, `Failed`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// The private endpoint's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_endpoint_id: Option<ResourceId>,
    /// The private endpoint itself. `Known(None)`: it no longer exists.
    #[serde(default)]
    pub private_endpoint: Known<Option<PrivateEndpoint>>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

impl PrivateEndpointConnection {
    /// The private endpoint behind it, if that was read and exists.
    pub fn endpoint(&self) -> Option<&PrivateEndpoint> {
        self.private_endpoint.known()?.as_ref()
    }
}

/// What a private endpoint of this registry must carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrivateLinkResource {
    /// `registry`, `registry_data_<region>`, `registry_<region>`.
    pub required_members: Vec<String>,
    /// `privatelink.azurecr.io` in the public cloud.
    pub required_zone_names: Vec<String>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A geo-replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replication {
    /// The replication's id.
    pub id: ResourceId,
    /// Its region.
    pub location: Region,
    /// Whether the global login server routes to it.
    #[serde(default)]
    pub region_endpoint_enabled: Known<bool>,
    /// `Succeeded`, `Creating`, `Failed`, …
    #[serde(default)]
    pub provisioning_state: Known<String>,
    /// `status.displayStatus`, such as `Ready` or `Syncing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_status: Option<String>,
    /// `status.message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Properties that this version does not know, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A task of ACR Tasks. Nothing else of its document is kept: steps, arguments and triggers may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Whether it has a system-assigned identity.
    pub system_assigned_identity: bool,
    /// The agent pool that it runs in, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_pool: Option<String>,
    /// `Enabled` or `Disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// An agent pool of ACR Tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentPool {
    /// Its name.
    pub name: String,
    /// The subnet that its machines are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<ResourceId>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// A management lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lock {
    /// The lock's id.
    pub id: ResourceId,
    /// `ReadOnly` or `CanNotDelete`.
    pub level: String,
    /// Notes of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

impl Lock {
    /// What it is on: everything before the id's own segments.
    pub fn scope(&self) -> Option<&str> {
        let own = self.id.key().rfind("/providers/microsoft.authorization/locks/")?;
        self.id.as_str().get(..own)
    }
}

/// A policy assignment whose effect can stop or rewrite a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAssignment {
    /// The assignment's id.
    pub id: String,
    /// Its display name.
    pub display_name: String,
    /// The policy definition's id.
    pub policy_definition_id: String,
    /// `Deny`, `Modify`, …, where it could be read.
    #[serde(default)]
    pub effect: Known<String>,
    /// The scope that it is assigned at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// A diagnostic setting of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosticSetting {
    /// Its name.
    pub name: String,
    /// The Log Analytics workspace, if logs go to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<ResourceId>,
    /// Whether ContainerRegistryLoginEvents (or the group allLogs or audit) is on.
    pub login_events: bool,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// One row of `listUsages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// E.g. `Size`, `Webhooks`, `PrivateEndpointConnections`.
    pub name: String,
    /// The limit, in `unit`.
    pub limit: i64,
    /// What is used, in `unit`.
    pub current_value: i64,
    /// `Count` or `Bytes`.
    pub unit: String,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// `encryption` with a customer-managed key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerManagedKey {
    /// `keyVaultProperties.identity`: a client id, or `system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Whether that identity still exists among the registry's identities.
    #[serde(default)]
    pub identity_exists: Known<bool>,
}

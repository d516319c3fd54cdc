//! The parts of a registry: rules, connections, replications, tasks, usages.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::members::Members;
use super::registry::Origin;
use super::{Fields, flag, rest};
use crate::config::versions::shows_subnet_rules;
use crate::facts::registry::{
    AgentPool, CacheRule, ConnectedRegistry, ConnectionStatus, DefaultAction, IpRule, NetworkRuleSet,
    PrivateEndpointConnection, PrivateLinkResource, Replication, Task, Usage, VirtualNetworkRule,
};
use crate::facts::{Fqdn, Known, ResourceId, Unrecognised};

/// `networkRuleSet`. Without a default action nothing can be said of it.
pub(crate) fn rule_set(value: &Value, origin: Origin<'_>) -> Known<NetworkRuleSet> {
    let set = Fields::of(value);
    let Some(default_action) = set.text("defaultAction") else {
        return Known::unknown("networkRuleSet has no defaultAction");
    };
    Known::Known(NetworkRuleSet {
        default_action: DefaultAction::from(default_action),
        ip_rules: set.list("ipRules").iter().filter_map(ip_rule).collect(),
        virtual_network_rules: subnet_rules(set, origin),
    })
}

fn ip_rule(value: &Value) -> Option<IpRule> {
    let rule = Fields::of(value);
    rule.text("value").or_else(|| rule.text("ipAddressOrRange")).map(IpRule::new)
}

/// `virtualNetworkRules`, under any of its three keys. Most API versions hide them: then they are unknown, not none.
fn subnet_rules(set: Fields<'_>, origin: Origin<'_>) -> Known<Vec<VirtualNetworkRule>> {
    let listed = set.get("virtualNetworkRules").and_then(Value::as_array);
    let read = |rules: &Vec<Value>| rules.iter().filter_map(subnet_rule).collect::<Vec<_>>();
    match (listed, origin) {
        (Some(rules), Origin::Answer(version)) if !rules.is_empty() || shows_subnet_rules(version) => {
            Known::Known(read(rules))
        }
        (Some(rules), Origin::Document) => Known::Known(read(rules)),
        (_, Origin::Answer(version)) => Known::unknown(format!("api-version {version} does not show subnet rules")),
        (None, Origin::Document) => Known::unknown(
            "the document does not show subnet rules (most API versions hide them; 2026-09-01-preview shows them)",
        ),
    }
}

fn subnet_rule(value: &Value) -> Option<VirtualNetworkRule> {
    let rule = Fields::of(value);
    let keys = ["virtualNetworkSubnetResourceId", "virtualNetworkResourceId", "id"];
    keys.iter().find_map(|key| rule.id(key)).map(|subnet| VirtualNetworkRule { subnet })
}

/// A private endpoint connection, embedded or listed.
pub(crate) fn connection(value: &Value) -> Option<PrivateEndpointConnection> {
    let state = Fields::of(value).nested("privateLinkServiceConnectionState");
    let mut connection = Members::of(value);
    let id = connection.resource()?;
    connection.take("privateLinkServiceConnectionState", whole_state);
    let endpoint = connection.reference("privateEndpoint");
    Some(PrivateEndpointConnection {
        id,
        status: ConnectionStatus::from(state.text("status").unwrap_or("(none shown)")),
        description: state.owned("description").filter(|d| !d.is_empty()),
        actions_required: state.owned("actionsRequired"),
        provisioning_state: connection.text("provisioningState"),
        unrecognised: connection.rest(),
        private_endpoint: match endpoint {
            Some(_) => Known::default(),
            None => Known::unknown("the connection names no private endpoint"),
        },
        private_endpoint_id: endpoint,
    })
}

/// Whether a connection's state says nothing but what becomes facts.
fn whole_state(state: &Value) -> Option<()> {
    let known = ["status", "description", "actionsRequired"];
    let said = |(name, value): (&String, &Value)| {
        value.is_null() || (known.contains(&name.as_str()) && value.as_str().is_some_and(|text| !text.is_empty()))
    };
    state.as_object()?.iter().all(said).then_some(())
}

/// A replication.
pub(crate) fn replication(value: &Value, origin: Origin<'_>) -> Option<Replication> {
    let fields = Fields::of(value);
    let status = fields.nested("status");
    let region_endpoint_enabled = match (fields.get("regionEndpointEnabled"), origin) {
        (Some(value), _) => {
            flag(value).map_or_else(|| Known::unknown("regionEndpointEnabled is no switch"), Known::Known)
        }
        (None, Origin::Answer(version)) => Known::unknown(format!("api-version {version} does not show it")),
        (None, Origin::Document) => Known::unknown("the document has no regionEndpointEnabled"),
    };
    Some(Replication {
        id: fields.id("id")?,
        location: fields.text("location")?.parse().ok()?,
        region_endpoint_enabled,
        provisioning_state: fields
            .owned("provisioningState")
            .map_or_else(|| Known::unknown("no provisioningState"), Known::Known),
        display_status: status.owned("displayStatus"),
        message: status.owned("message"),
        unrecognised: rest(
            value,
            &["id", "name", "location", "properties", "regionEndpointEnabled", "provisioningState"],
        ),
    })
}

/// The list `privateLinkResources`: the member of group `registry`.
pub(crate) fn private_link_resource(items: &[Value]) -> Known<PrivateLinkResource> {
    let of_registry = |d: &&Value| Fields::of(d).text("groupId").is_some_and(|g| g.eq_ignore_ascii_case("registry"));
    match items.iter().find(of_registry) {
        Some(document) => {
            let text = |text: &str| Some(text.to_owned());
            let mut members = Members::of(document);
            Known::Known(PrivateLinkResource {
                required_members: members.texts("requiredMembers", text),
                required_zone_names: members.texts("requiredZoneNames", text),
                unrecognised: members.rest(),
            })
        }
        None => Known::unknown("privateLinkResources lists no group 'registry'"),
    }
}

/// A task.
pub(crate) fn task(value: &Value) -> Option<Task> {
    let fields = Fields::of(value);
    let identity = fields.nested("identity").text("type").unwrap_or_default().to_ascii_lowercase();
    Some(Task {
        name: fields.owned("name")?,
        system_assigned_identity: identity.contains("systemassigned"),
        agent_pool: fields.owned("agentPoolName"),
        status: fields.owned("status"),
    })
}

/// An agent pool.
pub(crate) fn agent_pool(value: &Value) -> Option<AgentPool> {
    let mut members = Members::of(value);
    Some(AgentPool {
        name: members.text("name")?,
        subnet: members.id("virtualNetworkSubnetResourceId"),
        unrecognised: members.rest(),
    })
}

/// A connected registry. Members with more than one fact stay whole besides.
pub(crate) fn connected_registry(value: &Value) -> Option<ConnectedRegistry> {
    let fields = Fields::of(value);
    let parent = fields.nested("parent");
    let mut members = Members::of(value);
    Some(ConnectedRegistry {
        name: members.text("name")?,
        mode: members.text("mode"),
        connection_state: members.text("connectionState"),
        last_activity_time: members.text("lastActivityTime"),
        activation: fields.nested("activation").owned("status"),
        parent: parent.id("id"),
        gateway_endpoint: parent.nested("syncProperties").owned("gatewayEndpoint"),
        login_server: fields.nested("loginServer").owned("host"),
        unrecognised: members.rest(),
    })
}

/// A cache rule.
pub(crate) fn cache_rule(value: &Value) -> Option<CacheRule> {
    let mut members = Members::of(value);
    Some(CacheRule {
        name: members.text("name")?,
        source_repository: members.text("sourceRepository"),
        target_repository: members.text("targetRepository"),
        credential_set: members.id("credentialSetResourceId"),
        provisioning_state: members.text("provisioningState"),
        unrecognised: members.rest(),
    })
}

/// One row of `listUsages`.
pub(crate) fn usage(value: &Value) -> Option<Usage> {
    let mut members = Members::of(value);
    Some(Usage {
        name: members.text("name").or_else(|| Fields::of(value).nested("name").owned("value"))?,
        limit: members.number("limit")?,
        current_value: members.number("currentValue")?,
        unit: members.text("unit").unwrap_or_else(|| "Count".to_owned()),
        unrecognised: members.rest(),
    })
}

/// What `az acr show-endpoints` prints.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownEndpoints {
    pub(crate) login_server: Fqdn,
    /// Absent or null where dedicated data endpoints are off.
    #[serde(default)]
    pub(crate) data_endpoints: Option<Vec<ShownEndpoint>>,
    #[serde(default)]
    pub(crate) regional_endpoints: Option<Vec<ShownEndpoint>>,
    #[serde(flatten)]
    rest: Unrecognised,
}

/// One row of it. The endpoint may be a pattern, `*.blob.core.windows.net`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownEndpoint {
    pub(crate) endpoint: String,
    #[serde(flatten)]
    rest: Unrecognised,
}

/// The Azure CLI's own list of a registry's endpoints.
pub(crate) fn shown_endpoints(value: &Value) -> Option<ShownEndpoints> {
    ShownEndpoints::deserialize(value).ok().filter(|e| e.data_endpoints.is_some() || e.regional_endpoints.is_some())
}

/// The answer of checkNameAvailability.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NameAvailability {
    pub(crate) name_available: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(flatten)]
    rest: Unrecognised,
}

/// Whether a registry's name is free in this cloud.
pub(crate) fn name_availability(value: &Value) -> Option<NameAvailability> {
    NameAvailability::deserialize(value).ok()
}

/// The registry that a child's id lies below.
pub(crate) fn registry_above(id: &ResourceId) -> Option<ResourceId> {
    let lower = id.key();
    let start =
        lower.find("/microsoft.containerregistry/registries/")? + "/microsoft.containerregistry/registries/".len();
    let end = lower.get(start..)?.find('/').map_or(lower.len(), |i| start + i);
    id.as_str().get(..end)?.parse().ok()
}

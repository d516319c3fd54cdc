//! The parts of a registry: rules, connections, replications, tasks, usages.

use serde_json::Value;

use super::registry::Origin;
use super::{Fields, flag, number, rest};
use crate::config::versions::shows_subnet_rules;
use crate::facts::registry::{
    AgentPool, ConnectionStatus, DefaultAction, IpRule, NetworkRuleSet, PrivateEndpointConnection, PrivateLinkResource,
    Replication, Task, Usage, VirtualNetworkRule,
};
use crate::facts::{Known, ResourceId};

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
    let connection = Fields::of(value);
    let state = connection.nested("privateLinkServiceConnectionState");
    let endpoint = connection.reference("privateEndpoint");
    Some(PrivateEndpointConnection {
        id: connection.id("id")?,
        status: ConnectionStatus::from(state.text("status").unwrap_or("(none shown)")),
        description: state.owned("description").filter(|d| !d.is_empty()),
        actions_required: state.owned("actionsRequired"),
        provisioning_state: connection.owned("provisioningState"),
        private_endpoint: match endpoint {
            Some(_) => Known::default(),
            None => Known::unknown("the connection names no private endpoint"),
        },
        private_endpoint_id: endpoint,
    })
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
    let of_registry = |f: &Fields<'_>| f.text("groupId").is_some_and(|g| g.eq_ignore_ascii_case("registry"));
    match items.iter().map(Fields::of).find(of_registry) {
        Some(fields) => Known::Known(PrivateLinkResource {
            required_members: fields.texts("requiredMembers"),
            required_zone_names: fields.texts("requiredZoneNames"),
        }),
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
    let fields = Fields::of(value);
    Some(AgentPool { name: fields.owned("name")?, subnet: fields.id("virtualNetworkSubnetResourceId") })
}

/// The name of any listed resource.
pub(crate) fn name(value: &Value) -> Option<String> {
    Fields::of(value).owned("name")
}

/// One row of `listUsages`.
pub(crate) fn usage(value: &Value) -> Option<Usage> {
    let fields = Fields::of(value);
    Some(Usage {
        name: fields.owned("name").or_else(|| fields.nested("name").owned("value"))?,
        limit: fields.get("limit").and_then(number)?,
        current_value: fields.get("currentValue").and_then(number)?,
        unit: fields.owned("unit").unwrap_or_else(|| "Count".to_owned()),
    })
}

/// The registry that a child's id lies below.
pub(crate) fn registry_above(id: &ResourceId) -> Option<ResourceId> {
    let lower = id.key();
    let start =
        lower.find("/microsoft.containerregistry/registries/")? + "/microsoft.containerregistry/registries/".len();
    let end = lower.get(start..)?.find('/').map_or(lower.len(), |i| start + i);
    id.as_str().get(..end)?.parse().ok()
}

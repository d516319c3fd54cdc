//! Facts back in Azure's form.

use serde_json::{Value, json};

use crate::config::wire::Fields;
use crate::facts::config::DefenderPlan;
use crate::facts::network::{
    DnsZoneGroup, NetworkSecurityGroup, PrivateEndpoint, RecordSet, SecurityRule, ServiceTag, Subnet, VirtualNetwork,
    VirtualNetworkLink,
};
use crate::facts::registry::{
    CacheRule, ConnectedRegistry, DiagnosticSetting, PrivateEndpointConnection, PrivateLinkResource, Replication, Usage,
};
use crate::facts::{Known, RegistryConfig, ResourceId, Unrecognised};

/// Facts and kept members, both as the Azure CLI prints them and below `properties`, as ARM does.
pub(super) fn shaped<const N: usize>(facts: [(&str, Value); N], kept: &Unrecognised) -> Value {
    let mut all = Unrecognised::new();
    all.extend(facts.into_iter().map(|(name, value)| (name.to_owned(), value)));
    all.extend(kept.clone());
    let properties = all.clone();
    all.insert("properties".to_owned(), Value::Object(properties));
    Value::Object(all)
}

/// The same with what an id says: the name and the type.
fn resource<const N: usize>(id: &ResourceId, facts: [(&str, Value); N], kept: &Unrecognised) -> Value {
    let mut whole = shaped(facts, kept);
    whole["id"] = json!(id);
    for (member, value) in [("name", json!(id.name())), ("type", json!(id.resource_type()))] {
        if whole.get(member).is_none() {
            whole[member] = value;
        }
    }
    whole
}

/// The id stands beside the facts of a subnet and of a network.
pub(super) fn with_id(document: &Value, mut whole: Value) -> Value {
    let id = Fields::of(document).id("id").unwrap();
    whole["id"] = json!(id);
    whole["name"] = json!(id.name());
    whole["type"] = json!(id.resource_type());
    whole
}

fn reference(id: &ResourceId) -> Value {
    json!({ "id": id })
}

pub(super) fn registry(config: &RegistryConfig) -> Value {
    let mut arm = json!({ "id": config.id, "name": config.name, "location": config.location, "tags": config.tags,
        "type": "Microsoft.ContainerRegistry/registries" });
    let mut properties = json!({ "loginServer": config.login_server });
    let facts = serde_json::to_value(config).unwrap();
    for (name, fact) in facts.as_object().unwrap() {
        if let Some(value) = fact.get("known").filter(|v| !v.is_null()) {
            properties[name] = value.clone();
        }
    }
    if let Some(set) = config.network_rule_set.known().unwrap_or(&None) {
        let ip: Vec<Value> = set.ip_rules.iter().map(|r| json!({ "action": "Allow", "value": r.value })).collect();
        properties["networkRuleSet"] = json!({ "defaultAction": set.default_action, "ipRules": ip });
        if let Known::Known(rules) = &set.virtual_network_rules {
            let rules: Vec<Value> = rules
                .iter()
                .map(|r| json!({ "action": "Allow", "id": r.subnet, "virtualNetworkSubnetResourceId": r.subnet }))
                .collect();
            properties["networkRuleSet"]["virtualNetworkRules"] = json!(rules);
        }
    }
    if let Known::Known(connections) = &config.private_endpoint_connections {
        properties["privateEndpointConnections"] = connections.iter().map(connection).collect();
    }
    for (name, value) in &config.unrecognised {
        properties[name] = value.clone();
        arm[name] = value.clone();
    }
    arm["properties"] = properties;
    arm
}

pub(super) fn replication(read: &Replication) -> Value {
    let facts = [
        ("location", json!(read.location)),
        ("provisioningState", json!(read.provisioning_state.known())),
        ("regionEndpointEnabled", json!(read.region_endpoint_enabled.known())),
    ];
    resource(&read.id, facts, &read.unrecognised)
}

pub(super) fn connection(read: &PrivateEndpointConnection) -> Value {
    let state =
        json!({ "status": read.status, "description": read.description, "actionsRequired": read.actions_required });
    let facts = [
        ("privateLinkServiceConnectionState", state),
        ("provisioningState", json!(read.provisioning_state)),
        ("privateEndpoint", read.private_endpoint_id.as_ref().map_or(Value::Null, reference)),
    ];
    resource(&read.id, facts, &read.unrecognised)
}

pub(super) fn private_link_resource(read: &PrivateLinkResource) -> Value {
    let facts =
        [("requiredMembers", json!(read.required_members)), ("requiredZoneNames", json!(read.required_zone_names))];
    shaped(facts, &read.unrecognised)
}

pub(super) fn connected_registry(read: &ConnectedRegistry) -> Value {
    let facts = [
        ("name", json!(read.name)),
        ("mode", json!(read.mode)),
        ("connectionState", json!(read.connection_state)),
        ("lastActivityTime", json!(read.last_activity_time)),
    ];
    shaped(facts, &read.unrecognised)
}

pub(super) fn cache_rule(read: &CacheRule) -> Value {
    let facts = [
        ("name", json!(read.name)),
        ("sourceRepository", json!(read.source_repository)),
        ("targetRepository", json!(read.target_repository)),
        ("credentialSetResourceId", json!(read.credential_set)),
        ("provisioningState", json!(read.provisioning_state)),
    ];
    shaped(facts, &read.unrecognised)
}

pub(super) fn usage(read: &Usage) -> Value {
    let facts = [
        ("name", json!(read.name)),
        ("limit", json!(read.limit)),
        ("currentValue", json!(read.current_value)),
        ("unit", json!(read.unit)),
    ];
    shaped(facts, &read.unrecognised)
}

pub(super) fn virtual_network(read: &VirtualNetwork) -> Value {
    let peerings = read.peerings.iter().map(|p| {
        let facts =
            [("name", json!(p.name)), ("remoteVirtualNetwork", reference(&p.remote)), ("peeringState", json!(p.state))];
        shaped(facts, &p.unrecognised)
    });
    shaped([("virtualNetworkPeerings", peerings.collect())], &read.unrecognised)
}

pub(super) fn subnet(document: &Value, read: &Subnet) -> Value {
    let endpoints = read.service_endpoints.iter().map(|e| {
        let facts = [("service", json!(e.service)), ("provisioningState", json!(e.provisioning_state))];
        shaped(facts, &e.unrecognised)
    });
    let facts = [
        ("addressPrefix", json!(read.address_prefixes.first())),
        ("addressPrefixes", json!(read.address_prefixes)),
        ("serviceEndpoints", endpoints.collect()),
        ("privateEndpointNetworkPolicies", json!(read.private_endpoint_network_policies)),
    ];
    with_id(document, shaped(facts, &read.unrecognised))
}

pub(super) fn security_group(read: &NetworkSecurityGroup) -> Value {
    // Rules of one's own come first, the defaults after them: a default's priority is 65000 and up.
    let (own, defaults): (Vec<_>, Vec<_>) = read.rules.iter().partition(|r| r.priority < 65000);
    let each = |rules: Vec<&SecurityRule>| rules.into_iter().map(security_rule).collect();
    resource(&read.id, [("securityRules", each(own)), ("defaultSecurityRules", each(defaults))], &read.unrecognised)
}

fn security_rule(rule: &SecurityRule) -> Value {
    let facts = [
        ("name", json!(rule.name)),
        ("priority", json!(rule.priority)),
        ("direction", json!(rule.direction)),
        ("access", json!(rule.access)),
        ("protocol", json!(rule.protocol)),
        ("sourceAddressPrefix", json!(rule.source_address_prefixes.first())),
        ("sourceAddressPrefixes", json!(rule.source_address_prefixes)),
        ("destinationAddressPrefix", json!(rule.destination_address_prefixes.first())),
        ("destinationAddressPrefixes", json!(rule.destination_address_prefixes)),
        ("destinationPortRange", json!(rule.destination_port_ranges.first())),
        ("destinationPortRanges", json!(rule.destination_port_ranges)),
    ];
    shaped(facts, &rule.unrecognised)
}

pub(super) fn service_tag(read: &ServiceTag) -> Value {
    shaped([("name", json!(read.name)), ("addressPrefixes", json!(read.prefixes))], &read.unrecognised)
}

pub(super) fn private_endpoint(read: &PrivateEndpoint) -> Value {
    let facts = [("location", json!(read.location)), ("subnet", read.subnet.as_ref().map_or(Value::Null, reference))];
    resource(&read.id, facts, &read.unrecognised)
}

pub(super) fn zone_group(read: &DnsZoneGroup) -> Value {
    shaped([("name", json!(read.name))], &read.unrecognised)
}

pub(super) fn record_set(read: &RecordSet) -> Value {
    let of = |v4: bool, member: &str| -> Value {
        read.addresses.iter().filter(|a| a.is_ipv4() == v4).map(|a| json!({ member: a })).collect()
    };
    let facts = [
        ("name", json!(read.name)),
        ("ttl", json!(read.ttl)),
        ("aRecords", of(true, "ipv4Address")),
        ("aaaaRecords", of(false, "ipv6Address")),
    ];
    shaped(facts, &read.unrecognised)
}

pub(super) fn link(read: &VirtualNetworkLink) -> Value {
    let facts = [
        ("name", json!(read.name)),
        ("virtualNetwork", reference(&read.virtual_network)),
        ("resolutionPolicy", json!(read.resolution_policy.known())),
        ("virtualNetworkLinkState", json!(read.state)),
    ];
    shaped(facts, &read.unrecognised)
}

pub(super) fn defender_plan(read: &DefenderPlan) -> Value {
    shaped([("pricingTier", json!(read.pricing_tier))], &read.unrecognised)
}

pub(super) fn diagnostic_setting(read: &DiagnosticSetting) -> Value {
    shaped([("name", json!(read.name)), ("workspaceId", json!(read.workspace_id))], &read.unrecognised)
}

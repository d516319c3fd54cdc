//! A registry's document: as ARM answers, as the Azure CLI prints it, as Resource Graph rows and templates have it.

use serde_json::Value;

use super::registry_parts::{connection, rule_set};
use super::{Fields, flag, names, rest};
use crate::config::versions::{shows, shows_subnet_rules};
use crate::facts::registry::{
    CustomerManagedKey, NetworkRuleBypassOptions, PublicNetworkAccess, RegistryConfig, Sku, Switch,
};
use crate::facts::{Known, ResourceId, Unknown, Unrecognised};

/// Members that become facts whole; every other member is kept in `unrecognised`.
const UNDERSTOOD: [&str; 23] = [
    "id",
    "name",
    "loginServer",
    "location",
    "tags",
    "properties",
    "provisioningState",
    "publicNetworkAccess",
    "networkRuleBypassOptions",
    "networkRuleBypassAllowedForTasks",
    "dataEndpointEnabled",
    "dataEndpointHostNames",
    "regionalEndpoints",
    "regionalEndpointHostNames",
    "endpointProtocol",
    "adminUserEnabled",
    "anonymousPullEnabled",
    "roleAssignmentMode",
    "resourceGroup",
    "subscriptionId",
    "tenantId",
    "apiVersion",
    "kind",
];

/// Where a document comes from, which decides what a missing member means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin<'v> {
    /// An answer of this API version.
    Answer(&'v str),
    /// A file or a row whose API version nobody recorded.
    Document,
}

impl Origin<'_> {
    /// Why a member is missing.
    fn missing(self, member: &str) -> Unknown {
        Unknown::because(match self {
            Self::Answer(version) if shows(member, version) => {
                format!("api-version {version} answered without {member}")
            }
            Self::Answer(version) => format!("api-version {version} does not show it"),
            Self::Document => format!("the document has no {member}"),
        })
    }
}

/// A member's fact: its value, or why there is none.
fn fact<'d, T>(
    fields: Fields<'d>,
    origin: Origin<'_>,
    member: &str,
    read: impl FnOnce(&'d Value) -> Option<T>,
) -> Known<T> {
    match fields.get(member) {
        None => Known::Unknown(origin.missing(member)),
        Some(value) => {
            read(value).map_or_else(|| Known::unknown(format!("{member} has an unexpected form")), Known::Known)
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn host_names(value: &Value) -> Option<Vec<crate::facts::Fqdn>> {
    let texts: Vec<String> = value.as_array()?.iter().filter_map(text).collect();
    Some(names(&texts))
}

/// Reads a registry, or says in one phrase what it lacks that every registry has.
pub(crate) fn registry(document: &Value, origin: Origin<'_>) -> Result<RegistryConfig, String> {
    let fields = Fields::of(document);
    let need = |member: &str| fields.text(member).ok_or_else(|| format!("a registry without {member}"));
    let odd = |member: &str| format!("a registry whose {member} cannot be read");
    let policies = fields.nested("policies");
    let version = match origin {
        Origin::Answer(version) => vec![version.to_owned()],
        Origin::Document => Vec::new(),
    };
    Ok(RegistryConfig {
        id: need("id")?.parse().map_err(|_| odd("id"))?,
        name: need("name")?.parse().map_err(|_| odd("name"))?,
        login_server: need("loginServer")?.parse().map_err(|_| odd("loginServer"))?,
        location: need("location")?.parse().map_err(|_| odd("location"))?,
        tags: tags(fields.get("tags")),
        api_versions: version,
        sku: match fields.get("sku") {
            Some(Value::String(name)) => Known::Known(Sku::from(name.as_str())),
            _ => fact(fields, origin, "sku", |v| v.get("name").and_then(Value::as_str).map(Sku::from)),
        },
        provisioning_state: fact(fields, origin, "provisioningState", text),
        public_network_access: fact(fields, origin, "publicNetworkAccess", |v| {
            v.as_str().map(PublicNetworkAccess::from)
        }),
        network_rule_set: match fields.get("networkRuleSet") {
            // Basic registries have no rule set: neither Deny nor unknown.
            None if matches!(origin, Origin::Answer(v) if !shows("networkRuleSet", v)) => {
                Known::Unknown(origin.missing("networkRuleSet"))
            }
            None => Known::Known(None),
            Some(set) => rule_set(set, origin).map(Some),
        },
        network_rule_bypass_options: fact(fields, origin, "networkRuleBypassOptions", |v| {
            v.as_str().map(NetworkRuleBypassOptions::from)
        }),
        network_rule_bypass_allowed_for_tasks: fact(fields, origin, "networkRuleBypassAllowedForTasks", flag),
        data_endpoint_enabled: fact(fields, origin, "dataEndpointEnabled", flag),
        data_endpoint_host_names: fact(fields, origin, "dataEndpointHostNames", host_names),
        regional_endpoints: fact(fields, origin, "regionalEndpoints", |v| v.as_str().map(Switch::from)),
        regional_endpoint_host_names: fact(fields, origin, "regionalEndpointHostNames", host_names),
        endpoint_protocol: fact(fields, origin, "endpointProtocol", text),
        admin_user_enabled: fact(fields, origin, "adminUserEnabled", flag),
        anonymous_pull_enabled: fact(fields, origin, "anonymousPullEnabled", flag),
        arm_audience_tokens: match policies.nested("azureADAuthenticationAsArmPolicy").text("status") {
            Some(status) => Known::Known(Switch::from(status)),
            None => Known::Unknown(origin.missing("azureADAuthenticationAsArmPolicy")),
        },
        role_assignment_mode: fact(fields, origin, "roleAssignmentMode", text),
        encryption: fact(fields, origin, "encryption", Some).map(|v| customer_managed_key(v, fields)),
        private_endpoint_connections: fact(fields, origin, "privateEndpointConnections", |v| {
            Some(v.as_array()?.iter().filter_map(connection).collect())
        }),
        private_link_resource: Known::unknown("not asked for: the replications say the same"),
        replications: Known::default(),
        tasks: Known::default(),
        agent_pools: Known::default(),
        connected_registries: Known::default(),
        cache_rules: Known::default(),
        locks: Known::default(),
        policy_assignments: Known::default(),
        diagnostic_settings: Known::default(),
        login_events: Known::default(),
        usages: Known::default(),
        unrecognised: unrecognised(document),
    })
}

/// Whether a read at this version may have hidden subnet rules.
pub(crate) fn hides_subnet_rules(registry: &RegistryConfig) -> bool {
    match registry.network_rule_set.known() {
        Some(Some(set)) => !set.virtual_network_rules.is_known(),
        Some(None) => false,
        None => registry.api_versions.iter().any(|v| !shows_subnet_rules(v)),
    }
}

fn tags(value: Option<&Value>) -> std::collections::BTreeMap<String, String> {
    let tags = value.and_then(Value::as_object).into_iter().flatten();
    tags.map(|(k, v)| (k.clone(), v.as_str().map_or_else(|| v.to_string(), str::to_owned))).collect()
}

/// `encryption`: the customer-managed key and whether its identity is still one of the registry's.
fn customer_managed_key(value: &Value, registry: Fields<'_>) -> Option<CustomerManagedKey> {
    let encryption = Fields::of(value);
    let key = encryption.get("keyVaultProperties").map(Fields::of)?;
    if encryption.text("status").is_some_and(|s| s.eq_ignore_ascii_case("disabled")) {
        return None;
    }
    let identity = key.owned("identity");
    let own = registry.nested("identity");
    let kinds = own.text("type").unwrap_or_default().to_ascii_lowercase();
    let users = own.get("userAssignedIdentities").and_then(Value::as_object);
    let exists = match identity.as_deref() {
        None => Known::unknown("the key names no identity"),
        Some("system" | "System") => Known::Known(kinds.contains("systemassigned")),
        Some(client_id) => {
            let mut ids = users.into_iter().flatten().map(|(_, v)| v.get("clientId").and_then(Value::as_str));
            if ids.clone().any(|id| id.is_some_and(|id| id.eq_ignore_ascii_case(client_id))) {
                Known::Known(true)
            } else if ids.any(|id| id.is_none()) {
                Known::unknown("an identity of the registry is shown without its client id")
            } else {
                Known::Known(false)
            }
        }
    };
    Some(CustomerManagedKey { identity, identity_exists: exists })
}

/// Everything that became no fact, kept as it was.
fn unrecognised(document: &Value) -> Unrecognised {
    let kept = rest(document, &UNDERSTOOD).into_iter();
    kept.filter(|(name, value)| !is_whole_fact(name, value)).collect()
}

/// Whether a composed member has nothing but what its fact holds.
fn is_whole_fact(name: &str, value: &Value) -> bool {
    let is_id = |value: &Value| value.as_str().is_some_and(|text| text.parse::<ResourceId>().is_ok());
    let only = |allowed: &[&str]| {
        value.as_object().is_some_and(|o| o.iter().all(|(k, v)| allowed.contains(&k.as_str()) || v.is_null()))
    };
    match name {
        "type" => value.as_str().is_some_and(|t| t.eq_ignore_ascii_case("Microsoft.ContainerRegistry/registries")),
        "privateEndpointConnections" => value.as_array().is_some_and(|l| l.iter().all(|c| connection(c).is_some())),
        "networkRuleSet" => {
            let plain = |rule: &Value| {
                let members = rule.as_object().into_iter().flatten();
                { members }.all(|(name, value)| match name.as_str() {
                    "action" => value == "Allow",
                    "value" | "ipAddressOrRange" => value.is_string(),
                    "id" | "virtualNetworkSubnetResourceId" | "virtualNetworkResourceId" => is_id(value),
                    _ => value.is_null(),
                })
            };
            let all_plain = |list: &str| value.get(list).and_then(Value::as_array).is_none_or(|l| l.iter().all(plain));
            only(&["defaultAction", "ipRules", "virtualNetworkRules"])
                && all_plain("ipRules")
                && all_plain("virtualNetworkRules")
        }
        _ => false,
    }
}

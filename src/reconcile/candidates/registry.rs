//! Missing facts of the registry itself: public access, rules, switches, or all of it.

use ipnet::Ipv4Net;
use serde_json::json;

use crate::facts::known::Unknown;
use crate::facts::registry::{
    CustomerManagedKey, DefaultAction, IpRule, NetworkRuleSet, PublicNetworkAccess, Switch, VirtualNetworkRule,
};
use crate::facts::{Known, RegistryConfig, ResourceId};
use crate::reconcile::case::Case;
use crate::reconcile::symptom::Symptom;
use crate::reconcile::{READ_REGISTRY, command};

use super::private_link;
use super::supposed::{Gap, Supposed};

/// What is missing of the registry.
pub(super) fn gaps<'a>(case: &Case<'a>) -> Vec<Gap<'a>> {
    if case.registry.is_none() {
        return unread_gaps(case);
    }
    let all = [
        Gap::of_registry(
            case,
            "publicNetworkAccess",
            |r| &r.public_network_access,
            |r| &mut r.public_network_access,
            [PublicNetworkAccess::Enabled, PublicNetworkAccess::Disabled],
        ),
        Gap::of_registry(case, "networkRuleSet", |r| &r.network_rule_set, |r| &mut r.network_rule_set, rule_sets(case)),
        subnet_rules(case),
        Gap::of_registry(
            case,
            "policies.azureADAuthenticationAsArmPolicy",
            |r| &r.arm_audience_tokens,
            |r| &mut r.arm_audience_tokens,
            [Switch::Enabled, Switch::Disabled],
        ),
        Gap::of_registry(case, "encryption", |r| &r.encryption, |r| &mut r.encryption, [None, Some(lost_key())]),
        key_identity(case),
    ];
    all.into_iter().flatten().collect()
}

/// No rule set, one that refuses everybody, and one that names this client.
fn rule_sets(case: &Case<'_>) -> Vec<Option<NetworkRuleSet>> {
    let deny = |ip_rules: Vec<IpRule>, subnets: Vec<VirtualNetworkRule>| {
        Some(NetworkRuleSet {
            default_action: DefaultAction::Deny,
            ip_rules,
            virtual_network_rules: Known::Known(subnets),
        })
    };
    let mut sets = vec![None, deny(Vec::new(), Vec::new())];
    let own = own_rule(case);
    if !own.is_empty() {
        sets.push(deny(Vec::new(), own));
    }
    let seen = case.endpoints().find_map(|endpoint| match Symptom::of(endpoint) {
        Symptom::Denied(Some(std::net::IpAddr::V4(address)), _) => Some(address),
        _ => None,
    });
    if let Some(address) = seen {
        sets.push(deny(vec![IpRule::new(Ipv4Net::from(address).to_string())], Vec::new()));
    }
    sets
}

/// A rule for the client's subnet, as far as that is known.
fn own_rule(case: &Case<'_>) -> Vec<VirtualNetworkRule> {
    case.place.subnet.iter().map(|subnet| VirtualNetworkRule { subnet: subnet.clone() }).collect()
}

fn subnet_rules<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let rules = case.registry?.network_rule_set.known()?.as_ref()?;
    let missing = rules.virtual_network_rules.missing()?;
    let with = |rules: Vec<VirtualNetworkRule>| {
        Supposed::of(case).registry(|registry| {
            if let Known::Known(Some(set)) = &mut registry.network_rule_set {
                set.virtual_network_rules = Known::Known(rules);
            }
        })
    };
    Some(Gap::new("networkRuleSet.virtualNetworkRules", missing, [with(Vec::new()), with(own_rule(case))]))
}

/// A customer-managed key whose identity was deleted.
fn lost_key() -> CustomerManagedKey {
    CustomerManagedKey { identity: None, identity_exists: Known::Known(false) }
}

fn key_identity<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    let missing = case.registry?.encryption.known()?.as_ref()?.identity_exists.missing()?;
    let with = |exists: bool| {
        Supposed::of(case).registry(|registry| {
            if let Known::Known(Some(key)) = &mut registry.encryption {
                key.identity_exists = Known::Known(exists);
            }
        })
    };
    Some(Gap::new("whether the identity of the customer-managed key exists", missing, [with(true), with(false)]))
}

/// Of a registry that was not read: the facts that tell one refusal from another, and all of them together.
fn unread_gaps<'a>(case: &Case<'a>) -> Vec<Gap<'a>> {
    let Some(unread) = unread(case) else { return Vec::new() };
    let missing = Unknown::needing("it was not read", READ_REGISTRY);
    let with = |change: &dyn Fn(&mut RegistryConfig)| {
        let mut registry = unread.clone();
        change(&mut registry);
        Supposed::of(case).found(registry)
    };
    let public = |access: PublicNetworkAccess| {
        move |registry: &mut RegistryConfig| registry.public_network_access = Known::Known(access.clone())
    };
    let rules = |set: Option<NetworkRuleSet>| {
        move |registry: &mut RegistryConfig| registry.network_rule_set = Known::Known(set.clone())
    };
    let open = |set: Option<NetworkRuleSet>| {
        with(&|registry| {
            public(PublicNetworkAccess::Enabled)(registry);
            rules(set.clone())(registry);
            registry.private_endpoint_connections = Known::Known(Vec::new());
        })
    };
    let by_private_link = private_link::connections(case).into_iter().map(|connections| {
        with(&|registry| {
            public(PublicNetworkAccess::Disabled)(registry);
            rules(None)(registry);
            registry.private_endpoint_connections = Known::Known(connections.clone());
        })
    });
    vec![
        Gap::new(
            "publicNetworkAccess",
            &missing,
            [PublicNetworkAccess::Enabled, PublicNetworkAccess::Disabled].map(|access| with(&public(access))),
        ),
        Gap::new("networkRuleSet", &missing, rule_sets(case).into_iter().map(|set| with(&rules(set)))),
        Gap::new(
            "registry configuration",
            &missing,
            rule_sets(case).into_iter().map(open).chain(by_private_link).collect::<Vec<_>>(),
        ),
    ]
}

/// A registry of which the login server alone is known.
fn unread(case: &Case<'_>) -> Option<RegistryConfig> {
    let login_server = case.login_server()?;
    let name = command::name_in(login_server);
    let id = format!("/subscriptions/unknown/providers/Microsoft.ContainerRegistry/registries/{name}");
    let id: ResourceId = id.parse().ok()?;
    let document = json!({ "id": id, "name": name, "loginServer": login_server, "location": "unknown" });
    serde_json::from_value(document).ok()
}

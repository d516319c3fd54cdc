//! The registry's public-access rules as they stand, whoever the client is.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::json;

use crate::facts::registry::{DefaultAction, IpRule, NetworkRuleSet, PublicNetworkAccess, Sku};
use crate::facts::{Fix, RegistryConfig, ResourceId};
use crate::reconcile::case::Case;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

use super::firewall::rule_set;
use super::public_access::for_selected_networks;

pub(super) static RULES: &[&Rule] = &[
    &RULES_WITHOUT_EFFECT,
    &PRIVATE_RANGE_RULE,
    &RULES_DO_NOT_APPLY_TO_PRIVATE_LINK,
    &BROAD_RULE,
    &TIER_DOES_NOT_SUPPORT_RULES,
    &OPEN_TO_ALL_NETWORKS,
];

/// The IP rules, none where they are not known.
fn ip_rules<'a>(case: &Case<'a>) -> &'a [IpRule] {
    case.rules().flatten().map_or(&[], |rules| &rules.ip_rules)
}

fn has_subnet_rules(case: &Case<'_>) -> bool {
    case.rules().flatten().and_then(|r| r.virtual_network_rules.known()).is_some_and(|list| !list.is_empty())
}

declare_finding! {
    /// The registry has rules that decide nothing: public access is disabled, or everybody is let in.
    ///
    /// ## Why it matters
    /// Somebody added the rules to allow or to restrict, and they do neither.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '…' is not allowed access`, for an address that has a rule
    ///
    /// ## What decides it
    /// IP or subnet rules are present, and `publicNetworkAccess` is Disabled (no rule counts) or the default action is
    /// Allow (no rule is needed).
    ///
    /// ## Fix
    /// Selected networks (public access Enabled, default action Deny), or no rules.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    RULES_WITHOUT_EFFECT = "firewall/rules-without-effect", Warning, article "container-registry-access-selected-networks",
    explains [], rules_without_effect;
}

fn rules_without_effect(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some(Some(rules))) = (case.registry, case.rules()) else {
        return Vec::new();
    };
    let disabled = case.public_access_disabled();
    let allow = rules.default_action == DefaultAction::Allow;
    if (rules.ip_rules.is_empty() && !has_subnet_rules(case)) || !(disabled || allow) {
        return Vec::new();
    }
    let why = if disabled {
        "Public access is disabled, so no rule lets anybody in"
    } else {
        "The default action is Allow, so everybody is let in, rule or no rule"
    };
    vec![
        Draft::new(format!("The network rules of {} have no effect", registry.name), format!("{why}."))
            .seen([rule_set(registry, rules)])
            .seen(disabled.then(|| evidence::registry(registry, "/properties/publicNetworkAccess", "Disabled")))
            .mend(effective(case, registry, rules, disabled)),
    ]
}

/// Rules that count, or none: where public access is disabled, only the second lets nobody in who was out.
fn effective(case: &Case<'_>, registry: &RegistryConfig, rules: &NetworkRuleSet, disabled: bool) -> Vec<Fix> {
    let summary = "If selected networks are meant, let only the rules decide";
    if !disabled {
        return vec![command::selected_networks(registry, summary).iac(
            "properties.networkRuleSet.defaultAction",
            "azurerm_container_registry.network_rule_set.default_action",
        )];
    }
    let subnets = case.subnet_rules().unwrap_or_default();
    vec![remove_rules(registry, &rules.ip_rules, subnets), for_selected_networks(case, registry, summary, &[])]
}

/// Ranges that no client on the internet has (RFC 6890; the ranges for documentation are left out: they stand in examples).
pub(super) fn never_public(range: Ipv4Net) -> bool {
    let reserved = [
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(224, 0, 0, 0), 3),
        (Ipv4Addr::UNSPECIFIED, 8),
    ];
    reserved.into_iter().filter_map(|(ip, len)| Ipv4Net::new(ip, len).ok()).any(|net| net.contains(&range))
}

/// Takes rules away, one after the other.
fn remove_rules<'r>(
    registry: &RegistryConfig,
    rules: impl IntoIterator<Item = &'r IpRule>,
    subnets: impl IntoIterator<Item = &'r ResourceId>,
) -> Fix {
    let steps: Vec<Fix> = rules
        .into_iter()
        .map(|rule| command::remove_ip_rule(registry, &rule.value))
        .chain(subnets.into_iter().map(|subnet| command::remove_subnet_rule(registry, subnet)))
        .collect();
    match steps.as_slice() {
        [one] => one.clone(),
        _ => Fix::steps(format!("Remove these {} rules", steps.len()), steps),
    }
}

fn values(rules: &[&IpRule]) -> String {
    rules.iter().map(|r| r.value.as_str()).collect::<Vec<_>>().join(", ")
}

declare_finding! {
    /// An IP rule names a private or reserved range, which never matches a client of the public endpoint.
    ///
    /// ## Why it matters
    /// The public endpoint sees public addresses only. Whoever wrote the rule wanted a network to be let in, and it is not.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '…' is not allowed access`, naming the public egress address
    ///
    /// ## What decides it
    /// The rule's range lies within RFC 1918, RFC 6598, loopback, link-local or another range that is not routed on the
    /// internet.
    ///
    /// ## Fix
    /// Remove it; allow the network's public egress address, its subnet, or use a private endpoint.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    PRIVATE_RANGE_RULE = "firewall/private-range-rule", Warning, article "container-registry-access-selected-networks",
    explains [], private_range_rule;
}

fn private_range_rule(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let private: Vec<&IpRule> = ip_rules(case).iter().filter(|r| r.range.is_some_and(never_public)).collect();
    let Some(first) = private.first() else {
        return Vec::new();
    };
    vec![
        Draft::new(
            format!("The IP rule {} of {} is for a private range", first.value, registry.name),
            "The public endpoint sees public addresses only, so a rule for a private or reserved range matches nobody.",
        )
        .seen([evidence::registry(registry, "/properties/networkRuleSet/ipRules", values(&private))])
        .mend([remove_rules(registry, private.iter().copied(), [])])
        .mend([Fix::advice(
            "Allow the public egress address of that network, or its subnet, or use a private endpoint",
        )]),
    ]
}

declare_finding! {
    /// The registry has IP rules and private endpoints; the rules do not apply to those who come by private link.
    ///
    /// ## Why it matters
    /// IP rules restrict the public endpoint only: everybody in a network that reaches a private endpoint gets in.
    ///
    /// ## How it shows
    /// - nothing fails; it is a matter of expectation
    ///
    /// ## What decides it
    /// IP rules and approved private endpoints are both present.
    ///
    /// ## Fix
    /// None is needed. To restrict private clients, use network security groups with network policies on the endpoint's subnet.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    RULES_DO_NOT_APPLY_TO_PRIVATE_LINK = "firewall/rules-do-not-apply-to-private-link", Info,
    article "container-registry-private-link", explains [], rules_do_not_apply_to_private_link;
}

fn rules_do_not_apply_to_private_link(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let (rules, approved) = (ip_rules(case), case.approved());
    if rules.is_empty() || approved.is_empty() {
        return Vec::new();
    }
    let draft = Draft::new(
        format!("The IP rules of {} do not apply to its private endpoints", registry.name),
        "IP rules restrict the public endpoint; clients of a private endpoint get in whatever their address.",
    )
    .seen([
        evidence::registry(
            registry,
            "/properties/networkRuleSet/ipRules",
            evidence::list(rules.iter().map(|r| &r.value)),
        ),
        evidence::registry(
            registry,
            "/properties/privateEndpointConnections",
            evidence::list(approved.iter().map(|c| &c.id)),
        ),
    ]);
    // A private endpoint that was not read may be gone.
    vec![if approved.iter().any(|c| c.private_endpoint.is_known()) { draft } else { draft.likely() }]
}

declare_finding! {
    /// An IP rule lets in a very wide range.
    ///
    /// ## Why it matters
    /// A range wider than a company's own network lets in strangers.
    ///
    /// ## How it shows
    /// - nothing fails
    ///
    /// ## What decides it
    /// The rule's prefix is shorter than /16 (configurable). Private ranges, which match nobody, are
    /// `firewall/private-range-rule`.
    ///
    /// ## Fix
    /// Rules for exactly the egress addresses that are used; ContainerRegistryLoginEvents tells them.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    BROAD_RULE = "firewall/broad-rule", Warning, article "container-registry-access-selected-networks",
    explains [], broad_rule;
}

fn broad_rule(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let wide = |net: Ipv4Net| net.prefix_len() < case.options.broad_rule_prefix && !never_public(net);
    let broad: Vec<&IpRule> = ip_rules(case).iter().filter(|r| r.range.is_some_and(wide)).collect();
    let Some(first) = broad.first() else {
        return Vec::new();
    };
    vec![
        Draft::new(
            format!("The IP rule {} of {} is broad", first.value, registry.name),
            format!("Wider than /{}: {}.", case.options.broad_rule_prefix, values(&broad)),
        )
        .seen([evidence::registry(registry, "/properties/networkRuleSet/ipRules", values(&broad))])
        .mend([Fix::advice(
            "Allow exactly the egress addresses that are used (ContainerRegistryLoginEvents shows them)",
        )])
        .mend([remove_rules(registry, broad.iter().copied(), [])]),
    ]
}

declare_finding! {
    /// The registry's tier has no network rules and no private endpoints, and its configuration expects some.
    ///
    /// ## Why it matters
    /// Network rules, private endpoints and disabled public access are features of the Premium tier only.
    ///
    /// ## How it shows
    /// - az: `The registry SKU must be Premium to use network rules` or the like
    /// - portal: `Failed to save firewall and virtual network settings for container registry`
    ///
    /// ## What decides it
    /// The tier is Basic or Standard, and the document has rules, the default action Deny, disabled public access, or
    /// private endpoint connections.
    ///
    /// ## Fix
    /// The Premium tier.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-skus>
    TIER_DOES_NOT_SUPPORT_RULES = "firewall/tier-does-not-support-rules", Warning, article "container-registry-skus",
    explains [], tier_does_not_support_rules;
}

fn tier_does_not_support_rules(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let Some(sku @ (Sku::Basic | Sku::Standard | Sku::Classic)) = registry.sku.known() else {
        return Vec::new();
    };
    let connected = registry.private_endpoint_connections.known().is_some_and(|list| !list.is_empty());
    if !(case.network_restricted() || !ip_rules(case).is_empty() || has_subnet_rules(case) || connected) {
        return Vec::new();
    }
    vec![
        Draft::new(
            format!("The tier {} of {} has no network rules", sku.as_str(), registry.name),
            "Network rules, private endpoints and disabled public access need the Premium tier.",
        )
        .seen([evidence::config(&registry.id, "/sku/name", sku.as_str())])
        .seen(case.rules().flatten().map(|rules| rule_set(registry, rules)))
        .mend([command::premium(registry)]),
    ]
}

declare_finding! {
    /// The registry's public endpoint is open to every network.
    ///
    /// ## Why it matters
    /// Only credentials stand between the internet and the images.
    ///
    /// ## How it shows
    /// - nothing fails; an audit lists it
    ///
    /// ## What decides it
    /// `publicNetworkAccess` is Enabled, and the default action is Allow or there are no rules at all. Told in an audit only.
    ///
    /// ## Fix
    /// Selected networks, or private endpoints alone.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    OPEN_TO_ALL_NETWORKS = "firewall/open-to-all-networks", Warning, article "container-registry-access-selected-networks",
    explains [], open_to_all_networks;
}

fn open_to_all_networks(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some(rules), true) = (case.registry, case.rules(), case.options.audit) else {
        return Vec::new();
    };
    let open = rules.is_none_or(|r| r.default_action == DefaultAction::Allow);
    if case.public_access() != Some(&PublicNetworkAccess::Enabled) || !open {
        return Vec::new();
    }
    let premium = registry.sku.known().is_none_or(|sku| *sku == Sku::Premium);
    let named = rules.is_some_and(|r| !r.ip_rules.is_empty()) || has_subnet_rules(case) || !case.approved().is_empty();
    let summary = if named {
        "Let only the networks with a rule in"
    } else {
        "Once rules name the networks that are meant (none does yet), let only those in"
    };
    let deny = command::update(
        registry,
        summary,
        &["--default-action", "Deny"],
        &json!({ "networkRuleSet": { "defaultAction": "Deny" } }),
    )
    .iac("properties.networkRuleSet.defaultAction", "azurerm_container_registry.network_rule_set.default_action");
    let fix = if premium {
        deny
    } else {
        Fix::steps(
            "Let only the networks with a rule in, for which the tier has to be Premium",
            [command::premium(registry), deny],
        )
    };
    vec![
        Draft::new(
            format!("{} is open to all networks", registry.name),
            "Public access is enabled and nothing restricts it: only credentials protect the images.",
        )
        .seen([evidence::registry(registry, "/properties/publicNetworkAccess", "Enabled")])
        .seen(rules.map(|rules| rule_set(registry, rules)))
        .mend([fix]),
    ]
}

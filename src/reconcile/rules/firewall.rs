//! The registry's public-access rules.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::json;

use crate::facts::registry::{DefaultAction, NetworkRuleSet, PublicNetworkAccess};
use crate::facts::{EndpointObservation, Evidence, Fix, RegistryConfig};
use crate::reconcile::case::Case;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;
use crate::reconcile::{command, evidence};

use super::dns_private::resolves_privately;
use super::firewall_addresses::{addresses, by_several, of_one_gateway, only_some_let_in, rules_for};
use super::public_access::for_address;

pub(super) static RULES: &[&Rule] = &[&CLIENT_IP_NOT_ALLOWED, &PUBLIC_ACCESS_DISABLED, &NOBODY_ALLOWED];

/// Endpoints that the registry itself refused, with the address that it saw.
pub(super) fn denied<'a>(case: &Case<'a>) -> Vec<(&'a EndpointObservation, Option<IpAddr>)> {
    case.endpoints()
        .filter_map(|e| match Symptom::of(e) {
            Symptom::Denied(ip, _) => Some((e, ip)),
            _ => None,
        })
        .collect()
}

/// Endpoints refused by a public address.
fn denied_publicly<'a>(case: &Case<'a>) -> Vec<(&'a EndpointObservation, Option<IpAddr>)> {
    denied(case).into_iter().filter(|(e, ip)| came_publicly(e, *ip)).collect()
}

/// Whether the registry saw a public address; of a refusal that names none, the way there tells.
fn came_publicly(endpoint: &EndpointObservation, seen: Option<IpAddr>) -> bool {
    seen.map_or_else(|| endpoint.route.is_proxied() || !resolves_privately(endpoint), |ip| !is_private(ip))
}

fn refusals(denied: &[(&EndpointObservation, Option<IpAddr>)]) -> Vec<Evidence> {
    denied.iter().filter_map(|(e, _)| Some(evidence::http(&e.host, e.http.as_ref()?))).collect()
}

/// The rule set as evidence: default action, IP rules, subnet rules.
pub(super) fn rule_set(registry: &RegistryConfig, rules: &NetworkRuleSet) -> Evidence {
    let ips: Vec<&str> = rules.ip_rules.iter().map(|r| r.value.as_str()).collect();
    let subnets = rules.virtual_network_rules.known().map(|list| evidence::list(list.iter().map(|r| &r.subnet)));
    let mut seen = json!({ "defaultAction": rules.default_action.as_str(), "ipRules": ips });
    if let Some(map) = seen.as_object_mut() {
        map.insert("virtualNetworkRules".to_owned(), subnets.unwrap_or_else(|| json!("unknown")));
    }
    evidence::registry(registry, "/properties/networkRuleSet", seen)
}

/// The way in that lets everybody in.
fn open_wide(registry: &RegistryConfig) -> Fix {
    command::update(
        registry,
        "Let every network in",
        &["--public-network-enabled", "true", "--default-action", "Allow"],
        &json!({ "publicNetworkAccess": "Enabled", "networkRuleSet": { "defaultAction": "Allow" } }),
    )
    .widening()
    .iac("properties.networkRuleSet.defaultAction", "azurerm_container_registry.network_rule_set.default_action")
}

declare_finding! {
    /// The registry's IP rules do not include the address that this client has for the registry.
    ///
    /// ## Why it matters
    /// The network is fine up to the registry's own firewall, which refuses the client.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '203.0.113.5' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`
    /// - docker: `login attempt to https://myregistry.azurecr.io/v2/ failed with status: 403 Forbidden`
    /// - az: `CONNECTIVITY_FORBIDDEN_ERROR`
    ///
    /// ## What decides it
    /// 403 DENIED naming a public address; the default action is Deny, and no IP rule covers that address. The address in
    /// the refusal is the true egress address. (A private address means a service endpoint: `vnet/subnet-rule-missing`.)
    /// Of a client that was let in it is a likely warning where the rules hold a part of the addresses that its NAT gateway or
    /// firewall sends from: the next connection may come by another.
    ///
    /// ## Fix
    /// An IP rule for exactly the address that the registry saw.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    CLIENT_IP_NOT_ALLOWED = "firewall/client-ip-not-allowed", Error, article "container-registry-access-selected-networks",
    explains [], client_ip_not_allowed;
}

fn client_ip_not_allowed(case: &Case<'_>) -> Vec<Draft> {
    let denied = denied_publicly(case);
    let Some((first, ip)) = denied.first() else {
        return only_some_let_in(case).into_iter().collect();
    };
    let shown = ip.map_or_else(|| "the client's address".to_owned(), |ip| ip.to_string());
    let saw = match ip {
        Some(ip) => format!("the address that it saw, {ip}"),
        None => "the address that it saw, and the refusal does not name it".to_owned(),
    };
    let refused = addresses(&denied);
    let draft = Draft::new(
        format!("The registry does not allow {shown}"),
        format!("{} answered 403 DENIED: it does not let in {saw}.{}", first.host, by_several(case, &refused)),
    )
    .about(denied.iter().map(|(e, _)| &e.host))
    .seen(refusals(&denied));
    let Some(registry) = case.registry else {
        let draft = draft
            .possible(["publicNetworkAccess".to_owned(), "networkRuleSet".to_owned()])
            .mend(ip.and_then(|ip| unread_fix(case, ip)));
        case.note_unknown(
            "registry configuration",
            "it was not read; it would tell a missing IP rule from disabled public access",
            Some("Microsoft.ContainerRegistry/registries/read"),
        );
        return vec![draft];
    };
    if case.public_access_disabled() || ip.is_some_and(|ip| case.ip_rule_covers(ip)) {
        return Vec::new();
    }
    // One address alone mends half where they alternate; of a refusal that names none, the one that was told counts.
    let told = case.probe.and_then(|p| p.vantage.egress_ip.known().copied());
    let mut known: BTreeSet<IpAddr> = if refused.is_empty() { told.into_iter().collect() } else { refused };
    known.extend(of_one_gateway(case, &known));
    let fixes = rules_for(case, registry, &known).into_iter().chain([open_wide(registry)]);
    match case.rules() {
        Some(Some(rules)) if case.default_deny() => {
            let draft = draft.seen([rule_set(registry, rules)]).mend(fixes);
            vec![match (case.public_access(), super::vnet_endpoint::unread_subnet(case)) {
                (None | Some(PublicNetworkAccess::Unrecognised(_)), _) => {
                    draft.possible(["publicNetworkAccess".to_owned()])
                }
                (Some(_), Some(subnet)) => draft.possible([format!("subnet '{}'", subnet.name())]),
                // Which address it was is not told: one of the rules may cover it, and not be in force yet.
                (Some(_), None) if ip.is_none() && !rules.ip_rules.is_empty() => draft.likely(),
                (Some(_), None) => draft,
            }]
        }
        Some(Some(rules)) if matches!(rules.default_action, DefaultAction::Unrecognised(_)) => {
            let draft = draft.seen([rule_set(registry, rules)]).mend(fixes);
            vec![draft.possible(["networkRuleSet.defaultAction".to_owned()])]
        }
        // The configuration says that everybody is let in: `firewall/rule-not-in-effect` has its say.
        Some(_) => Vec::new(),
        None => {
            let open = case.public_access().is_none().then_some("publicNetworkAccess");
            let missing = open.into_iter().chain(["networkRuleSet"]).map(str::to_owned);
            vec![draft.possible(missing).mend(fixes)]
        }
    }
}

fn unread_fix(case: &Case<'_>, ip: IpAddr) -> Option<Fix> {
    let name = command::name_in(case.login_server()?);
    let shown = ip.to_string();
    let words = ["az", "acr", "network-rule", "add", "-n", name, "--ip-address", &shown];
    ip.is_ipv4().then(|| Fix::command(format!("If selected networks are allowed, allow {ip}"), command::line(words)))
}

declare_finding! {
    /// Public network access is disabled, and this client came over the public endpoint.
    ///
    /// ## Why it matters
    /// With public access off, no IP rule, subnet rule or service endpoint lets anybody in: only private endpoints do.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '203.0.113.5' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`
    /// - az: `CONNECTIVITY_FORBIDDEN_ERROR`
    ///
    /// ## What decides it
    /// 403 DENIED at a public address, and `publicNetworkAccess` is Disabled.
    ///
    /// ## Fix
    /// Come through the private endpoint (DNS and routing from here), or enable public access with a rule for this address.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    PUBLIC_ACCESS_DISABLED = "firewall/public-access-disabled", Error, article "container-registry-access-selected-networks",
    explains [], public_access_disabled;
}

fn public_access_disabled(case: &Case<'_>) -> Vec<Draft> {
    // By a service endpoint too; a private address at a private endpoint's door is the connection's matter.
    let at_private_door = |e: &EndpointObservation, ip: Option<IpAddr>| resolves_privately(e) && !came_publicly(e, ip);
    let denied: Vec<_> = denied(case).into_iter().filter(|(e, ip)| !at_private_door(e, *ip)).collect();
    let (Some(registry), Some((first, ip))) = (case.registry, denied.first()) else {
        return Vec::new();
    };
    if !case.public_access_disabled() {
        return Vec::new();
    }
    let approved = case.approved();
    let endpoints: Vec<&str> =
        approved.iter().filter_map(|c| c.private_endpoint_id.as_ref()).map(crate::facts::ResourceId::name).collect();
    let way_in = if endpoints.is_empty() {
        "There is no approved private endpoint either.".to_owned()
    } else {
        format!(
            "Only clients of the private endpoint{} '{}' are let in, and from here the name resolves to the public address.",
            if endpoints.len() == 1 { "" } else { "s" },
            endpoints.join("', '")
        )
    };
    let mut fixes = Vec::new();
    if !endpoints.is_empty() {
        fixes.push(Fix::advice(format!(
            "Use the private endpoint: be in its network or a peered one, and resolve {} through the zone {}",
            registry.login_server, case.config.cloud.private_zone
        )));
    }
    if let Some(ip) = ip.filter(|ip| !is_private(*ip)) {
        fixes.push(for_address(case, registry, ip));
    }
    vec![
        Draft::new(
            format!("Public access to {} is disabled, and this client comes from outside", registry.name),
            way_in,
        )
        .about(denied.iter().map(|(e, _)| &e.host))
        .seen([evidence::registry(registry, "/properties/publicNetworkAccess", "Disabled")])
        .seen(refusals(&denied))
        .seen([evidence::dns(first)])
        .mend(fixes),
    ]
}

declare_finding! {
    /// The registry lets nobody in: Deny by default, and no rule and no private endpoint.
    ///
    /// ## Why it matters
    /// Two ordinary commands make this: disabling public access sets the default action to Deny, and enabling it again
    /// leaves it there.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '…' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`, for every client
    ///
    /// ## What decides it
    /// The default action is Deny; there is no IP rule, no subnet rule (shown by an API version that shows them) and no
    /// approved private endpoint.
    ///
    /// ## Fix
    /// A rule for the clients that are meant, or the default action Allow.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    NOBODY_ALLOWED = "firewall/nobody-allowed", Error, article "container-registry-access-selected-networks",
    explains ["firewall/client-ip-not-allowed", "vnet/subnet-rule-missing"], nobody_allowed;
}

fn nobody_allowed(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some(Some(rules))) = (case.registry, case.rules()) else {
        return Vec::new();
    };
    let connections_known = registry.private_endpoint_connections.is_known();
    let no_subnets = case.subnet_rules().is_some_and(|list| list.is_empty());
    let shut = case.default_deny() && !case.public_access_disabled() && rules.ip_rules.is_empty();
    if !(shut && no_subnets && connections_known && case.approved().is_empty()) {
        return Vec::new();
    }
    let denied = denied(case);
    let by_subnet = denied.iter().any(|(e, ip)| ip.is_some_and(is_private) && !resolves_privately(e));
    let subnet = case.place.subnet.as_ref().filter(|_| by_subnet && !case.place.by_address);
    let fixes = rules_for(case, registry, &addresses(&denied))
        .into_iter()
        .chain(subnet.map(|subnet| command::add_subnet_rule(registry, subnet)))
        .chain([open_wide(registry)]);
    let draft = Draft::new(
        format!("Nobody can reach {}: it denies by default and has no rule", registry.name),
        "No IP rule, no subnet rule and no approved private endpoint: every client is refused, whatever its network.",
    )
    .seen([
        rule_set(registry, rules),
        evidence::registry(registry, "/properties/privateEndpointConnections", json!([])),
    ])
    .mend(fixes);
    vec![if case.public_access().is_some() { draft } else { draft.possible(["publicNetworkAccess".to_owned()]) }]
}

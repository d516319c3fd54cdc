//! Service endpoints: the subnet's side of a subnet rule.

use serde_json::json;

use crate::facts::registry::DefaultAction;
use crate::facts::{Change, Fix, Known, RegistryConfig, ResourceId, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

use super::dns_private::resolves_privately;
use super::firewall::{denied, rule_set};
use super::public_access::without_subnet_rules;

pub(super) static RULES: &[&Rule] = &[&SERVICE_ENDPOINT_MISSING, &RULE_FOR_MISSING_SUBNET, &PROVIDER_NOT_REGISTERED];

/// Whether subnet rules decide about this registry: public access is not disabled, and the default action is Deny.
fn rules_decide(case: &Case<'_>) -> bool {
    !case.public_access_disabled() && case.rules().flatten().is_some_and(|r| r.default_action == DefaultAction::Deny)
}

/// The subnets of the registry's rules; none where they are not known.
fn ruled<'a>(case: &Case<'a>) -> Vec<&'a ResourceId> {
    if case.registry.is_some() { case.subnet_rules().unwrap_or_default() } else { Vec::new() }
}

declare_finding! {
    /// The registry has a rule for the client's subnet, and the subnet lacks the service endpoint.
    ///
    /// ## Why it matters
    /// A subnet rule works only for traffic that comes by the Microsoft.ContainerRegistry service endpoint. Without it the
    /// registry sees the public egress address, which no rule names.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '203.0.113.5' is not allowed access`, naming a public address although the subnet has a rule
    /// - docker: `login attempt to https://myregistry.azurecr.io/v2/ failed with status: 403 Forbidden`
    ///
    /// ## What decides it
    /// 403 DENIED naming a public address; the default action is Deny, a virtual network rule names the client's subnet,
    /// and that subnet's `serviceEndpoints` do not hold Microsoft.ContainerRegistry. Of a subnet that may not be read it is
    /// only possible: traffic that is routed through a firewall looks the same.
    ///
    /// ## Fix
    /// `az network vnet subnet update --service-endpoints`, with those that the subnet has already.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-vnet>
    SERVICE_ENDPOINT_MISSING = "vnet/service-endpoint-missing", Error, article "container-registry-vnet",
    explains ["firewall/client-ip-not-allowed"], service_endpoint_missing;
}

fn service_endpoint_missing(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry.filter(|_| rules_decide(case)) else {
        return Vec::new();
    };
    if case.probe.is_none() {
        return ruled(case)
            .into_iter()
            .filter_map(|id| lacking(case, registry, id).map(|draft| draft.severity(Severity::Warning)))
            .collect();
    }
    let refused: Vec<_> =
        denied(case).into_iter().filter(|(e, ip)| !ip.is_some_and(is_private) && !resolves_privately(e)).collect();
    let mine = case.place.subnet.as_ref().filter(|id| ruled(case).contains(id));
    let (Some((first, _)), Some(subnet)) = (refused.first(), mine) else {
        // Not what this client meets, and somebody else's failure all the same.
        let lame = ruled(case).into_iter().filter_map(|id| lacking(case, registry, id));
        return lame.map(|draft| draft.severity(Severity::Warning).bystander()).collect();
    };
    let draft = match unread_subnet(case) {
        Some(subnet) => Draft::new(
            format!("The subnet '{}' has a rule, and the registry sees a public address of it", subnet.name()),
            "By the Microsoft.ContainerRegistry service endpoint it would see a private one. The subnet could not be read: the endpoint is missing, or the traffic is routed another way.",
        )
        .seen(case.rules().flatten().map(|rules| rule_set(registry, rules)))
        .mend([Fix::advice(format!(
            "Look at the subnet: az network vnet subnet show --ids {subnet} --query serviceEndpoints"
        ))])
        .possible([format!("subnet '{}'", subnet.name())]),
        None => match lacking(case, registry, subnet) {
            Some(draft) => draft,
            None => return Vec::new(),
        },
    };
    let draft = draft
        .about(refused.iter().map(|(e, _)| &e.host))
        .seen(first.http.as_ref().map(|http| evidence::http(&first.host, http)));
    vec![if case.place.by_address { draft.likely() } else { draft }]
}

/// The client's subnet, if it could not be read and a rule names it, or may name it for all that is known.
pub(super) fn unread_subnet<'c>(case: &'c Case<'_>) -> Option<&'c ResourceId> {
    let id = case.place.subnet.as_ref()?;
    let unread = case.config.subnets.iter().any(|s| s.id == *id && !s.subnet.is_known());
    let by_rule = || case.subnet_rules().is_none_or(|rules| rules.contains(&id));
    (unread && by_rule()).then_some(id)
}

/// A subnet with a rule that was read and has no service endpoint.
fn lacking(case: &Case<'_>, registry: &RegistryConfig, id: &ResourceId) -> Option<Draft> {
    let subnet = case.subnet(id)?;
    if subnet.has_registry_service_endpoint() {
        return None;
    }
    let mut services: Vec<&str> = subnet.service_endpoints.iter().map(|e| e.service.as_str()).collect();
    let seen = evidence::list(&services);
    services.push("Microsoft.ContainerRegistry");
    let flags: Vec<&str> = std::iter::once("--service-endpoints").chain(services.iter().copied()).collect();
    let command = command::network::update_subnet(id, &flags);
    let endpoints: Vec<_> = services.iter().map(|s| json!({ "service": s })).collect();
    Some(
        Draft::new(
            format!("The subnet '{}' has a rule and no service endpoint", id.name()),
            "The registry's rule for the subnet works only by the Microsoft.ContainerRegistry service endpoint; without it the registry sees the public egress address.",
        )
        .seen(case.rules().flatten().map(|rules| rule_set(registry, rules)))
        .seen([evidence::config(id, "/properties/serviceEndpoints", seen)])
        .mend([Fix::command(format!("Enable the service endpoint on the subnet '{}'", id.name()), command)
            .change(Change::Patch { resource: id.clone(), merge: json!({ "properties": { "serviceEndpoints": endpoints } }) })
            .iac("Microsoft.Network/virtualNetworks/subnets properties.serviceEndpoints", "azurerm_subnet.service_endpoints")]),
    )
}

declare_finding! {
    /// The registry has a rule for a subnet that no longer exists.
    ///
    /// ## Why it matters
    /// The rule lets nobody in, and it can stop later changes of the rule set.
    ///
    /// ## How it shows
    /// - az: `az acr network-rule list` shows a subnet that `az network vnet subnet show` does not find
    ///
    /// ## What decides it
    /// A virtual network rule names a subnet, and ARM answers 404 for it. (A subnet that may not be read stays unknown.)
    ///
    /// ## Fix
    /// Remove the rule.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-vnet>
    RULE_FOR_MISSING_SUBNET = "vnet/rule-for-missing-subnet", Warning, article "container-registry-vnet",
    explains [], rule_for_missing_subnet;
}

fn rule_for_missing_subnet(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let gone = |id: &&ResourceId| case.config.subnets.iter().any(|s| s.id == **id && s.subnet == Known::Known(None));
    ruled(case)
        .into_iter()
        .filter(gone)
        .map(|id| {
            Draft::new(
                format!("A rule of {} names the subnet '{}', which does not exist", registry.name, id.name()),
                format!("ARM knows no subnet {id}; the rule lets nobody in."),
            )
            .seen([
                evidence::registry(registry, "/properties/networkRuleSet/virtualNetworkRules", id.as_str()),
                evidence::config(id, "/", "404 not found"),
            ])
            .mend(without_subnet_rules(registry, &[id]))
        })
        .collect()
}

declare_finding! {
    /// The subnet is in a subscription where Microsoft.ContainerRegistry is not registered.
    ///
    /// ## Why it matters
    /// A service endpoint of another subscription's network works only where the resource provider is registered there too.
    ///
    /// ## How it shows
    /// - az: `az acr network-rule add` fails, or succeeds and the client is refused all the same
    /// - docker: `denied: client with IP '…' is not allowed access`
    ///
    /// ## What decides it
    /// The client's subnet, or that of a rule, is in another subscription than the registry, and that subscription's
    /// `registrationState` of Microsoft.ContainerRegistry is not Registered.
    ///
    /// ## Fix
    /// `az provider register -n Microsoft.ContainerRegistry` in that subscription.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-vnet>
    PROVIDER_NOT_REGISTERED = "vnet/provider-not-registered", Error, article "container-registry-vnet",
    explains ["vnet/subnet-rule-missing", "vnet/service-endpoint-missing", "firewall/client-ip-not-allowed",
        "firewall/rule-not-in-effect"],
    provider_not_registered;
}

fn provider_not_registered(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry.filter(|_| rules_decide(case)) else {
        return Vec::new();
    };
    let refused: Vec<_> = denied(case).into_iter().filter(|(e, _)| !resolves_privately(e)).collect();
    let depends = |id: &ResourceId| {
        case.subnet(id).is_some_and(crate::facts::network::Subnet::has_registry_service_endpoint)
            || ruled(case).contains(&id)
    };
    let own = case.place.subnet.as_ref().filter(|id| !refused.is_empty() && depends(id));
    let mut subnets = ruled(case);
    subnets.extend(own.filter(|id| !subnets.contains(id)));
    let mut told: Vec<&str> = Vec::new();
    let mut drafts = Vec::new();
    // The client's own subnet first: of two in one subscription it says more.
    subnets.sort_by_key(|id| Some(*id) != own);
    for id in subnets {
        let Some(state) = unregistered(case, registry, id).filter(|_| !told.contains(&id.subscription())) else {
            continue;
        };
        told.push(id.subscription());
        let draft = Draft::new(
            format!("The subscription of the subnet '{}' has not registered Microsoft.ContainerRegistry", id.name()),
            format!(
                "The subnet is in the subscription {}, where the provider is {state}: service endpoints from there do not work.",
                id.subscription()
            ),
        )
        .seen([evidence::config(
            &format!("/subscriptions/{}/providers/Microsoft.ContainerRegistry", id.subscription()),
            "/registrationState",
            state,
        )])
        .mend([register(id.subscription())]);
        let mine = Some(id) == own;
        drafts.push(if mine {
            let first = refused.first().and_then(|(e, _)| Some(evidence::http(&e.host, e.http.as_ref()?)));
            draft.about(refused.iter().map(|(e, _)| &e.host)).seen(first)
        } else if case.probe.is_some() {
            draft.severity(Severity::Warning).bystander()
        } else {
            draft
        });
    }
    drafts
}

/// Registers the provider of registries in a subscription.
fn register(subscription: &str) -> Fix {
    let words = ["az", "provider", "register", "-n", "Microsoft.ContainerRegistry", "--subscription", subscription];
    let fix = Fix::command("Register the provider in that subscription", command::line(words))
        .iac("Microsoft.Resources/subscriptions/providers", "azurerm_resource_provider_registration");
    match format!("/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry").parse() {
        Ok(resource) => fix.change(Change::Patch { resource, merge: json!({ "registrationState": "Registered" }) }),
        Err(_) => fix,
    }
}

/// The registration state of a subnet's subscription, where that is another one and not registered.
fn unregistered<'a>(case: &Case<'a>, registry: &RegistryConfig, id: &ResourceId) -> Option<&'a str> {
    if id.subscription().eq_ignore_ascii_case(registry.id.subscription()) {
        return None;
    }
    let subscription = case.config.subscriptions.iter().find(|s| s.id.eq_ignore_ascii_case(id.subscription()))?;
    let state = case.know("registration of Microsoft.ContainerRegistry", &subscription.container_registry_provider)?;
    (!state.eq_ignore_ascii_case("Registered")).then_some(state.as_str())
}

//! With facts missing: what else it may be, and the one fact that decides.
//!
//! The missing fact is supposed to be each of what it can be, and the rules are asked again: what they name then is a
//! candidate.

use serde_json::json;

use crate::facts::finding::Decider;
use crate::facts::registry::{DefaultAction, NetworkRuleSet, PublicNetworkAccess, VirtualNetworkRule};
use crate::facts::{Code, Confidence, Finding, Known, RegistryConfig};

use super::case::Case;
use super::command;

/// Says of each root cause that is only possible what decides, and what it may be instead.
pub(super) fn decide(case: &Case<'_>, findings: &mut [Finding]) {
    let is_open = |finding: &Finding| finding.root_cause && finding.confidence == Confidence::Possible;
    // Of a fleet's registries few have one: no others are judged twice.
    if !findings.iter().any(is_open) {
        return;
    }
    let told: Vec<Code> = findings.iter().map(|finding| finding.code.clone()).collect();
    let missing = case.unknowns();
    for finding in findings.iter_mut().filter(|finding| is_open(finding)) {
        let Some(fact) = finding.depends_on_unknown.first().cloned() else { continue };
        let mut instead: Vec<Code> =
            supposed(case, &fact).iter().flat_map(|registry| root_causes(case, registry)).collect();
        instead.retain(|code| !told.contains(code));
        instead.sort();
        instead.dedup();
        // Of a registry that was not read at all, no fact is listed by itself.
        let whole = |name: &str| case.registry.is_none() && name == "registry configuration";
        let needs = missing.iter().find(|u| u.fact == fact || whole(&u.fact)).and_then(|u| u.needs.clone());
        finding.decided_by = Some(Decider { fact, needs, instead });
    }
}

/// What would be the reason, were the registry so.
fn root_causes(case: &Case<'_>, registry: &RegistryConfig) -> Vec<Code> {
    let supposed = Case::new(case.config, Some(registry), case.probe, case.options);
    let sure = |finding: &Finding| finding.root_cause && finding.confidence > Confidence::Possible;
    super::judge(&supposed).into_iter().filter(sure).map(|finding| finding.code).collect()
}

/// The registry with each of the two things that a missing fact can be; nothing where it is more than a choice of two.
fn supposed(case: &Case<'_>, fact: &str) -> Vec<RegistryConfig> {
    let Some(registry) = case.registry.cloned().or_else(|| unread(case)) else { return Vec::new() };
    let (mut one, mut other) = (registry.clone(), registry);
    match fact {
        "publicNetworkAccess" => {
            one.public_network_access = Known::Known(PublicNetworkAccess::Enabled);
            other.public_network_access = Known::Known(PublicNetworkAccess::Disabled);
        }
        "networkRuleSet" => {
            one.network_rule_set = Known::Known(None);
            other.network_rule_set = Known::Known(Some(NetworkRuleSet {
                default_action: DefaultAction::Deny,
                ip_rules: Vec::new(),
                virtual_network_rules: Known::Known(Vec::new()),
            }));
        }
        "networkRuleSet.virtualNetworkRules" => {
            let own = case.place.subnet.iter().map(|subnet| VirtualNetworkRule { subnet: subnet.clone() }).collect();
            set_subnet_rules(&mut one, Vec::new());
            set_subnet_rules(&mut other, own);
        }
        _ => return Vec::new(),
    }
    vec![one, other]
}

fn set_subnet_rules(registry: &mut RegistryConfig, rules: Vec<VirtualNetworkRule>) {
    if let Known::Known(Some(set)) = &mut registry.network_rule_set {
        set.virtual_network_rules = Known::Known(rules);
    }
}

/// A registry of which the login server alone is known.
fn unread(case: &Case<'_>) -> Option<RegistryConfig> {
    let login_server = case.login_server()?;
    let name = command::name_in(login_server);
    let id = format!("/subscriptions/unknown/providers/Microsoft.ContainerRegistry/registries/{name}");
    let document = json!({ "id": id, "name": name, "loginServer": login_server, "location": "unknown" });
    serde_json::from_value(document).ok()
}

//! Fixes that open the public endpoint or take rules away, and whom they let in besides the client in question.

use std::net::IpAddr;

use ipnet::Ipv4Net;

use crate::facts::network::Subnet;
use crate::facts::registry::{DefaultAction, NetworkRuleBypassOptions, NetworkRuleSet, PublicNetworkAccess};
use crate::facts::{Fix, Known, RegistryConfig, ResourceId};
use crate::reconcile::case::Case;
use crate::reconcile::command;
use crate::reconcile::place::{Place, usable_connections};

use super::firewall::denied;
use super::firewall_rules::never_public;

/// Public access for those whom the rules name; `meant` are the subnets that the finding is about.
pub(super) fn for_selected_networks(
    case: &Case<'_>,
    registry: &RegistryConfig,
    summary: &str,
    meant: &[&ResourceId],
) -> Fix {
    let fix = command::selected_networks(registry, summary);
    if rules_name_others(case, registry, meant) { fix.widening() } else { fix }
}

/// Public access for one address, and for those whom the rules name already.
pub(super) fn for_address(case: &Case<'_>, registry: &RegistryConfig, ip: IpAddr) -> Fix {
    let enable = for_selected_networks(case, registry, "Enable public access for selected networks", &[]);
    let rule = (!case.ip_rule_covers(ip)).then(|| command::let_in(registry, ip));
    let whom = if enable.widens_access { "and those whom the rules name" } else { "alone" };
    Fix::steps(format!("Enable public access for {ip} {whom}"), std::iter::once(enable).chain(rule))
}

/// Takes subnet rules away. With the last of them, trusted services pass again where they may.
pub(super) fn without_subnet_rules(registry: &RegistryConfig, subnets: &[&ResourceId]) -> Vec<Fix> {
    let mut fixes: Vec<Fix> = subnets.iter().map(|subnet| command::remove_subnet_rule(registry, subnet)).collect();
    if let Some(last) = fixes.last_mut() {
        last.widens_access = lets_trusted_services_in(registry, subnets);
    }
    fixes
}

/// Whether public access by the rules lets somebody else in: it may be so where they were not read.
fn rules_name_others(case: &Case<'_>, registry: &RegistryConfig, meant: &[&ResourceId]) -> bool {
    let rules = match &registry.network_rule_set {
        Known::Known(Some(rules)) => rules,
        Known::Known(None) => return false,
        Known::Unknown(_) => return true,
    };
    addresses_of_others(case, rules) || subnets_of_others(case, registry, rules, meant)
}

fn addresses_of_others(case: &Case<'_>, rules: &NetworkRuleSet) -> bool {
    let told = case.probe.and_then(|probe| probe.vantage.egress_ip.known().copied());
    let own: Vec<IpAddr> = denied(case).into_iter().filter_map(|(_, ip)| ip).chain(told).collect();
    let is_own = |range: Ipv4Net| range.prefix_len() == 32 && own.contains(&range.addr().into());
    rules.ip_rules.iter().filter_map(|rule| rule.range).any(|range| !never_public(range) && !is_own(range))
}

/// A subnet without the service endpoint gets nothing by its rule; one with a private endpoint is in already.
fn subnets_of_others(
    case: &Case<'_>,
    registry: &RegistryConfig,
    rules: &NetworkRuleSet,
    meant: &[&ResourceId],
) -> bool {
    let Known::Known(subnets) = &rules.virtual_network_rules else { return true };
    let others = subnets.iter().map(|rule| &rule.subnet);
    let mut others = others.filter(|id| case.place.subnet.as_ref() != Some(*id) && !meant.contains(id));
    let read = |id: &ResourceId| case.config.subnets.iter().find(|read| read.id == *id)?.subnet.known()?.as_ref();
    let comes_privately = |id| usable_connections(case.config, registry, &Place::in_subnet(id)).next().is_some();
    others.any(|id| read(id).is_none_or(Subnet::has_registry_service_endpoint) && !comes_privately(id))
}

/// Whether trusted services are kept out by these subnet rules alone.
fn lets_trusted_services_in(registry: &RegistryConfig, gone: &[&ResourceId]) -> bool {
    let Known::Known(Some(rules)) = &registry.network_rule_set else { return false };
    let trusted = registry.network_rule_bypass_options.known() == Some(&NetworkRuleBypassOptions::AzureServices);
    let by_rules = registry.public_network_access.known() != Some(&PublicNetworkAccess::Disabled)
        && rules.default_action == DefaultAction::Deny;
    let all_gone =
        rules.virtual_network_rules.known().is_some_and(|own| own.iter().all(|rule| gone.contains(&&rule.subnet)));
    trusted && by_rules && all_gone
}

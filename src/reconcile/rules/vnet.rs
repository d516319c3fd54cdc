//! Service endpoints and subnet rules.

use std::net::IpAddr;

use crate::facts::{Fix, ResourceId};
use crate::reconcile::case::Case;
use crate::reconcile::place::{is_private, only};
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

use super::dns_private::resolves_privately;
use super::firewall::{denied, rule_set};

pub(super) static RULES: &[&Rule] = &[&SUBNET_RULE_MISSING];

declare_finding! {
    /// The client's subnet reaches the registry by a service endpoint, and the registry has no rule for that subnet.
    ///
    /// ## Why it matters
    /// A service endpoint changes the address that the registry sees to the private one: IP rules for the public egress
    /// address stop matching, and only a rule for the subnet lets the client in.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '10.20.1.4' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`
    /// - docker: `login attempt to https://myregistry.azurecr.io/v2/ failed with status: 403 Forbidden`
    ///
    /// ## What decides it
    /// 403 DENIED naming a private address: the request came by a service endpoint. The default action is Deny, and no
    /// virtual network rule names the client's subnet. API versions that hide subnet rules cannot decide this.
    ///
    /// ## Fix
    /// `az acr network-rule add --subnet` with the client's subnet.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-vnet>
    SUBNET_RULE_MISSING = "vnet/subnet-rule-missing", Error, article "container-registry-vnet",
    explains [], subnet_rule_missing;
}

fn subnet_rule_missing(case: &Case<'_>) -> Vec<Draft> {
    let denied = denied(case);
    // A private address at a private endpoint's door is no service endpoint: that is a matter of the connection.
    let by_service_endpoint = denied
        .iter()
        .filter(|(e, _)| !resolves_privately(e))
        .filter_map(|(e, ip)| Some((e, ip.filter(|ip| is_private(*ip))?)));
    let Some((endpoint, address)) = by_service_endpoint.clone().next() else {
        return Vec::new();
    };
    if case.registry.is_some() && case.public_access_disabled() {
        return Vec::new();
    }
    let subnet = client_subnet(case, address);
    let named = subnet.as_ref().map_or("the client's subnet".to_owned(), |s| format!("the subnet '{}'", s.name()));
    let draft = Draft::new(
        format!("The registry has no rule for {named}"),
        format!("The registry saw the private address {address}: the request came by a service endpoint, where only a subnet rule counts."),
    )
    .about(by_service_endpoint.map(|(e, _)| &e.host))
    .seen(endpoint.http.as_ref().map(|http| evidence::http(&endpoint.host, http)));
    let Some(registry) = case.registry else {
        case.note_unknown(
            "registry configuration",
            "it was not read",
            Some("Microsoft.ContainerRegistry/registries/read"),
        );
        return vec![draft.possible(["networkRuleSet".to_owned()]).mend(subnet.map(|s| unread_fix(case, &s)))];
    };
    let Some(Some(rules)) = case.rules() else {
        return vec![draft.possible(["networkRuleSet".to_owned()])];
    };
    let draft = draft
        .seen([rule_set(registry, rules)])
        .seen(subnet.iter().map(|s| evidence::vantage(format!("subnet {s}"))))
        .mend([match &subnet {
            Some(subnet) => command::add_subnet_rule(registry, subnet),
            None => Fix::advice(format!(
                "Add a virtual network rule for the subnet that holds {address}; name it with --subnet to get the command"
            )),
        }]);
    let draft = if case.public_access().is_some() { draft } else { draft.possible(["publicNetworkAccess".to_owned()]) };
    match (case.subnet_rules(), &subnet) {
        (None, _) => vec![draft.possible(["networkRuleSet.virtualNetworkRules".to_owned()])],
        (Some(rules), Some(subnet)) if rules.contains(&subnet) => Vec::new(),
        (Some(_), Some(_)) => vec![if case.place.by_address { draft.likely() } else { draft }],
        (Some(rules), None) if rules.is_empty() => vec![draft],
        (Some(_), None) => {
            case.note_unknown("client's subnet", "neither the vantage nor --subnet tells it", Some("--subnet"));
            vec![draft.likely()]
        }
    }
}

/// The subnet that the client is in: told, or the one known subnet that holds the address.
fn client_subnet(case: &Case<'_>, address: IpAddr) -> Option<ResourceId> {
    case.place.subnet.clone().or_else(|| {
        let holding = case.config.subnets.iter().filter(|read| {
            let subnet = read.subnet.known().and_then(Option::as_ref);
            subnet.is_some_and(|s| s.address_prefixes.iter().any(|p| p.contains(&address)))
        });
        only(holding).map(|read| read.id.clone())
    })
}

fn unread_fix(case: &Case<'_>, subnet: &ResourceId) -> Fix {
    let name = case.login_server().map_or("", command::name_in);
    Fix::command(
        format!("Allow the subnet '{}'", subnet.name()),
        command::line(["az", "acr", "network-rule", "add", "-n", name, "--subnet", subnet.as_str()]),
    )
}

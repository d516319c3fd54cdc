//! What decides about a registry and is not known, whether or not a rule had to ask for it.

use std::net::IpAddr;

use crate::facts::registry::{DefaultAction, NetworkRuleBypassOptions, PublicNetworkAccess};
use crate::facts::{Known, RegistryConfig, ResourceId};

use super::case::Case;

/// Notes the missing facts that the way in hangs on: connections, their addresses, zones, and where the client stands.
pub fn note(case: &Case<'_>) {
    if let Some(why) = case.probe.and_then(|p| p.vantage.proxy.unusable.as_ref()) {
        case.note_unknown("the way through the environment's proxy", why, Some("--proxy with an http:// URL"));
    }
    let Some(registry) = case.registry else { return };
    note_strange_values(case, registry);
    note_other_login_server(case, registry);
    let private = by_private_endpoint(case, registry);
    if private {
        case.all_addresses_known();
        for zone in case.zones() {
            case.know("records of the private DNS zone", &zone.records);
            case.know("links of the private DNS zone", &zone.links);
        }
    }
    // Only somebody who cannot get in has to ask where they stand.
    if case.endpoints().all(|e| super::symptom::Symptom::of(e).is_reached()) {
        return;
    }
    let guessed = case.place.by_address;
    if case.place.subnet.is_none() || guessed {
        let by_rule = !case.public_access_disabled() && case.subnet_rules().is_none_or(|rules| !rules.is_empty());
        if by_rule && case.default_deny() {
            note_place(case, "the client's subnet", "--subnet", |v| &v.subnet, &case.config.client_subnet);
        }
    }
    if private && (case.place.network.is_none() || guessed) {
        let told = &case.config.client_virtual_network;
        note_place(case, "the client's virtual network", "--vnet", |v| &v.virtual_network, told);
    }
}

/// Values that decide who is let in and that this version does not know.
fn note_strange_values(case: &Case<'_>, registry: &RegistryConfig) {
    let strange = |fact: &str, value: &str| {
        case.note_unknown(fact, &format!("'{value}' is no value that this version knows"), Some("a newer acr-doctor"));
    };
    if let Some(PublicNetworkAccess::Unrecognised(value)) = registry.public_network_access.known() {
        strange("publicNetworkAccess", value);
    }
    if let Some(NetworkRuleBypassOptions::Unrecognised(value)) = registry.network_rule_bypass_options.known() {
        strange("networkRuleBypassOptions", value);
    }
    if let Some(DefaultAction::Unrecognised(value)) = case.rules().flatten().map(|rules| &rules.default_action) {
        strange("networkRuleSet.defaultAction", value);
    }
}

/// A probe of another name says nothing of the login server that ARM names.
fn note_other_login_server(case: &Case<'_>, registry: &RegistryConfig) {
    let Some(probe) = case.probe else { return };
    if !probe.endpoints.iter().any(|e| e.host == registry.login_server) {
        let why = format!("the client looked at {}, and the registry's login server is another", probe.login_server);
        let needs = format!("acr-doctor probe {}", registry.login_server);
        case.note_unknown(&format!("what a client meets at {}", registry.login_server), &why, Some(&needs));
    }
}

/// Whether the registry has a private endpoint, or may have one for all that is known.
fn by_private_endpoint(case: &Case<'_>, registry: &RegistryConfig) -> bool {
    let connections = case.know("privateEndpointConnections", &registry.private_endpoint_connections);
    connections.is_none_or(|list| !list.is_empty())
}

/// Notes that the client's place is not known, unless somebody knows that it is none of Azure's.
fn note_place(
    case: &Case<'_>,
    fact: &str,
    flag: &str,
    seen: impl Fn(&crate::facts::Vantage) -> &Known<Option<ResourceId>>,
    told: &Known<Option<ResourceId>>,
) {
    let Some(vantage) = case.probe.map(|p| &p.vantage) else { return };
    let public = |ip: IpAddr| !super::place::is_private(ip);
    let outside = !vantage.addresses.is_empty() && vantage.addresses.iter().all(|net| public(net.addr()));
    let (seen, told) = (seen(vantage), told);
    if seen.is_known() || told.is_known() || outside {
        return;
    }
    let missing = seen.missing().or(told.missing());
    let why = match missing {
        _ if case.place.by_address => "it was guessed from the client's addresses, and ranges may overlap",
        Some(missing) => missing.why.as_str(),
        None => "not told",
    };
    let needs = missing.and_then(|m| m.needs.as_deref()).unwrap_or(flag);
    case.note_unknown(fact, why, Some(needs));
}

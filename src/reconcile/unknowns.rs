//! What decides about a registry and is not known, whether or not a rule had to ask for it.

use std::net::IpAddr;

use crate::facts::{Known, RegistryConfig, ResourceId};

use super::case::Case;

/// Notes the missing facts that the way in hangs on: connections, their addresses, zones, and where the client stands.
pub fn note(case: &Case<'_>) {
    let Some(registry) = case.registry else { return };
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

//! Private endpoints that lack something: an approval that was refused, an address, room, or themselves.

use ipnet::IpNet;
use serde_json::json;

use crate::facts::endpoints::{RegistryEndpoint, endpoints};
use crate::facts::network::PrivateEndpoint;
use crate::facts::registry::{ConnectionStatus, PrivateEndpointConnection};
use crate::facts::{EndpointRole, Fix, Fqdn, Known, Region, RegistryConfig, ResourceId, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::command::private_link::{self, NewEndpoint};
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;
use crate::reconcile::{command, evidence};

use super::private_link::{depends_on, name_of};

pub(super) static RULES: &[&Rule] = &[&CONNECTION_REJECTED, &REPLICA_ADDRESS_MISSING, &SUBNET_FULL, &ENDPOINT_GONE];

declare_finding! {
    /// A private endpoint connection was rejected, or is disconnected.
    ///
    /// ## Why it matters
    /// The private endpoint's address lets nobody in, and it cannot be approved any more: it has to be made anew.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 10.1.0.4:443: i/o timeout`
    /// - docker: `denied: client with IP '…' is not allowed access`
    ///
    /// ## What decides it
    /// `privateLinkServiceConnectionState.status` is Rejected or Disconnected. It is an error where this client depends on
    /// the connection: its names resolve to it, or there is no other way in; else a warning.
    ///
    /// ## Fix
    /// Delete the connection and create the private endpoint again.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/private-link/manage-private-endpoint>
    CONNECTION_REJECTED = "private-link/connection-rejected", Error,
    article "https://learn.microsoft.com/azure/private-link/manage-private-endpoint",
    explains ["private-link/none-while-public-disabled", "private-link/endpoint-gone", "firewall/nobody-allowed",
        "firewall/public-access-disabled", "firewall/client-ip-not-allowed", "network/private-endpoint-unreachable",
        "network/refused", "network/data-endpoint-blocked", "network/blocked-silently", "dns/stale-private-address"],
    connection_rejected;
}

fn connection_rejected(case: &Case<'_>) -> Vec<Draft> {
    let shut = |c: &&PrivateEndpointConnection| {
        matches!(c.status, ConnectionStatus::Rejected | ConnectionStatus::Disconnected)
    };
    case.connections()
        .iter()
        .filter(shut)
        .map(|connection| {
            let (name, status) = (name_of(connection), connection.status.as_str());
            let draft = Draft::new(
                format!("The private endpoint '{name}' is {}", status.to_ascii_lowercase()),
                format!(
                    "Its connection is {status}: the registry lets nobody in through it, and it has to be made anew."
                ),
            )
            .seen([evidence::config(
                &connection.id,
                "/properties/privateLinkServiceConnectionState",
                json!({ "status": status, "description": connection.description }),
            )])
            .seen(case.login().filter(|e| !Symptom::of(e).is_reached()).map(evidence::dns))
            .mend(recreate(case, connection));
            if depends_on(case, connection) { draft } else { draft.severity(Severity::Warning).bystander() }
        })
        .collect()
}

/// Takes what is left of the private endpoint away, and creates it anew.
fn recreate(case: &Case<'_>, connection: &PrivateEndpointConnection) -> Vec<Fix> {
    let name = name_of(connection);
    let there = connection.private_endpoint.known().and_then(Option::as_ref);
    let delete = there.map_or_else(
        || private_link::delete_connection(&connection.id),
        |endpoint| private_link::delete_endpoint(&endpoint.id),
    );
    let new = match there {
        Some(endpoint) => NewEndpoint::again(endpoint),
        // Of one that is gone, only the client's own subnet is known.
        None => case.place.subnet.as_ref().and_then(|subnet| NewEndpoint::in_subnet(name, subnet)),
    };
    let unread = !connection.private_endpoint.is_known();
    match (case.registry, new.filter(|_| !unread)) {
        (Some(registry), Some(new)) => vec![Fix::steps(
            format!("Make the private endpoint '{name}' anew"),
            std::iter::once(delete).chain(new.create(case, registry)),
        )],
        _ => vec![Fix::steps(
            format!("Make the private endpoint '{name}' anew"),
            [delete, Fix::advice("Create the private endpoint again, in the same subnet")],
        )],
    }
}

declare_finding! {
    /// An approved private endpoint has no address for the data endpoint of a replica.
    ///
    /// ## Why it matters
    /// A client that is sent to that replica gets no layers over private link: there is nothing that a DNS record could
    /// point to.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup myregistry.northeurope.data.azurecr.io: no such host`, but not every time
    ///
    /// ## What decides it
    /// The registry has a replication in a region, and the private endpoint's addresses (from its network interface) hold
    /// none for `registry_data_<region>`. It is a warning where this client does not use that private endpoint.
    ///
    /// ## Fix
    /// Update the private endpoint; if it does not help, create it again.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    REPLICA_ADDRESS_MISSING = "private-link/replica-address-missing", Error, article "container-registry-private-link",
    explains ["dns/replica-record-missing", "dns/data-endpoint-record-missing", "dns/private-zone-record-missing",
        "firewall/public-access-disabled", "firewall/client-ip-not-allowed", "network/data-endpoint-blocked"],
    replica_address_missing;
}

fn replica_address_missing(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let Some(replications) = case.know("replications", &registry.replications) else {
        return Vec::new();
    };
    let ready = |r: &&crate::facts::registry::Replication| {
        r.provisioning_state.known().is_none_or(|s| s.eq_ignore_ascii_case("Succeeded"))
    };
    let regions: Vec<&Region> = replications.iter().filter(ready).map(|r| &r.location).collect();
    case.approved()
        .into_iter()
        .filter_map(|connection| Some((connection, connection.endpoint()?)))
        .flat_map(|(connection, endpoint)| {
            regions.iter().filter_map(move |region| no_address(case, registry, connection, endpoint, region))
        })
        .collect()
}

/// The data endpoint of a region. The registry has an approved private endpoint, which switches them on.
fn data_endpoint(case: &Case<'_>, registry: &RegistryConfig, region: &Region) -> Option<Fqdn> {
    let of_region = |e: &RegistryEndpoint| e.role == EndpointRole::Data && e.region.as_ref() == Some(region);
    endpoints(registry, &case.config.cloud).into_iter().find(of_region).map(|e| e.host)
}

fn no_address(
    case: &Case<'_>,
    registry: &RegistryConfig,
    connection: &PrivateEndpointConnection,
    endpoint: &PrivateEndpoint,
    region: &Region,
) -> Option<Draft> {
    let addresses = case.know("private endpoint's addresses", &endpoint.addresses)?;
    let host = data_endpoint(case, registry, region)?;
    let member = format!("registry_data_{region}");
    let has = addresses
        .iter()
        .any(|a| a.fqdns.contains(&host) || a.member.as_ref().is_some_and(|m| m.eq_ignore_ascii_case(&member)));
    // Without any region's address the list is not whole, and says nothing about one region.
    let is_data = |m: &String| m.to_ascii_lowercase().starts_with("registry_data_");
    let within =
        |fqdn: &Fqdn| fqdn.is_within(&case.config.cloud.data_endpoint_suffix) || fqdn.labels().nth(2) == Some("data");
    let whole = addresses.iter().any(|a| a.member.as_ref().is_some_and(is_data) || a.fqdns.iter().any(within));
    if has || !whole {
        return None;
    }
    let members: Vec<String> = addresses
        .iter()
        .map(|a| format!("{} {}", a.member.clone().unwrap_or_else(|| join(&a.fqdns)), a.address))
        .collect();
    let name = name_of(connection);
    let draft = Draft::new(
        format!("The private endpoint '{name}' has no address for the replica in {region}"),
        format!("The registry is replicated to {region}, and nothing in that network stands for {host}."),
    )
    .about([&host])
    .seen([
        evidence::config(&endpoint.id, "/properties/networkInterfaces", evidence::list(members)),
        evidence::registry(registry, "/replications", region.as_str()),
    ])
    .mend([update(endpoint)])
    .mend(NewEndpoint::again(endpoint).map(|new| {
        let delete = private_link::delete_endpoint(&endpoint.id);
        Fix::steps(
            format!("If that adds no address, make the private endpoint '{name}' anew"),
            std::iter::once(delete).chain(new.create(case, registry)),
        )
    }));
    let used = case.usable().iter().any(|(c, _)| c.id == connection.id)
        || case
            .login()
            .and_then(|e| e.dns.as_ref())
            .is_some_and(|dns| dns.answer.ips().any(|ip| addresses.iter().any(|a| a.address == ip)));
    let replication = registry.replications.known().into_iter().flatten().find(|r| r.location == *region);
    let settled = replication.is_some_and(|r| r.provisioning_state.is_known());
    let draft = if settled { draft } else { draft.likely() };
    Some(if case.probe.is_none() || used { draft } else { draft.severity(Severity::Warning).bystander() })
}

fn join(names: &[Fqdn]) -> String {
    names.iter().map(Fqdn::as_str).collect::<Vec<_>>().join(" ")
}

/// An update without a change makes the network ask for the addresses again.
pub(super) fn update(endpoint: &PrivateEndpoint) -> Fix {
    let mut words = vec!["az", "network", "private-endpoint", "update", "-n", endpoint.id.name()];
    words.extend(command::scope(&endpoint.id));
    Fix::command(
        format!("Update the private endpoint '{}', so that it takes the new addresses", endpoint.id.name()),
        command::line(words),
    )
}

declare_finding! {
    /// The subnet of a private endpoint has no free address for the registry's next region.
    ///
    /// ## Why it matters
    /// A new replica takes an address in every connected network. If one subnet is full, the replication is rolled back,
    /// and the error does not say which.
    ///
    /// ## How it shows
    /// - az: `az acr replication create` fails after some minutes
    ///
    /// ## What decides it
    /// All addresses of the subnet are in use or reserved by Azure (five in each range).
    ///
    /// ## Fix
    /// A larger subnet, or one that has room.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    SUBNET_FULL = "private-link/subnet-full", Warning, article "container-registry-private-link",
    explains ["private-link/replica-address-missing"], subnet_full;
}

fn subnet_full(case: &Case<'_>) -> Vec<Draft> {
    let mut subnets: Vec<&ResourceId> = Vec::new();
    for connection in case.approved() {
        let endpoint = connection.private_endpoint.known().and_then(Option::as_ref);
        subnets.extend(endpoint.and_then(|e| e.subnet.as_ref()).filter(|id| !subnets.contains(id)));
    }
    subnets.into_iter().filter_map(|id| full(case, id)).collect()
}

fn full(case: &Case<'_>, id: &ResourceId) -> Option<Draft> {
    let subnet = case.subnet(id)?;
    let used = *subnet.used_addresses.known()?;
    let v4 = subnet.address_prefixes.iter().filter_map(|net| match net {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    });
    let room: u64 = v4.map(|net| 1_u64 << (32 - net.prefix_len())).sum();
    if room == 0 || used < room {
        return None;
    }
    let ranges = evidence::list(&subnet.address_prefixes);
    Some(
        Draft::new(
            format!("The subnet '{}' of a private endpoint is full", id.name()),
            format!("{used} of {room} addresses are in use or reserved; the registry's next region needs one more."),
        )
        .seen([evidence::config(id, "/properties/addressPrefixes", ranges)])
        .mend([Fix::advice(format!(
            "Make the subnet '{}' larger, or move the private endpoint to one with room",
            id.name()
        ))]),
    )
}

declare_finding! {
    /// A connection's private endpoint no longer exists.
    ///
    /// ## Why it matters
    /// The registry still lists a way in that is gone; DNS records for its addresses lead nowhere.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 10.1.0.4:443: i/o timeout`
    ///
    /// ## What decides it
    /// ARM answers 404 for the private endpoint that the connection names. (One that may not be read stays unknown.)
    ///
    /// ## Fix
    /// Delete the connection; create the private endpoint again if it is still needed.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/private-link/manage-private-endpoint>
    ENDPOINT_GONE = "private-link/endpoint-gone", Warning,
    article "https://learn.microsoft.com/azure/private-link/manage-private-endpoint",
    explains ["private-link/none-while-public-disabled", "firewall/nobody-allowed", "dns/stale-private-address"],
    endpoint_gone;
}

fn endpoint_gone(case: &Case<'_>) -> Vec<Draft> {
    case.connections()
        .iter()
        .filter(|c| c.private_endpoint == Known::Known(None))
        .map(|connection| {
            let name = name_of(connection);
            let gone = connection.private_endpoint_id.as_ref().unwrap_or(&connection.id);
            let draft = Draft::new(
                format!("The private endpoint '{name}' no longer exists"),
                format!("The connection is {}, and ARM knows no such private endpoint.", connection.status.as_str()),
            )
            .seen([
                evidence::config(&connection.id, "/properties/privateEndpoint/id", gone.as_str()),
                evidence::config(gone, "/", "404 not found"),
            ])
            .mend(recreate(case, connection));
            if case.approved().is_empty() { draft } else { draft.bystander() }
        })
        .collect()
}

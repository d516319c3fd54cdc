//! Private endpoint connections.

use std::net::IpAddr;

use serde_json::json;

use crate::facts::network::PrivateEndpoint;
use crate::facts::registry::{ConnectionStatus, PrivateEndpointConnection};
use crate::facts::{EndpointObservation, Fix, RegistryConfig, ResourceId};
use crate::reconcile::case::Case;
use crate::reconcile::command::private_link;
use crate::reconcile::evidence;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;

use super::public_access::{for_address, for_selected_networks};

pub(super) static RULES: &[&Rule] = &[&CONNECTION_PENDING, &NONE_WHILE_PUBLIC_DISABLED];

declare_finding! {
    /// A private endpoint connection waits for approval.
    ///
    /// ## Why it matters
    /// Until it is approved, the private endpoint's address lets nobody in. Adding a geo-replica can make an approved
    /// connection pending again.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 10.1.0.4:443: i/o timeout`
    /// - docker: `denied: client with IP '…' is not allowed access`
    ///
    /// ## What decides it
    /// `privateLinkServiceConnectionState.status` is Pending. Where the client does not use it (another way in works),
    /// it is a warning.
    ///
    /// ## Fix
    /// Approve the connection.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/private-link/manage-private-endpoint>
    CONNECTION_PENDING = "private-link/connection-pending", Error,
    article "https://learn.microsoft.com/azure/private-link/manage-private-endpoint",
    explains ["private-link/none-while-public-disabled", "firewall/nobody-allowed", "firewall/public-access-disabled",
        "firewall/client-ip-not-allowed", "network/private-endpoint-unreachable", "network/refused",
        "network/data-endpoint-blocked", "dns/stale-private-address"],
    connection_pending;
}

fn connection_pending(case: &Case<'_>) -> Vec<Draft> {
    let pending = case.connections().iter().filter(|c| c.status == ConnectionStatus::Pending);
    pending
        .map(|connection| {
            let name = name_of(connection);
            let draft = Draft::new(
                format!("The private endpoint '{name}' waits for approval"),
                "Its connection is Pending: the registry lets nobody in through it until somebody approves it.",
            )
            .seen([evidence::config(
                &connection.id,
                "/properties/privateLinkServiceConnectionState",
                json!({ "status": "Pending", "description": connection.description }),
            )])
            .seen(case.login().filter(|e| !Symptom::of(e).is_reached()).map(evidence::dns))
            .mend([private_link::approve(&connection.id)]);
            if depends_on(case, connection) {
                draft
            } else {
                draft.severity(crate::facts::Severity::Warning).bystander()
            }
        })
        .collect()
}

/// The private endpoint's name, or the connection's where ARM does not tell.
pub(super) fn name_of(connection: &PrivateEndpointConnection) -> &str {
    connection.private_endpoint_id.as_ref().unwrap_or(&connection.id).name()
}

/// Whether this client needs a connection that is not approved: its names resolve to it, it is the one within reach,
/// or there is no other way in at all.
pub(super) fn depends_on(case: &Case<'_>, connection: &PrivateEndpointConnection) -> bool {
    let other_ways = !case.approved().is_empty();
    let endpoint = connection.private_endpoint.known().and_then(Option::as_ref);
    let owns = |ip: IpAddr| {
        endpoint.and_then(|e| e.addresses.known()).is_some_and(|list| list.iter().any(|a| a.address == ip))
    };
    let fails = |e: &&EndpointObservation| !Symptom::of(e).is_reached();
    let resolved = |e: &EndpointObservation| e.dns.iter().flat_map(|d| d.answer.ips()).collect::<Vec<_>>();
    if case.endpoints().filter(fails).any(|e| resolved(e).into_iter().any(owns)) {
        return true;
    }
    let Some(probe) = case.probe else {
        return !other_ways && case.network_restricted() && !lets_somebody_in(case);
    };
    if case.login_symptom().is_reached() && probe.endpoints.iter().all(|e| !fails(&e)) {
        return false;
    }
    let near = endpoint
        .and_then(PrivateEndpoint::virtual_network)
        .is_some_and(|network| case.place.reaches(case.config, &network) == Some(true));
    let answered = super::firewall::denied(case);
    // A name that resolves to a private address of nobody in particular, while no other endpoint could own it.
    let private = case.endpoints().filter(fails).any(super::dns_private::resolves_privately) && endpoint.is_none();
    (near && case.usable().is_empty() && !answered.is_empty())
        || (private && !other_ways)
        || (!other_ways && !answered.is_empty() && case.network_restricted() && !lets_somebody_in(case))
}

/// Whether a rule of the public endpoint lets anybody in.
fn lets_somebody_in(case: &Case<'_>) -> bool {
    !case.public_access_disabled()
        && case.rules().flatten().is_none_or(|rules| {
            !rules.ip_rules.is_empty() || rules.virtual_network_rules.known().is_none_or(|list| !list.is_empty())
        })
}

declare_finding! {
    /// Public access is off, and there is no approved private endpoint: nobody gets in.
    ///
    /// ## Why it matters
    /// Private endpoints are the only way into a registry whose public access is disabled.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '…' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`, for every client
    ///
    /// ## What decides it
    /// `publicNetworkAccess` is Disabled, and no private endpoint connection is Approved.
    ///
    /// ## Fix
    /// A private endpoint in the clients' network; or public access for selected networks.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    NONE_WHILE_PUBLIC_DISABLED = "private-link/none-while-public-disabled", Error, article "container-registry-private-link",
    explains ["firewall/public-access-disabled", "firewall/nobody-allowed"], none_while_public_disabled;
}

fn none_while_public_disabled(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let connections_known = registry.private_endpoint_connections.is_known();
    if !(case.public_access_disabled() && connections_known && case.approved().is_empty()) {
        return Vec::new();
    }
    let states: Vec<&str> = case.connections().iter().map(|c| c.status.as_str()).collect();
    vec![
        Draft::new(
            format!("Public access to {} is disabled and no private endpoint is approved", registry.name),
            if states.is_empty() {
                "The registry has no private endpoint connection at all, so there is no way in.".to_owned()
            } else {
                format!("Its private endpoint connections are {}, so there is no way in.", states.join(", "))
            },
        )
        .seen([
            evidence::registry(registry, "/properties/publicNetworkAccess", "Disabled"),
            evidence::registry(registry, "/properties/privateEndpointConnections", json!(states)),
        ])
        .mend(ways_in(case, registry)),
    ]
}

/// A private endpoint for this client.
pub(super) fn new_endpoint(case: &Case<'_>, registry: &RegistryConfig) -> Fix {
    let summary = "Create a private endpoint in the client's network";
    match new_endpoint_steps(case, registry) {
        steps if steps.is_empty() => Fix::advice(format!(
            "Create a private endpoint for {} in the clients' network, with the zone {} linked to it",
            registry.name, case.config.cloud.private_zone
        )),
        steps => Fix::steps(summary, steps),
    }
}

/// The steps to a private endpoint for this client; none where no subnet is known that can take one.
pub(super) fn new_endpoint_steps(case: &Case<'_>, registry: &RegistryConfig) -> Vec<Fix> {
    let name = format!("{}-pe", registry.name);
    let new = subnet_for_endpoint(case).and_then(|subnet| private_link::NewEndpoint::in_subnet(&name, subnet));
    new.map(|new| new.create(case, registry)).unwrap_or_default()
}

/// The client's subnet, or another one of its network where that is delegated to a service.
fn subnet_for_endpoint<'c>(case: &'c Case<'_>) -> Option<&'c ResourceId> {
    let own = case.place.subnet.as_ref()?;
    let delegated = |id: &ResourceId| case.subnet(id).is_some_and(|subnet| !subnet.delegations.is_empty());
    let network = own.virtual_network();
    let others = case.config.subnets.iter().map(|read| &read.id);
    let others = others.filter(|id| case.subnet(id).is_some() && id.virtual_network() == network);
    std::iter::once(own).chain(others).find(|id| !delegated(id))
}

fn ways_in(case: &Case<'_>, registry: &RegistryConfig) -> Vec<Fix> {
    let seen = super::firewall::denied(case).into_iter().find_map(|(_, ip)| ip).filter(|ip| !is_private(*ip));
    let public = match seen {
        Some(ip) => for_address(case, registry, ip),
        None => for_selected_networks(case, registry, "Enable public access for selected networks", &[]),
    };
    vec![new_endpoint(case, registry), public]
}

//! Data endpoints, regional endpoints and replicas.

use serde_json::json;

use crate::facts::registry::{Replication, Sku, Switch};
use crate::facts::{EndpointObservation, EndpointRole, Fix, Fqdn, RegistryConfig, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::command::{self, private_link};
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;

use super::dns_private::resolves_privately;
use super::network::{allow_egress, list_of, login_answers};
use super::network_rules::restricted_egress;
use super::private_link_state::update;

pub(super) static RULES: &[&Rule] =
    &[&DEDICATED_DATA_ENDPOINTS_OFF, &REGIONAL_ENDPOINT_BLOCKED, &REPLICA_ENDPOINT_DISABLED, &REPLICA_UNHEALTHY];

declare_finding! {
    /// Dedicated data endpoints are off: layers come from blob storage accounts that nobody can name beforehand.
    ///
    /// ## Why it matters
    /// A client firewall must then allow all of `*.blob.core.windows.net`, which lets data out to anybody's account.
    ///
    /// ## How it shows
    /// - docker: `Get "https://weumanaged15.blob.core.windows.net/…": dial tcp …: i/o timeout`
    ///
    /// ## What decides it
    /// `dataEndpointEnabled` is false, and no private endpoint switches them on by itself. A warning where the client's
    /// way out is restricted: blob storage fails, a route leads to an appliance, a security group denies, or a proxy
    /// stands in between.
    ///
    /// ## Fix
    /// Switch them on (Premium), and allow them in the clients' firewalls before: clients that allow only blob storage
    /// lose their way.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-dedicated-data-endpoints>
    DEDICATED_DATA_ENDPOINTS_OFF = "endpoint/dedicated-data-endpoints-off", Warning,
    article "container-registry-dedicated-data-endpoints",
    explains [], dedicated_data_endpoints_off;
}

/// What restricts this client's way to blob storage, if anything is known to.
fn restriction(case: &Case<'_>) -> Option<String> {
    let storage: Vec<_> = case.endpoints().filter(|e| e.role == EndpointRole::Storage).collect();
    let failed = storage.iter().find(|e| {
        matches!(Symptom::of(e), Symptom::Tcp(_) | Symptom::Tls(_) | Symptom::Proxy(_) | Symptom::Stranger(_))
    });
    if let Some(endpoint) = failed {
        return Some(format!("{} does not let this client in", endpoint.host));
    }
    if storage.iter().any(|e| Symptom::of(e).is_reached()) {
        return None;
    }
    restricted_egress(case).or_else(|| {
        let proxy = case.login()?.proxy.as_ref()?;
        Some(format!("this client goes through the proxy {}", proxy.url))
    })
}

fn dedicated_data_endpoints_off(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry.filter(|r| r.data_endpoint_enabled.known() == Some(&false)) else {
        return Vec::new();
    };
    if !case.approved().is_empty() {
        return Vec::new();
    }
    let blobs = format!("*.{}", case.config.cloud.blob_suffix);
    let restriction = restriction(case);
    let draft = Draft::new(
        format!("Dedicated data endpoints of {} are off", registry.name),
        match &restriction {
            Some(why) => format!("Layers come from {blobs}, which a firewall can only allow as a whole, and {why}."),
            None => format!("Layers come from {blobs}: a client firewall would have to allow all of it."),
        },
    )
    .seen([evidence::registry(registry, "/properties/dataEndpointEnabled", json!(false))])
    .mend([switch_on(registry)]);
    // A private endpoint would have switched them on by itself.
    let draft = if registry.private_endpoint_connections.is_known() { draft } else { draft.likely() };
    vec![if restriction.is_some() { draft } else { draft.severity(Severity::Info) }]
}

/// Dedicated data endpoints, and the tier that has them.
fn switch_on(registry: &RegistryConfig) -> Fix {
    let summary = "Switch dedicated data endpoints on, once the clients' firewalls allow them";
    let premium = registry.sku.known().is_none_or(|sku| *sku == Sku::Premium);
    let first = (!premium).then(|| command::premium(registry));
    let then = command::data_endpoints(registry, "Switch dedicated data endpoints on");
    Fix::steps(summary, first.into_iter().chain([then]))
}

declare_finding! {
    /// A regional endpoint fails where the login server works.
    ///
    /// ## Why it matters
    /// Clients that are pinned to a region by its own name cannot log in there, while the global name hides it.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup myregistry.westeurope.geo.azurecr.io: no such host`
    ///
    /// ## What decides it
    /// Regional endpoints are enabled, the login server answers, and `<registry>.<region>.geo.azurecr.io` does not resolve,
    /// does not connect, or resolves to a public address beside a private login server.
    ///
    /// ## Fix
    /// The name in the firewall's rule, or its record in the private zone.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-endpoint-reference>
    REGIONAL_ENDPOINT_BLOCKED = "endpoint/regional-endpoint-blocked", Error, article "container-registry-endpoint-reference",
    explains ["firewall/public-access-disabled", "firewall/client-ip-not-allowed", "tls/reset-in-handshake",
        "tls/handshake-timeout", "endpoint/no-answer", "endpoint/not-a-registry", "proxy/denied", "proxy/cannot-resolve",
        "dns/resolver-failed", "network/private-endpoint-unreachable"],
    regional_endpoint_blocked;
}

fn regional_endpoint_blocked(case: &Case<'_>) -> Vec<Draft> {
    let switch = case.registry.and_then(|r| r.regional_endpoints.known());
    if switch == Some(&Switch::Disabled) || !login_answers(case) {
        return Vec::new();
    }
    let private = case.login().is_some_and(resolves_privately);
    let login_reached = case.login_symptom().is_reached();
    let blocked: Vec<&EndpointObservation> = case
        .endpoints()
        .filter(|e| e.role == EndpointRole::Regional)
        .filter(|e| match Symptom::of(e) {
            Symptom::Reached(_) | Symptom::Untested | Symptom::Unavailable(_) => false,
            Symptom::Denied(..) => login_reached && private && !resolves_privately(e),
            _ => true,
        })
        .collect();
    if blocked.is_empty() {
        return Vec::new();
    }
    let hosts: Vec<&Fqdn> = blocked.iter().map(|e| &e.host).collect();
    let unresolved = blocked.iter().any(|e| matches!(Symptom::of(e), Symptom::Dns(_) | Symptom::Denied(..)));
    let fixes = if unresolved && private { records(case, &hosts) } else { allow_egress(case, hosts.iter().copied()) };
    let draft = Draft::new(
        format!("The regional endpoint {} fails, and the login server works", list_of(&hosts)),
        "Clients that use the region's own name cannot log in; those that use the global name can.",
    )
    .about(hosts.iter().copied())
    .seen(blocked.iter().flat_map(|e| [evidence::dns(e), evidence::tcp(e)]))
    .seen(case.registry.map(|r| {
        let state = switch.map_or("not known", Switch::as_str);
        evidence::registry(r, "/properties/regionalEndpoints", state)
    }))
    .mend(fixes);
    // Where they may be off, it may be that nothing should answer there.
    vec![if switch == Some(&Switch::Enabled) { draft } else { draft.likely() }]
}

/// The records that the private zone lacks.
fn records(case: &Case<'_>, hosts: &[&Fqdn]) -> Vec<Fix> {
    let usable = case.usable();
    hosts
        .iter()
        .map(|host| {
            let zone = case.zones_for(host).into_iter().next();
            let address = usable.iter().find_map(|(_, endpoint)| case.private_address_for(endpoint, host));
            // No record can help where the private endpoint has no address for the name.
            let without = usable.iter().find(|(_, endpoint)| endpoint.addresses.is_known());
            if let (None, Some((_, endpoint))) = (address, without) {
                return update(endpoint);
            }
            match (zone, address) {
                (Some((zone, record)), Some(address)) => private_link::add_record(&zone.id, &record, address),
                _ => Fix::advice(format!(
                    "Add an A record for {host} with the private endpoint's address to the zone {}",
                    case.config.cloud.private_zone
                )),
            }
        })
        .collect()
}

fn replications<'a>(case: &Case<'a>) -> (Option<&'a RegistryConfig>, &'a [Replication]) {
    let list = case.registry.and_then(|r| r.replications.known()).map_or(&[][..], Vec::as_slice);
    (case.registry, list)
}

declare_finding! {
    /// The global login server does not send clients to a replica.
    ///
    /// ## Why it matters
    /// The replica keeps its copy and takes no traffic: right during maintenance, surprising afterwards.
    ///
    /// ## How it shows
    /// - clients near the replica are served by a region far away
    ///
    /// ## What decides it
    /// `regionEndpointEnabled` of the replication is false.
    ///
    /// ## Fix
    /// Switch it on again, if the replica is meant to serve.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-geo-replication>
    REPLICA_ENDPOINT_DISABLED = "endpoint/replica-endpoint-disabled", Info, article "container-registry-geo-replication",
    explains [], replica_endpoint_disabled;
}

fn replica_endpoint_disabled(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), list) = replications(case) else {
        return Vec::new();
    };
    list.iter()
        .filter(|r| r.region_endpoint_enabled.known() == Some(&false))
        .map(|replica| {
            Draft::new(
                format!("The replica in {} takes no traffic", replica.location),
                format!("Its region endpoint is off: {} sends nobody there.", registry.login_server),
            )
            .seen([evidence::config(&replica.id, "/properties/regionEndpointEnabled", json!(false))])
            .mend([command::route_to_replica(
                registry,
                &replica.id,
                format!("Let {} serve clients again", replica.location),
                true,
            )])
        })
        .collect()
}

declare_finding! {
    /// A replica is not ready.
    ///
    /// ## Why it matters
    /// Clients that are sent there may find images missing or the service failing.
    ///
    /// ## How it shows
    /// - docker: `manifest unknown`, for an image that another region has
    ///
    /// ## What decides it
    /// The replication's `provisioningState` is not Succeeded, or its status is not Ready; its own message is shown.
    /// Where its region endpoint is off, nobody is sent there, and it is worth knowing only.
    ///
    /// ## Fix
    /// Wait while it synchronises; if it has failed, take it out of the traffic and make it again.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-geo-replication>
    REPLICA_UNHEALTHY = "endpoint/replica-unhealthy", Warning, article "container-registry-geo-replication",
    explains [], replica_unhealthy;
}

fn replica_unhealthy(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), list) = replications(case) else {
        return Vec::new();
    };
    let unready = |r: &Replication| {
        let provisioned = r.provisioning_state.known().is_none_or(|s| s.eq_ignore_ascii_case("Succeeded"));
        let ready = r.display_status.as_ref().is_none_or(|s| s.eq_ignore_ascii_case("Ready"));
        !(provisioned && ready)
    };
    list.iter()
        .filter(|r| unready(r))
        .map(|replica| {
            let state = replica.provisioning_state.known().map_or("unknown", String::as_str);
            let status = replica.display_status.as_deref().unwrap_or("unknown");
            let draft = Draft::new(
                format!("The replica in {} is not ready: {}", replica.location, replica.display_status.as_deref().unwrap_or(state)),
                format!(
                    "provisioningState is {state}, status is {status}.{}",
                    replica.message.as_ref().map(|m| format!(" {m}")).unwrap_or_default()
                ),
            )
            .seen([evidence::config(
                &replica.id,
                "/properties",
                json!({ "provisioningState": state, "status": { "displayStatus": status, "message": replica.message } }),
            )]);
            // Nobody is sent to a replica whose endpoint is off.
            if replica.region_endpoint_enabled.known() == Some(&false) {
                return draft.severity(Severity::Info);
            }
            let summary = format!("Send nobody to {} until it is ready", replica.location);
            draft.mend([command::route_to_replica(registry, &replica.id, summary, false)])
        })
        .collect()
}

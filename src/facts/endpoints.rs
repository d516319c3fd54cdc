//! The endpoints that a registry's clients need, by its configuration (docs: container-registry-endpoint-reference).

use std::collections::BTreeMap;

use super::registry::{RegistryConfig, Switch};
use super::{Cloud, EndpointRole, Fqdn, Known, Region};

/// An endpoint of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryEndpoint {
    /// The name.
    pub host: Fqdn,
    /// What it is for.
    pub role: EndpointRole,
    /// Its region.
    pub region: Option<Region>,
}

/// The login server, every data endpoint and every regional endpoint, each once, in that order.
///
/// Data endpoints exist where they are switched on, or by themselves as soon as there is a private endpoint;
/// ARM does not list them in the second case, so the private endpoints' own names and the replications' regions count too.
pub fn endpoints(registry: &RegistryConfig, cloud: &Cloud) -> Vec<RegistryEndpoint> {
    let mut found: BTreeMap<(EndpointRole, Fqdn), Option<Region>> = BTreeMap::new();
    found.insert((EndpointRole::Login, registry.login_server.clone()), Some(registry.location.clone()));
    for host in registry.data_endpoint_host_names.known().into_iter().flatten() {
        found.insert((EndpointRole::Data, host.clone()), region_of(host));
    }
    if registry.regional_endpoints == Known::Known(Switch::Enabled) {
        for host in registry.regional_endpoint_host_names.known().into_iter().flatten() {
            found.insert((EndpointRole::Regional, host.clone()), region_of(host));
        }
    }
    for host in private_names(registry) {
        if host.is_within(&cloud.data_endpoint_suffix) {
            found.insert((EndpointRole::Data, host.clone()), region_of(host));
        } else if cloud.regional_endpoint_suffix.as_ref().is_some_and(|suffix| host.is_within(suffix)) {
            found.insert((EndpointRole::Regional, host.clone()), region_of(host));
        }
    }
    if has_dedicated_data_endpoints(registry) {
        let replicas = registry.replications.known().into_iter().flatten().map(|r| &r.location);
        for region in std::iter::once(&registry.location).chain(replicas) {
            let name = format!("{}.{region}.{}", registry.login_server.first_label(), cloud.data_endpoint_suffix);
            if let Ok(host) = name.parse() {
                found.insert((EndpointRole::Data, host), Some(region.clone()));
            }
        }
    }
    found.into_iter().map(|((role, host), region)| RegistryEndpoint { host, role, region }).collect()
}

/// Whether blobs come from dedicated data endpoints: switched on, or by an approved private endpoint.
pub fn has_dedicated_data_endpoints(registry: &RegistryConfig) -> bool {
    let approved = registry.private_endpoint_connections.known().into_iter().flatten();
    registry.data_endpoint_enabled == Known::Known(true)
        || approved.into_iter().any(|c| c.status == super::registry::ConnectionStatus::Approved)
}

/// The names that the registry's private endpoints have addresses for.
fn private_names(registry: &RegistryConfig) -> impl Iterator<Item = &Fqdn> {
    let connections = registry.private_endpoint_connections.known().into_iter().flatten();
    let endpoints = connections.filter_map(|c| c.endpoint());
    endpoints.filter_map(|e| e.addresses.known()).flatten().flat_map(|a| &a.fqdns)
}

/// What a host is for, and its region, as its name tells.
pub fn role_of(host: &Fqdn, cloud: &Cloud) -> (EndpointRole, Option<Region>) {
    if host.is_within(&cloud.data_endpoint_suffix) {
        (EndpointRole::Data, region_of(host))
    } else if cloud.regional_endpoint_suffix.as_ref().is_some_and(|suffix| host.is_within(suffix)) {
        (EndpointRole::Regional, region_of(host))
    } else if host.is_within(&cloud.blob_suffix) {
        (EndpointRole::Storage, None)
    } else {
        (EndpointRole::Login, None)
    }
}

/// The region in `<registry>.<region>.data.<suffix>` or `<registry>.<region>.geo.<suffix>`.
pub fn region_of(host: &Fqdn) -> Option<Region> {
    host.labels().nth(1)?.parse().ok()
}

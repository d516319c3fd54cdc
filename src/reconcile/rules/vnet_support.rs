//! Where subnet rules cannot work: disabled public access, hosts and clouds without service endpoints.

use crate::facts::registry::{ConnectionStatus, DefaultAction};
use crate::facts::{Fix, RegistryConfig, ResourceId, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::expect::without_service_endpoint;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

use super::dns_private::resolves_privately;
use super::firewall::{denied, rule_set};
use super::public_access::{for_selected_networks, without_subnet_rules};

pub(super) static RULES: &[&Rule] =
    &[&DISABLED_WITH_PUBLIC_ACCESS, &UNSUPPORTED_HOST, &UNSUPPORTED_CLOUD, &PRIVATE_AND_SERVICE_ENDPOINT];

/// The subnets of the registry's rules; none where they are not known.
fn ruled<'a>(case: &Case<'a>) -> Vec<&'a ResourceId> {
    if case.registry.is_some() { case.subnet_rules().unwrap_or_default() } else { Vec::new() }
}

declare_finding! {
    /// Public access is disabled, which switches service endpoints off as well: the subnet rules let nobody in.
    ///
    /// ## Why it matters
    /// Service endpoints use the registry's public endpoint. Whoever disabled public access to keep the internet out also
    /// shut out the subnets.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '10.20.1.4' is not allowed access`, for a client of an allowed subnet
    ///
    /// ## What decides it
    /// `publicNetworkAccess` is Disabled and virtual network rules are present. It is an error where no private endpoint is
    /// approved, or where the client is in one of those subnets; else a warning.
    ///
    /// ## Fix
    /// Selected networks (public access Enabled, default action Deny), or a private endpoint for the subnets.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-vnet>
    DISABLED_WITH_PUBLIC_ACCESS = "vnet/disabled-with-public-access", Error, article "container-registry-vnet",
    explains ["firewall/rules-without-effect", "firewall/public-access-disabled",
        "private-link/none-while-public-disabled", "firewall/nobody-allowed"],
    disabled_with_public_access;
}

fn disabled_with_public_access(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some(Some(rules))) = (case.registry, case.rules()) else {
        return Vec::new();
    };
    let subnets = ruled(case);
    if subnets.is_empty() || !case.public_access_disabled() {
        return Vec::new();
    }
    let refused = denied(case);
    let client_depends = !refused.is_empty()
        && (case.place.subnet.as_ref().is_some_and(|s| subnets.contains(&s))
            || refused.iter().any(|(e, ip)| ip.is_some_and(is_private) && !resolves_privately(e)));
    let names: Vec<&str> = subnets.iter().map(|s| s.name()).collect();
    let draft = Draft::new(
        format!("Disabled public access shuts the subnets of {} out too", registry.name),
        format!(
            "The rules for '{}' work by service endpoints, which use the public endpoint; with public access Disabled they let nobody in.",
            names.join("', '")
        ),
    )
    .seen([evidence::registry(registry, "/properties/publicNetworkAccess", "Disabled"), rule_set(registry, rules)])
    // Those that it lets in have their rules already.
    .mend([for_selected_networks(case, registry, "Enable public access for the selected networks alone", &subnets)])
    .mend([Fix::advice("Give those subnets a private endpoint, and remove the subnet rules")]);
    let nobody_else =
        case.registry.is_some_and(|r| r.private_endpoint_connections.is_known()) && case.approved().is_empty();
    vec![if nobody_else || client_depends { draft } else { draft.severity(Severity::Warning).bystander() }]
}

declare_finding! {
    /// The client's kind of host cannot use the registry's service endpoint.
    ///
    /// ## Why it matters
    /// Service endpoints of a registry serve virtual machines and AKS nodes only: not Container Instances, App Service,
    /// Functions, or traffic through Azure Bastion. A subnet rule does not help them.
    ///
    /// ## How it shows
    /// - docker: `login attempt to https://myregistry.azurecr.io/v2/ failed with status: 403 Forbidden`
    /// - Container Instances: `InaccessibleImage`, the image cannot be pulled
    ///
    /// ## What decides it
    /// The registry refused the client, the way in that is configured is a subnet rule, and the client is on such a host or
    /// in a subnet that is delegated to such a service.
    ///
    /// ## Fix
    /// A private endpoint, with the client's network linked to its zone.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-vnet>
    UNSUPPORTED_HOST = "vnet/unsupported-host", Error, article "container-registry-vnet",
    explains ["firewall/client-ip-not-allowed", "vnet/subnet-rule-missing", "vnet/service-endpoint-missing",
        "firewall/rule-not-in-effect"],
    unsupported_host;
}

fn unsupported_host(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some((kind, delegation))) = (case.registry, without_service_endpoint(case)) else {
        return Vec::new();
    };
    let seen = match (delegation, &case.place.subnet) {
        (Some(delegation), Some(id)) => evidence::config(id, "/properties/delegations", delegation),
        _ => evidence::vantage(format!("the host is {kind}")),
    };
    let refused: Vec<_> = denied(case).into_iter().filter(|(e, _)| !resolves_privately(e)).collect();
    let subnets = ruled(case);
    let decides = !case.public_access_disabled()
        && case.rules().flatten().is_some_and(|r| r.default_action == DefaultAction::Deny);
    let Some((first, _)) = refused.first().filter(|_| decides && !subnets.is_empty()) else {
        return Vec::new();
    };
    let own = case.place.subnet.as_ref();
    if own.is_some_and(|subnet| !subnets.contains(&subnet)) {
        return Vec::new();
    }
    let draft = Draft::new(
        format!("{kind} cannot use the service endpoint of {}", registry.name),
        "Service endpoints of a registry serve virtual machines and AKS only; the subnet rule does not let this client in.",
    )
    .about(refused.iter().map(|(e, _)| &e.host))
    .seen([seen])
    .seen(case.rules().flatten().map(|rules| rule_set(registry, rules)))
    .seen(first.http.as_ref().map(|http| evidence::http(&first.host, http)))
    .mend([super::private_link::new_endpoint(case, registry)]);
    vec![if own.is_some() { draft } else { draft.likely() }]
}

declare_finding! {
    /// The registry has subnet rules in a cloud that has no service endpoints for registries.
    ///
    /// ## Why it matters
    /// In Azure for US Government and Azure in China the rules have no effect: clients of those subnets are refused.
    ///
    /// ## How it shows
    /// - docker: `login attempt to https://myregistry.azurecr.us/v2/ failed with status: 403 Forbidden`
    ///
    /// ## What decides it
    /// Virtual network rules are present, and the cloud offers no Microsoft.ContainerRegistry service endpoint.
    ///
    /// ## Fix
    /// A private endpoint.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-vnet>
    UNSUPPORTED_CLOUD = "vnet/unsupported-cloud", Error, article "container-registry-vnet",
    explains ["firewall/client-ip-not-allowed", "vnet/subnet-rule-missing", "vnet/service-endpoint-missing",
        "vnet/unsupported-host"],
    unsupported_cloud;
}

fn unsupported_cloud(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some(Some(rules))) = (case.registry, case.rules()) else {
        return Vec::new();
    };
    if case.config.cloud.service_endpoints || ruled(case).is_empty() {
        return Vec::new();
    }
    let draft = Draft::new(
        format!(
            "{} has subnet rules, and {} has no service endpoints for registries",
            registry.name, case.config.cloud.name
        ),
        "The rules let nobody in: service endpoints of Container Registry do not exist in this cloud.",
    )
    .seen([rule_set(registry, rules), evidence::vantage(format!("cloud {}", case.config.cloud.name))])
    .mend([instead_of_rules(case, registry)]);
    vec![if case.login_symptom().is_reached() { draft.severity(Severity::Warning) } else { draft }]
}

/// A private endpoint for this client, in place of the rules that let nobody in.
fn instead_of_rules(case: &Case<'_>, registry: &RegistryConfig) -> Fix {
    let steps = super::private_link::new_endpoint_steps(case, registry);
    if steps.is_empty() {
        return super::private_link::new_endpoint(case, registry);
    }
    Fix::steps(
        "Create a private endpoint in the client's network, and remove the subnet rules",
        steps.into_iter().chain(without_subnet_rules(registry, &ruled(case))),
    )
}

declare_finding! {
    /// The registry has private endpoints and subnet rules, which do not go together.
    ///
    /// ## Why it matters
    /// Microsoft does not support both on one registry: which way a client goes depends on its DNS, and one of them can
    /// stop working.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '10.20.1.4' is not allowed access`, now and then
    ///
    /// ## What decides it
    /// Private endpoint connections (approved or pending) and virtual network rules are both present.
    ///
    /// ## Fix
    /// Keep the private endpoints, and remove the subnet rules.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-vnet>
    PRIVATE_AND_SERVICE_ENDPOINT = "vnet/private-and-service-endpoint", Warning, article "container-registry-vnet",
    explains [], private_and_service_endpoint;
}

fn private_and_service_endpoint(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some(Some(rules))) = (case.registry, case.rules()) else {
        return Vec::new();
    };
    let in_use = |status: &ConnectionStatus| matches!(status, ConnectionStatus::Approved | ConnectionStatus::Pending);
    let connections: Vec<&ResourceId> = registry
        .private_endpoint_connections
        .known()
        .into_iter()
        .flatten()
        .filter(|c| in_use(&c.status))
        .map(|c| &c.id)
        .collect();
    let subnets = ruled(case);
    let (Some(_), Some(_)) = (connections.first(), subnets.first()) else {
        return Vec::new();
    };
    vec![
        Draft::new(
            format!("{} has private endpoints and subnet rules", registry.name),
            "The two are not supported together on one registry; private endpoints are the way that is kept.",
        )
        .seen([
            rule_set(registry, rules),
            evidence::registry(registry, "/properties/privateEndpointConnections", evidence::list(connections)),
        ])
        .mend([Fix::steps(
            "Remove the subnet rules, once their clients use the private endpoint",
            without_subnet_rules(registry, &subnets),
        )]),
    ]
}

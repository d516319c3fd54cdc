//! An AKS cluster that is to pull: its kubelet's roles, the way its nodes come, and the names that they resolve.

use std::net::IpAddr;

use crate::facts::Change;
use crate::facts::cluster::{ClusterConfig, RoleAssignment};
use crate::facts::network::Subnet;
use crate::facts::report::ExpectedPath;
use crate::facts::{Fix, RegistryConfig, ResourceId, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::command::private_link::{self, NewEndpoint};
use crate::reconcile::expect::at_public_endpoint;
use crate::reconcile::place::Place;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

use super::dns_zone::{resolving_network, unlinked};

pub(super) static RULES: &[&Rule] = &[&KUBELET_CANNOT_PULL, &CLUSTER_NOT_ALLOWED, &CLUSTER_ZONE_NOT_LINKED];

/// AcrPull, AcrPush, Reader, Contributor, Owner: the built-in roles that may pull where a registry uses its own roles.
pub(in crate::reconcile) const PULL: [&str; 5] = [
    "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "8311e382-0749-4cb8-b61a-304f252e45ec",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
];

/// Container Registry Repository Reader, Writer and Contributor: those that may where it uses repository permissions.
pub(in crate::reconcile) const REPOSITORY_PULL: [&str; 3] = [
    "b93aa761-3e63-49ed-ac28-beffa264f7ac",
    "2a1e307c-b015-4ebd-883e-5b7698a07328",
    "2efddaa5-3f1f-4df3-97df-af3f13818f4c",
];

/// The cluster and the registry, where both are known.
fn both<'a>(case: &Case<'a>) -> Option<(&'a ClusterConfig, &'a RegistryConfig)> {
    Some((case.config.cluster.as_ref()?, case.registry?))
}

declare_finding! {
    /// The cluster's kubelet identity has no role that lets it pull from the registry.
    ///
    /// ## Why it matters
    /// Nodes pull with the kubelet identity, not with the cluster's own. Without a role the registry answers, and refuses.
    ///
    /// ## How it shows
    /// - kubelet: `failed to authorize: failed to fetch anonymous token: … 401 Unauthorized`
    /// - az aks check-acr: `Validating image pull permission: FAILED`
    ///
    /// ## What decides it
    /// No role assignment at the registry or above it gives the identity AcrPull (or another role that includes it); where the
    /// registry uses repository permissions (`roleAssignmentMode`), AcrPull does not count, and Container Registry Repository
    /// Reader does. Custom roles are not looked into: with one the finding is only possible.
    ///
    /// ## Fix
    /// The role, at the registry.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/aks/cluster-container-registry-integration>
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions>
    KUBELET_CANNOT_PULL = "auth/kubelet-cannot-pull", Error,
    article "https://learn.microsoft.com/azure/aks/cluster-container-registry-integration", explains [],
    kubelet_cannot_pull;
}

fn kubelet_cannot_pull(case: &Case<'_>) -> Vec<Draft> {
    let Some((cluster, registry)) = both(case) else {
        return Vec::new();
    };
    let (Some(identity), Some(roles), Some(mode)) = (
        case.know("the cluster's kubelet identity", &cluster.kubelet_identity),
        case.know("the kubelet identity's roles", &cluster.roles),
        case.know("roleAssignmentMode", &registry.role_assignment_mode),
    ) else {
        return Vec::new();
    };
    let by_repository = mode.to_ascii_lowercase().contains("abac");
    let counted: &[&str] = if by_repository { &REPOSITORY_PULL } else { &PULL };
    let is = |role: &RoleAssignment, of: &[&str]| of.iter().any(|id| role.role.eq_ignore_ascii_case(id));
    if roles.iter().any(|role| is(role, counted)) {
        return Vec::new();
    }
    let own: Vec<&RoleAssignment> =
        roles.iter().filter(|role| !is(role, &PULL) && !is(role, &REPOSITORY_PULL)).collect();
    let legacy = roles.iter().any(|role| is(role, &PULL));
    let name = if by_repository { "Container Registry Repository Reader" } else { "AcrPull" };
    let detail = if legacy {
        format!(
            "{} uses repository permissions, where AcrPull does not count: only the repository roles do.",
            registry.name
        )
    } else {
        format!("None of the {} role assignments at {} or above it lets the identity pull.", roles.len(), registry.name)
    };
    let role = counted.first().copied().unwrap_or_default();
    let draft =
        Draft::new(format!("The kubelets of '{}' may not pull from {}", cluster.id.name(), registry.name), detail)
            .seen([
                evidence::config(
                    &cluster.id,
                    "/properties/identityProfile/kubeletidentity",
                    identity.object_id.as_str(),
                ),
                evidence::registry(registry, "roleAssignments", evidence::list(roles.iter().map(|role| &role.role))),
            ])
            .mend([assign(registry, name, role, &identity.object_id)]);
    vec![if own.is_empty() { draft } else { draft.possible([format!("what the {} other role(s) allow", own.len())]) }]
}

fn assign(registry: &RegistryConfig, name: &str, role: &str, object_id: &str) -> Fix {
    let fix = Fix::command(
        format!("Give the kubelet identity the role {name} at the registry"),
        command::line([
            "az",
            "role",
            "assignment",
            "create",
            "--role",
            name,
            "--assignee-object-id",
            object_id,
            "--assignee-principal-type",
            "ServicePrincipal",
            "--scope",
            registry.id.as_str(),
        ]),
    )
    .iac("Microsoft.Authorization/roleAssignments", "azurerm_role_assignment");
    let definition = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        registry.id.subscription()
    );
    match format!("{}/providers/Microsoft.Authorization/roleAssignments/{object_id}", registry.id).parse() {
        Ok(resource) => fix.change(Change::Put {
            resource,
            document: serde_json::json!({ "properties": {
                "roleDefinitionId": definition, "principalId": object_id, "principalType": "ServicePrincipal",
                "scope": registry.id.as_str() } }),
        }),
        Err(_) => fix,
    }
}

/// A case that stands where a pool's nodes stand, with the address that the registry sees of them.
fn as_nodes<'a>(case: &Case<'a>, subnet: &ResourceId, address: Option<IpAddr>) -> Case<'a> {
    case.from_place(Place { address, ..Place::in_subnet(subnet) })
}

declare_finding! {
    /// The registry lets nodes of the cluster in by no way.
    ///
    /// ## Why it matters
    /// Pods on these nodes cannot start: no image can be pulled, whatever the credentials.
    ///
    /// ## How it shows
    /// - kubelet: `Failed to pull image … 403 Forbidden`, `denied: client with IP '…' is not allowed access`
    ///
    /// ## What decides it
    /// The access model, asked from each node subnet with each address by which the cluster leaves: no private endpoint is
    /// within reach, no subnet rule names the subnet, and no IP rule covers the address, or public access is off.
    ///
    /// ## Fix
    /// A private endpoint in the nodes' network, or a rule for the subnet or the outbound address.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/aks/cluster-container-registry-integration>
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    CLUSTER_NOT_ALLOWED = "firewall/cluster-not-allowed", Error, article "container-registry-access-selected-networks",
    explains ["firewall/nobody-allowed", "private-link/none-while-public-disabled"], cluster_not_allowed;
}

fn cluster_not_allowed(case: &Case<'_>) -> Vec<Draft> {
    let Some((cluster, registry)) = both(case) else {
        return Vec::new();
    };
    let mut drafts = Vec::new();
    for subnet in cluster.node_subnets() {
        let refused = refused(case, cluster, registry, subnet);
        let Some((_, because)) = refused.first() else { continue };
        let seen: Vec<IpAddr> = refused.iter().filter_map(|(address, _)| *address).collect();
        let (name, place) = (cluster.id.name(), subnet.name());
        let draft = Draft::new(
            format!("{} lets no node of '{name}' in the subnet '{place}' in", registry.name),
            format!("From there, {because}."),
        )
        .about([&registry.login_server])
        .seen([
            evidence::vantage(format!("subnet {subnet}")),
            evidence::config(&cluster.id, "/properties/networkProfile", evidence::list(&seen)),
        ])
        .mend(ways_in(case, registry, subnet, &seen));
        let nodes = as_nodes(case, subnet, None);
        drafts.push(if nodes.private_ways_known() {
            draft
        } else {
            case.note_missing(&nodes);
            draft.possible(["whether a private endpoint is within reach".to_owned()])
        });
    }
    drafts
}

/// The addresses with which a subnet's nodes are refused, each with the clause that decides.
fn refused(
    case: &Case<'_>,
    cluster: &ClusterConfig,
    registry: &RegistryConfig,
    subnet: &ResourceId,
) -> Vec<(Option<IpAddr>, String)> {
    let known = cluster.egress_addresses.known().map_or(&[][..], Vec::as_slice);
    let addresses: Vec<Option<IpAddr>> =
        if known.is_empty() { vec![None] } else { known.iter().copied().map(Some).collect() };
    let mut refused = Vec::new();
    for address in addresses {
        let nodes = as_nodes(case, subnet, address);
        if !nodes.usable().is_empty() {
            continue;
        }
        let promised = at_public_endpoint(&nodes, registry, None);
        match promised.path {
            ExpectedPath::Blocked => refused.push((address, promised.because)),
            ExpectedPath::Unknown => {
                let fact = format!("whether nodes in the subnet '{}' are let in", subnet.name());
                case.note_unknown(&fact, &promised.because, None);
            }
            ExpectedPath::PrivateLink | ExpectedPath::ServiceEndpoint | ExpectedPath::PublicAllowed => {}
        }
    }
    refused
}

/// The narrowest way in for a subnet's nodes.
fn ways_in(case: &Case<'_>, registry: &RegistryConfig, subnet: &ResourceId, seen: &[IpAddr]) -> Vec<Fix> {
    if case.public_access_disabled() {
        let name = subnet.virtual_network().map_or_else(String::new, |network| network.name().to_owned());
        let summary = format!("Make a private endpoint of {} in the network '{name}'", registry.name);
        let new = NewEndpoint::in_subnet(&format!("{}-pe", registry.name), subnet);
        return vec![new.map_or_else(
            || Fix::advice(summary.clone()),
            |new| Fix::steps(summary.clone(), new.create(case, registry)),
        )];
    }
    if case.subnet(subnet).is_some_and(Subnet::has_registry_service_endpoint) {
        return vec![command::add_subnet_rule(registry, subnet)];
    }
    let rules: Vec<Fix> = seen.iter().map(|address| command::let_in(registry, *address)).collect();
    match rules.as_slice() {
        [] | [_] => rules,
        _ => vec![Fix::steps("Allow the addresses that its nodes leave with", rules)],
    }
}

declare_finding! {
    /// The private zone with the registry's record is not linked to the network in which the cluster's nodes resolve names.
    ///
    /// ## Why it matters
    /// A private endpoint stands within the nodes' reach, and they get the registry's public address instead.
    ///
    /// ## How it shows
    /// - kubelet: `denied: client with IP '…' is not allowed access`
    ///
    /// ## What decides it
    /// An approved private endpoint is within reach of a node subnet; a private zone that could be read has its record, and
    /// no link names the nodes' network (or that of its custom DNS server).
    ///
    /// ## Fix
    /// The virtual network link.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-endpoints>
    CLUSTER_ZONE_NOT_LINKED = "dns/cluster-zone-not-linked", Error, article "container-registry-private-endpoints",
    explains [], cluster_zone_not_linked;
}

fn cluster_zone_not_linked(case: &Case<'_>) -> Vec<Draft> {
    let Some((cluster, registry)) = both(case) else {
        return Vec::new();
    };
    let mut networks: Vec<ResourceId> = Vec::new();
    let mut drafts = Vec::new();
    for subnet in cluster.node_subnets() {
        let nodes = as_nodes(case, subnet, None);
        let Some(network) = resolving_network(&nodes).filter(|network| !networks.contains(network)) else { continue };
        let Some((zone, record)) = unlinked(&nodes, &registry.login_server, &network) else { continue };
        if nodes.usable().is_empty() {
            continue;
        }
        let links: Vec<&str> =
            zone.links.known().into_iter().flatten().map(|link| link.virtual_network.name()).collect();
        let shown: Vec<String> = record.addresses.iter().map(ToString::to_string).collect();
        let draft = Draft::new(
            format!("The private DNS zone {} is not linked to the cluster's network '{}'", zone.name, network.name()),
            format!("The zone has the record '{}' with {}; nodes do not see it.", record.name, shown.join(", ")),
        )
        .about([&registry.login_server])
        .seen([
            evidence::config(&zone.id, "/virtualNetworkLinks", evidence::list(links)),
            evidence::vantage(format!("subnet {subnet}")),
        ])
        .mend([private_link::link_zone(&zone.id, &network)]);
        drafts.push(if case.network_restricted() { draft } else { draft.severity(Severity::Warning) });
        networks.push(network);
    }
    drafts
}

//! Commands that show a missing fact and change nothing.

use crate::facts::{RegistryConfig, ResourceId};
use crate::reconcile::case::Case;

use super::{line, name_in, scope};

/// Lists the addresses of interfaces with the subnets that they stand in: the client's own is among them.
const ADDRESSES: [&str; 8] = [
    "az",
    "network",
    "nic",
    "list",
    "--query",
    "[].ipConfigurations[].[privateIPAddress,subnet.id]",
    "--output",
    "tsv",
];

/// The command that shows a fact, named as `unknowns` names it, with this case's values.
pub fn fact(case: &Case<'_>, fact: &str) -> Option<String> {
    of_registry(case, fact).or_else(|| of_network(case, fact)).or_else(|| of_services(case, fact))
}

fn of_registry(case: &Case<'_>, fact: &str) -> Option<String> {
    let query = match fact {
        // One tells nothing without the other.
        "publicNetworkAccess" | "networkRuleSet" if case.registry.is_none() => {
            "{publicNetworkAccess:publicNetworkAccess,networkRuleSet:networkRuleSet}"
        }
        "registry configuration" => {
            "{publicNetworkAccess:publicNetworkAccess,networkRuleSet:networkRuleSet,privateEndpointConnections:privateEndpointConnections}"
        }
        "publicNetworkAccess" | "networkRuleSet" | "networkRuleSet.defaultAction" | "encryption" => fact,
        "policies.azureADAuthenticationAsArmPolicy" => "policies.azureAdAuthenticationAsArmPolicy.status",
        "whether the identity of the customer-managed key exists" => "identity",
        "networkRuleSet.virtualNetworkRules" => {
            return Some(acr(case.registry?, &["network-rule", "list", "-n"], &[]));
        }
        "replications" => {
            return Some(acr(case.registry?, &["replication", "list", "-r"], &["--output", "table"]));
        }
        "tasks" => return Some(acr(case.registry?, &["task", "list", "-r"], &["--output", "table"])),
        _ => return None,
    };
    match case.registry {
        Some(registry) => Some(acr(registry, &["show", "-n"], &["--query", query])),
        None => Some(line(["az", "acr", "show", "-n", name_in(case.login_server()?), "--query", query])),
    }
}

/// `az acr … NAME -g GROUP --subscription S …`.
fn acr(registry: &RegistryConfig, command: &[&str], flags: &[&str]) -> String {
    let mut words = vec!["az", "acr"];
    words.extend(command);
    words.push(registry.name.as_str());
    words.extend(scope(&registry.id));
    words.extend(flags);
    line(words)
}

fn of_network(case: &Case<'_>, fact: &str) -> Option<String> {
    let show = |what: &[&str], id: &ResourceId, flags: &[&str]| {
        let words = ["az", "network"].iter().chain(what).copied().chain(["show", "--ids", id.as_str()]);
        line(words.chain(flags.iter().copied()))
    };
    let subnet = |flags: &[&str]| Some(show(&["vnet", "subnet"], case.place.subnet.as_ref()?, flags));
    match fact {
        "the client's subnet" | "client's subnet" | "the client's virtual network" => Some(line(ADDRESSES)),
        "service endpoint policies of the client's subnet" => {
            subnet(&["--query", "serviceEndpointPolicies"]).or_else(|| Some(line(ADDRESSES)))
        }
        "private DNS zones" => Some(zones(case)),
        "records of the private DNS zone" => {
            zone(case, &["record-set", "a"], |zone| zone.records.is_known()).or_else(|| Some(zones(case)))
        }
        "links of the private DNS zone" => zone(case, &["link", "vnet"], |zone| zone.links.is_known()),
        "privateEndpointConnections" => Some(connections(case.registry?)),
        "private endpoint" | "a private endpoint" | "private endpoint's addresses" => {
            private_endpoint(case, fact.ends_with("addresses")).or_else(|| Some(connections(case.registry?)))
        }
        "whether a private endpoint is within reach" => {
            private_endpoint(case, false).or_else(|| Some(connections(case.registry?)))
        }
        _ if fact.starts_with("subnet '") => subnet(&[]),
        _ if fact.starts_with("security group of the subnet") => {
            subnet(&["--expand", "networkSecurityGroup", "--query", "networkSecurityGroup.securityRules"])
        }
        _ if fact.starts_with("route table of the subnet") => {
            subnet(&["--expand", "routeTable", "--query", "routeTable.routes"])
        }
        _ if fact.starts_with("security group of the interface") => {
            let vm = case.probe?.vantage.azure_vm.known()?.as_ref()?;
            let words = ["az", "vm", "show", "--ids", vm.id.as_str(), "--query", "networkProfile.networkInterfaces"];
            Some(line(words))
        }
        _ if fact.starts_with("virtual network '") => {
            let read = case.config.virtual_networks.iter().find(|read| !read.network.is_known())?;
            Some(show(
                &["vnet"],
                &read.id,
                &[
                    "--query",
                    "[dhcpOptions.dnsServers,virtualNetworkPeerings[].[peeringState,remoteVirtualNetwork.id]]",
                ],
            ))
        }
        _ => None,
    }
}

/// `az network private-dns zone list`, where the registry is.
fn zones(case: &Case<'_>) -> String {
    let mut words = vec!["az", "network", "private-dns", "zone", "list"];
    words.extend(case.registry.into_iter().flat_map(|r| ["--subscription", r.id.subscription()]));
    words.extend(["--output", "table"]);
    line(words)
}

/// `az network private-dns KIND list` of the zone of which it is not known.
fn zone(
    case: &Case<'_>,
    kind: &[&str],
    is_known: impl Fn(&crate::facts::network::PrivateDnsZone) -> bool,
) -> Option<String> {
    let zone = case.config.private_dns_zones.known()?.iter().find(|zone| !is_known(zone))?;
    let mut words = vec!["az", "network", "private-dns"];
    words.extend(kind);
    words.extend(["list", "--zone-name", zone.name.as_str()]);
    words.extend(scope(&zone.id));
    words.extend(["--output", "table"]);
    Some(line(words))
}

fn connections(registry: &RegistryConfig) -> String {
    line(["az", "network", "private-endpoint-connection", "list", "--id", registry.id.as_str(), "--output", "table"])
}

/// The private endpoint that could not be read, or whose addresses could not.
fn private_endpoint(case: &Case<'_>, addresses: bool) -> Option<String> {
    let connections = case.registry?.private_endpoint_connections.known()?;
    let is_missing = |connection: &&crate::facts::registry::PrivateEndpointConnection| {
        let endpoint = connection.private_endpoint.known();
        endpoint.is_none_or(|e| addresses && e.as_ref().is_some_and(|e| !e.addresses.is_known()))
    };
    let id = connections.iter().find(is_missing)?.private_endpoint_id.as_ref()?;
    let mut words = vec!["az", "network", "private-endpoint", "show", "--ids", id.as_str()];
    if addresses {
        words.extend(["--query", "customDnsConfigs"]);
    }
    Some(line(words))
}

fn of_services(case: &Case<'_>, fact: &str) -> Option<String> {
    let subscription = case.registry?.id.subscription();
    match fact {
        "Defender for Containers plan" => {
            Some(line(["az", "security", "pricing", "show", "-n", "Containers", "--subscription", subscription]))
        }
        "registration of Microsoft.ContainerRegistry" => {
            let unread = |s: &&crate::facts::config::SubscriptionFacts| !s.container_registry_provider.is_known();
            let subscription = case.config.subscriptions.iter().find(unread)?.id.as_str();
            let words = ["az", "provider", "show", "-n", "Microsoft.ContainerRegistry", "--subscription", subscription];
            Some(line(words.into_iter().chain(["--query", "registrationState"])))
        }
        _ if fact.starts_with("what the ") => {
            let roles = case.config.cluster.as_ref()?.roles.known()?;
            let known = |role: &str| {
                use crate::reconcile::rules::{PULL, REPOSITORY_PULL};
                PULL.iter().chain(&REPOSITORY_PULL).any(|known| role.eq_ignore_ascii_case(known))
            };
            let other = roles.iter().find(|assignment| !known(&assignment.role))?;
            let words = ["az", "role", "definition", "list", "--name", &other.role, "--subscription", subscription];
            Some(line(words.into_iter().chain(["--query", "[].permissions"])))
        }
        _ => None,
    }
}

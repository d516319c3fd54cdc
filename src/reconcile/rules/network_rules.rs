//! What the client's own subnet does with its traffic: security group and routes.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::json;

use crate::facts::endpoints::{endpoints, has_dedicated_data_endpoints};
use crate::facts::network::{NetworkSecurityGroup, SecurityRule};
use crate::facts::probe::TcpOutcome;
use crate::facts::{EndpointObservation, EndpointRole, Fix, Fqdn, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::command::network::{AllowRule, free_priority, move_rule};
use crate::reconcile::evidence;
use crate::reconcile::place::is_private;
use crate::reconcile::routes::filtering_route;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::security_rules::{Connection, Judgement, outbound};

use super::network::{fails_with, list_of, tried};

pub(super) static RULES: &[&Rule] = &[&NSG_BLOCKS_OUTBOUND, &EGRESS_THROUGH_FIREWALL];

/// The rule of one of the client's security groups that denies a connection, if one does.
fn denied_by<'a>(
    case: &Case<'_>,
    group: &'a NetworkSecurityGroup,
    endpoint: &EndpointObservation,
    destination: IpAddr,
) -> Option<&'a SecurityRule> {
    let ranges: &[IpNet] = case.client_subnet().map_or(&[], |(_, subnet)| &subnet.address_prefixes);
    let own: Vec<IpNet> = case
        .probe
        .into_iter()
        .flat_map(|p| &p.vantage.addresses)
        .filter(|a| ranges.iter().any(|p| p.contains(&a.addr())))
        .map(|a| IpNet::from(a.addr()))
        .collect();
    let sources = if own.is_empty() { ranges } else { own.as_slice() };
    let home = case.registry.map(|r| &r.location).filter(|_| endpoint.role == EndpointRole::Login);
    let connection = Connection {
        sources,
        destination: Some(destination),
        role: endpoint.role,
        region: endpoint.region.as_ref().or(home),
        tags: case.config.service_tags.known().map_or(&[], Vec::as_slice),
    };
    match outbound(group, &connection) {
        Judgement::Denied(rule) => rule,
        Judgement::Allowed(_) | Judgement::Undecided(_) => None,
    }
}

/// Endpoints whose connection a security group of the client denies, each with the rule.
fn denied<'a, 'g>(
    case: &Case<'a>,
    group: &'g NetworkSecurityGroup,
) -> Vec<(&'a EndpointObservation, &'g SecurityRule)> {
    case.everything()
        .filter(|e| fails_with(e, &TcpOutcome::TimedOut))
        .filter_map(|e| tried(e).find_map(|ip| denied_by(case, group, e, ip)).map(|rule| (e, rule)))
        .collect()
}

declare_finding! {
    /// A security group of the client's own subnet or network interface denies the way to the registry.
    ///
    /// ## Why it matters
    /// The packets never leave the network: neither the registry's rules nor any firewall behind have seen them.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 20.62.128.0:443: i/o timeout`
    /// - docker: `net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`
    ///
    /// ## What decides it
    /// TCP to the endpoint times out, and among the outbound rules of a security group, in the order of their priority, the
    /// first that matches the address and port 443 is a Deny. Traffic must pass both groups, the interface's and the
    /// subnet's; the interface's is known where this runs on the Azure VM itself.
    ///
    /// ## Fix
    /// An outbound rule before it, with the service tag AzureContainerRegistry (and Storage, without dedicated data
    /// endpoints).
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-firewall-access-rules>
    NSG_BLOCKS_OUTBOUND = "network/nsg-blocks-outbound", Error, article "container-registry-firewall-access-rules",
    explains ["network/blocked-silently", "network/data-endpoint-blocked", "network/private-endpoint-unreachable",
        "network/egress-through-firewall", "endpoint/regional-endpoint-blocked", "endpoint/dedicated-data-endpoints-off",
        "access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"],
    nsg_blocks_outbound;
}

fn nsg_blocks_outbound(case: &Case<'_>) -> Vec<Draft> {
    let groups = case.client_security_groups().into_iter();
    groups.filter_map(|(place, group)| blocked_by(case, place, group)).collect()
}

/// What one of the client's security groups blocks.
fn blocked_by(case: &Case<'_>, place: &str, group: &NetworkSecurityGroup) -> Option<Draft> {
    let denied = denied(case, group);
    let own = |e: &EndpointObservation| !matches!(e.role, EndpointRole::Authority | EndpointRole::ResourceManager);
    let (_, rule) = denied.iter().find(|(e, _)| own(e))?;
    let hosts: Vec<&Fqdn> = denied.iter().filter(|(e, _)| own(e)).map(|(e, _)| &e.host).collect();
    let name = format!("'{}' (priority {})", rule.name, rule.priority);
    let seen = json!({ "name": rule.name, "priority": rule.priority, "access": rule.access,
        "destinationAddressPrefixes": rule.destination_address_prefixes });
    let draft = Draft::new(
        format!("The security group '{}' of the client's {place} blocks {}", group.id.name(), list_of(&hosts)),
        format!("Its outbound rule {name} denies TCP 443 to the address, and packets get no answer."),
    )
    .about(denied.iter().map(|(e, _)| &e.host))
    .seen([evidence::config(&group.id, "/properties/securityRules", seen)])
    .seen(denied.iter().map(|(e, _)| evidence::tcp(e)))
    .seen(case.place.subnet.iter().map(|id| evidence::vantage(format!("subnet {id}"))))
    .mend(allow_rules(group, rule, &denied));
    Some(if case.place.by_address { draft.likely() } else { draft })
}

/// One rule for each kind of destination, at a free priority before the one that denies.
fn allow_rules(
    group: &NetworkSecurityGroup,
    before: &SecurityRule,
    denied: &[(&EndpointObservation, &SecurityRule)],
) -> Vec<Fix> {
    let mut taken: Vec<u32> =
        group.rules.iter().filter(|r| r.direction.eq_ignore_ascii_case("Outbound")).map(|r| r.priority).collect();
    let mut targets: Vec<String> = denied.iter().map(|(e, _)| target(e)).collect();
    targets.sort();
    targets.dedup();
    let mut steps = Vec::new();
    for target in targets {
        let priority = match free_priority(&taken, before.priority) {
            // Before the first of all priorities there is room only if that rule makes it.
            None if steps.is_empty() && before.priority < 4096 && !taken.contains(&(before.priority + 1)) => {
                taken.push(before.priority + 1);
                steps.push(move_rule(&group.id, &before.name, before.priority + 1));
                before.priority
            }
            None => {
                let text = format!("Make room before '{}', and allow TCP 443 outbound to {target}", before.name);
                steps.push(Fix::advice(text));
                continue;
            }
            Some(priority) => priority,
        };
        taken.push(priority);
        let rule = AllowRule { group: &group.id, direction: "Outbound", priority, source: "*", target: &target };
        steps.push(rule.create(format!("Allow TCP 443 outbound to {target} before '{}'", before.name)));
    }
    match steps.as_slice() {
        [one] => vec![one.clone()],
        _ => vec![Fix::steps(format!("Allow TCP 443 outbound before '{}'", before.name), steps)],
    }
}

/// The tag or address that a rule for an endpoint names.
fn target(endpoint: &EndpointObservation) -> String {
    if let Some(private) = tried(endpoint).find(|ip| is_private(*ip)) {
        return private.to_string();
    }
    match endpoint.role {
        EndpointRole::Login | EndpointRole::Data | EndpointRole::Regional => "AzureContainerRegistry",
        EndpointRole::Storage => "Storage",
        EndpointRole::Authority => "AzureActiveDirectory",
        EndpointRole::ResourceManager => "AzureResourceManager",
    }
    .to_owned()
}

/// What restricts the client's way out to blob storage, by its subnet's route table or security group.
pub(super) fn restricted_egress(case: &Case<'_>) -> Option<String> {
    if let Some((table, _)) = filtering_route(case, EndpointRole::Storage, None) {
        return Some(format!("the client's subnet routes through an appliance ('{}')", table.id.name()));
    }
    let denies = |r: &SecurityRule| {
        r.priority < 65000
            && r.direction.eq_ignore_ascii_case("Outbound")
            && r.access.eq_ignore_ascii_case("Deny")
            && r.destination_address_prefixes.iter().any(|p| ["*", "Internet", "0.0.0.0/0"].contains(&p.as_str()))
    };
    let groups = case.client_security_groups();
    let (_, group) = groups.into_iter().find(|(_, group)| group.rules.iter().any(denies))?;
    Some(format!("the security group '{}' denies the way out", group.id.name()))
}

declare_finding! {
    /// The client's subnet sends its traffic through a firewall, which must allow the registry's endpoints.
    ///
    /// ## Why it matters
    /// A route to a virtual appliance or Azure Firewall decides about every connection: what its rules do not name is
    /// dropped there.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 20.62.128.0:443: i/o timeout`
    ///
    /// ## What decides it
    /// The route table of the client's subnet sends 0.0.0.0/0 (or the registry's service tag) to an appliance or gateway.
    /// An error where connections to public addresses then time out, and the client's own security groups let them pass.
    ///
    /// ## Fix
    /// An application rule in that firewall for exactly the endpoints that are listed.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-firewall-access-rules>
    EGRESS_THROUGH_FIREWALL = "network/egress-through-firewall", Error, article "container-registry-firewall-access-rules",
    explains ["network/blocked-silently", "network/data-endpoint-blocked", "endpoint/regional-endpoint-blocked",
        "endpoint/dedicated-data-endpoints-off", "access/authority-unreachable", "access/arm-unreachable",
        "access/not-signed-in"],
    egress_through_firewall;
}

fn egress_through_firewall(case: &Case<'_>) -> Vec<Draft> {
    let (Some((id, subnet)), Some(registry)) = (case.client_subnet(), case.registry) else {
        return Vec::new();
    };
    let groups = case.client_security_groups();
    let let_pass = |e: &EndpointObservation| {
        !groups.iter().any(|(_, group)| tried(e).any(|ip| denied_by(case, group, e, ip).is_some()))
    };
    let dropped: Vec<&EndpointObservation> = case
        .everything()
        .filter(|e| fails_with(e, &TcpOutcome::TimedOut))
        .filter(|e| tried(e).any(|ip| !is_private(ip) && filtering_route(case, e.role, Some(ip)).is_some()))
        .filter(|e| let_pass(e))
        .collect();
    let by_address = dropped.first().and_then(|e| tried(e).find_map(|ip| filtering_route(case, e.role, Some(ip))));
    let Some((table, route)) = by_address.or_else(|| filtering_route(case, EndpointRole::Login, None)) else {
        return Vec::new();
    };
    let hop =
        route.next_hop_address.map_or_else(|| route.next_hop_type.clone(), |a| format!("{} {a}", route.next_hop_type));
    let hosts = must_allow(case);
    let sources: Vec<String> = subnet.address_prefixes.iter().map(ToString::to_string).collect();
    let draft = Draft::new(
        format!("The client's subnet '{}' sends its traffic through {hop}", id.name()),
        format!(
            "The route '{}' of '{}' sends {} there: what its rules do not name is dropped. It must allow {}.",
            route.name,
            table.id.name(),
            route.address_prefix,
            hosts.join(", ")
        ),
    )
    .seen([evidence::config(
        &table.id,
        "/properties/routes",
        json!({ "name": route.name, "addressPrefix": route.address_prefix, "nextHopType": route.next_hop_type,
            "nextHopIpAddress": route.next_hop_address.map(|a| a.to_string()) }),
    )])
    .seen(dropped.iter().map(|e| evidence::tcp(e)))
    .mend([Fix::advice(format!(
        "In the firewall at {hop}, allow HTTPS from {} to {} (application rules by FQDN)",
        sources.join(", "),
        hosts.join(", ")
    ))
    .change(crate::facts::Change::AllowEgress { hosts: dropped.iter().map(|e| e.host.clone()).collect() })])
    .about([&registry.login_server])
    .about(dropped.iter().map(|e| &e.host));
    let own = dropped.iter().any(|e| !matches!(e.role, EndpointRole::Authority | EndpointRole::ResourceManager));
    vec![if own { draft.likely() } else { draft.severity(Severity::Info) }]
}

/// The hosts that a client needs: registry, data, sign-in and ARM.
fn must_allow(case: &Case<'_>) -> Vec<String> {
    let cloud = &case.config.cloud;
    let Some(registry) = case.registry else { return Vec::new() };
    let mut hosts: Vec<String> = endpoints(registry, cloud).into_iter().map(|e| e.host.to_string()).collect();
    if !has_dedicated_data_endpoints(registry) {
        hosts.push(format!("*.{}", cloud.blob_suffix));
    }
    hosts.extend(
        [&cloud.authority, &cloud.resource_manager].into_iter().filter_map(|u| u.host_str()).map(str::to_owned),
    );
    hosts
}

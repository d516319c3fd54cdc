//! Routes that are missing, address families that fail, storage that refuses.

use std::net::IpAddr;

use serde_json::json;

use crate::facts::http::{HttpAnswer, HttpObservation, HttpOutcome};
use crate::facts::probe::TcpOutcome;
use crate::facts::{Change, EndpointObservation, EndpointRole, Evidence, Fix, Fqdn, ResourceId, Stage};
use crate::reconcile::case::Case;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;
use crate::reconcile::{command, evidence};

use super::network::{allow_egress, list_of, on_private_address, stands_alone};

pub(super) static RULES: &[&Rule] = &[&UNREACHABLE, &IPV6_BROKEN, &STORAGE_POLICY_DENIES];

declare_finding! {
    /// There is no route to the registry's address, or something on the way says so.
    ///
    /// ## Why it matters
    /// Nothing reaches the registry; unlike a silent drop, the network itself answers, so the place can be found.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 20.62.128.0:443: connect: no route to host`
    /// - docker: `dial tcp 20.62.128.0:443: connect: network is unreachable`
    ///
    /// ## What decides it
    /// Connecting to every public address fails at once, otherwise than by RST: no route here, an ICMP unreachable or
    /// prohibited, a policy of this host that forbids it, or no free port.
    ///
    /// ## Fix
    /// A default route, or the rule of the firewall that answers.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    UNREACHABLE = "network/unreachable", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], unreachable;
}

/// Whether the network said that there is no way, as opposed to silence and to RST.
fn says_no_way(endpoint: &EndpointObservation) -> bool {
    matches!(
        Symptom::of(endpoint),
        Symptom::Tcp(
            TcpOutcome::HostUnreachable
                | TcpOutcome::NetworkUnreachable
                | TcpOutcome::Prohibited
                | TcpOutcome::Other(_)
        )
    )
}

fn unreachable(case: &Case<'_>) -> Vec<Draft> {
    let lost: Vec<_> =
        case.endpoints().filter(|e| says_no_way(e) && !on_private_address(e) && !stands_alone(case, e)).collect();
    let Some(first) = lost.first() else {
        return Vec::new();
    };
    let controls: Vec<_> = case.controls().filter(|e| says_no_way(e)).collect();
    let hosts: Vec<&Fqdn> = lost.iter().map(|e| &e.host).collect();
    let gateway = case.probe.and_then(|p| p.vantage.default_gateway.known());
    let (detail, fixes) = no_way(case, first, &hosts);
    vec![
        Draft::new(format!("There is no way to {}", list_of(&hosts)), detail)
            .about(lost.iter().chain(&controls).map(|e| &e.host))
            .seen(lost.iter().map(|e| evidence::tcp(e)))
            .seen(gateway.map(|g| {
                evidence::vantage(g.map_or("no default route".to_owned(), |g| format!("default gateway {g}")))
            }))
            .mend(fixes),
    ]
}

/// Who says that there is no way, and what to do there.
fn no_way(case: &Case<'_>, endpoint: &EndpointObservation, hosts: &[&Fqdn]) -> (String, Vec<Fix>) {
    let gateway = case.probe.and_then(|p| p.vantage.default_gateway.known());
    let allow = || allow_egress(case, hosts.iter().copied());
    let Symptom::Tcp(outcome) = Symptom::of(endpoint) else { return (String::new(), allow()) };
    let address = endpoint.tcp.first().map_or(String::new(), |t| t.address.to_string());
    let see = Fix::command(
        "See which route is taken, and correct it there or at the gateway",
        command::line(["ip", "route", "get", &address]),
    );
    match outcome {
        TcpOutcome::Prohibited => (
            "The connection is forbidden before any server is asked: by a route of the type 'prohibit', by a policy of this host (a container's, SELinux, AppArmor), or by a router that says so over IPv6.".to_owned(),
            allow().into_iter().chain([see]).collect(),
        ),
        TcpOutcome::Other(words) => (
            format!("This host cannot begin the connection: {words}. Nothing has been sent yet."),
            vec![Fix::command("See this host's sockets and addresses: too many of the first use up the ports", "ss -s; ip address")],
        ),
        TcpOutcome::NetworkUnreachable if gateway == Some(&None) && !endpoint.tcp.iter().all(|t| t.address.is_ipv6()) => (
            "This host has no default route, so no public address can be reached.".to_owned(),
            vec![Fix::command("See the routes of this host, and add the default one", "ip route show")],
        ),
        TcpOutcome::HostUnreachable => {
            let by = gateway.and_then(Option::as_ref).map(|g| format!(" (the gateway is {g})")).unwrap_or_default();
            (
                format!("The answer is 'host unreachable': nobody on the link has the address{by}, a router knows no way on, or a firewall rejects with ICMP."),
                vec![see].into_iter().chain(allow()).collect(),
            )
        }
        _ => (
            "The answer is 'network unreachable': neither this host nor a router on the way has a route to the address.".to_owned(),
            vec![see],
        ),
    }
}

declare_finding! {
    /// IPv6 does not get through where IPv4 does.
    ///
    /// ## Why it matters
    /// Clients try IPv6 first: every new connection waits for it to fail, and some give up.
    ///
    /// ## How it shows
    /// - docker: `dial tcp [2603:1020:…]:443: i/o timeout`, now and then, and slow pulls
    ///
    /// ## What decides it
    /// The name has AAAA records, this host has a global IPv6 address, connecting by IPv6 fails otherwise than for want of
    /// a route, and IPv4 connects.
    ///
    /// ## Fix
    /// IPv6 let through by the firewall, or switched off on this host; or `endpointProtocol` IPv4 on the registry.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-endpoint-reference>
    IPV6_BROKEN = "network/ipv6-broken", Warning, article "container-registry-endpoint-reference",
    explains [], ipv6_broken;
}

/// Whether an address is IPv6 and global unicast (2000::/3, RFC 4291).
fn is_global_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.octets().first().is_some_and(|o| o & 0xe0 == 0x20))
}

/// IPv6 was tried and failed with more than a missing route, and IPv4 works.
fn lacks_v6(endpoint: &EndpointObservation) -> bool {
    let (v6, v4): (Vec<_>, Vec<_>) = endpoint.tcp.iter().partition(|t| t.address.is_ipv6());
    let failed = |o: &TcpOutcome| !matches!(o, TcpOutcome::Connected | TcpOutcome::NetworkUnreachable);
    v4.iter().any(|t| t.outcome == TcpOutcome::Connected)
        && v6.iter().any(|t| failed(&t.outcome))
        && v6.iter().all(|t| t.outcome != TcpOutcome::Connected)
}

fn ipv6_broken(case: &Case<'_>) -> Vec<Draft> {
    let Some(own) = case.probe.and_then(|p| p.vantage.addresses.iter().find(|a| is_global_v6(a.addr()))) else {
        return Vec::new();
    };
    let broken: Vec<_> = case.endpoints().filter(|e| lacks_v6(e)).collect();
    if broken.is_empty() {
        return Vec::new();
    }
    let hosts: Vec<&Fqdn> = broken.iter().map(|e| &e.host).collect();
    vec![
        Draft::new(
            format!("IPv6 to {} fails, IPv4 works", list_of(&hosts)),
            format!(
                "This host has the IPv6 address {}, so clients try IPv6 first and wait for it to fail.",
                own.addr()
            ),
        )
        .about(hosts.iter().copied())
        .seen(broken.iter().map(|e| evidence::tcp(e)))
        .seen([evidence::vantage(own.to_string())])
        .mend([
            Fix::advice(format!("Let the firewall pass IPv6 TCP 443 to {}", list_of(&hosts))),
            Fix::command("Switch IPv6 off on this host", "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=1")
                .change(Change::Sysctl { name: "net.ipv6.conf.all.disable_ipv6".to_owned(), value: "1".to_owned() }),
        ]),
    ]
}

declare_finding! {
    /// Storage refuses the layer: a service endpoint policy on the client's subnet allows other accounts only.
    ///
    /// ## Why it matters
    /// Login and manifest work. The layer comes from a storage account that belongs to the registry service, and the
    /// policy lets the subnet reach only the accounts that it names.
    ///
    /// ## How it shows
    /// - docker: `error parsing HTTP 403 response body … AuthorizationFailure: This request is not authorized to perform this operation`
    ///
    /// ## What decides it
    /// The signed request to blob storage gets 403 AuthorizationFailure, and the client's subnet has a service endpoint
    /// policy. Where the subnet is not known, the finding is only possible.
    ///
    /// ## Fix
    /// Dedicated data endpoints, which are not storage accounts; or a policy that allows the registry's storage.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoint-policies-overview>
    STORAGE_POLICY_DENIES = "network/storage-policy-denies", Error,
    article "https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoint-policies-overview",
    explains ["endpoint/dedicated-data-endpoints-off"], storage_policy_denies;
}

/// The answer, if storage refused for want of permission on the network.
fn refusal(observation: &HttpObservation) -> Option<&HttpAnswer> {
    match &observation.outcome {
        HttpOutcome::Answered(a) if a.status == 403 && a.has_error("AuthorizationFailure") => Some(a),
        _ => None,
    }
}

/// The storage host that refused, and the refusal: of the signed request, else of the probe's own.
fn refused_by_storage<'a>(case: &Case<'a>, policy_known: bool) -> Option<(&'a Fqdn, Stage, &'a HttpObservation)> {
    let pull = case.probe?.pull.known();
    let signed = pull.and_then(|p| {
        let (host, data) = (p.redirected_to.as_ref()?, p.data.as_ref()?);
        let storage = host.is_within(&case.config.cloud.blob_suffix);
        (storage && refusal(data).is_some()).then_some((host, Stage::Pull, data))
    });
    signed.or_else(|| {
        let mut storage = case.endpoints().filter(|e| policy_known && e.role == EndpointRole::Storage);
        storage.find_map(|e| e.http.as_ref().filter(|h| refusal(h).is_some()).map(|h| (&e.host, Stage::Http, h)))
    })
}

fn storage_policy_denies(case: &Case<'_>) -> Vec<Draft> {
    let place = case.client_subnet();
    let policies: &[ResourceId] = place.map_or(&[], |(_, subnet)| subnet.service_endpoint_policies.as_slice());
    let Some((host, stage, answer)) = refused_by_storage(case, !policies.is_empty()) else {
        return Vec::new();
    };
    if place.is_some() && policies.is_empty() {
        return Vec::new();
    }
    let named = policies.first().map_or("a service endpoint policy", |p| p.name());
    let draft = Draft::new(
        format!("A service endpoint policy keeps this client from {host}"),
        format!("Storage answered 403 AuthorizationFailure to a request that the registry signed: {named} on the client's subnet does not allow the registry's storage account."),
    )
    .about([host])
    .seen([evidence::probe(host, stage, evidence::http_line(answer))])
    .seen(place.map(|(id, _)| policy_evidence(id, policies)))
    .mend(case.registry.map(|registry| {
        command::data_endpoints(
            registry,
            "Switch dedicated data endpoints on: layers then come from the registry's own names",
        )
    }))
    .mend([match place.filter(|_| !policies.is_empty()) {
        Some((id, _)) => without_policies(id, named),
        None => Fix::advice(format!("Remove {named} from the subnet, or let it allow that account's subscription")),
    }]);
    if place.is_some() {
        return vec![draft];
    }
    case.note_unknown("client's subnet", "neither the vantage nor --subnet tells it", Some("--subnet"));
    vec![draft.possible(["service endpoint policies of the client's subnet".to_owned()])]
}

/// Takes all service endpoint policies off a subnet.
fn without_policies(subnet: &ResourceId, named: &str) -> Fix {
    let command = command::network::update_subnet(subnet, &["--remove", "serviceEndpointPolicies"]);
    Fix::command(format!("Remove {named} from the subnet, or let it allow that account's subscription"), command)
        .change(Change::Patch {
            resource: subnet.clone(),
            merge: json!({ "properties": { "serviceEndpointPolicies": [] } }),
        })
        .iac(
            "Microsoft.Network/virtualNetworks/subnets properties.serviceEndpointPolicies",
            "azurerm_subnet.service_endpoint_policy_ids",
        )
        .widening()
}

fn policy_evidence(subnet: &ResourceId, policies: &[ResourceId]) -> Evidence {
    evidence::config(subnet, "/properties/serviceEndpointPolicies", evidence::list(policies))
}

//! From the client to the endpoint's port 443.

use std::net::IpAddr;

use crate::facts::Change;
use crate::facts::probe::TcpOutcome;
use crate::facts::{EndpointObservation, EndpointRole, Fix, Fqdn};
use crate::reconcile::case::Case;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;
use crate::reconcile::{command, evidence};

pub(super) static RULES: &[&Rule] = &[&BLOCKED_SILENTLY, &REFUSED, &DATA_ENDPOINT_BLOCKED];

/// Whether an endpoint's first failure is this TCP outcome.
pub(super) fn fails_with(endpoint: &EndpointObservation, outcome: &TcpOutcome) -> bool {
    matches!(Symptom::of(endpoint), Symptom::Tcp(seen) if seen == outcome)
}

/// The addresses that were tried.
pub(super) fn tried(endpoint: &EndpointObservation) -> impl Iterator<Item = IpAddr> + '_ {
    endpoint.tcp.iter().map(|t| t.address)
}

pub(super) fn on_private_address(endpoint: &EndpointObservation) -> bool {
    tried(endpoint).any(is_private)
}

/// Whether the login server's own service answered: then a failing data endpoint is a matter of its own.
pub(super) fn login_answers(case: &Case<'_>) -> bool {
    case.login_symptom().answered()
}

/// Data endpoints that fail alone belong to `network/data-endpoint-blocked`, regional ones to
/// `endpoint/regional-endpoint-blocked`.
pub(super) fn stands_alone(case: &Case<'_>, endpoint: &EndpointObservation) -> bool {
    matches!(endpoint.role, EndpointRole::Data | EndpointRole::Storage | EndpointRole::Regional) && login_answers(case)
}

/// "Let the firewall pass these hosts", as advice and as data.
pub(super) fn allow_egress<'h>(case: &Case<'_>, hosts: impl IntoIterator<Item = &'h Fqdn>) -> Vec<Fix> {
    let hosts: Vec<Fqdn> = hosts.into_iter().cloned().collect();
    let names: Vec<&str> = hosts.iter().map(Fqdn::as_str).collect();
    let storage = hosts.iter().any(|h| h.is_within(&case.config.cloud.blob_suffix));
    let tag = if storage { "AzureContainerRegistry and Storage" } else { "AzureContainerRegistry" };
    vec![
        Fix::advice(format!("Let the client's firewall pass TCP 443 to {} (service tag {tag})", names.join(", ")))
            .change(Change::AllowEgress { hosts }),
    ]
}

declare_finding! {
    /// Connections to the registry's public address get no answer: a firewall drops them.
    ///
    /// ## Why it matters
    /// Nothing reaches the registry, so its own rules do not matter yet.
    ///
    /// ## How it shows
    /// - docker: `net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`
    /// - docker: `dial tcp 20.62.128.0:443: i/o timeout`
    /// - az: `Could not connect to the registry login server`
    ///
    /// ## What decides it
    /// TCP to every public address that DNS gave times out, while another endpoint answers (a control target or a data
    /// endpoint). Where nothing at all answers, the finding is only likely.
    ///
    /// ## Fix
    /// A rule in the client's firewall or network security group for exactly these names, or the service tag.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-firewall-access-rules>
    BLOCKED_SILENTLY = "network/blocked-silently", Error, article "container-registry-firewall-access-rules",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], blocked_silently;
}

fn blocked_silently(case: &Case<'_>) -> Vec<Draft> {
    let dropped: Vec<_> = case
        .endpoints()
        .filter(|e| fails_with(e, &TcpOutcome::TimedOut) && !on_private_address(e) && !stands_alone(case, e))
        .collect();
    if dropped.is_empty() {
        return Vec::new();
    }
    let controls: Vec<_> = case.controls().filter(|e| fails_with(e, &TcpOutcome::TimedOut)).collect();
    let something_answers = case
        .everything()
        .any(|e| matches!(Symptom::of(e), Symptom::Reached(_) | Symptom::Denied(..) | Symptom::Tls(_)));
    let hosts: Vec<&Fqdn> = dropped.iter().map(|e| &e.host).collect();
    let draft = Draft::new(
        format!("A firewall drops the traffic to {}", list_of(&hosts)),
        if something_answers {
            "The name resolves, packets to port 443 get no answer, and other endpoints answer: these addresses are filtered on this host or between it and Azure."
        } else {
            "The name resolves, and packets to port 443 get no answer. No other endpoint answers either: nothing gets out from here."
        },
    )
    .about(dropped.iter().chain(&controls).map(|e| &e.host))
    .seen(dropped.iter().map(|e| evidence::tcp(e)))
    .seen(case.controls().filter(|e| Symptom::of(e).is_reached()).take(1).map(evidence::tcp))
    .mend(allow_egress(case, hosts));
    vec![if something_answers { draft } else { draft.likely() }]
}

/// Hosts in a title: the first, and how many more.
pub(super) fn list_of(hosts: &[&Fqdn]) -> String {
    match hosts {
        [] => String::new(),
        [one] => one.to_string(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

declare_finding! {
    /// The connection is refused: something answers SYN with RST.
    ///
    /// ## Why it matters
    /// A registry always listens on port 443: a firewall that rejects, or a wrong address, answers in its place.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 20.62.128.0:443: connect: connection refused`
    ///
    /// ## What decides it
    /// RST or ICMP port unreachable on connect at the login server's address. (A data endpoint that refuses alone is
    /// `network/data-endpoint-blocked`.)
    ///
    /// ## Fix
    /// A rule in the client's firewall; or the right address, where the hosts file or a private record is wrong.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-firewall-access-rules>
    REFUSED = "network/refused", Error, article "container-registry-firewall-access-rules",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], refused;
}

fn refused(case: &Case<'_>) -> Vec<Draft> {
    let refused: Vec<_> = case
        .endpoints()
        .filter(|e| {
            (fails_with(e, &TcpOutcome::Refused) || fails_with(e, &TcpOutcome::Reset)) && !stands_alone(case, e)
        })
        .collect();
    if refused.is_empty() {
        return Vec::new();
    }
    let controls: Vec<_> = case.controls().filter(|e| fails_with(e, &TcpOutcome::Refused)).collect();
    let hosts: Vec<&Fqdn> = refused.iter().map(|e| &e.host).collect();
    vec![
        Draft::new(
            format!("The connection to {} is refused", list_of(&hosts)),
            "Something answers with RST or ICMP 'port unreachable'. Registries listen on port 443, so a firewall (on this host or on the way) rejects the connection, or the address is not the registry's.",
        )
        .about(refused.iter().chain(&controls).map(|e| &e.host))
        .seen(refused.iter().flat_map(|e| [evidence::dns(e), evidence::tcp(e)]))
        .mend(allow_egress(case, hosts)),
    ]
}

declare_finding! {
    /// The login server answers, and a data endpoint is blocked.
    ///
    /// ## Why it matters
    /// Login works and every pull hangs or fails: layers come from the data endpoint (or from blob storage), a name and
    /// a firewall rule of its own.
    ///
    /// ## How it shows
    /// - docker: `error pulling image configuration: download failed after attempts=6: dial tcp …: i/o timeout`
    /// - docker: `Get "https://weumanaged15.blob.core.windows.net/…": EOF`
    ///
    /// ## What decides it
    /// The registry itself answers at the login server (with a challenge or a refusal), and TCP to the data endpoint
    /// times out, is refused or is reset.
    ///
    /// ## Fix
    /// A firewall rule for exactly that endpoint. Without dedicated data endpoints it is blob storage, and the rule
    /// would have to hold for all of it.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-dedicated-data-endpoints>
    DATA_ENDPOINT_BLOCKED = "network/data-endpoint-blocked", Error, article "container-registry-dedicated-data-endpoints",
    explains ["endpoint/dedicated-data-endpoints-off"], data_endpoint_blocked;
}

fn data_endpoint_blocked(case: &Case<'_>) -> Vec<Draft> {
    if !login_answers(case) {
        return Vec::new();
    }
    let blocked: Vec<_> = case
        .data_endpoints()
        .filter(|e| matches!(Symptom::of(e), Symptom::Tcp(_)))
        .filter(|e| !tried(e).any(|ip| wrong_private_address(case, ip)))
        .collect();
    if blocked.is_empty() {
        return Vec::new();
    }
    let hosts: Vec<&Fqdn> = blocked.iter().map(|e| &e.host).collect();
    let draft = Draft::new(
        format!("The data endpoint {} is blocked", list_of(&hosts)),
        if case.login_symptom().is_reached() {
            "The login server answers, so login works; layers come from the data endpoint, which does not accept a connection."
        } else {
            "The login server's own service answers; layers come from the data endpoint, which does not accept a connection."
        },
    )
    .about(blocked.iter().map(|e| &e.host))
    .seen(case.login().map(evidence::tcp))
    .seen(blocked.iter().map(|e| evidence::tcp(e)))
    .mend(allow_egress(case, hosts));
    let owned = |ip: IpAddr| !is_private(ip) || case.owner_of(ip).is_some();
    let draft = if blocked.iter().flat_map(|e| tried(e)).all(owned) { draft } else { draft.likely() };
    let storage = blocked.iter().any(|e| e.role == EndpointRole::Storage);
    vec![match case.registry.filter(|_| storage) {
        Some(registry) => draft.mend([command::data_endpoints(
            registry,
            "Switch dedicated data endpoints on, so that the firewall can name them",
        )]),
        None => draft,
    }]
}

/// A private address that is known to be nobody's, or another network's: a matter of DNS.
pub(super) fn wrong_private_address(case: &Case<'_>, address: IpAddr) -> bool {
    is_private(address) && case.owner_of(address).is_none() && case.all_addresses_known()
}

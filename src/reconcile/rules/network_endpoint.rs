//! From the client to a private endpoint.

use std::net::IpAddr;

use serde_json::json;

use crate::facts::network::{NetworkSecurityGroup, Peering, PrivateEndpoint, SecurityRule};
use crate::facts::probe::TcpOutcome;
use crate::facts::{Change, EndpointRole, Fix, Fqdn, ResourceId};
use crate::reconcile::case::Case;
use crate::reconcile::command::network::{self, AllowRule, free_priority};
use crate::reconcile::evidence;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::security_rules::{Connection, Judgement, inbound};
use crate::reconcile::symptom::Symptom;

use super::dns_private::place_evidence;
use super::network::{list_of, on_private_address, stands_alone, tried, wrong_private_address};

pub(super) static RULES: &[&Rule] = &[&PRIVATE_ENDPOINT_UNREACHABLE];

declare_finding! {
    /// The private endpoint's address does not answer.
    ///
    /// ## Why it matters
    /// DNS and configuration are right, and packets do not arrive: routing, peering or a network security group.
    ///
    /// ## How it shows
    /// - curl: `host is not reachable`
    /// - docker: `dial tcp 10.1.0.4:443: i/o timeout`
    /// - docker: `dial tcp 10.1.0.4:443: connect: no route to host`
    ///
    /// ## What decides it
    /// The name resolves to an address that a private endpoint of this registry owns, and TCP to it gets no answer.
    ///
    /// ## Fix
    /// Peer the networks or route to the endpoint's; allow 443 in the security group of the endpoint's subnet.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    PRIVATE_ENDPOINT_UNREACHABLE = "network/private-endpoint-unreachable", Error, article "container-registry-private-link",
    explains [], private_endpoint_unreachable;
}

fn private_endpoint_unreachable(case: &Case<'_>) -> Vec<Draft> {
    let silent: Vec<_> = case
        .endpoints()
        .filter(|e| on_private_address(e) && !stands_alone(case, e))
        .filter(|e| matches!(Symptom::of(e), Symptom::Tcp(o) if !matches!(o, TcpOutcome::Refused | TcpOutcome::Reset)))
        .filter(|e| !tried(e).any(|ip| wrong_private_address(case, ip)))
        .collect();
    if silent.is_empty() {
        return Vec::new();
    }
    let owner = silent.iter().flat_map(|e| tried(e)).find_map(|ip| case.owner_of(ip));
    let hosts: Vec<&Fqdn> = silent.iter().map(|e| &e.host).collect();
    let address = silent.iter().flat_map(|e| tried(e)).find(|ip| is_private(*ip));
    let address = address.map(|a| a.to_string()).unwrap_or_default();
    let draft = Draft::new(
        format!("The private endpoint at {address} does not answer"),
        format!("{} resolves to the private endpoint, as it should, and packets to it get no answer: they are not routed, or are filtered.", list_of(&hosts)),
    )
    .about(silent.iter().map(|e| &e.host))
    .seen(silent.iter().flat_map(|e| [evidence::dns(e), evidence::tcp(e)]));
    let Some((connection, endpoint)) = owner else {
        return vec![
            draft
                .likely()
                .mend([Fix::advice(format!("Route or peer this network to {address}, and allow TCP 443 to it"))
                    .change(allow(&hosts))]),
        ];
    };
    let draft = draft.seen([evidence::config(
        &connection.id,
        "/properties/privateLinkServiceConnectionState/status",
        connection.status.as_str(),
    )]);
    let draft = match apart(case, endpoint) {
        Some(apart) => apart.tell(case, draft),
        None => draft,
    };
    vec![match silent.iter().flat_map(|e| tried(e)).find_map(|ip| denied_at(case, endpoint, ip)) {
        Some((group, rule)) => denied_there(draft, &address, group, rule),
        None => draft.mend([way_there(case, endpoint, &address, &hosts)]),
    }]
}

/// What a filter on the way has to let pass.
fn allow(hosts: &[&Fqdn]) -> Change {
    Change::AllowEgress { hosts: hosts.iter().copied().cloned().collect() }
}

/// Two networks that no connected peering joins, and the peerings that stand between them.
struct Apart<'a> {
    own: ResourceId,
    theirs: ResourceId,
    there: Option<&'a Peering>,
    back: Option<&'a Peering>,
}

/// The client's network and the endpoint's, where both are known and not peered.
fn apart<'a>(case: &Case<'a>, endpoint: &PrivateEndpoint) -> Option<Apart<'a>> {
    let (own, theirs) = (case.place.network.clone()?, endpoint.virtual_network()?);
    if case.place.reaches(case.config, &theirs) != Some(false) {
        return None;
    }
    let side = |from, to: &ResourceId| case.network(from)?.peerings.iter().find(|p| p.remote == *to);
    Some(Apart { there: side(&own, &theirs), back: side(&theirs, &own), own, theirs })
}

impl Apart<'_> {
    /// Says so, with what ARM shows of both sides.
    fn tell(&self, case: &Case<'_>, draft: Draft) -> Draft {
        let (own, theirs) = (self.own.name(), self.theirs.name());
        let state = self.there.or(self.back).map(|p| format!(" (the peering is {})", p.state)).unwrap_or_default();
        let mut draft = draft.seen([(&self.own, self.there), (&self.theirs, self.back)].into_iter().filter_map(
            |(network, side)| {
                case.network(network)?;
                let seen = side.map_or_else(|| json!([]), |p| json!([{ "remote": p.remote, "state": p.state }]));
                Some(evidence::config(network, "/properties/virtualNetworkPeerings", seen))
            },
        ));
        draft.detail = format!(
            "{} The client is in the network '{own}', the private endpoint in '{theirs}', and no connected peering joins them{state}.",
            draft.detail
        );
        draft.seen([place_evidence(case)])
    }
}

/// A peering, where both networks are known and not peered; else what to look at.
fn way_there(case: &Case<'_>, endpoint: &PrivateEndpoint, address: &str, hosts: &[&Fqdn]) -> Fix {
    let Some(Apart { own, theirs, there, back }) = apart(case, endpoint) else {
        return Fix::advice(format!(
            "Check the route from here to {address} (peering, VPN, ExpressRoute) and the security group of the subnet '{}' for TCP 443",
            endpoint.subnet.as_ref().map_or("?", |s| s.name())
        ))
        .change(allow(hosts));
    };
    network::peer(&own, &theirs, there, back)
}

/// The inbound rule of the endpoint's own subnet that denies this client. Security groups count for private endpoints
/// only where the subnet's network policies are enabled for them.
fn denied_at<'a>(
    case: &Case<'a>,
    endpoint: &PrivateEndpoint,
    destination: IpAddr,
) -> Option<(&'a NetworkSecurityGroup, &'a SecurityRule)> {
    let subnet = case.subnet(endpoint.subnet.as_ref()?)?;
    let policies = subnet.private_endpoint_network_policies.as_deref()?;
    if !["Enabled", "NetworkSecurityGroupEnabled"].iter().any(|p| policies.eq_ignore_ascii_case(p)) {
        return None;
    }
    let group = subnet.network_security_group.known()?.as_ref()?;
    let sources: Vec<_> = case.probe?.vantage.addresses.iter().map(|a| a.addr().into()).collect();
    let connection = Connection {
        sources: &sources,
        destination: Some(destination),
        role: EndpointRole::Login,
        region: None,
        tags: &[],
    };
    match inbound(group, &connection) {
        Judgement::Denied(rule) => rule.map(|rule| (group, rule)),
        Judgement::Allowed(_) | Judgement::Undecided(_) => None,
    }
}

fn denied_there(draft: Draft, address: &str, group: &NetworkSecurityGroup, rule: &SecurityRule) -> Draft {
    let taken: Vec<u32> =
        group.rules.iter().filter(|r| r.direction.eq_ignore_ascii_case("Inbound")).map(|r| r.priority).collect();
    let fix = match free_priority(&taken, rule.priority) {
        Some(priority) => {
            let source = "VirtualNetwork";
            AllowRule { group: &group.id, direction: "Inbound", priority, source, target: address }
                .create(format!("Allow TCP 443 to {address} before the rule '{}' of the endpoint's subnet", rule.name))
        }
        None => Fix::advice(format!(
            "Make room before priority {} in '{}', and allow TCP 443 inbound to {address}",
            rule.priority,
            group.id.name()
        )),
    };
    draft
        .seen([evidence::config(
            &group.id,
            "/properties/securityRules",
            json!({ "name": rule.name, "priority": rule.priority, "direction": "Inbound", "access": rule.access }),
        )])
        .mend([fix])
}

//! The access model: what the configuration lets this vantage point do, endpoint by endpoint.
//!
//! The clauses are those of docs/access-model.md, in its order; the first that applies decides.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::facts::network::PrivateEndpoint;
use crate::facts::registry::{
    ConnectionStatus, DefaultAction, NetworkRuleBypassOptions, NetworkRuleSet, PrivateEndpointConnection,
    PublicNetworkAccess,
};
use crate::facts::report::ExpectedPath;
use crate::facts::vantage::HostKind;
use crate::facts::{EndpointObservation, EndpointRole, Fqdn, Known, RegistryConfig};

use super::case::Case;
use super::place::is_private;
use super::routes::filtering_route;
use super::symptom::Symptom;

/// A promise of the configuration, with the clause that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// By which way, or not at all.
    pub path: ExpectedPath,
    /// The clause, or the fact that is missing, for a person.
    pub because: String,
}

impl Expectation {
    fn new(path: ExpectedPath, because: impl Into<String>) -> Self {
        Self { path, because: because.into() }
    }
}

/// What the registry's configuration promises this vantage at an endpoint of the registry.
pub fn expect(case: &Case<'_>, host: &Fqdn, seen: Option<&EndpointObservation>) -> Expectation {
    let Some(registry) = case.registry else {
        return Expectation::new(ExpectedPath::Unknown, "the registry's configuration was not read");
    };
    if host.is_within(&case.config.cloud.blob_suffix) {
        return Expectation::new(ExpectedPath::PublicAllowed, "blob storage takes signed requests from anywhere");
    }
    if let Some(expectation) = by_private_link(case, host, seen) {
        return expectation;
    }
    let promised = at_public_endpoint(case, registry, seen);
    let way_past = || unseen_private_way(case, seen).or_else(|| as_trusted_service(case, registry));
    match (promised.path == ExpectedPath::Blocked).then(way_past).flatten() {
        Some(way) => Expectation::new(ExpectedPath::Unknown, format!("{}; {way}", promised.because)),
        None => promised,
    }
}

/// Clause 5: a host whose managed identity passes as a trusted service, or may do so for all that is known. From outside
/// it cannot be seen. Trusted services do not apply to a registry that is restricted by subnet rules.
fn as_trusted_service(case: &Case<'_>, registry: &RegistryConfig) -> Option<&'static str> {
    if case.probe?.vantage.host_kind != HostKind::ContainerInstances {
        return None;
    }
    match case.know("networkRuleBypassOptions", &registry.network_rule_bypass_options) {
        Some(NetworkRuleBypassOptions::None) => return None,
        Some(NetworkRuleBypassOptions::AzureServices) => {}
        None | Some(NetworkRuleBypassOptions::Unrecognised(_)) => {
            return Some("whether trusted services pass all the same is not known");
        }
    }
    if case.public_access_disabled() || case.subnet_rules().is_none_or(|rules| rules.is_empty()) {
        return Some("as a trusted service with a managed identity it passes all the same");
    }
    None
}

/// Clauses 2 to 4: the public endpoint.
pub fn at_public_endpoint(
    case: &Case<'_>,
    registry: &RegistryConfig,
    seen: Option<&EndpointObservation>,
) -> Expectation {
    match case.know("publicNetworkAccess", &registry.public_network_access) {
        None => Expectation::new(ExpectedPath::Unknown, "publicNetworkAccess is not known"),
        Some(PublicNetworkAccess::Disabled) => Expectation::new(
            ExpectedPath::Blocked,
            "public network access is Disabled: no rule and no service endpoint helps",
        ),
        Some(PublicNetworkAccess::Enabled) => by_rules(case, seen),
        Some(PublicNetworkAccess::Unrecognised(value)) => Expectation::new(
            ExpectedPath::Unknown,
            format!("publicNetworkAccess is '{value}', which this version does not know"),
        ),
    }
}

fn is_proxied(seen: Option<&EndpointObservation>) -> bool {
    seen.is_some_and(|e| e.route.is_proxied())
}

/// Clause 1: a private endpoint that this client uses, or should use. A proxy goes its own way.
fn by_private_link(case: &Case<'_>, host: &Fqdn, seen: Option<&EndpointObservation>) -> Option<Expectation> {
    if is_proxied(seen) {
        return None;
    }
    if let Some((connection, endpoint)) = case.usable().into_iter().find(|(_, endpoint)| !lacks(endpoint, host)) {
        let address = case.private_address_for(endpoint, host).map(|a| format!(" at {a}")).unwrap_or_default();
        let because =
            format!("the approved private endpoint '{}'{address} is within reach", connection_name(connection));
        return Some(Expectation::new(ExpectedPath::PrivateLink, because));
    }
    let address = seen?.dns.as_ref()?.answer.ips().find(|ip| is_private(*ip))?;
    if let Some((connection, _)) = case.owner_of(address) {
        return Some(by_owner(connection));
    }
    // Nobody is known to own the address: it may well be a private endpoint that was not read.
    (!case.all_addresses_known()).then(|| {
        Expectation::new(
            ExpectedPath::Unknown,
            format!("the name resolves to {address}, and which private endpoint has it is not known"),
        )
    })
}

/// Whether a private endpoint is known to have no address for a name: then that name leads past it.
fn lacks(endpoint: &PrivateEndpoint, host: &Fqdn) -> bool {
    endpoint
        .addresses
        .known()
        .is_some_and(|list| list.iter().all(|a| !a.fqdns.is_empty() && !a.fqdns.contains(host)) && !list.is_empty())
}

/// The name resolves to a private endpoint: its connection decides.
fn by_owner(connection: &PrivateEndpointConnection) -> Expectation {
    let name = connection_name(connection);
    let path = match &connection.status {
        ConnectionStatus::Approved => {
            let because = format!("the name resolves to the approved private endpoint '{name}'");
            return Expectation::new(ExpectedPath::PrivateLink, because);
        }
        ConnectionStatus::Pending | ConnectionStatus::Rejected | ConnectionStatus::Disconnected => {
            ExpectedPath::Blocked
        }
        ConnectionStatus::Unrecognised(_) => ExpectedPath::Unknown,
    };
    let status = connection.status.as_str();
    Expectation::new(path, format!("the name resolves to the private endpoint '{name}', whose connection is {status}"))
}

/// Why a client that the public endpoint refuses may come by a private endpoint all the same.
fn unseen_private_way(case: &Case<'_>, seen: Option<&EndpointObservation>) -> Option<&'static str> {
    if is_proxied(seen) {
        let none =
            case.registry.is_some_and(|r| r.private_endpoint_connections.is_known()) && case.approved().is_empty();
        return (!none).then_some("whether the proxy reaches a private endpoint is not known");
    }
    // Where names were resolved, the addresses have told.
    let told = case.probe.is_some() || case.place.network.is_none();
    (!told && !case.private_ways_known()).then_some("whether a private endpoint is within reach is not known")
}

fn connection_name(connection: &PrivateEndpointConnection) -> &str {
    connection.private_endpoint_id.as_ref().unwrap_or(&connection.id).name()
}

/// Clauses 3 and 4: the rules of the public endpoint.
fn by_rules(case: &Case<'_>, seen: Option<&EndpointObservation>) -> Expectation {
    let rules = match case.rules() {
        None => return Expectation::new(ExpectedPath::Unknown, "networkRuleSet is not known"),
        Some(None) => return Expectation::new(ExpectedPath::PublicAllowed, "the registry has no network rules"),
        Some(Some(rules)) => rules,
    };
    match &rules.default_action {
        DefaultAction::Allow => Expectation::new(ExpectedPath::PublicAllowed, "the default action is Allow"),
        DefaultAction::Deny => by_deny(case, rules, seen),
        DefaultAction::Unrecognised(value) => Expectation::new(
            ExpectedPath::Unknown,
            format!("the default action is '{value}', which this version does not know"),
        ),
    }
}

fn by_deny(case: &Case<'_>, rules: &NetworkRuleSet, seen: Option<&EndpointObservation>) -> Expectation {
    let proxied = is_proxied(seen);
    if let Some(expectation) = by_subnet_rule(case).filter(|_| !proxied) {
        return expectation;
    }
    // A subnet without the service endpoint shows a public address: its rule does not help it.
    let told = !proxied && !case.place.by_address && case.client_subnet().is_some();
    let no_subnet_rule = no_subnet_rules(case) || told;
    let source = source_address(case, seen);
    match source {
        Some(ip) if is_private(ip) => by_private_source(case, ip),
        Some(ip) if case.ip_rule_covers(ip) => {
            Expectation::new(ExpectedPath::PublicAllowed, format!("an IP rule covers {ip}"))
        }
        Some(ip @ IpAddr::V6(_)) => Expectation::new(
            ExpectedPath::Blocked,
            format!("the default action is Deny, and IP rules hold IPv4 only: none covers {ip}"),
        ),
        Some(ip) => {
            Expectation::new(ExpectedPath::Blocked, format!("the default action is Deny and no rule covers {ip}"))
        }
        None if rules.ip_rules.is_empty() && no_subnet_rule => {
            Expectation::new(ExpectedPath::Blocked, "the default action is Deny and there is no rule for this client")
        }
        None => match egress_of(case).filter(|_| !proxied) {
            Some(ranges) => by_egress(rules, ranges),
            None => Expectation::new(
                ExpectedPath::Unknown,
                "the default action is Deny, and the address that the registry sees is not known (--egress-ip tells it)",
            ),
        },
    }
}

/// One of several addresses, as those of a NAT gateway or a firewall, which alternate.
fn by_egress(rules: &NetworkRuleSet, ranges: &[IpNet]) -> Expectation {
    let own: Vec<IpNet> = rules.ip_rules.iter().filter_map(|rule| rule.range).map(IpNet::V4).collect();
    let all = ranges.iter().all(|range| own.iter().any(|rule| rule.contains(range)));
    let any = ranges.iter().any(|range| own.iter().any(|rule| rule.contains(range) || range.contains(rule)));
    let shown: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    let shown = shown.join(", ");
    match (all, any) {
        (true, _) => Expectation::new(
            ExpectedPath::PublicAllowed,
            format!("IP rules cover every address that the client's subnet sends from ({shown})"),
        ),
        (false, false) => Expectation::new(
            ExpectedPath::Blocked,
            format!(
                "the default action is Deny and no rule covers an address that the client's subnet sends from ({shown})"
            ),
        ),
        (false, true) => Expectation::new(
            ExpectedPath::Unknown,
            format!("IP rules cover a part of the addresses that the client's subnet sends from ({shown})"),
        ),
    }
}

/// The IPv4 addresses that a client comes from and no rule covers, where rules cover a part of them.
pub fn lets_in_a_part(case: &Case<'_>, seen: &EndpointObservation) -> Option<Vec<IpNet>> {
    if seen.route.is_proxied() || by_subnet_rule(case).is_some() {
        return None;
    }
    let rules: Vec<IpNet> = case.rules()??.ip_rules.iter().filter_map(|rule| rule.range).map(IpNet::V4).collect();
    let all: Vec<IpNet> = egress_of(case)?.iter().filter(|range| range.addr().is_ipv4()).copied().collect();
    let outside: Vec<IpNet> =
        all.iter().filter(|range| !rules.iter().any(|rule| rule.contains(*range))).copied().collect();
    (!outside.is_empty() && outside.len() < all.len()).then_some(outside)
}

/// The public addresses that the client's subnet sends from, where they are known. A default route to an appliance goes
/// before a NAT gateway.
pub fn egress_of<'a>(case: &Case<'a>) -> Option<&'a [IpNet]> {
    let (_, subnet) = case.client_subnet()?;
    let addresses = match &subnet.egress_firewall {
        Known::Known(Some(firewall)) => &firewall.public_addresses,
        _ if filtering_route(case, EndpointRole::Login, None).is_some() => return None,
        _ => {
            subnet.route_table.known()?;
            subnet.nat_gateway_addresses.known()?
        }
    };
    (!addresses.is_empty()).then_some(addresses.as_slice())
}

/// The registry saw a private address: the request came by a service endpoint, where only a subnet rule counts.
fn by_private_source(case: &Case<'_>, ip: IpAddr) -> Expectation {
    match case.subnet_rules() {
        Some(rules) if rules.is_empty() => Expectation::new(
            ExpectedPath::Blocked,
            format!("the request comes by a service endpoint ({ip}), and there is no subnet rule"),
        ),
        _ => Expectation::new(
            ExpectedPath::Unknown,
            format!("the request comes by a service endpoint ({ip}), and which subnet that is, is not known"),
        ),
    }
}

/// A subnet rule for the client's subnet, over its service endpoint; `None`: this clause does not decide.
fn by_subnet_rule(case: &Case<'_>) -> Option<Expectation> {
    let (id, subnet) = case.client_subnet()?;
    if !subnet.has_registry_service_endpoint() || !case.config.cloud.service_endpoints {
        return None;
    }
    let Some(rules) = case.subnet_rules() else {
        return Some(Expectation::new(
            ExpectedPath::Unknown,
            "the client's subnet has the service endpoint, and whether a subnet rule names it is not known",
        ));
    };
    let name = id.name();
    Some(match (rules.contains(&id), without_service_endpoint(case)) {
        (false, _) => Expectation::new(ExpectedPath::Blocked, format!("no rule names the client's subnet '{name}'")),
        (true, Some((kind, _))) => {
            Expectation::new(ExpectedPath::Blocked, format!("the rule for the subnet '{name}' does not serve {kind}"))
        }
        (true, None) => {
            Expectation::new(ExpectedPath::ServiceEndpoint, format!("a rule names the client's subnet '{name}'"))
        }
    })
}

/// What the client is, where service endpoints of registries do not serve it (virtual machines and AKS nodes only); with
/// the delegation of its subnet, where that tells.
pub fn without_service_endpoint<'a>(case: &Case<'a>) -> Option<(&'static str, Option<&'a str>)> {
    const INSTANCES: &str = "Azure Container Instances";
    const APPS: &str = "Azure App Service or Functions";
    match case.probe.map(|p| p.vantage.host_kind) {
        Some(HostKind::AppService) => return Some((APPS, None)),
        Some(HostKind::ContainerInstances) => return Some((INSTANCES, None)),
        _ => {}
    }
    let (_, subnet) = case.client_subnet()?;
    subnet.delegations.iter().find_map(|delegation| {
        let service = delegation.to_ascii_lowercase();
        let kinds = [("microsoft.containerinstance/", INSTANCES), ("microsoft.web/", APPS)];
        let (_, kind) = kinds.into_iter().find(|(start, _)| service.starts_with(start))?;
        Some((kind, Some(delegation.as_str())))
    })
}

fn no_subnet_rules(case: &Case<'_>) -> bool {
    case.subnet_rules().is_some_and(|rules| rules.is_empty())
}

/// The address that the registry sees: from its own refusal, from `--egress-ip`, or the only one that the subnet sends
/// from.
fn source_address(case: &Case<'_>, seen: Option<&EndpointObservation>) -> Option<IpAddr> {
    if let Some(address) = case.place.address {
        return Some(address);
    }
    let denied = seen.or(case.login()).and_then(|e| match Symptom::of(e) {
        Symptom::Denied(ip, _) => ip,
        _ => None,
    });
    let told = case.probe.and_then(|p| p.vantage.egress_ip.known().copied());
    let only = || match egress_of(case).filter(|_| !is_proxied(seen))? {
        [one] if one.prefix_len() == one.max_prefix_len() => Some(one.addr()),
        _ => None,
    };
    denied.or(told).or_else(only)
}

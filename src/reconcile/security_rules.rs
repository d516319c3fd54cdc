//! Network security groups: which rule decides about a connection to port 443.
//!
//! Pure evaluation as Azure does it: rules of one direction in the order of their priority, the first that
//! matches decides (learn.microsoft.com/azure/virtual-network/network-security-groups-overview).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::facts::network::{NetworkSecurityGroup, SecurityRule, ServiceTag};
use crate::facts::{EndpointRole, Region};

use super::place::is_private;

/// A connection to be judged: TCP from the subnet to a destination's port 443.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a> {
    /// The client's addresses or its subnet's ranges; empty: not known.
    pub sources: &'a [IpNet],
    /// The destination's address; `None`: a public one that is not known.
    pub destination: Option<IpAddr>,
    /// What stands there.
    pub role: EndpointRole,
    /// Its region, where it is known.
    pub region: Option<&'a Region>,
    /// The ranges of service tags, as far as they were read.
    pub tags: &'a [ServiceTag],
}

/// What a security group does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// A rule lets it pass; `None`: the defaults that every group has.
    Allowed(Option<&'a SecurityRule>),
    /// A rule denies it; `None`: the default that ends every group.
    Denied(Option<&'a SecurityRule>),
    /// A rule might match, and what it depends on is not known.
    Undecided(&'a SecurityRule),
}

/// Whether something matches: yes, no, or not to be told from what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Matches {
    No,
    Maybe,
    Yes,
}

impl From<bool> for Matches {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Judges an outbound connection.
pub fn outbound<'a>(group: &'a NetworkSecurityGroup, connection: &Connection<'_>) -> Judgement<'a> {
    judge(group, "Outbound", connection)
}

/// Judges an inbound connection: here `destination` is within the group's own subnet.
pub fn inbound<'a>(group: &'a NetworkSecurityGroup, connection: &Connection<'_>) -> Judgement<'a> {
    judge(group, "Inbound", connection)
}

fn judge<'a>(group: &'a NetworkSecurityGroup, direction: &str, connection: &Connection<'_>) -> Judgement<'a> {
    let mut rules: Vec<&SecurityRule> =
        group.rules.iter().filter(|r| r.direction.eq_ignore_ascii_case(direction)).collect();
    rules.sort_by_key(|r| r.priority);
    for rule in rules {
        match matches(rule, connection) {
            Matches::No => {}
            Matches::Maybe => return Judgement::Undecided(rule),
            Matches::Yes if rule.access.eq_ignore_ascii_case("Deny") => return Judgement::Denied(Some(rule)),
            Matches::Yes => return Judgement::Allowed(Some(rule)),
        }
    }
    // Documents that leave the defaults out: AllowVnetOutBound, AllowInternetOutBound; AllowVnetInBound, DenyAllInBound.
    let inbound_from_outside = direction == "Inbound" && !connection.sources.iter().all(|s| is_private(s.addr()));
    if inbound_from_outside { Judgement::Denied(None) } else { Judgement::Allowed(None) }
}

fn matches(rule: &SecurityRule, connection: &Connection<'_>) -> Matches {
    let protocol = rule.protocol == "*" || rule.protocol.eq_ignore_ascii_case("tcp");
    let port = rule.destination_port_ranges.iter().any(|range| holds_port(range, 443));
    if !(protocol && port) {
        return Matches::No;
    }
    let source = best(&rule.source_address_prefixes, |p| source_matches(p, connection.sources));
    let destination = best(&rule.destination_address_prefixes, |p| destination_matches(p, connection));
    source.min(destination)
}

/// The best match among prefixes; none at all (application security groups stand instead) cannot be told.
fn best(prefixes: &[String], matches: impl Fn(&str) -> Matches) -> Matches {
    prefixes.iter().map(|p| matches(p)).max().unwrap_or(Matches::Maybe)
}

fn holds_port(range: &str, port: u16) -> bool {
    let range = range.trim();
    match range.split_once('-') {
        _ if range == "*" => true,
        Some((low, high)) => match (low.trim().parse::<u16>(), high.trim().parse::<u16>()) {
            (Ok(low), Ok(high)) => (low..=high).contains(&port),
            _ => false,
        },
        None => range.parse() == Ok(port),
    }
}

/// A range, a single address, or `*`, which is every range.
fn range_of(prefix: &str) -> Option<IpNet> {
    let prefix = prefix.trim();
    prefix.parse().ok().or_else(|| prefix.parse::<IpAddr>().ok().map(IpNet::from))
}

fn source_matches(prefix: &str, sources: &[IpNet]) -> Matches {
    if prefix == "*" || prefix.eq_ignore_ascii_case("VirtualNetwork") || prefix == "0.0.0.0/0" {
        return Matches::Yes;
    }
    let Some(range) = range_of(prefix) else {
        // Any other tag stands for addresses outside of the network.
        return Matches::No;
    };
    if sources.is_empty() {
        return Matches::Maybe;
    }
    let within = sources.iter().any(|s| range.contains(s));
    let overlapping = sources.iter().any(|s| s.contains(&range));
    if within {
        Matches::Yes
    } else if overlapping {
        Matches::Maybe
    } else {
        Matches::No
    }
}

fn destination_matches(prefix: &str, connection: &Connection<'_>) -> Matches {
    if prefix == "*" {
        return Matches::Yes;
    }
    if let Some(range) = range_of(prefix) {
        return match connection.destination {
            Some(destination) => range.contains(&destination).into(),
            None if range.prefix_len() == 0 => Matches::Yes,
            None if is_private(range.addr()) => Matches::No,
            None => Matches::Maybe,
        };
    }
    let private = connection.destination.is_some_and(is_private);
    let (tag, region) = match prefix.split_once('.') {
        Some((tag, region)) => (tag, Some(region)),
        None => (prefix, None),
    };
    match tag.to_ascii_lowercase().as_str() {
        "virtualnetwork" => private.into(),
        "internet" => (!private).into(),
        _ if private => Matches::No,
        tag => tagged(prefix, tag, region, connection),
    }
}

/// A service tag: by its ranges where they were read, else by what the endpoint is.
fn tagged(prefix: &str, tag: &str, region: Option<&str>, connection: &Connection<'_>) -> Matches {
    if let (Some(read), Some(destination)) =
        (connection.tags.iter().find(|t| t.name.eq_ignore_ascii_case(prefix)), connection.destination)
    {
        return read.prefixes.iter().any(|p| p.contains(&destination)).into();
    }
    let stands_for = match connection.role {
        EndpointRole::Login | EndpointRole::Data | EndpointRole::Regional => "azurecontainerregistry",
        EndpointRole::Storage => "storage",
        EndpointRole::Authority => "azureactivedirectory",
        EndpointRole::ResourceManager => "azureresourcemanager",
    };
    if tag != stands_for && tag != "azurecloud" {
        return Matches::No;
    }
    match (region, connection.region) {
        (None, _) => Matches::Yes,
        (Some(tagged), Some(region)) => tagged.eq_ignore_ascii_case(region.as_str()).into(),
        (Some(_), None) => Matches::Maybe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, priority: u32, access: &str, destination: &str, ports: &str) -> SecurityRule {
        SecurityRule {
            name: name.to_owned(),
            priority,
            direction: "Outbound".to_owned(),
            access: access.to_owned(),
            protocol: "*".to_owned(),
            source_address_prefixes: vec!["*".to_owned()],
            destination_address_prefixes: vec![destination.to_owned()],
            destination_port_ranges: vec![ports.to_owned()],
            unrecognised: crate::facts::Unrecognised::new(),
        }
    }

    fn judged(rules: Vec<SecurityRule>, destination: &str, role: EndpointRole) -> Result<bool, ()> {
        let group = NetworkSecurityGroup {
            id: "/subscriptions/s/g".parse().unwrap(),
            rules,
            unrecognised: crate::facts::Unrecognised::new(),
        };
        let region = "westeurope".parse().unwrap();
        let connection = Connection {
            sources: &["10.1.0.4/32".parse().unwrap()],
            destination: destination.parse().ok(),
            role,
            region: Some(&region),
            tags: &[],
        };
        match outbound(&group, &connection) {
            Judgement::Allowed(_) => Ok(true),
            Judgement::Denied(_) => Ok(false),
            Judgement::Undecided(_) => Err(()),
        }
    }

    const PUBLIC: &str = "20.50.0.1";

    #[test]
    fn the_lowest_priority_number_decides_whatever_the_order_of_the_document() {
        let allow = rule("allow-acr", 100, "Allow", "AzureContainerRegistry", "443");
        let deny = rule("deny-all", 4000, "Deny", "Internet", "*");
        let both = || vec![deny.clone(), allow.clone()];
        assert_eq!(judged(both(), PUBLIC, EndpointRole::Login), Ok(true));
        assert_eq!(judged(both(), PUBLIC, EndpointRole::Storage), Ok(false));
        assert_eq!(judged(both(), "10.2.0.4", EndpointRole::Login), Ok(true));
    }

    #[test]
    fn tags_with_a_region_hold_for_that_region_alone() {
        let deny = || rule("deny", 200, "Deny", "*", "*");
        let here = rule("here", 100, "Allow", "AzureContainerRegistry.WestEurope", "443");
        let there = rule("there", 100, "Allow", "AzureContainerRegistry.NorthEurope", "443");
        assert_eq!(judged(vec![here, deny()], PUBLIC, EndpointRole::Data), Ok(true));
        assert_eq!(judged(vec![there, deny()], PUBLIC, EndpointRole::Data), Ok(false));
    }

    #[test]
    fn ports_protocols_and_directions_are_heeded() {
        let other_port = rule("http", 100, "Deny", "*", "80");
        let mut udp = rule("udp", 101, "Deny", "*", "*");
        udp.protocol = "Udp".to_owned();
        let mut inward = rule("in", 102, "Deny", "*", "*");
        inward.direction = "Inbound".to_owned();
        assert_eq!(judged(vec![other_port, udp, inward], PUBLIC, EndpointRole::Login), Ok(true));
        let range = rule("range", 100, "Deny", "20.50.0.0/16", "400-500");
        assert_eq!(judged(vec![range], PUBLIC, EndpointRole::Login), Ok(false));
        assert!(!holds_port("x-500", 443) && !holds_port("", 443) && holds_port("*", 443));
    }

    #[test]
    fn of_a_public_address_that_is_not_known_only_what_names_every_one_or_none_is_told() {
        let deny = || rule("deny", 200, "Deny", "*", "*");
        let some = rule("some", 100, "Allow", "20.50.0.0/16", "443");
        assert_eq!(judged(vec![some, deny()], "not known", EndpointRole::Login), Err(()));
        let private = rule("private", 100, "Allow", "10.0.0.0/8", "443");
        assert_eq!(judged(vec![private, deny()], "not known", EndpointRole::Login), Ok(false));
        let all = rule("all", 100, "Allow", "0.0.0.0/0", "443");
        assert_eq!(judged(vec![all, deny()], "not known", EndpointRole::Login), Ok(true));
        let tag = rule("tag", 100, "Allow", "AzureContainerRegistry", "443");
        assert_eq!(judged(vec![tag, deny()], "not known", EndpointRole::Login), Ok(true));
    }

    #[test]
    fn application_security_groups_leave_it_undecided() {
        let mut deny = rule("asg", 100, "Deny", "*", "*");
        deny.source_address_prefixes.clear();
        assert_eq!(judged(vec![deny], PUBLIC, EndpointRole::Login), Err(()));
    }
}

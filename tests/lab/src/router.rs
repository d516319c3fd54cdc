//! The router's rules: address translation, private addresses that answer, and the faults of the network.

use std::fmt::Write;
use std::net::Ipv4Addr;

use serde_json::Value;

use crate::addresses::{self, CLIENT, CORP_EGRESS, EGRESS, PROXY};
use crate::base;
use crate::names;
use crate::security_group;
use crate::world::World;

/// The metadata service, which is asked over plain HTTP.
const IMDS: &str = "169.254.169.254";

/// The nftables ruleset of the client's own machine, if it has a firewall.
pub fn client_ruleset(world: &World) -> Option<String> {
    let own: Vec<String> = world.client.firewall.iter().map(|rule| with_addresses(world, rule)).collect();
    let opened = world.allowed.iter().flat_map(|host| destinations(world, host));
    let opened = opened.map(|address| format!("ip daddr {address} tcp dport 443 accept"));
    let chain = |rules: Vec<String>| {
        let head = "flush ruleset\ntable inet own {\n chain output {\n  type filter hook output priority 0;\n";
        format!("{head}{}\n }}\n}}\n", rules.join("\n"))
    };
    (!own.is_empty()).then(|| chain(opened.chain(own.iter().cloned()).collect()))
}

/// Text in which `{HOST}` is the host's public address.
pub fn with_addresses(world: &World, text: &str) -> String {
    world
        .hosts()
        .iter()
        .fold(text.to_owned(), |text, host| text.replace(&format!("{{{}}}", host.name), &host.public.to_string()))
}

/// The whole nftables ruleset of the router.
pub fn ruleset(world: &World) -> String {
    let mut rules =
        String::from("flush ruleset\ntable ip lab {\n chain forward {\n  type filter hook forward priority 0;\n");
    rules.push_str("  ct state established accept\n");
    let private = reachable_private(world);
    for address in world.allowed.iter().flat_map(|host| destinations(world, host)) {
        // A filter that lets packets pass makes no way to where there is none.
        if !address.starts_with("10.") || private.iter().any(|own| own.to_string() == address) {
            let _ = writeln!(rules, "  ip daddr {address} tcp dport 443 accept");
        }
    }
    for address in security_group::denied(world) {
        let _ = writeln!(rules, "  ip saddr {CLIENT} ip daddr {address} tcp dport 443 drop");
    }
    let faults = &world.faults.network;
    if faults.only_by_proxy {
        let _ = writeln!(rules, "  ip saddr {CLIENT} ip daddr != 10.30.0.0/24 tcp dport 443 drop");
    }
    for (targets, verdict) in [
        (&faults.drop, "drop"),
        (&faults.refuse, "reject with tcp reset"),
        (&faults.unreachable, "reject with icmp type host-unreachable"),
        (&faults.prohibited, "reject with icmp type admin-prohibited"),
    ] {
        for address in targets.iter().flat_map(|t| destinations(world, t)) {
            let port = if address == IMDS { 80 } else { 443 };
            let _ = writeln!(rules, "  ip daddr {address} tcp dport {port} {verdict}");
            if address == addresses::AZURE_DNS.to_string() || address == addresses::CORP_DNS.to_string() {
                let _ = writeln!(
                    rules,
                    "  ip daddr {address} udp dport 53 {}",
                    verdict.replace("tcp reset", "icmp type port-unreachable")
                );
            }
        }
    }
    if faults.drops_dns_over_tcp {
        rules.push_str("  tcp dport 53 drop\n");
    }
    let reachable: Vec<String> = private.iter().map(Ipv4Addr::to_string).collect();
    if !reachable.is_empty() {
        let _ = writeln!(rules, "  ip daddr {{ {} }} accept", reachable.join(", "));
    }
    // Other private addresses belong to nobody, or to an endpoint that is not approved or not connected to us.
    let _ = writeln!(rules, "  ip daddr != 10.20.1.0/24 ip daddr != 10.30.0.0/24 ip daddr 10.0.0.0/8 drop");
    rules.push_str(" }\n chain postrouting {\n  type nat hook postrouting priority 100;\n");
    for (host, _) in service_endpoint_hosts(world) {
        let _ = writeln!(rules, "  ip saddr {CLIENT} ip daddr {host} accept");
    }
    let egress = world.client.egress.unwrap_or(EGRESS);
    let _ = writeln!(rules, "  ip saddr {CLIENT} ip daddr {{ 192.0.2.0/24, 198.51.100.0/24 }} snat to {egress}");
    let _ = writeln!(rules, "  ip saddr {PROXY} ip daddr {{ 192.0.2.0/24, 198.51.100.0/24 }} snat to {CORP_EGRESS}");
    if world.client.nat64 {
        let _ = writeln!(
            rules,
            "  ip saddr {} ip daddr {{ 192.0.2.0/24, 198.51.100.0/24 }} snat to {egress}",
            addresses::NAT64_POOL
        );
    }
    rules.push_str(" }\n}\n");
    rules
}

/// The addresses behind a fault's target: an address or network as it is, a host's public and private addresses,
/// `public:HOST` or `private:HOST` for one of them, `*.suffix` for many.
fn destinations(world: &World, target: &str) -> Vec<String> {
    if target.starts_with(|c: char| c.is_ascii_digit()) {
        return vec![target.to_owned()];
    }
    let (public, private, pattern) = match target.split_once(':') {
        Some(("public", host)) => (true, false, host),
        Some(("private", host)) => (false, true, host),
        _ => (true, true, target),
    };
    let mut all = Vec::new();
    if public {
        let hosts = world.hosts();
        all.extend(hosts.iter().filter(|h| crate::scenario::matches(pattern, &h.name)).map(|h| h.public.to_string()));
    }
    if private {
        let addresses = names::private_addresses(&world.documents);
        all.extend(
            addresses.iter().filter(|p| crate::scenario::matches(pattern, &p.fqdn)).map(|p| p.address.to_string()),
        );
    }
    all
}

/// Private endpoint addresses that answer the client: approved, and in a network that its own reaches.
fn reachable_private(world: &World) -> Vec<Ipv4Addr> {
    let client = base::client_subnet();
    let from = names::network_of(&client);
    let all = names::private_addresses(&world.documents).into_iter();
    all.filter(|p| p.state == "Approved" && names::reaches(&world.documents, from, names::network_of(&p.subnet)))
        .map(|p| p.address)
        .collect()
}

/// Those of them that are in the client's own subnet.
pub fn private_on_link(world: &World) -> Vec<Ipv4Addr> {
    let own = CLIENT.octets();
    let mut all = reachable_private(world);
    all.retain(|address| address.octets().get(..3) == own.get(..3));
    all
}

/// Registry addresses that the client reaches with its private address, by its subnet's service endpoint.
fn service_endpoint_hosts(world: &World) -> Vec<(Ipv4Addr, String)> {
    let subnet: Option<&Value> = world.documents.get(&base::client_subnet());
    if !subnet.is_some_and(names::has_service_endpoint) {
        return Vec::new();
    }
    let hosts = world.hosts().into_iter();
    hosts.filter(|h| matches!(h.role, names::Role::Login | names::Role::Data)).map(|h| (h.public, h.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    fn rules(toml: &str) -> String {
        ruleset(&World::new(&toml::from_str::<Scenario>(toml).unwrap()).unwrap())
    }

    #[test]
    fn a_service_endpoint_keeps_the_private_source() {
        assert!(rules("world = 'service-endpoint'").contains("ip saddr 10.20.1.4 ip daddr 198.51.100.10 accept"));
        assert!(!rules("world = 'ip-rule'").contains("ip daddr 198.51.100.10 accept"));
    }

    #[test]
    fn a_pending_endpoint_does_not_answer() {
        assert!(rules("world = 'private-link'").contains("10.20.2.5"));
        let pending = "world = 'private-link'\n[arm.'privateEndpointConnections/pe.conn']\nproperties.privateLinkServiceConnectionState.status = 'Pending'";
        assert!(!rules(pending).contains("10.20.2.5"));
    }

    #[test]
    fn faults_name_hosts() {
        let dropped = rules("world = 'public'\n[break.network]\ndrop = ['myreg.azurecr.io']");
        assert!(dropped.contains("ip daddr 198.51.100.10 tcp dport 443 drop"));
    }
}

//! What name resolution said (RFC 1034, 1035, 2308).

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fqdn;

/// All that was learned about one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsObservation {
    /// The name asked for.
    pub name: Fqdn,
    /// Addresses that the hosts file pins; they win over every server.
    #[serde(default)]
    pub hosts_file: Vec<IpAddr>,
    /// What a program on this host would use (hosts file, then the servers in the system's order).
    pub answer: DnsAnswer,
    /// Each configured server, asked by itself.
    #[serde(default)]
    pub servers: Vec<ServerAnswer>,
    /// Milliseconds until `answer` was there.
    pub ms: f64,
}

/// What one server said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerAnswer {
    /// The server, port 53 but for `--dns-server`.
    pub server: SocketAddr,
    /// `/etc/resolv.conf`, `systemd-resolved`, `--dns-server`.
    pub source: String,
    /// `udp`, or `tcp` after a truncated answer.
    pub transport: String,
    /// Its answer.
    pub answer: DnsAnswer,
    /// Milliseconds.
    pub ms: f64,
}

/// An answer: how it ended, over which aliases, with which addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsAnswer {
    /// How it ended.
    pub outcome: DnsOutcome,
    /// The CNAME chain in order.
    #[serde(default)]
    pub chain: Vec<Alias>,
    /// Addresses, IPv4 and IPv6.
    #[serde(default)]
    pub addresses: Vec<Address>,
}

impl DnsAnswer {
    /// The addresses alone.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses.iter().map(|a| a.ip)
    }

    /// The first alias that lies within `zone`, e.g. `privatelink.azurecr.io`.
    pub fn alias_within(&self, zone: &str) -> Option<&Fqdn> {
        self.chain.iter().map(|a| &a.to).find(|name| name.is_within(zone))
    }
}

/// One CNAME record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alias {
    /// The owner.
    pub from: Fqdn,
    /// The target.
    pub to: Fqdn,
    /// Time to live in seconds.
    pub ttl: u32,
}

/// One A or AAAA record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Time to live in seconds; 0 from the hosts file.
    pub ttl: u32,
}

/// How a query ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DnsOutcome {
    /// At least one address.
    Resolved,
    /// NXDOMAIN: the name at the end of the chain does not exist.
    NameNotFound,
    /// NOERROR without an address.
    NoAddress,
    /// SERVFAIL.
    ServerFailure,
    /// REFUSED.
    Refused,
    /// No answer in time.
    TimedOut,
    /// The server could not be reached (e.g. port unreachable), or no server is configured.
    Unreachable(String),
    /// Another rcode or an unreadable answer.
    Other(String),
}

impl DnsOutcome {
    /// Whether the server itself failed, as opposed to saying that there is no such name.
    pub fn is_server_fault(&self) -> bool {
        !matches!(self, Self::Resolved | Self::NameNotFound | Self::NoAddress)
    }
}

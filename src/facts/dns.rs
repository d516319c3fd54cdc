//! What name resolution said (RFC 1034, 1035, 2308).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fqdn, Known};

/// All that was learned about one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsObservation {
    /// The name asked for.
    pub name: Fqdn,
    /// Addresses that the hosts file pins, where it decides: it stands before the servers, or these do not answer.
    #[serde(default)]
    pub hosts_file: Vec<IpAddr>,
    /// What a program on this host would use (nsswitch.conf(5): usually the hosts file, then the servers in order).
    pub answer: DnsAnswer,
    /// Each configured server, asked by itself.
    #[serde(default)]
    pub servers: Vec<ServerAnswer>,
    /// The servers that a local stub (systemd-resolved) asks for this name in turn, each asked by itself: observations
    /// beside the stub's answer, which is the one that programs get.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<UpstreamAnswer>,
    /// What programs on this host get by the search list of resolv.conf, where that has an answer for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched: Option<SearchedName>,
    /// Milliseconds until `answer` was there.
    pub ms: f64,
}

/// A name that a search domain completes (resolv.conf(5) `search`, `ndots`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchedName {
    /// The name with the search domain behind it.
    pub name: Fqdn,
    /// The answer for it.
    pub answer: DnsAnswer,
    /// `ndots` in force. Where the name itself has fewer dots, this one is asked for first; else only if there is no
    /// such name.
    pub ndots: u32,
}

impl DnsObservation {
    /// The servers to look at when an answer is wrong: in the place of a local stub those that it asks.
    pub fn real_servers(&self) -> impl Iterator<Item = &ServerAnswer> {
        let has_upstreams = !self.upstreams.is_empty();
        let is_stub = |ip: IpAddr| STUBS.iter().any(|stub| ip == IpAddr::V4(*stub));
        let shown = self.servers.iter().filter(move |said| !(has_upstreams && is_stub(said.server.ip())));
        self.upstreams.iter().map(|upstream| &upstream.said).chain(shown)
    }
}

/// The stubs of systemd-resolved (systemd-resolved.service(8)): one that does all, one that passes on.
pub const STUBS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 53), Ipv4Addr::new(127, 0, 0, 54)];

/// What a server behind a stub said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamAnswer {
    /// The link that it belongs to, whose servers take each other's place. `Known(None)`: the whole host's.
    /// Unknown: the stub may not ask it for this name at all.
    #[serde(default)]
    pub link: Known<Option<String>>,
    /// Its answer.
    pub said: ServerAnswer,
}

/// What one server said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerAnswer {
    /// The server, port 53 but for `--dns-server`.
    pub server: SocketAddr,
    /// `/etc/resolv.conf`, `systemd-resolved`, `--dns-server`; of an upstream, where the stub has it from.
    pub source: String,
    /// `udp`, or `tcp` after a truncated answer or where resolv.conf wants it (`use-vc`).
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

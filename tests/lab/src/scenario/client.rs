//! The client machine and its link.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

/// The client machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the scenario file, and none depends on another")]
pub struct ClientSpec {
    /// Whether it has a service principal's credentials.
    pub signed_in: bool,
    /// Whether the real Azure CLI is there, signed in by itself as the service principal.
    pub az: bool,
    /// The secret that it uses; another one than the authority knows is wrong.
    pub secret: Option<String>,
    /// The resolvers in its resolv.conf: `azure`, `corp`, `corp-forwarding` or an address.
    pub resolvers: Vec<String>,
    /// What the stub resolver at 127.0.0.53 answers, if there is one: what `azure` or `corp` would.
    pub stub: Option<String>,
    /// Further environment.
    pub env: BTreeMap<String, String>,
    /// Lines of its hosts file.
    pub hosts: Vec<String>,
    /// Files that it has, by absolute path below /etc or /run.
    pub files: BTreeMap<String, String>,
    /// The docker daemon that runs on it, if one does.
    pub docker: Option<DaemonSpec>,
    /// The public address it leaves with.
    pub egress: Option<Ipv4Addr>,
    /// Whether it is an Azure VM with metadata and an identity.
    pub imds: bool,
    /// Whether it says with `--subnet` where it stands; the base world's choice if absent.
    pub in_subnet: Option<bool>,
    /// An IPv6 address that it has besides, with a default route to nobody.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether its default route is missing.
    pub no_default_route: bool,
    /// Further routes of its own, as `ip route add` takes them; `{HOST}` stands for the host's public address.
    pub routes: Vec<String>,
    /// What its own firewall does to what it sends: rules of nftables; `{HOST}` as in `routes`.
    pub firewall: Vec<String>,
    /// Whether its network has IPv6 only, with DNS64 and NAT64 on its router.
    pub nat64: bool,
}

impl Default for ClientSpec {
    fn default() -> Self {
        Self {
            signed_in: true,
            az: false,
            secret: None,
            resolvers: vec!["azure".to_owned()],
            stub: None,
            env: BTreeMap::new(),
            hosts: Vec::new(),
            files: BTreeMap::new(),
            docker: None,
            egress: None,
            imds: false,
            in_subnet: None,
            ipv6: None,
            no_default_route: false,
            routes: Vec::new(),
            firewall: Vec::new(),
            nat64: false,
        }
    }
}

/// A running docker daemon, as its socket tells of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonSpec {
    /// The proxy that the running process has.
    pub proxy: Option<String>,
    /// The hosts that it goes to without.
    pub no_proxy: Vec<String>,
    /// Its registry mirrors.
    pub mirrors: Vec<String>,
    /// Its socket; `/run/docker.sock` if absent.
    pub socket: Option<String>,
    /// Whether it runs in another network, with a resolver that sees public zones only.
    pub elsewhere: bool,
}

/// What the link between client and router does to packets, each way.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSpec {
    /// Milliseconds there and back.
    pub rtt_ms: u64,
    /// Every so-many-th packet of each flow is lost.
    pub loses_every: Option<u64>,
    /// Longer packets vanish, and no ICMP tells of it.
    pub mtu: Option<usize>,
}

//! The scenario file: what the world is, what breaks, and what must be said of it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use serde::Deserialize;

use crate::LabError;

mod client;

pub use client::{ClientSpec, DaemonSpec, LinkSpec};

/// One scenario. The format is described in `README.md`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One sentence for people.
    #[serde(default)]
    pub about: String,
    /// The named base world.
    pub world: String,
    /// What docker, containerd, az or a person says of this world: texts of `tests/explain/documented.toml`.
    #[serde(default)]
    pub explains: Vec<String>,
    /// Merge patches of ARM documents, by the end of their ids; a `provider/type/name` that is not there is made.
    #[serde(default)]
    pub arm: BTreeMap<String, toml::Value>,
    /// Documents that are taken away, or members of them: `"zone/A/myreg"`, `"registries/myreg#/properties/sku"`.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Whether a real registry, the program `docker-registry`, holds the image.
    #[serde(default)]
    pub real_registry: bool,
    /// What is broken.
    #[serde(default, rename = "break")]
    pub faults: Faults,
    /// The client.
    #[serde(default)]
    pub client: ClientSpec,
    /// The link between the client and its router, where it is not a plain cable.
    pub link: Option<LinkSpec>,
    /// The corporate proxy, if there is one.
    pub proxy: Option<ProxySpec>,
    /// The corporate resolver, where it is a real program.
    pub resolver: Option<ResolverSpec>,
    /// What is run.
    #[serde(default)]
    pub run: Run,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
    /// What mends the world, where the report has no data for it; then the program is run again and must not find the
    /// cause. Without this the changes of the report's own first fixes are made.
    pub healed_by: Option<Heal>,
    /// Findings that are no root causes, and whose fixes are made all the same: they must be gone then.
    #[serde(default)]
    pub mends: Vec<String>,
    /// Why those changes cannot mend this world.
    pub fix_does_not_heal: Option<String>,
}

/// What is broken, by layer. Hosts are names, `*`, or the end of a name after `*.`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// In the router: addresses, networks or hosts.
    pub network: NetworkFaults,
    /// In the resolvers.
    pub dns: DnsFaults,
    /// Host to what its TLS does.
    pub tls: BTreeMap<String, TlsFault>,
    /// Host to what it answers.
    pub http: BTreeMap<String, HttpFault>,
    /// In ARM.
    pub arm: ArmFaults,
    /// How many days the servers' clocks (their `Date`) are ahead of the client's; without it they tell no time.
    pub server_clock_days: Option<i64>,
    /// The AADSTS error that the authority answers with.
    pub entra: Option<String>,
    /// The status that `/oauth2/exchange` answers with.
    pub exchange: Option<u16>,
}

/// Packets that do not pass the router.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkFaults {
    /// Silently dropped.
    pub drop: Vec<String>,
    /// Answered with RST.
    pub refuse: Vec<String>,
    /// Answered with ICMP host unreachable.
    pub unreachable: Vec<String>,
    /// Answered with ICMP administratively prohibited.
    pub prohibited: Vec<String>,
    /// Whether questions to name servers over TCP are dropped.
    pub drops_dns_over_tcp: bool,
    /// Whether what the client sends past the proxy is dropped.
    pub only_by_proxy: bool,
}

/// Resolver faults. Each list holds hosts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DnsFaults {
    /// Answered SERVFAIL.
    pub servfail: Vec<String>,
    /// Answered REFUSED.
    pub refused: Vec<String>,
    /// Answered NXDOMAIN.
    pub nxdomain: Vec<String>,
    /// Not answered.
    pub silent: Vec<String>,
    /// Answered with this address, whatever the zones say.
    pub answers: BTreeMap<String, Ipv4Addr>,
    /// Answered with an IPv6 address besides, where nothing listens.
    pub ipv6: Vec<String>,
    /// Answered with an address first at which nobody is.
    pub dead_first: Vec<String>,
    /// Answered over UDP with nothing but that the answer is longer.
    pub truncated: Vec<String>,
}

/// What a host's TLS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFault {
    /// Presents a chain by an inspecting firewall's CA.
    Inspected,
    /// Presents a trusted certificate of another name.
    WrongName,
    /// Presents a certificate that is no longer valid.
    Expired,
    /// Presents its own certificate without the intermediate authority's.
    Incomplete,
    /// Resets after the ClientHello.
    Reset,
    /// Says nothing after the ClientHello.
    Silent,
    /// Knows TLS 1.0 and 1.1 only.
    OldOnly,
}

/// What a host answers over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpFault {
    /// 200 and a sign-in page.
    CaptivePortal,
    /// 403 and a firewall's page.
    BlockPage,
    /// 429 with Retry-After.
    TooManyRequests,
    /// 404 and a web server's page.
    NotFound,
    /// 503.
    Unavailable,
    /// 500.
    InternalError,
    /// Accepts the request and never answers.
    Hang,
    /// Closes without an answer.
    Cut,
    /// 200 and a body without end.
    Endless,
    /// 200 and nothing.
    Empty,
    /// 200 and JSON of the wrong kind.
    WrongType,
    /// 302 to a page elsewhere.
    Redirect,
    /// 403 AuthorizationFailure, as storage behind a service endpoint policy.
    StoragePolicy,
}

/// ARM faults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArmFaults {
    /// Actions that the identity lacks, with `*` at the end or alone.
    pub forbid: Vec<String>,
    /// The first so many requests get 429 with `Retry-After: 1`.
    pub throttle: u32,
    /// The registry API versions that this cloud has; empty means all known ones.
    pub api_versions: Vec<String>,
    /// Items on each page; 0 means one page.
    pub page_size: usize,
    /// Milliseconds before each answer.
    pub latency_ms: u64,
    /// Whether answers wait until nothing more was asked for that long, and are then given together.
    pub in_rounds: bool,
}

/// The corporate proxy at `http://proxy.corp.example:3128`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trait that a proxy has or lacks")]
pub struct ProxySpec {
    /// Hosts that CONNECT is denied for.
    pub deny: Vec<String>,
    /// `user:password` that it wants.
    pub credentials: Option<String>,
    /// What it answers for hosts that it cannot get an answer from: 502, 504.
    pub fails: BTreeMap<String, u16>,
    /// Hosts that it cannot resolve: 503.
    pub cannot_resolve: Vec<String>,
    /// Nothing listens.
    pub dead: bool,
    /// Whether it is a real squid; this one resolves by the corporate resolver.
    pub squid: bool,
    /// Whether it decrypts with the corporate authority; squid only.
    pub inspects: bool,
    /// Whether it offers NTLM besides; squid only.
    pub ntlm: bool,
}

/// A real program as the corporate resolver at 10.30.0.53.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolverSpec {
    /// Which.
    pub program: ResolverProgram,
    /// Whom it asks.
    #[serde(default)]
    pub forward: Upstream,
    /// What it says by itself, host to address.
    #[serde(default)]
    pub records: BTreeMap<String, Ipv4Addr>,
    /// Zones of its own without any record.
    #[serde(default)]
    pub nxdomain: Vec<String>,
    /// Whether it drops private addresses from answers, against DNS rebinding.
    #[serde(default)]
    pub drops_private: bool,
}

/// A name server's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResolverProgram {
    /// dnsmasq.
    Dnsmasq,
    /// unbound.
    Unbound,
}

/// Whom a corporate resolver asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upstream {
    /// Azure DNS, which sees the private zones.
    #[default]
    Azure,
    /// A public resolver.
    Public,
}

/// What is run in the client's namespace.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    /// Arguments of the program; `check -n myreg -o json` if absent.
    pub args: Option<Vec<String>>,
    /// Arguments that are added.
    pub extra: Vec<String>,
    /// Another command than the program, for the laboratory's own tests.
    pub command: Option<Vec<String>>,
    /// Seconds before it counts as hung; 90 if absent.
    pub deadline: Option<u64>,
}

/// What must come of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// The exact set of findings with `rootCause`.
    pub root_cause: Vec<String>,
    /// Codes that no finding may have.
    pub must_not: Vec<String>,
    /// Codes that must be found, root cause or not.
    pub found: Vec<String>,
    /// Root causes that are allowed besides.
    pub allow: Vec<String>,
    /// The exit status.
    pub exit: Option<i32>,
    /// The verdict.
    pub verdict: Option<String>,
    /// The verdicts of an audit, by registry: all of them.
    pub verdicts: BTreeMap<String, String>,
    /// No finding at warning or above, bar those in `allow`.
    pub quiet: bool,
    /// Texts that the report must hold.
    pub says: Vec<String>,
    /// Texts that standard error must hold.
    pub warns: Vec<String>,
    /// Standard error stays empty.
    pub warns_nothing: bool,
    /// All requests to the registry's hosts, as `METHOD host path`, each as often as it is made, in any order.
    pub registry_requests: Option<Vec<String>>,
    /// All of the registry's hosts that hands are shaken with, each as often as it is, in any order.
    pub handshakes: Option<Vec<String>>,
    /// All paths that ARM is asked for, each as often as it is, in any order; `{registry}` and `{net}` stand for the
    /// registry's id and the providers of the group `net`.
    pub arm_requests: Option<Vec<String>>,
    /// How many round trips of ARM one after another there may be, with `in_rounds`.
    pub arm_rounds: Option<u32>,
    /// Facts that must be listed as unknown, by a part of `fact` or `needs`.
    pub unknowns: Vec<String>,
    /// Requests that the client must have made: a part of `METHOD host path`.
    pub requests: Vec<String>,
    /// Requests that it must not have made.
    pub no_requests: Vec<String>,
}

/// What mends the world.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Heal {
    /// Merge patches, as in the scenario.
    pub arm: BTreeMap<String, toml::Value>,
    /// Removals, as in the scenario.
    pub remove: Vec<String>,
    /// Whether the faults go away.
    pub faults: bool,
}

impl Scenario {
    /// Reads a scenario file.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(LabError::io(path.display().to_string()))?;
        toml::from_str(&text).map_err(|error| LabError::Scenario(format!("{}: {error}", path.display())))
    }
}

/// Whether a host is meant by a pattern: its name, `*`, or `*.suffix`.
pub fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.to_ascii_lowercase().ends_with(&suffix.to_ascii_lowercase()),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// Whether a host is meant by any of these patterns.
pub fn any_matches(patterns: &[String], host: &str) -> bool {
    patterns.iter().any(|p| matches(p, host))
}

//! What the client's network did: the probe half of a diagnosis.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::dns::DnsObservation;
use super::http::{AuthObservation, HttpObservation, PullObservation};
use super::runtime::ContainerRuntime;
use super::tls::TlsObservation;
use super::vantage::Vantage;
use super::{Fqdn, Known, LoginServer, Region};

/// Everything that was observed from one client about one registry: the `facts` of a ProbeSnapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeFacts {
    /// What the user asked for: a registry's name or a host name.
    pub asked: String,
    /// The login server that was probed.
    pub login_server: LoginServer,
    /// When the probe began, by the client's clock.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub started_at: OffsetDateTime,
    /// Who looked, and from where.
    pub vantage: Vantage,
    /// The registry's endpoints: the login server first.
    pub endpoints: Vec<EndpointObservation>,
    /// Other endpoints of the cloud that the check needs anyway: the sign-in authority and ARM.
    /// They tell "this endpoint is blocked" from "nothing gets out".
    #[serde(default)]
    pub controls: Vec<EndpointObservation>,
    /// Challenge and token exchange.
    #[serde(default)]
    pub auth: Known<AuthObservation>,
    /// The pull of `--image`, if one was asked for.
    #[serde(default)]
    pub pull: Known<PullObservation>,
    /// The container runtime on this host.
    #[serde(default)]
    pub runtime: Known<ContainerRuntime>,
}

impl ProbeFacts {
    /// The login server's observation, if it was probed.
    pub fn login(&self) -> Option<&EndpointObservation> {
        self.endpoints.iter().find(|e| e.role == EndpointRole::Login)
    }
}

/// What an endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EndpointRole {
    /// `<registry>.azurecr.io`: REST, challenge and tokens.
    Login,
    /// `<registry>.<region>.data.azurecr.io`: blobs.
    Data,
    /// `<registry>.<region>.geo.azurecr.io`: a login server for one replica (preview).
    Regional,
    /// A storage account's blob host, where dedicated data endpoints are off.
    Storage,
    /// The sign-in authority.
    Authority,
    /// Azure Resource Manager.
    ResourceManager,
}

/// One endpoint, climbed from DNS to HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointObservation {
    /// The name.
    pub host: Fqdn,
    /// What it is for.
    pub role: EndpointRole,
    /// Its region, where the name or the configuration tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Name resolution. `None`: not asked, because a proxy resolves the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsObservation>,
    /// Directly or by proxy, and why.
    pub route: Route,
    /// The proxy's part, if the route has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyObservation>,
    /// One a tried address; empty behind a proxy.
    #[serde(default)]
    pub tcp: Vec<TcpObservation>,
    /// The TLS handshake on the first address that connected (or through the proxy's tunnel).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsObservation>,
    /// `GET /v2/` (login, regional) or `GET /` (others).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpObservation>,
    /// The same endpoint without the proxy, where a proxy is configured and the direct way was tried too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_proxy: Option<Box<DirectObservation>>,
    /// What the proxy did for the same endpoint, where NO_PROXY takes that past it and no connection came to stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_proxy: Option<Box<ProxyObservation>>,
    /// Addresses of other tries in this run that were refused (the egress address may alternate).
    #[serde(default)]
    pub denied_clients: Vec<IpAddr>,
}

/// The direct way beside a proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectObservation {
    /// Name resolution.
    pub dns: DnsObservation,
    /// One a tried address.
    pub tcp: Vec<TcpObservation>,
}

/// How a connection leaves this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "way")]
pub enum Route {
    /// Without a proxy.
    Direct {
        /// `no proxy configured`, `NO_PROXY entry '.azurecr.io'`.
        because: String,
    },
    /// Through a proxy.
    Proxy {
        /// The proxy's URL without credentials.
        url: String,
        /// `HTTPS_PROXY`, `https_proxy`, `--proxy`, …
        because: String,
    },
}

impl Route {
    /// Whether the route goes through a proxy.
    pub fn is_proxied(&self) -> bool {
        matches!(self, Self::Proxy { .. })
    }
}

/// One TCP connection attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TcpObservation {
    /// The address tried.
    pub address: IpAddr,
    /// The port, 443 but for proxies.
    pub port: u16,
    /// What happened.
    pub outcome: TcpOutcome,
    /// Milliseconds until then.
    pub ms: f64,
}

/// How a TCP connection attempt ended (RFC 9293, RFC 1122).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TcpOutcome {
    /// Established.
    Connected,
    /// No answer within the time: dropped, or a dead address.
    TimedOut,
    /// RST or ICMP port unreachable in answer to SYN.
    Refused,
    /// Reset after the connection stood.
    Reset,
    /// ICMP host unreachable or (IPv4) administratively prohibited, or no ARP answer.
    HostUnreachable,
    /// ICMP network unreachable, or no route here.
    NetworkUnreachable,
    /// Forbidden on this host (EACCES, EPERM: a policy, a route of the type `prohibit`), or ICMPv6 administratively
    /// prohibited.
    Prohibited,
    /// Anything else, in the system's words.
    Other(String),
}

/// What the proxy did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyObservation {
    /// The proxy's URL without credentials.
    pub url: String,
    /// Whether credentials are configured for it.
    pub has_credentials: bool,
    /// Where the setting stands: `HTTPS_PROXY`, `--proxy`, …
    pub source: String,
    /// Resolution of the proxy's name; `None` where the URL has an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsObservation>,
    /// Connecting to it.
    #[serde(default)]
    pub tcp: Vec<TcpObservation>,
    /// The outcome.
    pub outcome: ProxyOutcome,
    /// Milliseconds for all of it.
    pub ms: f64,
}

/// The outcome of `CONNECT host:443` (RFC 9110, section 9.3.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "result")]
pub enum ProxyOutcome {
    /// 2xx: the tunnel stands.
    Tunnel,
    /// Another status.
    Answered {
        /// The status, e.g. 403, 407, 502.
        status: u16,
        /// Its reason phrase, sanitised.
        reason: String,
        /// `Server` or `Via`, where given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<String>,
        /// Why, where the proxy has a word for it: `X-Squid-Error`, or `error` of `Proxy-Status` (RFC 9209).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// The schemes of Proxy-Authenticate, e.g. `Basic`, `Negotiate`.
        #[serde(default)]
        schemes: Vec<String>,
        /// The first line or so of the body, sanitised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        excerpt: Option<String>,
    },
    /// The proxy's own name did not resolve.
    NameNotResolved,
    /// No address of it accepted a connection.
    NotConnected,
    /// It closed the connection without an answer.
    Closed,
    /// It did not answer in time.
    TimedOut,
    /// The URL says https://, and what came back was not TLS (a plain HTTP proxy).
    PlainHttpBehindHttpsUrl,
    /// TLS to the proxy failed otherwise.
    TlsFailed {
        /// In words.
        message: String,
    },
    /// What came back was not HTTP.
    Malformed,
}

//! What a probe is asked to do, and whom it tells.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use url::Url;

use super::imds;
use crate::facts::image::ImageReference;
use crate::facts::report::StageStatus;
use crate::facts::{Cloud, EndpointRole, Fqdn, LoginServer, Region, ResourceId, Secret, Stage};

/// One probe of one registry.
#[derive(Debug, Clone)]
pub struct ProbeRequest {
    /// What the user asked for.
    pub asked: String,
    /// The login server to climb.
    pub login_server: LoginServer,
    /// The cloud whose names are meant.
    pub cloud: Cloud,
    /// One deadline for the whole probe.
    pub timeout: Duration,
    /// `--proxy`; wins over the environment.
    pub proxy: Option<Url>,
    /// `--ca-file`: more trusted authorities, PEM.
    pub ca_file: Option<PathBuf>,
    /// `--dns-server`: asked instead of the system's.
    pub dns_server: Option<SocketAddr>,
    /// `--image`: pulled to prove the data path.
    pub image: Option<ImageReference>,
    /// Whom an Entra token for the registry is asked for: the cloud's registries, unless az is set otherwise.
    pub registry_audience: String,
    /// What an access token is asked for where no image is pulled; without it none is asked for.
    pub token_scope: Option<&'static str>,
    /// `--subnet`.
    pub subnet: Option<ResourceId>,
    /// `--vnet`.
    pub vnet: Option<ResourceId>,
    /// `--egress-ip`.
    pub egress_ip: Option<IpAddr>,
    /// `--imds`: ask the metadata service even where nothing says that this is an Azure VM.
    pub imds: bool,
    /// What the metadata service says, where the caller asks it for others too.
    pub azure_vm: Option<imds::Asked>,
    /// `--runtime-root`: the root whose container runtime files are read.
    pub runtime_root: Option<PathBuf>,
    /// Whether the authority and ARM are tried too, up to TLS.
    pub control_targets: bool,
}

impl ProbeRequest {
    /// A request with the defaults of the command line.
    pub fn new(login_server: LoginServer, cloud: Cloud) -> Self {
        Self {
            asked: login_server.to_string(),
            login_server,
            registry_audience: cloud.registry_audience.clone(),
            cloud,
            timeout: Duration::from_secs(10),
            proxy: None,
            ca_file: None,
            dns_server: None,
            image: None,
            token_scope: None,
            subnet: None,
            vnet: None,
            egress_ip: None,
            imds: false,
            azure_vm: None,
            runtime_root: None,
            control_targets: true,
        }
    }
}

/// An endpoint to climb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedEndpoint {
    /// The name.
    pub host: Fqdn,
    /// What it is for.
    pub role: EndpointRole,
    /// Its region, where known.
    pub region: Option<Region>,
}

/// Gives Microsoft Entra tokens; the caller adapts its own sign-in.
pub trait EntraTokens: Send + Sync {
    /// A token for `audience`, or why there is none, in words without secrets.
    fn token<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<Secret, String>>;
}

/// Is told of each rung as it is reached, for a live display.
pub trait Observer: Send + Sync {
    /// `stage` of `host` ended (`Some`) or began (`None`).
    fn stage(&self, _host: &Fqdn, _role: EndpointRole, _stage: Stage, _ended: Option<StageStatus>) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Observer for Quiet {}

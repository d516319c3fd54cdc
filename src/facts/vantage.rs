//! Who looked, and from where.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fqdn, Known, ResourceId};

/// The client's place in the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Vantage {
    /// The host's name.
    pub hostname: String,
    /// What kind of machine this is.
    pub host_kind: HostKind,
    /// `linux`, `macos`, `windows`.
    pub os: String,
    /// The host's addresses with their prefixes, loopback and link-local left out.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<IpNet>,
    /// The IPv4 default route's gateway. `Known(None)`: there is no default route.
    #[serde(default)]
    pub default_gateway: Known<Option<IpAddr>>,
    /// The configured name servers.
    #[serde(default)]
    pub resolvers: Vec<SocketAddr>,
    /// The search list; never applied to registry names, which are absolute.
    #[serde(default)]
    pub search_domains: Vec<String>,
    /// Entries of the hosts file that concern registries or the cloud's endpoints.
    #[serde(default)]
    pub hosts_file: BTreeMap<Fqdn, Vec<IpAddr>>,
    /// The proxy settings in force.
    #[serde(default)]
    pub proxy: ProxySettings,
    /// The subnet: `--subnet`, or IMDS and ARM. `Known(None)`: not in an Azure network.
    #[serde(default)]
    pub subnet: Known<Option<ResourceId>>,
    /// The virtual network: `--vnet`, or the subnet's.
    #[serde(default)]
    pub virtual_network: Known<Option<ResourceId>>,
    /// The public address that the registry sees: from its own 403, or `--egress-ip`.
    #[serde(default)]
    pub egress_ip: Known<IpAddr>,
    /// What IMDS tells of an Azure VM. `Known(None)`: not an Azure VM.
    #[serde(default)]
    pub azure_vm: Known<Option<AzureVm>>,
}

/// What kind of machine looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HostKind {
    /// A virtual machine in Azure (SMBIOS asset tag).
    AzureVm,
    /// A node of AKS.
    AksNode,
    /// A pod in Kubernetes.
    KubernetesPod,
    /// A container elsewhere.
    Container,
    /// Windows Subsystem for Linux.
    Wsl,
    /// Azure Cloud Shell.
    CloudShell,
    /// Azure App Service or Functions.
    AppService,
    /// Azure Container Instances.
    ContainerInstances,
    /// None of these.
    Other,
}

/// The proxy settings of the environment or of `--proxy`, without credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxySettings {
    /// The proxy for https:// URLs, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<String>,
    /// Where that stands: `HTTPS_PROXY`, `https_proxy`, `ALL_PROXY`, `--proxy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The entries of NO_PROXY, as written.
    #[serde(default)]
    pub no_proxy: Vec<String>,
    /// Why the variable that names a proxy cannot be used (a SOCKS proxy, no URL): endpoints are then looked at directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

/// IMDS `/metadata/instance` (api-version 2021-02-01), the parts that matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureVm {
    /// The machine's resource id.
    pub id: ResourceId,
    /// Its subscription.
    pub subscription: String,
    /// Its region.
    pub location: String,
    /// `AzurePublicCloud`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Private addresses by interface.
    #[serde(default)]
    pub private_addresses: Vec<IpAddr>,
    /// Public addresses by interface (a basic-tier or instance-level address).
    #[serde(default)]
    pub public_addresses: Vec<IpAddr>,
}

//! What each command takes.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use crate::facts::image::ImageReference;
use crate::facts::{Fqdn, ResourceId, Secret};

use super::VerdictArguments;

/// `reconcile`.
#[derive(Debug, Args)]
#[command(after_help = "A directory stands for the snapshots in it.\n\nExample:\n  \
    acr-doctor reconcile --config contoso.config.json --probe pod.probe.json")]
pub struct ReconcileArguments {
    /// ConfigSnapshot files, as `config --save` writes them.
    #[arg(long, num_args = 1.., value_name = "FILE", required_unless_present = "probe")]
    pub config: Vec<PathBuf>,
    /// ProbeSnapshot files, as `probe --save` writes them.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub probe: Vec<PathBuf>,
    /// A service that must pull from the registry, e.g. app-service, container-instances.
    #[arg(long, num_args = 1.., value_name = "KIND")]
    pub used_by: Vec<String>,
    /// When findings are a failure.
    #[command(flatten)]
    pub verdict: VerdictArguments,
}

/// Which registry, and who signs in.
#[derive(Debug, Clone, Args)]
pub struct RegistryArguments {
    /// The registry: its name, its login server or its resource id [default: az's defaults.acr].
    #[arg(long, short, value_name = "NAME")]
    pub name: Option<String>,
    /// The resource group, where names alone are not enough.
    #[arg(long, short = 'g', value_name = "GROUP")]
    pub resource_group: Option<String>,
    /// The subscription, by id or by name.
    #[arg(long, value_name = "SUBSCRIPTION")]
    pub subscription: Option<String>,
    /// The Microsoft Entra tenant to sign in to.
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// AzureCloud, AzureUSGovernment, AzureChinaCloud, or a file that describes a cloud [default: az's].
    #[arg(long, value_name = "CLOUD")]
    pub cloud: Option<String>,
}

/// Where the client stands, and how connections are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Vantage")]
pub struct VantageArguments {
    /// The client's subnet, by resource id.
    #[arg(long, value_name = "ID")]
    pub subnet: Option<ResourceId>,
    /// The client's virtual network, by resource id.
    #[arg(long, value_name = "ID")]
    pub vnet: Option<ResourceId>,
    /// The public address that the registry sees.
    #[arg(long, value_name = "ADDRESS")]
    pub egress_ip: Option<IpAddr>,
    /// A proxy instead of the environment's. Its credentials are never shown.
    #[arg(long, value_name = "URL")]
    pub proxy: Option<ProxyUrl>,
    /// A DNS server instead of the system's.
    #[arg(long, value_name = "IP[:PORT]", value_parser = dns_server)]
    pub dns_server: Option<SocketAddr>,
    /// Certificates to trust besides the platform's.
    #[arg(long, value_name = "PEM")]
    pub ca_file: Option<PathBuf>,
    /// The overall deadline in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    /// Pull this image's manifest and one byte of a blob, to prove the data path.
    #[arg(long, value_name = "REPO[:TAG]")]
    pub image: Option<ImageReference>,
    /// Ask the Azure metadata service even where nothing says that this is an Azure machine.
    #[arg(long)]
    pub imds: bool,
    /// The root directory whose container runtime files are read, e.g. a node's disk.
    #[arg(long, value_name = "DIR")]
    pub runtime_root: Option<PathBuf>,
    /// Whom a token for the registry is asked for, where az is set otherwise than the cloud has it.
    #[arg(skip)]
    pub registry_audience: Option<String>,
}

/// How connections to Azure are made, and how long they may take.
#[derive(Debug, Clone, Args)]
pub struct ConnectionArguments {
    /// A proxy instead of the environment's. Its credentials are never shown.
    #[arg(long, value_name = "URL")]
    pub proxy: Option<ProxyUrl>,
    /// Certificates to trust besides the platform's.
    #[arg(long, value_name = "PEM")]
    pub ca_file: Option<PathBuf>,
    /// The overall deadline in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub timeout: Duration,
}

/// A proxy's URL as typed. It may hold a password, so that it is read later, and no message repeats it.
#[derive(Debug, Clone)]
pub struct ProxyUrl(Secret);

impl From<String> for ProxyUrl {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

impl ProxyUrl {
    /// The URL, if it is one of a proxy.
    pub fn url(&self) -> Option<Url> {
        crate::probe::proxy::parse_proxy(self.0.reveal())
    }
}

fn dns_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>().ok();
    let alone = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
    with_port.or_else(alone).ok_or_else(|| format!("'{text}' is no address; expected IP or IP:PORT"))
}

pub(in crate::cli) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("'{text}' is not a number of seconds"))?;
    if (0.1..=3600.0).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err("expected between 0.1 and 3600 seconds".to_owned())
    }
}

/// Whose way to the registry is judged, instead of this machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Origin {
    /// The nodes of an AKS cluster.
    Aks,
}

/// `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "With --from aks nothing is probed from here: the configuration says whether the cluster's nodes may \
    pull, and a kubectl command looks from one of them. That needs Microsoft.ContainerService/managedClusters/read and \
    Microsoft.Authorization/roleAssignments/read besides the rights of `permissions`.\n\nExamples:\n  acr-doctor check -n contosoapps --image hello:1\n  \
    acr-doctor check -n contosoapps --from aks -g apps -c prod --save contoso.config.json"
)]
pub struct CheckArguments {
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// Judge the way of these clients instead of this machine's; --resource-group is then the cluster's.
    #[arg(long, value_enum, value_name = "KIND", requires = "cluster", conflicts_with_all = ["subnet", "vnet", "egress_ip", "image", "no_sign_in"])]
    pub from: Option<Origin>,
    /// The AKS cluster whose nodes are to pull.
    #[arg(long, short = 'c', value_name = "CLUSTER", requires = "from")]
    pub cluster: Option<String>,
    /// This program's image, in the kubectl command that looks from a node.
    #[arg(long, value_name = "IMAGE", requires = "from")]
    pub probe_image: Option<String>,
    /// The client.
    #[command(flatten)]
    pub vantage: VantageArguments,
    /// A service that must pull from the registry, e.g. app-service, container-instances.
    #[arg(long, num_args = 1.., value_name = "KIND")]
    pub used_by: Vec<String>,
    /// Do not sign in to Azure: look from here only.
    #[arg(long)]
    pub no_sign_in: bool,
    /// Show where the time went: each step that waited for a network, and which waited for which.
    #[arg(long)]
    pub timings: bool,
    /// Save both halves: FILE.config.json and FILE.probe.json, or config.json and probe.json in a directory. With --from:
    /// the configuration, in FILE.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// When findings are a failure.
    #[command(flatten)]
    pub verdict: VerdictArguments,
}

/// `config`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --name every registry of the subscription is read; without --subscription that of az's account.\n\nExamples:\n  \
    acr-doctor config --subscription Production\n  az acr show -n contosoapps | acr-doctor config --from /dev/stdin"
)]
pub struct ConfigArguments {
    /// The registry, or all of a subscription.
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// ARM documents on disk instead of Azure: `az acr show`, `az rest`, Resource Graph rows, ARM templates.
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with_all = ["name", "subscription", "resource_group", "tenant"])]
    pub from: Vec<PathBuf>,
    /// The client's subnet, to judge by.
    #[arg(long, value_name = "ID")]
    pub subnet: Option<ResourceId>,
    /// The client's virtual network, to judge by.
    #[arg(long, value_name = "ID")]
    pub vnet: Option<ResourceId>,
    /// The way to Azure.
    #[command(flatten)]
    pub connection: ConnectionArguments,
    /// A service that must pull from the registry, e.g. app-service, container-instances.
    #[arg(long, num_args = 1.., value_name = "KIND")]
    pub used_by: Vec<String>,
    /// Save the configuration snapshot.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// When findings are a failure.
    #[command(flatten)]
    pub verdict: VerdictArguments,
}

/// `probe`.
#[derive(Debug, Args)]
#[command(after_help = "Needs no sign-in.\n\nExample:\n  \
    acr-doctor probe contosoapps.azurecr.io --save pod.probe.json")]
pub struct ProbeArguments {
    /// The login server, or the registry's name.
    #[arg(value_name = "LOGIN_SERVER")]
    pub login_server: Option<String>,
    /// The registry: its name or its login server.
    #[arg(long, short, value_name = "NAME", conflicts_with = "login_server")]
    pub name: Option<String>,
    /// AzureCloud, AzureUSGovernment, AzureChinaCloud, or a file that describes a cloud.
    #[arg(long, value_name = "CLOUD")]
    pub cloud: Option<String>,
    /// The client.
    #[command(flatten)]
    pub vantage: VantageArguments,
    /// Look at these hosts too, e.g. contoso.westeurope.data.azurecr.io.
    #[arg(long, num_args = 1.., value_name = "HOST")]
    pub endpoint: Vec<Fqdn>,
    /// Save the probe snapshot.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// When findings are a failure.
    #[command(flatten)]
    pub verdict: VerdictArguments,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_has_port_53_unless_it_says_otherwise() {
        for (text, expected) in
            [("10.0.0.4", "10.0.0.4:53"), ("10.0.0.4:5353", "10.0.0.4:5353"), ("2001:db8::1", "[2001:db8::1]:53")]
        {
            assert_eq!(dns_server(text), Ok(expected.parse().unwrap()), "{text}");
        }
        assert!(dns_server("dns.example").is_err());
    }

    #[test]
    fn time_is_bounded() {
        assert_eq!(seconds("2.5"), Ok(Duration::from_millis(2500)));
        for text in ["0", "-1", "1e9", "NaN", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_proxys_password_is_not_printed() {
        let proxy = ProxyUrl::from("http://user:hunter2@proxy:3128".to_owned());
        assert!(!format!("{proxy:?}").contains("hunter2"));
        assert!(proxy.url().is_some());
        assert!(ProxyUrl::from("ftp://proxy".to_owned()).url().is_none());
    }
}

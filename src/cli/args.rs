//! What the user types (clap), in the Azure CLI's conventions.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

use crate::facts::{ImageReference, ResourceId, Severity};

/// Says why an Azure container registry cannot be reached from here.
#[derive(Debug, Parser)]
#[command(name = "acr-doctor", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 no finding at or above --fail-on, 1 such findings, 2 wrong usage, \
    3 the diagnosis could not be completed.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub global: GlobalArguments,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Diagnose one registry from here: read its configuration, probe its endpoints, name the root cause.
    Check(Box<CheckArguments>),
    /// Read the network configuration of one registry or of a subscription, and what is wrong with it.
    Config(Box<ConfigArguments>),
    /// Look from this client alone.
    Probe(Box<ProbeArguments>),
    /// Join snapshots of both halves, offline.
    Reconcile(ReconcileArguments),
    /// Audit every registry of many subscriptions: one report.
    Audit(Box<super::audit::args::AuditArguments>),
}

/// What every command takes, as the Azure CLI has it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global arguments")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line, as typed")]
pub struct GlobalArguments {
    /// Output format.
    #[arg(long, short, global = true, value_enum, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
    /// JMESPath query over the JSON output (https://jmespath.org).
    #[arg(long, global = true, value_name = "JMESPATH")]
    pub query: Option<String>,
    /// Show only errors, no warnings.
    #[arg(long, global = true)]
    pub only_show_errors: bool,
    /// Say on standard error what is being done.
    #[arg(long, global = true)]
    pub verbose: bool,
    /// Say everything but secrets on standard error.
    #[arg(long, global = true)]
    pub debug: bool,
    /// No colours and no glyphs; NO_COLOR in the environment does the same.
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    Table,
    /// The report as docs/schema/report.schema.json describes it.
    Json,
    /// JSON with colours on a terminal.
    Jsonc,
    /// JSON lines: one registry a line, the totals last.
    Jsonl,
    /// YAML.
    Yaml,
    /// YAML with colours on a terminal.
    Yamlc,
    /// Tab-separated values: one line a finding.
    Tsv,
    /// Nothing; the exit code tells.
    None,
}

/// From which severity on findings make the exit code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors.
    Error,
    /// Warnings and errors.
    Warning,
    /// Any finding.
    Info,
    /// No finding.
    Never,
}

impl FailOn {
    /// The least severity that counts, if any does.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Info => Some(Severity::Info),
            Self::Never => None,
        }
    }
}

/// When findings are a failure.
#[derive(Debug, Clone, Copy, Args)]
pub struct VerdictArguments {
    /// Exit with 1 on findings of at least this severity.
    #[arg(long, value_enum, default_value = "error", value_name = "SEVERITY")]
    pub fail_on: FailOn,
}

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
#[derive(Debug, Args)]
pub struct RegistryArguments {
    /// The registry: its name, its login server or its resource id.
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
    /// AzureCloud, AzureUSGovernment, AzureChinaCloud, or a file that describes a cloud.
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
    #[arg(long, value_name = "URL", value_parser = proxy_url, hide_env_values = true)]
    pub proxy: Option<Url>,
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
}

pub(super) fn proxy_url(text: &str) -> Result<Url, String> {
    // The text may hold a password: the message does not repeat it.
    crate::probe::proxy::parse_proxy(text).ok_or_else(|| "expected http://HOST:PORT or https://HOST:PORT".to_owned())
}

fn dns_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>().ok();
    let alone = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
    with_port.or_else(alone).ok_or_else(|| format!("'{text}' is no address; expected IP or IP:PORT"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("'{text}' is not a number of seconds"))?;
    if (0.1..=3600.0).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err("expected between 0.1 and 3600 seconds".to_owned())
    }
}

/// `check`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  acr-doctor check -n contosoapps --image hello:1")]
pub struct CheckArguments {
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// The client.
    #[command(flatten)]
    pub vantage: VantageArguments,
    /// A service that must pull from the registry, e.g. app-service, container-instances.
    #[arg(long, num_args = 1.., value_name = "KIND")]
    pub used_by: Vec<String>,
    /// Save both halves: FILE.config.json and FILE.probe.json.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// When findings are a failure.
    #[command(flatten)]
    pub verdict: VerdictArguments,
}

/// `config`.
#[derive(Debug, Args)]
#[command(after_help = "Without --name every registry of the subscription is read.\n\nExamples:\n  \
    acr-doctor config --subscription Production\n  az acr show -n contosoapps | acr-doctor config --from /dev/stdin")]
pub struct ConfigArguments {
    /// The registry, or all of a subscription.
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// ARM documents on disk instead of Azure: `az acr show`, `az rest`, Resource Graph rows, ARM templates.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub from: Vec<PathBuf>,
    /// The client's subnet, to judge by.
    #[arg(long, value_name = "ID")]
    pub subnet: Option<ResourceId>,
    /// The client's virtual network, to judge by.
    #[arg(long, value_name = "ID")]
    pub vnet: Option<ResourceId>,
    /// A proxy instead of the environment's. Its credentials are never shown.
    #[arg(long, value_name = "URL", value_parser = proxy_url)]
    pub proxy: Option<Url>,
    /// Certificates to trust besides the platform's.
    #[arg(long, value_name = "PEM")]
    pub ca_file: Option<PathBuf>,
    /// The overall deadline in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub timeout: Duration,
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
#[command(after_help = "Needs no sign-in; with one, the token exchange is tried too.\n\nExample:\n  \
    acr-doctor probe contosoapps.azurecr.io --save pod.probe.json")]
pub struct ProbeArguments {
    /// The login server, or the registry's name.
    #[arg(value_name = "LOGIN_SERVER", required_unless_present = "name")]
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
    /// Save the probe snapshot.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// When findings are a failure.
    #[command(flatten)]
    pub verdict: VerdictArguments,
}

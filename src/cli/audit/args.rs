//! What `audit` takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::args::{FailOn, ProxyUrl};
use crate::config::inventory::SubnetRuleReads;
use crate::fleet::glob::Glob;

/// `audit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    acr-doctor audit --all-subscriptions\n  \
    acr-doctor audit --management-group platform --tag env=prod --report audit.html --report audit.sarif\n  \
    acr-doctor audit --subscription S1 --subscription S2 --baseline yesterday.json --fail-on warning\n  \
    acr-doctor audit --config-dir configs --probe-dir probes -o jsonl")]
pub struct AuditArguments {
    /// Where to look.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Only registries with this tag; the value may have * and ?. May be given several times: all must match.
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub tag: Vec<(String, Glob)>,
    /// Only registries with such a name; may have * and ?.
    #[arg(long, short = 'n', value_name = "GLOB")]
    pub name: Option<String>,
    /// Severities, suppressions and thresholds; acr-doctor.toml in the working directory if there is one.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Look at each registry from here too.
    #[arg(long, conflicts_with_all = ["config_dir", "probe_dir"])]
    pub probe: bool,
    /// How long one registry may be looked at, in seconds.
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds, requires = "probe")]
    pub probe_timeout: Duration,
    /// How many registries are looked at at once.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), requires = "probe")]
    pub max_probes: u16,
    /// Show only what this earlier report (-o json or jsonl) does not have.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Note what is done in this file, and go on from it after a stop; it is removed when the audit is complete.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config_dir", "probe_dir"])]
    pub resume: Option<PathBuf>,
    /// Write this format to standard output, instead of --output.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<ExportFormat>,
    /// Write the report to this file too; its extension says the format: .html, .sarif, .xml (JUnit), .md, .csv,
    /// .json, .jsonl, .yaml, .tsv, .txt. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
    /// Exit with 3 if a subscription could not be read.
    #[arg(long)]
    pub strict: bool,
    /// Exit with 1 on findings of at least this severity [default: the policy's, or error].
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Which registries' subnet rules are asked of ARM where Resource Graph hides them.
    #[arg(long, value_enum, default_value = "auto", value_name = "WHICH", conflicts_with_all = ["config_dir", "probe_dir"])]
    pub subnet_rules: SubnetRulesChoice,
    /// How Azure is reached.
    #[command(flatten)]
    pub azure: AzureArguments,
}

/// `--subnet-rules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SubnetRulesChoice {
    /// All in up to ten subscriptions, the deciding ones in more.
    Auto,
    /// Every registry with default action Deny and public access not disabled: a list for each of their subscriptions.
    All,
    /// Of these only such as no IP rule and no private endpoint lets anybody into.
    Deciding,
}

impl From<SubnetRulesChoice> for SubnetRuleReads {
    fn from(choice: SubnetRulesChoice) -> Self {
        match choice {
            SubnetRulesChoice::Auto => Self::Auto,
            SubnetRulesChoice::All => Self::All,
            SubnetRulesChoice::Deciding => Self::Deciding,
        }
    }
}

/// Where to look: exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct ScopeArguments {
    /// Subscriptions, by id or name.
    #[arg(long, num_args = 1.., value_name = "ID", conflicts_with_all = ["management_group", "all_subscriptions", "config_dir", "probe_dir"])]
    pub subscription: Vec<String>,
    /// Every subscription below a management group.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["all_subscriptions", "config_dir", "probe_dir"])]
    pub management_group: Option<String>,
    /// Every subscription that the sign-in sees.
    #[arg(long, conflicts_with_all = ["config_dir", "probe_dir"])]
    pub all_subscriptions: bool,
    /// Instead of asking Azure: configuration snapshots, files or directories.
    #[arg(long, num_args = 1.., value_name = "DIR")]
    pub config_dir: Vec<PathBuf>,
    /// Probe snapshots that belong to them, e.g. those that a DaemonSet's pods wrote on every node.
    #[arg(long, num_args = 1.., value_name = "DIR")]
    pub probe_dir: Vec<PathBuf>,
}

/// How Azure is reached.
#[derive(Debug, Args)]
pub struct AzureArguments {
    /// AzureCloud, AzureUSGovernment, AzureChinaCloud, or a file that describes a cloud [default: az's].
    #[arg(long, value_name = "CLOUD")]
    pub cloud: Option<String>,
    /// The tenant to sign in to.
    #[arg(long, value_name = "ID")]
    pub tenant: Option<String>,
    /// A PEM file of authorities to trust besides the system's.
    #[arg(long, value_name = "PEM")]
    pub ca_file: Option<PathBuf>,
    /// A proxy instead of the environment's.
    #[arg(long, value_name = "URL")]
    pub proxy: Option<ProxyUrl>,
    /// How long everything may take, in seconds.
    #[arg(long, default_value = "3600", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// How many requests may be under way at once.
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub max_in_flight: u16,
}

impl AzureArguments {
    /// The cloud's name or file.
    pub fn cloud(&self) -> &str {
        self.cloud.as_deref().unwrap_or("AzureCloud")
    }
}

/// A format for other programs and other people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for CI.
    Junit,
    /// Markdown, for issues and job summaries.
    Markdown,
    /// HTML, one file, printable.
    Html,
    /// Comma-separated values: one row a finding.
    Csv,
}

fn tag(text: &str) -> Result<(String, Glob), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, "*"));
    if key.trim().is_empty() {
        return Err("expected KEY=VALUE".to_owned());
    }
    Ok((key.trim().to_owned(), Glob::new(value)))
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
        Ok(_) | Err(_) => Err("expected a whole number of seconds above 0".to_owned()),
    }
}

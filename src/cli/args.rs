//! What the user types (clap), in the Azure CLI's conventions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::facts::Severity;

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
    /// Join snapshots of both halves, offline.
    Reconcile(ReconcileArguments),
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

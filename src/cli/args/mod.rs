//! What the user types (clap), in the Azure CLI's conventions.

mod commands;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::facts::Severity;

pub use commands::{
    CheckArguments, ConfigArguments, ConnectionArguments, Origin, ProbeArguments, ProxyUrl, ReconcileArguments,
    RegistryArguments, VantageArguments,
};

/// Says why an Azure container registry cannot be reached from here.
#[derive(Debug, Parser)]
#[command(name = "acr-doctor", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 no finding at or above --fail-on, 1 such findings or a registry that cannot be used, 2 wrong usage, \
    3 the diagnosis could not be completed."
)]
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
    /// Drop-in for `az acr check-health`: its flags, its order, its error codes.
    CheckHealth(Box<super::check_health::CheckHealthArguments>),
    /// Read the network configuration of one registry or of a subscription, and what is wrong with it.
    Config(Box<ConfigArguments>),
    /// Look from this client alone.
    Probe(Box<ProbeArguments>),
    /// Join snapshots of both halves, offline.
    Reconcile(ReconcileArguments),
    /// Audit every registry of many subscriptions: one report.
    Audit(Box<super::audit::args::AuditArguments>),
    /// Show the page of a finding, or say what a pasted error text means.
    Explain(Box<super::explain::ExplainArguments>),
    /// List what a client's firewall must allow for a registry.
    Endpoints(Box<super::endpoints::EndpointsArguments>),
    /// Show failed and blocked logins from the registry's own log.
    Logs(Box<super::logs::LogsArguments>),
    /// Print the smallest role that a diagnosis needs, as `az role definition create` takes it.
    Permissions(super::permissions::PermissionsArguments),
    /// Say who would be let in and who shut out by a change, before it is made.
    Whatif(Box<super::what_if::WhatIfArguments>),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print a manual page (roff): `acr-doctor man check | man -l -`.
    Man(super::shell::ManualArguments),
}

/// What every command takes, as the Azure CLI has it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global arguments")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line, as typed")]
pub struct GlobalArguments {
    /// Output format [default: az's core.output, or table].
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// JMESPath query over the JSON output (jmespath.org).
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

/// A shell with completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash.
    Bash,
    /// Elvish.
    Elvish,
    /// fish.
    Fish,
    /// PowerShell.
    #[value(name = "powershell")]
    PowerShell,
    /// zsh.
    Zsh,
}

//! `logs`: failed and blocked logins at a registry, from its own log.

use clap::Args;
use time::OffsetDateTime;

use crate::config::read_login_events;
use crate::facts::Known;
use crate::reconcile::{Options, reconcile};
use crate::report::logins::LoginReport;

use super::args::{ConnectionArguments, RegistryArguments, VerdictArguments};
use super::config;
use super::exit::{Failure, Outcome};
use super::output::Output;

/// `logs`.
#[derive(Debug, Args)]
#[command(after_help = "Reads ContainerRegistryLoginEvents in the Log Analytics workspace that the registry's \
    diagnostic setting names. That needs Microsoft.OperationalInsights/workspaces/read and \
    workspaces/query/read besides the rights of `permissions`.\n\nExample:\n  acr-doctor logs -n contosoapps --hours 6")]
pub struct LogsArguments {
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// How many hours back.
    #[arg(long, value_name = "HOURS", default_value = "24", value_parser = clap::value_parser!(u32).range(1..=8760))]
    pub hours: u32,
    /// The way to Azure.
    #[command(flatten)]
    pub connection: ConnectionArguments,
    /// When findings are a failure.
    #[command(flatten)]
    pub verdict: VerdictArguments,
}

pub(super) async fn run(arguments: &LogsArguments, output: &Output) -> Result<Outcome, Failure> {
    if arguments.registry.name.is_none() {
        return Err(Failure::Missing("logs needs a registry: --name NAME"));
    }
    let (session, request) =
        config::request(&config::of_registry(&arguments.registry, Vec::new(), &arguments.connection))?;
    let mut facts = crate::config::read(&request, &session).await;
    let registry = facts.registries.first_mut().ok_or(Failure::NotRead)?;
    let log = read_login_events(&session, registry, arguments.hours, arguments.connection.timeout).await;
    registry.login_events = log.events.clone();
    let mut report = reconcile(&facts, &[], &Options::at(OffsetDateTime::now_utc()));
    for registry in &mut report.registries {
        registry.findings.retain(|finding| finding.code.as_str().starts_with("logs/"));
    }
    let findings = report.registries.iter().flat_map(|r| r.findings.clone()).collect();
    let registry = facts.registries.first().ok_or(Failure::NotRead)?;
    let read = matches!(log.events, Known::Known(_));
    let logins = LoginReport::of(registry, arguments.hours, &log.events, log.incomplete, findings);
    output.value(&logins, |_| logins.table())?;
    Ok(Outcome::of_logs(&report, arguments.verdict.fail_on, read))
}

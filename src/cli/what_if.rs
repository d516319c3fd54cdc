//! `whatif`: who would be let in and who shut out by a change, before it is made.

use std::path::{Path, PathBuf};

use clap::Args;
use time::OffsetDateTime;

use crate::config::read_login_events;
use crate::facts::ConfigFacts;
use crate::facts::what_if::WhatIf;
use crate::reconcile::Options;
use crate::reconcile::what_if::client::{Client, known, of_logins, read_list};
use crate::reconcile::what_if::setting::Setting;
use crate::reconcile::what_if::what_if;
use crate::report;

use super::args::{ConnectionArguments, RegistryArguments};
use super::config;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::snapshot_file::{read_bounded, read_configs};

/// `whatif`.
#[derive(Debug, Args)]
#[command(after_help = "The exit code is 1 if a client loses access.\n\nExample:\n  \
    acr-doctor whatif -n contosoapps --set publicNetworkAccess=Disabled --clients clients.csv")]
pub struct WhatIfArguments {
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// ConfigSnapshot files, as `config --save` writes them, instead of Azure.
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with_all = ["subscription", "resource_group", "tenant"])]
    pub config: Vec<PathBuf>,
    /// The way to Azure.
    #[command(flatten)]
    pub connection: ConnectionArguments,
    /// A change: a property below `properties`, then `=`, `+=` or `-=`, then its value.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH=VALUE")]
    pub set: Vec<Setting>,
    /// The clients, one a line or as JSON: an address, a range, a subnet's id or a service, and a name after a comma.
    #[arg(long, value_name = "FILE")]
    pub clients: Option<PathBuf>,
    /// Besides, the addresses that the registry's own log shows (ContainerRegistryLoginEvents).
    #[arg(long)]
    pub from_logs: bool,
    /// How many hours of the log.
    #[arg(long, value_name = "HOURS", default_value = "24", value_parser = clap::value_parser!(u32).range(1..=8760))]
    pub hours: u32,
    /// A service that must pull from the registry, e.g. app-service, container-instances.
    #[arg(long, num_args = 1.., value_name = "KIND")]
    pub used_by: Vec<String>,
}

pub(super) async fn run(arguments: &WhatIfArguments, output: &Output) -> Result<Outcome, Failure> {
    let listed = arguments.clients.as_deref().map(listed).transpose()?.unwrap_or_default();
    let config = match arguments.config.as_slice() {
        [] => read(arguments, &listed).await?,
        files => read_configs(files)?.ok_or(Failure::NotRead)?,
    };
    let name = arguments.registry.name.as_deref();
    let registry = config.registries.iter().find(|r| name.is_none_or(|name| named(r, name))).ok_or(Failure::NotRead)?;
    let mut clients = known(&config, &arguments.used_by);
    // A subnet of the list may be one that the configuration knows already.
    let more =
        listed.into_iter().filter(|client| client.name.is_some() || !clients.iter().any(|c| c.who == client.who));
    let more: Vec<Client> = more.collect();
    clients.retain(|client| !more.iter().any(|named| named.who == client.who));
    clients.extend(more);
    if arguments.from_logs {
        let events = registry.login_events.known().ok_or(Failure::Missing(
            "the registry's log could not be read, which --from-logs needs; `acr-doctor logs` says why",
        ))?;
        clients.extend(of_logins(&config, events));
    }
    let options = Options::at(OffsetDateTime::now_utc());
    let document: WhatIf = what_if(&config, registry, &arguments.set, &clients, &options)?;
    output.value(&document, |style| report::what_if(&document, style))?;
    Ok(if document.summary.lost > 0 { Outcome::Findings } else { Outcome::Healthy })
}

fn named(registry: &crate::facts::RegistryConfig, name: &str) -> bool {
    registry.name.as_str().eq_ignore_ascii_case(name) || registry.login_server.as_str().eq_ignore_ascii_case(name)
}

async fn read(arguments: &WhatIfArguments, listed: &[Client]) -> Result<ConfigFacts, Failure> {
    if arguments.registry.name.is_none() {
        return Err(Failure::Missing("whatif needs a registry: --name NAME or --config FILE"));
    }
    let reading = config::of_registry(&arguments.registry, Vec::new(), &arguments.connection);
    let (session, mut request) = config::request(&reading)?;
    // What guards the clients' subnets decides as well.
    request.client.more_subnets = listed.iter().filter_map(Client::subnet).cloned().collect();
    let mut facts = Box::pin(crate::config::read(&request, &session)).await;
    if let Some(registry) = facts.registries.first_mut().filter(|_| arguments.from_logs) {
        registry.login_events =
            Box::pin(read_login_events(&session, registry, arguments.hours, arguments.connection.timeout)).await.events;
    }
    Ok(facts)
}

fn listed(path: &Path) -> Result<Vec<Client>, Failure> {
    let bytes = read_bounded(path)?;
    Ok(read_list(&String::from_utf8_lossy(&bytes))?)
}

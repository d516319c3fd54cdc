//! `config`: the registry's side alone, from ARM or from files.

use std::path::PathBuf;

use time::OffsetDateTime;

use crate::config::{self, ClientHints, ReadRequest, Session, Target};
use crate::facts::config::SignIn;
use crate::facts::{Cloud, ConfigFacts};
use crate::reconcile::{Options, reconcile};
use crate::report;

use super::args::{ConfigArguments, ConnectionArguments, FailOn, RegistryArguments, VerdictArguments};
use super::check::{MAX_IN_FLIGHT, http_settings};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::reconcile::decided;
use super::snapshot_file::{read_bounded, save};
use super::target::{aim, read_cloud};

pub(super) async fn run(arguments: &ConfigArguments, output: &Output) -> Result<Outcome, Failure> {
    let config = if arguments.from.is_empty() {
        tokio::select! {
            // First and in this order, so that the signal is caught from the beginning.
            biased;
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Interrupted),
            config = from_arm(arguments) => config?,
        }
    } else {
        from_files(arguments)?
    };
    let options = Options { used_by: arguments.used_by.clone(), ..Options::at(OffsetDateTime::now_utc()) };
    let mut report = reconcile(&config, &[], &options);
    // Programs get the configuration itself beside the findings; people get a table of it.
    report.facts = output.is_document().then(|| Box::new(config.clone()));
    output.report(&report, |style| report::stance(&config, &report, style))?;
    let could_not = matches!(config.sign_in, SignIn::Failed { .. }) && config.registries.is_empty();
    let outcome = Outcome::of(&report, arguments.verdict.fail_on, decided(&config) || is_empty(&config));
    if let Some(file) = &arguments.save {
        save(config, file, output)?;
    }
    Ok(if could_not { Outcome::Incomplete } else { outcome })
}

/// The configuration, from Azure or from files.
pub(super) async fn facts(arguments: &ConfigArguments) -> Result<ConfigFacts, Failure> {
    if arguments.from.is_empty() { from_arm(arguments).await } else { from_files(arguments) }
}

/// Whether a subscription was read in full and has no registry.
fn is_empty(facts: &ConfigFacts) -> bool {
    let signed_in = matches!(facts.sign_in, SignIn::SignedIn { .. });
    signed_in && facts.registries.is_empty() && facts.lookups.is_empty() && facts.failed_reads.is_empty()
}

fn cloud(arguments: &ConfigArguments) -> Result<Cloud, Failure> {
    arguments.registry.cloud.as_deref().map_or_else(|| Ok(Cloud::public()), read_cloud)
}

fn from_files(arguments: &ConfigArguments) -> Result<ConfigFacts, Failure> {
    let read = |path: &std::path::PathBuf| Ok((path.display().to_string(), read_bounded(path)?));
    let documents = arguments.from.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
    Ok(config::from_documents(&documents, &cloud(arguments)?)?)
}

async fn from_arm(arguments: &ConfigArguments) -> Result<ConfigFacts, Failure> {
    let (session, request) = request(arguments)?;
    Ok(config::read(&request, &session).await)
}

/// The arguments that read one registry and nothing of the client's place.
pub(super) fn of_registry(
    registry: &RegistryArguments,
    from: Vec<PathBuf>,
    connection: &ConnectionArguments,
) -> ConfigArguments {
    ConfigArguments {
        registry: registry.clone(),
        from,
        subnet: None,
        vnet: None,
        connection: connection.clone(),
        used_by: Vec::new(),
        save: None,
        verdict: VerdictArguments { fail_on: FailOn::Never },
    }
}

/// Who signs in, and what is to be read.
pub(super) fn request(arguments: &ConfigArguments) -> Result<(Session, ReadRequest), Failure> {
    let registry = &arguments.registry;
    let (target, cloud) = match &registry.name {
        Some(name) => {
            let aim = aim(name, registry.cloud.as_deref())?;
            (Target::Registry(aim.reference), aim.cloud)
        }
        None => (Target::Subscription, cloud(arguments)?),
    };
    let ConnectionArguments { proxy, ca_file, timeout } = &arguments.connection;
    let http = http_settings(proxy.as_ref(), ca_file.as_deref(), *timeout)?;
    let session =
        Session::new(cloud.clone(), http, registry.tenant.clone()).for_subscription(registry.subscription.clone());
    let request = ReadRequest {
        cloud,
        target,
        subscription: registry.subscription.clone(),
        resource_group: registry.resource_group.clone(),
        client: ClientHints {
            subnet: arguments.subnet.clone(),
            vnet: arguments.vnet.clone(),
            ..ClientHints::default()
        },
        deadline: *timeout,
        max_in_flight: MAX_IN_FLIGHT,
    };
    Ok((session, request))
}

//! `config`: the registry's side alone, from ARM or from files.

use std::fs;

use time::OffsetDateTime;

use crate::config::{self, ClientHints, HttpSettings, ReadRequest, Session, Target};
use crate::facts::config::SignIn;
use crate::facts::{Cloud, ConfigFacts};
use crate::reconcile::{Options, reconcile};
use crate::report;

use super::args::ConfigArguments;
use super::check::MAX_IN_FLIGHT;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::reconcile::decided;
use super::snapshot_file::save;
use super::target::{aim, read_cloud};

pub(super) async fn run(arguments: &ConfigArguments, output: &Output) -> Result<Outcome, Failure> {
    let config = if arguments.from.is_empty() { from_arm(arguments).await? } else { from_files(arguments)? };
    let options = Options { used_by: arguments.used_by.clone(), ..Options::at(OffsetDateTime::now_utc()) };
    let report = reconcile(&config, &[], &options);
    output.report(&report, |style| report::stance(&config, &report, style))?;
    let could_not = matches!(config.sign_in, SignIn::Failed { .. }) && config.registries.is_empty();
    let outcome = Outcome::of(&report, arguments.verdict.fail_on, decided(&config));
    if let Some(file) = &arguments.save {
        save(config, file, output)?;
    }
    Ok(if could_not { Outcome::Incomplete } else { outcome })
}

fn cloud(arguments: &ConfigArguments) -> Result<Cloud, Failure> {
    arguments.registry.cloud.as_deref().map_or_else(|| Ok(Cloud::public()), read_cloud)
}

fn from_files(arguments: &ConfigArguments) -> Result<ConfigFacts, Failure> {
    let read = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).map_err(|source| Failure::ReadFile { path: path.clone(), source })?;
        Ok((path.display().to_string(), bytes))
    };
    let documents = arguments.from.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
    Ok(config::from_documents(&documents, &cloud(arguments)?)?)
}

async fn from_arm(arguments: &ConfigArguments) -> Result<ConfigFacts, Failure> {
    let registry = &arguments.registry;
    let (target, cloud) = match &registry.name {
        Some(name) => {
            let aim = aim(name, registry.cloud.as_deref())?;
            (Target::Registry(aim.reference), aim.cloud)
        }
        None if registry.subscription.is_some() => (Target::Subscription, cloud(arguments)?),
        None => return Err(Failure::Missing("config needs --subscription, --name or --from FILE")),
    };
    let http = HttpSettings {
        ca_file: arguments.ca_file.clone(),
        proxy: arguments.proxy.clone(),
        connect_timeout: arguments.timeout.mul_f64(0.3),
    };
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
        deadline: arguments.timeout,
        max_in_flight: MAX_IN_FLIGHT,
    };
    Ok(config::read(&request, &session).await)
}

//! `check-health`: the flags, the order, the error titles and the exit status of `az acr check-health`.
//!
//! The registry is diagnosed as `check` does it; what az would say of it goes to standard error, and below each error
//! stands the finding that says why. `-o json` prints the report besides.

mod teller;
mod tools;

use clap::{Args, Parser};

use crate::facts::image::ImageReference;
use crate::facts::{ConfigFacts, ProbeFacts, ResourceId};
use crate::report;
use crate::report::health::{HealthError, HealthLine, private_routing, registry_lines};

use super::args::{Arguments, CheckArguments, Command, RegistryArguments};
use super::check::{Asked, Diagnosis, diagnose};
use super::exit::{Failure, Outcome};
use super::output::Output;
use teller::{Teller, ends};

/// az proves that the registry gives access tokens by asking for one for a repository `None`; this scope has a meaning.
const TOKEN_SCOPE: &str = "registry:catalog:*";

/// `check-health`.
#[derive(Debug, Args)]
#[command(after_help = "Drop-in for `az acr check-health`: see docs/check-health.md.\n\nExample:\n  \
    acr-doctor check-health -n contosoapps --ignore-errors --yes")]
pub struct CheckHealthArguments {
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// Go on after an error; the exit status is then 0.
    #[arg(long)]
    pub ignore_errors: bool,
    /// A repository whose access token is tried.
    #[arg(long, value_name = "REPOSITORY")]
    pub repository: Option<ImageReference>,
    /// The virtual network, by name or id, whose private endpoint the registry's names must lead to.
    #[arg(long, value_name = "VNET")]
    pub vnet: Option<String>,
    /// Do not ask before pulling the sample image.
    #[arg(long, short)]
    pub yes: bool,
    /// Whom a token for the registry is asked for, where az is set otherwise than the cloud has it.
    #[arg(skip)]
    pub registry_audience: Option<String>,
}

pub(super) async fn run(arguments: &CheckHealthArguments, output: &Output) -> Result<Outcome, Failure> {
    let teller = Teller::new(output, arguments.ignore_errors);
    if let Some((name, suffix)) = arguments.registry.name.as_deref().and_then(login_server_parts) {
        teller.note(&format!("Registry name is '{name}'. The following suffix '{suffix}' is automatically omitted."));
    }
    let in_cloud_shell = std::env::var_os("ACC_CLOUD").is_some_and(|value| !value.is_empty());
    if in_cloud_shell {
        teller.note("Environment checks are not supported in Azure Cloud Shell.");
    } else {
        if teller.stops_within(&tools::container(arguments.yes).await, &[]) {
            return Ok(Outcome::Findings);
        }
        teller.note(&format!("acr-doctor version: {}", env!("CARGO_PKG_VERSION")));
    }
    if registry(arguments, output, &teller).await? {
        return Ok(Outcome::Findings);
    }
    if !in_cloud_shell && teller.stops_within(&tools::helm().await, &[]) {
        return Ok(Outcome::Findings);
    }
    teller.note("\nPlease refer to https://aka.ms/acr/health-check for more information.");
    Ok(Outcome::Healthy)
}

/// The registry's name in a login server, and what az leaves off: the suffix, and the hash of a domain name label.
fn login_server_parts(asked: &str) -> Option<(&str, &str)> {
    let at = asked.find(['-', '.']).filter(|_| asked.contains('.') && !asked.starts_with('/'))?;
    asked.split_at_checked(at)
}

/// The registry's own lines; whether one of them ends the check.
async fn registry(arguments: &CheckHealthArguments, output: &Output, teller: &Teller<'_>) -> Result<bool, Failure> {
    let Some(name) = &arguments.registry.name else {
        teller.note("Registry name must be provided to check connectivity.");
        return Ok(arguments.vnet.is_some()
            && ends(&HealthError::untitled(
                "Registry name must be provided to verify DNS routings of its private endpoints",
            )));
    };
    let check = as_check(arguments, name)?;
    let asked = Asked { token_scope: Some(TOKEN_SCOPE), ..Asked::of(&check) };
    let Diagnosis { config, probe, report, .. } = diagnose(asked, output).await?;
    if output.is_document() {
        output.report(&report, |style| report::table(&report, style))?;
    }
    let findings: Vec<_> = report.registries.iter().flat_map(|r| &r.findings).filter(|f| f.root_cause).collect();
    let repository = arguments.repository.as_ref().map(|image| image.repository().to_owned());
    let lines = registry_lines(&config, &probe, &report, repository.as_deref());
    if teller.stops_within(&lines, &findings) {
        return Ok(true);
    }
    if !lines.iter().any(|line| matches!(line, HealthLine::Failed(_))) {
        teller.besides(&findings);
    }
    let Some(vnet) = &arguments.vnet else { return Ok(false) };
    for line in routing(&config, &probe, vnet) {
        // As az: what `--vnet` finds ends the check, whatever `--ignore-errors` says.
        if let HealthLine::Failed(error) = &line {
            return Ok(ends(error));
        }
        teller.stops_at(&line, &findings);
    }
    Ok(false)
}

fn routing(config: &ConfigFacts, probe: &ProbeFacts, vnet: &str) -> Vec<HealthLine> {
    let fails = |text: String| vec![HealthLine::Failed(HealthError::untitled(text))];
    let Some(registry) = config.registries.first() else {
        return fails("The registry's configuration could not be read, which --vnet needs.".to_owned());
    };
    let id = if vnet.starts_with('/') {
        vnet.parse()
    } else {
        let group = registry.id.resource_group().unwrap_or_default();
        let subscription = registry.id.subscription();
        format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/virtualNetworks/{vnet}"
        )
        .parse()
    };
    match id {
        Ok(id) if ResourceId::virtual_network(&id).is_some_and(|network| network == id) => {
            private_routing(registry, probe, &id)
        }
        _ => fails(format!("\"{vnet}\" is not a valid resource id of a virtual network")),
    }
}

/// The same question to `check`, with clap's own defaults.
fn as_check(arguments: &CheckHealthArguments, name: &str) -> Result<Box<CheckArguments>, Failure> {
    let registry = &arguments.registry;
    let mut words = vec!["acr-doctor".to_owned(), "check".to_owned(), format!("--name={name}")];
    let options = [
        ("subscription", registry.subscription.clone()),
        ("resource-group", registry.resource_group.clone()),
        ("tenant", registry.tenant.clone()),
        ("cloud", registry.cloud.clone()),
        ("image", arguments.repository.as_ref().map(ToString::to_string)),
    ];
    words.extend(options.into_iter().filter_map(|(flag, value)| Some(format!("--{flag}={}", value?))));
    match Arguments::try_parse_from(words).map(|parsed| parsed.command) {
        Ok(Command::Check(mut check)) => {
            check.vantage.registry_audience.clone_from(&arguments.registry_audience);
            Ok(check)
        }
        _ => Err(Failure::Missing("check-health cannot pass these arguments on to check")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_server_is_a_name_and_a_suffix() {
        for (asked, parts) in [
            ("myreg.azurecr.io", Some(("myreg", ".azurecr.io"))),
            ("myreg-c0ffee.azurecr.io", Some(("myreg", "-c0ffee.azurecr.io"))),
            ("myreg", None),
            ("/subscriptions/s/resourceGroups/a.b/providers/x", None),
        ] {
            assert_eq!(login_server_parts(asked), parts, "{asked}");
        }
    }
}

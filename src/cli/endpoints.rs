//! `endpoints`: what a client's firewall must allow for a registry.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::report::allow::{AllowList, RuleFormat};

use super::args::{ConnectionArguments, RegistryArguments};
use super::config;
use super::exit::{Failure, Outcome};
use super::output::{Output, write};

/// `endpoints`.
#[derive(Debug, Args)]
#[command(after_help = "-o json has the members of `az acr show-endpoints`, and more.\n\nExamples:\n  \
    acr-doctor endpoints -n contosoapps\n  acr-doctor endpoints -n contosoapps --format squid\n  \
    export NO_PROXY=$(acr-doctor endpoints -n contosoapps --format no-proxy)")]
pub struct EndpointsArguments {
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// ARM documents on disk instead of Azure, as `az acr show` prints them.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub from: Vec<PathBuf>,
    /// Print ready rules instead of a list.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Rules>,
    /// The way to Azure.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Ready rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rules {
    /// A rule collection of an Azure Firewall policy.
    AzureFirewall,
    /// Outbound rules of a network security group.
    Nsg,
    /// The same as `az network nsg rule create` commands.
    NsgAz,
    /// Lines of squid.conf.
    Squid,
    /// Lines of a hosts file, for private endpoints.
    Hosts,
    /// The value of NO_PROXY.
    NoProxy,
}

impl From<Rules> for RuleFormat {
    fn from(rules: Rules) -> Self {
        match rules {
            Rules::AzureFirewall => Self::AzureFirewall,
            Rules::Nsg => Self::Nsg,
            Rules::NsgAz => Self::NsgAz,
            Rules::Squid => Self::Squid,
            Rules::Hosts => Self::Hosts,
            Rules::NoProxy => Self::NoProxy,
        }
    }
}

pub(super) async fn run(arguments: &EndpointsArguments, output: &Output) -> Result<Outcome, Failure> {
    if arguments.registry.name.is_none() && arguments.from.is_empty() {
        return Err(Failure::Missing("endpoints needs a registry: --name NAME or --from FILE"));
    }
    let reading = config::of_registry(&arguments.registry, arguments.from.clone(), &arguments.connection);
    let facts = config::facts(&reading).await?;
    let registry = facts.registries.first().ok_or(Failure::NotRead)?;
    let list = AllowList::of(registry, &facts.cloud);
    match arguments.format {
        Some(Rules::Hosts) if list.private_addresses.is_empty() => {
            return Err(Failure::Missing(
                "--format hosts is for private endpoints, and no approved one's addresses are known",
            ));
        }
        Some(format) => write(&list.rules(format.into()))?,
        None => output.value(&list, |_| list.table())?,
    }
    Ok(Outcome::Healthy)
}

//! `permissions`: the smallest role for a diagnosis, ready for `az role definition create`.

use clap::Args;

use crate::config::permissions::role_definition;

use super::exit::{Failure, Outcome};
use super::output::Output;

/// `permissions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  acr-doctor permissions --subscription SUBSCRIPTION_ID > role.json\n  \
    az role definition create --role-definition @role.json")]
pub struct PermissionsArguments {
    /// Subscriptions, by id, at which the role may be assigned.
    #[arg(long, num_args = 1.., value_name = "SUBSCRIPTION_ID", required_unless_present = "scope")]
    pub subscription: Vec<String>,
    /// Other scopes at which it may be assigned, e.g. a management group's resource id.
    #[arg(long, num_args = 1.., value_name = "ID")]
    pub scope: Vec<String>,
}

pub(super) fn run(arguments: &PermissionsArguments, output: &Output) -> Result<Outcome, Failure> {
    let subscriptions = arguments.subscription.iter().map(|id| format!("/subscriptions/{id}"));
    let scopes: Vec<String> = subscriptions.chain(arguments.scope.iter().cloned()).collect();
    let role = role_definition(&scopes);
    // The role is a document for az, on a terminal too.
    output.value(&role, |style| crate::report::json(&role, style))?;
    Ok(Outcome::Healthy)
}

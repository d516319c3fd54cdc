//! `reconcile`: the offline join of snapshots.

use time::OffsetDateTime;

use crate::facts::config::LookupOutcome;
use crate::facts::{Cloud, ConfigFacts};
use crate::reconcile::{Options, reconcile};
use crate::report;

use super::args::ReconcileArguments;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::snapshot_file::{read_configs, read_probes};

pub(super) fn run(arguments: &ReconcileArguments, output: &Output) -> Result<Outcome, Failure> {
    let config = read_configs(&arguments.config)?;
    let probes = read_probes(&arguments.probe)?;
    let config = config.unwrap_or_else(|| {
        let cloud = probes.iter().find_map(|probe| Cloud::of_registry_host(&probe.login_server));
        ConfigFacts::not_read(cloud.unwrap_or_else(Cloud::public), "no configuration snapshot was given (--config)")
    });
    let options = Options { used_by: arguments.used_by.clone(), ..Options::at(OffsetDateTime::now_utc()) };
    let report = reconcile(&config, &probes, &options);
    output.report(&report, |style| report::table(&report, style))?;
    Ok(Outcome::of(&report, arguments.verdict.fail_on, decided(&config)))
}

/// Whether the configuration alone answers: there is no such registry, or no such subscription.
pub(super) fn decided(config: &ConfigFacts) -> bool {
    let answers = |outcome: &LookupOutcome| {
        matches!(outcome, LookupOutcome::NotFound { .. } | LookupOutcome::SubscriptionNotFound { .. })
    };
    config.lookups.iter().any(|lookup| answers(&lookup.outcome))
}

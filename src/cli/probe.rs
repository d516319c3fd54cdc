//! `probe`: the client's side alone; needs no sign-in.

use futures::{StreamExt, stream};
use time::OffsetDateTime;

use crate::facts::endpoints::role_of;
use crate::facts::{Cloud, ConfigFacts, Fqdn};
use crate::probe::{self, PlannedEndpoint, Recorder};
use crate::reconcile::{Options, reconcile};
use crate::report;

use super::args::ProbeArguments;
use super::check::probe_request;
use super::exit::{Failure, Outcome};
use super::live::Live;
use super::output::Output;
use super::snapshot_file::save;
use super::target::aim;

pub(super) async fn run(arguments: &ProbeArguments, output: &Output) -> Result<Outcome, Failure> {
    let asked = arguments.login_server.as_deref().or(arguments.name.as_deref());
    let aim =
        aim(asked.ok_or(Failure::Missing("probe needs a login server or --name NAME"))?, arguments.cloud.as_deref())?;
    let request = probe_request(&aim, &arguments.vantage)?;
    let recorder = Recorder::new(&request);
    let more = stream::iter(arguments.endpoint.iter().map(|host| plan(host, &aim.cloud))).boxed();
    let live = Live::start(output);
    let (facts, interrupted) = tokio::select! {
        // First and in this order, so that the signal is caught from the beginning.
        biased;
        _ = tokio::signal::ctrl_c() => (recorder.snapshot(), true),
        facts = probe::run_recorded(&request, more, None, &live, &recorder) => (facts, false),
    };
    live.clear();
    if interrupted {
        output.note("interrupted: this is what was known by then");
    }
    let config = ConfigFacts::not_read(aim.cloud, "probe looks from the client alone");
    let report = reconcile(&config, std::slice::from_ref(&facts), &Options::at(OffsetDateTime::now_utc()));
    output.report(&report, |style| report::table(&report, style))?;
    let outcome = Outcome::of(&report, arguments.verdict.fail_on, false);
    if let Some(file) = &arguments.save {
        save(facts, file, output)?;
    }
    Ok(if interrupted { Outcome::Interrupted } else { outcome })
}

/// A host that the user named: its part is told by its name.
fn plan(host: &Fqdn, cloud: &Cloud) -> PlannedEndpoint {
    let (role, region) = role_of(host, cloud);
    PlannedEndpoint { host: host.clone(), role, region }
}

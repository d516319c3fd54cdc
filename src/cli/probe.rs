//! `probe`: the client's side alone; needs no sign-in.

use futures::FutureExt;
use time::OffsetDateTime;

use crate::facts::ConfigFacts;
use crate::probe::{self, Quiet, Recorder};
use crate::reconcile::{Options, reconcile};
use crate::report;

use super::args::ProbeArguments;
use super::check::probe_request;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::snapshot_file::save;
use super::target::aim;

pub(super) async fn run(arguments: &ProbeArguments, output: &Output) -> Result<Outcome, Failure> {
    let asked = arguments.login_server.as_deref().or(arguments.name.as_deref());
    let aim =
        aim(asked.ok_or(Failure::Missing("probe needs a login server or --name NAME"))?, arguments.cloud.as_deref())?;
    let request = probe_request(&aim, &arguments.vantage);
    let recorder = Recorder::new(&request);
    let nothing_more = async { Vec::new() }.boxed();
    let (facts, interrupted) = tokio::select! {
        facts = probe::run_recorded(&request, nothing_more, None, &Quiet, &recorder) => (facts, false),
        _ = tokio::signal::ctrl_c() => (recorder.snapshot(), true),
    };
    let config = ConfigFacts::not_read(aim.cloud, "probe looks from the client alone");
    let report = reconcile(&config, std::slice::from_ref(&facts), &Options::at(OffsetDateTime::now_utc()));
    output.report(&report, |style| report::table(&report, style))?;
    let outcome = Outcome::of(&report, arguments.verdict.fail_on, false);
    if let Some(file) = &arguments.save {
        save(facts, file, output)?;
    }
    Ok(if interrupted { Outcome::Interrupted } else { outcome })
}

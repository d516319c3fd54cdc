//! What `--verbose` and `--debug` say on standard error.
//!
//! Only this program's own messages are let through. The libraries below log headers, URLs and
//! bodies (hyper, h2, azure_core, rustls), and those hold tokens and signatures.

use std::io;

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use super::args::GlobalArguments;
use super::timings::Clock;

/// Starts the log, and the clock where one is wanted. Called once, before anything is logged.
pub(super) fn start(global: &GlobalArguments, clock: Option<Clock>) {
    let level = match (global.debug, global.verbose, global.only_show_errors) {
        (true, _, _) => "debug",
        (false, true, _) => "info",
        (false, false, true) => "error",
        (false, false, false) => "warn",
    };
    let filter = EnvFilter::new(format!("off,acr_doctor={level}"));
    let log = fmt::layer().with_writer(io::stderr).with_ansi(false).without_time().with_filter(filter);
    let clock = clock.map(|clock| clock.with_filter(filter_fn(Clock::measures)));
    let started = tracing_subscriber::registry().with(log).with(clock).try_init();
    // A second start keeps the first log, which is what a library user wants.
    drop(started);
}

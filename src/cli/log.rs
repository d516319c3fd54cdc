//! What `--verbose` and `--debug` say on standard error.
//!
//! Only this program's own messages are let through. The libraries below log headers, URLs and
//! bodies (hyper, h2, azure_core, rustls), and those hold tokens and signatures.

use std::io;

use tracing_subscriber::EnvFilter;

use super::args::GlobalArguments;

/// Starts the log. Called once, before anything is logged.
pub(super) fn start(global: &GlobalArguments) {
    let level = match (global.debug, global.verbose, global.only_show_errors) {
        (true, _, _) => "debug",
        (false, true, _) => "info",
        (false, false, true) => "error",
        (false, false, false) => "warn",
    };
    let filter = EnvFilter::new(format!("off,acr_doctor={level}"));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .try_init();
    // A second start keeps the first log, which is what a library user wants.
    drop(started);
}

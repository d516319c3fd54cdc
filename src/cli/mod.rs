//! Parses, wires and prints; no knowledge of Azure.

mod aks;
pub mod args;
pub mod audit;
mod check;
pub mod check_health;
mod config;
mod defaults;
pub mod endpoints;
mod exit;
pub mod explain;
mod live;
mod log;
pub mod logs;
mod output;
pub mod permissions;
mod probe;
mod reconcile;
pub mod shell;
mod snapshot_file;
mod target;
mod timings;
pub mod what_if;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use defaults::Defaults;
use exit::{Failure, Outcome};
use timings::Clock;

/// Runs the program: the whole of `main`.
pub fn main() -> ExitCode {
    let mut arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::of_usage(&error),
    };
    let taken = Defaults::here().fill(&mut arguments);
    let clock = matches!(&arguments.command, Command::Check(check) if check.timings).then(Clock::start);
    log::start(&arguments.global, clock.clone());
    for setting in &taken.used {
        tracing::info!("configured for az: {setting}");
    }
    for setting in &taken.unusable {
        tracing::warn!("{setting}");
    }
    exit::code(run(&arguments, clock.as_ref()))
}

fn run(arguments: &Arguments, clock: Option<&Clock>) -> Result<Outcome, Failure> {
    let output = output::Output::of(&arguments.global)?;
    match &arguments.command {
        Command::Check(check) => block_on(check::run(check, &output, clock))?,
        Command::CheckHealth(health) => block_on(check_health::run(health, &output))?,
        Command::Config(config) => block_on(config::run(config, &output))?,
        Command::Probe(probe) => block_on(probe::run(probe, &output))?,
        Command::Reconcile(reconcile) => reconcile::run(reconcile, &output),
        Command::Audit(audit) => audit::run(audit, &output, arguments.global.only_show_errors),
        Command::Explain(explain) => explain::run(explain, &output),
        Command::Endpoints(endpoints) => block_on(endpoints::run(endpoints, &output))?,
        Command::Logs(logs) => block_on(logs::run(logs, &output))?,
        Command::Permissions(permissions) => permissions::run(permissions, &output),
        Command::Whatif(whatif) => block_on(what_if::run(whatif, &output))?,
        Command::Completions { shell } => shell::completions(*shell),
        Command::Man(page) => shell::manual(page),
    }
}

/// Runs a command that waits for the network.
fn block_on<T>(command: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(Failure::Start)?;
    let result = runtime.block_on(command);
    // A name server that hangs in the system's own resolver must not hold up the end.
    runtime.shutdown_background();
    Ok(result)
}

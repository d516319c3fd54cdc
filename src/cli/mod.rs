//! Parses, wires and prints; no knowledge of Azure.

pub mod args;
mod exit;
mod log;
mod output;
mod reconcile;
mod snapshot_file;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use exit::{Failure, Outcome};

/// Runs the program: the whole of `main`.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::of_usage(&error),
    };
    log::start(&arguments.global);
    exit::code(run(&arguments))
}

fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let output = output::Output::of(&arguments.global)?;
    match &arguments.command {
        Command::Reconcile(reconcile) => reconcile::run(reconcile, &output),
    }
}

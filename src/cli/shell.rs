//! `completions` and `man`: made from the same definitions as the help text.

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory as _};
use clap_complete::aot;

use super::args::{Arguments, Shell};
use super::exit::{Failure, Outcome};
use super::output;

/// `man`.
#[derive(Debug, Args)]
pub struct ManualArguments {
    /// The command whose page is wanted; without it, the program's own.
    #[arg(value_name = "COMMAND")]
    pub of: Option<String>,
    /// Write every page into this directory: acr-doctor.1, acr-doctor-check.1, …
    #[arg(long, value_name = "DIR", conflicts_with = "of")]
    pub dir: Option<PathBuf>,
}

pub(super) fn completions(shell: Shell) -> Result<Outcome, Failure> {
    let shell = match shell {
        Shell::Bash => aot::Shell::Bash,
        Shell::Elvish => aot::Shell::Elvish,
        Shell::Fish => aot::Shell::Fish,
        Shell::PowerShell => aot::Shell::PowerShell,
        Shell::Zsh => aot::Shell::Zsh,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "acr-doctor", &mut script);
    output::write_bytes(&script)?;
    Ok(Outcome::Healthy)
}

pub(super) fn manual(arguments: &ManualArguments) -> Result<Outcome, Failure> {
    let mut program = Arguments::command();
    program.build();
    if let Some(directory) = &arguments.dir {
        for command in std::iter::once(&program).chain(program.get_subcommands()) {
            let path = directory.join(format!("{}.1", page_name(command)));
            std::fs::write(&path, page(command)?).map_err(|source| Failure::Save { path, source })?;
        }
        return Ok(Outcome::Healthy);
    }
    let command = match &arguments.of {
        None => &program,
        Some(name) => {
            program.find_subcommand(name).ok_or(Failure::Missing("man has pages for the commands that --help lists"))?
        }
    };
    output::write_bytes(&page(command)?)?;
    Ok(Outcome::Healthy)
}

/// A page in roff.
fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(Failure::Write)?;
    Ok(page)
}

/// `acr-doctor` or `acr-doctor-check`.
fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

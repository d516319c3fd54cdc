//! `completions` and `man`: made from the same definitions as the help text.

use clap::CommandFactory as _;
use clap_complete::aot;

use super::args::{Arguments, Shell};
use super::exit::{Failure, Outcome};
use super::output;

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

pub(super) fn manual() -> Result<Outcome, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page).map_err(Failure::Write)?;
    output::write_bytes(&page)?;
    Ok(Outcome::Healthy)
}

//! What runs under the real Azure CLI, and beside it, in worlds of the laboratory.
//!
//! `extension/…`: `az acr doctor` does in az what the program does alone. `parity/…`: `check-health` says what
//! `az acr check-health` says in the same world, or the difference is written down. `uses/…`: scripts that call
//! `az acr check-health` do the same with the program in its place.
//!
//! `output/…`: `-o` and `--query` write what az writes.
//!
//! `tests/az/prepare` installs what is needed. Without the Azure CLI the first two are ignored and say so, and the
//! scripts run with the program alone; with `CI` set its absence is a failure, unless `ACR_DOCTOR_WITHOUT_AZ` says that
//! it could not be had.

mod extension;
mod output;
mod parity;
mod uses;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use acr_doctor_lab::outcome::Ran;
use acr_doctor_lab::stage::{self, Order};
use acr_doctor_lab::{Outcome, az};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    if let Some(code) = stage::intercept() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    // az is slow for want of a processor, not of an answer.
    arguments.test_threads.get_or_insert(4);
    let found = Found::look(arguments.list);
    let rows = parity::Rows::default();
    let trials = extension::trials(&found).into_iter().chain(output::trials(&found));
    let trials = trials.chain(parity::trials(&found, &rows)).chain(uses::trials(&found));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let whole = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.list;
    if whole && !conclusion.has_failed() && found.az && !parity::table_is_current(&rows) {
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// What of the needed things this machine has.
#[expect(clippy::struct_excessive_bools, reason = "each is there or is not")]
struct Found {
    az: bool,
    extension: bool,
    worlds: bool,
    /// Whether what is missing is a failure.
    must: bool,
}

impl Found {
    fn look(listing: bool) -> Self {
        let must = std::env::var_os("CI").is_some() && std::env::var_os("ACR_DOCTOR_WITHOUT_AZ").is_none();
        if listing {
            return Self { az: true, extension: true, worlds: true, must };
        }
        let found =
            Self { az: az::program().is_ok(), extension: extension::directory().is_dir(), worlds: worlds(), must };
        for (there, what) in [
            (found.worlds, "networks of one's own"),
            (found.az, "the Azure CLI"),
            (found.extension, "the extension in target/az"),
        ] {
            if !there {
                report(what);
            }
        }
        found
    }

    /// A trial that is ignored where something is missing.
    fn trial(&self, name: String, needs: bool, run: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
        let runs = self.must || (self.worlds && needs);
        Trial::test(name, run).with_ignored_flag(!runs)
    }
}

#[expect(clippy::print_stderr, reason = "a test harness tells why it ignores tests")]
fn report(what: &str) {
    eprintln!("tests are ignored: {what} is missing (tests/az/prepare)");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The file of a scenario.
fn scenario(name: &str) -> PathBuf {
    root().join("tests/scenarios").join(format!("{name}.toml"))
}

fn worlds() -> bool {
    let empty = root().join("tests/lab/fixtures/empty.toml");
    !matches!(stage::open(&order(empty, &[])), Ok(Outcome::Unsupported(_)))
}

/// A command line in a scenario's world.
fn order(scenario: PathBuf, command: &[&str]) -> Order {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_acr-doctor"));
    let env = vec![("ACR_DOCTOR".to_owned(), program.display().to_string())];
    let command = Some(command.iter().map(|&word| word.to_owned()).collect()).filter(|line: &Vec<_>| !line.is_empty());
    Order { scenario, program, command, env, ..Order::default() }
}

/// Opens a world and runs the command in it.
fn ran(order: &Order) -> Result<Ran, Failed> {
    match stage::open(order)? {
        Outcome::Ran { first, .. } => Ok(first),
        Outcome::Unsupported(why) | Outcome::Failed(why) => Err(why.into()),
    }
}

//! Every file below `tests/scenarios` is a test: a world is opened, the program is run in it, and what it says is
//! compared with what an expert would say.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use acr_doctor_lab::stage::{self, Order};
use acr_doctor_lab::{Outcome, Scenario, judge, program};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    if let Some(code) = stage::intercept() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    // Worlds mostly wait, so there may be more of them than processors.
    arguments.test_threads.get_or_insert(6);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let listing = arguments.list;
    let trials = files(&root).into_iter().map(|path| trial(&root, &path, listing)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// All scenario files, in order.
fn files(root: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_map(Result::ok);
    entries.map(walkdir::DirEntry::into_path).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect()
}

fn trial(root: &Path, path: &Path, listing: bool) -> Trial {
    let name = path.strip_prefix(root).unwrap_or(path).with_extension("").display().to_string();
    // A machine without namespaces counts its worlds as ignored; the build machine must have them.
    let ignored = !listing && std::env::var_os("CI").is_none() && (why_not().is_some() || lacks_program(path));
    let path = path.to_owned();
    Trial::test(name, move || run(&path)).with_ignored_flag(ignored)
}

/// Whether a scenario wants a program that this machine lacks; then it says which.
fn lacks_program(path: &Path) -> bool {
    // A file that cannot be read fails when it is run.
    let missing = Scenario::read(path).ok().and_then(|scenario| program::missing(&scenario));
    if let Some(why) = &missing {
        report(why);
    }
    missing.is_some()
}

/// Why this machine cannot hold worlds, asked once.
fn why_not() -> Option<&'static str> {
    static WHY: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    static ONCE: std::sync::Once = std::sync::Once::new();
    let ask = || match stage::open(&order(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/fixtures/empty.toml")))
    {
        Ok(Outcome::Unsupported(why)) => Some(why),
        _ => None,
    };
    let why = WHY.get_or_init(ask).as_deref();
    if let Some(why) = why {
        ONCE.call_once(|| report(why));
    }
    why
}

#[expect(clippy::print_stderr, reason = "a test harness tells why it ignores tests")]
fn report(why: &str) {
    eprintln!("scenarios are ignored: {why}");
}

fn order(scenario: PathBuf) -> Order {
    Order { scenario, program: env!("CARGO_BIN_EXE_acr-doctor").into(), ..Order::default() }
}

fn run(path: &Path) -> Result<(), Failed> {
    let scenario = Scenario::read(path)?;
    let mut order = order(path.to_owned());
    loop {
        let outcome = stage::open(&order)?;
        let mut faults = judge::faults(&scenario, &outcome);
        if !faults.is_empty() {
            faults.extend((order.alternative > 0).then(|| format!("alternative {} was made", order.alternative)));
            return Err(judge::story(&scenario, &outcome, &faults).into());
        }
        // Each further fix in a world of its own.
        order.alternative += 1;
        if order.alternative >= judge::alternatives(&scenario, &outcome) {
            return Ok(());
        }
    }
}

//! Opens a broken world to try the program in: `cargo run --example lab -- SCENARIO [--shell] [-- ARGS…]`.
//! `--list` names the scenarios, `--all` runs them all and prints which root cause was named where, and `--compare`
//! runs the real `az acr check-health` in the same worlds.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example for people")]

mod compare;
mod matrix;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use acr_doctor_lab::stage::{self, Order};
use acr_doctor_lab::world::Seen;
use acr_doctor_lab::{LabError, Outcome, Scenario};

fn main() -> ExitCode {
    if let Some(code) = stage::intercept() {
        return code;
    }
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let args = words.iter().position(|w| w == "--").map(|at| words.split_off(at).into_iter().skip(1).collect());
    let shell = words.iter().any(|w| w == "--shell");
    let result = match words.iter().find(|w| *w != "--shell").map(String::as_str) {
        None | Some("--help" | "--list") => {
            list();
            Ok(true)
        }
        Some("--all") => matrix::print(),
        Some("--compare") => compare::run(words.get(1).map(String::as_str)).map(|()| true),
        Some(name) => open(name, shell, args).map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// Names of all scenarios with their files.
fn scenarios() -> Vec<(String, PathBuf)> {
    let entries = walkdir::WalkDir::new(root()).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files = entries.map(walkdir::DirEntry::into_path).filter(|p| p.extension().is_some_and(|e| e == "toml"));
    files.map(|p| (p.strip_prefix(root()).unwrap_or(&p).with_extension("").display().to_string(), p)).collect()
}

/// Does something for every scenario, so many at once, and keeps their order.
fn each<T: Send>(
    scenarios: &[(String, PathBuf)],
    at_once: usize,
    work: impl Fn(&str, &Path) -> Result<T, LabError> + Sync,
) -> Result<Vec<T>, LabError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some((at, (name, path))) = take(scenarios, &next) {
                    let result = work(name, path);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The next scenario that nobody has taken.
fn take<'s>(scenarios: &'s [(String, PathBuf)], next: &AtomicUsize) -> Option<(usize, &'s (String, PathBuf))> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    scenarios.get(at).map(|scenario| (at, scenario))
}

fn list() {
    for (name, path) in scenarios() {
        let about = Scenario::read(&path).map_or_else(|e| e.to_string(), |s| s.about);
        println!("{name:50} {about}");
    }
}

/// The program beside this example, built if it is not there.
fn program() -> Result<PathBuf, LabError> {
    let this = std::env::current_exe().map_err(LabError::io("this program's path"))?;
    let directory = this.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let program = directory.join("acr-doctor");
    if !program.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Command::new(cargo).args(["build", "--bin", "acr-doctor"]).status().map_err(LabError::io("cargo build"))?;
    }
    Ok(program)
}

fn open(name: &str, shell: bool, args: Option<Vec<String>>) -> Result<(), LabError> {
    let scenario = root().join(format!("{name}.toml"));
    let file = Scenario::read(&scenario)?;
    println!("{}\n", file.about);
    let args =
        args.or_else(|| file.run.args.is_none().then(|| "check -n myreg".split(' ').map(str::to_owned).collect()));
    match stage::open(&Order { scenario, program: program()?, args, shell, ..Order::default() })? {
        Outcome::Ran { first, .. } => {
            println!("$ {}\n{}{}", first.command.join(" "), first.stdout, first.stderr);
            if let Some(rounds) = first.log.iter().filter_map(Seen::round).max() {
                let requests = first.log.iter().filter(|seen| seen.round().is_some()).count();
                println!("Azure Resource Manager: {requests} requests in {rounds} round trips");
            }
            println!(
                "exit {:?} after {:.2} s. For a shell in this client: cargo run --example lab -- {name} --shell",
                first.exit, first.seconds
            );
            Ok(())
        }
        Outcome::Unsupported(why) => Err(LabError::Unsupported(why)),
        Outcome::Failed(why) => Err(LabError::Scenario(why)),
    }
}

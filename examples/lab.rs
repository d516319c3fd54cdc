//! Opens a broken world to try the program in: `cargo run --example lab -- SCENARIO [--shell] [-- ARGS…]`.
//! `--list` names the scenarios, `--all` runs them all and prints which root cause was named where.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example for people")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use acr_doctor_lab::stage::{self, Order};
use acr_doctor_lab::{LabError, Outcome, Scenario, judge};

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
            Ok(())
        }
        Some("--all") => matrix(),
        Some(name) => open(name, shell, args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
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
            println!(
                "exit {:?} after {:.1} s. For a shell in this client: cargo run --example lab -- {name} --shell",
                first.exit, first.seconds
            );
            Ok(())
        }
        Outcome::Unsupported(why) => Err(LabError::Unsupported(why)),
        Outcome::Failed(why) => Err(LabError::Scenario(why)),
    }
}

/// Scenario by scenario: what should be named, what was.
fn matrix() -> Result<(), LabError> {
    let program = program()?;
    let (mut right, mut all) = (0, 0);
    for (name, path) in scenarios() {
        let scenario = Scenario::read(&path)?;
        let outcome = stage::open(&Order { scenario: path, program: program.clone(), ..Order::default() })?;
        let faults = judge::faults(&scenario, &outcome);
        let named = match &outcome {
            Outcome::Ran { first, .. } => {
                let report = serde_json::from_str(&first.stdout).unwrap_or_default();
                judge::root_causes(&report).into_iter().collect::<Vec<_>>().join(" ")
            }
            Outcome::Unsupported(why) | Outcome::Failed(why) => why.clone(),
        };
        all += 1;
        right += usize::from(faults.is_empty());
        let mark = if faults.is_empty() { "✓" } else { "✗" };
        println!("{mark} {name:48} {:45} {named}", scenario.expect.root_cause.join(" "));
    }
    println!("\n{right} of {all} as expected");
    Ok(())
}

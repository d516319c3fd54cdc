//! The built binary, run with an environment of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::golden::root;

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

/// The binary, in the repository's root, without this process's environment.
pub(crate) fn doctor(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acr-doctor"));
    command.env_clear().current_dir(root()).args(arguments);
    command
}

/// Runs to the end.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    finish(&mut doctor(arguments))
}

/// Runs a prepared command to the end.
pub(crate) fn finish(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Ran {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// A fresh directory of this test's own.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// The arguments that reconcile an example.
pub(crate) fn example(name: &str) -> [String; 5] {
    let file = |half: &str| format!("examples/{name}/{half}.json");
    ["reconcile".to_owned(), "--config".to_owned(), file("config"), "--probe".to_owned(), file("probe")]
}

/// Reconciles an example, with more arguments.
pub(crate) fn run_example(name: &str, more: &[&str]) -> Ran {
    let arguments = example(name);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    run(&arguments)
}

/// A snapshot in tests/goldens, named by its case.
pub(crate) fn golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../goldens");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

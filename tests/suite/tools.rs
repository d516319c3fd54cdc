//! Programs of others that judge what we write: browsers, validators, shells.

use std::io::Write as _;
use std::path::PathBuf;

/// The first of these programs that this machine has. The build machine must have one; elsewhere the test says on
/// standard error, past the harness's capture, that it is skipped.
pub(crate) fn tool(names: &[&str]) -> Option<PathBuf> {
    let found = find(names);
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "none of {names:?} is installed (.ci/run installs them)");
        skipped(names);
    }
    found
}

/// As [`tool`], of one that takes too long to install even for the build machine.
pub(crate) fn rare_tool(name: &str) -> Option<PathBuf> {
    let found = find(&[name]);
    if found.is_none() {
        skipped(&[name]);
    }
    found
}

fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    directories.flat_map(|d| names.iter().map(move |name| d.join(name))).find(|file| file.is_file())
}

fn skipped(names: &[&str]) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "skipped: {test}, for want of {}", names.join(" or "));
}

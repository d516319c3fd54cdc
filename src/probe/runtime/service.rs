//! A service's proxy: its unit, the drop-ins, environment files, and docker's own file.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::units::UnitEnvironment;
use super::user::User;
use super::{Root, docker, files, json, process, text};
use crate::facts::Known;
use crate::facts::runtime::DaemonProxy;

/// Where units and drop-ins of the system lie, the later winning (systemd.unit(5)).
pub(super) fn of_system(root: &Root) -> Vec<PathBuf> {
    ["lib", "usr/lib", "run", "etc"].iter().map(|tree| root.at(tree).join("systemd/system")).collect()
}

/// The same of a user's own services.
pub(super) fn of_user(root: &Root, user: &User) -> Vec<PathBuf> {
    let shared = ["usr/lib", "run", "etc"].iter().map(|tree| root.at(tree).join("systemd/user"));
    shared.chain(user.settings_file("systemd/user")).collect()
}

/// What was read of a service so far.
#[derive(Default)]
struct Reading {
    environment: UnitEnvironment,
    files: Vec<PathBuf>,
    /// The file that named its proxy last.
    source: Option<String>,
}

impl Reading {
    /// Applies a file on top, if it can be read.
    fn take(&mut self, file: PathBuf, shown: String, apply: fn(&mut UnitEnvironment, &str)) {
        let Some(text) = text(&file) else { return };
        let before = self.environment.proxy("").https;
        apply(&mut self.environment, &text);
        if self.environment.proxy("").https != before {
            self.source = Some(shown);
        }
        self.files.push(file);
    }
}

/// A service's proxy by its files, and whether one of them is newer than the process.
pub(super) fn proxy(root: &Root, directories: &[PathBuf], name: &str, own_file: Option<&Path>) -> DaemonProxy {
    let unit = directories.iter().rev().map(|dir| dir.join(format!("{name}.service"))).find(|f| f.is_file());
    let drop_ins = directories.iter().map(|dir| dir.join(format!("{name}.service.d")));
    let mut drop_ins: Vec<PathBuf> = drop_ins.flat_map(|dir| files(&dir, "conf")).collect();
    drop_ins.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    let mut reading = Reading::default();
    for file in unit.into_iter().chain(drop_ins) {
        let shown = root.shown(&file);
        reading.take(file, shown, UnitEnvironment::apply);
    }
    for named in reading.environment.files.clone() {
        reading.take(root.at(&named), named, UnitEnvironment::apply_file);
    }
    let Reading { environment, files: mut read, source } = reading;
    let mut proxy = environment.proxy(source.as_deref().unwrap_or("systemd"));
    if let Some(file) = own_file.filter(|file| file.is_file()) {
        // What daemon.json says wins over the environment.
        if let Some(from_file) = json(file).as_ref().and_then(docker::daemon_proxy) {
            proxy = from_file;
        }
        read.push(file.to_path_buf());
    }
    let process = if name == "docker" { "dockerd" } else { name };
    let changed_since_start = if root.is_ours {
        changed_since(process, &read)
    } else {
        Known::unknown("another root's processes are not visible")
    };
    DaemonProxy { proxy, files: read.iter().map(|f| root.shown(f)).collect(), changed_since_start }
}

fn changed_since(process: &str, files: &[PathBuf]) -> Known<bool> {
    let Some(started) = process::started(process) else {
        return Known::unknown(format!("no running {process} is visible from here"));
    };
    let modified = |file: &PathBuf| -> Option<SystemTime> { std::fs::metadata(file).ok()?.modified().ok() };
    Known::Known(files.iter().filter_map(modified).any(|at| at > started))
}

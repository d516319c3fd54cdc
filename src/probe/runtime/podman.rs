//! podman and CRI-O: `registries.conf` and its drop-ins, and podman's proxies in `containers.conf`.

use std::path::PathBuf;

use toml::{Table, Value};

use super::units::UnitEnvironment;
use super::user::User;
use super::{Root, files, mirrors, text};
use crate::facts::runtime::{ContainerRuntime, DaemonProxy, Mirror};
use crate::facts::{Fqdn, Known};

/// A file and its drop-ins, the system's before the user's; the later wins (containers-registries.conf.d(5)).
fn with_drop_ins(root: &Root, user: &User, shared: &[&str], name: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let directories = shared.iter().map(|directory| root.at(directory)).chain(user.settings_file("containers"));
    for directory in directories {
        all.push(directory.join(name));
        all.extend(files(&directory.join(format!("{name}.d")), "conf"));
    }
    all
}

/// Reads the mirrors of a registry, and which file blocks it.
pub(super) fn read_registries(root: &Root, user: &User, login: &Fqdn, runtime: &mut ContainerRuntime) {
    let named = user.variable("CONTAINERS_REGISTRIES_CONF").map(PathBuf::from);
    let usual = || with_drop_ins(root, user, &["etc/containers"], "registries.conf");
    for file in named.map_or_else(usual, |named| vec![named]) {
        let Some(text) = text(&file) else { continue };
        let shown = root.shown(&file);
        let read = mirrors::registries_conf(&text, login);
        runtime.mirrors.extend(read.endpoints.into_iter().map(|endpoint| Mirror { file: shown.clone(), endpoint }));
        if read.is_blocked {
            runtime.blocked_by.push(shown);
        }
    }
}

/// The proxy that `[engine] env` gives podman in the place of the shell's (containers.conf(5)); `None`: it has the
/// shell's.
pub(super) fn proxy(root: &Root, user: &User) -> Option<DaemonProxy> {
    let named = user.variable("CONTAINERS_CONF").map(PathBuf::from);
    let usual = || with_drop_ins(root, user, &["usr/share/containers", "etc/containers"], "containers.conf");
    let mut environment = UnitEnvironment::default();
    let mut read = Vec::new();
    for file in named.map_or_else(usual, |named| vec![named]) {
        let Some(lines) = text(&file).and_then(|text| engine_environment(&text)) else { continue };
        environment.apply_file(&lines.join("\n"));
        read.push(root.shown(&file));
    }
    let proxy = environment.proxy(read.last()?);
    let changed_since_start = Known::unknown("podman is no service: it reads its files at each start");
    proxy.https.is_some().then_some(DaemonProxy { proxy, files: read, changed_since_start })
}

/// `env` of `[engine]`.
fn engine_environment(text: &str) -> Option<Vec<String>> {
    let root = text.parse::<Table>().ok()?;
    let list = root.get("engine")?.get("env")?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::runtime::tests::write;

    #[test]
    fn podmans_files_are_read_and_the_users_win() {
        let base = std::env::temp_dir().join(format!("acr-doctor-podman-{}", std::process::id()));
        let (root, user) = (Root::another(&base), User::with(&[], &base.join("home")));
        let write = |file: &str, text: &str| write(&base, file, text);
        assert_eq!(proxy(&root, &user), None);
        write("usr/share/containers/containers.conf", "[engine]\nenv = ['https_proxy=http://old:1']\n");
        write(
            "home/.config/containers/containers.conf",
            "[engine]\nenv = ['HTTPS_PROXY=http://u:hunter2@new:2', 'no_proxy=a,b']\n",
        );
        let read = proxy(&root, &user).unwrap();
        assert_eq!(
            (read.proxy.https.as_deref(), read.proxy.no_proxy.len(), read.files.len()),
            (Some("http://new:2"), 2, 2)
        );
        write("etc/containers/registries.conf", "[registries.block]\nregistries = ['myreg.azurecr.io']\n");
        write(
            "etc/containers/registries.conf.d/010.conf",
            "[[registry]]\nlocation = 'myreg.azurecr.io'\n[[registry.mirror]]\nlocation = 'm.example'\n",
        );
        let mut runtime = ContainerRuntime::default();
        read_registries(&root, &user, &"myreg.azurecr.io".parse().unwrap(), &mut runtime);
        std::fs::remove_dir_all(&base).unwrap();
        assert_eq!(runtime.blocked_by, ["/etc/containers/registries.conf"]);
        assert_eq!(runtime.mirrors[0].endpoint, "m.example");
    }
}

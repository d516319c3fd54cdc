//! Where a docker client finds its daemon: `DOCKER_HOST`, then the context in use, then the usual sockets
//! (docs.docker.com: "Docker contexts", "Rootless mode").

use std::path::PathBuf;

use serde_json::Value;

use super::user::User;
use super::{Root, bare, json};

/// The system's own socket.
pub(super) const SYSTEM: &str = "var/run/docker.sock";

/// A daemon's address, as a client of this user finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A socket in this root.
    Socket(PathBuf),
    /// Somewhere else, and what names it: it is not asked.
    Elsewhere {
        /// Without credentials.
        address: String,
        /// `DOCKER_HOST`, or the context.
        named_by: String,
    },
}

/// Where the client would look for the daemon.
pub(super) fn of(root: &Root, user: &User) -> Place {
    if let Some(host) = user.variable("DOCKER_HOST") {
        return address(&host, "DOCKER_HOST");
    }
    let config = user.docker_config().unwrap_or_default();
    let named = config.get("currentContext").and_then(Value::as_str).map(str::to_owned);
    let context = user.variable("DOCKER_CONTEXT").or(named).filter(|name| name != "default");
    let host = context.as_ref().and_then(|name| Some((name, context_host(user, name)?)));
    if let Some((name, host)) = host {
        return address(&host, &format!("the context '{name}'"));
    }
    let usual = root.at(SYSTEM);
    let users = [
        user.runtime_file("docker.sock"),
        user.at_home(".docker/run/docker.sock"),
        user.at_home(".docker/desktop/docker.sock"),
    ];
    let found = std::iter::once(usual.clone()).chain(users.into_iter().flatten()).find(|socket| socket.exists());
    Place::Socket(found.unwrap_or(usual))
}

fn address(host: &str, named_by: &str) -> Place {
    match host.strip_prefix("unix://") {
        Some(path) => Place::Socket(PathBuf::from(path)),
        None => Place::Elsewhere { address: bare(host), named_by: named_by.to_owned() },
    }
}

/// The daemon's address in a context's `meta.json`.
fn context_host(user: &User, name: &str) -> Option<String> {
    let contexts = std::fs::read_dir(user.docker_settings()?.join("contexts/meta")).ok()?.flatten();
    let is_named = |meta: &Value| meta.get("Name").and_then(Value::as_str) == Some(name);
    let meta = contexts.filter_map(|entry| json(&entry.path().join("meta.json"))).find(is_named)?;
    Some(meta.pointer("/Endpoints/docker/Host")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::runtime::tests::write;

    #[test]
    fn the_daemon_is_looked_for_as_dockers_client_does_it() {
        let base = std::env::temp_dir().join(format!("acr-doctor-place-{}", std::process::id()));
        let (root, home) = (Root::another(&base.join("root")), base.join("home"));
        let found = |variables: &[(&str, &str)]| of(&root, &User::with(variables, &home));
        assert_eq!(found(&[]), Place::Socket(root.at(SYSTEM)));
        write(&home, ".docker/desktop/docker.sock", "");
        assert_eq!(found(&[]), Place::Socket(home.join(".docker/desktop/docker.sock")));
        let runtime = base.join("run");
        write(&runtime, "docker.sock", "");
        let rootless = [("XDG_RUNTIME_DIR", runtime.to_str().unwrap())];
        assert_eq!(found(&rootless), Place::Socket(runtime.join("docker.sock")));
        let meta = r#"{"Name": "far", "Endpoints": {"docker": {"Host": "tcp://u:hunter2@build.corp:2376"}}}"#;
        write(&home, ".docker/contexts/meta/0a1b/meta.json", meta);
        write(&home, ".docker/config.json", r#"{"currentContext": "far"}"#);
        let far = Place::Elsewhere { address: "tcp://build.corp:2376".into(), named_by: "the context 'far'".into() };
        assert_eq!(found(&[]), far);
        assert_eq!(found(&[("DOCKER_CONTEXT", "default")]), Place::Socket(home.join(".docker/desktop/docker.sock")));
        assert_eq!(found(&[("DOCKER_HOST", "unix:///run/other.sock")]), Place::Socket("/run/other.sock".into()));
        std::fs::remove_dir_all(&base).unwrap();
    }
}

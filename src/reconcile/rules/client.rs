//! The container runtime on the client's host.

use crate::facts::runtime::{ContainerRuntime, DockerDaemon};
use crate::facts::{Fix, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

pub(super) static RULES: &[&Rule] =
    &[&CONTAINER_RUNTIME_MISSING, &DAEMON_UNREACHABLE, &REGISTRY_MIRROR_CONFIGURED, &REGISTRY_BLOCKED];

/// The runtime, if somebody looked for it. A run that did not look lacks nothing for it.
pub(super) fn runtime<'a>(case: &Case<'a>) -> Option<&'a ContainerRuntime> {
    case.probe?.runtime.known()
}

declare_finding! {
    /// No container runtime is on this host.
    ///
    /// ## Why it matters
    /// The registry was checked all the same; whether a runtime's own settings (proxy, mirrors, CAs) let it through
    /// cannot be seen from here.
    ///
    /// ## How it shows
    /// - az: `DOCKER_COMMAND_ERROR`
    /// - shell: `docker: command not found`
    ///
    /// ## What decides it
    /// No docker, podman, nerdctl, containerd or CRI-O is found on this host.
    ///
    /// ## Fix
    /// None is needed for the check; run it on the host that pulls.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-check-health>
    CONTAINER_RUNTIME_MISSING = "client/container-runtime-missing", Info, article "container-registry-check-health",
    explains [], container_runtime_missing;
}

fn container_runtime_missing(case: &Case<'_>) -> Vec<Draft> {
    let (Some(runtime), Some(probe)) = (runtime(case), case.probe) else {
        return Vec::new();
    };
    if !runtime.found.is_empty() || runtime.docker.is_some() || runtime.containerd.is_some() {
        return Vec::new();
    }
    vec![
        Draft::new(
            format!("No container runtime on {}", probe.vantage.hostname),
            "Neither docker, podman, nerdctl, containerd nor CRI-O is here; the registry was checked without one.",
        )
        .seen([evidence::vantage("no docker, podman, nerdctl, containerd, crio")])
        .mend([Fix::advice("Run the check on the host that pulls, to see its runtime's proxy, mirrors and CAs too")]),
    ]
}

declare_finding! {
    /// The docker daemon does not answer.
    ///
    /// ## Why it matters
    /// Every docker command fails before the network is asked for anything.
    ///
    /// ## How it shows
    /// - docker: `Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?`
    /// - docker: `permission denied while trying to connect to the Docker daemon socket`
    /// - az: `DOCKER_DAEMON_ERROR`
    ///
    /// ## What decides it
    /// Docker is on this host, and its socket does not answer. A socket that only refuses this user is worth no more than
    /// a word: the daemon runs.
    ///
    /// ## Fix
    /// Start the daemon.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-check-health>
    DAEMON_UNREACHABLE = "client/daemon-unreachable", Warning, article "container-registry-check-health",
    explains [], daemon_unreachable;
}

/// Why the daemon did not answer; `None`: it did, or nobody asked.
fn silence(docker: &DockerDaemon) -> Option<&str> {
    let why = docker.running.missing()?.why.as_str();
    (!why.contains("not read") && !why.contains("not asked")).then_some(why)
}

fn daemon_unreachable(case: &Case<'_>) -> Vec<Draft> {
    let Some((docker, why)) = runtime(case).and_then(|r| r.docker.as_ref()).and_then(|d| Some((d, silence(d)?))) else {
        return Vec::new();
    };
    let lower = why.to_ascii_lowercase();
    let refused = lower.contains("permission") || lower.contains("access denied");
    let draft = Draft::new(
        format!("The docker daemon at {} does not answer", docker.socket),
        format!("{why}. Its proxy and mirrors in force cannot be read."),
    )
    .seen([evidence::vantage(format!("{}: {why}", docker.socket))]);
    vec![if refused {
        draft.severity(Severity::Info).mend([Fix::command(
            "Let this user use docker (log in again afterwards), or run the check with sudo",
            "sudo usermod -aG docker \"$USER\"",
        )])
    } else {
        let user = docker.socket.starts_with("/run/user/");
        let start = if user { "systemctl --user start docker" } else { "sudo systemctl start docker" };
        draft.mend([Fix::command("Start the daemon", start)])
    }]
}

declare_finding! {
    /// A mirror or a rewrite sends this registry's name elsewhere.
    ///
    /// ## Why it matters
    /// What the runtime reaches is the mirror; the check looks at the registry itself. Both may differ.
    ///
    /// ## How it shows
    /// - containerd: `failed to pull … from mirror`
    /// - podman: another host's name in the error than the one asked for
    ///
    /// ## What decides it
    /// `daemon.json`, containerd's `hosts.toml` or `registries.conf` names this registry with another endpoint.
    ///
    /// ## Fix
    /// None, if the mirror is meant; else remove the entry.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    REGISTRY_MIRROR_CONFIGURED = "client/registry-mirror-configured", Info,
    article "container-registry-troubleshoot-access",
    explains [], registry_mirror_configured;
}

fn registry_mirror_configured(case: &Case<'_>) -> Vec<Draft> {
    let (Some(runtime), Some(login)) = (runtime(case), case.login_server()) else {
        return Vec::new();
    };
    let Some(first) = runtime.mirrors.first() else {
        return Vec::new();
    };
    let entries: Vec<String> = runtime.mirrors.iter().map(|m| format!("{} → {}", m.file, m.endpoint)).collect();
    vec![
        Draft::new(
            format!("The runtime sends {login} to {}", first.endpoint),
            format!("{} says so; this check looked at the registry itself, not at the mirror.", first.file),
        )
        .seen([evidence::vantage(evidence::list(entries))])
        .mend([Fix::advice(format!("If the mirror is not meant, remove the entry from {}", first.file))]),
    ]
}

declare_finding! {
    /// A file of podman's and CRI-O's blocks pulls from this registry.
    ///
    /// ## Why it matters
    /// The runtime refuses the name by itself: nothing leaves this host, and every check of the network is beside the point.
    ///
    /// ## How it shows
    /// - podman: `registry myregistry.azurecr.io is blocked in /etc/containers/registries.conf or /home/user/.config/containers/registries.conf.d`
    ///
    /// ## What decides it
    /// `registries.conf` or one of its drop-ins has `blocked = true` for this registry's name or a pattern that covers it
    /// (in its old form: names it in `[registries.block]`). An error where no other runtime than podman and CRI-O is
    /// here, else a warning.
    ///
    /// ## Fix
    /// The entry taken out.
    ///
    /// ## References
    /// - <https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md>
    REGISTRY_BLOCKED = "client/registry-blocked", Error, article "container-registry-troubleshoot-access",
    explains [], registry_blocked;
}

fn registry_blocked(case: &Case<'_>) -> Vec<Draft> {
    let (Some(runtime), Some(login)) = (runtime(case), case.login_server()) else {
        return Vec::new();
    };
    let Some(file) = runtime.blocked_by.last() else {
        return Vec::new();
    };
    let others = runtime.docker.is_some() || runtime.containerd.is_some();
    let draft = Draft::new(
        format!("podman and CRI-O are told to block {login}"),
        format!("{file} says so: they refuse the name before the network is asked."),
    )
    .about([login])
    .seen([evidence::vantage(evidence::list(&runtime.blocked_by))])
    .mend([Fix::advice(format!(
        "Take the entry of {login} that says 'blocked' out of {}",
        runtime.blocked_by.join(", ")
    ))]);
    vec![if others { draft.severity(Severity::Warning) } else { draft }]
}

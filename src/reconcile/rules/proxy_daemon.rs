//! The container daemon's proxy beside the shell's.

use crate::facts::no_proxy::{covers, covers_in_go};
use crate::facts::probe::{ProxyOutcome, TcpOutcome};
use crate::facts::runtime::{ContainerRuntime, DaemonProxy, DockerDaemon};
use crate::facts::vantage::ProxySettings;
use crate::facts::{Change, Fix, Fqdn};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

use super::client::runtime;

pub(super) static RULES: &[&Rule] = &[&DAEMON_NOT_CONFIGURED, &DAEMON_DIFFERS, &DAEMON_RESTART_NEEDED];

/// Who starts a daemon, and so where its proxy is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    /// systemd.
    System,
    /// The user's own systemd: rootless docker.
    User,
    /// Docker Desktop, which has settings of its own.
    Desktop,
    /// Nobody: podman starts with each command, and has the shell's proxy unless containers.conf names one.
    Shell,
}

/// What pulls: its name, who starts it, its files' settings, and those of the running process where it told them.
struct Daemon<'a> {
    unit: &'static str,
    manager: Manager,
    configured: &'a DaemonProxy,
    running: Option<&'a ProxySettings>,
}

impl Daemon<'_> {
    /// What it uses once its files are in force: the files' proxy, else the running one (from its environment).
    fn intended(&self) -> Option<&ProxySettings> {
        Some(&self.configured.proxy).filter(|p| p.https.is_some()).or(self.running.filter(|p| p.https.is_some()))
    }

    /// `sudo systemctl …`, as this daemon's manager wants it.
    fn systemctl(&self, verb: &str) -> String {
        match self.manager {
            Manager::User => format!("systemctl --user {verb}"),
            Manager::System | Manager::Desktop | Manager::Shell => format!("sudo systemctl {verb}"),
        }
    }

    /// A restart, which reads the files anew.
    fn restart(&self) -> Fix {
        match self.manager {
            Manager::Desktop => Fix::advice("Restart Docker Desktop"),
            Manager::System | Manager::User | Manager::Shell => Fix::command(
                format!("Restart {}", self.unit),
                format!("{} && {}", self.systemctl("daemon-reload"), self.systemctl(&format!("restart {}", self.unit))),
            )
            .change(Change::Restart { unit: self.unit.to_string() }),
        }
    }
}

/// Who starts the docker daemon behind a socket.
fn manager(docker: &DockerDaemon) -> Manager {
    if docker.socket.contains("/.docker/") {
        Manager::Desktop
    } else if docker.socket.starts_with("/run/user/") {
        Manager::User
    } else {
        Manager::System
    }
}

/// What pulls here: the docker daemon, else containerd, CRI-O, and podman where it has a proxy of its own.
fn daemon(runtime: &ContainerRuntime) -> Option<Daemon<'_>> {
    let docker = runtime.docker.as_ref().map(|d| Daemon {
        unit: "docker",
        manager: manager(d),
        configured: &d.configured,
        running: d.running.known().map(|info| &info.proxy),
    });
    let others = [
        ("containerd", Manager::System, &runtime.containerd),
        ("crio", Manager::System, &runtime.crio),
        ("podman", Manager::Shell, &runtime.podman),
    ];
    let other = || {
        others.into_iter().find_map(|(unit, manager, configured)| {
            Some(Daemon { unit, manager, configured: configured.as_ref()?, running: None })
        })
    };
    docker.or_else(other)
}

/// A systemd drop-in with a proxy, as a command that writes it and restarts the unit.
fn drop_in(daemon: &Daemon<'_>, https: &str, no_proxy: &[String]) -> Fix {
    let unit = daemon.unit;
    let mut lines = vec!["[Service]".to_owned(), format!("Environment=\"HTTPS_PROXY={https}\"")];
    if !no_proxy.is_empty() {
        lines.push(format!("Environment=\"NO_PROXY={}\"", no_proxy.join(",")));
    }
    let words: Vec<String> = lines.iter().map(|l| crate::reconcile::command::quoted(l)).collect();
    let (sudo, above) =
        if daemon.manager == Manager::User { ("", "~/.config/systemd/user") } else { ("sudo ", "/etc/systemd/system") };
    let dir = format!("{above}/{unit}.service.d");
    let content = lines.join("\n") + "\n";
    Fix::command(
        format!("Give {unit} the shell's proxy by a systemd drop-in, and restart it"),
        format!(
            "{sudo}mkdir -p {dir} && printf '%s\\n' {} | {sudo}tee {dir}/zz-proxy.conf && {} && {}",
            words.join(" "),
            daemon.systemctl("daemon-reload"),
            daemon.systemctl(&format!("restart {unit}"))
        ),
    )
    .change(Change::File { path: format!("{dir}/zz-proxy.conf"), content })
}

/// The same in docker's own file.
fn daemon_json(daemon: &Daemon<'_>, https: &str, no_proxy: &[String]) -> Fix {
    let proxies = serde_json::json!({ "proxies": { "https-proxy": https, "no-proxy": no_proxy.join(",") } });
    let file = if daemon.manager == Manager::User { "~/.config/docker/daemon.json" } else { "/etc/docker/daemon.json" };
    Fix::advice(format!("Put {proxies} into {file}, and restart docker"))
}

/// The shell's proxy in a drop-in of containers.conf.
fn containers_conf(https: &str, no_proxy: &[String]) -> Fix {
    let path = "~/.config/containers/containers.conf.d/zz-proxy.conf";
    let values = serde_json::json!([format!("HTTPS_PROXY={https}"), format!("NO_PROXY={}", no_proxy.join(","))]);
    let content = format!("[engine]\nenv = {values}\n");
    Fix::advice(format!("Remove the proxy from podman's containers.conf, or name the shell's in {path}"))
        .change(Change::File { path: path.to_owned(), content })
}

fn fixes(daemon: &Daemon<'_>, https: &str, no_proxy: &[String]) -> Vec<Fix> {
    match daemon.manager {
        Manager::Desktop => vec![Fix::advice(format!(
            "Name {https} in Docker Desktop's settings (Resources, Proxies), with the exceptions {}",
            no_proxy.join(",")
        ))],
        Manager::Shell => vec![containers_conf(https, no_proxy)],
        Manager::System | Manager::User => {
            let json = (daemon.unit == "docker").then(|| daemon_json(daemon, https, no_proxy));
            std::iter::once(drop_in(daemon, https, no_proxy)).chain(json).collect()
        }
    }
}

fn files(configured: &DaemonProxy) -> String {
    if configured.files.is_empty() { "no file sets one".to_owned() } else { configured.files.join(", ") }
}

declare_finding! {
    /// The shell has a proxy and needs it; the container daemon has none.
    ///
    /// ## Why it matters
    /// The daemon pulls, not the shell, and it does not read the shell's environment: what curl can reach, docker cannot.
    ///
    /// ## How it shows
    /// - docker: `net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`, while curl works
    ///
    /// ## What decides it
    /// The environment's proxy carries the login server, the direct way to it was tried and fails, and the daemon has a
    /// proxy neither by its files nor in its running process.
    ///
    /// ## Fix
    /// The proxy in daemon.json or a systemd drop-in, and a restart.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    DAEMON_NOT_CONFIGURED = "proxy/daemon-not-configured", Error, article "container-registry-troubleshoot-access",
    explains [], daemon_not_configured;
}

fn daemon_not_configured(case: &Case<'_>) -> Vec<Draft> {
    let (Some(login), Some(daemon)) = (case.login(), runtime(case).and_then(daemon)) else {
        return Vec::new();
    };
    let Some(proxy) = login.proxy.as_ref().filter(|p| p.outcome == ProxyOutcome::Tunnel) else {
        return Vec::new();
    };
    let Some(direct) = login.without_proxy.as_ref().filter(|_| daemon.intended().is_none()) else {
        return Vec::new();
    };
    if direct.tcp.iter().any(|t| t.outcome == TcpOutcome::Connected) {
        return Vec::new();
    }
    let no_proxy = case.probe.map_or(&[][..], |p| p.vantage.proxy.no_proxy.as_slice());
    let tried: Vec<String> =
        direct.tcp.iter().map(|t| format!("{} {}", t.address, evidence::tcp_outcome(&t.outcome))).collect();
    let unit = daemon.unit;
    vec![
        Draft::new(
            format!("The daemon {unit} has no proxy, and {} is out of reach without one", login.host),
            format!("This shell goes through {} ({}); {unit} does not read the shell's environment and tries directly, which fails.", proxy.url, proxy.source),
        )
        .about([&login.host])
        .seen([
            evidence::proxy(login),
            evidence::probe(&login.host, crate::facts::Stage::Tcp, format!("without the proxy: {}, {}", evidence::answer(&direct.dns.answer), tried.join(", "))),
            evidence::vantage(format!("proxy of {unit}: none ({})", files(daemon.configured))),
        ])
        .mend(fixes(&daemon, &proxy.url, no_proxy)),
    ]
}

declare_finding! {
    /// The shell and the container daemon use different proxies.
    ///
    /// ## Why it matters
    /// A check made in the shell says nothing about the way that the daemon goes.
    ///
    /// ## How it shows
    /// - docker: fails where curl works, or the other way round
    ///
    /// ## What decides it
    /// Both have a proxy, and the URLs differ, or NO_PROXY covers the login server for one of them only. The same list
    /// may do that: daemons are programs in Go, which part it at commas alone, and take `.host` for what is below it only.
    ///
    /// ## Fix
    /// The same proxy and the same exceptions for both.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    DAEMON_DIFFERS = "proxy/daemon-differs", Warning, article "container-registry-troubleshoot-access",
    explains [], daemon_differs;
}

/// A proxy's address, without what makes no difference.
fn plain(url: &str) -> String {
    let url = url.trim().trim_end_matches('/').to_ascii_lowercase();
    if url.contains("://") { url } else { format!("http://{url}") }
}

/// How a program reads one entry of NO_PROXY.
type Reading = fn(&str, &Fqdn) -> bool;

/// Whether two settings send a host different ways; the second is a daemon's, which is a program in Go.
fn differ((a, reading): (&ProxySettings, Reading), b: &ProxySettings, host: &Fqdn) -> bool {
    let urls = |p: &ProxySettings| p.https.as_deref().map(plain);
    let past = |p: &ProxySettings, reading: Reading| p.no_proxy.iter().any(|entry| reading(entry, host));
    urls(a) != urls(b) || past(a, reading) != past(b, covers_in_go)
}

fn settings(proxy: &ProxySettings) -> String {
    let https = proxy.https.as_deref().unwrap_or("none");
    format!(
        "{https}, except for {}",
        if proxy.no_proxy.is_empty() { "nothing".to_owned() } else { proxy.no_proxy.join(",") }
    )
}

fn daemon_differs(case: &Case<'_>) -> Vec<Draft> {
    let (Some(probe), Some(host)) = (case.probe, case.login_server()) else {
        return Vec::new();
    };
    let shell = &probe.vantage.proxy;
    let (Some(daemon), Some(https)) = (runtime(case).and_then(daemon), &shell.https) else {
        return Vec::new();
    };
    let Some(other) = daemon.intended().filter(|p| differ((shell, covers), p, host)) else {
        return Vec::new();
    };
    let unit = daemon.unit;
    let same = shell.https.as_deref().map(plain) == other.https.as_deref().map(plain);
    let (title, more) = if same {
        (
            format!("The daemon {unit} and this shell make different exceptions from the proxy for {host}"),
            " NO_PROXY is read by each program in its own way: plain names, parted by commas, mean the same to all.",
        )
    } else {
        (format!("The daemon {unit} uses another proxy than this shell"), "")
    };
    vec![
        Draft::new(title, format!("This shell: {}. {unit}: {}.{more}", settings(shell), settings(other)))
            .about([host])
            .seen([
                evidence::vantage(format!(
                    "shell ({}): {}",
                    shell.source.as_deref().unwrap_or("environment"),
                    settings(shell)
                )),
                evidence::vantage(format!("{unit} ({}): {}", files(daemon.configured), settings(other))),
            ])
            .mend(fixes(&daemon, https, &shell.no_proxy)),
    ]
}

declare_finding! {
    /// The container daemon's proxy settings were changed and are not in force yet.
    ///
    /// ## Why it matters
    /// The files look right and the running process still has the old settings.
    ///
    /// ## How it shows
    /// - docker: fails as before the change, and works after the next reboot
    ///
    /// ## What decides it
    /// The running daemon reports another proxy than its files; or, where it cannot be asked, a file with a proxy is newer
    /// than the process.
    ///
    /// ## Fix
    /// A restart of the daemon.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    DAEMON_RESTART_NEEDED = "proxy/daemon-restart-needed", Warning, article "container-registry-troubleshoot-access",
    explains ["proxy/daemon-not-configured"], daemon_restart_needed;
}

fn daemon_restart_needed(case: &Case<'_>) -> Vec<Draft> {
    let (Some(host), Some(daemon)) = (case.login_server(), runtime(case).and_then(daemon)) else {
        return Vec::new();
    };
    let configured = &daemon.configured.proxy;
    let newer = daemon.configured.changed_since_start.known() == Some(&true);
    let needed = match daemon.running {
        Some(running) => differ((running, covers_in_go), configured, host) && (configured.https.is_some() || newer),
        None => newer && configured.https.is_some(),
    };
    if !needed {
        return Vec::new();
    }
    let unit = daemon.unit;
    let now = daemon.running.map_or_else(|| "not known".to_owned(), settings);
    vec![
        Draft::new(
            format!("The daemon {unit} runs with older proxy settings than its files have"),
            format!("Files: {}. Running: {now}.", settings(configured)),
        )
        .about([host])
        .seen([
            evidence::vantage(format!("{}: {}", files(daemon.configured), settings(configured))),
            evidence::vantage(format!("running {unit}: {now}")),
        ])
        .mend([daemon.restart()]),
    ]
}

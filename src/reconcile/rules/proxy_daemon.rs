//! The container daemon's proxy beside the shell's.

use crate::facts::probe::{ProxyOutcome, TcpOutcome};
use crate::facts::runtime::{ContainerRuntime, DaemonProxy};
use crate::facts::vantage::ProxySettings;
use crate::facts::{Change, Fix, Fqdn};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

use super::client::runtime;
use super::proxy_private::covers;

pub(super) static RULES: &[&Rule] = &[&DAEMON_NOT_CONFIGURED, &DAEMON_DIFFERS, &DAEMON_RESTART_NEEDED];

/// A daemon: its unit's name, its files' settings, and those of the running process where it told them.
struct Daemon<'a> {
    unit: &'static str,
    configured: &'a DaemonProxy,
    running: Option<&'a ProxySettings>,
}

impl Daemon<'_> {
    /// What it uses once its files are in force: the files' proxy, else the running one (from its environment).
    fn intended(&self) -> Option<&ProxySettings> {
        Some(&self.configured.proxy).filter(|p| p.https.is_some()).or(self.running.filter(|p| p.https.is_some()))
    }
}

/// The daemon that pulls: docker's, else containerd.
fn daemon(runtime: &ContainerRuntime) -> Option<Daemon<'_>> {
    let docker = runtime.docker.as_ref().map(|d| Daemon {
        unit: "docker",
        configured: &d.configured,
        running: d.running.known().map(|info| &info.proxy),
    });
    docker.or_else(|| runtime.containerd.as_ref().map(|c| Daemon { unit: "containerd", configured: c, running: None }))
}

/// A systemd drop-in with a proxy, as a command that writes it and restarts the unit.
fn drop_in(unit: &str, https: &str, no_proxy: &[String]) -> Fix {
    let mut lines = vec!["[Service]".to_owned(), format!("Environment=\"HTTPS_PROXY={https}\"")];
    if !no_proxy.is_empty() {
        lines.push(format!("Environment=\"NO_PROXY={}\"", no_proxy.join(",")));
    }
    let words: Vec<String> = lines.iter().map(|l| crate::reconcile::command::quoted(l)).collect();
    let dir = format!("/etc/systemd/system/{unit}.service.d");
    let content = lines.join("\n") + "\n";
    Fix::command(
        format!("Give {unit} the shell's proxy by a systemd drop-in, and restart it"),
        format!(
            "sudo mkdir -p {dir} && printf '%s\\n' {} | sudo tee {dir}/zz-proxy.conf && sudo systemctl daemon-reload && sudo systemctl restart {unit}",
            words.join(" ")
        ),
    )
    .change(Change::File { path: format!("{dir}/zz-proxy.conf"), content })
}

/// The same in docker's own file.
fn daemon_json(https: &str, no_proxy: &[String]) -> Fix {
    let proxies = serde_json::json!({ "proxies": { "https-proxy": https, "no-proxy": no_proxy.join(",") } });
    Fix::advice(format!("Put {proxies} into /etc/docker/daemon.json, and restart docker"))
}

fn fixes(unit: &str, https: &str, no_proxy: &[String]) -> Vec<Fix> {
    let json = (unit == "docker").then(|| daemon_json(https, no_proxy));
    std::iter::once(drop_in(unit, https, no_proxy)).chain(json).collect()
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
        .mend(fixes(unit, &proxy.url, no_proxy)),
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
    /// Both have a proxy, and the URLs differ, or NO_PROXY covers the login server for one of them only.
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

fn differ(a: &ProxySettings, b: &ProxySettings, host: &Fqdn) -> bool {
    let urls = |p: &ProxySettings| p.https.as_deref().map(plain);
    urls(a) != urls(b) || covers(&a.no_proxy, host) != covers(&b.no_proxy, host)
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
    let Some(other) = daemon.intended().filter(|p| differ(shell, p, host)) else {
        return Vec::new();
    };
    let unit = daemon.unit;
    vec![
        Draft::new(
            format!("The daemon {unit} uses another proxy than this shell"),
            format!("This shell: {}. {unit}: {}.", settings(shell), settings(other)),
        )
        .about([host])
        .seen([
            evidence::vantage(format!(
                "shell ({}): {}",
                shell.source.as_deref().unwrap_or("environment"),
                settings(shell)
            )),
            evidence::vantage(format!("{unit} ({}): {}", files(daemon.configured), settings(other))),
        ])
        .mend(fixes(unit, https, &shell.no_proxy)),
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
        Some(running) => differ(running, configured, host) && (configured.https.is_some() || newer),
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
        .mend([Fix::command(
            format!("Restart {unit}"),
            format!("sudo systemctl daemon-reload && sudo systemctl restart {unit}"),
        )]),
    ]
}

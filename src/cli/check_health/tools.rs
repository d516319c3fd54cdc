//! The programs beside the registry that az looks at too: the container command and helm.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::report::health::{HealthError, HealthLine};

/// The image that az pulls to see whether the daemon can pull at all.
const IMAGE: &str = "mcr.microsoft.com/mcr/hello-world:latest";
/// A tool that does not answer in this time counts as failed; az waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);
/// A pull may take longer.
const PULL_PATIENCE: Duration = Duration::from_secs(120);

/// What a program said.
#[derive(Default)]
struct Said {
    stdout: String,
    stderr: String,
    succeeded: bool,
}

impl Said {
    /// What az passes on of a program that did its work: a warning of its own.
    fn warning(&self) -> Option<HealthLine> {
        self.stderr.to_lowercase().starts_with("warning").then(|| HealthLine::Note(self.stderr.clone()))
    }
}

async fn say(program: &str, arguments: &[&str], patience: Duration) -> Option<Said> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let failed = |why: String| Said { stderr: why, ..Said::default() };
    match timeout(patience, command.output()).await {
        Ok(Ok(ended)) => Some(Said {
            stdout: String::from_utf8_lossy(&ended.stdout).trim_end().to_owned(),
            stderr: String::from_utf8_lossy(&ended.stderr).trim_end().to_owned(),
            succeeded: ended.status.success(),
        }),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Ok(Err(error)) => Some(failed(error.to_string())),
        Err(_) => Some(failed(format!("'{program}' did not answer in {} s", patience.as_secs()))),
    }
}

fn failed(title: &'static str, text: &str) -> HealthLine {
    HealthLine::Failed(HealthError::new(title, text))
}

/// az's text, and below it which command failed with what.
fn failed_command(title: &'static str, text: &str, line: &[&str], said: &Said) -> HealthLine {
    if said.stderr.is_empty() {
        return failed(title, text);
    }
    failed(title, &format!("{text}\nFailed to run command '{}'. {}", line.join(" "), said.stderr))
}

/// `$DOCKER_COMMAND`, docker or podman: is it there, does its daemon answer, can it pull?
pub(super) async fn container(yes: bool) -> Vec<HealthLine> {
    const COMMAND: &str = "DOCKER_COMMAND_ERROR";
    let asked = std::env::var("DOCKER_COMMAND").ok().filter(|command| !command.is_empty());
    let candidates = asked.map_or_else(|| vec!["docker".to_owned(), "podman".to_owned()], |one| vec![one]);
    let mut found = None;
    for candidate in candidates {
        if let Some(said) = say(&candidate, &["ps"], PATIENCE).await {
            found = Some((candidate, said));
            break;
        }
    }
    let missing = "Please verify if Docker client is installed and running.";
    let Some((command, ps)) = found else { return vec![failed(COMMAND, missing)] };
    if !ps.succeeded {
        return vec![failed(COMMAND, if ps.stderr.is_empty() { missing } else { &ps.stderr })];
    }
    let title = titled(&command);
    let mut lines = vec![HealthLine::Note(format!("{title} daemon status: available"))];
    lines.extend(version(&command, &title).await);
    lines.extend(pull(&command, &title, yes).await);
    lines
}

async fn version(command: &str, title: &str) -> Vec<HealthLine> {
    let arguments = ["version", "--format", "json"];
    let said = say(command, &arguments, PATIENCE).await.unwrap_or_default();
    if !said.succeeded {
        let [one, two, three] = arguments;
        let text = "An error occurred while retrieving Docker version. Please try verifying it manually.";
        return vec![failed_command("DOCKER_VERSION_ERROR", text, &[command, one, two, three], &said)];
    }
    let document: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
    let of = |member: &str| {
        document.pointer(&format!("/Client/{member}")).and_then(Value::as_str).unwrap_or("unknown").to_owned()
    };
    let commit: String = of("GitCommit").chars().take(7).collect();
    let platform = match document.pointer("/Client/OsArch").and_then(Value::as_str) {
        Some(both) => both.to_owned(),
        None => format!("{}/{}", of("Os"), of("Arch")),
    };
    let known = HealthLine::Note(format!("{title} version: {}, build {commit}, platform {platform}", of("Version")));
    said.warning().into_iter().chain([known]).collect()
}

async fn pull(command: &str, title: &str, yes: bool) -> Vec<HealthLine> {
    if !yes && !agreed() {
        return vec![HealthLine::Note("Skipping pull check.".to_owned())];
    }
    let said = say(command, &["pull", IMAGE], PULL_PATIENCE).await.unwrap_or_default();
    let passed = HealthLine::Passed(format!("{title} pull of '{IMAGE}'"));
    if said.succeeded {
        return said.warning().into_iter().chain([passed]).collect();
    }
    if said.stderr.contains("cannot be used on this platform") {
        let other = format!("Image '{IMAGE}' can be pulled but cannot be used on this platform");
        return vec![passed, HealthLine::Note(other)];
    }
    let text = "An error occurred while pulling a sample image. Please validate your network connection and verify if \
                Docker daemon is running properly.";
    vec![failed_command("DOCKER_PULL_ERROR", text, &[command, "pull", IMAGE], &said)]
}

/// Asks as az does; where nobody can answer, the answer is no.
fn agreed() -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    // Nobody is left to ask when standard error is closed.
    let _ = write!(io::stderr(), "This will pull the image {IMAGE}. Proceed? (y/n): ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim().to_lowercase().starts_with('y')
}

/// Each word with a capital letter, as az shows a command.
fn titled(command: &str) -> String {
    let mut inside = false;
    let shown = command.chars().map(|letter| {
        let first = letter.is_alphabetic() && !inside;
        inside = letter.is_alphabetic();
        if first { letter.to_uppercase().collect::<String>() } else { letter.to_lowercase().collect() }
    });
    shown.collect()
}

/// Whether helm is there, and new enough.
pub(super) async fn helm() -> Vec<HealthLine> {
    const MISSING: &str = "Please verify if Helm is installed.";
    let Some(help) = say("helm", &["--help"], PATIENCE).await else {
        return vec![failed("HELM_COMMAND_ERROR", MISSING)];
    };
    if !help.stderr.is_empty() {
        return vec![failed("HELM_COMMAND_ERROR", &format!("{MISSING}\n{}", help.stderr))];
    }
    let said = say("helm", &["version", "--client"], PATIENCE).await.unwrap_or_default();
    if !said.succeeded {
        let text = "An error occurred while retrieving Helm version. Please make sure that you have the latest Azure \
                    CLI version, and that you are using the recommended Helm version.";
        return vec![failed_command("HELM_VERSION_ERROR", text, &["helm", "version", "--client"], &said)];
    }
    let version = version_in(&said.stdout);
    let shown = HealthLine::Note(format!("Helm version: {}", version.unwrap_or(&said.stdout)));
    let mut lines: Vec<_> = said.warning().into_iter().chain([shown]).collect();
    if version.is_some_and(|version| !is_recommended(version)) {
        lines.push(failed(
            "HELM_VERSION_ERROR",
            "Current Helm client version is not recommended. Please upgrade your Helm client to at least version 2.11.0.",
        ));
    }
    lines
}

/// The version in helm's own words: `SemVer:"v2.17.0"` or `Version:"v3.14.2"`.
fn version_in(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("SemVer:\"v").or_else(|| said.split_once("Version:\"v"))?;
    let (version, _) = rest.split_once('"')?;
    (!version.is_empty() && version.chars().all(|c| c.is_ascii_digit() || c == '.')).then_some(version)
}

/// At least 2.11.
fn is_recommended(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (2, 11),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helm_before_2_11_is_too_old() {
        assert!(!is_recommended("2.9.1"));
        assert!(is_recommended("2.11.0") && is_recommended("3.14.2"));
    }

    #[test]
    fn helms_version_is_read_from_its_own_words() {
        for (said, version) in [
            ("version.BuildInfo{Version:\"v3.14.2\", GitCommit:\"c309b6f\"}", Some("3.14.2")),
            ("Client: &version.Version{SemVer:\"v2.17.0\", GitCommit:\"a690bad\"}", Some("2.17.0")),
            ("version.BuildInfo{Version:\"v4.0.0-rc.1\"}", None),
            ("", None),
        ] {
            assert_eq!(version_in(said), version, "{said}");
        }
    }

    #[test]
    fn commands_are_shown_as_az_shows_them() {
        for (command, shown) in [("podman", "Podman"), ("/bin/true", "/Bin/True"), ("docker2go", "Docker2Go")] {
            assert_eq!(titled(command), shown);
        }
    }
}

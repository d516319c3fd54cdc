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
struct Said {
    stdout: String,
    stderr: String,
    succeeded: bool,
}

async fn say(program: &str, arguments: &[&str], patience: Duration) -> Option<Said> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let failed = |why: String| Said { stdout: String::new(), stderr: why, succeeded: false };
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

fn failed(title: &'static str, text: &str, more: &str) -> HealthLine {
    let text = if more.is_empty() { text.to_owned() } else { format!("{text}\n{more}") };
    HealthLine::Failed(HealthError::new(title, text))
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
    let Some((command, ps)) = found else {
        return vec![failed(COMMAND, "Please verify if Docker client is installed and running.", "")];
    };
    if !ps.succeeded {
        return vec![failed(COMMAND, &ps.stderr, "")];
    }
    let title = capitalised(&command);
    let mut lines =
        vec![HealthLine::Note(format!("{title} daemon status: available")), version(&command, &title).await];
    lines.push(pull(&command, &title, yes).await);
    lines
}

async fn version(command: &str, title: &str) -> HealthLine {
    let said = say(command, &["version", "--format", "json"], PATIENCE).await;
    let Some(said) = said.filter(|said| said.succeeded) else {
        return failed(
            "DOCKER_VERSION_ERROR",
            "An error occurred while retrieving Docker version. Please try verifying it manually.",
            "",
        );
    };
    let document: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
    let of = |member: &str| {
        document.pointer(&format!("/Client/{member}")).and_then(Value::as_str).unwrap_or("unknown").to_owned()
    };
    let commit: String = of("GitCommit").chars().take(7).collect();
    let platform = match document.pointer("/Client/OsArch").and_then(Value::as_str) {
        Some(both) => both.to_owned(),
        None => format!("{}/{}", of("Os"), of("Arch")),
    };
    HealthLine::Note(format!("{title} version: {}, build {commit}, platform {platform}", of("Version")))
}

async fn pull(command: &str, title: &str, yes: bool) -> HealthLine {
    if !yes && !agreed() {
        return HealthLine::Note("Skipping pull check.".to_owned());
    }
    match say(command, &["pull", IMAGE], PULL_PATIENCE).await {
        Some(said) if said.succeeded => HealthLine::Passed(format!("{title} pull of '{IMAGE}'")),
        said => failed(
            "DOCKER_PULL_ERROR",
            "An error occurred while pulling a sample image. Please validate your network connection and verify if \
             Docker daemon is running properly.",
            &said.map(|said| said.stderr).unwrap_or_default(),
        ),
    }
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

fn capitalised(command: &str) -> String {
    let mut letters = command.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// Whether helm is there, and new enough.
pub(super) async fn helm() -> Vec<HealthLine> {
    let program = std::env::var("HELM_COMMAND").ok().filter(|c| !c.is_empty()).unwrap_or_else(|| "helm".to_owned());
    let Some(said) = say(&program, &["version", "--client", "--short"], PATIENCE).await else {
        return vec![failed("HELM_COMMAND_ERROR", "Please verify if Helm is installed.", "")];
    };
    if !said.succeeded {
        return vec![failed(
            "HELM_VERSION_ERROR",
            "An error occurred while retrieving Helm version. Please make sure that you are using the recommended Helm \
             version.",
            &said.stderr,
        )];
    }
    let version = said.stdout.trim_start_matches("Client: ").trim_start_matches('v');
    let version = version.split(['+', ' ']).next().unwrap_or_default();
    let mut lines = vec![HealthLine::Note(format!("Helm version: {version}"))];
    if !is_recommended(version) {
        lines.push(failed(
            "HELM_VERSION_ERROR",
            "Current Helm client version is not recommended. Please upgrade your Helm client to at least version 2.11.0.",
            "",
        ));
    }
    lines
}

/// At least 2.11; a version that cannot be read is nobody's fault.
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
        assert!(is_recommended("2.11.0") && is_recommended("3.14.2") && is_recommended("canary"));
        assert_eq!(capitalised("podman"), "Podman");
    }
}

//! Real programs in a world: looked for on the machine, started in a namespace, and ready when they say so. They end
//! with the world, whose process is the first of its process namespace.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::{LabError, Scenario, az};

/// A program of the machine, and the Debian package that has it.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// The package.
    pub package: &'static str,
    /// What it says, on either output, once its sockets are bound.
    ready: &'static str,
}

/// A registry.
pub const DOCKER_REGISTRY: Program =
    Program { name: "docker-registry", package: "docker-registry", ready: "listening on" };
/// A proxy.
pub const SQUID: Program = Program { name: "squid", package: "squid-openssl", ready: "HTTP Socket connections at" };
/// A forwarding name server.
pub const DNSMASQ: Program = Program { name: "dnsmasq", package: "dnsmasq-base", ready: "started, version" };
/// A resolver.
pub const UNBOUND: Program = Program { name: "unbound", package: "unbound", ready: "start of service" };
/// A translator between IPv6 and IPv4.
pub const TAYGA: Program = Program { name: "tayga", package: "tayga", ready: "Using tun device" };

/// Each wait for a program, far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where programs and their helpers are looked for.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The device by which links and translators are made.
const TUN: &str = "/dev/net/tun";

impl Program {
    /// Where it is, or what is missing.
    pub fn path(self) -> Result<PathBuf, String> {
        let mut found = PATH.split(':').map(|directory| Path::new(directory).join(self.name));
        found
            .find(|path| path.exists())
            .ok_or_else(|| format!("the program `{}` (package {}) is not installed", self.name, self.package))
    }

    /// A command that runs it, with no environment and no input.
    pub fn command(self) -> Result<Command, LabError> {
        let mut command = Command::new(self.path().map_err(LabError::Unsupported)?);
        command.env_clear().env("PATH", PATH).current_dir("/run/lab");
        Ok(command)
    }

    /// Starts a command that runs it, in this thread's namespace, and waits until it says that it is ready.
    pub fn start(self, mut command: Command) -> Result<Child, LabError> {
        let (output, written) = std::io::pipe().map_err(LabError::io("pipe"))?;
        let also_written = written.try_clone().map_err(LabError::io("pipe"))?;
        command.stdin(Stdio::null()).stdout(written).stderr(also_written);
        let child = command.spawn().map_err(LabError::io(self.name))?;
        // The command holds the pipe's other end open.
        drop(command);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            // It is read to its end, so that the program never waits for a reader.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens any more once it is ready.
                let _ = tell.send(line);
            }
        });
        let mut said = Vec::new();
        loop {
            match told.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(self.ready) => return Ok(child),
                Ok(line) => said.push(line),
                Err(_) => {
                    let stderr = said.join("\n");
                    return Err(LabError::Command { command: self.name.to_owned(), stderr });
                }
            }
        }
    }
}

/// What a scenario needs of this machine that is not there.
pub fn missing(scenario: &Scenario) -> Option<String> {
    let mut programs = Vec::new();
    if scenario.real_registry {
        programs.push(DOCKER_REGISTRY);
    }
    if scenario.proxy.as_ref().is_some_and(|proxy| proxy.squid) {
        programs.push(SQUID);
    }
    programs.extend(scenario.resolver.as_ref().map(|resolver| resolver.program.program()));
    if scenario.client.nat64 {
        programs.extend([UNBOUND, TAYGA]);
    }
    let az = scenario.client.az.then(az::program).and_then(Result::err);
    let tun = (scenario.client.nat64 || scenario.link.is_some()).then(tun).and_then(Result::err);
    tun.or(az).or_else(|| programs.into_iter().find_map(|program| program.path().err()))
}

fn tun() -> Result<File, String> {
    let open = File::options().read(true).write(true).open(TUN);
    open.map_err(|error| format!("the device {TUN} cannot be opened: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELL: Program = Program { name: "sh", package: "dash", ready: "ready" };

    fn start(script: &str) -> Result<Child, LabError> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        SHELL.start(command)
    }

    #[test]
    fn it_is_ready_when_it_says_so_on_either_output() {
        for script in ["echo starting; echo now ready; read forever", "echo now ready >&2"] {
            start(script).unwrap().wait().unwrap();
        }
    }

    #[test]
    fn what_it_said_before_it_ended_is_told() {
        let error = start("echo line 7: no such option >&2; exit 1").unwrap_err().to_string();
        assert_eq!(error, "`sh` failed: line 7: no such option");
    }

    #[test]
    fn what_is_not_installed_is_named_with_its_package() {
        let absent = Program { name: "no-such-program", package: "nothing", ready: "" };
        assert_eq!(absent.path().unwrap_err(), "the program `no-such-program` (package nothing) is not installed");
    }
}

//! How a world comes to be: the test's process starts itself twice more. The first copy leaves the machine's
//! namespaces, the second is process 1 of the new ones and holds the world. When it ends, everything in it ends.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::namespaces;
use crate::outcome::{Outcome, Ran};
use crate::running::Running;
use crate::tokens::{CLIENT_ID, SECRET, TENANT};
use crate::world::{Lab, World};
use crate::{LabError, Scenario, az, backing, base, corporate, daemon, heal, judge, server};

const ROLE: &str = "ACR_DOCTOR_LAB_ROLE";
/// The namespaces that something is served in: the client's has its stub resolver and its docker daemon, if any.
const SERVING: [&str; 3] = ["azure", "corp", "client"];
const ORDER: &str = "ACR_DOCTOR_LAB_ORDER";

/// What a world is wanted for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Order {
    /// The scenario file.
    pub scenario: PathBuf,
    /// The program under test.
    pub program: PathBuf,
    /// Arguments instead of the scenario's.
    pub args: Option<Vec<String>>,
    /// Another command line than the program's; where it begins with `az`, the Azure CLI is signed in first.
    pub command: Option<Vec<String>>,
    /// Seconds before it counts as hung, instead of the scenario's.
    pub deadline: Option<u64>,
    /// Whether the command, such as a script, uses the Azure CLI, which is then signed in first.
    pub az: bool,
    /// Which of a finding's fixes is made, among those that are data: 0 is the first.
    pub alternative: usize,
    /// Environment variables besides the client's, which they replace.
    pub env: Vec<(String, String)>,
    /// Whether to give the terminal to a shell in the client's namespace after the run.
    pub shell: bool,
}

/// Must be the first call of every binary that opens worlds: in a copy of itself it does the copy's work and tells
/// to return at once.
pub fn intercept() -> Option<ExitCode> {
    let role = std::env::var(ROLE).ok()?;
    // If whoever started us dies, so do we, and the namespaces with us.
    let _ = set_pdeathsig(Signal::SIGKILL);
    let outcome = if role == "leave" { leave() } else { hold() };
    let outcome = match outcome {
        Ok(None) => return Some(ExitCode::SUCCESS),
        Ok(Some(outcome)) => outcome,
        Err(LabError::Unsupported(why)) => Outcome::Unsupported(why),
        Err(error) => Outcome::Failed(error.to_string()),
    };
    let text = format!("\n{}", serde_json::to_string(&outcome).unwrap_or_else(|e| e.to_string()));
    let written = std::io::stdout().write_all(text.as_bytes());
    Some(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Opens a world, runs the program in it, and tells what came of it.
pub fn open(order: &Order) -> Result<Outcome, LabError> {
    let mut copy = copy("leave", &serde_json::to_string(order)?)?;
    copy.stdout(Stdio::piped()).stderr(if order.shell { Stdio::inherit() } else { Stdio::piped() });
    let running = copy.spawn().map_err(LabError::io("start a copy"))?;
    let output = running.wait_with_output().map_err(LabError::io("wait for a copy"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // Something in the world may have written before the outcome, which is one line.
    let report = text.lines().last().unwrap_or_default();
    if report.is_empty() {
        return Err(LabError::Scenario(format!(
            "the world's process ended with {} and said: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )));
    }
    Ok(serde_json::from_str(report)?)
}

fn copy(role: &str, order: &str) -> Result<Command, LabError> {
    let this = std::env::current_exe().map_err(LabError::io("this program's path"))?;
    let mut command = Command::new(this);
    command.env(ROLE, role).env(ORDER, order).stdin(Stdio::inherit());
    Ok(command)
}

fn order() -> Result<Order, LabError> {
    let text = std::env::var(ORDER).map_err(|e| LabError::Scenario(e.to_string()))?;
    Ok(serde_json::from_str(&text)?)
}

/// The first copy: leaves, and waits for the second one.
fn leave() -> Result<Option<Outcome>, LabError> {
    let order = std::env::var(ORDER).map_err(|e| LabError::Scenario(e.to_string()))?;
    namespaces::leave()?;
    let status = copy("hold", &order)?.status().map_err(LabError::io("start the world's process"))?;
    if status.success() {
        Ok(None)
    } else {
        Err(LabError::Scenario(format!("the world's process ended with {status}")))
    }
}

/// The second copy: holds the world.
fn hold() -> Result<Option<Outcome>, LabError> {
    let order = order()?;
    let scenario = Scenario::read(&order.scenario)?;
    let world = World::new(&scenario)?;
    namespaces::furnish(&world)?;
    namespaces::connect(&world)?;
    if world.real_registry {
        backing::start()?;
    }
    let lab = Arc::new(Lab::new(world)?);
    publish_authorities(&lab)?;
    serve(&lab)?;
    let mut running = Running::start(&lab)?;
    let first = match sign_az_in(&lab, &scenario, &order)? {
        Some(refused) => refused,
        None => run(&lab, &scenario, &order)?,
    };
    let asked_otherwise = order.args.is_some() || order.command.is_some();
    let healed = if asked_otherwise { None } else { heal(&lab, &scenario, &order, &first, &mut running)? };
    if order.shell {
        shell(&lab, azure_cli(&scenario, &order)?.as_deref(), &order)?;
    }
    Ok(Some(Outcome::Ran { first, healed }))
}

/// Puts the authorities' certificates where clients and programs find them: the one that all trust, the corporate one
/// that decrypts, and both in one file.
fn publish_authorities(lab: &Lab) -> Result<(), LabError> {
    let (trusted, corporate) = (lab.authority.pem(), lab.authority.inspecting_pem());
    let both = format!("{trusted}{corporate}");
    for (name, pem) in [("ca", trusted), ("corporate-ca", corporate), ("both-cas", both)] {
        std::fs::write(format!("/run/lab/{name}.pem"), pem).map_err(LabError::io("write the authorities"))?;
    }
    Ok(())
}

/// Mends the world as the scenario says, else as the report itself says, and runs the program again. A right that is
/// given may show that another one is missing: until the world is healed, whatever new the report proposes is done.
fn heal(
    lab: &Lab,
    scenario: &Scenario,
    order: &Order,
    first: &Ran,
    running: &mut Running,
) -> Result<Option<Ran>, LabError> {
    if let Some(heal) = &scenario.healed_by {
        lab.heal(heal)?;
        return again(lab, scenario, order, running).map(Some);
    }
    let mut done: Vec<Vec<serde_json::Value>> = Vec::new();
    let mut healed = None;
    while scenario.fix_does_not_heal.is_none() && done.len() < 4 {
        let last = healed.as_ref().unwrap_or(first);
        let report = serde_json::from_str(&last.stdout).unwrap_or_default();
        let changes = heal::changes(&report, &scenario.mends, order.alternative);
        if changes.is_empty() || done.contains(&changes) {
            break;
        }
        lab.apply(&changes);
        done.push(changes);
        let ran = again(lab, scenario, order, running)?;
        let is_healed = judge::unhealed(scenario, first, &ran).is_none();
        healed = Some(ran);
        if is_healed {
            break;
        }
    }
    Ok(healed)
}

/// Runs the program in the world that was changed.
fn again(lab: &Lab, scenario: &Scenario, order: &Order, running: &mut Running) -> Result<Ran, LabError> {
    namespaces::client_files(&lab.world())?;
    namespaces::set_rules(&lab.world())?;
    namespaces::set_client(&lab.world())?;
    running.restart(lab)?;
    run(lab, scenario, order)
}

/// Starts the servers on threads of their namespaces and waits until all sockets are bound.
fn serve(lab: &Arc<Lab>) -> Result<(), LabError> {
    let (ready, readiness) = mpsc::channel();
    for namespace in SERVING {
        let (lab, ready) = (Arc::clone(lab), ready.clone());
        std::thread::spawn(move || {
            let told = ready.clone();
            if let Err(error) = serve_in(namespace, &lab, &told) {
                // The receiver is gone only if another namespace failed first.
                let _ = ready.send(Err(error));
            }
        });
    }
    for _ in SERVING {
        readiness.recv().map_err(|e| LabError::Scenario(format!("a server ended: {e}")))??;
    }
    Ok(())
}

fn serve_in(namespace: &str, lab: &Arc<Lab>, ready: &mpsc::Sender<Result<(), LabError>>) -> Result<(), LabError> {
    namespaces::enter(namespace)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LabError::io("runtime"))?;
    runtime.block_on(async {
        match namespace {
            "azure" => server::start_azure(lab).await?,
            "corp" => corporate::start(lab).await?,
            _ => {
                server::start_stub(lab).await?;
                daemon::start(lab)?;
            }
        }
        let _ = ready.send(Ok(()));
        std::future::pending::<Result<(), LabError>>().await
    })
}

/// The Azure CLI, where the client is to have one.
fn azure_cli(scenario: &Scenario, order: &Order) -> Result<Option<PathBuf>, LabError> {
    let command = order.command.as_ref().or(scenario.run.command.as_ref());
    let is_run = command.and_then(|line| line.first()).is_some_and(|word| word == "az");
    if is_run || scenario.client.az || order.az {
        return az::program().map(Some).map_err(LabError::Unsupported);
    }
    // Whoever opens a shell may want it, but does not need it.
    Ok(az::program().ok().filter(|_| order.shell))
}

/// Signs the Azure CLI in, if the client is to have it so; tells what it said if it could not.
fn sign_az_in(lab: &Lab, scenario: &Scenario, order: &Order) -> Result<Option<Ran>, LabError> {
    let Some(program) = azure_cli(scenario, order)? else { return Ok(None) };
    let client = lab.world().client.clone();
    let secret = az::secret(client.secret.as_deref());
    std::fs::write(az::SECRET_FILE, secret).map_err(LabError::io(az::SECRET_FILE))?;
    if !(client.signed_in || client.az) {
        return Ok(None);
    }
    let line = az::sign_in(&program);
    let environment = environment(&lab.world(), Some(&program), order);
    let ran = run_line(lab, line, environment, deadline(scenario, order))?;
    Ok(Some(ran).filter(|ran| ran.exit != Some(0)))
}

/// The environment that the client has.
fn environment(world: &World, az: Option<&Path>, order: &Order) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/run/lab/home"),
        ("LANG", "C.UTF-8"),
        ("SSL_CERT_FILE", "/run/lab/ca.pem"),
        ("RUST_BACKTRACE", "1"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec();
    if world.client.signed_in {
        let secret = world.client.secret.as_deref().unwrap_or(SECRET);
        let given = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT_ID), ("AZURE_CLIENT_SECRET", secret)];
        all.extend(given.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
    if let Some(program) = az {
        all.extend(az::environment());
        let directory = program.parent().map(|d| d.display().to_string()).unwrap_or_default();
        all.iter_mut().filter(|(k, _)| k == "PATH").for_each(|(_, path)| *path = format!("{path}:{directory}"));
    }
    all.extend(world.client.env.iter().map(|(k, v)| (k.clone(), v.clone())));
    all.extend(order.env.iter().cloned());
    all
}

fn command_line(world: &World, scenario: &Scenario, order: &Order) -> Vec<String> {
    if let Some(command) = order.command.as_ref().or(scenario.run.command.as_ref()) {
        return command.clone();
    }
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut line = vec![order.program.display().to_string()];
    match (&order.args, &scenario.run.args) {
        (Some(args), _) | (None, Some(args)) => line.extend(args.iter().cloned()),
        (None, None) => line.extend(words("check -n myreg -o json")),
    }
    let elsewhere = line.iter().any(|word| word == "--from");
    if world.in_subnet && !elsewhere && line.get(1).is_some_and(|c| c == "check" || c == "probe") {
        line.extend(["--subnet".to_owned(), base::client_subnet()]);
    }
    line.extend(scenario.run.extra.iter().cloned());
    line
}

/// Runs the program in the client's namespace.
fn run(lab: &Lab, scenario: &Scenario, order: &Order) -> Result<Ran, LabError> {
    let az = azure_cli(scenario, order)?;
    let (line, environment) = {
        let world = lab.world();
        (command_line(&world, scenario, order), environment(&world, az.as_deref(), order))
    };
    run_line(lab, line, environment, deadline(scenario, order))
}

/// How long a run may take.
fn deadline(scenario: &Scenario, order: &Order) -> Duration {
    Duration::from_secs(order.deadline.or(scenario.run.deadline).unwrap_or(90))
}

/// Runs a command line in the client's namespace.
fn run_line(
    lab: &Lab,
    line: Vec<String>,
    environment: Vec<(String, String)>,
    deadline: Duration,
) -> Result<Ran, LabError> {
    lab.take_log();
    let started = Instant::now();
    let mut ran = namespaces::inside("client", || execute(&line, environment, deadline))??;
    ran.seconds = started.elapsed().as_secs_f64();
    ran.command = line;
    ran.log = lab.take_log();
    Ok(ran)
}

fn execute(line: &[String], environment: Vec<(String, String)>, deadline: Duration) -> Result<Ran, LabError> {
    let (program, arguments) = line.split_first().ok_or_else(|| LabError::Scenario("nothing to run".to_owned()))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir("/run/lab/home")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A program that only starts another one is ended with it.
        .process_group(0)
        .spawn()
        .map_err(LabError::io(program.clone()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let stdout = scope.spawn(move || read_all(stdout));
        let stderr = scope.spawn(move || read_all(stderr));
        let (ended, end) = mpsc::channel::<()>();
        let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
        let watchdog = scope.spawn(move || {
            let late = end.recv_timeout(deadline) == Err(mpsc::RecvTimeoutError::Timeout);
            late && nix::sys::signal::killpg(id, Signal::SIGKILL).is_ok()
        });
        let status = child.wait().map_err(LabError::io("wait for the program"))?;
        drop(ended);
        let hung = watchdog.join().unwrap_or(false);
        Ok(Ran {
            exit: if hung { None } else { status.code() },
            stdout: stdout.join().unwrap_or_default(),
            stderr: stderr.join().unwrap_or_default(),
            ..Ran::default()
        })
    })
}

fn read_all(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was read before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Gives the terminal to a shell in the client's namespace.
fn shell(lab: &Lab, az: Option<&Path>, order: &Order) -> Result<(), LabError> {
    let environment = environment(&lab.world(), az, order);
    let program = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    namespaces::inside("client", || {
        let mut command = Command::new(program);
        command.env_clear().envs(environment).env("TERM", "xterm").env("PS1", "client$ ");
        // The outcome is read from standard output, so the shell writes to standard error's terminal.
        let error = std::io::stderr();
        let terminal = std::os::fd::AsFd::as_fd(&error).try_clone_to_owned().map_err(LabError::io("terminal"))?;
        command.stdout(terminal).status().map(|_| ()).map_err(LabError::io(program))
    })?
}

//! Measures `acr-doctor audit` over a fleet that exists on this machine's loopback alone.
//!
//! ```text
//! cargo build && cargo run --example fleet -- [REGISTRIES] [SUBSCRIPTIONS] [LATENCY_MS] [graph|denied|hidden|half] [FAULTS_PERCENT] [-- AUDIT ARGUMENTS]
//! ```
//!
//! Starts a Resource Graph, an ARM and an identity endpoint, each answer after the latency; runs the program beside
//! this example against them; prints requests, the program's greatest memory and the time. `denied`: Resource Graph
//! refuses; `hidden`: rows do not show subnet rules; `half`: every second subscription may not be read.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement, never shipped"
)]

mod server;
mod world;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use world::{Mode, World};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (own, audit) = match arguments.iter().position(|a| a == "--") {
        Some(at) => (arguments[..at].to_vec(), arguments[at + 1..].to_vec()),
        None => (arguments, Vec::new()),
    };
    let number = |index: usize, default: usize| own.get(index).map_or(default, |text| text.parse().expect("a number"));
    let (registries, subscriptions, latency) = (number(0, 10_000), number(1, 100), number(2, 100));
    let mode = Mode::named(own.get(3).map_or("graph", String::as_str));
    let world = Arc::new(World::new(registries, subscriptions, mode, number(4, 0)));
    let server = server::start(Arc::clone(&world), Duration::from_millis(latency as u64), usize::MAX);
    let home = std::env::temp_dir().join(format!("acr-doctor-fleet-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a temporary directory");
    let cloud = home.join("cloud.json");
    std::fs::write(&cloud, server.cloud()).expect("the cloud's file");
    let program = std::env::current_exe().expect("this example").parent().unwrap().parent().unwrap().join("acr-doctor");
    let mut command = Command::new(&program);
    command.arg("audit").arg("--all-subscriptions").arg("--cloud").arg(&cloud);
    command.args(if audit.is_empty() { vec!["-o".to_owned(), "table".to_owned()] } else { audit });
    command.env_clear().env("IDENTITY_ENDPOINT", server.identity()).env("IDENTITY_HEADER", "fleet").env("HOME", &home);
    command.current_dir(&home).stdout(Stdio::from(std::fs::File::create(home.join("out")).expect("a file")));
    let started = Instant::now();
    let mut child =
        command.spawn().unwrap_or_else(|e| panic!("cannot start {}: {e} (run `cargo build` first)", program.display()));
    let status = format!("/proc/{}/status", child.id());
    let mut memory = String::from("unknown");
    let code = loop {
        if let Some(line) = std::fs::read_to_string(&status)
            .ok()
            .and_then(|s| s.lines().find(|l| l.starts_with("VmHWM")).map(str::to_owned))
        {
            memory = line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        }
        if let Some(code) = child.try_wait().expect("the program's end") {
            break code;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let took = started.elapsed();
    let out = std::fs::read_to_string(home.join("out")).unwrap_or_default();
    for line in out.lines().take(5).chain(out.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev()) {
        println!("  {}", line.chars().take(150).collect::<String>());
    }
    println!("{registries} registries in {subscriptions} subscriptions, latency {latency} ms, {mode:?}: {code}");
    let requests = server.requests();
    let parts: Vec<String> = requests.iter().map(|(what, count)| format!("{count} {what}")).collect();
    println!("requests: {} ({})", server.served(), parts.join(", "));
    println!("answered 429, 503 or cut off: {}", server.faults());
    println!("greatest memory: {memory}");
    println!("time: {:.2} s; output: {} bytes, sum {:016x}", took.as_secs_f64(), out.len(), sum(&out));
    std::fs::remove_dir_all(&home).expect("the temporary directory");
}

/// A sum by which two outputs are compared.
fn sum(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

//! What an audit holds at its peak, in bytes that it asked for: no timing, and no page that the system lent.
//!
//! This program is both sides: started by itself with `MEASURED` set, it is acr-doctor, and writes its peak to that file.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails, and says where")]

#[path = "../examples/fleet/server.rs"]
#[expect(dead_code, reason = "its counts are of no interest here")]
mod server;
#[path = "../examples/fleet/world.rs"]
mod world;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use peak_alloc::PeakAlloc;
use world::{Mode, World};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Where the measured program writes its peak.
const MEASURED: &str = "ACR_DOCTOR_MEASURED";

/// So much more a registry is chance: which pages are there at once. The least that could be kept of one, its id, has
/// more bytes than that.
const MORE_A_REGISTRY: usize = 100;

/// Pages are small, so that a small fleet has many.
const ROWS_OF_A_PAGE: usize = 20;
fn main() -> ExitCode {
    if let Some(file) = std::env::var_os(MEASURED) {
        let code = acr_doctor::cli::main();
        std::fs::write(file, MEMORY.peak_usage().to_string()).unwrap();
        return code;
    }
    // Where Resource Graph is denied, a subscription is read whole: there the fleet has more of them.
    let trials = [("graph", [20, 20]), ("hidden", [20, 20]), ("denied", [20, 120])].map(|(mode, subscriptions)| {
        let name = format!("a_stream_does_not_hold_the_fleet::{mode}");
        Trial::test(name, move || holds_no_more_of_a_larger_fleet(mode, subscriptions))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// The most bytes that `audit -o jsonl` held, and the lines that it wrote.
fn peak(registries: usize, subscriptions: usize, mode: &str) -> (usize, usize) {
    let mut world = World::new(registries, subscriptions, Mode::named(mode), 0);
    world.most_rows = ROWS_OF_A_PAGE;
    let server = server::start(Arc::new(world), Duration::ZERO, usize::MAX);
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("memory-{mode}-{registries}"));
    std::fs::create_dir_all(&home).unwrap();
    let (cloud, measured) = (home.join("cloud.json"), home.join("peak"));
    std::fs::write(&cloud, server.cloud()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["audit", "--all-subscriptions", "-o", "jsonl", "--max-in-flight", "4", "--cloud"]).arg(&cloud);
    command.env_clear().env("IDENTITY_ENDPOINT", server.identity()).env("IDENTITY_HEADER", "fleet");
    command.env("HOME", &home).env(MEASURED, &measured).current_dir(&home);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.code() == Some(1) && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|byte| *byte == b'\n').count() - 1;
    (std::fs::read_to_string(&measured).unwrap().parse().unwrap(), lines)
}

/// The smaller fleet has fifty pages already, so that as many of them are under way at once as ever.
fn holds_no_more_of_a_larger_fleet(mode: &str, subscriptions: [usize; 2]) -> Result<(), Failed> {
    let sizes = [1_000, 6_000];
    let peaks = [0, 1].map(|i| peak(sizes[i], subscriptions[i], mode));
    assert_eq!(peaks.map(|(_, lines)| lines), sizes.map(|registries| registries + 1));
    let [(small, _), (large, _)] = peaks;
    let a_registry = large.saturating_sub(small) / (sizes[1] - sizes[0]);
    if a_registry > MORE_A_REGISTRY {
        return Err(format!("{small} bytes, then {large}: {a_registry} more a registry").into());
    }
    Ok(())
}

//! Audits that are killed or interrupted half-way, and go on from their resume file; and audits with faults on the way.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::doctor::{doctor, scratch};
use crate::fleet_server::{self, Server};
use crate::world::{Mode, World};

/// Twelve subscriptions with ten registries each.
const REGISTRIES: usize = 120;
const SUBSCRIPTIONS: usize = 12;

/// A fleet on loopback, and a directory for what an audit of it writes.
struct Fleet {
    directory: PathBuf,
    server: Server,
}

impl Fleet {
    fn new(name: &str) -> Self {
        Self { directory: scratch(name), server: serve("graph", 0, usize::MAX) }
    }

    /// Another Azure with the same registries, that falls silent at some request.
    fn served(&mut self, mode: &str, silent_from: usize) {
        self.server = serve(mode, 0, silent_from);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// An audit into a file, one request at a time, with its progress in the resume file.
    fn audit(&self, output: &str) -> Child {
        let cloud = self.file("cloud.json");
        std::fs::write(&cloud, self.server.cloud()).unwrap();
        let mut command = doctor(&["audit", "--all-subscriptions", "-o", "json", "--max-in-flight", "1"]);
        command.arg("--cloud").arg(&cloud).arg("--resume").arg(self.file("resume"));
        command.env("IDENTITY_ENDPOINT", self.server.identity()).env("IDENTITY_HEADER", "fleet");
        command.current_dir(&self.directory).stderr(Stdio::piped());
        command.stdout(std::fs::File::create(self.file(output)).unwrap()).spawn().unwrap()
    }

    /// An audit to its end: its registries.
    fn audited(&self, output: &str) -> Vec<Value> {
        let ended = self.audit(output).wait_with_output().unwrap();
        assert!(ended.status.code() == Some(1) && ended.stderr.is_empty(), "{ended:?}");
        assert!(!self.file("resume").exists(), "the resume file goes when the audit is complete");
        let report: Value = serde_json::from_slice(&std::fs::read(self.file(output)).unwrap()).unwrap();
        report["registries"].as_array().unwrap().clone()
    }

    /// Lines of a kind in the resume file.
    fn noted(&self, word: &str) -> usize {
        let text = std::fs::read_to_string(self.file("resume")).unwrap_or_default();
        text.lines().filter(|line| line.contains(word)).count()
    }

    fn asked(&self, what: &str) -> usize {
        self.server.requests().get(what).copied().unwrap_or_default()
    }
}

fn serve(mode: &str, faults: usize, silent_from: usize) -> Server {
    let mut world = World::new(REGISTRIES, SUBSCRIPTIONS, Mode::named(mode), faults);
    world.most_rows = 40;
    fleet_server::start(Arc::new(world), Duration::ZERO, silent_from)
}

/// Until something is so, which it will be.
fn until(mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "it never came to that");
        std::thread::yield_now();
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn stop(mut child: Child, name: &str) -> ExitStatus {
    signal(&child, name);
    child.wait().unwrap()
}

/// Changes a noted registry, so that the end shows where its report came from.
fn mark(resume: &Path) {
    let text = std::fs::read_to_string(resume).unwrap();
    let (before, after) = text.split_once("\"summary\":\"").unwrap();
    std::fs::write(resume, format!("{before}\"summary\":\"from the file: {after}")).unwrap();
}

fn without_mark(mut registries: Vec<Value>) -> (Vec<Value>, usize) {
    let mut marked = 0;
    for registry in &mut registries {
        if let Some(summary) = registry["summary"].as_str().and_then(|s| s.strip_prefix("from the file: ")) {
            let summary = summary.to_owned();
            registry["summary"] = summary.into();
            marked += 1;
        }
    }
    (registries, marked)
}

#[test]
fn a_killed_audit_goes_on_and_lists_no_finished_subscription_again() {
    let mut fleet = Fleet::new("resume-killed");
    fleet.served("denied", usize::MAX);
    let whole = fleet.audited("whole.json");
    assert_eq!(whole.len(), REGISTRIES);
    let all = fleet.asked("registry list");
    fleet.served("denied", 30);
    let child = fleet.audit("killed.json");
    until(|| fleet.noted("finishedSubscription") >= 3 && fleet.server.served() > 30);
    assert!(!stop(child, "-KILL").success());
    let finished = fleet.noted("finishedSubscription");
    assert!((3..SUBSCRIPTIONS).contains(&finished), "{finished}");
    mark(&fleet.file("resume"));
    fleet.served("denied", usize::MAX);
    let (rest, marked) = without_mark(fleet.audited("resumed.json"));
    assert_eq!(rest, whole, "the same report as without the stop");
    assert_eq!(marked, 1, "what was noted is not judged again");
    assert_eq!(fleet.asked("registry list"), all - finished, "nothing finished is listed again");
}

#[test]
fn an_interrupted_audit_goes_on_where_resource_graph_is_read() {
    let mut fleet = Fleet::new("resume-interrupted");
    let whole = fleet.audited("whole.json");
    assert_eq!(whole.len(), REGISTRIES);
    let all: usize = fleet.server.requests().values().sum();
    fleet.served("graph", all - 1);
    let child = fleet.audit("interrupted.json");
    until(|| fleet.noted("RegistryReport") >= 40);
    assert_eq!(stop(child, "-INT").code(), Some(130));
    assert!(fleet.noted("RegistryReport") < REGISTRIES);
    mark(&fleet.file("resume"));
    fleet.served("graph", usize::MAX);
    let (rest, marked) = without_mark(fleet.audited("resumed.json"));
    assert_eq!(rest, whole);
    assert_eq!(marked, 1);
}

#[test]
fn faults_on_the_way_leave_the_report_as_it_is() {
    let mut fleet = Fleet::new("fleet-faults");
    let whole = fleet.audited("whole.json");
    fleet.server = serve("graph", 30, usize::MAX);
    assert_eq!(fleet.audited("faulty.json"), whole);
    assert!(fleet.server.faults() >= 3, "{}", fleet.server.faults());
}

//! Snapshots of every node of a cluster: which node fails, and where that is said.

use std::path::{Path, PathBuf};

use acr_doctor::facts::{ConfigFacts, ProbeFacts, Snapshot};
use serde_json::Value;
use time::macros::datetime;

use crate::doctor::{golden, run, scratch};
use crate::fixtures::{Fixture, facts};

/// What a node meets, as the fixtures say it, and which nodes do.
const NODES: &[(&str, &[&str])] = &[
    ("[]", &["node-01", "node-02", "node-04", "node-05", "node-06", "node-08"]),
    ("['all dns timedOut', 'controls dns timedOut']", &["node-03", "node-07"]),
    ("['data tcp timedOut']", &["node-09"]),
];

fn pair(meets: &str) -> (ConfigFacts, ProbeFacts) {
    let text = format!("name = 'a node'\nworld = 'ip-rule'\nexpect = []\nmeets = {meets}");
    let fixture: Fixture = toml::from_str(&text).unwrap();
    let (config, probes) = facts(&fixture.changed_world()).unwrap();
    (config, probes.into_iter().next().unwrap())
}

fn write<F: acr_doctor::facts::snapshot::SnapshotFacts>(path: &Path, facts: F) {
    let snapshot = Snapshot::new(facts, datetime!(2026-11-24 01:02:03 UTC));
    std::fs::write(path, serde_json::to_vec(&snapshot).unwrap()).unwrap();
}

/// A directory as the DaemonSet and the Job of examples/kubernetes leave it.
fn cluster(name: &str) -> PathBuf {
    let directory = scratch(name);
    for (meets, nodes) in NODES {
        for node in *nodes {
            let (config, mut probe) = pair(meets);
            write(&directory.join("registry.config.json"), config);
            (*node).clone_into(&mut probe.vantage.hostname);
            write(&directory.join(format!("{node}.probe.json")), probe);
        }
    }
    directory
}

#[test]
fn the_nodes_that_fail_are_named_and_those_alike_share_a_row() {
    let directory = cluster("hosts-table");
    let path = directory.to_str().unwrap();
    let audited = run(&["audit", "--config-dir", path, "--probe-dir", path, "-o", "table"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    golden("several-hosts", &audited.stdout);
    let joined = run(&["reconcile", "--config", path, "--probe", path, "-o", "table"]);
    assert_eq!(joined.code, 1, "{}", joined.stderr);
    for rows in [&audited.stdout, &joined.stdout] {
        assert!(rows.contains("2 of 9: node-03, node-07") && rows.contains("1 of 9: node-09"), "{rows}");
        assert!(rows.contains("6 of 9: node-01, node-02, node-04 and 3 more"), "{rows}");
    }
}

#[test]
fn programs_find_the_nodes_by_what_they_see() {
    let directory = cluster("hosts-json");
    let path = directory.to_str().unwrap();
    let ran = run(&["reconcile", "--config", path, "--probe", path, "-o", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["registries"].as_array().unwrap().len(), 9, "an entry a node");
    assert_eq!(report["vantage"], Value::Null, "no one of them is the vantage");
    let groups: Vec<(&str, Value)> = report["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| (g["verdict"].as_str().unwrap(), g["hosts"].clone()))
        .collect();
    assert_eq!(groups.len(), 3);
    assert!(groups.contains(&("blocked", serde_json::json!(["node-03", "node-07"]))), "{groups:?}");
    let of = |host: &str| report["registries"].as_array().unwrap().iter().find(|r| r["seenFrom"] == host).unwrap();
    assert_eq!(of("node-03")["verdict"], "blocked");
    assert_ne!(of("node-01")["verdict"], "blocked");
}

#[test]
fn every_format_tells_the_nodes_apart() {
    let directory = cluster("hosts-formats");
    let path = directory.to_str().unwrap();
    for format in ["sarif", "junit", "markdown", "html", "csv"] {
        let ran = run(&["audit", "--config-dir", path, "--probe-dir", path, "--format", format]);
        assert!(ran.stdout.contains("node-03") && ran.stdout.contains("node-07"), "{format}: {}", ran.stdout);
    }
    let lines = run(&["audit", "--config-dir", path, "--probe-dir", path, "-o", "tsv"]).stdout;
    assert!(lines.lines().all(|line| line.split('\t').count() == 9), "{lines}");
}

#[test]
fn what_one_node_had_yesterday_is_news_on_another() {
    let directory = cluster("hosts-baseline");
    let path = directory.to_str().unwrap();
    let bad = directory.join("node-07.probe.json");
    let aside = directory.join("node-07.aside");
    std::fs::rename(&bad, &aside).unwrap();
    let before = run(&["audit", "--config-dir", path, "--probe-dir", path, "-o", "json"]).stdout;
    let baseline = scratch("hosts-baseline-report").join("yesterday.json");
    std::fs::write(&baseline, before).unwrap();
    std::fs::rename(&aside, &bad).unwrap();
    let baseline = baseline.to_str().unwrap();
    let ran = run(&["audit", "--config-dir", path, "--probe-dir", path, "--baseline", baseline, "-o", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let with_news: Vec<&str> = report["registries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["findings"].as_array().is_some_and(|f| !f.is_empty()))
        .map(|r| r["seenFrom"].as_str().unwrap())
        .collect();
    assert_eq!(with_news, ["node-07"]);
}

#[test]
fn one_host_that_looks_at_many_registries_is_the_vantage() {
    let directory = scratch("hosts-one");
    let (config, probe) = pair("[]");
    write(&directory.join("a.json"), config);
    write(&directory.join("b.json"), probe.clone());
    write(&directory.join("c.json"), probe);
    let path = directory.to_str().unwrap();
    let ran = run(&["reconcile", "--config", path, "--probe", path, "-o", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(report["vantage"]["hostname"].is_string() && report.get("hosts").is_none());
    assert!(report["registries"][0].get("seenFrom").is_none());
}

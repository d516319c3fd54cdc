//! `audit` as a command: its policy file, its formats and files, its exit codes. The registries are the examples'.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::doctor::{Ran, doctor, finish, scratch};
use crate::golden::root;

const NAMES: [&str; 4] =
    ["client-ip-not-allowed", "data-endpoint-record-missing", "subnet-rule-missing", "tls-intercepted"];

/// An audit of the four examples in a directory of its own.
struct Audit {
    directory: PathBuf,
}

impl Audit {
    fn new(name: &str) -> Self {
        Self { directory: scratch(name) }
    }

    fn policy(name: &str, text: &str) -> Self {
        let audit = Self::new(name);
        std::fs::write(audit.file("acr-doctor.toml"), text).unwrap();
        audit
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn command(&self, more: &[&str]) -> Command {
        let file = |half: &str, name: &str| root().join(format!("examples/{name}/{half}.json"));
        let mut command = doctor(&["audit"]);
        command.arg("--config-dir").args(NAMES.map(|name| file("config", name)));
        command.arg("--probe-dir").args(NAMES.map(|name| file("probe", name)));
        command.args(more).current_dir(&self.directory);
        command
    }

    fn run(&self, more: &[&str]) -> Ran {
        finish(&mut self.command(more))
    }

    fn report(&self, more: &[&str]) -> (i32, Value) {
        let ran = self.run(&[more, &["-o", "json"]].concat());
        (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}")))
    }
}

fn codes(report: &Value) -> Vec<&str> {
    let registries = report["registries"].as_array().unwrap();
    registries.iter().flat_map(|r| r["findings"].as_array().unwrap()).map(|f| f["code"].as_str().unwrap()).collect()
}

fn notices(report: &Value) -> Vec<(&str, &str)> {
    let all = report["audit"]["policy"]["notices"].as_array().unwrap();
    all.iter().map(|n| (n["kind"].as_str().unwrap(), n["entry"].as_str().unwrap())).collect()
}

#[test]
fn a_suppression_holds_until_its_day_and_is_told_after_it() {
    let suppress = |day: &str| {
        format!(
            "[[suppress]]\ncode = \"tls/intercepted\"\nregistry = \"contosolab\"\nreason = \"known\"\nexpires = {day}\n"
        )
    };
    let (_, report) = Audit::policy("policy-open", &suppress("9999-12-31")).report(&[]);
    assert!(!codes(&report).contains(&"tls/intercepted"));
    assert_eq!(report["audit"]["policy"]["suppressed"], 1);
    assert!(notices(&report).is_empty());
    let (_, report) = Audit::policy("policy-expired", &suppress("2020-01-01")).report(&[]);
    assert!(codes(&report).contains(&"tls/intercepted"));
    assert_eq!(notices(&report), [("expired", "suppress #1 (tls/intercepted)")]);
}

#[test]
fn a_suppression_that_suppresses_nothing_is_told() {
    let text = "[[suppress]]\ncode = \"tls/intercepted\"\nregistry = \"nobody\"\nreason = \"gone\"\n\
        [[suppress]]\ncode = \"tls/intercepted\"\ntag = \"env=nowhere\"\nreason = \"no such tag\"\n";
    let audit = Audit::policy("policy-unused", text);
    let (_, report) = audit.report(&[]);
    assert!(codes(&report).contains(&"tls/intercepted"));
    assert_eq!(notices(&report).iter().filter(|(kind, _)| *kind == "unused").count(), 2);
    let table = audit.run(&["-o", "table"]).stdout;
    assert!(table.contains("suppress #1 (tls/intercepted)"), "a person is told too: {table}");
}

#[test]
fn severities_of_the_policy_decide_about_the_end() {
    let audit = Audit::policy("policy-severity", "[severity]\n\"*\" = \"info\"\n");
    let (code, report) = audit.report(&[]);
    assert_eq!((code, report["summary"]["errors"].as_u64()), (0, Some(0)));
    let off = Audit::policy("policy-off", "[severity]\n\"tls/*\" = \"off\"\n");
    assert!(!codes(&off.report(&[]).1).contains(&"tls/intercepted"));
}

#[test]
fn a_threshold_fails_whatever_may_fail_besides() {
    let strict = Audit::policy("policy-strict", "[thresholds]\nblocked = 3\n");
    let (code, report) = strict.report(&["--fail-on", "never"]);
    assert_eq!((code, notices(&report)), (1, vec![("threshold-exceeded", "thresholds.blocked")]));
    let roomy = Audit::policy("policy-roomy", "[thresholds]\nblocked = 4\n");
    assert_eq!(roomy.report(&["--fail-on", "never"]).0, 0);
}

#[test]
fn the_command_line_goes_before_the_policy_and_the_policy_before_the_default() {
    let never = Audit::policy("fail-never", "fail-on = \"never\"\n");
    assert_eq!(never.report(&[]).0, 0);
    assert_eq!(never.report(&["--fail-on", "error"]).0, 1);
    let none = Audit::new("fail-default");
    assert_eq!(none.report(&[]).0, 1);
    assert_eq!(none.report(&["--fail-on", "never"]).0, 0);
}

#[test]
fn a_policy_with_a_mistake_is_wrong_usage_and_says_where() {
    for (name, text, says) in [
        ("policy-code", "[severity]\n\"tls/intercept\" = \"info\"\n", "tls/intercept"),
        ("policy-reason", "[[suppress]]\ncode = \"tls/intercepted\"\nregistry = \"x\"\n", "reason"),
        ("policy-toml", "[severity\n", "acr-doctor.toml"),
    ] {
        let ran = Audit::policy(name, text).run(&[]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(says) && ran.stdout.is_empty(), "{}", ran.stderr);
    }
    let named = Audit::new("policy-named");
    assert_eq!(named.run(&["--policy", "nowhere.toml"]).code, 2, "a policy that is named must be there");
}

#[test]
fn a_baseline_of_today_leaves_nothing_new() {
    let audit = Audit::new("baseline");
    for (format, file) in [("json", "today.json"), ("jsonl", "today.jsonl")] {
        std::fs::write(audit.file(file), audit.run(&["-o", format]).stdout).unwrap();
        let (code, report) = audit.report(&["--baseline", file]);
        assert_eq!((code, codes(&report).len()), (0, 0), "{format}");
        assert_eq!(report["audit"]["baseline"]["new"], 0);
        assert_eq!(report["audit"]["baseline"]["gone"], 0);
        let table = audit.run(&["--baseline", file, "-o", "table"]).stdout;
        assert!(table.contains("Nothing new on 4 of them") && !table.contains("contosolab"), "{table}");
        for format in ["html", "markdown"] {
            let page = audit.run(&["--baseline", file, "--format", format]).stdout;
            // Who looked at it stands above.
            let (above, rows) = page.split_once("Registries").unwrap();
            assert!(above.contains("0 new") && !rows.contains("contosolab"), "{page}");
        }
    }
}

#[test]
fn what_is_gone_since_the_baseline_is_told_to_people_and_programs() {
    let audit = Audit::new("baseline-gone");
    let (_, mut yesterday) = audit.report(&[]);
    let registry = &mut yesterday["registries"][0];
    let name = registry["name"].as_str().unwrap().to_owned();
    let mut gone = registry["findings"][0].clone();
    gone["code"] = "dns/name-not-found".into();
    registry["findings"].as_array_mut().unwrap().push(gone);
    std::fs::write(audit.file("yesterday.json"), yesterday.to_string()).unwrap();
    let (code, report) = audit.report(&["--baseline", "yesterday.json"]);
    let baseline = &report["audit"]["baseline"];
    assert_eq!((code, &baseline["new"], &baseline["gone"]), (0, &0.into(), &1.into()));
    assert!(baseline["goneFindings"][0]["registry"].as_str().unwrap().starts_with(&name), "{baseline}");
    let table = audit.run(&["--baseline", "yesterday.json", "-o", "table"]).stdout;
    assert!(table.contains(&format!("  gone: dns/name-not-found ({name} from ")), "{table}");
}

#[test]
fn a_report_for_a_directory_that_is_not_there_is_refused_before_the_work() {
    let ran = Audit::new("reports-nowhere").run(&["--report", "nowhere/r.html"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
    assert!(ran.stderr.contains("cannot write the report 'nowhere/r.html'"), "{}", ran.stderr);
}

#[test]
fn several_reports_at_once_each_in_the_format_of_its_name() {
    let audit = Audit::new("reports");
    let files = ["r.html", "r.sarif", "r.xml", "r.md", "r.csv", "r.json", "r.jsonl", "r.yaml", "r.tsv", "r.txt"];
    let arguments: Vec<&str> = files.iter().flat_map(|file| ["--report", file]).chain(["-o", "none"]).collect();
    let ran = audit.run(&arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let read = |name: &str| std::fs::read_to_string(audit.file(name)).unwrap();
    for (name, starts) in [
        ("r.html", "<!DOCTYPE html>"),
        ("r.sarif", "{"),
        ("r.xml", "<?xml"),
        ("r.md", "# acr-doctor report"),
        ("r.csv", "registry,loginServer"),
        ("r.json", "{"),
        ("r.yaml", "apiVersion: acr-doctor/v1"),
    ] {
        assert!(read(name).starts_with(starts), "{name}: {}", read(name));
    }
    for name in files {
        assert!(NAMES.len() == 4 && read(name).contains("contosolab"), "{name} lacks a registry");
    }
    let whole: Value = serde_json::from_str(&read("r.json")).unwrap();
    let yaml: Value = serde_saphyr::from_str(&read("r.yaml")).unwrap();
    assert_eq!(yaml, whole, "the same report");
    assert_eq!(serde_json::from_str::<Value>(&read("r.sarif")).unwrap()["version"], "2.1.0");
    let lines: Vec<Value> = read("r.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!((lines[0]["kind"].as_str(), lines[4]["kind"].as_str()), (Some("RegistryReport"), Some("Summary")));
    let left: Vec<PathBuf> = std::fs::read_dir(&audit.directory).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.iter().all(|p| p.extension() != Some(Path::new("part").as_os_str())), "{left:?}");
    let odd = audit.run(&["--report", "r.docx"]);
    assert!(odd.code == 2 && odd.stderr.contains("r.docx"), "{odd:?}");
}

#[test]
fn standard_output_takes_every_format() {
    let audit = Audit::new("formats");
    for format in ["json", "jsonc", "jsonl", "table", "tsv", "yaml", "yamlc"] {
        let ran = audit.run(&["-o", format]);
        assert!(ran.code == 1 && ran.stdout.contains("contosolab") && ran.stderr.is_empty(), "{format}: {ran:?}");
    }
    for format in ["sarif", "junit", "markdown", "html", "csv"] {
        let ran = audit.run(&["--format", format]);
        assert!(ran.code == 1 && ran.stdout.contains("contosolab") && ran.stderr.is_empty(), "{format}: {ran:?}");
    }
    assert_eq!(audit.run(&["--format", "pdf"]).code, 2);
}

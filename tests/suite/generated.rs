//! Generated files are checked in and current. `UPDATE=1 cargo test` writes them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use acr_doctor::facts::{ConfigFacts, ProbeFacts, Report, Snapshot};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::doctor::{example, run, run_example};
use crate::golden::{self, root};

fn schema<T: JsonSchema>(title: &str) -> Schema {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.insert("$id".to_owned(), format!("https://acr-doctor.dev/schema/{title}.json").into());
    schema
}

fn schemas() -> [(&'static str, Schema); 3] {
    [
        ("report", schema::<Report>("report")),
        ("config-snapshot", schema::<Snapshot<ConfigFacts>>("config-snapshot")),
        ("probe-snapshot", schema::<Snapshot<ProbeFacts>>("probe-snapshot")),
    ]
}

#[test]
fn the_schemas_are_current() {
    for (name, schema) in schemas() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        golden::check(&format!("docs/schema/{name}.schema.json"), &text);
    }
}

fn checked_in(name: &str) -> jsonschema::Validator {
    let text = fs::read_to_string(root().join(format!("docs/schema/{name}.schema.json"))).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn conforms(validator: &jsonschema::Validator, document: &Value, what: &str) {
    let errors: Vec<String> = validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{what} does not follow its schema:\n{}", errors.join("\n"));
}

#[test]
fn reports_and_snapshots_follow_the_checked_in_schemas() {
    let (report, config, probe) = (checked_in("report"), checked_in("config-snapshot"), checked_in("probe-snapshot"));
    let read = |path: &Path| serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap();
    for name in ["subnet-rule-missing", "data-endpoint-record-missing", "tls-intercepted", "client-ip-not-allowed"] {
        let directory = root().join("examples").join(name);
        conforms(&config, &read(&directory.join("config.json")), name);
        conforms(&probe, &read(&directory.join("probe.json")), name);
        let document: Value = serde_json::from_str(&run_example(name, &["-o", "json"]).stdout).unwrap();
        conforms(&report, &document, name);
    }
    assert!(!report.is_valid(&serde_json::json!({"apiVersion": "acr-doctor/v1"})), "the schema refuses nothing");
}

/// The commands in the order of the help text.
const COMMANDS: &[&str] = &[
    "check",
    "check-health",
    "config",
    "probe",
    "reconcile",
    "audit",
    "whatif",
    "explain",
    "endpoints",
    "logs",
    "permissions",
    "completions",
    "man",
];

#[test]
fn the_commands_page_is_current() {
    let mut page = "<!-- Written by tests/suite/generated.rs from --help. -->\n# Commands\n".to_owned();
    for command in [None].into_iter().chain(COMMANDS.iter().copied().map(Some)) {
        let arguments: Vec<&str> = command.into_iter().chain(["--help"]).collect();
        let ran = run(&arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        if let Some(command) = command {
            write!(page, "\n## {command}\n").unwrap();
        } else {
            for listed in ran.stdout.lines().skip_while(|line| *line != "Commands:").skip(1) {
                let Some(listed) = listed.strip_prefix("  ") else { break };
                let name = listed.split(' ').next().unwrap();
                assert!(name.is_empty() || COMMANDS.contains(&name), "{name} is not in COMMANDS");
            }
        }
        write!(page, "\n```\n{}```\n", ran.stdout).unwrap();
    }
    golden::check("docs/commands.md", &page);
}

#[test]
fn the_readmes_first_command_is_the_examples_that_the_picture_shows() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let pair = example("subnet-rule-missing");
    let command = ["cargo run --release --"].into_iter().chain(pair.iter().map(String::as_str));
    let command = command.collect::<Vec<_>>().join(" ");
    assert!(readme.contains(&format!("```\n{command}\n```")), "README has no block with\n{command}");
}

//! The example pairs: each names its root cause, and only it.

use serde_json::Value;

use crate::doctor::run_example;
use crate::golden::root;

/// Every directory of examples/, and the root cause that it shows.
const EXAMPLES: &[(&str, &str)] = &[
    ("client-ip-not-allowed", "firewall/client-ip-not-allowed"),
    ("data-endpoint-record-missing", "dns/data-endpoint-record-missing"),
    ("subnet-rule-missing", "vnet/subnet-rule-missing"),
    ("tls-intercepted", "tls/intercepted"),
];

#[test]
fn each_example_names_its_root_cause_and_only_it() {
    for (name, code) in EXAMPLES {
        let ran = run_example(name, &["-o", "json"]);
        assert_eq!(ran.code, 1, "{name}: {}", ran.stderr);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        let findings = report["registries"][0]["findings"].as_array().unwrap();
        let causes: Vec<&str> =
            findings.iter().filter(|f| f["rootCause"] == true).map(|f| f["code"].as_str().unwrap()).collect();
        assert_eq!(causes, [*code], "{name}");
        assert!(findings.iter().any(|f| f["fix"][0]["summary"].is_string()), "{name} has no fix");
    }
}

#[test]
fn every_example_is_listed_and_described() {
    let mut directories: Vec<String> = std::fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("probe.json").exists())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    directories.sort();
    let listed: Vec<&str> = EXAMPLES.iter().map(|(name, _)| *name).collect();
    assert_eq!(directories, listed);
    for (name, code) in EXAMPLES {
        let readme = std::fs::read_to_string(root().join("examples").join(name).join("README.md")).unwrap();
        assert!(readme.contains(code), "examples/{name}/README.md does not name {code}");
    }
}

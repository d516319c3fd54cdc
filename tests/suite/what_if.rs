//! `whatif` over the example snapshots: the document, the exit code, the mistakes.

use std::path::PathBuf;

use serde_json::Value;

use crate::doctor::run;
use crate::golden::root;

fn example(more: &[&str]) -> (i32, Value) {
    let config = root().join("examples/client-ip-not-allowed/config.json").display().to_string();
    let ran = run(&[&["whatif", "--config", &config, "-o", "json"], more].concat());
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default())
}

fn outcome<'v>(document: &'v Value, client: &str) -> &'v Value {
    let clients = document["clients"].as_array().unwrap();
    &clients.iter().find(|c| c["client"] == client).unwrap_or_else(|| panic!("{client} in {document:#}"))["outcome"]
}

/// A list of clients that goes away with the test.
struct Listed(PathBuf);

impl Listed {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("acr-doctor-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_rule_lets_an_address_in_and_nobody_out() {
    let clients = Listed::new("gained", "198.18.7.9,build agents\n");
    let (code, document) = example(&["--clients", &clients.path(), "--set", "networkRuleSet.ipRules+=198.18.7.0/24"]);
    assert_eq!(document["kind"], "WhatIf");
    assert_eq!(outcome(&document, "198.18.7.9"), "gained");
    assert_eq!((code, &document["summary"]["lost"]), (0, &Value::from(0)));
}

#[test]
fn disabling_public_access_shuts_an_allowed_address_out() {
    let clients = Listed::new("lost", "198.51.100.5\n198.18.7.9\n");
    let (code, document) = example(&["--clients", &clients.path(), "--set", "publicNetworkAccess=Disabled"]);
    assert_eq!((code, outcome(&document, "198.51.100.5")), (1, &Value::from("lost")));
    assert_eq!(outcome(&document, "198.18.7.9"), "unchanged");
}

#[test]
fn mistakes_are_told() {
    let config = root().join("examples/client-ip-not-allowed/config.json").display().to_string();
    let ran = run(&["whatif", "--config", &config, "--set", "sku=Basic"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("'sku=Basic' is no change"), "{}", ran.stderr);
}

//! Fixes: commands that the real Azure CLI takes, values instead of placeholders, the narrowest first.
//!
//! `tests/az/commands.txt` holds one command of each shape that the fixtures' reports print; `UPDATE=1` writes it.
//! `tests/az/accept.py` hands them to azure-cli's own parser and writes down what it accepted: a new shape fails here
//! until that has been run.

use std::collections::{BTreeMap, BTreeSet};

use acr_doctor::facts::{Finding, Fix};

use crate::{fixtures, golden, missing_facts};

/// Values that Azure CLI chooses among: they belong to a command's shape.
const CHOICES: [&str; 20] = [
    "true",
    "false",
    "enabled",
    "disabled",
    "Allow",
    "Deny",
    "Inbound",
    "Outbound",
    "Tcp",
    "Premium",
    "NxDomainRedirect",
    "Waiver",
    "patch",
    "[system]",
    "table",
    "tsv",
    "registry",
    "global",
    "ServicePrincipal",
    "User",
];

/// Every finding of every fixture, with the case that it comes from.
fn findings() -> Vec<(String, Finding)> {
    let mut all = Vec::new();
    for file in fixtures::all() {
        for case in &file.cases {
            let name = format!("{}, '{}'", file.code, case.name);
            let found = case.report().registries.into_iter().flat_map(|registry| registry.findings);
            all.extend(found.map(|finding| (name.clone(), finding)));
        }
    }
    all
}

/// The single commands of a fix: those of its steps, else its own, line by line.
fn commands(fix: &Fix) -> Vec<String> {
    let whole: Vec<&String> = match fix.steps.as_slice() {
        [] => fix.command.iter().collect(),
        steps => steps.iter().filter_map(|step| step.command.as_ref()).collect(),
    };
    whole.into_iter().flat_map(|text| text.split(" &&\n")).map(str::to_owned).collect()
}

/// The `az` commands of a line: itself, and those that it asks for a value.
fn of_az(line: &str) -> Vec<String> {
    let inner = line.split("$(").skip(1).filter_map(|part| part.split(')').next());
    std::iter::once(line).chain(inner).filter(|text| text.starts_with("az ")).map(str::to_owned).collect()
}

/// A command without the values that differ from case to case.
fn shape(command: &str) -> String {
    let mut flagged = false;
    let words = command.split(' ').filter(|word| {
        flagged |= word.starts_with('-');
        !flagged || word.starts_with('-') || CHOICES.contains(&word.trim_matches('\''))
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_shape_of_command_was_accepted_by_azure_cli() {
    let mut shapes: BTreeMap<String, String> = BTreeMap::new();
    let mending = findings().into_iter().flat_map(|(_, f)| f.fix.iter().flat_map(commands).collect::<Vec<_>>());
    let deciding = missing_facts::commands().into_iter().flat_map(|text| text.split(" &&\n")).map(str::to_owned);
    for command in mending.chain(deciding).flat_map(|line| of_az(&line)) {
        shapes.entry(shape(&command)).or_insert(command);
    }
    let head = "# One `az` command of each shape that reports print; `UPDATE=1 cargo test` writes this file, accept.py reads it.\n";
    let lines: Vec<&str> = shapes.values().map(String::as_str).collect();
    golden::check("tests/az/commands.txt", &format!("{head}{}\n", lines.join("\n")));
    let accepted = std::fs::read_to_string(golden::path("tests/az/accepted.txt")).unwrap_or_default();
    let accepted: BTreeSet<&str> = accepted.lines().filter(|line| !line.starts_with('#')).collect();
    let missing: Vec<&String> = shapes.values().filter(|command| !accepted.contains(command.as_str())).collect();
    assert!(missing.is_empty(), "not handed to azure-cli yet (tests/az/accept.py): {missing:#?}");
}

#[test]
fn fixes_have_values_and_no_placeholders() {
    let mut wrong = BTreeSet::new();
    for (case, finding) in findings() {
        for fix in &finding.fix {
            let texts =
                std::iter::once(&fix.summary).chain(fix.steps.iter().map(|step| &step.summary)).chain(&fix.command);
            let commands = commands(fix);
            for text in texts.chain(&commands) {
                let angled = text.split('<').skip(1).any(|rest| rest.contains('>'));
                let empty = text.contains("''") || text.contains("  ") || text.trim().is_empty();
                if angled || empty {
                    wrong.insert(format!("{} ({case}): {text}", finding.code));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_lets_in_more_comes_last() {
    let mut wrong = BTreeSet::new();
    for (case, finding) in findings() {
        let done = finding.fix.iter().filter(|fix| fix.command.is_some());
        let widening: Vec<bool> = done.map(|fix| fix.widens_access).collect();
        if !widening.is_sorted() {
            wrong.insert(format!("{} ({case})", finding.code));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A change says the same as the command beside it: who makes the one has made the other.
#[test]
fn changes_of_azure_resources_have_a_command_and_a_name_in_code() {
    use acr_doctor::facts::Change;
    let mut wrong = BTreeSet::new();
    for (case, finding) in findings() {
        for fix in &finding.fix {
            let own = std::iter::once((&fix.change, &fix.command, &fix.bicep));
            let steps = fix.steps.iter().map(|step| (&step.change, &step.command, &step.bicep));
            for (change, command, bicep) in own.chain(steps) {
                let azure = change
                    .as_ref()
                    .is_some_and(|change| change.resource().is_some() || matches!(change, Change::Grant { .. }));
                if azure && (command.is_none() || bicep.is_none()) {
                    wrong.insert(format!("{} ({case}): {}", finding.code, fix.summary));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A table of tests/unproved-fixes.toml: code to reason.
fn reasons(table: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(golden::path("tests/unproved-fixes.toml")).expect("the list is there");
    let all: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&text).expect("tables of codes and reasons");
    all.get(table).cloned().unwrap_or_default()
}

/// The codes that a scenario names as root causes, or as findings to mend besides: it makes their fixes and checks.
fn proved() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for path in golden::files("tests/scenarios", "toml") {
        let text = std::fs::read_to_string(golden::path(&path)).expect("the scenario is there");
        let scenario: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        if scenario.contains_key("fix_does_not_heal") || scenario.contains_key("healed_by") {
            continue;
        }
        let expected = scenario.get("expect").and_then(|e| e.get("root_cause")).and_then(toml::Value::as_array);
        let besides = scenario.get("mends").and_then(toml::Value::as_array);
        let all = expected.into_iter().chain(besides).flatten();
        codes.extend(all.filter_map(toml::Value::as_str).map(str::to_owned));
    }
    codes
}

#[test]
fn fixes_that_are_data_are_proved_in_the_laboratory_or_listed() {
    let (proved, listed, without) = (proved(), reasons("unproved"), reasons("without_data"));
    let mut data = BTreeSet::new();
    for (_, finding) in findings() {
        let is_data = |fix: &Fix| {
            fix.change.is_some() || (!fix.steps.is_empty() && fix.steps.iter().all(|step| step.change.is_some()))
        };
        if finding.fix.iter().any(is_data) {
            data.insert(finding.code.to_string());
        }
    }
    let wanted: BTreeSet<&String> = data.iter().filter(|code| !proved.contains(*code)).collect();
    let found: BTreeSet<&String> = listed.keys().collect();
    assert_eq!(found, wanted, "[unproved] of tests/unproved-fixes.toml (left) against what no scenario proves (right)");
    for (code, reason) in listed.iter().chain(&without) {
        assert!(reason.len() > 20, "{code}: a reason is a sentence");
        assert!(acr_doctor::reconcile::rules::all().any(|rule| rule.code == code), "{code} is no code");
    }
}

//! Whether what the program said is what an expert would say.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use crate::base;
use crate::documents::{items, text};
use crate::heal;
use crate::outcome::{Outcome, Ran};
use crate::scenario::{Expect, Scenario};
use crate::tokens::{SECRET, SIGNATURE};
use crate::world::Seen;

/// The findings of the first registry of a report, or of a document about one registry.
fn findings(report: &Value) -> &[Value] {
    if report.get("registries").is_some() {
        items(report, "/registries/0/findings")
    } else {
        items(report, "/findings")
    }
}

/// The codes of a report's findings that are root causes.
pub fn root_causes(report: &Value) -> BTreeSet<String> {
    let roots = findings(report).iter().filter(|f| f["rootCause"] == Value::Bool(true));
    roots.map(|f| text(f, "/code").to_owned()).collect()
}

/// What is wrong with an outcome; nothing if the scenario is passed.
pub fn faults(scenario: &Scenario, outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Unsupported(why) | Outcome::Failed(why) => vec![why.clone()],
        Outcome::Ran { first, healed } => {
            let mut all = judge(&scenario.expect, &scenario.mends, first);
            match healed {
                Some(healed) => all.extend(unhealed(scenario, first, healed)),
                None if scenario.mends.is_empty() => {}
                None => all.push(format!("{:?} and the root causes have no fixes that are data", scenario.mends)),
            }
            all.extend(
                heal::without_data(&serde_json::from_str(&first.stdout).unwrap_or_default())
                    .into_iter()
                    .filter(|code| !may_lack_data(code))
                    .map(|code| format!("no fix of {code} is data, and tests/unproved-fixes.toml does not say why")),
            );
            all
        }
    }
}

/// What is left in a mended world: root causes, findings that were to be mended, a registry that cannot be used; nothing
/// if it is healed.
pub fn unhealed(scenario: &Scenario, first: &Ran, healed: &Ran) -> Option<String> {
    let report: Value = serde_json::from_str(&healed.stdout).unwrap_or_default();
    let before = root_causes(&serde_json::from_str(&first.stdout).unwrap_or_default());
    let mut left: Vec<String> = root_causes(&report).into_iter().filter(|c| before.contains(c)).collect();
    let found = |code: &&String| findings(&report).iter().any(|f| text(f, "/code") == *code);
    left.extend(scenario.mends.iter().filter(found).cloned());
    let verdict = text(&report, "/registries/0/verdict");
    (!left.is_empty() || verdict == "blocked")
        .then(|| format!("the fix does not heal: still {left:?}, verdict {verdict}"))
}

/// How many ways of mending the world the report offers, of which one was tried.
pub fn alternatives(scenario: &Scenario, outcome: &Outcome) -> usize {
    let Outcome::Ran { first, healed: Some(_) } = outcome else { return 0 };
    let report = serde_json::from_str(&first.stdout).unwrap_or_default();
    if scenario.healed_by.is_some() { 0 } else { heal::alternatives(&report, &scenario.mends) }
}

/// Whether it is written down why the fixes of a code cannot be data.
fn may_lack_data(code: &str) -> bool {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../unproved-fixes.toml");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let tables = toml::from_str::<toml::Table>(&text).unwrap_or_default();
    tables.get("without_data").and_then(|table| table.get(code)).is_some()
}

fn judge(expect: &Expect, mends: &[String], ran: &Ran) -> Vec<String> {
    let mut wrong = Vec::new();
    if ran.exit.is_none() {
        wrong.push(format!("it hung and was killed after {:.0} s", ran.seconds));
    }
    if let Some(exit) = expect.exit.filter(|e| ran.exit != Some(*e)) {
        wrong.push(format!("exit {exit} was expected, not {:?}", ran.exit));
    }
    for canary in [SECRET, SIGNATURE, "canaryseal"] {
        if ran.stdout.contains(canary) || ran.stderr.contains(canary) {
            wrong.push(format!("a secret was printed: {canary}"));
        }
    }
    requests(expect, ran, &mut wrong);
    exact_requests(expect, ran, &mut wrong);
    let rounds = ran.log.iter().filter_map(Seen::round).max().unwrap_or_default();
    if let Some(most) = expect.arm_rounds.filter(|most| rounds == 0 || rounds > *most) {
        let last = ran.log.iter().filter(|s| s.round() == Some(rounds)).map(|s| s.path.as_str());
        wrong.push(format!("{rounds} round trips instead of 1 to {most}; the last: {:?}", last.collect::<Vec<_>>()));
    }
    for said in expect.says.iter().filter(|s| !ran.stdout.contains(*s)) {
        wrong.push(format!("{said:?} is not said"));
    }
    for said in expect.warns.iter().filter(|s| !ran.stderr.contains(*s)) {
        wrong.push(format!("{said:?} is not said on standard error"));
    }
    if expect.warns_nothing && !ran.stderr.is_empty() {
        wrong.push(format!("standard error should be empty, and says {:?}", ran.stderr));
    }
    verdicts(expect, ran, &mut wrong);
    let of_report = !expect.root_cause.is_empty()
        || expect.quiet
        || expect.verdict.is_some()
        || !expect.found.is_empty()
        || !expect.unknowns.is_empty();
    if !of_report && expect.must_not.is_empty() {
        return wrong;
    }
    match serde_json::from_str::<Value>(&ran.stdout) {
        Ok(report) => {
            // These have exit codes of their own.
            let else_told =
                ["--fail-on", "audit", "check-health"].iter().any(|word| ran.command.iter().any(|w| w == word));
            let blocked = text(&report, "/registries/0/verdict") == "blocked";
            if blocked && ran.exit == Some(0) && !else_told {
                wrong.push("exit 0, and the registry cannot be used".to_owned());
            }
            report_faults(expect, mends, &report, &mut wrong);
        }
        Err(error) => wrong.push(format!("the report is not JSON: {error}")),
    }
    wrong
}

/// Whether an audit's verdicts are these, registry by registry.
fn verdicts(expect: &Expect, ran: &Ran, wrong: &mut Vec<String>) {
    if expect.verdicts.is_empty() {
        return;
    }
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let of = |registry: &Value| (text(registry, "/name").to_owned(), text(registry, "/verdict").to_owned());
    let found: Vec<(String, String)> = items(&report, "/registries").iter().map(of).collect();
    let wanted: Vec<(String, String)> = expect.verdicts.clone().into_iter().collect();
    if found.len() != wanted.len() || !wanted.iter().all(|one| found.contains(one)) {
        wrong.push(format!("verdicts: expected {wanted:?}, found {found:?}"));
    }
}

/// Whether exactly these were made, each as often as it stands here.
fn exactly(what: &str, wanted: &[String], mut made: Vec<String>, wrong: &mut Vec<String>) {
    for wanted in wanted {
        match made.iter().position(|m| m == wanted) {
            Some(at) => drop(made.swap_remove(at)),
            None => wrong.push(format!("no further {what} {wanted:?} was made")),
        }
    }
    made.sort();
    wrong.extend(made.into_iter().map(|m| format!("a {what} too many: {m:?}")));
}

fn exact_requests(expect: &Expect, ran: &Ran, wrong: &mut Vec<String>) {
    let asked = |s: &&Seen| s.method == "GET" || s.method == "HEAD" || s.method == "POST";
    let of_registry = |s: &&Seen| [".azurecr.io", ".blob.core.windows.net"].iter().any(|end| s.host.ends_with(end));
    if let Some(wanted) = &expect.handshakes {
        let made = ran.log.iter().filter(|s| s.method == "TLS").filter(of_registry);
        exactly("handshake", wanted, made.map(|s| s.host.clone()).collect(), wrong);
    }
    if let Some(wanted) = &expect.registry_requests {
        let made = ran.log.iter().filter(asked).filter(of_registry);
        exactly("request", wanted, made.map(|s| format!("{} {} {}", s.method, s.host, s.path)).collect(), wrong);
    }
    if let Some(wanted) = &expect.arm_requests {
        let net = base::network_id("").replace("Microsoft.Network/", "");
        let short = |path: &str| path.replace(&base::registry_id(), "{registry}").replace(&net, "{net}/");
        let made = ran.log.iter().filter(asked).filter(|s| s.host == "management.azure.com");
        exactly("request of ARM", wanted, made.map(|s| short(&s.path)).collect(), wrong);
    }
}

fn requests(expect: &Expect, ran: &Ran, wrong: &mut Vec<String>) {
    let made = |wanted: &str| ran.log.iter().any(|s| format!("{} {} {}", s.method, s.host, s.path).contains(wanted));
    wrong.extend(expect.requests.iter().filter(|r| !made(r)).map(|r| format!("no request {r:?} was made")));
    wrong.extend(expect.no_requests.iter().filter(|r| made(r)).map(|r| format!("a request {r:?} was made")));
}

fn report_faults(expect: &Expect, mends: &[String], report: &Value, wrong: &mut Vec<String>) {
    let named = root_causes(report);
    let wanted: BTreeSet<String> = expect.root_cause.iter().cloned().collect();
    let surplus: Vec<&String> = named.difference(&wanted).filter(|c| !expect.allow.contains(c)).collect();
    let missing: Vec<&String> = wanted.difference(&named).collect();
    let judged = !wanted.is_empty() || expect.quiet;
    if judged && (!surplus.is_empty() || !missing.is_empty()) {
        wrong.push(format!("root causes: expected {wanted:?}, found {named:?}"));
    }
    let all: Vec<&str> = findings(report).iter().map(|f| text(f, "/code")).collect();
    for code in expect.must_not.iter().filter(|c| all.contains(&c.as_str())) {
        wrong.push(format!("{code} must not be found"));
    }
    for code in expect.found.iter().chain(mends).filter(|c| !all.contains(&c.as_str())) {
        wrong.push(format!("{code} must be found"));
    }
    if expect.quiet {
        let loud = findings(report)
            .iter()
            .filter(|f| text(f, "/severity") != "info" && !expect.allow.iter().any(|a| a == text(f, "/code")));
        wrong.extend(loud.map(|f| format!("{} {} in a healthy world", text(f, "/severity"), text(f, "/code"))));
    }
    let verdict = text(report, "/registries/0/verdict");
    if let Some(wanted) = expect.verdict.as_deref().filter(|v| *v != verdict) {
        wrong.push(format!("verdict {wanted} was expected, not {verdict}"));
    }
    let unknown = match items(report, "/registries/0/unknowns") {
        [] => items(report, "/unknowns"),
        unknowns => unknowns,
    };
    for fact in expect.unknowns.iter().filter(|u| !unknown.iter().any(|k| k.to_string().contains(*u))) {
        wrong.push(format!("{fact} should be listed as unknown"));
    }
}

/// All that helps to see why a scenario failed.
pub fn story(scenario: &Scenario, outcome: &Outcome, faults: &[String]) -> String {
    let mut story = format!("{}\n", scenario.about);
    for fault in faults {
        let _ = writeln!(story, "  ✗ {fault}");
    }
    let Outcome::Ran { first, healed } = outcome else { return story };
    for ran in std::iter::once(first).chain(healed) {
        let _ = writeln!(story, "\n$ {}   (exit {:?}, {:.1} s)", ran.command.join(" "), ran.exit, ran.seconds);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        for finding in findings(&report) {
            let root = if finding["rootCause"] == Value::Bool(true) { "ROOT" } else { "    " };
            let _ = writeln!(
                story,
                "  {root} {:7} {} {}",
                text(finding, "/severity"),
                text(finding, "/code"),
                finding["explainedBy"]
            );
            let _ = writeln!(story, "       {}", text(finding, "/title"));
        }
        let _ = writeln!(story, "--- stdout\n{}\n--- stderr\n{}\n--- asked of the world", ran.stdout, ran.stderr);
        for seen in &ran.log {
            let _ =
                writeln!(story, "  {} {} {} from {}: {}", seen.method, seen.host, seen.path, seen.source, seen.answer);
        }
    }
    story
}

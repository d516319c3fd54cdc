//! `check-health` beside `az acr check-health` in the same worlds: titles, exit status and every line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use acr_doctor_lab::outcome::Ran;
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;

use crate::{Found, order, ran, root, scenario};

const PAGE: &str = "docs/check-health.md";
const OPEN: &str = "<!-- tests/az/parity.toml -->\n";
const CLOSE: &str = "<!-- end -->";

/// The rows of the table in docs/check-health.md, by their place in the list.
#[derive(Clone, Default)]
pub(crate) struct Rows(Arc<Mutex<BTreeMap<usize, String>>>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    world: Vec<World>,
}

/// A world, and what both are called with.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct World {
    scenario: String,
    #[serde(default)]
    args: Vec<String>,
    /// Environment variables, such as a container command that is there.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Why the two differ here.
    differs: Option<String>,
}

impl World {
    /// What is special about the call: not that there is a container command, and not where the network is.
    fn called_with(&self) -> String {
        let usual = |(name, value): &(&String, &String)| *name == "DOCKER_COMMAND" && *value == "/bin/true";
        let variables =
            self.env.iter().filter(|variable| !usual(variable)).map(|(name, value)| format!("{name}={value}"));
        let short = |word: &String| match word.split_once("/providers/Microsoft.Network/") {
            Some((_, rest)) => format!("…/{rest}"),
            None => word.clone(),
        };
        variables.chain(self.args.iter().map(short)).collect::<Vec<_>>().join(" ")
    }
}

fn list() -> Result<List, String> {
    let path = root().join("tests/az/parity.toml");
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    toml::from_str(&text).map_err(|e| e.to_string())
}

/// One trial for each line of `parity.toml`.
pub(crate) fn trials(found: &Found, rows: &Rows) -> Vec<Trial> {
    let worlds = match list() {
        Ok(list) => list.world,
        Err(why) => return vec![found.trial("parity/list".to_owned(), true, move || Err(why.into()))],
    };
    let trial = |(at, world): (usize, World)| {
        let name = format!("parity/{}/{at:02}", world.scenario);
        let rows = rows.clone();
        found.trial(name, found.az, move || run(at, &world, &rows))
    };
    worlds.into_iter().enumerate().map(trial).collect()
}

fn run(at: usize, world: &World, rows: &Rows) -> Result<(), Failed> {
    let by = |start: &[&str]| {
        let line: Vec<&str> = start.iter().copied().chain(world.args.iter().map(String::as_str)).collect();
        let mut order = order(scenario(&world.scenario), &line);
        order.env.extend(world.env.clone());
        ran(&order)
    };
    let program = env!("CARGO_BIN_EXE_acr-doctor");
    let (az, ours) = (by(&["az", "acr", "check-health"])?, by(&[program, "check-health"])?);
    let (theirs, own) = (Told::of(&az), Told::of(&ours));
    match (&world.differs, theirs == own) {
        (None, false) => return Err(format!("az:\n{}\nacr-doctor:\n{}", theirs.shown(), own.shown()).into()),
        (Some(_), true) => return Err("they are said to differ here, and do not".into()),
        (None, true) | (Some(_), false) => {}
    }
    let goes_on = world.args.iter().any(|word| word == "--ignore-errors");
    let row = format!(
        "| `{}` | `{}` | {} | {} | {} | {} | {} |",
        world.scenario,
        world.called_with(),
        theirs.titles(goes_on),
        theirs.exit(),
        own.titles(goes_on),
        own.exit(),
        world.differs.as_deref().unwrap_or("the same")
    );
    rows.0.lock().unwrap_or_else(PoisonError::into_inner).insert(at, row);
    Ok(())
}

/// What was said, without what differs from run to run and from program to program.
#[derive(PartialEq, Eq)]
struct Told {
    exit: Option<i32>,
    stdout: String,
    lines: Vec<String>,
}

impl Told {
    fn of(ran: &Ran) -> Self {
        // Findings and fixes stand below the errors, and are ours alone.
        let own = |line: &&str| !line.starts_with("acr-doctor: ") && !line.starts_with("  fix: ");
        let lines = ran.stderr.lines().filter(own).map(plain).filter(|line| !line.is_empty()).collect();
        Self { exit: ran.exit, stdout: ran.stdout.clone(), lines }
    }

    /// The titles; of the missing helm only where it ends the check.
    fn titles(&self, goes_on: bool) -> String {
        let title = |line: &String| {
            let text = line.strip_prefix("ERROR: ")?;
            if let Some((code, _)) = text.strip_prefix("acr-doctor: ").and_then(|rest| rest.split_once(": ")) {
                return Some(format!("`{code}`"));
            }
            let title = text.strip_prefix("An error occurred: ").unwrap_or("an error without a title");
            Some(title.to_owned())
        };
        let mut titles: Vec<String> = self.lines.iter().filter_map(title).collect();
        titles.retain(|title| !goes_on || title != "HELM_COMMAND_ERROR");
        if titles.is_empty() { "–".to_owned() } else { titles.join(", ") }
    }

    fn exit(&self) -> String {
        self.exit.map_or_else(|| "hung".to_owned(), |code| code.to_string())
    }

    fn shown(&self) -> String {
        format!("exit {}, standard output '{}'\n{}", self.exit(), self.stdout, self.lines.join("\n"))
    }
}

/// A line without its time and without the program's version.
fn plain(line: &str) -> String {
    let line = line.trim_end();
    if let Some((start, rest)) = line.split_once(" An error occurred: ") {
        let level = start.split(' ').next().unwrap_or_default();
        return format!("{level} An error occurred: {rest}");
    }
    let version = ["WARNING: Azure CLI version: ", "WARNING: acr-doctor version: "];
    if version.iter().any(|start| line.starts_with(start)) { "WARNING: version".to_owned() } else { line.to_owned() }
}

/// Compares the table in the page with what was seen, or writes it where `UPDATE` is set.
#[expect(clippy::print_stderr, reason = "a test harness tells what is wrong")]
pub(crate) fn table_is_current(rows: &Rows) -> bool {
    let rows = rows.0.lock().unwrap_or_else(PoisonError::into_inner);
    let head = "| world | arguments | named by az | exit | named by acr-doctor | exit | lines |\n|---|---|---|---|---|---|---|";
    let table = std::iter::once(head).chain(rows.values().map(String::as_str)).collect::<Vec<_>>().join("\n");
    let path = root().join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    let parts = page.split_once(OPEN).and_then(|(before, rest)| Some((before, rest.split_once(CLOSE)?.1)));
    let Some((before, after)) = parts else {
        eprintln!("{PAGE} has no marks for the table");
        return false;
    };
    let wanted = format!("{before}{OPEN}\n{table}\n\n{CLOSE}{after}");
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, wanted).is_ok();
    }
    if page != wanted {
        eprintln!(
            "the table in {PAGE} is not current; `UPDATE=1 cargo test --test az` writes it anew. It should be:\n{table}"
        );
    }
    page == wanted
}

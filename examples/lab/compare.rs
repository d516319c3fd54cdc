//! The same worlds under the real `az acr check-health` and under this program, as a page of the documentation.

use std::fmt::Write;
use std::path::Path;

use acr_doctor_lab::outcome::Ran;
use acr_doctor_lab::stage::{self, Order};
use acr_doctor_lab::world::World;
use acr_doctor_lab::{LabError, Outcome, Scenario, base, judge};

use crate::{each, program, scenarios};

/// Seconds after which a run counts as hung.
const PATIENCE: u64 = 150;
/// A hanging world costs nothing but time.
const AT_ONCE: usize = 4;
/// Where the page is.
const PAGE: &str = "docs/compared-with-check-health.md";

/// What one command said of a world.
struct Said {
    /// Error titles, root causes, or the text of an error without a title.
    named: Vec<String>,
    exit: Option<i32>,
    seconds: f64,
    /// Whether it ended before the registry was tried.
    early: bool,
}

/// What is wrong with a world.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failing,
    Risk,
    Healthy,
}

/// One line of the page.
struct Compared {
    name: String,
    about: String,
    kind: Kind,
    az: Said,
    check: Said,
    /// Whether exactly the expected causes were named, bar allowed ones.
    right: bool,
    health: Said,
    az_version: Option<String>,
}

/// Runs all worlds in which `check -n myreg` is the command, or those whose name has a part, and writes the page.
pub(crate) fn run(filter: Option<&str>) -> Result<(), LabError> {
    let program = program()?;
    let mut chosen = Vec::new();
    for (name, path) in scenarios() {
        let scenario = Scenario::read(&path)?;
        let plain = scenario.run.args.is_none() && scenario.run.command.is_none();
        let of_causes = !scenario.expect.root_cause.is_empty() || scenario.expect.quiet;
        if plain && of_causes && filter.is_none_or(|part| name.contains(part)) {
            chosen.push((name, path));
        }
    }
    let compared = each(&chosen, AT_ONCE, |name, path| {
        let line = compare(name, path, &program)?;
        eprintln!("{name}: {:.0} s", line.az.seconds);
        Ok(line)
    })?;
    let page = page(&compared);
    if filter.is_some() {
        println!("{page}");
        return Ok(());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    std::fs::write(&path, page).map_err(LabError::io(PAGE))
}

fn compare(name: &str, path: &Path, program: &Path) -> Result<Compared, LabError> {
    let scenario = Scenario::read(path)?;
    let check_health = check_health(&scenario)?;
    let line = |first: &str, rest: &[String]| Some([&[first.to_owned()], rest].concat());
    let az = in_world(path, program, line("az", &[&["acr".to_owned()], check_health.as_slice()].concat()))?;
    let health = in_world(path, program, line(&program.display().to_string(), &check_health))?;
    let check = in_world(path, program, None)?;
    let report: serde_json::Value = serde_json::from_str(&check.stdout).unwrap_or_default();
    let blocked = report.pointer("/registries/0/verdict").is_some_and(|verdict| verdict == "blocked");
    let kind = match (scenario.expect.root_cause.is_empty(), check.exit) {
        (true, _) => Kind::Healthy,
        (false, Some(0)) if !blocked => Kind::Risk,
        (false, _) => Kind::Failing,
    };
    let version = az.stderr.lines().find_map(|l| l.split_once("Azure CLI version: ")).map(|(_, v)| v.to_owned());
    let named = judge::root_causes(&report);
    let right = scenario.expect.root_cause.iter().all(|c| named.contains(c))
        && named.iter().all(|c| scenario.expect.root_cause.contains(c) || scenario.expect.allow.contains(c));
    Ok(Compared {
        name: name.to_owned(),
        about: scenario.about,
        kind,
        az: said(&az),
        health: said(&health),
        right,
        check: Said { named: named.into_iter().collect(), early: false, ..said(&check) },
        az_version: version,
    })
}

/// `check-health` as somebody would call it who knows the client's network and wants all checks.
fn check_health(scenario: &Scenario) -> Result<Vec<String>, LabError> {
    let mut words = "check-health -n myreg --yes --ignore-errors".split(' ').map(str::to_owned).collect::<Vec<_>>();
    if scenario.world.starts_with("private-link") && World::new(scenario)?.in_subnet {
        let subnet = base::client_subnet();
        let network = subnet.split("/subnets/").next().unwrap_or_default();
        words.extend(["--vnet".to_owned(), network.to_owned()]);
    }
    let mut extra = scenario.run.extra.iter().skip_while(|word| *word != "--image");
    if let Some(image) = extra.nth(1) {
        let repository = image.split([':', '@']).next().unwrap_or_default();
        words.extend(["--repository".to_owned(), repository.to_owned()]);
    }
    Ok(words)
}

/// A world of its own for each command, so that none sees what another did.
fn in_world(path: &Path, program: &Path, command: Option<Vec<String>>) -> Result<Ran, LabError> {
    let args = command.is_none().then(|| "check -n myreg -o json".split(' ').map(str::to_owned).collect());
    let scenario = path.to_owned();
    let order =
        Order { scenario, program: program.to_owned(), args, command, deadline: Some(PATIENCE), ..Order::default() };
    match stage::open(&order)? {
        Outcome::Ran { first, .. } => Ok(first),
        Outcome::Unsupported(why) => Err(LabError::Unsupported(why)),
        Outcome::Failed(why) => Err(LabError::Scenario(why)),
    }
}

/// What a check-health printed: its titles, or the first error that has none. The missing Docker and Helm are not the
/// registry's.
fn said(ran: &Ran) -> Said {
    let mut named = Vec::new();
    let titles = ran.stderr.lines().filter_map(|l| l.split_once("An error occurred: ")).map(|(_, title)| title);
    named.extend(titles.filter(|t| !t.starts_with("DOCKER_") && !t.starts_with("HELM_")).map(|t| format!("`{t}`")));
    let untitled = ran.stderr.lines().filter(|l| !l.contains("An error occurred: "));
    if let Some(text) = untitled.filter_map(|l| l.strip_prefix("ERROR: ")).find(|l| !l.trim().is_empty()) {
        let short: String = text.chars().take(90).collect();
        named.push(format!("“{}{}”", short.replace('|', "\\|"), if short.len() < text.len() { "…" } else { "" }));
    }
    let sign_in = ran.command.get(1).is_some_and(|word| word == "login");
    if sign_in {
        named.insert(0, "`az login`:".to_owned());
    }
    let early = sign_in || !["DNS lookup to", "CONNECTIVITY_"].iter().any(|sign| ran.stderr.contains(sign));
    Said { named, exit: ran.exit, seconds: ran.seconds, early }
}

fn page(all: &[Compared]) -> String {
    let version = all.iter().find_map(|c| c.az_version.clone()).unwrap_or_else(|| "unknown".to_owned());
    let mut page = format!(
        "# Compared with `az acr check-health`\n\n\
         The same {} worlds of the laboratory under both: the real Azure CLI {version}, unchanged, and this program. Made by\n\
         `cargo run --example lab -- --compare`, which needs `az`; it is no part of `cargo test`.\n\n\
         In each world's client, each in a world of its own: `az login --service-principal`, then `az acr check-health -n myreg\n\
         --yes --ignore-errors` (with `--vnet` where the client stands in the network of a private endpoint, and `--repository`\n\
         where a pull is looked at: the most that it can be told); `acr-doctor check -n myreg` (with `--subnet`, where the\n\
         client's is known, and `--image` for the pull); and `acr-doctor check-health` with az's flags. There is neither\n\
         Docker nor Helm, and the titles that say so are left out. Without `--ignore-errors` az ends at the missing Docker and\n\
         never tries the network. A run counts as hung after {PATIENCE} s.\n\n\
         What counts: a world is *failing* if its client cannot do what it should, a *risk* if it works and something is wrong\n\
         all the same (az does not claim to look for these), *healthy* otherwise. Times are of a debug build with four\n\
         worlds at once on two processors; one run alone is faster.\n\n",
        all.len(),
    );
    for (kind, title) in [(Kind::Failing, "Failing"), (Kind::Healthy, "Healthy"), (Kind::Risk, "Risk")] {
        let of_kind: Vec<&Compared> = all.iter().filter(|c| c.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ = write!(page, "## {title}: {} worlds\n\n{}\n{}\n", of_kind.len(), totals(&of_kind), table(&of_kind));
    }
    page
}

/// A count of one command's runs.
type Count = (&'static str, fn(&Said) -> bool);

const COUNTS: [Count; 5] = [
    ("says that something is wrong", |s| !s.named.is_empty() && s.exit.is_some()),
    ("says that all is well", |s| s.named.is_empty() && s.exit.is_some()),
    ("ends before it tries the registry", |s| s.early && s.exit.is_some()),
    ("hangs", |s| s.exit.is_none()),
    ("exit status 0", |s| s.exit == Some(0)),
];

fn totals(all: &[&Compared]) -> String {
    let mut text = String::from("| | `az acr check-health` | `check` | `check-health` |\n|---|--:|--:|--:|\n");
    let mut line = |what: &str, cell: &dyn Fn(Vec<&Said>) -> String| {
        let cells = [column(all, |c| &c.az), column(all, |c| &c.check), column(all, |c| &c.health)].map(cell);
        let _ = writeln!(text, "| {what} | {} |", cells.join(" | "));
    };
    for (what, holds) in COUNTS {
        line(what, &|said| said.iter().filter(|s| holds(s)).count().to_string());
    }
    line("seconds, median and longest", &|said| {
        let mut seconds: Vec<f64> = said.iter().map(|s| s.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let median = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
        format!("{median:.1}, {:.1}", seconds.last().copied().unwrap_or_default())
    });
    let right = all.iter().filter(|c| c.right).count();
    let _ = writeln!(text, "| names the root cause, and nothing else as one | cannot | {right} | see `check` |");
    text
}

fn column<'c>(all: &[&'c Compared], of: impl Fn(&'c Compared) -> &'c Said) -> Vec<&'c Said> {
    all.iter().map(|c| of(c)).collect()
}

fn table(all: &[&Compared]) -> String {
    let mut text = String::from(
        "| world | `az acr check-health` | exit | s | `check`: root cause | exit | s | `check-health` | exit | s |\n\
         |---|---|--:|--:|---|--:|--:|---|--:|--:|\n",
    );
    for c in all {
        let world = format!("[{0}](../tests/scenarios/{0}.toml): {1}", c.name, c.about.replace('|', "\\|"));
        let check = cells(&c.check, |code| format!("[{code}](findings/{code}.md)"));
        let (az, health) = (cells(&c.az, str::to_owned), cells(&c.health, str::to_owned));
        let _ = writeln!(text, "| {world} | {az} | {check} | {health} |");
    }
    text
}

/// What was named, the exit status and the seconds.
fn cells(said: &Said, shown: impl Fn(&str) -> String) -> String {
    let mut named: Vec<String> = said.named.iter().map(|n| shown(n)).collect();
    if said.exit.is_none() {
        named.push("hung".to_owned());
    } else if named.is_empty() {
        named.push("all is well".to_owned());
    }
    let exit = said.exit.map_or("-".to_owned(), |status| status.to_string());
    format!("{} | {exit} | {:.1}", named.join(" "), said.seconds)
}

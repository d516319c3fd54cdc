//! The confusion matrix: in each world, which root cause should be named and which was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use acr_doctor_lab::stage::{self, Order};
use acr_doctor_lab::{LabError, Outcome, Scenario, judge};

use crate::{each, program, scenarios};

/// What stands where no cause is expected, or none is named.
const NOTHING: &str = "(nothing)";
/// Worlds mostly wait, so there may be more of them than processors; as many as the tests have.
const AT_ONCE: usize = 6;

/// What came of one world.
struct Judged {
    name: String,
    /// Expected and named causes, if the scenario is about causes.
    causes: Option<(BTreeSet<String>, BTreeSet<String>)>,
    allowed: Vec<String>,
    faults: Vec<String>,
}

/// Runs all scenarios and prints the matrix; whether its diagonal is full and nothing else is wrong.
pub(crate) fn print() -> Result<bool, LabError> {
    let (started, program) = (Instant::now(), program()?);
    let judged = each(&scenarios(), AT_ONCE, |name, path| judge_one(name, path, &program))?;
    for world in &judged {
        let mark = if world.faults.is_empty() { "✓" } else { "✗" };
        let (expected, named) = world.causes.clone().unwrap_or_default();
        let words = |codes: BTreeSet<String>| codes.into_iter().collect::<Vec<_>>().join(" ");
        println!("{mark} {:48} {:45} {}", world.name, words(expected), words(named));
        for fault in &world.faults {
            println!("    {}", fault.lines().next().unwrap_or_default());
        }
    }
    let counts = counts(&judged);
    println!("\nWorlds by the family of the expected cause (lines) and of the named one (columns):\n");
    println!("{}", families(&counts));
    println!("By code:\n");
    println!("{}", codes(&counts));
    let right = judged.iter().filter(|w| w.faults.is_empty()).count();
    let by_cause = judged.iter().filter(|w| w.causes.is_some()).count();
    println!("{right} of {} worlds as expected, {by_cause} of them judged by their causes.", judged.len());
    println!("{}", fact_cases()?);
    println!("{:.0} s", started.elapsed().as_secs_f64());
    Ok(right == judged.len() && counts.keys().all(|(expected, named)| expected == named))
}

fn judge_one(name: &str, path: &Path, program: &Path) -> Result<Judged, LabError> {
    let scenario = Scenario::read(path)?;
    let order = Order { scenario: path.to_owned(), program: program.to_owned(), ..Order::default() };
    let outcome = stage::open(&order)?;
    let of_causes = !scenario.expect.root_cause.is_empty() || scenario.expect.quiet;
    let named = match &outcome {
        Outcome::Ran { first, .. } => judge::root_causes(&serde_json::from_str(&first.stdout).unwrap_or_default()),
        Outcome::Unsupported(_) | Outcome::Failed(_) => BTreeSet::new(),
    };
    let expected = scenario.expect.root_cause.iter().cloned().collect();
    Ok(Judged {
        name: name.to_owned(),
        faults: judge::faults(&scenario, &outcome),
        causes: of_causes.then_some((expected, named)),
        allowed: scenario.expect.allow,
    })
}

/// Expected and named cause to the worlds where it was so.
type Counts = BTreeMap<(String, String), Vec<String>>;

fn counts(judged: &[Judged]) -> Counts {
    let mut counts = Counts::new();
    for world in judged {
        let Some((expected, named)) = &world.causes else { continue };
        for pair in confusions(expected, named, &world.allowed) {
            counts.entry(pair).or_default().push(world.name.clone());
        }
    }
    counts
}

/// Each expected cause with what was named for it; what was named besides stands for what was missed, or for nothing.
fn confusions(expected: &BTreeSet<String>, named: &BTreeSet<String>, allowed: &[String]) -> Vec<(String, String)> {
    let nothing = || NOTHING.to_owned();
    let mut pairs: Vec<(String, String)> = expected.intersection(named).map(|c| (c.clone(), c.clone())).collect();
    let missed: Vec<&String> = expected.difference(named).collect();
    let surplus: Vec<&String> = named.difference(expected).filter(|c| !allowed.contains(c)).collect();
    match (missed.as_slice(), surplus.as_slice()) {
        ([], []) if expected.is_empty() => pairs.push((nothing(), nothing())),
        ([], surplus) => pairs.extend(surplus.iter().map(|c| (nothing(), (*c).clone()))),
        (missed, []) => pairs.extend(missed.iter().map(|c| ((*c).clone(), nothing()))),
        (missed, surplus) => {
            pairs.extend(missed.iter().flat_map(|m| surplus.iter().map(|s| ((*m).clone(), (*s).clone()))));
        }
    }
    pairs
}

/// The matrix by families, as a grid.
fn families(counts: &Counts) -> String {
    let family = |code: &str| code.split('/').next().unwrap_or_default().to_owned();
    let mut grid: BTreeMap<(String, String), usize> = BTreeMap::new();
    for ((expected, named), worlds) in counts {
        *grid.entry((family(expected), family(named))).or_default() += worlds.len();
    }
    let all: BTreeSet<String> = grid.keys().flat_map(|(e, n)| [e.clone(), n.clone()]).collect();
    let mut text = line("", all.iter().cloned());
    for expected in &all {
        let cell = |named: &String| {
            let count = grid.get(&(expected.clone(), named.clone()));
            count.map_or("·".to_owned(), ToString::to_string)
        };
        text.push_str(&line(expected, all.iter().map(cell)));
    }
    text
}

/// A line of the grid, in columns as wide as the longest family.
fn line(name: &str, cells: impl Iterator<Item = String>) -> String {
    let cells = cells.fold(String::new(), |line, cell| line + &format!("{cell:>13}"));
    format!("{name:13}{cells}\n")
}

/// For each expected code, in how many worlds it was named; below it what was named instead, with the worlds.
fn codes(counts: &Counts) -> String {
    let mut text = String::new();
    let expected: BTreeSet<&String> = counts.keys().map(|(expected, _)| expected).collect();
    for code in expected {
        let of_code = || counts.iter().filter(|((expected, _), _)| expected == code);
        let worlds: usize = of_code().map(|(_, worlds)| worlds.len()).sum();
        let named = counts.get(&(code.clone(), code.clone())).map_or(0, Vec::len);
        text.push_str(&format!("{named:>4} of {worlds:<4} {code}\n"));
        for ((_, other), worlds) in of_code().filter(|((_, named), _)| named != code) {
            text.push_str(&format!("          named as {other}: {}\n", worlds.join(", ")));
        }
    }
    text
}

/// How many cases there are besides, on the level of facts; `cargo test --test suite` holds them.
fn fact_cases() -> Result<String, LabError> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let count = |path: &Path| -> Result<usize, LabError> {
        let text = std::fs::read_to_string(path).map_err(LabError::io(path.display().to_string()))?;
        Ok(text.lines().filter(|line| line.trim() == "[[case]]").count())
    };
    let pairs = |file: &str| count(&project.join("tests/pairs").join(file));
    let mut rules = 0;
    for entry in walkdir::WalkDir::new(project.join("tests/rules")).into_iter().filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|e| e == "toml") {
            rules += count(entry.path())?;
        }
    }
    let worlds = |family: &str| scenarios().iter().filter(|(name, _)| name.starts_with(family)).count();
    let (two, missing) = (worlds("two-faults/"), worlds("missing-facts/"));
    Ok(format!(
        "Of facts alone, held by `cargo test --test suite`: {rules} cases of single rules; two faults at once: {} cases \
         and {two} of the worlds; facts missing: {} cases and {missing} of the worlds.",
        pairs("two-faults.toml")?,
        pairs("missing-facts.toml")?,
    ))
}

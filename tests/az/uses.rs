//! Scripts that call `az acr check-health`, as they stand in public repositories: with the program in its place they
//! print the same and end the same.

use std::collections::BTreeMap;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;

use crate::{Found, order, ran, root, scenario};

/// A machine with docker and helm, both of them stand-ins: the registry is what the scripts are about.
const MACHINE: &str = r#"
mkdir -p ~/bin
printf '#!/bin/sh\n[ "$1" = version ] && echo "version.BuildInfo{Version:\\"v3.14.2\\"}" || true\n' >~/bin/helm
"#;
/// The program in az's place: only the first word of the command line goes.
const IN_ITS_PLACE: &str = r#"
printf '#!/bin/sh\nshift\nexec "$ACR_DOCTOR" "$@"\n' >~/bin/az
"#;
const READY: &str = "
chmod +x ~/bin/*
PATH=~/bin:$PATH
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(rename = "use")]
    uses: Vec<Use>,
}

/// A script and what it comes to in each world.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Use {
    name: String,
    /// What people want of it.
    about: String,
    script: String,
    /// World to what the script prints there, exit status last.
    prints: BTreeMap<String, String>,
    /// Why az comes to something else.
    differs: Option<String>,
}

fn list() -> Result<List, String> {
    let text = std::fs::read_to_string(root().join("tests/az/uses.toml")).map_err(|e| e.to_string())?;
    toml::from_str(&text).map_err(|e| e.to_string())
}

/// One trial for each script and world.
pub(crate) fn trials(found: &Found) -> Vec<Trial> {
    let uses = match list() {
        Ok(list) => list.uses,
        Err(why) => return vec![found.trial("uses/list".to_owned(), true, move || Err(why.into()))],
    };
    let in_worlds = |one: Use| one.prints.clone().into_iter().map(move |(world, prints)| (one.clone(), world, prints));
    let has_az = found.az;
    let trial = |(one, world, prints): (Use, String, String)| {
        found.trial(format!("uses/{}/{world}", one.name), true, move || run(&one, &world, &prints, has_az))
    };
    uses.into_iter().flat_map(in_worlds).map(trial).collect()
}

fn run(one: &Use, world: &str, prints: &str, has_az: bool) -> Result<(), Failed> {
    let ours = outcome(one, world, IN_ITS_PLACE)?;
    if ours.trim() != prints.trim() {
        return Err(format!("{}: it came to\n{ours}\nnot to\n{prints}", one.about).into());
    }
    if !has_az {
        return Ok(());
    }
    let az = outcome(one, world, "")?;
    match (&one.differs, az == ours) {
        (None, false) => Err(format!("{}: with az it came to\n{az}\nnot to\n{ours}", one.about).into()),
        (Some(_), true) => Err("it is said to differ with az, and does not".into()),
        (None, true) | (Some(_), false) => Ok(()),
    }
}

/// What the script prints, and its exit status.
fn outcome(one: &Use, world: &str, place: &str) -> Result<String, Failed> {
    let text = format!("{MACHINE}{place}{READY}ACR=myreg\n{}", one.script);
    let mut order = order(scenario(world), &["/bin/bash", "-c", &text]);
    order.az = place.is_empty();
    order.env.push(("DOCKER_COMMAND".to_owned(), "/bin/true".to_owned()));
    let ran = ran(&order)?;
    let exit = ran.exit.map_or_else(|| "hung".to_owned(), |code| code.to_string());
    Ok(format!("{}exit {exit}", ran.stdout))
}

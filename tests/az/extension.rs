//! `az acr doctor`, with the extension that `az extension add` made of the wheel.

use std::path::{Path, PathBuf};

use acr_doctor_lab::stage;
use acr_doctor_lab::{Scenario, judge};
use libtest_mimic::{Failed, Trial};

use crate::{Found, order, root};

/// Where `tests/az/prepare` puts az's extensions.
pub(crate) fn directory() -> PathBuf {
    root().join("target/az/extensions/acr-doctor")
}

/// One trial for each scenario below `tests/az/extension`, and one for the wheel itself.
pub(crate) fn trials(found: &Found) -> Vec<Trial> {
    let needs = found.az && found.extension;
    let files = std::fs::read_dir(root().join("tests/az/extension")).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    files.sort();
    let scenarios = files.into_iter().map(|path| {
        let name = format!("extension/{}", path.file_stem().unwrap_or_default().to_string_lossy());
        found.trial(name, needs, move || run(&path))
    });
    let current = found.trial("extension/wheel_is_current".to_owned(), needs, wheel_is_current);
    scenarios.chain([current]).collect()
}

fn run(path: &Path) -> Result<(), Failed> {
    let scenario = Scenario::read(path)?;
    let mut order = order(path.to_owned(), &[]);
    let extensions = root().join("target/az/extensions").display().to_string();
    order.env.push(("AZURE_EXTENSION_DIR".to_owned(), extensions));
    let outcome = stage::open(&order)?;
    let faults = judge::faults(&scenario, &outcome);
    if faults.is_empty() { Ok(()) } else { Err(judge::story(&scenario, &outcome, &faults).into()) }
}

/// What is installed is what stands in the tree.
fn wheel_is_current() -> Result<(), Failed> {
    let source = root().join("packaging/az-extension/azext_acr_doctor");
    for entry in std::fs::read_dir(&source)?.filter_map(Result::ok).filter(|entry| entry.path().is_file()) {
        let installed = directory().join("azext_acr_doctor").join(entry.file_name());
        if std::fs::read(entry.path())? != std::fs::read(&installed).unwrap_or_default() {
            let name = entry.file_name();
            return Err(format!("{} is not what the wheel has: run tests/az/prepare", name.display()).into());
        }
    }
    Ok(())
}

//! Snapshots on disk: bounded, one sentence for each mistake.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::facts::snapshot::SnapshotFacts;
use crate::facts::{ConfigFacts, ProbeFacts, Snapshot, SnapshotError};

use super::exit::Failure;
use super::output::Output;

/// More than the snapshot of a subscription with thousands of registries needs.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Reads configuration snapshots, files or directories, into one.
pub(super) fn read_configs(paths: &[PathBuf]) -> Result<Option<ConfigFacts>, Failure> {
    let mut joined: Option<ConfigFacts> = None;
    for facts in read_all::<ConfigFacts>(paths)? {
        joined = Some(match joined {
            None => facts,
            Some(first) if first.cloud == facts.cloud => first.joined_with(facts),
            Some(first) => return Err(Failure::Clouds { first: first.cloud.name, second: facts.cloud.name }),
        });
    }
    Ok(joined)
}

/// Reads probe snapshots, files or directories.
pub(super) fn read_probes(paths: &[PathBuf]) -> Result<Vec<ProbeFacts>, Failure> {
    read_all(paths)
}

fn read_all<F: SnapshotFacts>(paths: &[PathBuf]) -> Result<Vec<F>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() {
            all.extend(read_directory(path)?);
        } else {
            let parsed = Snapshot::parse(&read_bounded(path)?);
            all.push(parsed.map_err(|source| Failure::Snapshot { path: path.clone(), source })?.facts);
        }
    }
    Ok(all)
}

/// The snapshots of one kind in a directory, by file name. Those of the other kind are passed over.
fn read_directory<F: SnapshotFacts>(directory: &Path) -> Result<Vec<F>, Failure> {
    let failed = |source| Failure::ReadFile { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let mut all = Vec::new();
    for path in files {
        match Snapshot::<F>::parse(&read_bounded(&path)?) {
            Ok(snapshot) => all.push(snapshot.facts),
            Err(SnapshotError::Kind { .. }) => {}
            Err(source) => return Err(Failure::Snapshot { path, source }),
        }
    }
    if all.is_empty() {
        return Err(Failure::NoSnapshot { path: directory.to_owned(), kind: F::KIND });
    }
    Ok(all)
}

/// Reads a file, at most as much of it as a snapshot may have.
pub(super) fn read_bounded(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |source| Failure::ReadFile { path: path.to_owned(), source };
    let too_large = || Failure::TooLarge { path: path.to_owned(), limit_mib: LIMIT / (1024 * 1024) };
    let file = File::open(path).map_err(failed)?;
    // A pipe tells no size; the bound on reading holds for it.
    if file.metadata().is_ok_and(|metadata| metadata.len() > LIMIT) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT { Err(too_large()) } else { Ok(bytes) }
}

/// Saves facts as a snapshot, and says on standard error where.
pub(super) fn save<F: SnapshotFacts>(facts: F, path: &Path, output: &Output) -> Result<(), Failure> {
    let failed = |source| Failure::Save { path: path.to_owned(), source };
    let snapshot = Snapshot::new(facts, time::OffsetDateTime::now_utc());
    let mut text = serde_json::to_vec_pretty(&snapshot).map_err(|e| failed(io::Error::other(e)))?;
    text.push(b'\n');
    fs::write(path, text).map_err(failed)?;
    output.note(&format!("saved {}", path.display()));
    Ok(())
}

//! The file from which a stopped audit goes on: a head, then a line for each registry and each subscription that
//! is done. Reports stand in it as they were before policy and baseline, which may change between two runs.

use std::collections::{BTreeSet, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thiserror::Error;

use super::lines::registry_line;
use crate::facts::report::{API_VERSION, RegistryReport};

/// More than one registry's report needs.
const LONGEST_LINE: u64 = 16 << 20;

/// An open resume file.
#[derive(Debug)]
pub struct Resume {
    path: PathBuf,
    file: File,
    done: HashSet<String>,
    subscriptions: BTreeSet<String>,
}

/// Why a resume file cannot be used.
#[derive(Debug, Error)]
pub enum ResumeError {
    /// It cannot be read or written.
    #[error("cannot use the resume file '{}'", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// It is something else.
    #[error("'{}' is no resume file of an audit; name a file that does not exist yet", path.display())]
    NotOurs {
        /// Which.
        path: PathBuf,
    },
    /// It is of another audit.
    #[error("the resume file '{}' is of another audit ({found}); this one is {wanted}", path.display())]
    Scope {
        /// Which.
        path: PathBuf,
        /// The scope in the file.
        found: String,
        /// The scope asked for.
        wanted: String,
    },
}

impl Resume {
    /// Opens or makes the file of an audit over `scope`. What is done already goes through `each`; a last line
    /// that was cut off is dropped, and its registry is read again.
    ///
    /// # Errors
    /// [`ResumeError`].
    pub fn open(path: &Path, scope: &str, mut each: impl FnMut(RegistryReport)) -> Result<Self, ResumeError> {
        let failed = |source| ResumeError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let mut resume = Self { path: path.to_owned(), file, done: HashSet::new(), subscriptions: BTreeSet::new() };
        let mut reader = BufReader::new(resume.file.try_clone().map_err(failed)?);
        let mut good = 0;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(failed)?;
            let whole = line.ends_with(b"\n");
            let value = whole.then(|| serde_json::from_slice::<Value>(&line).ok()).flatten();
            let Some(value) = value else {
                if good == 0 && read > 0 {
                    return Err(ResumeError::NotOurs { path: path.to_owned() });
                }
                break;
            };
            if good == 0 {
                check_head(path, &value, scope)?;
            } else if !resume.take(value, &mut each) {
                break;
            }
            good += read as u64;
        }
        resume.file.set_len(good).map_err(failed)?;
        resume.file.seek(SeekFrom::Start(good)).map_err(failed)?;
        if good == 0 {
            let head = json!({ "apiVersion": API_VERSION, "kind": "AuditProgress", "scope": scope });
            writeln!(resume.file, "{head}").map_err(failed)?;
        }
        Ok(resume)
    }

    /// Takes a line; `false` if it is damaged.
    fn take(&mut self, value: Value, each: &mut impl FnMut(RegistryReport)) -> bool {
        if let Some(id) = value.get("finishedSubscription").and_then(Value::as_str) {
            self.subscriptions.insert(id.to_owned());
            return true;
        }
        let Ok(registry) = serde_json::from_value::<RegistryReport>(value) else { return false };
        self.done.insert(registry.key());
        each(registry);
        true
    }

    /// Whether a registry is done.
    pub fn is_done(&self, key: &str) -> bool {
        self.done.contains(key)
    }

    /// The subscriptions that are done.
    pub fn subscriptions(&self) -> &BTreeSet<String> {
        &self.subscriptions
    }

    /// Writes down registries that are done, and the subscription that ends with them.
    ///
    /// # Errors
    /// The system's, with the file's name.
    pub fn note(&mut self, registries: &[RegistryReport], ends: Option<&str>) -> Result<(), ResumeError> {
        let mut text = String::new();
        for registry in registries {
            text.push_str(&registry_line(registry).map_err(|e| self.failed(io::Error::other(e)))?);
        }
        if let Some(id) = ends {
            text.push_str(&json!({ "finishedSubscription": id }).to_string());
            text.push('\n');
        }
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush()).map_err(|e| self.failed(e))
    }

    /// Removes the file: the audit is complete.
    ///
    /// # Errors
    /// The system's, with the file's name.
    pub fn finish(self) -> Result<(), ResumeError> {
        std::fs::remove_file(&self.path).map_err(|e| self.failed(e))
    }

    fn failed(&self, source: io::Error) -> ResumeError {
        ResumeError::File { path: self.path.clone(), source }
    }
}

fn check_head(path: &Path, head: &Value, scope: &str) -> Result<(), ResumeError> {
    let text = |name: &str| head.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("kind") != "AuditProgress" || text("apiVersion") != API_VERSION {
        return Err(ResumeError::NotOurs { path: path.to_owned() });
    }
    if text("scope") != scope {
        let found = text("scope").chars().filter(|c| !c.is_control()).take(500).collect();
        return Err(ResumeError::Scope { path: path.to_owned(), found, wanted: scope.to_owned() });
    }
    Ok(())
}

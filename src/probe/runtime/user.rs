//! The user whose programs are looked at: variables, and the directories of their own settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Root, json};

/// A user of this host. Another root's users are not here: they have neither variables nor a home.
#[derive(Debug, Clone, Default)]
pub(super) struct User {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
}

impl User {
    /// Whoever runs this program, where the root is this host's own.
    pub(super) fn of(root: &Root) -> Self {
        if !root.is_ours {
            return Self::default();
        }
        let readable =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let variables: BTreeMap<String, String> = readable.filter(|(_, value)| !value.is_empty()).collect();
        let home = variables.get("HOME").or(variables.get("USERPROFILE")).map(PathBuf::from);
        Self { variables, home }
    }

    /// One with these variables and this home.
    #[cfg(test)]
    pub(super) fn with(variables: &[(&str, &str)], home: &Path) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { variables, home: Some(home.to_owned()) }
    }

    /// A variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// A file below the home directory.
    pub(super) fn at_home(&self, path: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(path))
    }

    /// A file of the running session (`XDG_RUNTIME_DIR`).
    pub(super) fn runtime_file(&self, path: &str) -> Option<PathBuf> {
        self.variable("XDG_RUNTIME_DIR").map(|directory| Path::new(&directory).join(path))
    }

    /// A file of the user's own settings (`XDG_CONFIG_HOME`, else ~/.config).
    pub(super) fn settings_file(&self, path: &str) -> Option<PathBuf> {
        let directory = self.variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| self.at_home(".config"));
        directory.map(|directory| directory.join(path))
    }

    /// Where docker's client keeps its settings (`DOCKER_CONFIG`, else ~/.docker).
    pub(super) fn docker_settings(&self) -> Option<PathBuf> {
        self.variable("DOCKER_CONFIG").map(PathBuf::from).or_else(|| self.at_home(".docker"))
    }

    /// The docker client's `config.json`.
    pub(super) fn docker_config(&self) -> Option<Value> {
        json(&self.docker_settings()?.join("config.json"))
    }

    /// podman's logins, in the order that it looks for them (containers-auth.json(5)).
    pub(super) fn podman_logins(&self) -> Vec<Value> {
        let named = self.variable("REGISTRY_AUTH_FILE").map(PathBuf::from);
        let usual = [self.runtime_file("containers/auth.json"), self.settings_file("containers/auth.json")];
        let files = named.map_or_else(|| usual.into_iter().flatten().collect(), |named| vec![named]);
        files.iter().filter_map(|file| json(file)).collect()
    }
}

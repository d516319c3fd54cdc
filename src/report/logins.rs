//! The document of `logs`: failed logins, alike ones as one row.

use serde::Serialize;

use crate::facts::{Finding, Known, LoginEvent, LoginServer, RegistryConfig, Unknown};

use super::grid::columns;
use super::terminal::sanitise;

/// What a registry's log says of its logins.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginReport {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    login_server: LoginServer,
    hours: u32,
    failures: Vec<LoginEvent>,
    /// How many logins succeeded in the same time.
    succeeded: u64,
    findings: Vec<Finding>,
    /// Why the log, or a part of it, is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<String>,
    unknowns: Vec<Unknown>,
}

impl LoginReport {
    /// Sorts a registry's logins into failures and the rest.
    pub fn of(
        registry: &RegistryConfig,
        hours: u32,
        events: &Known<Vec<LoginEvent>>,
        incomplete: Option<String>,
        findings: Vec<Finding>,
    ) -> Self {
        let read = events.known().map_or(&[][..], Vec::as_slice);
        let good = read.iter().filter(|event| !event.failed());
        Self {
            api_version: crate::facts::report::API_VERSION,
            kind: "LoginReport",
            name: registry.name.to_string(),
            login_server: registry.login_server.clone(),
            hours,
            failures: read.iter().filter(|event| event.failed()).cloned().collect(),
            succeeded: good.fold(0, |sum, event| sum.saturating_add(event.count)),
            findings,
            incomplete,
            unknowns: events.missing().into_iter().cloned().collect(),
        }
    }

    /// For a person.
    pub fn table(&self) -> String {
        let mut text = String::new();
        if let Some(unknown) = self.unknowns.first() {
            text += &format!("not known: the logins at {}: {}\n", self.name, sanitise(&unknown.why));
            if let Some(needs) = &unknown.needs {
                text += &format!("  needs: {}\n", sanitise(needs));
            }
        } else {
            let failed = self.failures.iter().fold(0_u64, |sum, event| sum.saturating_add(event.count));
            let hours = self.hours;
            let name = &self.name;
            text += &format!("{name}: {failed} failed, {} succeeded in the last {hours} h\n", self.succeeded);
        }
        if let Some(why) = &self.incomplete {
            text += &format!("incomplete: {}\n", sanitise(why));
        }
        if !self.failures.is_empty() {
            let heads = ["COUNT", "ADDRESS", "IDENTITY", "RESULT", "LAST SEEN", "REASON"];
            let rows = self.failures.iter().map(row);
            let drawn = std::iter::once(heads.map(str::to_owned).to_vec()).chain(rows).collect();
            text += &format!("\n{}", columns(drawn));
        }
        for fix in self.findings.iter().flat_map(|finding| &finding.fix) {
            text += &format!("\nfix: {}\n", sanitise(&fix.summary));
            if let Some(command) = &fix.command {
                text += &format!("  {}\n", sanitise(command));
            }
        }
        text
    }
}

fn row(event: &LoginEvent) -> Vec<String> {
    let shown = |text: &Option<String>| sanitise(text.as_deref().unwrap_or("-")).into_owned();
    vec![
        event.count.to_string(),
        event.caller.map_or("-".to_owned(), |ip| ip.to_string()),
        shown(&event.identity),
        sanitise(&event.result).into_owned(),
        sanitise(&event.time).into_owned(),
        shown(&event.description),
    ]
}

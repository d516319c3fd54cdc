//! What the search list of resolv.conf(5) makes of a name: programs with the C library's or Go's resolver complete a
//! name of fewer dots than `ndots` by each search domain before they ask for the name itself, and any name that is not
//! found after that. A domain that answers everything (a wildcard record) then stands in the name's place.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant as Deadline, timeout_at};

use super::Asking;
use crate::facts::Fqdn;
use crate::facts::dns::{DnsOutcome, SearchedName};
use crate::probe::system::System;
use crate::probe::system::nsswitch::Source;

/// How long completions may take beside what is looked at.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Completions of a name that are being asked for, or would be.
#[derive(Debug, Default)]
pub(super) struct Search {
    asking: JoinSet<Option<SearchedName>>,
    /// Asked only if the name itself is not found.
    later: Option<(System, Vec<Fqdn>)>,
}

impl Search {
    /// Asks for the completions, where programs ask for them first.
    pub(super) fn start(system: &System, name: &Fqdn, deadline: Deadline) -> Self {
        // systemd-resolved completes single labels alone.
        if !system.servers_of(Source::Resolve).is_empty() {
            return Self::default();
        }
        let complete = |domain: &String| format!("{name}.{}", domain.trim_matches('.')).parse::<Fqdn>().ok();
        let names: Vec<Fqdn> = system.search.iter().filter_map(complete).collect();
        let (system, mut search) = (system.clone(), Self::default());
        if name.as_str().matches('.').count() < system.options.ndots as usize {
            let deadline = deadline.min(Deadline::now() + PATIENCE);
            search.asking.spawn(async move { first_found(&system, names, deadline).await });
        } else if !names.is_empty() {
            search.later = Some((system, names));
        }
        search
    }

    /// The completion that has an answer; `missing`: there is no such name as the name itself.
    pub(super) async fn outcome(mut self, missing: bool) -> Option<SearchedName> {
        let deadline = Deadline::now() + PATIENCE;
        match self.later {
            Some((system, names)) if missing => first_found(&system, names, deadline).await,
            Some(_) => None,
            None => timeout_at(deadline, self.asking.join_next()).await.ok()??.ok()?,
        }
    }
}

/// The first of these names, in order, that has an address.
async fn first_found(system: &System, names: Vec<Fqdn>, deadline: Deadline) -> Option<SearchedName> {
    for name in names {
        let answer = Asking::start_alone(system, &name, deadline).decide().await;
        if answer.outcome == DnsOutcome::Resolved {
            return Some(SearchedName { name, answer, ndots: system.options.ndots });
        }
    }
    None
}

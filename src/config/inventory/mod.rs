//! Every registry of many subscriptions, batch by batch: by Resource Graph in a fixed number of queries, by ARM's
//! lists where Resource Graph is denied, and by ARM for what the graph does not show and a verdict hangs on.

mod arm_lists;
mod feed;
mod graph;
mod graph_inventory;
mod queries;
mod scope;
mod subnet_rules;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use thiserror::Error;

use super::arm::Arm;
use super::read_error::ReadError;
use super::sign_in::{Session, SignInError};
use crate::facts::audit::UnreadScope;
use crate::facts::config::ReadFailure;
use crate::facts::{Cloud, ConfigFacts, Known, RegistryConfig, Unknown};

use scope::Subscriptions;

/// What is to be listed.
#[derive(Debug, Clone)]
pub struct InventoryRequest {
    /// The cloud; the session must be of the same.
    pub cloud: Cloud,
    /// Where to look.
    pub scope: InventoryScope,
    /// How long everything may take, sign-in included.
    pub deadline: Duration,
    /// How many requests may be under way at once.
    pub max_in_flight: usize,
    /// Subscriptions (GUIDs in lower case) that an earlier run finished: they are not listed again.
    pub finished: BTreeSet<String>,
    /// Of which registries ARM is asked for subnet rules that rows hide.
    pub subnet_rules: SubnetRuleReads,
}

/// Of which registries ARM is asked for subnet rules, where Resource Graph's rows hide them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SubnetRuleReads {
    /// All in a few subscriptions, the deciding ones in more.
    #[default]
    Auto,
    /// All on which they have a say: default action Deny, public access not disabled.
    All,
    /// Of these only where no IP rule and no private endpoint lets anybody in.
    Deciding,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InventoryScope {
    /// These subscriptions, by GUID or display name.
    Subscriptions(Vec<String>),
    /// Every subscription below this management group.
    ManagementGroup(String),
    /// Every subscription that the sign-in sees.
    All,
}

/// The scope as requests name it.
enum Scope {
    Subscriptions(Vec<String>),
    ManagementGroup(String),
}

/// Registries with what they refer to.
#[derive(Debug)]
pub struct Batch {
    /// The facts; `registries` is not empty.
    pub facts: ConfigFacts,
    /// The subscription that ends with this batch, where the inventory goes subscription by subscription.
    pub ends: Option<String>,
}

/// How an inventory ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InventoryOutcome {
    /// Subscriptions that were read.
    pub subscriptions: usize,
    /// Scopes that could not be read.
    pub unread: Vec<UnreadScope>,
    /// Requests sent, each try counted.
    pub requests: usize,
    /// Whether Resource Graph was denied, so that ARM's lists were read instead.
    pub graph_denied: bool,
}

/// Why there is no inventory at all.
#[derive(Debug, Error)]
pub enum InventoryError {
    /// No credential gave a token.
    #[error("not signed in to Azure")]
    SignIn(#[source] SignInError),
    /// The subscriptions could not be listed.
    #[error("cannot list {what}: {why}")]
    Scope {
        /// What was listed.
        what: String,
        /// Why not.
        why: String,
        /// The right that is missing, where ARM named one.
        needs: Option<String>,
    },
    /// A subscription's name that no subscription has.
    #[error("no subscription that this sign-in sees is named '{0}'")]
    NoSuchSubscription(String),
}

/// Where an inventory stands, for whoever watches. Cheap to read at any time.
#[derive(Debug, Default)]
pub struct Progress {
    expected: AtomicUsize,
    listed: AtomicUsize,
    done: AtomicUsize,
    throttled: AtomicUsize,
    requests: AtomicUsize,
}

impl Progress {
    /// Registries that there are in all, as far as is known: Resource Graph tells with its first page.
    pub fn expected(&self) -> usize {
        self.expected.load(Ordering::Relaxed).max(self.listed.load(Ordering::Relaxed))
    }

    /// Registries listed and not done with.
    pub fn in_flight(&self) -> usize {
        self.listed.load(Ordering::Relaxed).saturating_sub(self.done())
    }

    /// Registries done with: judged, or not meant.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// So many registries more are done with.
    pub fn done_with(&self, more: usize) {
        self.done.fetch_add(more, Ordering::Relaxed);
    }

    /// Requests that wait because ARM asked to, or failed.
    pub fn throttled(&self) -> usize {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Requests sent so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// A state that tests watch.
    #[cfg(test)]
    pub(crate) fn show_listed_and_throttled(&self, listed: usize, throttled: usize) {
        self.listed(listed);
        self.throttled.store(throttled, Ordering::Relaxed);
    }

    fn listed(&self, more: usize) {
        self.listed.fetch_add(more, Ordering::Relaxed);
    }

    fn expect(&self, all: usize) {
        self.expected.store(all, Ordering::Relaxed);
    }

    fn note(&self, arm: &Arm) {
        self.throttled.store(arm.traffic().throttled(), Ordering::Relaxed);
        self.requests.store(arm.traffic().requests(), Ordering::Relaxed);
    }
}

/// Lists registries and gives them to `sink`, batch by batch, until it breaks; the next pages are read while it works.
///
/// # Errors
/// [`InventoryError`] if there is nothing to list at all. What fails later stands in the outcome.
pub async fn inventory(
    request: &InventoryRequest,
    session: &Session,
    progress: &Progress,
    mut sink: impl AsyncFnMut(Batch) -> ControlFlow<()>,
) -> Result<InventoryOutcome, InventoryError> {
    session.token(&request.cloud.resource_manager_audience).await.map_err(InventoryError::SignIn)?;
    let arm = Arm::of_inventory(session, request.deadline, request.max_in_flight);
    let run = Run { request, session, arm: &arm, progress };
    let watched = run.whole(&mut sink);
    let watching = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            progress.note(&arm);
        }
    };
    let mut outcome = tokio::select! {
        outcome = watched => outcome?,
        () = watching => InventoryOutcome::default(),
    };
    progress.note(&arm);
    outcome.requests = arm.traffic().requests();
    outcome.unread.sort();
    Ok(outcome)
}

/// One inventory's surroundings.
struct Run<'r> {
    request: &'r InventoryRequest,
    session: &'r Session,
    arm: &'r Arm,
    progress: &'r Progress,
}

impl Run<'_> {
    async fn whole(
        &self,
        sink: &mut impl AsyncFnMut(Batch) -> ControlFlow<()>,
    ) -> Result<InventoryOutcome, InventoryError> {
        let mut subscriptions = Subscriptions::of(self).await?;
        match Box::pin(self.by_graph(&mut subscriptions, sink)).await {
            Ok(outcome) => Ok(outcome),
            Err(denied) => {
                tracing::info!(why = %denied.message, "Resource Graph is denied: listing subscription by subscription");
                subscriptions.below_group(self).await?;
                Ok(Box::pin(self.by_lists(&subscriptions, sink)).await)
            }
        }
    }

    /// Facts of some registries, before their surroundings are added.
    fn facts(&self, registries: Vec<RegistryConfig>) -> ConfigFacts {
        let mut facts = ConfigFacts::not_read(self.request.cloud.clone(), "");
        facts.sign_in = self.session.sign_in();
        facts.registries = registries;
        facts.service_tags = Known::unknown("an inventory does not read service tags");
        facts.client_subnet = Known::Unknown(Unknown::needing("an audit has no client", "acr-doctor check -n NAME"));
        facts.client_virtual_network = facts.client_subnet.clone();
        facts
    }
}

/// A scope that could not be read, from the error that says why.
fn unread(scope: &str, name: Option<String>, error: &ReadError) -> UnreadScope {
    let unknown = error.unknown();
    UnreadScope { scope: scope.to_owned(), name, why: unknown.why, needs: unknown.needs }
}

/// Says in the log what could not be read. The report has it with each registry that lacks it, and a list besides
/// would grow with the fleet.
fn log_unread(what: &str, error: &ReadError) {
    tracing::info!(what, why = %error.message, "not read");
}

/// Whether Resource Graph refuses this sign-in or does not exist here, rather than being out of order.
fn is_denied(error: &ReadError) -> bool {
    matches!(
        error.failure,
        ReadFailure::Forbidden | ReadFailure::Unauthorized | ReadFailure::NotFound | ReadFailure::ApiVersion
    ) || (error.status == Some(400) && !graph::is_too_large(error))
}

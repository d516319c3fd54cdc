//! An audit: every registry of an inventory reconciled, and given away as soon as its page is there.

use std::ops::ControlFlow;

use async_trait::async_trait;
use futures::StreamExt;

use super::glob::Glob;
use super::resume::{Resume, ResumeError};
use crate::config::Session;
use crate::config::inventory::{Batch, InventoryError, InventoryOutcome, InventoryRequest, Progress, inventory};
use crate::facts::report::RegistryReport;
use crate::facts::{ConfigFacts, ProbeFacts, RegistryConfig, Vantage};
use crate::reconcile::{Options, reconcile};

/// How many registries are judged before their reports are given away: a report is larger than what it is made from.
const JUDGED_AT_ONCE: usize = 50;

/// Which registries of the inventory are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only with all these tags: key, and a pattern of the value.
    pub tags: Vec<(String, Glob)>,
    /// Only with such a name.
    pub name: Option<Glob>,
}

impl Filter {
    /// Whether a registry is meant.
    pub fn takes(&self, registry: &RegistryConfig) -> bool {
        let tagged = |(key, value): &(String, Glob)| {
            registry.tags.iter().any(|(k, v)| k.eq_ignore_ascii_case(key) && value.matches(v))
        };
        self.tags.iter().all(tagged) && self.name.as_ref().is_none_or(|name| name.matches(registry.name.as_str()))
    }
}

/// Looks at a registry from here.
#[async_trait]
pub trait Prober: Sync {
    /// What a client met; `None` if there was nothing to look at.
    async fn probe(&self, registry: &RegistryConfig) -> Option<ProbeFacts>;
}

/// What is to be audited.
pub struct AuditRequest<'a> {
    /// Where to look.
    pub inventory: InventoryRequest,
    /// Which of them.
    pub filter: Filter,
    /// How to reconcile; `audit` should be set.
    pub options: Options,
    /// Who looks from here, if anybody.
    pub prober: Option<&'a dyn Prober>,
    /// How many registries are probed at once.
    pub max_probes: usize,
}

/// Why an audit ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum AuditError<E> {
    /// No inventory.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The resume file could not be written.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// Whoever takes the reports refused one.
    #[error("the reports cannot be given away")]
    Taker(E),
}

/// How an audit ended; its reports were given away already.
#[derive(Debug)]
pub struct Audited {
    /// What was listed, and what could not be.
    pub inventory: InventoryOutcome,
    /// Who looked from here, where somebody did.
    pub vantage: Option<Vantage>,
}

/// Audits; each registry's report goes to `take` as it is made, as findings stand before policy and baseline.
/// Registries that `resume` has are passed over; those made now are noted in it.
///
/// # Errors
/// [`AuditError`]. What could not be read of an inventory stands in its outcome.
pub async fn audit<E>(
    request: &AuditRequest<'_>,
    session: &Session,
    progress: &Progress,
    resume: Option<&mut Resume>,
    take: impl FnMut(RegistryReport) -> Result<(), E>,
) -> Result<Audited, AuditError<E>> {
    let mut inventory_request = request.inventory.clone();
    if let Some(resume) = &resume {
        inventory_request.finished.extend(resume.subscriptions().iter().cloned());
    }
    let mut failed = None;
    let mut run = Run { request, progress, resume, take, vantage: None };
    let sink = async |batch: Batch| match run.step(batch).await {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    };
    let inventory = inventory(&inventory_request, session, progress, sink).await?;
    failed.map_or(Ok(Audited { inventory, vantage: run.vantage }), Err)
}

/// An audit at work.
struct Run<'a, T> {
    request: &'a AuditRequest<'a>,
    progress: &'a Progress,
    resume: Option<&'a mut Resume>,
    take: T,
    vantage: Option<Vantage>,
}

impl<E, T: FnMut(RegistryReport) -> Result<(), E>> Run<'_, T> {
    /// Judges the registries of a batch that are meant and not done.
    async fn step(&mut self, mut batch: Batch) -> Result<(), AuditError<E>> {
        let done = |registry: &RegistryConfig| self.resume.as_ref().is_some_and(|r| r.is_done(&registry.id.key()));
        let listed = batch.facts.registries.len();
        batch.facts.registries.retain(|registry| self.request.filter.takes(registry) && !done(registry));
        self.progress.done_with(listed - batch.facts.registries.len());
        if let Some(prober) = self.request.prober {
            self.look(prober, &mut batch.facts).await?;
        } else {
            self.judge(&mut batch.facts)?;
        }
        if let (Some(resume), Some(subscription)) = (&mut self.resume, &batch.ends) {
            resume.note(&[], Some(subscription))?;
        }
        Ok(())
    }

    /// Judges a few at a time: their reports are given away before the next are made.
    fn judge(&mut self, facts: &mut ConfigFacts) -> Result<(), AuditError<E>> {
        let mut registries = std::mem::take(&mut facts.registries).into_iter();
        loop {
            facts.registries = registries.by_ref().take(JUDGED_AT_ONCE).collect();
            if facts.registries.is_empty() {
                return Ok(());
            }
            self.give(reconcile(facts, &[], &self.request.options).registries)?;
        }
    }

    /// Looks at each from here, some at once; what is known of one is given away before the others are done.
    async fn look(&mut self, prober: &dyn Prober, facts: &mut ConfigFacts) -> Result<(), AuditError<E>> {
        let looks = std::mem::take(&mut facts.registries).into_iter().map(|registry| async {
            let probe = prober.probe(&registry).await;
            (registry, probe)
        });
        let mut looks = futures::stream::iter(looks).buffer_unordered(self.request.max_probes.clamp(1, 64));
        while let Some((registry, probe)) = looks.next().await {
            facts.registries = vec![registry];
            let report = reconcile(facts, probe.as_slice(), &self.request.options);
            self.vantage = self.vantage.take().or(report.vantage);
            self.give(report.registries)?;
        }
        Ok(())
    }

    fn give(&mut self, reports: Vec<RegistryReport>) -> Result<(), AuditError<E>> {
        if let Some(resume) = &mut self.resume {
            resume.note(&reports, None)?;
        }
        for report in reports {
            self.progress.done_with(1);
            (self.take)(report).map_err(AuditError::Taker)?;
        }
        Ok(())
    }
}

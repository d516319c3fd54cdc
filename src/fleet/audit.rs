//! An audit: every registry of an inventory reconciled, and given away as soon as its page is there.

use std::ops::ControlFlow;

use async_trait::async_trait;
use futures::StreamExt;

use super::glob::Glob;
use super::resume::{Resume, ResumeError};
use crate::config::Session;
use crate::config::inventory::{Batch, InventoryError, InventoryOutcome, InventoryRequest, Progress, inventory};
use crate::facts::report::RegistryReport;
use crate::facts::{ProbeFacts, RegistryConfig};
use crate::reconcile::{Options, reconcile};

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

/// Audits; each registry's report goes to `take` as it is made, as findings stand before policy and baseline.
/// Registries that `resume` has are passed over; those made now are noted in it.
///
/// # Errors
/// [`AuditError`]. What could not be read of an inventory stands in its outcome.
pub async fn audit<E>(
    request: &AuditRequest<'_>,
    session: &Session,
    progress: &Progress,
    mut resume: Option<&mut Resume>,
    mut take: impl FnMut(RegistryReport) -> Result<(), E>,
) -> Result<InventoryOutcome, AuditError<E>> {
    let mut inventory_request = request.inventory.clone();
    if let Some(resume) = &resume {
        inventory_request.finished.extend(resume.subscriptions().iter().cloned());
    }
    let mut failed = None;
    let sink = async |batch: Batch| {
        let step = step(request, batch, resume.as_deref_mut(), &mut take).await;
        match step {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let outcome = inventory(&inventory_request, session, progress, sink).await?;
    failed.map_or(Ok(outcome), Err)
}

async fn step<E>(
    request: &AuditRequest<'_>,
    mut batch: Batch,
    resume: Option<&mut Resume>,
    take: &mut impl FnMut(RegistryReport) -> Result<(), E>,
) -> Result<(), AuditError<E>> {
    let done = |registry: &RegistryConfig| resume.as_ref().is_some_and(|r| r.is_done(&registry.id.key()));
    batch.facts.registries.retain(|registry| request.filter.takes(registry) && !done(registry));
    let reports = if batch.facts.registries.is_empty() {
        Vec::new()
    } else {
        let probes = probes(request, &batch.facts.registries).await;
        reconcile(&batch.facts, &probes, &request.options).registries
    };
    if let Some(resume) = resume {
        resume.note(&reports, batch.ends.as_deref())?;
    }
    reports.into_iter().try_for_each(take).map_err(AuditError::Taker)
}

async fn probes(request: &AuditRequest<'_>, registries: &[RegistryConfig]) -> Vec<ProbeFacts> {
    let Some(prober) = request.prober else { return Vec::new() };
    let looks = registries.iter().map(|registry| prober.probe(registry));
    futures::stream::iter(looks)
        .buffered(request.max_probes.clamp(1, 64))
        .filter_map(std::future::ready)
        .collect()
        .await
}

//! `--timings`: the clock behind [`crate::facts::timings`], a layer beside the log's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::facts::timings::{Step, StepKind, TARGET, Timings};

/// Measures the steps of a run. Clones share what they measured.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    started: Instant,
    steps: Arc<Mutex<Vec<Step>>>,
}

impl Clock {
    /// Starts at nothing.
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), steps: Arc::default() }
    }

    /// What was measured until now; a step that has not ended is left out.
    pub(super) fn timings(&self) -> Timings {
        let ms = self.now();
        Timings::of(self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone(), ms)
    }

    fn now(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() * 10_000.0).round() / 10.0
    }

    /// Whether a span is a step.
    pub(super) fn measures(metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }
}

/// A step under way.
#[derive(Default)]
struct Begun {
    kind: Option<StepKind>,
    host: String,
    what: String,
    begin: f64,
}

impl Visit for Begun {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "kind" => self.kind = StepKind::named(value),
            "host" => value.clone_into(&mut self.host),
            "what" => value.clone_into(&mut self.what),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Clock {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut begun = Begun { begin: self.now(), ..Begun::default() };
        attributes.record(&mut begun);
        span.extensions_mut().insert(begun);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(Begun { kind: Some(kind), host, what, begin }) =
            context.span(&id).and_then(|span| span.extensions_mut().remove())
        else {
            return;
        };
        let step = Step { kind, host, what, begin, ms: self.now() - begin, after: None };
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }
}

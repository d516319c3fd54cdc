//! A bar on standard error while an audit runs, on a terminal only.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::config::inventory::Progress;

/// The bar, or nothing where nobody watches.
pub(super) struct Bar {
    bar: ProgressBar,
    progress: Arc<Progress>,
}

impl Bar {
    /// A bar over an inventory's progress.
    pub(super) fn new(progress: &Arc<Progress>, quiet: bool) -> Self {
        let bar = if quiet || !io::stderr().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let watched = Arc::clone(progress);
        let traffic = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(out, "{} in flight, {} requests", watched.in_flight(), watched.requests());
            if watched.throttled() > 0 {
                let _ = write!(out, ", {} throttled", watched.throttled());
            }
        };
        let template = "{bar:24} {pos}/{len} registries, {traffic}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("traffic", traffic));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, progress: Arc::clone(progress) }
    }

    /// One registry more is done.
    pub(super) fn done(&self, before: u64) {
        let expected = u64::try_from(self.progress.expected()).unwrap_or(u64::MAX);
        self.bar.inc(1);
        self.bar.set_length(expected.saturating_add(before).max(self.bar.position()));
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

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
    /// A bar over an inventory's progress; of the registries listed at most `at_once` are looked at at once.
    pub(super) fn new(progress: &Arc<Progress>, at_once: usize, quiet: bool) -> Self {
        let bar = if quiet || !io::stderr().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let watched = Arc::clone(progress);
        let traffic = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A bar that cannot be drawn is no reason to stop.
            let _ = out.write_str(&traffic_words(&watched, at_once));
        };
        let template = "{bar:24} {pos}/{len} registries, {traffic}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("traffic", traffic));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, progress: Arc::clone(progress) }
    }

    /// Shows where the audit stands.
    pub(super) fn update(&self) {
        let count = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
        self.bar.set_length(count(self.progress.expected().max(self.progress.done())));
        self.bar.set_position(count(self.progress.done()));
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// What is under way: registries, requests so far, and requests that wait because Azure asked to.
fn traffic_words(progress: &Progress, at_once: usize) -> String {
    let under_way = format!("{} in flight, {} requests", progress.in_flight().min(at_once), progress.requests());
    match progress.throttled() {
        0 => under_way,
        waiting => format!("{under_way}, {waiting} throttled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_what_is_under_way() {
        let progress = Progress::default();
        assert_eq!(traffic_words(&progress, 8), "0 in flight, 0 requests");
        progress.show_listed_and_throttled(1000, 3);
        progress.done_with(4);
        assert_eq!(traffic_words(&progress, usize::MAX), "996 in flight, 0 requests, 3 throttled");
        assert_eq!(traffic_words(&progress, 8), "8 in flight, 0 requests, 3 throttled");
    }
}

//! What a person sees while the probe climbs: one line an endpoint, on standard error, on a terminal only.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::facts::report::{StageReport, StageStatus};
use crate::facts::{EndpointRole, Fqdn, Stage};
use crate::probe::Observer;
use crate::report::{Style, ladder};

use super::output::Output;

/// The live ladders, or nothing where nobody watches.
pub(super) struct Live {
    lines: MultiProgress,
    style: Style,
    ladders: Mutex<BTreeMap<Fqdn, Ladder>>,
}

struct Ladder {
    line: ProgressBar,
    rungs: Vec<(Stage, Option<StageStatus>)>,
}

impl Live {
    /// Draws on standard error if it is a terminal and the user wants more than errors.
    pub(super) fn start(output: &Output) -> Self {
        let target = if output.is_live() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { lines: MultiProgress::with_draw_target(target), style: output.style(), ladders: Mutex::default() }
    }

    /// Takes the lines away again: the report says it all.
    pub(super) fn clear(&self) {
        // A terminal that cannot be cleared keeps the lines; nothing is lost.
        let _ = self.lines.clear();
    }

    fn drawn(&self, host: &Fqdn, rungs: &[(Stage, Option<StageStatus>)]) -> String {
        let rung = |(stage, ended): &(Stage, Option<StageStatus>)| match ended {
            None => format!("{} {}", ladder::stage_name(*stage), self.style.ellipsis()),
            Some(status) => {
                let report = StageReport { stage: *stage, status: *status, ms: None, detail: String::new() };
                ladder::rung(&report, &self.style)
            }
        };
        format!("{host}  {}", rungs.iter().map(rung).collect::<Vec<_>>().join(self.style.step()))
    }
}

impl Observer for Live {
    fn stage(&self, host: &Fqdn, _role: EndpointRole, stage: Stage, ended: Option<StageStatus>) {
        tracing::debug!(%host, stage = ladder::stage_name(stage), ?ended, "stage");
        let mut ladders = self.ladders.lock().unwrap_or_else(PoisonError::into_inner);
        let ladder = ladders.entry(host.clone()).or_insert_with(|| {
            let line = self.lines.add(ProgressBar::no_length());
            line.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
            Ladder { line, rungs: Vec::new() }
        });
        match ladder.rungs.iter_mut().find(|(known, _)| *known == stage) {
            Some(rung) => rung.1 = ended,
            None => ladder.rungs.push((stage, ended)),
        }
        ladder.line.set_message(self.drawn(host, &ladder.rungs));
        ladder.line.tick();
    }
}

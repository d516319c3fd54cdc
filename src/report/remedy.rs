//! A fix as lines: its sentence, and each command below the step that it belongs to.

use std::borrow::Cow;

use crate::facts::Fix;

/// One line of a fix: what to do, and the command that does it.
pub(super) struct Line<'a> {
    /// The sentence; a step with its number.
    pub text: Cow<'a, str>,
    /// The command.
    pub command: Option<&'a str>,
}

/// The lines of a fix: itself, or itself and its steps.
pub(super) fn lines(fix: &Fix) -> Vec<Line<'_>> {
    let note = if fix.widens_access { " (opens more than this client needs)" } else { "" };
    let summary = if note.is_empty() { Cow::from(&fix.summary) } else { Cow::from(format!("{}{note}", fix.summary)) };
    if fix.steps.is_empty() {
        return vec![Line { text: summary, command: fix.command.as_deref() }];
    }
    let steps = fix.steps.iter().zip(1..).map(|(step, number)| Line {
        text: Cow::from(format!("{number}. {}", step.summary)),
        command: step.command.as_deref(),
    });
    std::iter::once(Line { text: summary, command: None }).chain(steps).collect()
}

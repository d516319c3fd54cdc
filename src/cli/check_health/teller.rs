//! Says lines as az's log does: `WARNING:` for what passes, `ERROR:` with a time for what does not.

use time::OffsetDateTime;
use time::macros::format_description;

use crate::facts::Finding;
use crate::report::health::{HealthError, HealthLine};

use super::super::output::{Output, say};

/// Standard error, and whether an error ends the check.
pub(super) struct Teller<'a> {
    output: &'a Output,
    ignore_errors: bool,
}

impl<'a> Teller<'a> {
    pub(super) fn new(output: &'a Output, ignore_errors: bool) -> Self {
        Self { output, ignore_errors }
    }

    /// A line at az's level WARNING, which `--only-show-errors` hides.
    pub(super) fn note(&self, text: &str) {
        self.output.lines(&format!("WARNING: {text}"));
    }

    /// Says a line, and `findings` below an error; whether the check ends here.
    pub(super) fn stops_at(&self, line: &HealthLine, findings: &[&Finding]) -> bool {
        match line {
            HealthLine::Passed(text) => self.note(&format!("{text} : OK")),
            HealthLine::Note(text) => self.note(text),
            HealthLine::Failed(error) => {
                self.error(error, findings);
                return !self.ignore_errors;
            }
        }
        false
    }

    /// Says lines up to the one that ends the check; whether one does.
    pub(super) fn stops_within(&self, lines: &[HealthLine], findings: &[&Finding]) -> bool {
        lines.iter().any(|line| self.stops_at(line, findings))
    }

    fn error(&self, error: &HealthError, findings: &[&Finding]) {
        let mut text = match error.title {
            Some(title) => format!("ERROR: {} An error occurred: {title}\n{}", now(), error.text),
            None => format!("ERROR: {}", error.text),
        };
        for finding in findings {
            text.push_str(&format!("\nacr-doctor: {}: {}", finding.code, finding.title));
            if let Some(fix) = finding.fix.first() {
                text.push_str(&format!("\n  fix: {}", fix.command.as_ref().unwrap_or(&fix.summary)));
            }
        }
        if let Some(title) = error.title.filter(|_| !self.ignore_errors) {
            let anchor = title.to_lowercase();
            text.push_str(&format!("\n\nPlease refer to https://aka.ms/acr/errors#{anchor} for more information."));
        }
        say(&text);
    }
}

/// Says an error that `--ignore-errors` does not cover. Always true: the check ends.
pub(super) fn ends(error: &HealthError) -> bool {
    say(&format!("ERROR: {}", error.text));
    true
}

/// The time as az writes it.
fn now() -> String {
    let shape = format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]");
    OffsetDateTime::now_utc().format(&shape).unwrap_or_default()
}

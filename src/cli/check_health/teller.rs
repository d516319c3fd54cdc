//! Says lines as az's log does: `WARNING:` for what passes, `ERROR:` with a time for what does not.

use time::OffsetDateTime;
use time::macros::format_description;

use crate::facts::{Finding, Severity};
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

    /// Says findings that belong to no error of az's: it looks at the login server alone, and at nothing that works.
    pub(super) fn besides(&self, findings: &[&Finding]) {
        for finding in findings {
            let text = cause(finding);
            if finding.severity == Severity::Error {
                say(&format!("ERROR: {text}"));
            } else {
                self.output.lines(&format!("WARNING: {text}"));
            }
        }
    }

    fn error(&self, error: &HealthError, findings: &[&Finding]) {
        let mut text = match error.title {
            Some(title) => format!("ERROR: {} An error occurred: {title}\n{}", now(), error.text),
            None => format!("ERROR: {}", error.text),
        };
        for finding in findings {
            text.push_str(&format!("\n{}", cause(finding)));
        }
        if let Some(title) = error.title.filter(|_| !self.ignore_errors) {
            let anchor = title.to_lowercase();
            text.push_str(&format!("\n\nPlease refer to https://aka.ms/acr/errors#{anchor} for more information."));
        }
        say(&text);
    }
}

/// A finding and what mends it.
fn cause(finding: &Finding) -> String {
    let first = finding.fix.first();
    let text = first.map(|fix| fix.command.as_ref().unwrap_or(&fix.summary).replace('\n', "\n       "));
    let fix = text.map(|text| format!("\n  fix: {text}"));
    format!("acr-doctor: {}: {}{}", finding.code, finding.title, fix.unwrap_or_default())
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

//! Reports as files for other programs and for people who were not there: SARIF, JUnit, Markdown, HTML, CSV.

mod csv;
mod html;
mod junit;
mod markdown;
mod sarif;
#[cfg(test)]
mod tests;

pub use csv::csv;
pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use sarif::sarif;

use crate::facts::report::RegistryReport;
use crate::facts::{Finding, Severity, Verdict};

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!($out, $($text)*);
    }};
}
use put;

/// The word of a severity.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// The word of a verdict.
fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "healthy",
        Verdict::Degraded => "degraded",
        Verdict::Blocked => "blocked",
        Verdict::Unknown => "unknown",
    }
}

/// A finding's place in the story of its registry.
fn place(finding: &Finding) -> &'static str {
    match (finding.root_cause, finding.explained_by.is_empty()) {
        (true, _) => "root cause",
        (false, false) => "effect",
        (false, true) => "",
    }
}

/// The codes that explain a finding, for a sentence.
fn explained_by(finding: &Finding) -> String {
    finding.explained_by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The first command that mends it.
fn command(finding: &Finding) -> Option<&str> {
    finding.fix.iter().find_map(|fix| fix.command.as_deref())
}

/// A registry's id, or the best that is known of it.
fn locator(registry: &RegistryReport) -> String {
    registry
        .id
        .as_ref()
        .map(ToString::to_string)
        .or_else(|| registry.login_server.as_ref().map(ToString::to_string))
        .unwrap_or_else(|| registry.name.clone())
}

/// RFC 3339, as in the JSON report; empty for a time that has no such form (a year beyond 9999).
fn timestamp(time: time::OffsetDateTime) -> String {
    time.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

/// Text for XML and HTML, attribute or content: escaped, without what XML 1.0 forbids or what deceives the eye.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() || super::terminal::is_deceptive(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

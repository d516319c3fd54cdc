//! The table of `whatif`: those who lose access first.

use std::fmt::Write as _;

use super::Style;
use super::terminal::sanitise;
use crate::facts::what_if::{Access, Admission, Difference, WhatIf};

/// Draws the comparison.
pub fn what_if(document: &WhatIf, style: &Style) -> String {
    let total = document.summary;
    let mut text = format!(
        "{} with {}: {} lose access, {} gain it, {} not known, {} unchanged\n",
        document.name,
        sanitise(&document.changes.join(", ")),
        total.lost,
        total.gained,
        total.unknown,
        total.unchanged
    );
    for client in &document.clients {
        let mark = match client.outcome {
            Difference::Lost => "LOST",
            Difference::Gained => "GAINED",
            Difference::Unknown => "UNKNOWN",
            Difference::Unchanged => "same",
        };
        let name = client.name.as_ref().map(|name| format!("  {}", sanitise(name))).unwrap_or_default();
        let logins = client.logins.map(|count| format!("  {count} logins")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{mark:8}{}{name}{logins}\n", sanitise(&client.client));
        let _ = writeln!(text, "  {}", style.cut(&line("now", &client.before), style.width.saturating_sub(2)));
        let _ = writeln!(text, "  {}", style.cut(&line("then", &client.after), style.width.saturating_sub(2)));
    }
    text
}

fn line(when: &str, access: &Access) -> String {
    let word = match access.access {
        Admission::Allowed => "let in",
        Admission::Refused => "refused",
        Admission::Unknown => "not known",
    };
    format!("{when:5}{word}: {}", sanitise(&access.because))
}

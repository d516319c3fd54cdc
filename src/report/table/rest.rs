//! What stands below the root causes: effects folded, other findings, facts that are missing.

use crate::facts::Severity;
use crate::facts::finding::{Code, Finding};
use crate::facts::report::RegistryReport;

use super::super::terminal::{Ink, Style, line, paragraph, sanitise};
use super::{cause, severity_mark};

/// Unknown facts beyond this many are counted only.
const UNKNOWNS: usize = 6;

/// Findings that a root cause explains: their codes, once.
pub(super) fn effects(registry: &RegistryReport, style: &Style, out: &mut String) {
    let effects: Vec<&Finding> =
        registry.findings.iter().filter(|f| !f.root_cause && !f.explained_by.is_empty()).collect();
    if effects.is_empty() {
        return;
    }
    let mut causes: Vec<&str> = effects.iter().flat_map(|f| &f.explained_by).map(Code::as_str).collect();
    causes.sort_unstable();
    causes.dedup();
    let codes: Vec<&str> = effects.iter().map(|f| f.code.as_str()).collect();
    let number =
        if let [_] = effects.as_slice() { "1 effect".to_owned() } else { format!("{} effects", effects.len()) };
    out.push('\n');
    let first = format!("{}: ", style.paint(Ink::Faint, &number));
    paragraph(out, style, &first, "  ", &format!("{}, explained by {}", codes.join(", "), causes.join(", ")));
}

/// Findings that neither cause the failure nor follow from it.
pub(super) fn others(registry: &RegistryReport, style: &Style, out: &mut String) {
    let others: Vec<&Finding> =
        registry.findings.iter().filter(|f| !f.root_cause && f.explained_by.is_empty()).collect();
    if others.is_empty() {
        return;
    }
    out.push('\n');
    let has_cause = registry.findings.iter().any(|f| f.root_cause);
    out.push_str(&style.paint(Ink::Faint, if has_cause { "ALSO" } else { "FINDINGS" }));
    out.push('\n');
    for finding in others {
        let first = format!(
            "{} {}  ",
            severity_mark(finding.severity, style),
            style.paint(Ink::Strong, &sanitise(finding.code.as_str()))
        );
        paragraph(out, style, &first, "    ", &finding.title);
        // An advice is one line; what works now is not to fill the screen.
        if let Some(fix) = finding.fix.first().filter(|_| finding.severity > Severity::Info) {
            if fix.command.is_some() {
                cause::command(fix.command.as_deref(), style, out);
            } else {
                paragraph(out, style, "    fix: ", "    ", &fix.summary);
            }
        }
    }
}

/// Facts that were missing, and what would supply them.
pub(super) fn unknowns(registry: &RegistryReport, style: &Style, out: &mut String) {
    if registry.unknowns.is_empty() {
        return;
    }
    out.push('\n');
    out.push_str(&style.paint(Ink::Faint, "NOT KNOWN"));
    out.push('\n');
    for unknown in registry.unknowns.iter().take(UNKNOWNS) {
        let needs = unknown.needs.as_ref().map(|needs| format!("; needs {needs}")).unwrap_or_default();
        let text = format!("{}: {}{needs}", unknown.fact, unknown.why);
        let first = format!("{} ", style.mark(super::Mark::Unknown));
        paragraph(out, style, &first, "  ", &text);
    }
    if registry.unknowns.len() > UNKNOWNS {
        line(out, &format!("  and {} more (see -o json)", registry.unknowns.len() - UNKNOWNS));
    }
}

//! The view for a person: what is wrong, how that is known and what mends it, on the first screen.

mod cause;
mod entries;
mod overview;
mod rest;

use crate::facts::report::{Observed, RegistryReport, Report};
use crate::facts::{Severity, Verdict};

use super::terminal::{Ink, Mark, Style, line, paragraph, sanitise};
use super::{ladder, timings};
use entries::Entry;

/// Above this many registries the overview stands alone; `-n NAME` shows one of them in full.
const IN_FULL: usize = 8;

/// The report, read from the top: verdict, root cause with its evidence and its fix, endpoints, the rest.
pub fn table(report: &Report, style: &Style) -> String {
    let mut out = String::new();
    if report.registries.is_empty() {
        out.push_str("No registry was found.\n");
    }
    let mut entries = entries::of(report);
    let all = entries.len();
    entries.retain(|entry| !report.is_as_before(entry.registry));
    let as_before = all - entries.len();
    if report.registries.len() > 1 || report.audit.is_some() {
        overview::write(report, &entries, as_before, style, &mut out);
        if entries.len() > IN_FULL {
            return out;
        }
    }
    // Among many, those without anything to mend have said all in their row.
    let many = report.registries.len() > 1;
    let shown: Vec<String> = entries
        .iter()
        .filter(|entry| !(many && entry.registry.verdict == Verdict::Healthy))
        .map(|entry| write_entry(entry, style))
        .collect();
    if many && !shown.is_empty() {
        out.push('\n');
    }
    out.push_str(&shown.join("\n"));
    if let Some(measured) = &report.timings {
        timings::write(measured, style, &mut out);
    }
    out
}

fn write_entry(entry: &Entry<'_>, style: &Style) -> String {
    let (mut written, registry) = (String::new(), entry.registry);
    let out = &mut written;
    if let Some(group) = entry.group {
        let more = match group.hosts.len() {
            0 | 1 => String::new(),
            hosts => format!(", as {} more see it", hosts - 1),
        };
        line(out, &style.paint(Ink::Faint, &sanitise(&format!("{}{more}", registry.label()))));
    }
    headline(registry, style, out);
    let causes: Vec<_> = registry.findings.iter().filter(|f| f.root_cause).collect();
    for cause in &causes {
        out.push('\n');
        cause::write(cause, &registry.summary, style, out);
    }
    if registry.paths.iter().any(|path| path.observed != Observed::Untested) {
        out.push('\n');
        ladder::write(&registry.paths, style, out);
    }
    rest::effects(registry, style, out);
    rest::others(registry, style, out);
    rest::unknowns(registry, style, out);
    written
}

fn headline(registry: &RegistryReport, style: &Style, out: &mut String) {
    let mark = verdict_mark(registry.verdict, style);
    let verdict = style.paint(Ink::Strong, verdict_word(registry.verdict)).into_owned();
    let named = registry.summary.contains(&registry.name);
    let server = registry.login_server.as_ref().map_or(registry.name.as_str(), |server| server.as_str());
    let text = if named { registry.summary.clone() } else { format!("{server}: {}", registry.summary) };
    paragraph(out, style, &format!("{mark} {verdict}  "), "  ", &text);
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "healthy",
        Verdict::Degraded => "degraded",
        Verdict::Blocked => "blocked",
        Verdict::Unknown => "unknown",
    }
}

fn verdict_mark(verdict: Verdict, style: &Style) -> std::borrow::Cow<'static, str> {
    style.mark(match verdict {
        Verdict::Healthy => Mark::Good,
        Verdict::Degraded => Mark::Warn,
        Verdict::Blocked => Mark::Bad,
        Verdict::Unknown => Mark::Unknown,
    })
}

fn severity_mark(severity: Severity, style: &Style) -> std::borrow::Cow<'static, str> {
    style.mark(match severity {
        Severity::Error => Mark::Bad,
        Severity::Warning => Mark::Warn,
        Severity::Info => Mark::Info,
    })
}

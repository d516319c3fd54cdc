//! Many registries: one row each.

use std::collections::BTreeMap;

use crate::facts::Severity;
use crate::facts::audit::{Audit, UnreadScope};
use crate::facts::report::{RegistryReport, Report};

use super::super::grid::columns;
use super::super::terminal::{Ink, Style, line, paragraph, sanitise};
use super::entries::{Entry, seen_from, some_seen_often};
use super::{verdict_mark, verdict_word};

/// `as_before`: how many have no row, since the baseline has all that is found on them.
pub(super) fn write(report: &Report, entries: &[Entry<'_>], as_before: usize, style: &Style, out: &mut String) {
    let several = !report.hosts.is_empty();
    let heads = ["", "REGISTRY", "VERDICT", "ERRORS", "WARNINGS", "WHAT"];
    let heads = heads.into_iter().chain(several.then_some("HOSTS"));
    let mut rows = vec![heads.map(|head| style.paint(Ink::Faint, head).into_owned()).collect::<Vec<_>>()];
    let narrow: usize = 2 + 20 + 10 + 8 + 10;
    for Entry { registry, group } in entries {
        let what = registry.findings.iter().find(|f| f.root_cause).or(registry.findings.first());
        let what = what.map_or_else(|| registry.summary.clone(), |f| f.code.to_string());
        let mut row = vec![
            verdict_mark(registry.verdict, style).into_owned(),
            sanitise(&registry.name).into_owned(),
            verdict_word(registry.verdict).to_owned(),
            count(registry, Severity::Error),
            count(registry, Severity::Warning),
            style.cut(&sanitise(&what), style.width.saturating_sub(narrow).max(20)).into_owned(),
        ];
        if several {
            row.push(group.map(|group| sanitise(&seen_from(report, group)).into_owned()).unwrap_or_default());
        }
        rows.push(row);
    }
    if !entries.is_empty() || as_before == 0 {
        out.push_str(&columns(rows));
    }
    let totals = &report.summary;
    let what = if some_seen_often(report) { "entries (a registry, seen from a host)" } else { "registries" };
    line(
        out,
        &format!(
            "{} {what}: {} blocked, {} degraded, {} healthy, {} unknown",
            totals.registries, totals.blocked, totals.degraded, totals.healthy, totals.unknown
        ),
    );
    if as_before > 0 {
        line(out, &format!("Nothing new on {as_before} of them, which have no row."));
    }
    if let Some(audit) = &report.audit {
        write_audit(audit, style, out);
    }
}

/// Findings by code, what could not be read, what policy and baseline have to say.
fn write_audit(audit: &Audit, style: &Style, out: &mut String) {
    if !audit.codes.is_empty() {
        let heads = ["CODE", "SEVERITY", "REGISTRIES", "FINDINGS"];
        let mut rows = vec![heads.map(|head| style.paint(Ink::Faint, head).into_owned()).to_vec()];
        for count in &audit.codes {
            let severity = match count.severity {
                Severity::Error => style.paint(Ink::Bad, "error"),
                Severity::Warning => style.paint(Ink::Warn, "warning"),
                Severity::Info => style.paint(Ink::Faint, "info"),
            };
            let numbers = [count.registries, count.findings].map(|n| n.to_string());
            rows.push([vec![count.code.to_string(), severity.into_owned()], numbers.to_vec()].concat());
        }
        out.push('\n');
        out.push_str(&columns(rows));
    }
    if !audit.unread.is_empty() {
        line(out, &format!("\n{} could not be read:", plural(audit.unread.len(), "scope")));
        let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for UnreadScope { scope, name, why, .. } in &audit.unread {
            let name = name.as_ref().filter(|name| *name != scope).map(|name| format!(" ({name})"));
            reasons.entry(why).or_default().push(format!("{scope}{}", name.unwrap_or_default()));
        }
        for (why, scopes) in reasons {
            paragraph(out, style, "  ", "  ", &format!("{why}:"));
            paragraph(out, style, "    ", "    ", &scopes.join(", "));
        }
    }
    if let Some(baseline) = &audit.baseline {
        out.push_str("\nAgainst the baseline: ");
        for (index, text) in baseline.lines().iter().enumerate() {
            line(out, &format!("{}{}", if index == 0 { "" } else { "  " }, sanitise(text)));
        }
    }
    if let Some(policy) = &audit.policy {
        let suppressed = plural(policy.suppressed, "finding");
        line(out, &format!("\nPolicy: {suppressed} suppressed, {} regraded", policy.regraded));
        for notice in &policy.notices {
            line(out, &sanitise(&format!("  {}: {}", notice.entry, notice.message)));
        }
    }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn count(registry: &RegistryReport, severity: Severity) -> String {
    registry.findings.iter().filter(|f| f.severity == severity).count().to_string()
}

//! Many registries: one row each.

use crate::facts::Severity;
use crate::facts::report::{RegistryReport, Report};

use super::super::grid::columns;
use super::super::terminal::{Ink, Style, line, sanitise};
use super::{verdict_mark, verdict_word};

pub(super) fn write(report: &Report, style: &Style, out: &mut String) {
    let heads = ["", "REGISTRY", "VERDICT", "ERRORS", "WARNINGS", "WHAT"];
    let mut rows = vec![heads.map(|head| style.paint(Ink::Faint, head).into_owned()).to_vec()];
    let narrow: usize = 2 + 20 + 10 + 8 + 10;
    for registry in &report.registries {
        let what = registry.findings.iter().find(|f| f.root_cause).or(registry.findings.first());
        let what = what.map_or_else(|| registry.summary.clone(), |f| f.code.to_string());
        rows.push(vec![
            verdict_mark(registry.verdict, style).into_owned(),
            sanitise(&registry.name).into_owned(),
            verdict_word(registry.verdict).to_owned(),
            count(registry, Severity::Error),
            count(registry, Severity::Warning),
            style.cut(&sanitise(&what), style.width.saturating_sub(narrow).max(20)).into_owned(),
        ]);
    }
    out.push_str(&columns(rows));
    let totals = &report.summary;
    line(
        out,
        &format!(
            "{} registries: {} blocked, {} degraded, {} healthy, {} unknown",
            totals.registries, totals.blocked, totals.degraded, totals.healthy, totals.unknown
        ),
    );
}

fn count(registry: &RegistryReport, severity: Severity) -> String {
    registry.findings.iter().filter(|f| f.severity == severity).count().to_string()
}

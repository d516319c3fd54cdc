//! CSV (RFC 4180): a head, then one row a finding.

use crate::facts::report::{RegistryReport, Report};
use crate::facts::{Finding, ResourceId};
use crate::report::terminal::sanitise;

use super::{command, explained_by, place, severity, verdict};

const HEAD: [&str; 17] = [
    "registry",
    "loginServer",
    "subscription",
    "resourceGroup",
    "location",
    "verdict",
    "severity",
    "confidence",
    "place",
    "code",
    "title",
    "detail",
    "explainedBy",
    "fix",
    "command",
    "docs",
    "seenFrom",
];

/// One row a finding; a registry without findings has one row with its verdict alone.
pub fn csv(report: &Report) -> String {
    let mut out = String::new();
    row(&mut out, &HEAD.map(str::to_owned));
    for registry in &report.registries {
        if registry.findings.is_empty() {
            row(&mut out, &cells(registry, None));
        }
        for finding in &registry.findings {
            row(&mut out, &cells(registry, Some(finding)));
        }
    }
    out
}

fn cells(registry: &RegistryReport, finding: Option<&Finding>) -> [String; 17] {
    let of = |text: fn(&Finding) -> String| finding.map(text).unwrap_or_default();
    [
        registry.name.clone(),
        registry.login_server.as_ref().map(ToString::to_string).unwrap_or_default(),
        registry.id.as_ref().map(|id| id.subscription().to_owned()).unwrap_or_default(),
        registry.id.as_ref().and_then(ResourceId::resource_group).unwrap_or_default().to_owned(),
        registry.location.as_ref().map(ToString::to_string).unwrap_or_default(),
        verdict(registry.verdict).to_owned(),
        of(|f| severity(f.severity).to_owned()),
        of(|f| format!("{:?}", f.confidence).to_ascii_lowercase()),
        of(|f| place(f).to_owned()),
        of(|f| f.code.to_string()),
        of(|f| f.title.clone()),
        of(|f| f.detail.clone()),
        of(explained_by),
        of(|f| f.fix.first().map(|fix| fix.summary.clone()).unwrap_or_default()),
        of(|f| command(f).unwrap_or_default().to_owned()),
        of(|f| f.docs.clone()),
        registry.seen_from.clone().unwrap_or_default(),
    ]
}

fn row(out: &mut String, cells: &[String; 17]) {
    let cells: Vec<String> = cells.iter().map(|cell| field(cell)).collect();
    out.push_str(&cells.join(","));
    out.push_str("\r\n");
}

/// A field: quoted where needed. What a spreadsheet would take for a formula is made text with an apostrophe
/// (OWASP, CSV injection): titles and details carry foreign text.
fn field(text: &str) -> String {
    let text = sanitise(text);
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.into_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_becomes_text() {
        assert_eq!(field("=HYPERLINK(\"x\",1)"), "\"'=HYPERLINK(\"\"x\"\",1)\"");
        assert_eq!(field("@a"), "'@a");
        assert_eq!(field("az acr update"), "az acr update");
    }
}

//! A report as lines of JSON: one a registry, and the totals last. Nothing has to be kept until the end.

use serde::Serialize;
use time::OffsetDateTime;

use crate::facts::audit::Audit;
use crate::facts::report::{API_VERSION, RegistryReport, Report, Summary};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RegistryLine<'r> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    registry: &'r RegistryReport,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SummaryLine<'r> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    generated_at: OffsetDateTime,
    summary: &'r Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<&'r Audit>,
}

/// The line of a registry, with its line break.
///
/// # Errors
/// If JSON cannot hold it, which no report does.
pub fn registry_line(registry: &RegistryReport) -> serde_json::Result<String> {
    let line = RegistryLine { api_version: API_VERSION, kind: "RegistryReport", registry };
    Ok(serde_json::to_string(&line)? + "\n")
}

/// The last line, with its line break.
///
/// # Errors
/// As [`registry_line`].
pub fn summary_line(at: OffsetDateTime, summary: &Summary, audit: Option<&Audit>) -> serde_json::Result<String> {
    let line = SummaryLine { api_version: API_VERSION, kind: "Summary", generated_at: at, summary, audit };
    Ok(serde_json::to_string(&line)? + "\n")
}

/// A whole report as lines.
///
/// # Errors
/// As [`registry_line`].
pub fn lines(report: &Report) -> serde_json::Result<String> {
    let mut out = String::new();
    for registry in &report.registries {
        out.push_str(&registry_line(registry)?);
    }
    out.push_str(&summary_line(report.generated_at, &report.summary, report.audit.as_ref())?);
    Ok(out)
}

//! Markdown (CommonMark with GitHub's tables), for issues, wikis and job summaries.

use crate::facts::report::{RegistryReport, Report};
use crate::facts::{Finding, Verdict};
use crate::report::remedy;
use crate::report::terminal::{is_deceptive, sanitise};

use super::{explained_by, put, severity, timestamp, verdict};

/// A summary, the findings by code, one row a registry, then a section a registry that has findings.
pub fn markdown(report: &Report) -> String {
    let summary = &report.summary;
    let mut out = String::from("# acr-doctor report\n\n");
    put!(
        out,
        "{} {}: {} blocked, {} degraded, {} healthy, {} unknown. {} errors, {} warnings, {} infos. Made {}.\n",
        summary.registries,
        if summary.registries == 1 { "registry" } else { "registries" },
        summary.blocked,
        summary.degraded,
        summary.healthy,
        summary.unknown,
        summary.errors,
        summary.warnings,
        summary.infos,
        timestamp(report.generated_at)
    );
    audit(&mut out, report);
    hosts(&mut out, report);
    overview(&mut out, report);
    for registry in report.registries.iter().filter(|r| !r.findings.is_empty() || r.verdict == Verdict::Unknown) {
        section(&mut out, registry);
    }
    out
}

fn audit(out: &mut String, report: &Report) {
    let Some(audit) = &report.audit else { return };
    if !audit.unread.is_empty() {
        out.push_str("\n## Not read\n\n| subscription | why |\n|---|---|\n");
        for scope in &audit.unread {
            let name = scope.name.as_deref().map(|name| format!("{} ({})", cell(name), cell(&scope.scope)));
            put!(out, "| {} | {} |\n", name.unwrap_or_else(|| cell(&scope.scope)), cell(&scope.why));
        }
    }
    if !audit.codes.is_empty() {
        out.push_str("\n## Findings by code\n\n| code | severity | registries | findings |\n|---|---|--:|--:|\n");
        for count in &audit.codes {
            let severity = severity(count.severity);
            put!(out, "| {} | {severity} | {} | {} |\n", cell(count.code.as_str()), count.registries, count.findings);
        }
    }
    if let Some(baseline) = &audit.baseline {
        for (index, line) in baseline.lines().iter().enumerate() {
            let lead = if index == 0 { "\nAgainst the baseline: " } else { "- " };
            put!(out, "{lead}{}{}\n", text(line), if index == 0 { ".\n" } else { "" });
        }
    }
    if let Some(policy) = &audit.policy {
        put!(out, "\nPolicy: {} findings suppressed, {} regraded.\n", policy.suppressed, policy.regraded);
        for notice in &policy.notices {
            put!(out, "- {}: {}\n", text(&notice.entry), text(&notice.message));
        }
    }
}

/// Which hosts see what, where several looked.
fn hosts(out: &mut String, report: &Report) {
    if report.hosts.is_empty() {
        return;
    }
    out.push_str("\n## Hosts\n\n| registry | verdict | hosts | which | root cause |\n|---|---|--:|---|---|\n");
    for group in &report.hosts {
        let causes: Vec<String> = group.root_causes.iter().map(|code| cell(code.as_str())).collect();
        put!(
            out,
            "| {} | {} | {} | {} | {} |\n",
            cell(&group.registry),
            verdict(group.verdict),
            group.hosts.len(),
            cell(&group.hosts.join(", ")),
            causes.join(", ")
        );
    }
}

fn overview(out: &mut String, report: &Report) {
    out.push_str("\n## Registries\n\n| registry | region | verdict | errors | warnings | summary |\n");
    out.push_str("|---|---|---|--:|--:|---|\n");
    for registry in report.registries.iter().filter(|registry| !report.is_as_before(registry)) {
        let count = |wanted| registry.findings.iter().filter(|f| f.severity == wanted).count();
        put!(
            out,
            "| {} | {} | {} | {} | {} | {} |\n",
            cell(&registry.label()),
            registry.location.as_ref().map(ToString::to_string).unwrap_or_default(),
            verdict(registry.verdict),
            count(crate::facts::Severity::Error),
            count(crate::facts::Severity::Warning),
            cell(&registry.summary)
        );
    }
}

fn section(out: &mut String, registry: &RegistryReport) {
    put!(out, "\n## {}\n\n{}\n", text(&registry.label()), text(&registry.summary));
    if let Some(id) = &registry.id {
        put!(out, "\n`{}`\n", sanitise(id.as_str()).replace('`', "'"));
    }
    for finding in &registry.findings {
        entry(out, finding);
    }
    for unknown in &registry.unknowns {
        put!(out, "\nNot known: {} ({})", text(&unknown.fact), text(&unknown.why));
        if let Some(needs) = &unknown.needs {
            put!(out, "; needs {}", text(needs));
        }
        out.push('\n');
    }
}

fn entry(out: &mut String, finding: &Finding) {
    let root = if finding.root_cause { ", root cause" } else { "" };
    put!(
        out,
        "\n### {}\n\n`{}` ({}{root})\n\n{}\n",
        text(&finding.title),
        finding.code,
        severity(finding.severity),
        text(&finding.detail)
    );
    if !finding.explained_by.is_empty() {
        put!(out, "\nExplained by {}.\n", explained_by(finding));
    }
    for line in finding.fix.iter().flat_map(remedy::lines) {
        put!(out, "\n{}\n", text(&line.text));
        if let Some(command) = line.command {
            let (fence, command) = fenced(command);
            put!(out, "\n{fence}sh\n{command}\n{fence}\n");
        }
    }
    if finding.docs.starts_with("https://") {
        put!(out, "\n<{}>\n", sanitise(&finding.docs).replace(['<', '>', ' '], ""));
    }
}

/// A fence longer than any run of backticks in the text, so that the text cannot end it.
fn fenced(text: &str) -> (String, String) {
    let clean: String = text.chars().filter(|c| *c == '\n' || !(c.is_control() || is_deceptive(*c))).collect();
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    ("`".repeat(longest.max(2) + 1), clean)
}

/// Foreign text as Markdown text: nothing in it is markup.
fn text(foreign: &str) -> String {
    let clean = sanitise(foreign);
    let mut out = String::with_capacity(clean.len() + 8);
    for c in clean.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The same within a table.
fn cell(foreign: &str) -> String {
    text(foreign).replace(['\n', '\r'], " ")
}

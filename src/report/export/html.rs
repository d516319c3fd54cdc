//! HTML: one file, no scripts, nothing from elsewhere; readable on a screen and on paper.

use crate::facts::report::{RegistryReport, Report};
use crate::facts::{Code, Finding, Severity, Verdict};
use crate::report::remedy;

use super::{escaped, explained_by, put, severity, timestamp, verdict};

/// Colours carry no meaning alone: every one stands beside its word. On paper nothing is hidden, no row is cut.
const STYLE: &str = "
:root { color-scheme: light dark; --line: #8885; --bad: #b3261e; --warn: #8a5a00; --good: #1b6e3c; --dim: #666; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --warn: #ffc266; --good: #7ddb9c; --dim: #aaa; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
pre { border: 1px solid var(--line); overflow-x: auto; padding: .6rem; white-space: pre-wrap; word-break: break-word; }
code { word-break: break-word; } small, .dim { color: var(--dim); }
.error, .blocked { color: var(--bad); } .warning, .degraded { color: var(--warn); } .healthy { color: var(--good); }
.error, .warning, .blocked, .degraded, .healthy { font-weight: 600; }
article { border-top: 2px solid var(--line); margin-top: 2rem; }
.effect { border-left: 3px solid var(--line); padding-left: .8rem; }
@media print {
  :root { color-scheme: light; --bad: #000; --warn: #000; --good: #000; --dim: #333; }
  body { font-size: 10pt; margin: 0; max-width: none; } a { color: inherit; }
  thead { display: table-header-group; } tr, pre, h2, h3 { break-inside: avoid; } h2, h3 { break-after: avoid; }
}
";

/// A whole page.
pub fn html(report: &Report) -> String {
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    out.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n<title>acr-doctor report</title>\n");
    put!(out, "<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>acr-doctor report</h1>\n");
    totals(&mut out, report);
    out.push_str("</header>\n<main>\n");
    audit(&mut out, report);
    hosts(&mut out, report);
    overview(&mut out, report);
    let shown = |r: &&RegistryReport| !r.findings.is_empty() || r.verdict == Verdict::Unknown;
    for (index, registry) in report.registries.iter().enumerate().filter(|(_, r)| shown(r)) {
        section(&mut out, index, registry);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn totals(out: &mut String, report: &Report) {
    let summary = &report.summary;
    put!(
        out,
        "<p>Made <time>{}</time></p>\n<table>\n<thead><tr>",
        timestamp(report.generated_at.replace_nanosecond(0).unwrap_or(report.generated_at))
    );
    for head in ["registries", "blocked", "degraded", "healthy", "unknown", "errors", "warnings", "infos"] {
        put!(out, "<th class=\"n\">{head}</th>");
    }
    out.push_str("</tr></thead>\n<tbody><tr>");
    let counts = [
        summary.registries,
        summary.blocked,
        summary.degraded,
        summary.healthy,
        summary.unknown,
        summary.errors,
        summary.warnings,
        summary.infos,
    ];
    for count in counts {
        put!(out, "<td class=\"n\">{count}</td>");
    }
    out.push_str("</tr></tbody>\n</table>\n");
}

fn audit(out: &mut String, report: &Report) {
    let Some(audit) = &report.audit else { return };
    if !audit.unread.is_empty() {
        out.push_str("<section>\n<h2>Not read</h2>\n<table>\n<thead><tr><th>scope</th><th>name</th><th>why</th></tr></thead>\n<tbody>\n");
        for scope in &audit.unread {
            let name = scope.name.as_deref().unwrap_or_default();
            put!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n",
                escaped(&scope.scope),
                escaped(name),
                escaped(&scope.why)
            );
        }
        out.push_str("</tbody>\n</table>\n</section>\n");
    }
    if !audit.codes.is_empty() {
        out.push_str("<section>\n<h2>Findings by code</h2>\n<table>\n<thead><tr><th>code</th><th>severity</th><th class=\"n\">registries</th><th class=\"n\">findings</th></tr></thead>\n<tbody>\n");
        for count in &audit.codes {
            let (code, word) = (escaped(count.code.as_str()), severity(count.severity));
            put!(
                out,
                "<tr><td><code>{code}</code></td><td class=\"{word}\">{word}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                count.registries,
                count.findings
            );
        }
        out.push_str("</tbody>\n</table>\n</section>\n");
    }
    if let Some(baseline) = &audit.baseline {
        let lines: Vec<String> = baseline.lines().iter().map(|line| escaped(line)).collect();
        put!(out, "<p>Against the baseline: {}</p>\n", lines.join("<br>\n"));
    }
    if let Some(policy) = &audit.policy {
        put!(out, "<p>Policy: {} findings suppressed, {} regraded.</p>\n", policy.suppressed, policy.regraded);
        if !policy.notices.is_empty() {
            out.push_str("<ul>\n");
            for notice in &policy.notices {
                put!(out, "<li>{}: {}</li>\n", escaped(&notice.entry), escaped(&notice.message));
            }
            out.push_str("</ul>\n");
        }
    }
}

/// Which hosts see what, where several looked.
fn hosts(out: &mut String, report: &Report) {
    if report.hosts.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Hosts</h2>\n<table>\n<thead><tr><th>registry</th><th>verdict</th><th class=\"n\">hosts</th><th>which</th><th>root cause</th></tr></thead>\n<tbody>\n");
    for group in &report.hosts {
        let word = verdict(group.verdict);
        put!(
            out,
            "<tr><td>{}</td><td class=\"{word}\">{word}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(&group.registry),
            group.hosts.len(),
            escaped(&group.hosts.join(", ")),
            codes(&group.root_causes)
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn codes(codes: &[Code]) -> String {
    codes.iter().map(|code| format!("<code>{}</code>", escaped(code.as_str()))).collect::<Vec<_>>().join(", ")
}

fn overview(out: &mut String, report: &Report) {
    out.push_str(
        "<section>\n<h2>Registries</h2>\n<table>\n<thead><tr><th>registry</th><th>region</th><th>verdict</th>",
    );
    out.push_str("<th class=\"n\">errors</th><th class=\"n\">warnings</th><th>summary</th></tr></thead>\n<tbody>\n");
    for (index, registry) in report.registries.iter().enumerate().filter(|(_, r)| !report.is_as_before(r)) {
        let count = |wanted| registry.findings.iter().filter(|f| f.severity == wanted).count();
        let name = escaped(&registry.label());
        let linked = if registry.findings.is_empty() && registry.verdict != Verdict::Unknown {
            name
        } else {
            format!("<a href=\"#r{index}\">{name}</a>")
        };
        let word = verdict(registry.verdict);
        put!(
            out,
            "<tr><td>{linked}</td><td>{}</td><td class=\"{word}\">{word}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
            registry.location.as_ref().map(ToString::to_string).unwrap_or_default(),
            count(Severity::Error),
            count(Severity::Warning),
            escaped(&registry.summary)
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn section(out: &mut String, index: usize, registry: &RegistryReport) {
    put!(
        out,
        "<article id=\"r{index}\">\n<h2>{}</h2>\n<p>{}</p>\n",
        escaped(&registry.label()),
        escaped(&registry.summary)
    );
    if let Some(id) = &registry.id {
        put!(out, "<p class=\"dim\"><code>{}</code></p>\n", escaped(id.as_str()));
    }
    for finding in &registry.findings {
        entry(out, finding);
    }
    if !registry.unknowns.is_empty() {
        out.push_str("<h3>Not known</h3>\n<ul>\n");
        for unknown in &registry.unknowns {
            let needs =
                unknown.needs.as_ref().map(|n| format!("; needs <code>{}</code>", escaped(n))).unwrap_or_default();
            put!(out, "<li>{}: {}{needs}</li>\n", escaped(&unknown.fact), escaped(&unknown.why));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</article>\n");
}

fn entry(out: &mut String, finding: &Finding) {
    let word = severity(finding.severity);
    let effect = if finding.explained_by.is_empty() { "" } else { " class=\"effect\"" };
    put!(out, "<div{effect}>\n<h3>{}</h3>\n", escaped(&finding.title));
    put!(out, "<p><span class=\"{word}\">{word}</span> <code>{}</code>", escaped(finding.code.as_str()));
    if finding.root_cause {
        out.push_str(" <strong>root cause</strong>");
    }
    if !finding.explained_by.is_empty() {
        put!(out, " <small>explained by {}</small>", escaped(&explained_by(finding)));
    }
    put!(out, "</p>\n<p>{}</p>\n", escaped(&finding.detail));
    for line in finding.fix.iter().flat_map(remedy::lines) {
        put!(out, "<p>{}</p>\n", escaped(&line.text));
        if let Some(command) = line.command {
            put!(out, "<pre>{}</pre>\n", escaped(command));
        }
    }
    if finding.docs.starts_with("https://") {
        let docs = escaped(&finding.docs);
        put!(out, "<p><small><a href=\"{docs}\" rel=\"noreferrer\">{docs}</a></small></p>\n");
    }
    out.push_str("</div>\n");
}

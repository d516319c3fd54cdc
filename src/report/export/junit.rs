//! JUnit XML, as CI systems read it: a suite a registry, a case a finding. It passes the schema of Jenkins' xUnit plugin,
//! which knows no `skipped` of all suites together.

use crate::facts::report::{RegistryReport, Report};
use crate::facts::{Finding, Severity, Verdict};
use crate::report::remedy;

use super::{escaped, put, severity, timestamp};

/// Findings of at least `fail_from` are failures; milder ones are passed cases with their words in `system-out`.
/// `None`: nothing fails. A registry of which too little is known has a skipped case that says why.
pub fn junit(report: &Report, fail_from: Option<Severity>) -> String {
    let fails = |finding: &Finding| fail_from.is_some_and(|least| finding.severity >= least);
    let cases: usize = report.registries.iter().map(cases_of).sum();
    let failures: usize = report.registries.iter().flat_map(|r| &r.findings).filter(|f| fails(f)).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    put!(out, "<testsuites name=\"acr-doctor\" tests=\"{cases}\" failures=\"{failures}\" errors=\"0\">\n");
    let time = timestamp(report.generated_at);
    for registry in &report.registries {
        suite(&mut out, registry, &time, &fails);
    }
    out.push_str("</testsuites>\n");
    out
}

/// One a finding; one that says that there is none, or that too little is known.
fn cases_of(registry: &RegistryReport) -> usize {
    let verdict_case = registry.findings.is_empty() || registry.verdict == Verdict::Unknown;
    registry.findings.len() + usize::from(verdict_case)
}

fn suite(out: &mut String, registry: &RegistryReport, time: &str, fails: &dyn Fn(&Finding) -> bool) {
    let name = escaped(&registry.label());
    let failures = registry.findings.iter().filter(|f| fails(f)).count();
    let unknown = registry.verdict == Verdict::Unknown;
    put!(
        out,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{}\" timestamp=\"{time}\">\n",
        cases_of(registry),
        u8::from(unknown)
    );
    if let Some(id) = &registry.id {
        put!(
            out,
            "    <properties>\n      <property name=\"id\" value=\"{}\"/>\n    </properties>\n",
            escaped(id.as_str())
        );
    }
    if unknown {
        put!(out, "    <testcase classname=\"{name}\" name=\"verdict\">\n");
        put!(out, "      <skipped message=\"{}\"/>\n    </testcase>\n", escaped(&registry.summary));
    } else if registry.findings.is_empty() {
        put!(out, "    <testcase classname=\"{name}\" name=\"verdict\"/>\n");
    }
    for finding in &registry.findings {
        case(out, &name, finding, fails(finding));
    }
    out.push_str("  </testsuite>\n");
}

fn case(out: &mut String, class: &str, finding: &Finding, fails: bool) {
    put!(out, "    <testcase classname=\"{class}\" name=\"{}\">\n", escaped(&case_name(finding)));
    let mut words = finding.detail.clone();
    for fix in &finding.fix {
        words.push_str("\n\nFix: ");
        for (place, line) in remedy::lines(fix).into_iter().enumerate() {
            put!(words, "{}{}", if place == 0 { "" } else { "\n" }, line.text);
            if let Some(command) = line.command {
                put!(words, "\n    {command}");
            }
        }
    }
    put!(words, "\n\n{}", finding.docs);
    let (title, words) = (escaped(&finding.title), escaped(&words));
    if fails {
        let kind = severity(finding.severity);
        put!(out, "      <failure type=\"{kind}\" message=\"{title}\">{words}</failure>\n");
    } else {
        put!(out, "      <system-out>{}: {title}\n{words}</system-out>\n", severity(finding.severity));
    }
    out.push_str("    </testcase>\n");
}

/// The code, and the endpoints that tell two findings of one code apart: CI systems follow a case by its name.
fn case_name(finding: &Finding) -> String {
    let mut endpoints: Vec<&str> = finding.evidence.iter().filter_map(|e| e.endpoint.as_deref()).collect();
    endpoints.sort_unstable();
    endpoints.dedup();
    if endpoints.is_empty() {
        return finding.code.to_string();
    }
    format!("{} [{}]", finding.code, endpoints.join(", "))
}

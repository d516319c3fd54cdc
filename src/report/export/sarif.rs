//! SARIF 2.1.0 (OASIS), as code scanning reads it: a rule a code, a result a finding.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::facts::report::{RegistryReport, Report};
use crate::facts::{Finding, Severity};
use crate::report::remedy;
use crate::report::terminal::sanitise;

use super::{locator, severity, timestamp, verdict};

/// A log with one run. `headline` gives the first sentence of a code's page.
pub fn sarif(report: &Report, headline: &dyn Fn(&str) -> Option<String>) -> String {
    let rules = rules(report);
    let indices: BTreeMap<&str, usize> = rules.iter().enumerate().map(|(index, (code, _))| (*code, index)).collect();
    let descriptors: Vec<Value> = rules.iter().map(|(code, finding)| descriptor(code, finding, headline)).collect();
    let mut results = Vec::new();
    for registry in &report.registries {
        let index = |f: &Finding| indices.get(f.code.as_str()).copied().unwrap_or_default();
        results.extend(registry.findings.iter().map(|finding| result(registry, finding, index(finding))));
    }
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "acr-doctor",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": descriptors,
            } },
            "automationDetails": { "id": "acr-doctor/" },
            "invocations": [{ "executionSuccessful": true, "endTimeUtc": utc(report) }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    crate::report::json(&log, &crate::report::Style::PLAIN)
}

/// SARIF wants times in UTC, with a Z.
fn utc(report: &Report) -> String {
    timestamp(report.generated_at.to_offset(time::UtcOffset::UTC))
}

/// The worst finding of each code, by code.
fn rules(report: &Report) -> Vec<(&str, &Finding)> {
    let mut rules: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in report.registries.iter().flat_map(|r| &r.findings) {
        let known = rules.entry(finding.code.as_str()).or_insert(finding);
        if finding.severity > known.severity {
            *known = finding;
        }
    }
    rules.into_iter().collect()
}

fn descriptor(code: &str, finding: &Finding, headline: &dyn Fn(&str) -> Option<String>) -> Value {
    let words = headline(code).unwrap_or_else(|| finding.title.clone());
    json!({
        "id": code,
        "name": pascal(code),
        "shortDescription": { "text": sanitise(&words) },
        "helpUri": finding.docs,
        "help": { "text": format!("acr-doctor explain {code}\n\n{}", finding.docs) },
        "defaultConfiguration": { "level": level(finding.severity) },
        "properties": { "tags": ["azure-container-registry", finding.code.family()] },
    })
}

fn result(registry: &RegistryReport, finding: &Finding, index: usize) -> Value {
    let mut message = format!("{}: {}", registry.label(), finding.title);
    if !finding.detail.is_empty() {
        message.push_str(". ");
        message.push_str(&finding.detail);
    }
    for fix in &finding.fix {
        message.push('\n');
        for line in remedy::lines(fix) {
            message.push('\n');
            message.push_str(&line.text);
            if let Some(command) = line.command {
                message.push_str("\n    ");
                message.push_str(command);
            }
        }
    }
    let name = locator(registry);
    let mut properties = Map::new();
    properties.insert("severity".to_owned(), severity(finding.severity).into());
    properties.insert("confidence".to_owned(), format!("{:?}", finding.confidence).to_ascii_lowercase().into());
    properties.insert("rootCause".to_owned(), finding.root_cause.into());
    let explained: Vec<&str> = finding.explained_by.iter().map(crate::facts::Code::as_str).collect();
    properties.insert("explainedBy".to_owned(), explained.into());
    properties.insert("verdict".to_owned(), verdict(registry.verdict).into());
    json!({
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": clean(&message) },
        "locations": [{
            // Code scanning wants a file; a resource's id is the nearest that a registry has.
            "physicalLocation": { "artifactLocation": { "uri": uri(&name) } },
            "logicalLocations": [{ "name": registry.name, "fullyQualifiedName": name, "kind": "resource" }],
        }],
        "partialFingerprints": { "acrDoctor/v1": format!("{}|{}", registry.identity(), finding.fingerprint()) },
        "properties": properties,
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// `vnet/subnet-rule-missing` as `VnetSubnetRuleMissing`.
fn pascal(code: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    code.split(['/', '-']).map(capital).collect()
}

/// A relative URI reference (RFC 3986) of a resource's id.
fn uri(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            super::put!(out, "%{byte:02X}");
        }
    }
    out
}

/// Foreign text line by line without control characters.
fn clean(text: &str) -> String {
    text.lines().map(sanitise).collect::<Vec<_>>().join("\n")
}

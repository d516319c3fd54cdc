//! Tab-separated values: our findings, and the Azure CLI's rows of any value (for `--query`).

use serde_json::Value;

use crate::facts::report::Report;

use super::terminal::sanitise;

/// One line a finding, without a head: registry, verdict, severity, confidence, `root-cause`, `effect` or
/// `other`, code, title, the first fix's command. A registry without findings has one line with the first
/// two columns alone.
pub fn findings_tsv(report: &Report) -> String {
    let mut out = String::new();
    for registry in &report.registries {
        let (verdict, host) = (word(&registry.verdict), registry.seen_from.as_deref());
        if registry.findings.is_empty() {
            push_row(&mut out, &[&registry.name, &verdict, "", "", "", "", "", ""], host);
        }
        for finding in &registry.findings {
            let place = match (finding.root_cause, finding.explained_by.is_empty()) {
                (true, _) => "root-cause",
                (false, false) => "effect",
                (false, true) => "other",
            };
            let command = finding.fix.iter().find_map(|fix| fix.command.as_deref()).unwrap_or_default();
            let (severity, confidence) = (word(&finding.severity), word(&finding.confidence));
            push_row(
                &mut out,
                &[
                    &registry.name,
                    &verdict,
                    &severity,
                    &confidence,
                    place,
                    finding.code.as_str(),
                    &finding.title,
                    command,
                ],
                host,
            );
        }
    }
    out
}

fn push_row(out: &mut String, cells: &[&str], host: Option<&str>) {
    let cells: Vec<_> = cells.iter().copied().chain(host).map(sanitise).collect();
    out.push_str(&cells.join("\t"));
    out.push('\n');
}

/// The word that an enumeration has in JSON.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// Any value as the Azure CLI writes it: a row an element, a cell a member; a nested list is counted,
/// a nested object left blank.
pub fn value_tsv(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| value_row(element, &mut out)),
        one => value_row(one, &mut out),
    }
    out
}

fn value_row(value: &Value, out: &mut String) {
    let cells: Vec<String> = match value {
        Value::Array(elements) => elements.iter().map(cell).collect(),
        Value::Object(members) => members.values().map(cell).collect(),
        Value::Bool(answer) => vec![answer.to_string()],
        other => vec![cell(other)],
    };
    out.push_str(&cells.join("\t"));
    out.push('\n');
}

fn cell(value: &Value) -> String {
    match value {
        Value::Array(elements) => elements.len().to_string(),
        Value::Object(_) => String::new(),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => sanitise(text).into_owned(),
        Value::Number(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_the_rows_that_az_writes() {
        assert_eq!(value_tsv(&json!([{"a": "x", "b": [1, 2], "c": {}, "d": null}])), "x\t2\t\tNone\n");
        assert_eq!(value_tsv(&json!(["a", "b"])), "a\nb\n");
        assert_eq!(value_tsv(&json!([["a", true]])), "a\tTrue\n");
        assert_eq!(value_tsv(&json!(true)), "true\n");
    }
}

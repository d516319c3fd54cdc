//! The page of a code, as `explain CODE` prints it and as it stands in docs/findings.

use std::fmt::Write as _;

use crate::facts::Severity;
use crate::reconcile::{Rule, rules};

/// The page of a rule as Markdown: title, severity, sentence, sections, related findings, article.
pub fn page(rule: &Rule) -> String {
    let mut text = format!("# {}\n\nSeverity: {}\n\n", rule.code, severity(rule));
    text.push_str(rule.markdown().trim());
    text.push('\n');
    let related = related(rule);
    if !related.is_empty() {
        text.push_str("\n## Related findings\n");
        text.push_str(&related);
    }
    let docs = rule.docs();
    if !text.contains(&docs) {
        let _ = write!(text, "\n## Microsoft's article\n<{docs}>\n");
    }
    text
}

/// The page as it stands in docs/findings: with a first line that says where it comes from.
pub fn file(rule: &Rule) -> String {
    format!(
        "<!-- Made from {} by the tests; change it there, then `UPDATE=1 cargo test`. -->\n{}",
        rule.file,
        page(rule)
    )
}

/// The index of all pages, family by family.
pub fn index() -> String {
    let mut rules: Vec<&Rule> = rules::all().collect();
    rules.sort_by_key(|rule| rule.code);
    let mut text = String::from(
        "<!-- Made from src/reconcile/rules by the tests; `UPDATE=1 cargo test` writes it anew. -->\n# Findings\n\n\
         Codes are stable: filter and suppress by them. Severity is the highest that a finding can have.\n",
    );
    let mut family = "";
    for rule in rules {
        let (own, slug) = rule.code.split_once('/').unwrap_or((rule.code, ""));
        if own != family {
            family = own;
            let _ = write!(text, "\n## {family}\n\n| code | severity | meaning |\n|---|---|---|\n");
        }
        let _ = writeln!(text, "| [{0}]({family}/{slug}.md) | {1} | {2} |", rule.code, severity(rule), rule.headline());
    }
    text
}

fn severity(rule: &Rule) -> &'static str {
    match rule.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// What this finding explains, and what explains it, as a list.
fn related(rule: &Rule) -> String {
    let mut text = String::new();
    let mut explained: Vec<&str> = rule.explains.to_vec();
    explained.sort_unstable();
    for code in explained {
        let _ = writeln!(text, "- `{code}` follows from this finding where both concern one endpoint.");
    }
    let mut causes: Vec<&str> = rules::all().filter(|r| r.explains.contains(&rule.code)).map(|r| r.code).collect();
    causes.sort_unstable();
    for code in causes {
        let _ = writeln!(text, "- `{code}` can be the reason for this one.");
    }
    text
}

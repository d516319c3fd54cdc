//! The pages of docs/findings: made from the rules' own documentation.

use std::collections::BTreeSet;

use acr_doctor::explain::page;
use acr_doctor::reconcile::rules;

use crate::golden;

#[test]
fn every_page_is_current() {
    for rule in rules::all() {
        golden::check(&format!("docs/findings/{}.md", rule.code), &page::file(rule));
    }
    golden::check("docs/findings/README.md", &page::index());
}

#[test]
fn no_page_is_left_without_a_code() {
    let codes: BTreeSet<String> = rules::all().map(|rule| format!("docs/findings/{}.md", rule.code)).collect();
    for path in golden::files("docs/findings", "md") {
        assert!(codes.contains(&path) || path.ends_with("README.md"), "{path} belongs to no code");
    }
}

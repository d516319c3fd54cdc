//! Pure: the page of a code, and pasted error text to candidate codes.
//!
//! [`explain`] cleans the text, looks line by line for the symptoms of the table (symptoms/*.toml), takes the
//! clues that decide between codes (which host, private or public address, proxy) and lists the candidates.
//! A text that matches nothing gets no candidate.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod clues;
pub mod decide;
pub mod explanation;
pub mod page;
mod recognise;
mod render;
mod symptom;
mod text;

pub use explanation::{Candidate, Explanation};
pub use recognise::explain;
pub use render::{render, word};

use crate::reconcile::{Rule, rules};

/// The rule with this code, in any letter case.
pub fn rule(code: &str) -> Option<&'static Rule> {
    rules::all().find(|rule| rule.code.eq_ignore_ascii_case(code.trim()))
}

/// Whether a text is shaped like a code, `family/slug`, rather than like an error.
pub fn is_code_shaped(text: &str) -> bool {
    let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    text.trim().to_ascii_lowercase().split_once('/').is_some_and(|(family, slug)| part(family) && part(slug))
}

/// Codes that resemble one that does not exist, likeliest first: those that share most words with it.
pub fn near_codes(code: &str) -> Vec<&'static str> {
    let words = |code: &str| code.to_ascii_lowercase().split(['/', '-']).map(str::to_owned).collect::<Vec<_>>();
    let asked = words(code);
    let mut near: Vec<(usize, &str)> = rules::all()
        .map(|rule| (words(rule.code).iter().filter(|w| asked.contains(w)).count(), rule.code))
        .filter(|(shared, _)| *shared > 0)
        .collect();
    near.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().map(|(_, code)| code).take(5).collect()
}

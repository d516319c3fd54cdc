//! The candidates of a text, held against what a look at the registry found.

use std::cmp::Reverse;

use crate::facts::{ConfigFacts, ProbeFacts, RegistryReport};
use crate::reconcile::hypothesis::{self, stands};
use crate::reconcile::{Options, Rule, rules};

use super::explanation::{Also, Explanation, Looked, Standing};

/// What was looked at.
pub struct Look<'a> {
    /// ARM's side.
    pub config: &'a ConfigFacts,
    /// The client's side.
    pub probe: &'a ProbeFacts,
    /// Both joined.
    pub report: &'a RegistryReport,
    /// What the user wants.
    pub options: &'a Options,
}

/// How one finding stands.
pub fn standing(rule: &Rule, look: &Look<'_>) -> (Standing, String) {
    let (standing, because) = stands(rule, &look.report.findings, look.config, look.probe, look.options);
    let standing = match standing {
        hypothesis::Standing::Confirmed => Standing::Confirmed,
        hypothesis::Standing::RuledOut => Standing::RuledOut,
        hypothesis::Standing::Open => Standing::Open,
    };
    (standing, because)
}

/// Marks each candidate, puts those that were found first and those that are ruled out last, and adds the root causes
/// that the text did not suggest.
pub fn decide(mut explanation: Explanation, look: &Look<'_>) -> Explanation {
    for candidate in &mut explanation.candidates {
        if let Some(rule) = rules::all().find(|rule| rule.code == candidate.code.as_str()) {
            let (standing, because) = standing(rule, look);
            candidate.standing = Some(standing);
            candidate.because = Some(because);
        }
    }
    explanation.candidates.sort_by_key(|candidate| Reverse(candidate.standing));
    let suggested = |code: &str| explanation.candidates.iter().any(|candidate| candidate.code.as_str() == code);
    let also = look.report.findings.iter().filter(|f| f.root_cause && !suggested(f.code.as_str()));
    let also = also.map(|f| Also { code: f.code.clone(), title: f.title.clone() }).collect();
    explanation.looked = Some(Looked {
        name: look.report.name.clone(),
        verdict: look.report.verdict,
        summary: look.report.summary.clone(),
        also,
    });
    explanation
}

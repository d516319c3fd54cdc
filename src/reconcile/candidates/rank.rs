//! Which candidate comes first.
//!
//! The one that explains most of the endpoints that fail; of equal ones the surer one were the fact known; then what
//! comes earlier on a request's way; then the code.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Code, Confidence, Finding};
use crate::reconcile::case::Case;
use crate::reconcile::symptom::Symptom;

/// Families in the order in which a request meets what they speak of.
const ON_THE_WAY: [&str; 13] = [
    "client",
    "dns",
    "proxy",
    "network",
    "private-link",
    "tls",
    "endpoint",
    "firewall",
    "vnet",
    "auth",
    "service",
    "access",
    "logs",
];

/// How likely: the greater, the sooner it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Likelihood {
    explained: usize,
    confidence: Confidence,
    rung: Reverse<usize>,
}

impl Likelihood {
    /// Of a finding among those that were judged together with it.
    pub(super) fn of(case: &Case<'_>, finding: &Finding, all: &[Finding]) -> Self {
        let rung = ON_THE_WAY.iter().position(|family| *family == finding.code.family()).unwrap_or(ON_THE_WAY.len());
        Self { explained: explained(case, finding, all), confidence: finding.confidence, rung: Reverse(rung) }
    }
}

/// How many of the endpoints that fail stand in a finding's evidence, or in that of what it explains.
fn explained(case: &Case<'_>, finding: &Finding, all: &[Finding]) -> usize {
    let mut codes = BTreeSet::from([&finding.code]);
    loop {
        let effects = all.iter().filter(|f| f.explained_by.iter().any(|by| codes.contains(by))).map(|f| &f.code);
        let more: Vec<&Code> = effects.filter(|code| !codes.contains(code)).collect();
        if more.is_empty() {
            break;
        }
        codes.extend(more);
    }
    let told = all.iter().filter(|f| codes.contains(&f.code)).flat_map(|f| &f.evidence);
    let hosts: BTreeSet<&str> = told.filter_map(|piece| piece.endpoint.as_deref()).collect();
    let failing = case.endpoints().filter(|e| Symptom::of(e).is_failure());
    failing.filter(|e| hosts.contains(e.host.as_str())).count()
}

/// Codes in the order of their likelihood.
pub(super) fn ranked(candidates: BTreeMap<Code, Likelihood>) -> Vec<Code> {
    let mut all: Vec<(Code, Likelihood)> = candidates.into_iter().collect();
    all.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
    all.into_iter().map(|(code, _)| code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::rules;

    #[test]
    fn every_family_has_its_place_on_the_way() {
        for rule in rules::all() {
            assert!(ON_THE_WAY.contains(&Code::from(rule.code).family()), "{}", rule.code);
        }
    }

    #[test]
    fn what_explains_more_comes_first_then_the_surer_then_the_earlier_on_the_way() {
        let of = |explained, confidence, rung| Likelihood { explained, confidence, rung: Reverse(rung) };
        let candidates = [
            ("dns/late", of(0, Confidence::Certain, 1)),
            ("dns/early", of(2, Confidence::Likely, 1)),
            ("tls/sure", of(2, Confidence::Certain, 5)),
            ("vnet/sure", of(2, Confidence::Certain, 8)),
            ("firewall/b", of(1, Confidence::Likely, 7)),
            ("firewall/a", of(1, Confidence::Likely, 7)),
        ];
        let order = ranked(candidates.map(|(code, likelihood)| (Code::from(code), likelihood)).into());
        let order: Vec<&str> = order.iter().map(Code::as_str).collect();
        assert_eq!(order, ["tls/sure", "vnet/sure", "dns/early", "firewall/a", "firewall/b", "dns/late"]);
    }
}

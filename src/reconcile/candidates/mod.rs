//! With facts missing: what else it may be, likeliest first, and the one fact that decides.
//!
//! Each missing fact is supposed to be each of what it can be, and the rules are asked again: what they name then is a
//! candidate. The fact that decides is the one whose values lead to the most different causes.

mod client;
mod private_link;
mod rank;
mod registry;
mod services;
mod supposed;
mod zones;

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::finding::Decider;
use crate::facts::{Code, Confidence, Finding};

use super::case::Case;
use super::command::show;
use super::symptom::Symptom;
use rank::Likelihood;
use supposed::Gap;

/// A missing fact, and what the rules say of each of its values.
struct Tried<'a> {
    gap: Gap<'a>,
    outcomes: Vec<Outcome>,
}

/// What the causes are with one value of a missing fact.
type Outcome = BTreeMap<Code, Likelihood>;

/// Says of each root cause that a missing fact may overturn what decides, and what it may be instead.
pub(super) fn decide(case: &Case<'_>, findings: &mut [Finding]) {
    let is_open = |finding: &Finding| finding.root_cause && finding.confidence == Confidence::Possible;
    // What is sure by itself may still be an effect of something that nobody saw. Of a fleet only the open ones are asked.
    let fails = !case.options.audit && case.endpoints().any(|e| Symptom::of(e).is_failure());
    let stands_to_fall = |finding: &Finding| finding.root_cause && fails;
    let concerns = |finding: &Finding| is_open(finding) || stands_to_fall(finding);
    if !findings.iter().any(concerns) {
        return;
    }
    let named: BTreeSet<Code> = findings.iter().filter(|f| f.root_cause).map(|f| f.code.clone()).collect();
    let wanted: BTreeSet<String> =
        findings.iter().filter(|f| is_open(f)).flat_map(|f| f.depends_on_unknown.iter().cloned()).collect();
    let failing = findings.iter().any(stands_to_fall);
    let tried: Vec<Tried<'_>> = gaps(case)
        .into_iter()
        .filter(|gap| failing || wanted.contains(&gap.fact))
        .map(|gap| Tried {
            outcomes: gap.worlds.iter().map(|world| outcome(case, &world.judged(case.options))).collect(),
            gap,
        })
        .collect();
    let grant = findings.iter().find(|f| f.code.as_str() == "access/arm-forbidden");
    let grant = grant.and_then(|f| f.fix.first()?.command.clone());
    for finding in findings.iter_mut().filter(|finding| concerns(finding)) {
        finding.decided_by = decider(case, finding, &named, &tried, grant.as_deref());
    }
}

/// Every fact that is missing and can be one of a few things.
fn gaps<'a>(case: &Case<'a>) -> Vec<Gap<'a>> {
    [registry::gaps(case), private_link::gaps(case), zones::gaps(case), client::gaps(case), services::gaps(case)]
        .into_iter()
        .flatten()
        .collect()
}

fn outcome(case: &Case<'_>, findings: &[Finding]) -> Outcome {
    let mut causes = Outcome::new();
    for finding in findings.iter().filter(|f| f.root_cause) {
        let likelihood = Likelihood::of(case, finding, findings);
        let best = causes.entry(finding.code.clone()).or_insert(likelihood);
        *best = likelihood.max(*best);
    }
    causes
}

/// What decides about a finding, if anything does.
fn decider(
    case: &Case<'_>,
    finding: &Finding,
    named: &BTreeSet<Code>,
    tried: &[Tried<'_>],
    grant: Option<&str>,
) -> Option<Decider> {
    let hangs_on = |fact: &String| finding.depends_on_unknown.contains(fact);
    // Something else would be the cause, and this an effect or nothing at all.
    let overturns =
        |outcome: &Outcome| !outcome.contains_key(&finding.code) && outcome.keys().any(|code| !named.contains(code));
    let bearing: Vec<&Tried<'_>> =
        tried.iter().filter(|one| hangs_on(&one.gap.fact) || one.outcomes.iter().any(overturns)).collect();
    let first = finding.depends_on_unknown.first();
    let splits = |one: &Tried<'_>| {
        let causes = |outcome: &Outcome| outcome.keys().cloned().collect::<Vec<_>>();
        one.outcomes.iter().map(causes).collect::<BTreeSet<_>>().len()
    };
    // Of equal ones the first: so they stand in the order in which one would ask.
    let deciding =
        bearing.iter().filter(|one| first.is_none() || hangs_on(&one.gap.fact)).rev().max_by_key(|one| splits(one));
    let fact = deciding.map(|one| &one.gap.fact).or(first)?.clone();
    let missing = deciding.map(|one| one.gap.missing.clone());
    let mut candidates = Outcome::new();
    for (code, likelihood) in bearing.iter().flat_map(|one| &one.outcomes).flatten() {
        if !named.contains(code) {
            let best = candidates.entry(code.clone()).or_insert(*likelihood);
            *best = (*best).max(*likelihood);
        }
    }
    let needs = needs(case, &fact).or_else(|| missing.as_ref().and_then(|missing| missing.needs.clone()));
    if let Some(missing) = missing.filter(|_| case.unknowns().iter().all(|unknown| unknown.fact != fact)) {
        case.note_unknown(&fact, &missing.why, needs.as_deref());
    }
    let command = show::fact(case, &fact).or_else(|| command_in(needs.as_deref(), grant));
    Some(Decider { fact, needs, command, instead: rank::ranked(candidates) })
}

/// What supplies a fact, as it was noted; of a registry that was not read at all, no fact is listed by itself.
fn needs(case: &Case<'_>, fact: &str) -> Option<String> {
    let whole = |name: &str| case.registry.is_none() && name == "registry configuration";
    case.unknowns().into_iter().find(|unknown| unknown.fact == fact || whole(&unknown.fact))?.needs
}

/// What supplies a fact, where that is a command; of a right the command that gives it.
fn command_in(needs: Option<&str>, grant: Option<&str>) -> Option<String> {
    let needs = needs?;
    let is_command = ["az ", "acr-doctor "].iter().any(|program| needs.starts_with(program));
    let is_right = needs.starts_with("Microsoft.");
    if is_command { Some(needs.to_owned()) } else { grant.filter(|_| is_right).map(str::to_owned) }
}

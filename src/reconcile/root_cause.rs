//! Which findings explain the others.
//!
//! A finding explains another only by the relation that its rule declares, and only where both concern
//! the same endpoint (or one of them the registry as a whole). The relation has no cycles: a test holds that.

use crate::facts::{Code, Confidence, Finding, Fqdn, Severity};

use super::rule::{Draft, Rule};

/// Findings that only limit what is known: the cause of a failure only where nothing else failed.
const LIMITS_OF_SIGHT: &[&str] = &[
    "access/not-signed-in",
    "access/arm-forbidden",
    "access/registry-not-found",
    "access/subscription-not-found",
    "access/rules-not-shown",
];

/// Turns drafts into findings with `rootCause` and `explainedBy`, root causes first. `failing` are the endpoints that
/// this client does not get through to.
pub fn settle(drafts: Vec<(&'static Rule, Draft)>, failing: &[&Fqdn]) -> Vec<Finding> {
    let explained_by: Vec<Vec<Code>> = drafts.iter().map(|effect| explanations(&drafts, effect)).collect();
    let weights: Vec<Severity> = drafts.iter().map(|draft| weight(draft, &drafts)).collect();
    let at_failing = |d: &Draft| !d.bystander && d.subjects.iter().any(|s| failing.contains(&s));
    let met: Vec<bool> = drafts.iter().map(|(_, draft)| at_failing(draft)).collect();
    let mut findings: Vec<Finding> = drafts.into_iter().map(|(rule, draft)| rule.finding(draft)).collect();
    for (finding, codes) in findings.iter_mut().zip(explained_by) {
        finding.explained_by = codes;
    }
    mark_root_causes(&mut findings, &weights, &met);
    findings.sort_by(|a, b| {
        (b.root_cause, b.severity, b.confidence, a.explained_by.len(), &a.code).cmp(&(
            a.root_cause,
            a.severity,
            a.confidence,
            b.explained_by.len(),
            &b.code,
        ))
    });
    findings
}

/// The codes of the drafts that explain `effect`, each once.
fn explanations(drafts: &[(&'static Rule, Draft)], effect: &(&'static Rule, Draft)) -> Vec<Code> {
    let mut codes: Vec<Code> =
        drafts.iter().filter(|cause| explains(cause, effect)).map(|(rule, _)| Code::from(rule.code)).collect();
    codes.sort();
    codes.dedup();
    codes
}

fn explains((cause, by): &(&'static Rule, Draft), (effect, of): &(&'static Rule, Draft)) -> bool {
    // What is only possible does not explain what is certain; an info explains nothing.
    let strong = by.confidence > Confidence::Possible || of.confidence == Confidence::Possible;
    let weighty = !by.bystander && by.severity.unwrap_or(cause.severity) > Severity::Info;
    let same_place =
        by.subjects.is_empty() || of.subjects.is_empty() || by.subjects.iter().any(|s| of.subjects.contains(s));
    cause.code != effect.code && cause.explains.contains(&effect.code) && strong && weighty && same_place
}

/// Unexplained findings are root causes: those that are errors or explain one; where there is no error, warnings: of these
/// only what the client met at an endpoint that fails, if it met any. What merely limits our sight is a cause only where
/// nothing else is.
fn mark_root_causes(findings: &mut [Finding], weights: &[Severity], met: &[bool]) {
    let limits = |f: &Finding| LIMITS_OF_SIGHT.contains(&f.code.as_str());
    let tiers = [
        (Severity::Error, false, false),
        (Severity::Error, true, false),
        (Severity::Warning, false, true),
        (Severity::Warning, false, false),
        (Severity::Warning, true, false),
    ];
    for (severity, limiting, only_met) in tiers {
        let is_cause = |f: &Finding, weight: Severity, met: bool| {
            f.explained_by.is_empty() && weight == severity && limits(f) == limiting && (met || !only_met)
        };
        let causes: Vec<bool> =
            findings.iter().zip(weights).zip(met).map(|((f, weight), met)| is_cause(f, *weight, *met)).collect();
        if causes.contains(&true) {
            for (finding, cause) in findings.iter_mut().zip(causes) {
                finding.root_cause = cause;
            }
            return;
        }
    }
}

/// The severity of a draft or of the worst that it explains.
fn weight(cause: &(&'static Rule, Draft), all: &[(&'static Rule, Draft)]) -> Severity {
    let severity = |(rule, draft): &(&'static Rule, Draft)| draft.severity.unwrap_or(rule.severity).min(rule.severity);
    let explained = all.iter().filter(|effect| explains(cause, effect)).map(severity);
    explained.chain([severity(cause)]).max().unwrap_or(cause.0.severity)
}

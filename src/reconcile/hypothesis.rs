//! One finding asked for by itself: whether the facts confirm it, rule it out, or leave it open.

use crate::facts::{Confidence, ConfigFacts, Finding, ProbeFacts};

use super::case::Case;
use super::sentence::within;
use super::{Options, Rule};

/// How a hypothesis stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was found.
    Confirmed,
    /// All that it needs was seen, and it was not found.
    RuledOut,
    /// A fact is missing that would decide.
    Open,
}

/// Families that a client's own look decides, whatever the configuration says.
const SEEN_BY_THE_CLIENT: [&str; 5] = ["network/", "tls/", "proxy/", "client/", "auth/"];

/// Of the other families, the codes that likewise need no configuration.
const ALSO_SEEN: [&str; 8] = [
    "dns/name-not-found",
    "dns/resolver-failed",
    "dns/resolvers-disagree",
    "dns/privatelink-name-used",
    "dns/hosts-file-override",
    "endpoint/no-answer",
    "endpoint/unavailable",
    "endpoint/not-a-registry",
];

/// Of those families, the codes that compare with the configuration.
const COMPARED: [&str; 7] = [
    "network/storage-policy-denies",
    "network/private-endpoint-unreachable",
    "network/nsg-blocks-outbound",
    "network/egress-through-firewall",
    "proxy/private-endpoint-through-proxy",
    "auth/admin-user-only",
    "auth/encryption-identity-missing",
];

/// Asks one rule alone, so that the facts which it misses are its own. `found` are the report's findings: what the
/// rules say together counts, for one may explain another.
pub fn stands(
    rule: &Rule,
    found: &[Finding],
    config: &ConfigFacts,
    probe: &ProbeFacts,
    options: &Options,
) -> (Standing, String) {
    let sure = found.iter().filter(|finding| finding.code.as_str() == rule.code).max_by_key(|f| f.confidence);
    if let Some(finding) = sure {
        return match finding.confidence {
            Confidence::Certain | Confidence::Likely => (Standing::Confirmed, finding.title.clone()),
            Confidence::Possible => (Standing::Open, possible(finding)),
        };
    }
    let registry = config.registries.first();
    if registry.is_none() && !needs_no_configuration(rule.code) {
        return (Standing::Open, "the registry's configuration could not be read".to_owned());
    }
    let case = Case::new(config, registry, Some(probe), options);
    let _ = (rule.check)(&case);
    match case.unknowns().first() {
        Some(missing) => {
            let needs = missing.needs.as_ref().map(|needs| format!("; needs {needs}")).unwrap_or_default();
            (Standing::Open, format!("not known: {}: {}{needs}", missing.fact, missing.why))
        }
        None => (Standing::RuledOut, format!("not so from here: {}", within(&rule.headline()))),
    }
}

fn possible(finding: &Finding) -> String {
    let missing = finding.depends_on_unknown.join(", ");
    if missing.is_empty() { finding.title.clone() } else { format!("{}; not known: {missing}", finding.title) }
}

fn needs_no_configuration(code: &str) -> bool {
    let family = SEEN_BY_THE_CLIENT.iter().any(|family| code.starts_with(family));
    (family && !COMPARED.contains(&code)) || ALSO_SEEN.contains(&code) || code.starts_with("access/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::rules;

    #[test]
    fn the_lists_name_codes_that_exist() {
        for code in ALSO_SEEN.iter().chain(&COMPARED) {
            assert!(rules::all().any(|rule| rule.code == *code), "{code}");
        }
        for family in SEEN_BY_THE_CLIENT {
            assert!(rules::all().any(|rule| rule.code.starts_with(family)), "{family}");
        }
    }
}

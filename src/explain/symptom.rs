//! The table of symptoms: data, in symptoms/*.toml, embedded and read once.

use std::sync::LazyLock;

use serde::Deserialize;

/// One symptom: how it reads, and which findings show like it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Symptom {
    /// What tells it from others.
    pub(super) name: String,
    /// Which of several symptoms in a text tells most: an embedded cause beats a summary.
    pub(super) rank: u8,
    /// What it says, with `{placeholders}`.
    pub(super) says: String,
    /// Texts in lower case; ` & ` parts those that must follow one another in a line.
    #[serde(rename = "match")]
    pub(super) patterns: Vec<Pattern>,
    /// Texts that make it another symptom.
    #[serde(default)]
    pub(super) unless: Vec<Pattern>,
    /// The words are anybody's (`connection refused`): they count only where the text is about a registry,
    /// or where they are the whole text.
    #[serde(default)]
    pub(super) weak: bool,
    /// Clues that the line must give besides.
    #[serde(default)]
    pub(super) when: Option<Condition>,
    /// The candidates, likeliest first.
    #[serde(default)]
    pub(super) candidate: Vec<Lead>,
}

/// A candidate as the table has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lead {
    pub(super) code: String,
    /// The clues under which it is one.
    #[serde(default)]
    pub(super) when: Option<Condition>,
    /// Why, with `{placeholders}`.
    pub(super) why: String,
    /// What tells, with `{placeholders}`.
    pub(super) decides: String,
}

/// Texts that follow one another in a line.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern(Vec<String>);

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self(text.split(" & ").map(str::to_owned).collect())
    }
}

impl Pattern {
    /// Whether the parts stand in the line, in this order.
    pub(super) fn is_in(&self, line: &str) -> bool {
        let mut rest = line;
        self.0.iter().all(|part| match rest.split_once(part.as_str()) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    }

    /// Whether the line is nothing but this text, of several words; `x509: ` and the like may stand before it.
    pub(super) fn is_all_of(&self, line: &str) -> bool {
        let bare = |text: &str| text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned();
        let line = ["error: ", "fatal: ", "x509: ", "net/http: ", "tls: "]
            .iter()
            .fold(line, |line, prefix| line.strip_prefix(prefix).unwrap_or(line));
        matches!(self.0.as_slice(), [one] if one.contains(' ') && bare(one) == bare(line))
    }
}

/// Clues joined by ` | `, each a conjunction by ` & `, each part negated by `!`: `private & !data | ipv6`.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Condition(Vec<Vec<(bool, String)>>);

impl From<String> for Condition {
    fn from(text: String) -> Self {
        let term = |term: &str| {
            let name = term.trim();
            name.strip_prefix('!').map_or_else(|| (true, name.to_owned()), |name| (false, name.to_owned()))
        };
        Self(text.split('|').map(|all| all.split('&').map(term).collect()).collect())
    }
}

impl Condition {
    /// Whether the clues fulfil it; `has` answers for one clue.
    pub(super) fn holds(&self, has: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|all| all.iter().all(|(wanted, clue)| has(clue) == *wanted))
    }

    /// The clues that it speaks of.
    #[cfg(test)]
    pub(super) fn clues(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(|(_, clue)| clue.as_str())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    symptom: Vec<Symptom>,
}

const FILES: [&str; 8] = [
    include_str!("symptoms/registry.toml"),
    include_str!("symptoms/dns.toml"),
    include_str!("symptoms/connection.toml"),
    include_str!("symptoms/tls.toml"),
    include_str!("symptoms/proxy.toml"),
    include_str!("symptoms/management.toml"),
    include_str!("symptoms/check_health.toml"),
    include_str!("symptoms/services.toml"),
];

static TABLE: LazyLock<Vec<Symptom>> = LazyLock::new(|| {
    let mut table: Vec<Symptom> =
        FILES.iter().filter_map(|text| toml::from_str::<File>(text).ok()).flat_map(|file| file.symptom).collect();
    table.sort_by_key(|symptom| std::cmp::Reverse(symptom.rank));
    table
});

/// All symptoms, those that tell most first.
pub(super) fn all() -> &'static [Symptom] {
    &TABLE
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_well_formed() {
        for (index, text) in FILES.iter().enumerate() {
            let file = toml::from_str::<File>(text);
            assert!(file.is_ok(), "file {index}: {}", file.err().unwrap());
        }
    }

    #[test]
    fn names_are_unique_patterns_are_lower_case_and_clues_exist() {
        let mut names = BTreeSet::new();
        for symptom in all() {
            assert!(names.insert(&symptom.name), "{} stands twice", symptom.name);
            for pattern in symptom.patterns.iter().chain(&symptom.unless) {
                for part in &pattern.0 {
                    assert!(!part.is_empty() && *part == part.to_ascii_lowercase(), "{}: {part:?}", symptom.name);
                }
            }
            let conditions = symptom.when.iter().chain(symptom.candidate.iter().filter_map(|lead| lead.when.as_ref()));
            for clue in conditions.flat_map(Condition::clues) {
                assert!(super::super::recognise::CLUES.contains(&clue), "{}: no clue {clue:?}", symptom.name);
            }
        }
    }

    #[test]
    fn no_symptom_names_a_code_twice_under_one_condition() {
        for symptom in all() {
            let mut codes = BTreeSet::new();
            for lead in &symptom.candidate {
                let fresh = codes.insert((&lead.code, format!("{:?}", lead.when)));
                assert!(fresh, "{}: {} stands twice", symptom.name, lead.code);
            }
        }
    }

    #[test]
    fn a_pattern_is_ordered() {
        let pattern = Pattern::from("a & b".to_owned());
        assert!(pattern.is_in("xa yb") && !pattern.is_in("b a"));
        let condition = Condition::from("private & !data | ipv6".to_owned());
        assert!(condition.holds(|clue| clue == "private") && condition.holds(|clue| clue == "ipv6"));
        assert!(!condition.holds(|clue| clue == "private" || clue == "data"));
    }
}

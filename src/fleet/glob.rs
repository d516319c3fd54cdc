//! Names with `*` and `?`, compared without regard to case.

use std::fmt;

/// A pattern: `*` stands for any run of characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// A pattern; every text is one.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.trim().to_ascii_lowercase())
    }

    /// The pattern in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole text matches. Takes at most the product of both lengths in steps.
    pub fn matches(&self, text: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        // reachable[i]: whether the first i characters of the pattern match what was read so far.
        let mut reachable = vec![false; pattern.len() + 1];
        set(&mut reachable, 0, true);
        close(&pattern, &mut reachable);
        for c in text.to_ascii_lowercase().chars() {
            let mut next = vec![false; pattern.len() + 1];
            for (index, wanted) in pattern.iter().enumerate() {
                if reachable.get(index) == Some(&true) {
                    match wanted {
                        '*' => set(&mut next, index, true),
                        '?' => set(&mut next, index + 1, true),
                        other => {
                            if *other == c {
                                set(&mut next, index + 1, true);
                            }
                        }
                    }
                }
            }
            close(&pattern, &mut next);
            reachable = next;
        }
        reachable.last() == Some(&true)
    }
}

fn set(states: &mut [bool], index: usize, value: bool) {
    if let Some(state) = states.get_mut(index) {
        *state = value;
    }
}

/// A `*` may also stand for nothing.
fn close(pattern: &[char], states: &mut [bool]) {
    for (index, wanted) in pattern.iter().enumerate() {
        if *wanted == '*' && states.get(index) == Some(&true) {
            set(states, index + 1, true);
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let matches = |pattern: &str, text: &str| Glob::new(pattern).matches(text);
        assert!(matches("dev*", "DevOps") && matches("*", "") && matches("a?c", "abc") && matches("*reg*", "myreg01"));
        assert!(!matches("dev", "devops") && !matches("a?c", "ac") && !matches("", "a") && !matches("*x", "xy"));
    }

    #[test]
    fn many_stars_take_no_more_than_the_product_of_the_lengths() {
        assert!(!Glob::new(&"*a".repeat(200)).matches(&"b".repeat(2000)));
    }
}

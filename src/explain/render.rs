//! An explanation for a person.

use std::fmt::Write as _;

use super::Explanation;
use super::explanation::{Candidate, Looked, Standing};

/// The explanation as text: the symptom, then each candidate with its reason and what decides.
pub fn render(explanation: &Explanation, width: usize) -> String {
    let mut text = format!("{}\n", wrapped(&explanation.symptom, width, ""));
    for (index, candidate) in explanation.candidates.iter().enumerate() {
        let mark = candidate.standing.map(|standing| format!("  {}", word(standing))).unwrap_or_default();
        let _ = write!(text, "\n{:>2}. {}{mark}\n", index + 1, candidate.code);
        for line in lines(candidate) {
            let _ = writeln!(text, "{}", wrapped(&line, width, "    "));
        }
    }
    if let Some(looked) = &explanation.looked {
        text += &from_here(looked, width);
    }
    if let Some(first) = explanation.candidates.first() {
        let gap = if explanation.looked.is_some() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}The page of a code: acr-doctor explain {}", first.code);
    }
    text
}

/// How a candidate stands, in words.
pub fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Confirmed => "CONFIRMED",
        Standing::Open => "open",
        Standing::RuledOut => "ruled out",
    }
}

/// Why it is a candidate and what decides, or, after a look, what was seen.
fn lines(candidate: &Candidate) -> Vec<String> {
    let decides = format!("decides: {}", candidate.decides);
    match (candidate.standing, &candidate.because) {
        (Some(Standing::Open), Some(because)) => vec![because.clone(), decides],
        (Some(_), Some(because)) => vec![because.clone()],
        _ => vec![candidate.why.clone(), decides],
    }
}

/// What the look said as a whole.
fn from_here(looked: &Looked, width: usize) -> String {
    let mut text = format!("\n{}\n", wrapped(&format!("From here: {}", looked.summary), width, ""));
    for also in &looked.also {
        let _ = writeln!(text, "{}", wrapped(&format!("{}  {}", also.code, also.title), width, "    "));
    }
    let _ = writeln!(text, "The whole report, with fixes: acr-doctor check -n {}", looked.name);
    text
}

/// Breaks at blanks, so that lines are at most `width` long where words allow it. A command in
/// backticks stays on one line, to be copied.
fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = indent.to_owned();
    let mut quoted = false;
    for word in text.split(' ') {
        let empty = line.len() == indent.len();
        let fits = line.chars().count() + 1 + word.chars().count() <= width;
        if !empty && !fits && !quoted {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        } else if !empty {
            line.push(' ');
        }
        line.push_str(word);
        quoted ^= word.matches('`').count() % 2 == 1;
    }
    lines.push(line);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_stays_on_one_line() {
        assert_eq!(wrapped("run `a b c d` now and then", 10, " "), " run `a b c d`\n now and\n then");
    }
}

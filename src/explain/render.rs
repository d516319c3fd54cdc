//! An explanation for a person.

use std::fmt::Write as _;

use super::Explanation;

/// The explanation as text: the symptom, then each candidate with its reason and what decides.
pub fn render(explanation: &Explanation, width: usize) -> String {
    let mut text = format!("{}\n", wrapped(&explanation.symptom, width, ""));
    for (index, candidate) in explanation.candidates.iter().enumerate() {
        let _ = write!(
            text,
            "\n{:>2}. {}\n{}\n{}\n",
            index + 1,
            candidate.code,
            wrapped(&candidate.why, width, "    "),
            wrapped(&format!("decides: {}", candidate.decides), width, "    "),
        );
    }
    if let Some(first) = explanation.candidates.first() {
        let _ = write!(text, "\nThe page of a code: acr-doctor explain {}\n", first.code);
    }
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

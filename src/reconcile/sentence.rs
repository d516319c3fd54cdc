//! Sentences that stand within other sentences.

/// Words that keep their capital wherever they stand; acronyms such as ACR do so by their second letter.
const NAMES: [&str; 6] = ["Azure", "Defender", "Docker", "Entra", "Kubernetes", "Microsoft"];

/// A sentence for the middle of another: without its stop, and with a small first letter unless that begins a name.
pub(super) fn within(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let first_word = sentence.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let mut letters = sentence.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() && !NAMES.contains(&first_word) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn names_and_acronyms_keep_their_capitals() {
        assert_eq!(within("The name is wrong."), "the name is wrong");
        assert_eq!(within("A zone has no record"), "a zone has no record");
        assert_eq!(within("ACR Tasks cannot."), "ACR Tasks cannot");
        assert_eq!(within("Microsoft Defender cannot scan"), "Microsoft Defender cannot scan");
        assert_eq!(within("Docker's proxy refuses"), "Docker's proxy refuses");
        assert_eq!(within(""), "");
    }
}

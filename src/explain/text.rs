//! Pasted text made comparable: no escapes, no colours, one line a message, lower case.

use std::borrow::Cow;

/// Read at each end of a longer text; what lies between is passed over.
pub(super) const END: usize = 512 * 1024;

/// JSON in a log in a JSON document is escaped three times; more has not been seen.
const ESCAPE_LAYERS: usize = 3;

/// The lines of a text: bounded, decoded, lower case, with single blanks and no empty ones.
pub(super) fn lines(text: &str) -> Vec<String> {
    let mut decoded = without_colours(&ends(text)).into_owned();
    for _ in 0..ESCAPE_LAYERS {
        match unescaped(&decoded) {
            Cow::Borrowed(_) => break,
            Cow::Owned(text) => decoded = text,
        }
    }
    let decoded = plain_characters(&decoded);
    decoded.split(['\n', '\r']).map(folded).filter(|line| !line.is_empty()).collect()
}

/// Both ends of a text that is longer than we read.
fn ends(text: &str) -> Cow<'_, str> {
    if text.len() <= 2 * END {
        return Cow::Borrowed(text);
    }
    let head_end = (0..=END).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let tail_start = (text.len() - END..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    let head = text.get(..head_end).unwrap_or_default();
    let tail = text.get(tail_start..).unwrap_or_default();
    Cow::Owned(format!("{head}\n{tail}"))
}

/// Drops terminal control sequences (ECMA-48: CSI, OSC, and two-character escapes).
fn without_colours(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
            // An OSC that never ends would swallow the text: it stops at the line's end.
            Some(']') => {
                while chars.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}' | '\n')).is_some() {}
                chars.next_if_eq(&'\u{7}');
            }
            _ => {}
        }
    }
    Cow::Owned(out)
}

/// Removes one layer of backslash escapes (JSON, Go's %q, Python's repr).
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut changed = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        let (replacement, taken) = match chars.next() {
            Some('n' | 'r') => (Some('\n'), 1),
            Some('t') => (Some(' '), 1),
            Some(c @ ('"' | '\'' | '/' | '\\')) => (Some(c), 1),
            Some('u') => (code_point(after), 5),
            _ => (None, 0),
        };
        changed |= replacement.is_some();
        out.push(replacement.unwrap_or('\\'));
        rest = after.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    if changed { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

/// The character of `uXXXX`; half of a surrogate pair is a replacement character.
fn code_point(escape: &str) -> Option<char> {
    let digits = escape.get(1..5).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let value = u32::from_str_radix(digits, 16).ok()?;
    Some(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// XML entities, typographic quotes and odd blanks become their plain forms.
fn plain_characters(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| match c {
            '\u{2018}' | '\u{2019}' | '`' => '\'',
            '\u{201c}' | '\u{201d}' => '"',
            '\u{a0}' | '\u{feff}' | '\t' => ' ',
            c => c.to_ascii_lowercase(),
        })
        .collect();
    if !text.contains('&') {
        return text;
    }
    let entities = [("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">")];
    entities.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

/// Single blanks, none at the ends.
fn folded(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_layer_by_layer() {
        let once = r#"{"message":"client with IP \u0027203.0.113.5\u0027 is not allowed"}"#;
        assert_eq!(lines(once), [r#"{"message":"client with ip '203.0.113.5' is not allowed"}"#]);
        let twice = serde_json::to_string(once).unwrap();
        let thrice = serde_json::to_string(&twice).unwrap();
        for text in [twice, thrice] {
            assert!(lines(&text)[0].contains("client with ip '203.0.113.5' is"), "{text}");
        }
    }

    #[test]
    fn colours_go_and_lines_part() {
        assert_eq!(lines("\u{1b}[31;1mERROR:\u{1b}[0m  a\\nb\r\n\u{1b}]0;title\u{7}c"), ["error: a", "b", "c"]);
        assert_eq!(lines("\u{1b}[31"), Vec::<String>::new());
    }

    #[test]
    fn a_long_text_is_read_at_both_ends() {
        let text = format!("first\n{}\nlast", "\u{e9}\n".repeat(2 * END));
        let lines = lines(&text);
        assert_eq!((lines.first().unwrap().as_str(), lines.last().unwrap().as_str()), ("first", "last"));
        assert!(lines.iter().map(String::len).sum::<usize>() <= 2 * END);
    }
}

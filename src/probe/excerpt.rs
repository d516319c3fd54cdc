//! Foreign text, cut short and made harmless.

/// The longest excerpt, in characters.
const LONGEST: usize = 200;

/// One line: no control or bidirectional characters, blanks folded, at most 200 characters.
pub fn line(text: &str) -> String {
    let harmless = |c: char| {
        !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let folded: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| harmless(*c)).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

/// What a page says: its title if it is HTML, else its text without tags.
pub fn of_body(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..body.len().min(16 * 1024)).unwrap_or_default());
    let lower = text.to_ascii_lowercase();
    if let Some(title) = between(&text, &lower, "<title", "</title") {
        let title = title.split_once('>').map_or(title, |(_, rest)| rest);
        if !title.trim().is_empty() {
            return line(title);
        }
    }
    let mut plain = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                plain.push(' ');
            }
            c if !in_tag => plain.push(c),
            _ => {}
        }
    }
    line(&plain)
}

fn between<'t>(text: &'t str, lower: &str, from: &str, to: &str) -> Option<&'t str> {
    // Lower-casing ASCII keeps every byte's place.
    let start = lower.find(from)? + from.len();
    let end = lower.get(start..)?.find(to)? + start;
    text.get(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_named_by_its_title_and_terminal_tricks_are_cut() {
        assert_eq!(of_body(b"<html><head><TITLE lang=en>Access\n Denied</TITLE></head>"), "Access Denied");
        assert_eq!(of_body(b"<p>Blocked by <b>policy</b></p>"), "Blocked by policy");
        assert_eq!(line("a\u{1b}[31mb\u{202e}c"), "a[31mbc");
        assert_eq!(line(&"x".repeat(1000)).len(), 200);
    }
}

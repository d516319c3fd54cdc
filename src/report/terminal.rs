//! What a terminal may see: colours, glyphs, widths, and foreign text made harmless.

use std::borrow::Cow;

use console::measure_text_width;

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns to stay within, where the text allows it; commands are never broken.
    pub width: usize,
    /// Whether to send colours (ECMA-48 SGR).
    pub colour: bool,
    /// Whether to draw `√ ‼ ×`, or ASCII in their place.
    pub glyphs: bool,
}

impl Style {
    /// For files and pipes: no colour, ASCII, 100 columns.
    pub const PLAIN: Self = Self { width: 100, colour: false, glyphs: false };
}

/// A colour by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Good: green.
    Good,
    /// To be looked at: yellow.
    Warn,
    /// Broken: red.
    Bad,
    /// Secondary: dim.
    Faint,
    /// To be read first: bold.
    Strong,
    /// To be copied: cyan.
    Command,
}

/// A mark before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It held.
    Good,
    /// A warning.
    Warn,
    /// It broke.
    Bad,
    /// Worth knowing.
    Info,
    /// Not tried, or not known.
    Unknown,
}

impl Style {
    /// `text` in a colour.
    pub fn paint<'a>(&self, ink: Ink, text: &'a str) -> Cow<'a, str> {
        let code = match ink {
            Ink::Good => "32",
            Ink::Warn => "33",
            Ink::Bad => "31",
            Ink::Faint => "2",
            Ink::Strong => "1",
            Ink::Command => "36",
        };
        if self.colour && !text.is_empty() {
            Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m"))
        } else {
            Cow::Borrowed(text)
        }
    }

    /// A mark, one column wide.
    pub fn mark(&self, mark: Mark) -> Cow<'static, str> {
        let (glyph, ascii, ink) = match mark {
            Mark::Good => ("√", "+", Ink::Good),
            Mark::Warn => ("‼", "!", Ink::Warn),
            Mark::Bad => ("×", "x", Ink::Bad),
            Mark::Info => ("·", "i", Ink::Faint),
            Mark::Unknown => ("?", "?", Ink::Faint),
        };
        self.paint(ink, if self.glyphs { glyph } else { ascii })
    }

    /// What stands between two rungs of a ladder.
    pub fn step(&self) -> &'static str {
        if self.glyphs { " ▸ " } else { " > " }
    }

    /// What stands at the end of a text that was cut.
    pub fn ellipsis(&self) -> &'static str {
        if self.glyphs { "…" } else { "..." }
    }

    /// The dash of a sentence.
    pub fn dash(&self) -> &'static str {
        if self.glyphs { "–" } else { "-" }
    }

    /// `text` cut to `columns`.
    pub fn cut<'a>(&self, text: &'a str, columns: usize) -> Cow<'a, str> {
        console::truncate_str(text, columns, self.ellipsis())
    }
}

/// Text of others, made harmless: control characters and those that change the direction or the width
/// of what follows are shown as escapes, line breaks and tabs as blanks.
pub fn sanitise(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c.is_control() || is_deceptive(c)) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => clean.push(' '),
            c if c.is_control() || is_deceptive(c) => clean.extend(c.escape_unicode()),
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// Bidirectional controls, invisible characters, line separators and tags (Unicode UAX #9, UTR #36).
pub(super) fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Adds `text` and a line break.
pub fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// Breaks `text` at blanks so that each line has at most `columns`; a longer word stands alone.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && measure_text_width(&line) + 1 + measure_text_width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// `text` wrapped, the first line after `first`, the others after `rest`.
pub fn paragraph(out: &mut String, style: &Style, first: &str, rest: &str, text: &str) {
    paragraph_of(usize::MAX, out, style, first, rest, text);
}

/// As [`paragraph`], cut after `most` lines.
pub fn paragraph_of(most: usize, out: &mut String, style: &Style, first: &str, rest: &str, text: &str) {
    let columns = style.width.saturating_sub(measure_text_width(first).max(measure_text_width(rest))).max(20);
    let lines = wrap(&sanitise(text), columns);
    for (index, line) in lines.iter().take(most).enumerate() {
        out.push_str(if index == 0 { first } else { rest });
        if index + 1 == most && lines.len() > most {
            out.push_str(&style.cut(&format!("{line} {}", lines.get(most).map_or("", String::as_str)), columns));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_bidirectional_controls_are_shown_not_obeyed() {
        assert_eq!(sanitise("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(sanitise("x\u{202e}y\u{2066}z"), "x\\u{202e}y\\u{2066}z");
        assert_eq!(sanitise("two\r\nlines"), "two  lines");
        assert!(matches!(sanitise("grün ✓ 例"), Cow::Borrowed(_)));
    }

    #[test]
    fn wrapping_never_breaks_a_word() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a-very-long-word b", 5), ["a-very-long-word", "b"]);
    }

    #[test]
    fn plain_style_sends_ascii_only() {
        let all = [Mark::Good, Mark::Warn, Mark::Bad, Mark::Info, Mark::Unknown].map(|m| Style::PLAIN.mark(m));
        assert!(all.iter().all(|m| m.is_ascii() && m.len() == 1));
        assert!(Style::PLAIN.step().is_ascii() && Style::PLAIN.cut("abcdefgh", 5).is_ascii());
    }
}

//! The picture of a report in the README: the program's own coloured output, drawn as SVG.

use std::fmt::Write as _;

use crate::doctor::{doctor, example, finish};
use crate::golden;

/// Columns of the picture; longer lines (commands to paste) end with an ellipsis.
const COLUMNS: usize = 104;
/// A column and a line of 14 pixels' type, and the frame, in tenths of a pixel.
const CELL: (usize, usize) = (84, 190);
const MARGIN: usize = 180;

/// One look of a piece of text (SGR, ECMA-48).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Look {
    bold: bool,
    faint: bool,
    colour: Option<&'static str>,
}

impl Look {
    fn after(self, code: &str) -> Self {
        match code {
            "1" => Self { bold: true, ..self },
            "2" => Self { faint: true, ..self },
            "31" => Self { colour: Some("#ff7b72"), ..self },
            "32" => Self { colour: Some("#7ee787"), ..self },
            "33" => Self { colour: Some("#e3b341"), ..self },
            "36" => Self { colour: Some("#76e3ea"), ..self },
            "0" | "" => Self::default(),
            other => panic!("the picture does not know the colour {other}"),
        }
    }

    fn attributes(self) -> String {
        let fill = self.colour.unwrap_or(if self.faint { "#8b949e" } else { "#e6edf3" });
        let weight = if self.bold { " font-weight=\"bold\"" } else { "" };
        format!("fill=\"{fill}\"{weight}")
    }
}

/// A line's pieces, each with its look.
fn pieces(line: &str) -> Vec<(Look, String)> {
    let mut look = Look::default();
    let mut all = Vec::new();
    let mut left = COLUMNS;
    for (index, part) in line.split("\u{1b}[").enumerate() {
        let text = match part.split_once('m') {
            Some((codes, text)) if index > 0 => {
                look = codes.split(';').fold(look, Look::after);
                text
            }
            _ => part,
        };
        let shown: String = text.chars().take(left).collect();
        let cut = shown.chars().count() < text.chars().count();
        left -= shown.chars().count();
        all.push((look, if cut && left == 0 && !shown.is_empty() { with_ellipsis(&shown) } else { shown }));
    }
    all.retain(|(_, text)| !text.is_empty());
    all
}

fn with_ellipsis(text: &str) -> String {
    let kept = text.chars().count() - 1;
    text.chars().take(kept).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// One word. The browser's font may be wider or narrower: it is fitted to its columns.
fn placed(word: &str, x: usize, y: usize, look: Look) -> String {
    let length = word.chars().count() * CELL.0;
    format!(
        "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" {}>{}</text>",
        look.attributes(),
        escaped(word)
    )
}

fn drawn(command: &str, output: &str) -> String {
    let lines: Vec<&str> = std::iter::once(command).chain(output.trim_end().lines()).collect();
    let (column, row) = CELL;
    let width = COLUMNS * column + 2 * MARGIN;
    let height = lines.len() * row + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"A report of acr-doctor in a terminal\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"80\" fill=\"#0d1117\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"140\">\n"
    );
    for (index, line) in lines.iter().enumerate() {
        let y = MARGIN + index * row + 3 * row / 4;
        let mut at = 0;
        for (look, text) in pieces(line) {
            // Word by word: viewers do not agree on what becomes of a piece's own spaces.
            for word in text.split_inclusive(' ') {
                if !word.trim().is_empty() {
                    writeln!(svg, "{}", placed(word.trim(), MARGIN + at * column, y, look)).unwrap();
                }
                at += word.chars().count();
            }
        }
    }
    svg + "</g>\n</svg>\n"
}

#[test]
fn the_readmes_picture_is_current() {
    let arguments = example("subnet-rule-missing");
    let mut command = doctor(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let ran = finish(command.envs([("CLICOLOR_FORCE", "1"), ("LANG", "C.UTF-8")]));
    let picture =
        drawn("\u{1b}[2m$ acr-doctor reconcile --config config.json --probe probe.json\u{1b}[0m", &ran.stdout);
    golden::check("docs/report.svg", &picture);
    let readme = std::fs::read_to_string(golden::path("README.md")).unwrap();
    assert!(readme.contains("](docs/report.svg)"), "README shows the picture");
    assert!(readme.lines().count() <= 110, "README is longer than two screens");
}

#[test]
fn colours_and_markup_survive_drawing() {
    assert_eq!(
        pieces("a\u{1b}[1mb<\u{1b}[0m\u{1b}[31;2mc"),
        [
            (Look::default(), "a".to_owned()),
            (Look { bold: true, ..Look::default() }, "b<".to_owned()),
            (Look { faint: true, colour: Some("#ff7b72"), bold: false }, "c".to_owned()),
        ]
        .map(|(look, text)| (look, text))
    );
    let long = "x".repeat(2 * COLUMNS);
    let [(_, cut)] = pieces(&long).try_into().unwrap_or_else(|_| panic!("one piece"));
    assert_eq!((cut.chars().count(), cut.ends_with('…')), (COLUMNS, true));
    assert!(drawn("$ a", "b <c> & d").contains(">&lt;c&gt;</text>"));
}

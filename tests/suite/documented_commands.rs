//! Every command that the documentation shows is one that the program understands.

use acr_doctor::cli::args::Arguments;
use clap::Parser as _;
use clap::error::ErrorKind;

use crate::golden;

/// Words that stand for something, and what a reader may put there.
const STANDS_FOR: [(&str, &str); 10] = [
    ("--hours N", "--hours 24"),
    ("{registry}", "contoso"),
    ("{login}", "contoso.azurecr.io"),
    ("{host}", "contoso.azurecr.io"),
    ("{address}", "203.0.113.5"),
    ("ADDRESS", "203.0.113.5"),
    ("REPO:TAG", "app:1"),
    ("SHELL", "bash"),
    (
        "SUBNET-OF-THE-NODES",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n",
    ),
    ("IP:PORT", "10.0.0.4:53"),
];

/// The commands in a text: in spans in backticks and in lines of code, at their start or behind a pipe and the like.
fn commands(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    let lines = text.lines().map(|line| line.trim().trim_start_matches("$ "));
    let whole = |piece: &&str| !piece.contains('…') && !piece.contains("...");
    let behind = |piece: &str| {
        let ends = ["", "| ", "$(", "&& "];
        let (before, rest) = piece.split_once("acr-doctor ")?;
        let begins = ends.iter().any(|end| if end.is_empty() { before.is_empty() } else { before.ends_with(end) });
        begins.then(|| until_the_end(rest).to_owned())
    };
    spans.chain(lines).filter(whole).filter_map(behind).collect()
}

/// What belongs to the command: up to a pipe, a redirection, another command or a remark.
fn until_the_end(text: &str) -> &str {
    let ends = [" | ", " > ", " && ", "; ", ")", " (", "  ", " #", "` ", "`"];
    ends.iter().filter_map(|end| text.find(end)).min().and_then(|at| text.get(..at)).unwrap_or(text).trim()
}

/// Words as a shell parts them, quotes taken off.
fn words(command: &str) -> Vec<String> {
    let (mut all, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in command.chars().chain([' ']) {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => all.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    // What may be left out stands in brackets.
    all.iter().map(|word| word.trim_matches(['[', ']']).to_owned()).filter(|word| !word.is_empty()).collect()
}

/// Why the program does not understand a command; prose may name a command without what it needs.
fn complaint(command: &str) -> Option<String> {
    let replaced = STANDS_FOR.iter().fold(command.to_owned(), |text, (from, to)| text.replace(from, to));
    let words = [vec!["acr-doctor".to_owned()], words(&replaced)].concat();
    let error = Arguments::try_parse_from(words).err()?;
    let fine = [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
    (!fine.contains(&error.kind())).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

#[test]
fn every_command_in_the_documentation_is_understood() {
    let pages = ["docs", "examples", "packaging"].into_iter().flat_map(|folder| golden::files(folder, "md"));
    // Written from --help, which wraps long examples.
    let pages = pages.filter(|page| page != "docs/commands.md");
    let others = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned);
    let symptoms = golden::files("src/explain/symptoms", "toml");
    let mut seen = 0;
    let mut wrong = Vec::new();
    for page in pages.chain(others).chain(symptoms) {
        let text = std::fs::read_to_string(golden::path(&page)).unwrap();
        for command in commands(&text) {
            seen += 1;
            if let Some(complaint) = complaint(&command) {
                wrong.push(format!("{page}: acr-doctor {command}\n    {complaint}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen > 100, "only {seen} commands were found");
}

#[test]
fn a_command_is_found_where_it_stands() {
    let text = "see `acr-doctor probe {login}` or\n    $ kubectl x | acr-doctor explain -n a\n\
                `az acr-doctor x`, `export A=$(acr-doctor endpoints -n a)`";
    assert_eq!(commands(text), ["probe {login}", "endpoints -n a", "explain -n a"]);
    assert!(complaint("chekc -n a").is_some());
    assert_eq!(complaint("probe {login} --image REPO:TAG"), None);
    assert_eq!(words("explain 'a b' \"c\" d"), ["explain", "a b", "c", "d"]);
}

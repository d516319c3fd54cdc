//! The documentation as a book (mdBook): its contents are written from the pages, and every link leads somewhere.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use crate::golden;

/// The pages that people read from front to back; the findings follow, a page each.
const PAGES: &[(&str, &str)] = &[
    ("Commands", "commands.md"),
    ("Exit codes", "exit-codes.md"),
    ("Settings of the Azure CLI", "azure-cli-settings.md"),
    ("Symptoms", "symptoms.md"),
    ("Fixes", "fixes.md"),
    ("Root causes", "root-causes.md"),
    ("The access model", "access-model.md"),
    ("Services", "services.md"),
    ("What if", "what-if.md"),
    ("Audit", "audit.md"),
    ("Compared with other audits", "compared-with-audits.md"),
    ("check-health", "check-health.md"),
    ("Compared with az acr check-health", "compared-with-check-health.md"),
    ("The extension of the Azure CLI", "az-extension.md"),
    ("Permissions", "permissions.md"),
    ("Requests", "requests.md"),
    ("Requests to ARM", "requests-arm.md"),
    ("Packaging", "packaging.md"),
    ("Dependencies", "dependencies.md"),
];

/// Pages of the documentation, relative to docs, without the contents themselves.
fn pages() -> BTreeSet<String> {
    let all = golden::files("docs", "md").into_iter().map(|path| path.trim_start_matches("docs/").to_owned());
    all.filter(|page| page != "SUMMARY.md").collect()
}

/// A page's first heading.
fn title(page: &str) -> String {
    let text = std::fs::read_to_string(golden::path(&format!("docs/{page}"))).unwrap();
    let heading = text.lines().find_map(|line| line.strip_prefix("# "));
    heading.unwrap_or_else(|| panic!("docs/{page} has no heading")).replace('`', "")
}

#[test]
fn the_contents_list_every_page_once() {
    let mut pages = pages();
    let mut contents = "<!-- Written by tests/suite/book.rs from the pages. -->\n# Summary\n\n".to_owned();
    let mut take = |page: &str| assert!(pages.remove(page), "{page} is not there, or is listed twice");
    take("README.md");
    contents += "[acr-doctor](README.md)\n\n";
    for (title, page) in PAGES {
        take(page);
        writeln!(contents, "- [{title}]({page})").unwrap();
    }
    take("findings/README.md");
    contents += "- [Findings](findings/README.md)\n";
    let findings: Vec<String> = pages.iter().filter(|page| page.starts_with("findings/")).cloned().collect();
    for page in findings {
        assert!(pages.remove(&page));
        writeln!(contents, "  - [{}]({page})", title(&page)).unwrap();
    }
    // A page that nobody has put in its place stands at the end, so that none is ever lost.
    for page in &pages {
        writeln!(contents, "- [{}]({page})", title(page)).unwrap();
    }
    golden::check("docs/SUMMARY.md", &contents);
}

/// The targets of a page's links, code blocks left out.
fn links(text: &str) -> Vec<String> {
    let mut fenced = false;
    let prose = text.lines().filter(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced
    });
    let targets =
        |line: &str| line.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect();
    prose.flat_map(|line| -> Vec<String> { targets(line) }).collect()
}

/// The headings of a page as mdBook and GitHub name them in links.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut all, part| {
        match part {
            Component::ParentDir => drop(all.pop()),
            Component::CurDir => {}
            other => all.push(other),
        }
        all
    })
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let mut wrong = Vec::new();
    let pages = pages().into_iter().map(|page| format!("docs/{page}"));
    let others = ["README.md", "CONTRIBUTING.md", "tests/lab/README.md", "docs/SUMMARY.md"].map(str::to_owned);
    for page in pages.chain(others) {
        let text = std::fs::read_to_string(golden::path(&page)).unwrap();
        for link in links(&text).iter().filter(|link| !link.starts_with("http")) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = if target.is_empty() {
                golden::path(&page)
            } else {
                plain(&golden::path(&page).parent().unwrap().join(target))
            };
            if !path.exists() {
                wrong.push(format!("{page}: {link} is not there"));
            } else if !anchor.is_empty() && !anchors(&std::fs::read_to_string(&path).unwrap()).contains(anchor) {
                wrong.push(format!("{page}: {link} names no heading"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_book_is_made_of_the_documentation() {
    let book: toml::Value = toml::from_str(&std::fs::read_to_string(golden::path("book.toml")).unwrap()).unwrap();
    assert_eq!(book["book"]["src"].as_str(), Some("docs"));
    assert_eq!(links("[a](b.md)\n```\n[c](d.md)\n```\n[e](f#g)"), ["b.md", "f#g"]);
}

/// mdBook itself reads every page and leaves none out.
#[test]
fn mdbook_makes_a_page_of_each() {
    let Some(mdbook) = crate::tools::rare_tool("mdbook") else { return };
    let book = crate::doctor::scratch("book");
    let mut build = std::process::Command::new(mdbook);
    let made = build.arg("build").arg("--dest-dir").arg(&book).current_dir(golden::root()).output().unwrap();
    let words = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success() && !words.contains("WARN") && !words.contains("ERROR"), "{words}");
    for page in pages() {
        let name = page.replace("README.md", "index.md").replace(".md", ".html");
        assert!(book.join(&name).is_file(), "{page} is in no page of the book");
    }
}

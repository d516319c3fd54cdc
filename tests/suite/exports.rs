//! Reports for other programs, opened by those: HTML in a browser, JUnit by a validator.

use std::path::Path;
use std::process::{Command, Output};

use crate::doctor::{run, scratch};
use crate::golden;
use crate::tools::tool;

/// Four registries of the examples, with findings of every kind and foreign text.
fn report(file: &Path) {
    let halves = |half: &str| -> Vec<String> {
        let names = ["client-ip-not-allowed", "data-endpoint-record-missing", "subnet-rule-missing", "tls-intercepted"];
        names.map(|name| format!("examples/{name}/{half}.json")).to_vec()
    };
    let (configs, probes) = (halves("config"), halves("probe"));
    let mut arguments = vec!["audit", "-o", "none", "--report", file.to_str().unwrap(), "--config-dir"];
    arguments.extend(configs.iter().map(String::as_str));
    arguments.push("--probe-dir");
    arguments.extend(probes.iter().map(String::as_str));
    let ran = run(&arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
}

/// Opens a page without a screen; whatever it would ask of the network fails.
fn browse(browser: &Path, directory: &Path, what: &str, page: &Path) -> Output {
    Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg(format!("--user-data-dir={}", directory.join("profile").display()))
        .arg(what)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap()
}

#[test]
fn a_browser_shows_the_html_as_it_was_written_and_prints_it() {
    let Some(browser) = tool(&["chromium", "chromium-browser", "google-chrome"]) else { return };
    let directory = scratch("html");
    let page = directory.join("report.html");
    report(&page);
    let written = std::fs::read_to_string(&page).unwrap();
    let shown = browse(&browser, &directory, "--dump-dom", &page);
    let (dom, words) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    // What is not well formed would be mended by the browser, and counted otherwise.
    for element in ["<article", "<tr>", "<td", "<h2>", "<h3>", "<pre>", "<li>", "<a ", "<div", "<code>"] {
        assert_eq!(dom.matches(element).count(), written.matches(element).count(), "{element}\n{words}");
    }
    assert!(dom.matches("<article").count() == 4, "{dom}\n{words}");
    assert!(!words.contains("CONSOLE"), "the page breaks its own policy or asks for something: {words}");
    let paper = directory.join("report.pdf");
    browse(&browser, &directory, &format!("--print-to-pdf={}", paper.display()), &page);
    let printed = std::fs::read(&paper).unwrap();
    assert!(printed.starts_with(b"%PDF-"));
    let pages = printed.windows(12).filter(|w| w.starts_with(b"/Type /Page") && w.last() != Some(&b's')).count();
    assert!((2..20).contains(&pages), "{pages} pages");
}

#[test]
fn junit_passes_the_strictest_readers_schema() {
    let Some(validator) = tool(&["xmllint"]) else { return };
    let directory = scratch("junit");
    let file = directory.join("report.xml");
    report(&file);
    let schema = golden::path("tests/schemas/junit-10.xsd");
    let valid = |file: &Path| {
        let ran = Command::new(&validator).arg("--noout").arg("--schema").arg(&schema).arg(file).output().unwrap();
        (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (passed, words) = valid(&file);
    assert!(passed, "{words}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("<failure") && text.contains("<system-out"));
    std::fs::write(&file, text.replacen("<testsuite ", "<testsuite nobody=\"knows\" ", 1)).unwrap();
    assert!(!valid(&file).0, "the validator refuses what is not in the schema");
}

//! The built binary: exit codes, formats, --query, colours, pipes.

use crate::doctor::{doctor, example, finish, golden, run, run_example, scratch};

const CASE: &str = "subnet-rule-missing";

#[test]
fn exit_codes_follow_fail_on() {
    assert_eq!(run_example(CASE, &[]).code, 1);
    assert_eq!(run_example(CASE, &["--fail-on", "never"]).code, 0);
    assert_eq!(run_example(CASE, &["--fail-on", "warning"]).code, 1);
}

#[test]
fn the_want_of_both_halves_is_no_diagnosis() {
    let ran = run(&["reconcile", "--config", "examples/subnet-rule-missing/config.json", "-o", "none"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "configuration alone is judged: {}", ran.stderr);
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    for arguments in [
        &["reconcile"][..],
        &["frobnicate"],
        &[],
        &["reconcile", "--config", "x", "-o", "xml"],
        &["reconcile", "--config", "x", "--fail-on", "sometimes"],
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
    }
    for arguments in [&["--help"][..], &["--version"], &["reconcile", "--help"]] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn queries_are_answered_as_az_answers_them() {
    let query = |query: &str, format: &str| {
        let ran = run_example(CASE, &["--query", query, "-o", format]);
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
        ran.stdout
    };
    assert_eq!(query("registries[0].verdict", "json"), "\"blocked\"\n");
    assert_eq!(query("registries[0].verdict", "tsv"), "blocked\n");
    assert_eq!(query("registries[].{verdict: verdict, name: name}", "tsv"), "blocked\tcontosoapps\n");
    assert_eq!(
        query("registries[].{verdict: verdict, name: name}", "table"),
        "Verdict    Name\n---------  -----------\nblocked    contosoapps\n"
    );
    assert_eq!(query("registries[].findings[?rootCause].code | []", "yaml"), "- vnet/subnet-rule-missing\n");
    assert_eq!(query("nothing.here", "tsv"), "");
    assert_eq!(query("nothing.here", "json"), "");
}

#[test]
fn a_bad_query_is_wrong_usage() {
    let ran = run_example(CASE, &["--query", "registries[?"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.starts_with("error: --query is not a JMESPath expression: "), "{}", ran.stderr);
    let ran = run_example(CASE, &["--query", "abs(kind)"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
}

#[test]
fn every_format_is_written() {
    for format in ["json", "jsonc", "yaml", "yamlc", "tsv", "table"] {
        let ran = run_example(CASE, &["-o", format]);
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{format}");
        assert!(ran.stdout.contains("vnet/subnet-rule-missing"), "{format}: {}", ran.stdout);
        assert!(!ran.stdout.contains('\u{1b}'), "{format} sends colours into a pipe");
    }
    assert_eq!(run_example(CASE, &["-o", "none"]).stdout, "");
}

#[test]
fn colours_follow_the_environment() {
    let arguments = example(CASE);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let coloured = |environment: &[(&str, &str)], more: &[&str]| {
        let mut command = doctor(&arguments);
        finish(command.args(more).envs(environment.iter().copied())).stdout.contains('\u{1b}')
    };
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &["-o", "jsonc"]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &["-o", "yamlc"]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["-o", "json"]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "0")], &[]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["--no-color"]));
    assert!(!coloured(&[], &[]));
}

#[test]
fn what_az_has_configured_stands_where_nothing_is_given() {
    let directory = scratch("az-config");
    std::fs::write(directory.join("config"), "[core]\noutput = tsv\n[defaults]\nacr = contoso.example\n").unwrap();
    let configured = |environment: &[(&str, &str)], more: &[&str]| {
        let arguments = example(CASE);
        let mut command = doctor(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        finish(command.args(more).env("AZURE_CONFIG_DIR", &directory).envs(environment.iter().copied()))
    };
    let tsv = run_example(CASE, &["-o", "tsv"]).stdout;
    assert_eq!(configured(&[], &[]).stdout, tsv);
    assert!(configured(&[("AZURE_CORE_OUTPUT", "json")], &[]).stdout.starts_with("{\n"));
    assert_eq!(configured(&[("AZURE_CORE_OUTPUT", "json")], &["-o", "tsv"]).stdout, tsv);
    let odd = configured(&[("AZURE_CORE_OUTPUT", "xml")], &[]);
    assert_eq!(odd.stdout, run_example(CASE, &[]).stdout, "as if nothing were configured");
    assert!(odd.stderr.contains("AZURE_CORE_OUTPUT has 'xml'"), "{}", odd.stderr);
    let silent = configured(&[("AZURE_CORE_OUTPUT", "xml"), ("AZURE_CORE_ONLY_SHOW_ERRORS", "true")], &[]);
    assert_eq!(silent.stderr, "");
    let words = example(CASE);
    let mut colourless = doctor(&words.iter().map(String::as_str).collect::<Vec<_>>());
    colourless.envs([("CLICOLOR_FORCE", "1"), ("AZURE_CORE_NO_COLOR", "yes")]);
    assert!(!finish(&mut colourless).stdout.contains('\u{1b}'));
}

#[test]
fn the_default_registry_is_the_one_that_is_looked_at() {
    // A name that cannot be a registry's ends the command before anything is asked.
    for command in ["check", "probe", "endpoints", "logs", "config"] {
        // Without any name `config` reads a subscription.
        if command != "config" {
            let bare = run(&[command]);
            assert_eq!(bare.code, 2, "{command}: {}", bare.stderr);
        }
        let ran = finish(doctor(&[command, "--verbose"]).env("AZURE_DEFAULTS_ACR", "not a registry"));
        assert_eq!(ran.code, 2, "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains("'not a registry'"), "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains("(AZURE_DEFAULTS_ACR)"), "{command} does not say where it is from: {}", ran.stderr);
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let arguments = example(CASE);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = doctor(&arguments).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn debug_says_nothing_on_standard_output() {
    let plain = run_example(CASE, &[]);
    let debug = run_example(CASE, &["--debug"]);
    assert_eq!(plain.stdout, debug.stdout);
}

#[test]
fn usage_errors_read_well() {
    let told: String =
        [&["reconcile", "--config"][..], &["reconcile", "--probe", "x.json", "--fail-on", "sometimes"], &["chekc"]]
            .map(|arguments| run(arguments).stderr)
            .join("---\n");
    golden("usage-errors", &told);
}

/// What `kubectl run` brings back from a node: the snapshot alone, on standard output.
#[cfg(unix)]
#[test]
fn a_snapshot_can_be_written_to_standard_output() {
    // The proxy would resolve the name, and nothing listens at its port: no packet leaves this machine.
    let words = ["probe", "contoso.invalid", "--proxy", "http://127.0.0.1:9", "--timeout", "0.5"];
    let more = ["--save", "/dev/stdout", "-o", "none", "--only-show-errors", "--fail-on", "never"];
    let ran = run(&[&words[..], &more[..]].concat());
    assert_eq!(ran.stderr, "");
    let snapshot = acr_doctor::facts::Snapshot::<acr_doctor::facts::ProbeFacts>::parse(ran.stdout.as_bytes()).unwrap();
    assert_eq!(snapshot.facts.login_server.as_str(), "contoso.invalid");
}

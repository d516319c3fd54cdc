//! Planted secrets appear in no output, at any verbosity. Everything that is sent goes to closed loopback ports.

use crate::doctor::{Ran, doctor, finish, run, scratch};

const CANARY: &str = "canary-7f3a91c2";

fn holds_nothing(ran: &Ran, what: &str) {
    for (name, text) in [("standard output", &ran.stdout), ("standard error", &ran.stderr)] {
        assert!(!text.contains(CANARY), "{what}: a secret stands on {name}:\n{text}");
    }
}

/// A probe whose names resolve nowhere and whose proxy is a closed port.
fn probe(proxy: &[&str], environment: &[(&str, &str)], more: &[&str]) -> Ran {
    let arguments = ["probe", "contoso.azurecr.io", "--dns-server", "127.0.0.1:1", "--timeout", "1", "--debug"];
    let mut command = doctor(&arguments);
    command.args(proxy).args(more).envs(environment.iter().copied());
    finish(&mut command)
}

#[test]
fn a_proxys_password_is_in_no_format_and_no_snapshot() {
    let url = format!("http://user:{CANARY}@127.0.0.1:1");
    let directory = scratch("secrets");
    let file = directory.join("probe.json");
    for format in ["table", "json", "yaml", "tsv"] {
        let more = ["-o", format, "--save", file.to_str().unwrap()];
        let by_flag = probe(&["--proxy", &url], &[], &more);
        holds_nothing(&by_flag, format);
        assert!(by_flag.stdout.contains("proxy"), "the proxy was used: {by_flag:?}");
        let saved = std::fs::read_to_string(&file).unwrap();
        assert!(saved.contains("127.0.0.1:1") && !saved.contains(CANARY), "{saved}");
        holds_nothing(&probe(&[], &[("HTTPS_PROXY", &url)], &more), format);
    }
}

#[test]
fn a_proxy_that_is_refused_is_not_repeated() {
    let ran = probe(&["--proxy", &format!("ftp://user:{CANARY}@127.0.0.1")], &[], &[]);
    assert_eq!(ran.code, 2);
    holds_nothing(&ran, "--proxy");
}

#[test]
fn credentials_in_the_environment_are_not_shown() {
    let environment = [("AZURE_CLIENT_SECRET", CANARY), ("AZURE_PASSWORD", CANARY), ("DOCKER_AUTH_CONFIG", CANARY)];
    holds_nothing(&probe(&["--proxy", "http://127.0.0.1:1"], &environment, &[]), "environment");
}

#[test]
fn a_damaged_snapshot_is_not_quoted() {
    let directory = scratch("secret-snapshot");
    let file = directory.join("x.json");
    std::fs::write(&file, format!("{{\"token\": \"{CANARY}\"}}")).unwrap();
    let ran = run(&["reconcile", "--probe", file.to_str().unwrap(), "--debug"]);
    assert_eq!(ran.code, 2);
    holds_nothing(&ran, "snapshot");
}

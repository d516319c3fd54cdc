//! No secret in any output: canaries are planted wherever a secret can come from, and everything printed or saved
//! is searched for them. All traffic stays on loopback: the name server and the proxy are this test's own.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use crate::doctor::{doctor, finish, scratch};

const CANARIES: [&str; 4] =
    ["canary-client-secret", "canary-proxy-password", "canary-docker-password", "canary-realm-token"];

/// A proxy that answers every CONNECT with 407; ends with the process.
fn refusing_proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0u8; 1];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"canary-realm-token\"\r\nContent-Length: 0\r\n\r\n";
            // The client may be gone already.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

/// A UDP port of loopback on which nobody answers, held so that nobody else can.
fn silent_name_server() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

fn all_text(directory: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        text.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    text
}

#[test]
fn no_secret_is_printed_logged_or_saved_at_any_verbosity() {
    let port = refusing_proxy();
    let (_held, dns) = silent_name_server();
    let proxy = format!("http://user:canary-proxy-password@127.0.0.1:{port}");
    let home = scratch("secrets-home");
    std::fs::create_dir_all(home.join(".docker")).unwrap();
    let credential = r#"{"auths":{"myregistry.azurecr.io":{"username":"u","password":"canary-docker-password","auth":"dTpjYW5hcnktZG9ja2VyLXBhc3N3b3Jk"}}}"#;
    std::fs::write(home.join(".docker/config.json"), credential).unwrap();
    for format in ["table", "json", "yaml", "tsv"] {
        let saved = scratch(&format!("secrets-{format}"));
        let save = saved.join("all.json").display().to_string();
        let arguments = [
            "check",
            "-n",
            "myregistry",
            "--debug",
            "--timeout",
            "2",
            "--dns-server",
            &dns,
            "--save",
            &save,
            "-o",
            format,
        ];
        for as_flag in [true, false] {
            let mut command = doctor(&arguments);
            command
                .env("HOME", &home)
                .env("AZURE_TENANT_ID", "72f988bf-86f1-41af-91ab-2d7cd011db47")
                .env("AZURE_CLIENT_ID", "11111111-1111-1111-1111-111111111111")
                .env("AZURE_CLIENT_SECRET", "canary-client-secret");
            if as_flag {
                command.args(["--proxy", &proxy])
            } else {
                command.env("HTTPS_PROXY", &proxy)
            };
            let ran = finish(&mut command);
            let everything = format!("{}{}{}", ran.stdout, ran.stderr, all_text(&saved));
            assert!(everything.contains("proxy"), "the proxy was not reached, so nothing was proved: {everything}");
            for canary in CANARIES {
                assert!(!everything.contains(canary), "{canary} in {format}: {everything}");
            }
            assert!(!everything.contains("dTpjYW5hcnktZG9ja2VyLXBhc3N3b3Jk"), "{everything}");
        }
    }
}

#[test]
fn a_proxy_url_that_cannot_be_read_is_not_repeated() {
    let ran = finish(&mut doctor(&["check", "-n", "myregistry", "--proxy", "ftp://u:canary-proxy-password@proxy"]));
    assert_eq!(ran.code, 2);
    assert!(!ran.stderr.contains("canary-proxy-password"), "{}", ran.stderr);
}

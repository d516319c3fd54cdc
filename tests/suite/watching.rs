//! What a person sees of a probe that takes its time: the ladder as it grows, and what Ctrl-C leaves.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::Value;

use crate::doctor::{doctor, run};

/// Answered for every name but those that hang; nothing listens there.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

/// A name server on loopback that answers [`NOWHERE`], and of names with `hangs` in them only tells us; its address.
fn name_server(hangs: &'static str) -> (String, Receiver<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let (asked, is_asked) = channel();
    std::thread::spawn(move || serve(&socket, hangs, &asked));
    (address, is_asked)
}

fn serve(socket: &UdpSocket, hangs: &str, asked: &Sender<()>) {
    let mut buffer = [0u8; 512];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let mut packet = buffer[..length].to_vec();
        if String::from_utf8_lossy(&packet).contains(hangs) {
            // Nobody listens where the test needs no such name.
            let _ = asked.send(());
            continue;
        }
        (packet[2], packet[3]) = (0x81, 0x80);
        let wants_ipv4 = packet[length - 3] == 1;
        if wants_ipv4 {
            packet[7] = 1;
            packet.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4]);
            packet.extend(NOWHERE.octets());
        }
        socket.send_to(&packet, from).unwrap();
    }
}

#[test]
fn ctrl_c_prints_what_is_known_and_nothing_else() {
    let (server, is_asked) = name_server("unanswered");
    let arguments =
        ["probe", "myreg.azurecr.io", "--endpoint", "myreg.unanswered.data.azurecr.io", "--dns-server", &server];
    let more = ["--timeout", "600", "--debug", "-o", "json"];
    let mut child = doctor(&[&arguments[..], &more].concat());
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    is_asked.recv().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let ended = |line: &String| line.contains("host=myreg.azurecr.io stage=\"tcp\" ended=Some(Failed)");
    assert!(log.any(|line| ended(&line)), "the login server's port was never tried");
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    // Whoever stops reading would stop the program from writing.
    let after: Vec<String> = log.collect();
    assert!(after.iter().any(|line| line.starts_with("interrupted")), "{after:?}");
    let mut report = String::new();
    child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let report: Value = serde_json::from_str(&report).unwrap();
    let codes: Vec<&str> =
        report["registries"][0]["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"network/refused"), "{codes:?}");
    let accused = report["registries"][0]["findings"].to_string().contains("unanswered");
    assert!(!accused, "nothing is known of the endpoint that was still being asked for: {codes:?}");
}

/// A probe that finds no name server, drawn for a terminal by `script` (util-linux).
#[test]
fn the_ladder_grows_on_a_terminal_only() {
    let (server, _asked) = name_server("azurecr");
    let arguments = ["probe", "myreg.azurecr.io", "--dns-server", &server, "--timeout", "1", "-o", "none"];
    let piped = run(&arguments);
    assert_eq!((piped.stdout.as_str(), piped.stderr.as_str()), ("", ""));
    let command = format!("{} {}", env!("CARGO_BIN_EXE_acr-doctor"), arguments.join(" "));
    let typescript = |more: &str| {
        let mut script = Command::new("script");
        script.args(["--quiet", "--command", &format!("{command}{more}"), "/dev/null"]).env_remove("NO_COLOR");
        let output = script.env("TERM", "xterm").stdin(Stdio::null()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let drawn = typescript("");
    assert!(drawn.contains("myreg.azurecr.io  dns"), "{drawn:?}");
    assert_eq!(typescript(" --only-show-errors"), "");
}

//! HTTP/1.1 on loopback, a thread a connection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::World;

#[derive(Default)]
struct Counts {
    requests: Mutex<BTreeMap<String, usize>>,
    served: AtomicUsize,
    faults: AtomicUsize,
}

pub(crate) struct Server {
    address: String,
    counts: Arc<Counts>,
}

/// Answers each request after the latency; from the request of this number on nothing is answered any more.
pub(crate) fn start(world: Arc<World>, latency: Duration, silent_from: usize) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let counts: Arc<Counts> = Arc::default();
    let shared = Arc::clone(&counts);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (world, counts) = (Arc::clone(&world), Arc::clone(&shared));
            std::thread::spawn(move || serve(stream, &world, latency, silent_from, &counts));
        }
    });
    Server { address, counts }
}

impl Server {
    pub(crate) fn cloud(&self) -> String {
        let arm = format!("http://{}/", self.address);
        json!({ "name": "Loopback", "resourceManager": arm, "resourceManagerAudience": arm, "authority": arm,
            "registrySuffix": "azurecr.io", "dataEndpointSuffix": "data.azurecr.io",
            "privateZone": "privatelink.azurecr.io", "blobSuffix": "blob.core.windows.net", "logAnalytics": arm })
        .to_string()
    }

    pub(crate) fn identity(&self) -> String {
        format!("http://{}/identity", self.address)
    }

    /// How often each kind of thing was asked for.
    pub(crate) fn requests(&self) -> BTreeMap<String, usize> {
        self.counts.requests.lock().expect("nobody panicked").clone()
    }

    /// Requests that came, answered or not.
    pub(crate) fn served(&self) -> usize {
        self.counts.served.load(Ordering::SeqCst)
    }

    pub(crate) fn faults(&self) -> usize {
        self.counts.faults.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, world: &World, latency: Duration, silent_from: usize, counts: &Counts) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).ok()? == 0 {
            return None;
        }
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let target = first.split_whitespace().nth(1)?;
        let path = target.split('?').next()?;
        std::thread::sleep(latency);
        if first.starts_with("HEAD ") {
            // No body: it would be taken for the answer to what is asked next on this connection.
            send(&mut writer, 404, "", b"", false)?;
            continue;
        }
        if path == "/identity" {
            let token = json!({ "access_token": "loopback", "expires_on": "4102444800", "resource": "x", "token_type": "Bearer" });
            send(&mut writer, 200, "", token.to_string().as_bytes(), false)?;
            continue;
        }
        let (what, status, answer) = world.answer(path, &serde_json::from_slice(&body).unwrap_or(Value::Null));
        *counts.requests.lock().expect("nobody panicked").entry(what.to_owned()).or_default() += 1;
        let served = counts.served.fetch_add(1, Ordering::SeqCst);
        if served >= silent_from {
            // The other side goes away at some time.
            return reader.read(&mut [0]).ok().map(drop);
        }
        if world.is_faulty(served) {
            let kind = counts.faults.fetch_add(1, Ordering::SeqCst) % 3;
            match kind {
                0 => send(&mut writer, 429, "Retry-After: 1\r\n", b"{}", false)?,
                1 => send(&mut writer, 503, "", b"{}", false)?,
                _ => return send(&mut writer, status, "", &answer, true),
            }
            continue;
        }
        send(&mut writer, status, "", &answer, false)?;
    }
}

fn send(writer: &mut TcpStream, status: u16, headers: &str, body: &[u8], cut: bool) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    writer.write_all(head.as_bytes()).ok()?;
    writer.write_all(&body[..if cut { body.len() / 2 } else { body.len() }]).ok()
}

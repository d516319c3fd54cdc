//! A small ARM on loopback, for tests of the transport and of whole reads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use url::Url;

use crate::facts::Cloud;

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Path and query, decoded as far as tests need it.
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
    pub(crate) fn version(&self) -> &str {
        self.target.split("api-version=").nth(1).unwrap_or_default().split('&').next().unwrap_or_default()
    }
}

/// What goes out.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Promise this many bytes more than are sent, then close.
    pub(crate) cut: usize,
}

impl Reply {
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type", "application/json".to_owned())], body: body.into(), cut: 0 }
    }
    pub(crate) fn ok(body: &serde_json::Value) -> Self {
        Self::json(200, body.to_string())
    }
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::ok(&serde_json::json!({ "error": { "code": code, "message": message } })).with_status(status)
    }
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Answer = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// The server; it ends with the test's runtime.
pub(crate) struct FakeArm {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeArm {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, answer).await
    }

    /// One that answers in rounds: only when the client has no more to ask before it has an answer, all that is asked
    /// is answered. The number of rounds is that of sequential round trips. The test's runtime has one thread.
    pub(crate) async fn start_in_rounds(
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> (Self, Arc<AtomicUsize>) {
        let (waiting, rounds): (Waiting, Arc<AtomicUsize>) = Default::default();
        tokio::spawn(release(Arc::clone(&waiting), Arc::clone(&rounds)));
        (Self::start_with(Some(waiting), answer).await, rounds)
    }

    async fn start_with(waiting: Option<Waiting>, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, answer): (_, Answer) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, waiting.clone(), Arc::clone(&log), Arc::clone(&answer)));
            }
        });
        Self { url, asked }
    }

    /// A cloud whose ARM this is.
    pub(crate) fn cloud(&self) -> Cloud {
        Cloud { resource_manager: self.url.clone(), ..Cloud::public() }
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers that wait for their round.
type Waiting = Arc<Mutex<Vec<oneshot::Sender<()>>>>;

/// How long nothing may come in before a round ends. A round is what is asked before any of it is answered, and only the
/// client knows when it has no more to ask; loopback itself takes milliseconds where the machine is busy.
const QUIET: Duration = Duration::from_millis(50);

/// Ends a round when nothing more came in for a while.
async fn release(waiting: Waiting, rounds: Arc<AtomicUsize>) {
    loop {
        let (mut before, mut now) = (0, 0);
        while now == 0 || now != before {
            before = now;
            tokio::time::sleep(QUIET).await;
            now = waiting.lock().unwrap().len();
        }
        rounds.fetch_add(1, Ordering::Relaxed);
        for answer in waiting.lock().unwrap().drain(..) {
            let _ = answer.send(());
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    waiting: Option<Waiting>,
    log: Arc<Mutex<Vec<Asked>>>,
    answer: Answer,
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|l| l.split_once(':'));
            lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned())
        };
        let authorization = header("authorization");
        let length: usize = header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        while buffer.len() < end + 4 + length {
            stream.read_buf(&mut buffer).await.ok()?;
        }
        let body = buffer.drain(..end + 4 + length).skip(end + 4).collect();
        let mut words = head.split_whitespace();
        // Made ahead of the sign-in: a connection, and no question.
        if head.starts_with("HEAD / ") {
            stream.write_all(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n").await.ok()?;
            continue;
        }
        let asked = Asked { target: words.nth(1)?.replace("%24", "$"), authorization, body };
        log.lock().unwrap().push(asked.clone());
        let reply = answer(&asked);
        if let Some(waiting) = &waiting {
            let (go, round) = oneshot::channel();
            waiting.lock().unwrap().push(go);
            let _ = round.await;
        }
        let mut text = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", reply.status, reply.body.len() + reply.cut);
        for (name, value) in &reply.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        stream.write_all(text.as_bytes()).await.ok()?;
        stream.write_all(b"\r\n").await.ok()?;
        stream.write_all(&reply.body).await.ok()?;
        if reply.cut > 0 {
            return None;
        }
    }
}

//! HTTP/1.1 as far as the laboratory needs it: requests with a length, answers with a length or an odd end.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A request as the laboratory's services see it.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, `CONNECT`…
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The raw query, or nothing.
    pub query: String,
    /// Header names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// Where it came from.
    pub source: IpAddr,
    /// The address that it was sent to.
    pub destination: IpAddr,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// Properly.
    #[default]
    Whole,
    /// The connection closes before anything is said.
    Cut,
    /// Nothing is ever said.
    Hang,
    /// The body never ends.
    Endless,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers besides the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How it ends.
    pub ending: Ending,
}

impl Request {
    /// The host that was asked, without a port.
    pub fn host(&self) -> String {
        let host = self.headers.get("host").map_or("", String::as_str);
        host.split(':').next().unwrap_or_default().to_ascii_lowercase()
    }

    /// A decoded parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        pair(self.query.as_bytes(), name)
    }

    /// A decoded field of a form.
    pub fn field(&self, name: &str) -> Option<String> {
        pair(&self.body, name)
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        let value = self.headers.get("authorization")?;
        value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer "))
    }
}

fn pair(form: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(form)
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
}

impl Response {
    /// An answer with a body of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), ending: Ending::Whole }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    /// An answer with nothing but an ending.
    pub fn ending(ending: Ending) -> Self {
        Self { status: 200, ending, ..Self::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// Reads one request; `None` when the client closed instead.
pub async fn read_request<S: AsyncRead + Unpin>(
    stream: &mut S,
    source: IpAddr,
    destination: IpAddr,
) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    let mut byte = [0u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 65_536 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head has no end"));
        }
        if stream.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        head.extend_from_slice(&byte);
        if head.len() == 1 && !byte.iter().all(u8::is_ascii_uppercase) {
            // A TLS ClientHello, say: hung up on at once, as plain servers and proxies do.
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not HTTP"));
        }
    }
    let text = String::from_utf8_lossy(&head);
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let method = first.next().unwrap_or_default().to_owned();
    let target = first.next().unwrap_or_default().to_owned();
    if first.next().is_none_or(|version| !version.starts_with("HTTP/1")) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not HTTP"));
    }
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|l| l.parse::<usize>().ok()).unwrap_or(0);
    let mut body = vec![0u8; length.min(1 << 20)];
    stream.read_exact(&mut body).await?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Ok(Some(Request { method, path: path.to_owned(), query: query.to_owned(), headers, body, source, destination }))
}

/// Writes an answer; `false` when the connection is over.
pub async fn write_response<S: AsyncWrite + Unpin>(
    stream: &mut S,
    response: &Response,
    head_only: bool,
) -> io::Result<bool> {
    match response.ending {
        Ending::Cut => return Ok(false),
        Ending::Hang => std::future::pending().await,
        Ending::Whole | Ending::Endless => {}
    }
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if response.ending == Ending::Endless {
        head.push_str("transfer-encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let chunk = [b"2000\r\n".as_slice(), &[b' '; 0x2000], b"\r\n"].concat();
        loop {
            stream.write_all(&chunk).await?;
        }
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", response.body.len()));
    stream.write_all(head.as_bytes()).await?;
    if !head_only {
        stream.write_all(&response.body).await?;
    }
    stream.flush().await?;
    Ok(true)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

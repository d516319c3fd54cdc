//! HTTP/1.1 over a connection that we opened, so that the very connection is what is observed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant as Deadline, timeout_at};

use super::answer;
use super::resolve::millis;
use crate::facts::Fqdn;
use crate::facts::http::{HttpObservation, HttpOutcome};
use crate::facts::timings::{StepKind, step};

/// The most that is read of a body: 1 MiB.
pub const MAX_BODY: usize = 1024 * 1024;
/// How long a body may dawdle after its headers.
const BODY_PATIENCE: Duration = Duration::from_secs(3);

/// An open HTTP connection to one endpoint.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: Fqdn,
}

/// A request. Bodies and headers may hold secrets; only method and path are ever shown.
pub struct Ask {
    /// The method.
    pub method: Method,
    /// Path and query; the query may be a credential.
    pub target: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Ask {
    /// `GET target`.
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: Method::GET, target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// `POST target` with a form.
    pub fn form(target: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        Self { method: Method::POST, target: target.into(), headers, body: body.into_bytes() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An answer as it came, for the steps that need more than the observation.
pub struct Raw {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`MAX_BODY`].
    pub body: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

impl Connection {
    /// Takes over a stream.
    pub async fn open<S>(stream: S, host: &Fqdn) -> Option<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        // Ends with the stream; its error is seen by the request that it breaks.
        tokio::spawn(async move { drop(connection.await) });
        Some(Self { sender, host: host.clone() })
    }

    /// Sends a request and reads its answer, both bounded.
    pub async fn send(&mut self, ask: Ask, deadline: Deadline) -> (HttpObservation, Option<Raw>) {
        let started = Instant::now();
        let path = ask.target.split('?').next().unwrap_or_default().to_owned();
        let mut observation =
            HttpObservation { method: ask.method.to_string(), path, outcome: HttpOutcome::TimedOut, ms: 0.0 };
        let Some(request) = self.request(ask) else {
            observation.outcome = HttpOutcome::Malformed("the request cannot be written".to_owned());
            return (observation, None);
        };
        let _measured =
            step(StepKind::Http, self.host.as_str(), &format!("{} {}", observation.method, observation.path));
        // The connection's task may still be at the end of the last answer: a request sent too early is refused unsent.
        let sent = timeout_at(deadline, async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        })
        .await;
        observation.ms = millis(started);
        let response = match sent {
            Err(_) => return (observation, None),
            Ok(Err(error)) => {
                observation.outcome = outcome_of(&error);
                return (observation, None);
            }
            Ok(Ok(response)) => response,
        };
        let (head, mut body) = response.into_parts();
        let mut raw = Raw { status: head.status, headers: head.headers, body: Vec::new(), truncated: false };
        let patience = deadline.max(Deadline::now() + Duration::from_millis(200)).min(Deadline::now() + BODY_PATIENCE);
        // A body cut off or too slow is truncated, not lost: what came is evidence.
        raw.truncated = timeout_at(patience, async {
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return true };
                let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
                let room = MAX_BODY - raw.body.len();
                raw.body.extend_from_slice(data.get(..data.len().min(room)).unwrap_or_default());
                if data.len() > room {
                    return true;
                }
            }
            false
        })
        .await
        .unwrap_or(true);
        observation.outcome = HttpOutcome::Answered(answer::read(&raw));
        (observation, Some(raw))
    }

    fn request(&self, ask: Ask) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.target)
            .header("host", self.host.as_str())
            .header("user-agent", concat!("acr-doctor/", env!("CARGO_PKG_VERSION")))
            // Uncompressed: nothing can blow up while it is read.
            .header("accept-encoding", "identity");
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(ask.body))).ok()
    }
}

fn outcome_of(error: &hyper::Error) -> HttpOutcome {
    if error.is_parse() || error.is_parse_status() {
        HttpOutcome::Malformed("the answer is not HTTP".to_owned())
    } else {
        HttpOutcome::Closed
    }
}

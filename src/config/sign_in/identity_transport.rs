//! `azure_identity`'s requests over our own client, so that sign-in honours `--ca-file` and `--proxy`.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, Request, StatusCode};

use super::Session;
use crate::config::http::{BodyFailure, bounded_body, phrase};
use crate::config::read_error::printable;

/// A token answer is a few kilobytes.
const TOKEN_ANSWER_LIMIT: usize = 1 << 20;

/// The transport of one credential, which remembers why its last request failed: `azure_identity`'s own error keeps
/// neither the difference between "refused" and "not reached" nor, for answers that are not JSON, any reason at all.
pub(super) struct IdentityTransport {
    session: Session,
    reason: Mutex<Option<String>>,
}

impl std::fmt::Debug for IdentityTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityTransport")
    }
}

impl IdentityTransport {
    pub(super) fn new(session: Session) -> Self {
        Self { session, reason: Mutex::default() }
    }

    /// Why the last request failed, if it did.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn failed(&self, kind: ErrorKind, reason: String) -> azure_core::Error {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
        azure_core::Error::with_message(kind, reason)
    }

    async fn exchange(&self, request: &Request) -> azure_core::Result<(StatusCode, Headers, bytes::Bytes)> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let unreachable =
            |why: String| self.failed(ErrorKind::Io, format!("the authority {host} cannot be reached: {why}"));
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(format!("the authority {host} did not answer in time"));
        let clients = self.session.clients().await.map_err(|why| self.failed(ErrorKind::Other, why))?;
        let method = if request.method() == Method::Post { reqwest::Method::POST } else { reqwest::Method::GET };
        let mut outgoing = clients.for_url(request.url()).request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        if let Body::Bytes(bytes) = request.body().clone() {
            outgoing = outgoing.body(bytes);
        }
        let response = outgoing.send().await.map_err(|e| unreachable(phrase(e)))?;
        let status = response.status().as_u16();
        let mut headers = Headers::new();
        for (name, value) in response.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(HeaderName::from(name.as_str().to_owned()), HeaderValue::from(value.to_owned()));
            }
        }
        let body = bounded_body(response, TOKEN_ANSWER_LIMIT).await.map_err(|failure| match failure {
            BodyFailure::TooLarge => self.failed(ErrorKind::Io, format!("{host} answered with more than a token")),
            BodyFailure::Cut(why) => unreachable(why),
        })?;
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = refusal(&host, status, &body);
        Ok((StatusCode::from(status), headers, body))
    }
}

/// The reason in an answer that gives no token.
fn refusal(host: &str, status: u16, body: &[u8]) -> Option<String> {
    let document = serde_json::from_slice::<serde_json::Value>(body).ok();
    let text = |name: &str| document.as_ref().and_then(|d| d.get(name)).and_then(serde_json::Value::as_str);
    if (200..300).contains(&status) {
        let complaint =
            format!("{host} answered HTTP {status} without a token (a proxy or a captive portal may stand between)");
        return text("access_token").is_none().then_some(complaint);
    }
    let words = text("error_description").or_else(|| text("message")).or_else(|| text("error"));
    Some(match words {
        // "AADSTS7000215: Invalid client secret provided. … Trace ID: … Correlation ID: … Timestamp: …"
        Some(words) => {
            let words = words.split("Trace ID:").next().unwrap_or(words);
            format!("refused by {host}: {}", printable(words, 400))
        }
        None => format!("{host} answered HTTP {status} and nothing that Microsoft Entra ID says"),
    })
}

#[async_trait]
impl HttpClient for IdentityTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, headers, body) = self.exchange(request).await?;
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_apart_from_a_stranger() {
        let entra = br#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1\r\n"}"#;
        assert_eq!(
            refusal("login.example", 401, entra).unwrap(),
            "refused by login.example: AADSTS7000215: Invalid client secret provided."
        );
        assert!(refusal("login.example", 503, b"<html>").unwrap().contains("HTTP 503"));
        assert!(refusal("login.example", 200, b"<html>").unwrap().contains("captive portal"));
        assert_eq!(refusal("login.example", 200, br#"{"access_token":"t"}"#), None);
    }
}

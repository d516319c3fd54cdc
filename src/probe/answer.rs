//! What an HTTP answer says: challenge, errors, the address that the registry saw, signs of middleboxes.

use std::net::IpAddr;

use hyper::HeaderMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;

use super::excerpt;
use super::exchange::Raw;
use crate::facts::Fqdn;
use crate::facts::http::{Challenge, HttpAnswer, RegistryError};

/// Headers that middleboxes add.
const MIDDLEBOX_HEADERS: &[&str] = &[
    "via",
    "x-cache",
    "x-squid-error",
    "proxy-connection",
    "x-bluecoat-via",
    "x-zscaler-transaction-id",
    "x-fw-server",
    "x-iinfo",
    "x-forcepoint-error",
];

/// Reads an answer.
pub fn read(raw: &Raw) -> HttpAnswer {
    let errors = errors(&raw.body);
    let text = |name: &str| header(&raw.headers, name).map(|v| excerpt::line(&v));
    let is_registry = text("docker-distribution-api-version").is_some_and(|v| v.starts_with("registry/2"));
    let denied_client = (raw.status == 403).then(|| errors.iter().find_map(|e| denied_client(&e.message))).flatten();
    HttpAnswer {
        status: raw.status.as_u16(),
        server: text("server"),
        content_type: text("content-type").map(|t| t.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()),
        is_registry,
        challenge: challenge(&raw.headers),
        denied_client,
        redirect_host: redirect(raw).and_then(|url| url.host_str()?.parse().ok()),
        retry_after_seconds: text("retry-after").and_then(|v| v.trim().parse().ok()),
        date: header(&raw.headers, "date").and_then(|v| http_date(&v)),
        middlebox_headers: middlebox(&raw.headers),
        correlation_id: text("x-ms-correlation-request-id").or_else(|| text("x-ms-request-id")),
        excerpt: (errors.is_empty() && raw.status != 200 || !is_registry && !raw.body.is_empty() && errors.is_empty())
            .then(|| excerpt::of_body(&raw.body))
            .filter(|e| !e.is_empty() && !looks_secret(e)),
        errors,
        truncated: raw.truncated,
    }
}

/// A body that may be a token answer is never excerpted.
fn looks_secret(text: &str) -> bool {
    text.contains("token") || text.contains("sig=") || text.contains("eyJ")
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
}

/// Where the answer sends on to. The URL's query is a credential.
pub fn redirect(raw: &Raw) -> Option<Url> {
    raw.status.is_redirection().then(|| header(&raw.headers, "location")).flatten().and_then(|l| Url::parse(&l).ok())
}

/// An HTTP date (RFC 9110, section 5.6.7; RFC 2822 with `GMT`).
pub fn http_date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(&text.trim().replace("GMT", "+0000"), &Rfc2822).ok()
}

fn middlebox(headers: &HeaderMap) -> Vec<String> {
    MIDDLEBOX_HEADERS
        .iter()
        .filter_map(|name| Some(format!("{name}: {}", excerpt::line(&header(headers, name)?))))
        .collect()
}

fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let all: Vec<String> = headers
        .get_all("www-authenticate")
        .iter()
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
        .collect();
    let bearer = all.iter().find(|v| v.trim_start().to_ascii_lowercase().starts_with("bearer"));
    bearer.or(all.first()).map(|text| parse_challenge(text))
}

/// `Bearer realm="…",service="…"`, quoted or not, in any order.
pub fn parse_challenge(text: &str) -> Challenge {
    let text = text.trim();
    let (scheme, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut challenge = Challenge { scheme: excerpt::line(scheme), realm: None, service: None };
    let mut rest = rest.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, remaining) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        let value = Some(excerpt::line(value)).filter(|v| !v.is_empty());
        match name.trim().to_ascii_lowercase().as_str() {
            "realm" => challenge.realm = value,
            "service" => challenge.service = value,
            _ => {}
        }
        rest = remaining.trim_start_matches([',', ' ', '\t']);
    }
    challenge
}

/// The errors of a body: OCI `errors[]`, OAuth2 `error`, or a storage service's XML.
pub fn errors(body: &[u8]) -> Vec<RegistryError> {
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) {
        let list = json.get("errors").and_then(|e| e.as_array()).map(Vec::as_slice).unwrap_or_default();
        let mut errors: Vec<RegistryError> = list
            .iter()
            .take(8)
            .filter_map(|e| Some(RegistryError { code: excerpt::line(e.get("code")?.as_str()?), message: message(e) }))
            .collect();
        match json.get("error") {
            Some(serde_json::Value::String(code)) => {
                let words = json.get("error_description").and_then(|m| m.as_str()).unwrap_or_default();
                errors.push(RegistryError { code: excerpt::line(code), message: excerpt::line(words) });
            }
            Some(error) => {
                if let Some(code) = error.get("code").and_then(|c| c.as_str()) {
                    errors.push(RegistryError { code: excerpt::line(code), message: message(error) });
                }
            }
            None => {}
        }
        return errors;
    }
    storage_error(&String::from_utf8_lossy(body.get(..body.len().min(8192)).unwrap_or_default())).into_iter().collect()
}

fn message(error: &serde_json::Value) -> String {
    excerpt::line(error.get("message").and_then(|m| m.as_str()).unwrap_or_default())
}

/// `<Error><Code>…</Code><Message>…</Message></Error>` of blob storage.
fn storage_error(text: &str) -> Option<RegistryError> {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(excerpt::line(rest.split_once(&format!("</{name}>"))?.0))
    };
    text.contains("<Error>")
        .then(|| Some(RegistryError { code: element("Code")?, message: element("Message").unwrap_or_default() }))?
}

/// "client with IP 'A' is not allowed access": the address that the registry saw.
pub fn denied_client(message: &str) -> Option<IpAddr> {
    let (_, rest) = message.split_once("client with IP")?;
    let address: String = rest
        .chars()
        .skip_while(|c| !c.is_ascii_hexdigit())
        .take_while(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':'))
        .collect();
    address.parse().ok()
}

/// Whether a host is one that the registry may send blobs to.
pub fn host_of(url: &Url) -> Option<Fqdn> {
    url.host_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_refusal_names_the_client() {
        let body = br#"{"errors":[{"code":"DENIED","message":"client with IP \u0027203.0.113.7\u0027 is not allowed access. Refer https://aka.ms/acr/firewall to grant access."}]}"#;
        let errors = errors(body);
        assert_eq!(errors[0].code, "DENIED");
        assert_eq!(denied_client(&errors[0].message), Some("203.0.113.7".parse().unwrap()));
        assert_eq!(denied_client("client with IP '' is not allowed"), None);
    }

    #[test]
    fn a_challenge_is_read_in_any_order() {
        let c = parse_challenge(r#"Bearer service="r.azurecr.io", realm="https://r.azurecr.io/oauth2/token",scope=x"#);
        assert_eq!((c.scheme.as_str(), c.service.as_deref()), ("Bearer", Some("r.azurecr.io")));
        assert_eq!(c.realm.as_deref(), Some("https://r.azurecr.io/oauth2/token"));
    }

    #[test]
    fn storage_errors_are_xml() {
        let errors = errors(b"<?xml version=\"1.0\"?><Error><Code>AuthorizationFailure</Code><Message>This request is not authorized</Message></Error>");
        assert_eq!(errors[0].code, "AuthorizationFailure");
    }

    #[test]
    fn http_dates_are_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().unix_timestamp(), 784_111_777);
    }

    proptest::proptest! {
        #[test]
        fn no_body_and_no_challenge_panics(body: Vec<u8>, text: String) {
            let _ = errors(&body);
            let _ = parse_challenge(&text);
            let _ = denied_client(&text);
            let _ = excerpt::of_body(&body);
        }
    }
}

//! A read from ARM that did not succeed, and what it means for the facts.

use serde_json::Value;

use crate::facts::config::{FailedRead, ReadFailure};
use crate::facts::{Known, Unknown, Unrecognised};

/// Why a read did not succeed. Cloned into every fact that depended on it; boxed, for it is larger than most answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadError(Box<Details>);

impl std::ops::Deref for ReadError {
    type Target = Details;
    fn deref(&self) -> &Details {
        &self.0
    }
}

/// What is known of a read that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    /// The path that was asked for, without the query.
    pub(crate) resource: String,
    pub(crate) failure: ReadFailure,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) action: Option<String>,
    pub(crate) scope: Option<String>,
    /// The API versions that ARM listed when it refused ours.
    pub(crate) versions: Vec<String>,
    /// What else the body said: details, target, additionalInfo.
    pub(crate) rest: Unrecognised,
}

impl ReadError {
    /// A failure without an answer of ARM's own.
    pub(crate) fn new(resource: &str, failure: ReadFailure, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            resource: resource.to_owned(),
            failure,
            status: None,
            code: None,
            message: message.into(),
            action: None,
            scope: None,
            versions: Vec::new(),
            rest: Unrecognised::new(),
        }))
    }

    /// An answer with a status that is no success.
    pub(crate) fn from_answer(resource: &str, status: u16, body: &[u8]) -> Self {
        let (code, message, rest) = envelope(body);
        let versions = supported_versions(code.as_deref(), &message);
        let failure = match status {
            401 => ReadFailure::Unauthorized,
            403 => ReadFailure::Forbidden,
            404 => ReadFailure::NotFound,
            429 => ReadFailure::Throttled,
            400 if is_version_refusal(code.as_deref()) => ReadFailure::ApiVersion,
            500.. => ReadFailure::ServerError,
            _ => ReadFailure::Malformed,
        };
        let (mut action, mut scope) = (None, None);
        if failure == ReadFailure::Forbidden {
            action = between(&message, "perform action '", "'").map(str::to_owned).or_else(|| action_of(resource));
            scope = between(&message, "over scope '", "'").map(str::to_owned).or_else(|| Some(resource.to_owned()));
        }
        let message = if message.is_empty() { format!("HTTP {status}") } else { message };
        let status = Some(status);
        let resource = resource.to_owned();
        Self(Box::new(Details { resource, failure, status, code, message, action, scope, versions, rest }))
    }

    /// The same, with the right that a refusal of another service than ARM means.
    pub(crate) fn needing(mut self, action: &str) -> Self {
        if self.0.failure == ReadFailure::Forbidden {
            self.0.action = Some(action.to_owned());
        }
        self
    }

    /// Whether the body had a detail with this code: an envelope's own code may be as bare as `BadRequest`.
    pub(crate) fn has_detail(&self, code: &str) -> bool {
        let details = self.rest.get("details").and_then(Value::as_array).into_iter().flatten();
        details.filter_map(|detail| detail.get("code")?.as_str()).any(|c| c.eq_ignore_ascii_case(code))
    }

    /// Whether ARM said that the thing is not there (as opposed to the subscription or the provider).
    pub(crate) fn is_absence(&self) -> bool {
        self.failure == ReadFailure::NotFound && !self.is_missing_subscription()
    }

    /// Whether ARM said that the subscription is not there for this identity, or is disabled.
    pub(crate) fn is_missing_subscription(&self) -> bool {
        let codes =
            ["SubscriptionNotFound", "InvalidSubscriptionId", "ReadOnlyDisabledSubscription", "DisabledSubscription"];
        self.code.as_deref().is_some_and(|code| codes.iter().any(|c| c.eq_ignore_ascii_case(code)))
    }

    /// The reason as a fact's: `403 AuthorizationFailed`, and the right that is missing.
    pub(crate) fn unknown(&self) -> Unknown {
        let why = match (self.status, &self.code) {
            (Some(status), Some(code)) => format!("{status} {code}"),
            (Some(status), None) => format!("HTTP {status}"),
            (None, _) => self.message.clone(),
        };
        Unknown { why, needs: self.action.clone() }
    }

    /// The fact that this read would have given.
    pub(crate) fn known<T>(&self) -> Known<T> {
        Known::Unknown(self.unknown())
    }

    /// The entry of the report's list.
    pub(crate) fn failed_read(&self, what: impl Into<String>) -> FailedRead {
        FailedRead {
            what: what.into(),
            resource: self.resource.clone(),
            failure: self.failure.clone(),
            status: self.status,
            code: self.code.clone(),
            message: self.message.clone(),
            action: self.action.clone(),
            scope: self.scope.clone(),
            unrecognised: self.rest.clone(),
        }
    }
}

/// More than this of an error body, besides code and message, helps nobody.
const MOST_OF_THE_REST: usize = 8 << 10;

/// Code, message and the rest of an error body: ARM's envelope, or a provider's own flat one in either case.
fn envelope(body: &[u8]) -> (Option<String>, String, Unrecognised) {
    let Ok(document) = serde_json::from_slice::<Value>(body) else {
        return (None, String::new(), Unrecognised::new());
    };
    let inner = document.get("error").or_else(|| document.get("Error")).unwrap_or(&document);
    let text = |names: [&str; 2]| names.iter().find_map(|n| inner.get(*n)).and_then(Value::as_str);
    let code = text(["code", "Code"]).map(|c| printable(c, 100));
    let message = text(["message", "Message"]).map(|m| printable(m, 2000)).unwrap_or_default();
    let rest = super::wire::rest(inner, &["code", "Code", "message", "Message"]);
    let short = serde_json::to_string(&rest).is_ok_and(|text| text.len() <= MOST_OF_THE_REST);
    (code, message, if short { rest } else { Unrecognised::new() })
}

/// Foreign text without control characters, at most `most` characters of it.
pub(crate) fn printable(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect::<String>().trim().to_owned()
}

fn is_version_refusal(code: Option<&str>) -> bool {
    let codes =
        ["NoRegisteredProviderFound", "InvalidResourceType", "InvalidApiVersionParameter", "UnsupportedApiVersion"];
    code.is_some_and(|code| codes.iter().any(|c| c.eq_ignore_ascii_case(code)))
}

fn supported_versions(code: Option<&str>, message: &str) -> Vec<String> {
    if !is_version_refusal(code) {
        return Vec::new();
    }
    // "The supported api-versions are '…'", "The supported versions are '…'."
    let Some((_, rest)) = message.split_once("supported ") else { return Vec::new() };
    let listed = between(rest, "'", "'").unwrap_or_default();
    let dated = |v: &&str| v.len() >= 10 && v.as_bytes().iter().take(4).all(u8::is_ascii_digit);
    listed.split([',', ' ']).filter(dated).map(str::to_owned).collect()
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

/// The action that a GET of this path needs, by ARM's naming rule; used where ARM does not say.
pub(crate) fn action_of(path: &str) -> Option<String> {
    let lower = path.to_ascii_lowercase();
    if lower == "/subscriptions" || lower == "/subscriptions/" {
        return Some("Microsoft.Resources/subscriptions/read".to_owned());
    }
    let start = lower.rfind("/providers/")? + "/providers/".len();
    let segments: Vec<&str> = path.get(start..)?.split('/').filter(|s| !s.is_empty()).collect();
    let (namespace, rest) = segments.split_first()?;
    if rest.is_empty() {
        return Some("Microsoft.Resources/subscriptions/providers/read".to_owned());
    }
    let kinds: Vec<&str> = rest.iter().step_by(2).copied().collect();
    Some(format!("{namespace}/{}/read", kinds.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_action_and_the_scope() {
        let body = include_bytes!("../../tests/fixtures/arm/spec/errors/403-AuthorizationFailed.json");
        let error = ReadError::from_answer("/subscriptions/s", 403, body);
        assert_eq!(error.action.as_deref(), Some("Microsoft.Resources/subscriptions/resourcegroups/read"));
        assert_eq!(error.scope.as_deref(), Some("/subscriptions/00000000-0000-0000-0000-000000000000"));
        assert_eq!(error.unknown().why, "403 AuthorizationFailed");
        let bare = ReadError::from_answer("/subscriptions/s/providers/M.N/locations/l/serviceTags", 403, b"<html>");
        assert_eq!(bare.action.as_deref(), Some("M.N/locations/serviceTags/read"));
    }

    #[test]
    fn a_version_refusal_lists_what_there_is() {
        let body = include_bytes!("../../tests/fixtures/arm/spec/errors/400-NoRegisteredProviderFound.json");
        let error = ReadError::from_answer("/x", 400, body);
        assert_eq!(error.failure, ReadFailure::ApiVersion);
        assert_eq!(error.versions.len(), 16);
        assert_eq!(error.versions.last().map(String::as_str), Some("2023-11-01-preview"));
    }

    #[test]
    fn every_recorded_error_has_its_class() {
        let class = |body: &[u8], status| ReadError::from_answer("/x", status, body);
        let flat = class(include_bytes!("../../tests/fixtures/arm/spec/errors/404-flat-capitalised.json"), 404);
        assert!(flat.code.is_some() && flat.is_absence());
        let gone = class(include_bytes!("../../tests/fixtures/arm/spec/errors/404-SubscriptionNotFound.json"), 404);
        assert!(gone.is_missing_subscription() && !gone.is_absence());
        let tenant = class(
            include_bytes!("../../tests/fixtures/arm/spec/errors/401-InvalidAuthenticationTokenTenant.json"),
            401,
        );
        assert_eq!(tenant.failure, ReadFailure::Unauthorized);
    }
}

//! What HTTP said: the registry's protocol (OCI distribution spec; ACR's OAuth2), and impostors.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Fqdn, Known};

/// One request and its answer, bounded (1 MiB) and without secrets: no query string, no token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpObservation {
    /// `GET`, `POST`, `HEAD`.
    pub method: String,
    /// The path without query, e.g. `/v2/`.
    pub path: String,
    /// How it ended.
    pub outcome: HttpOutcome,
    /// Milliseconds until the headers.
    pub ms: f64,
}

/// How a request ended.
#[expect(clippy::large_enum_variant, reason = "one a request; a box would only stand in the way of every match")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "result", content = "with")]
pub enum HttpOutcome {
    /// Headers came.
    Answered(HttpAnswer),
    /// No headers in time.
    TimedOut,
    /// The connection was closed or reset before the headers.
    Closed,
    /// What came back was not HTTP.
    Malformed(String),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The `Server` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `Content-Type` without parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether `Docker-Distribution-Api-Version: registry/2.0` was there.
    #[serde(default)]
    pub is_registry: bool,
    /// The bearer or basic challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
    /// The OCI or OAuth2 errors of the body.
    #[serde(default)]
    pub errors: Vec<RegistryError>,
    /// "client with IP 'A' is not allowed access": the address that the registry saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_client: Option<IpAddr>,
    /// Host of `Location`; the rest of that URL is a credential and is never kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_host: Option<Fqdn>,
    /// `Retry-After` in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The server's clock (`Date`).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>")]
    pub date: Option<OffsetDateTime>,
    /// `Via`, `X-Cache`, `X-Squid-Error` and the like: signs of a middlebox, `Name: value`.
    #[serde(default)]
    pub middlebox_headers: Vec<String>,
    /// `x-ms-correlation-request-id` or `x-ms-request-id`: for a support ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The beginning of a body that is not the registry's (a block page's title), sanitised, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// Whether the body was longer than the bound, and the rest left unread.
    #[serde(default)]
    pub truncated: bool,
}

impl HttpAnswer {
    /// Whether one of the body's errors has this code, in any letter case.
    pub fn has_error(&self, code: &str) -> bool {
        self.errors.iter().any(|e| e.code.eq_ignore_ascii_case(code))
    }
}

/// `WWW-Authenticate` (RFC 9110 section 11, distribution spec's token authentication).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Challenge {
    /// `Bearer`, `Basic`, …
    pub scheme: String,
    /// The token service's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The service to name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// `errors[]` of a registry's answer, or `error` of a token service's or storage's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryError {
    /// `DENIED`, `UNAUTHORIZED`, `AuthorizationFailure`, …
    pub code: String,
    /// The message, sanitised.
    pub message: String,
}

/// Challenge and token exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthObservation {
    /// Which credential was used.
    pub credential: CredentialKind,
    /// The audience of the Entra token, for an Entra credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Whose Entra token it was, as far as the token says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<EntraIdentity>,
    /// `POST /oauth2/exchange`, for an Entra credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<HttpObservation>,
    /// `/oauth2/token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<HttpObservation>,
    /// The scope that was asked for, e.g. `repository:hello:pull`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The actions that the token grants on `--image`'s repository, read from its claims.
    #[serde(default)]
    pub granted: Known<Vec<String>>,
}

/// An identity of Microsoft Entra ID, from the claims of its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntraIdentity {
    /// The object id (`oid`), by which roles are given, also to a managed identity, which has no name to sign in with.
    pub object_id: String,
    /// What kind of identity (`idtyp`): `user` or `app`, which service principals and managed identities are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// A kind of credential for the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CredentialKind {
    /// A Microsoft Entra token, exchanged.
    Entra,
    /// User name and password from docker's configuration or a credential helper.
    Docker,
    /// The registry's admin user.
    AdminUser,
    /// None: anonymous pull.
    Anonymous,
}

/// The pull of a manifest and one byte of a blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullObservation {
    /// `repository:tag` or `repository@digest`.
    pub image: String,
    /// `GET /v2/<repository>/manifests/<reference>`.
    pub manifest: HttpObservation,
    /// `GET /v2/<repository>/blobs/<digest>` at the login server: 307, or the blob itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<HttpObservation>,
    /// Where the blob request was sent on to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirected_to: Option<Fqdn>,
    /// The ranged request there: 206 or 200 proves the data path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<HttpObservation>,
}

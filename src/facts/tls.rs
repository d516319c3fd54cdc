//! What a TLS handshake showed (RFC 8446, RFC 5280).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A handshake with one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsObservation {
    /// How it ended.
    pub outcome: TlsOutcome,
    /// `TLSv1.3`, …, once agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The cipher suite, once agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// The chain as presented, the server's own first.
    #[serde(default)]
    pub chain: Vec<Certificate>,
    /// Where trust came from: `platform`, `platform and --ca-file`, `SSL_CERT_FILE`.
    pub trust: String,
    /// The same address, asked with another name in SNI, after a reset or silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_neutral_name: Option<TlsOutcome>,
    /// The same, with a ClientHello small enough for any MTU, after silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_small_hello: Option<TlsOutcome>,
    /// What the clock of the server said (HTTP `Date`) minus the client's, in seconds, where seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_seconds: Option<i64>,
    /// Milliseconds.
    pub ms: f64,
}

/// How a handshake ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "result")]
pub enum TlsOutcome {
    /// Established, and the certificate is trusted and covers the name.
    Established,
    /// The chain ends in an issuer that this client does not trust.
    UnknownIssuer,
    /// Trusted, and the names do not cover the endpoint.
    NameMismatch,
    /// The certificate's time is over, by the client's clock.
    Expired,
    /// The certificate's time has not begun, by the client's clock.
    NotYetValid,
    /// Connection reset or closed after ClientHello.
    Reset,
    /// Nothing came back after ClientHello in time.
    TimedOut,
    /// The peer accepts no version from TLS 1.2 up.
    VersionRejected {
        /// The older version that it accepts, where found out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offered: Option<String>,
    },
    /// What came back was not TLS.
    NotTls,
    /// Another failure, in rustls' words.
    Failed {
        /// In words.
        message: String,
    },
}

/// One certificate of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// The subject, RFC 4514 text.
    pub subject: String,
    /// The issuer, RFC 4514 text.
    pub issuer: String,
    /// subjectAltName's DNS names.
    #[serde(default)]
    pub dns_names: Vec<String>,
    /// notBefore.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub not_before: OffsetDateTime,
    /// notAfter.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub not_after: OffsetDateTime,
    /// SHA-256 of the DER encoding, hexadecimal.
    pub sha256: String,
}

//! The one HTTP client of this half: trust, proxies, and bodies that end.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use url::Url;

use super::host_lookup::RepeatedLookup;

/// How connections to ARM and to the sign-in authority are made.
#[derive(Clone)]
pub struct HttpSettings {
    /// A PEM file of authorities that are trusted besides the platform's (`--ca-file`).
    pub ca_file: Option<PathBuf>,
    /// A proxy that replaces those of the environment (`--proxy`); may carry credentials. `NO_PROXY` stays in force.
    pub proxy: Option<Url>,
    /// How long one connection may take to be made: the lookup, TCP at each of the host's addresses, and TLS.
    pub connect_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { ca_file: None, proxy: None, connect_timeout: Duration::from_secs(10) }
    }
}

impl std::fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The proxy's URL may hold a password.
        f.debug_struct("HttpSettings").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

/// Why no HTTP client could be made of the settings.
#[derive(Debug, Error)]
pub enum HttpSettingsError {
    /// `--ca-file` cannot be read.
    #[error("cannot read the CA file {path}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// `--ca-file` holds no certificate.
    #[error("the CA file {path} holds no PEM certificate")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// `--proxy` is no proxy URL.
    #[error("the proxy's URL cannot be used: {0}")]
    Proxy(String),
    /// The TLS library or the platform's trust store refused.
    #[error("cannot set up HTTPS: {0}")]
    Client(String),
}

/// Clients of one set of settings.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// For https: by way of the proxy, if one is set.
    proxied: reqwest::Client,
    /// For plain http, which is only ever this machine's own (identity endpoints, test servers): never by a proxy.
    direct: reqwest::Client,
}

impl Clients {
    /// The client for a URL of this scheme.
    pub(crate) fn for_url(&self, url: &Url) -> &reqwest::Client {
        if url.scheme() == "http" { &self.direct } else { &self.proxied }
    }
}

impl HttpSettings {
    /// Builds the clients. Costs a read of the platform's trust store, so it is done when first needed.
    pub(crate) fn clients(&self) -> Result<Clients, HttpSettingsError> {
        let base = || {
            reqwest::Client::builder()
                .user_agent(concat!("acr-doctor/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(self.connect_timeout)
                .dns_resolver(RepeatedLookup)
        };
        let refused = |error: reqwest::Error| HttpSettingsError::Client(phrase(error));
        let mut proxied = base();
        if let Some(path) = &self.ca_file {
            let pem = std::fs::read(path).map_err(|source| HttpSettingsError::CaFile { path: path.clone(), source })?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(HttpSettingsError::NoCertificate { path: path.clone() });
            }
            proxied = proxied.tls_certs_merge(certificates);
        }
        if let Some(url) = &self.proxy {
            let proxy = reqwest::Proxy::all(url.clone()).map_err(|e| HttpSettingsError::Proxy(phrase(e)))?;
            proxied = proxied.proxy(proxy.no_proxy(reqwest::NoProxy::from_env()));
        }
        // No https ever goes through the direct client, so it needs no roots.
        let direct = base().no_proxy().tls_certs_only([]);
        Ok(Clients { proxied: proxied.build().map_err(refused)?, direct: direct.build().map_err(refused)? })
    }
}

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum BodyFailure {
    /// Larger than allowed, after decompression.
    TooLarge,
    /// Cut off, or damaged on the way.
    Cut(String),
}

/// Reads a body, at most `limit` bytes of it after decompression.
pub(crate) async fn bounded_body(mut response: reqwest::Response, limit: usize) -> Result<Bytes, BodyFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| BodyFailure::Cut(phrase(e)))? {
        if body.len() + chunk.len() > limit {
            return Err(BodyFailure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// The reason of a failed request in one phrase, without the URL (which may hold a signature).
pub(crate) fn phrase(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words = inner.to_string();
        source = inner.source();
    }
    if error.is_connect() { format!("cannot connect: {words}") } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_certificates_is_said_to_be_one() {
        let settings = HttpSettings { ca_file: Some("/dev/null".into()), ..HttpSettings::default() };
        assert!(matches!(settings.clients(), Err(HttpSettingsError::NoCertificate { .. })));
        let settings = HttpSettings { ca_file: Some("/nonexistent/ca.pem".into()), ..HttpSettings::default() };
        assert!(matches!(settings.clients(), Err(HttpSettingsError::CaFile { .. })));
    }

    #[test]
    fn the_proxys_password_is_not_in_the_debug_text() {
        let proxy = Some(Url::parse("http://user:hunter2@proxy:3128").unwrap());
        assert!(!format!("{:?}", HttpSettings { proxy, ..HttpSettings::default() }).contains("hunter2"));
    }
}

//! Proxies: which one a host goes through and why, and `CONNECT` by hand, so that its answer is seen.
//!
//! Variables as curl and az read them: `https_proxy` before `HTTPS_PROXY`, then `all_proxy`, `ALL_PROXY`;
//! `no_proxy` before `NO_PROXY`, whose entries are parted at commas and blanks; [`crate::facts::no_proxy`] says what each
//! means, and where programs differ.

use url::Url;

use crate::facts::Fqdn;
use crate::facts::no_proxy::covers;
use crate::facts::probe::Route;
use crate::facts::vantage::ProxySettings;

/// The proxy configuration in force.
#[derive(Debug, Clone, Default)]
pub struct ProxyConfig {
    /// The proxy for https:// URLs; holds credentials, and is never shown.
    url: Option<Url>,
    source: String,
    no_proxy: Vec<String>,
    malformed: Option<String>,
}

impl ProxyConfig {
    /// `--proxy`, else the environment.
    pub fn read(flag: Option<&Url>) -> Self {
        let first = |names: &[&str]| {
            names
                .iter()
                .find_map(|n| std::env::var(n).ok().filter(|v| !v.trim().is_empty()).map(|v| ((*n).to_owned(), v)))
        };
        let no_proxy = first(&["no_proxy", "NO_PROXY"]).map(|(_, list)| split_list(&list)).unwrap_or_default();
        if let Some(url) = flag {
            return Self { url: Some(url.clone()), source: "--proxy".to_owned(), no_proxy, malformed: None };
        }
        match first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]) {
            None => Self { no_proxy, ..Self::default() },
            Some((source, text)) => {
                let url = parse_proxy(&text);
                let malformed = url.is_none().then(|| unusable(&source, &text));
                Self { url, source, no_proxy, malformed }
            }
        }
    }

    /// The settings without credentials.
    pub fn settings(&self) -> ProxySettings {
        ProxySettings {
            https: self.url.as_ref().map(without_credentials),
            source: self.url.as_ref().map(|_| self.source.clone()),
            no_proxy: self.no_proxy.clone(),
            unusable: self.malformed.clone(),
        }
    }

    /// How a host's port 443 is reached, and why.
    pub fn route(&self, host: &Fqdn) -> Route {
        let Some(url) = &self.url else {
            let because = self.malformed.clone().unwrap_or_else(|| "no proxy is configured".to_owned());
            return Route::Direct { because };
        };
        match self.no_proxy.iter().find(|entry| covers(entry, host)) {
            Some(entry) => Route::Direct { because: format!("NO_PROXY has '{entry}'") },
            None => Route::Proxy { url: without_credentials(url), because: self.source.clone() },
        }
    }

    /// The proxy's URL with its credentials, for the wire alone.
    pub fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }

    /// Where the setting stands.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// A proxy's URL; `host:port` alone means http://, as everywhere.
pub fn parse_proxy(text: &str) -> Option<Url> {
    let text = text.trim();
    let url = if text.contains("://") { Url::parse(text).ok()? } else { Url::parse(&format!("http://{text}")).ok()? };
    (url.host_str().is_some() && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// Why a variable's text names no proxy that can be used; the text itself may hold a password.
fn unusable(source: &str, text: &str) -> String {
    match text.trim().split_once("://") {
        Some((scheme, _)) if scheme.to_ascii_lowercase().starts_with("socks") => {
            format!("{source} names a SOCKS proxy, which is not asked")
        }
        _ => format!("{source} is not a proxy's URL"),
    }
}

/// A URL without user and password, path and query.
pub fn without_credentials(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(80);
    format!("{}://{}:{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn split_list(list: &str) -> Vec<String> {
    list.split([',', ' ', '\t']).map(str::trim).filter(|e| !e.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_parted_at_commas_and_blanks() {
        assert_eq!(split_list(" a.example,, b.example\t.c "), ["a.example", "b.example", ".c"]);
        let proxy =
            ProxyConfig { url: parse_proxy("p:1"), no_proxy: split_list("x, .azurecr.io"), ..ProxyConfig::default() };
        let because = "NO_PROXY has '.azurecr.io'".to_owned();
        assert_eq!(proxy.route(&"myreg.azurecr.io".parse().unwrap()), Route::Direct { because });
    }

    #[test]
    fn a_proxy_without_a_scheme_is_http_and_credentials_never_show() {
        let url = parse_proxy("user:secret@proxy.corp:3128").unwrap();
        assert_eq!(without_credentials(&url), "http://proxy.corp:3128");
        assert!(parse_proxy("socks5://proxy:1080").is_none() && parse_proxy("http://").is_none());
        assert_eq!(
            unusable("ALL_PROXY", "socks5h://u:hunter2@p:1"),
            "ALL_PROXY names a SOCKS proxy, which is not asked"
        );
        assert_eq!(unusable("HTTPS_PROXY", "http://u:hunter2@"), "HTTPS_PROXY is not a proxy's URL");
    }
}

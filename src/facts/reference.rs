//! What a person types to name a registry, read into what it can only mean.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::Url;

use super::{LoginServer, RegistryName, ResourceId};

/// A registry as a user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryReference {
    /// Its resource name.
    Name(RegistryName),
    /// The host that clients log in to, also with a scheme, a path or an image behind it.
    LoginServer(LoginServer),
    /// Its ARM resource id.
    Id(ResourceId),
}

impl fmt::Display for RegistryReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::LoginServer(host) => host.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// Why a text names no registry; each says what is expected instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// Nothing at all.
    #[error("an empty text names no registry; expected a name such as 'myregistry' or 'myregistry.azurecr.io'")]
    Empty,
    /// An IP address: certificates and virtual hosts go by name.
    #[error("'{0}' is an IP address; a registry is named by its login server, such as 'myregistry.azurecr.io'")]
    Address(String),
    /// Letters outside ASCII, or punycode, neither of which a registry's name can have.
    #[error("'{0}' is an internationalised name; registry names are 5 to 50 ASCII letters and digits")]
    Internationalised(String),
    /// A resource id of something else.
    #[error(
        "'{0}' is no registry's resource id; expected /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.ContainerRegistry/registries/<name>"
    )]
    ForeignId(String),
    /// None of these.
    #[error(
        "'{0}' names no registry; expected a name (5 to 50 letters and digits), a login server such as 'myregistry.azurecr.io', or a resource id"
    )]
    Nonsense(String),
}

impl FromStr for RegistryReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let given = text.trim();
        let shown = || given.chars().filter(|c| !c.is_control()).take(80).collect::<String>();
        if given.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if given.starts_with('/') {
            return registry_id(given).ok_or_else(|| ReferenceError::ForeignId(shown()));
        }
        let host = host_of(given).ok_or_else(|| ReferenceError::Nonsense(shown()))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<std::net::IpAddr>().is_ok() || given.parse::<std::net::IpAddr>().is_ok() {
            return Err(ReferenceError::Address(shown()));
        }
        if !host.is_ascii() || host.to_ascii_lowercase().split('.').any(|label| label.starts_with("xn--")) {
            return Err(ReferenceError::Internationalised(shown()));
        }
        if !host.contains('.') {
            return host.parse().map(Self::Name).map_err(|_| ReferenceError::Nonsense(shown()));
        }
        let server: LoginServer = host.parse().map_err(|_| ReferenceError::Nonsense(shown()))?;
        Ok(Self::LoginServer(server))
    }
}

/// The host in a URL, an image reference or a plain host; `None` where the text cannot be one of them.
fn host_of(text: &str) -> Option<String> {
    if let Some((scheme, _)) = text.split_once("://") {
        if !["https", "http", "oci", "docker"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return None;
        }
        // The URL parser turns non-ASCII hosts into punycode, which the caller then refuses by name.
        return Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    }
    let authority = text.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(host, _digest)| host);
    // An IPv6 address keeps its colons; anything else loses a port or a tag behind the first one.
    let host = if authority.parse::<std::net::Ipv6Addr>().is_ok() || authority.starts_with('[') {
        authority
    } else {
        authority.split(':').next()?
    };
    (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| host.to_owned())
}

fn registry_id(text: &str) -> Option<RegistryReference> {
    let id: ResourceId = text.parse().ok()?;
    let parts: Vec<&str> = id.as_str().split('/').collect();
    let ["", _, _, groups, _, providers, namespace, kind, name] = parts.as_slice() else { return None };
    let expected = [
        (groups, "resourceGroups"),
        (providers, "providers"),
        (namespace, "Microsoft.ContainerRegistry"),
        (kind, "registries"),
    ];
    let shaped = expected.iter().all(|(part, word)| part.eq_ignore_ascii_case(word));
    (shaped && name.parse::<RegistryName>().is_ok()).then_some(RegistryReference::Id(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RegistryReference, ReferenceError> {
        text.parse()
    }

    #[test]
    fn plain_meanings_are_taken() {
        assert_eq!(read(" MyReg ").unwrap().to_string(), "myreg");
        for text in [
            "MyReg.azurecr.io",
            "https://myreg.azurecr.io/",
            "myreg.azurecr.io/team/app:v1?x=y",
            "myreg.azurecr.io:443",
            "oci://myreg.azurecr.io/chart",
            "myreg.azurecr.io/app@sha256:0123",
            "myreg.azurecr.io.",
        ] {
            assert_eq!(read(text), Ok(RegistryReference::LoginServer("myreg.azurecr.io".parse().unwrap())), "{text}");
        }
        let id = "/subscriptions/s/resourcegroups/rg/providers/microsoft.containerregistry/Registries/myreg";
        assert_eq!(read(id), Ok(RegistryReference::Id(id.parse().unwrap())));
    }

    #[test]
    fn what_is_no_registry_is_told_what_is_expected() {
        type Expected = fn(&ReferenceError) -> bool;
        let cases: [(&str, Expected); 9] = [
            ("", |e| matches!(e, ReferenceError::Empty)),
            ("10.0.0.4", |e| matches!(e, ReferenceError::Address(_))),
            ("https://[2001:db8::1]/", |e| matches!(e, ReferenceError::Address(_))),
            ("2001:db8::1", |e| matches!(e, ReferenceError::Address(_))),
            ("https://régistre.azurecr.io", |e| matches!(e, ReferenceError::Internationalised(_))),
            ("régistre", |e| matches!(e, ReferenceError::Internationalised(_))),
            ("/subscriptions/s/resourceGroups/g", |e| matches!(e, ReferenceError::ForeignId(_))),
            ("ftp://myreg.azurecr.io", |e| matches!(e, ReferenceError::Nonsense(_))),
            ("my reg", |e| matches!(e, ReferenceError::Nonsense(_))),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err();
            assert!(expected(&error), "{text}: {error:?}");
        }
        // Nobody should use it, and a finding says why: dns/privatelink-name-used.
        assert!(read("myreg.privatelink.azurecr.io").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = read(&text);
        }
    }
}

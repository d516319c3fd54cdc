//! The image that `--image` names.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A repository and a tag or a digest, without the registry: `team/app:1.2`, `app@sha256:…`
/// (the distribution spec's grammar of names and references).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    repository: String,
    reference: String,
    by_digest: bool,
}

/// Why a text is not an image of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImageError {
    /// The repository does not follow the grammar.
    #[error("'{0}' is not a repository: lower-case letters, digits, '.', '_', '-' and '/', such as 'team/app'")]
    Repository(String),
    /// The tag or digest does not follow the grammar.
    #[error("'{0}' is not a tag or a digest, such as '1.2' or 'sha256:…'")]
    Reference(String),
}

impl ImageReference {
    /// The repository: `team/app`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag or the digest, as it stands in `/v2/<repository>/manifests/<reference>`.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The same repository, by another reference (a manifest out of an index).
    pub fn at(&self, digest: &str) -> Result<Self, ImageError> {
        if !is_digest(digest) {
            return Err(ImageError::Reference(shown(digest)));
        }
        Ok(Self { repository: self.repository.clone(), reference: digest.to_owned(), by_digest: true })
    }
}

impl FromStr for ImageReference {
    type Err = ImageError;
    /// A leading host (`myreg.azurecr.io/app`) is cut: the registry is named elsewhere.
    fn from_str(text: &str) -> Result<Self, ImageError> {
        let text = text.trim().trim_start_matches("https://");
        let text = match text.split_once('/') {
            Some((host, rest)) if is_host(host) => rest,
            _ => text,
        };
        let (repository, reference, by_digest) = if let Some((name, digest)) = text.split_once('@') {
            let name = name.rsplit_once(':').map_or(name, |(name, _tag)| name);
            (name, digest, true)
        } else if let Some((name, tag)) = text.rsplit_once(':') {
            (name, tag, false)
        } else {
            (text, "latest", false)
        };
        if !is_repository(repository) {
            return Err(ImageError::Repository(shown(repository)));
        }
        if !(if by_digest { is_digest(reference) } else { is_tag(reference) }) {
            return Err(ImageError::Reference(shown(reference)));
        }
        Ok(Self { repository: repository.to_owned(), reference: reference.to_owned(), by_digest })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.by_digest { '@' } else { ':' };
        write!(f, "{}{separator}{}", self.repository, self.reference)
    }
}

/// Whether the part before the first slash is a registry and not the repository's beginning, as docker tells them apart.
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    (name.contains('.') || port.is_some() || name == "localhost") && name.parse::<super::Fqdn>().is_ok()
}

fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        edge(part.chars().next())
            && edge(part.chars().last())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    };
    text.len() <= 255 && text.split('/').all(part)
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// Whether a text is a digest, `algorithm:hex`.
pub fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b"+._-".contains(&b))
            && (32..=256).contains(&hex.len())
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// Foreign text for a sentence: short, and without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_forms_are_read() {
        let image = |text: &str| text.parse::<ImageReference>().map(|i| i.to_string());
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(image("hello"), Ok("hello:latest".to_owned()));
        assert_eq!(image("team/app:1.2"), Ok("team/app:1.2".to_owned()));
        assert_eq!(image("myreg.azurecr.io/team/app:1.2"), Ok("team/app:1.2".to_owned()));
        assert_eq!(image(&format!("app:1@{digest}")), Ok(format!("app@{digest}")));
        for bad in ["", ":", "App", "a//b", "app:", "app@sha256:xyz", "../etc", "app:a b", "app?x=1"] {
            assert!(image(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,300}") {
            if let Ok(image) = text.parse::<ImageReference>() {
                proptest::prop_assert_eq!(image.to_string().parse::<ImageReference>(), Ok(image));
            }
        }
    }
}

//! The one image that a registry holds unless a real registry stands behind it.

/// The image's only layer: a byte sequence that is fetched by range.
pub const LAYER: &[u8] = b"a layer of the laboratory's hello image, long enough to be fetched by range\n";
/// The layer's digest.
pub const LAYER_DIGEST: &str = "sha256:fa0f80b8ea0a7d6d9552f5f5c896e8a1c27a981962592bad67d9d842983a2081";
/// The image's configuration.
pub const CONFIG: &[u8] =
    br#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
/// The configuration's digest.
pub const CONFIG_DIGEST: &str = "sha256:dc570f145a7f2862c9ef3c30b8d6ae2feaceb0d364e4b2e08e67ae18815427d9";
/// The manifest's media type.
pub const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The manifest.
pub fn manifest() -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{{"mediaType":"application/vnd.docker.container.image.v1+json","size":{},"digest":"{CONFIG_DIGEST}"}},"layers":[{{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":{},"digest":"{LAYER_DIGEST}"}}]}}"#,
        CONFIG.len(),
        LAYER.len()
    )
}

/// A blob by its digest.
pub fn blob(digest: &str) -> Option<&'static [u8]> {
    match digest {
        LAYER_DIGEST => Some(LAYER),
        CONFIG_DIGEST => Some(CONFIG),
        _ => None,
    }
}

//! Which registry in which cloud, as the arguments mean it.

use std::path::Path;

use crate::facts::{Cloud, Fqdn, LoginServer, RegistryReference};

use super::exit::Failure;
use super::snapshot_file::read_bounded;

/// A registry to look at: its reference for ARM, and the login server to begin with.
#[derive(Debug, Clone)]
pub(super) struct Aim {
    /// As typed.
    pub(super) asked: String,
    /// For ARM.
    pub(super) reference: RegistryReference,
    /// The login server, or the guess at it that a name allows.
    pub(super) login_server: LoginServer,
    /// The cloud.
    pub(super) cloud: Cloud,
}

/// Reads `--cloud` (a name or a file) and the registry's name.
pub(super) fn aim(asked: &str, cloud: Option<&str>) -> Result<Aim, Failure> {
    let reference: RegistryReference = asked.parse()?;
    let cloud = match (cloud, &reference) {
        (Some(named), _) => read_cloud(named)?,
        (None, RegistryReference::LoginServer(host)) => Cloud::of_registry_host(host).unwrap_or_else(Cloud::public),
        (None, RegistryReference::Name(_) | RegistryReference::Id(_)) => Cloud::public(),
    };
    let of_name = |name: &str| format!("{name}.{}", cloud.registry_suffix).parse::<Fqdn>();
    let login_server = match &reference {
        RegistryReference::Name(name) => of_name(name.as_str())?,
        RegistryReference::LoginServer(host) => host.clone(),
        RegistryReference::Id(id) => of_name(id.name())?,
    };
    let reference = for_arm(reference, &cloud);
    Ok(Aim { asked: asked.to_owned(), reference, login_server, cloud })
}

/// ARM knows login servers, not the names behind private link.
fn for_arm(reference: RegistryReference, cloud: &Cloud) -> RegistryReference {
    let RegistryReference::LoginServer(host) = &reference else { return reference };
    let zone = format!(".{}", cloud.private_zone);
    let public = host.as_str().strip_suffix(&zone).map(|name| format!("{name}.{}", cloud.registry_suffix));
    public.and_then(|name| name.parse().ok()).map_or(reference.clone(), RegistryReference::LoginServer)
}

/// A built-in cloud by name, or a file that describes one.
pub(super) fn read_cloud(named: &str) -> Result<Cloud, Failure> {
    if let Some(cloud) = Cloud::named(named) {
        return Ok(cloud);
    }
    let path = Path::new(named);
    if !path.exists() {
        return Err(Failure::Cloud(format!(
            "'{named}' is neither AzureCloud, AzureUSGovernment or AzureChinaCloud nor a file"
        )));
    }
    let text = read_bounded(path)?;
    let bad = |why: String| Failure::Cloud(format!("'{named}' does not describe a cloud: {why}"));
    // With a byte order mark, as an editor may leave it.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let cloud: Cloud = serde_json::from_slice(text).map_err(|e| bad(e.to_string()))?;
    with_plain_suffixes(cloud).map_err(bad)
}

/// Suffixes as the rest expects them: `az cloud show` prints some with a dot before them.
fn with_plain_suffixes(mut cloud: Cloud) -> Result<Cloud, String> {
    let suffixes = [
        ("registrySuffix", &mut cloud.registry_suffix),
        ("dataEndpointSuffix", &mut cloud.data_endpoint_suffix),
        ("privateZone", &mut cloud.private_zone),
        ("blobSuffix", &mut cloud.blob_suffix),
    ];
    for (member, suffix) in
        suffixes.into_iter().chain(cloud.regional_endpoint_suffix.iter_mut().map(|s| ("regionalEndpointSuffix", s)))
    {
        let name: Fqdn = suffix.trim_start_matches('.').parse().map_err(|e| format!("{member}: {e}"))?;
        name.as_str().clone_into(suffix);
    }
    Ok(cloud)
}

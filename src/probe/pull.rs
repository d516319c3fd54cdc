//! The data path: a manifest, and one byte of a blob, wherever the registry sends for it.

use hyper::Method;
use serde_json::Value;
use tokio::time::Instant as Deadline;
use url::Url;

use super::answer::{host_of, redirect};
use super::climb::Climber;
use super::climb_once::SharedClimbs;
use super::exchange::{Ask, Connection, Raw};
use super::plan::redirect_target;
use crate::facts::Secret;
use crate::facts::http::PullObservation;
use crate::facts::{Cloud, EndpointObservation, Fqdn, ImageReference};

/// Manifest types that we can read, lists included.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// What pulling gave: the observation, and the endpoint that it was sent on to.
pub struct Pulled {
    /// For the facts.
    pub observation: PullObservation,
    /// The redirect's target.
    pub endpoint: Option<EndpointObservation>,
}

/// What a pull needs of its run.
pub struct Parts<'p, 'a> {
    /// Climbs where the redirect leads.
    pub climber: &'p Climber<'a>,
    /// The endpoints that are climbed anyway.
    pub shared: &'p SharedClimbs<'a>,
    /// Whose names are meant.
    pub cloud: &'p Cloud,
}

/// Pulls `image`'s manifest and the first byte of its smallest named blob, the configuration.
pub async fn pull(
    parts: &Parts<'_, '_>,
    connection: &mut Connection,
    image: &ImageReference,
    token: Option<&Secret>,
    deadline: Deadline,
) -> Pulled {
    let (manifest, raw) = fetch_manifest(connection, image, image.reference(), token, deadline).await;
    let mut observation =
        PullObservation { image: image.to_string(), manifest, blob: None, redirected_to: None, data: None };
    let Some(digest) = blob_digest(connection, image, raw, token, deadline).await else {
        return Pulled { observation, endpoint: None };
    };
    let target = format!("/v2/{}/blobs/{digest}", image.repository());
    let (blob, raw) = connection.send(authorized(Ask::get(target).header("range", "bytes=0-0"), token), deadline).await;
    observation.blob = Some(blob);
    let Some(url) = raw.as_ref().and_then(redirect) else {
        return Pulled { observation, endpoint: None };
    };
    observation.redirected_to = host_of(&url);
    let endpoint = match observation.redirected_to.clone() {
        Some(host) => Some(follow(parts, &host, &url, deadline, &mut observation).await),
        None => None,
    };
    Pulled { observation, endpoint }
}

/// Follows the redirect without the token: the URL is its own credential.
async fn follow(
    parts: &Parts<'_, '_>,
    host: &Fqdn,
    url: &Url,
    deadline: Deadline,
    seen: &mut PullObservation,
) -> EndpointObservation {
    let planned = redirect_target(host, parts.cloud);
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let ask = || Ask::get(target.clone()).header("range", "bytes=0-0");
    let (observation, data) = parts.shared.ask(parts.climber, &planned, ask, deadline).await;
    seen.data = data;
    observation
}

async fn fetch_manifest(
    connection: &mut Connection,
    image: &ImageReference,
    reference: &str,
    token: Option<&Secret>,
    deadline: Deadline,
) -> (crate::facts::http::HttpObservation, Option<Raw>) {
    let ask = Ask { method: Method::GET, ..Ask::get(format!("/v2/{}/manifests/{reference}", image.repository())) };
    connection.send(authorized(ask.header("accept", MANIFESTS), token), deadline).await
}

fn authorized(ask: Ask, token: Option<&Secret>) -> Ask {
    match token {
        Some(token) => ask.header("authorization", format!("Bearer {}", token.reveal())),
        None => ask,
    }
}

/// The configuration's digest; of a list, that of its first platform's manifest.
async fn blob_digest(
    connection: &mut Connection,
    image: &ImageReference,
    raw: Option<Raw>,
    token: Option<&Secret>,
    deadline: Deadline,
) -> Option<String> {
    let first = readable(raw)?;
    if let Some(digest) = digest_at(&first, "/config/digest") {
        return Some(digest);
    }
    let platform = digest_at(&first, "/manifests/0/digest")?;
    let (_, raw) = fetch_manifest(connection, image, &platform, token, deadline).await;
    digest_at(&readable(raw)?, "/config/digest")
}

fn readable(raw: Option<Raw>) -> Option<Value> {
    let raw = raw.filter(|r| r.status.is_success())?;
    serde_json::from_slice(&raw.body).ok()
}

/// A digest at a place of a manifest: only what can stand in a path.
fn digest_at(manifest: &Value, pointer: &str) -> Option<String> {
    let digest = manifest.pointer(pointer)?.as_str()?;
    digest.bytes().all(|b| b.is_ascii_alphanumeric() || b":+._-".contains(&b)).then(|| digest.to_owned())
}

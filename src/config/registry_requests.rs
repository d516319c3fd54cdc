//! Requests to Microsoft.ContainerRegistry, built by `azure_mgmt_containerregistry` and carried by our own transport.
//!
//! The crate supplies operations, paths and paging. It sees neither the token (`azure_core` 0.21 prints the Authorization
//! header in its debug log, and its paging follows a `nextLink` to any host) nor the items of a list (its models refuse
//! a whole page for one odd registry and drop what they do not know): [`Exchange`] adds the token, keeps the raw
//! document and gives the crate an empty page with the continuation. See docs/dependencies.md.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core_legacy::auth::{AccessToken, TokenCredential};
use azure_core_legacy::error::ErrorKind;
use azure_core_legacy::headers::Headers;
use azure_core_legacy::{HttpClient, Pageable, Request, Response, RetryOptions, StatusCode, TransportOptions};
use azure_mgmt_containerregistry::package_2023_11_preview as acr;
use futures::StreamExt;
use serde_json::{Value, json};

use super::arm::{Arm, Listing, next_link};
use super::read_error::ReadError;
use super::versions::{NEWEST, candidates, for_subnet_rules};
use crate::facts::ResourceId;
use crate::facts::config::ReadFailure;

/// A list below a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    Replications,
    Tasks,
    AgentPools,
    ConnectedRegistries,
    CacheRules,
    Usages,
}

/// agentPools, tasks and usages live in API versions of their own.
const TASKS_VERSION: &str = "2025-03-01-preview";

/// A document and the API version that gave it.
pub(crate) struct Versioned<T> {
    pub(crate) version: String,
    pub(crate) read: T,
}

/// Stands in for a credential where the crate asks for one: the transport adds the real token itself.
#[derive(Debug)]
struct TransportSigns;

#[async_trait]
impl TokenCredential for TransportSigns {
    async fn get_token(&self, _: &[&str]) -> azure_core_legacy::Result<AccessToken> {
        Ok(AccessToken::new("added-by-the-transport", time::OffsetDateTime::UNIX_EPOCH))
    }
    async fn clear_cache(&self) -> azure_core_legacy::Result<()> {
        Ok(())
    }
}

/// The crate's transport for one operation.
#[derive(Debug)]
struct Exchange {
    arm: Arm,
    is_list: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    document: Option<Value>,
    listing: Listing,
}

#[async_trait]
impl HttpClient for Exchange {
    async fn execute_request(&self, request: &Request) -> azure_core_legacy::Result<Response> {
        let answer = self.carry(request).await;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(for_the_crate) => {
                let body = bytes::Bytes::from(for_the_crate.to_string());
                let stream = futures::stream::once(std::future::ready(Ok(body)));
                drop(seen);
                Ok(Response::new(StatusCode::Ok, Headers::new(), Box::pin(stream)))
            }
            Err(error) => {
                let words = error.message.clone();
                seen.listing.error = Some(error);
                Err(azure_core_legacy::Error::message(ErrorKind::Other, words))
            }
        }
    }
}

impl Exchange {
    /// Sends the crate's request, keeps the answer, and returns what the crate needs of it.
    async fn carry(&self, request: &Request) -> Result<Value, ReadError> {
        let page = self.arm.registry_answer(request.url().clone(), self.is_list).await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_list {
            seen.document = Some(page);
            return Ok(json!({}));
        }
        let next = next_link(&page);
        if let Value::Object(mut page) = page
            && let Some(Value::Array(items)) = page.remove("value")
        {
            seen.listing.items.extend(items);
        }
        Ok(json!({ "value": [], "nextLink": next }))
    }
}

/// One operation of the crate at one API version.
struct Operation {
    client: acr::Client,
    exchange: Arc<Exchange>,
}

impl Operation {
    fn new(arm: &Arm, version: &str, is_list: bool) -> Result<Self, ReadError> {
        let exchange = Arc::new(Exchange { arm: arm.clone(), is_list, seen: Mutex::default() });
        let client = acr::Client::builder(Arc::new(TransportSigns))
            .endpoint(arm.url("/", &[("api-version", version)]))
            .scopes(&["none"])
            .retry(RetryOptions::none())
            .transport(TransportOptions::new(Arc::<Exchange>::clone(&exchange)))
            .build()
            .map_err(|e| ReadError::new("/", ReadFailure::Malformed, e.to_string()))?;
        Ok(Self { client, exchange })
    }

    async fn drain<T>(&self, pages: Pageable<T, azure_core_legacy::Error>) -> Listing {
        let mut pages = pages;
        let mut count = 0usize;
        while let Some(Ok(_)) = pages.next().await {
            count += 1;
            if count >= 1000 {
                break;
            }
        }
        std::mem::take(&mut self.exchange.seen.lock().unwrap_or_else(PoisonError::into_inner).listing)
    }

    fn document(&self, resource: &str) -> Result<Value, ReadError> {
        let mut seen = self.exchange.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = || ReadError::new(resource, ReadFailure::Malformed, "no answer");
        seen.document.take().ok_or_else(|| seen.listing.error.take().unwrap_or_else(missing))
    }
}

/// Subscription, group and name of a registry's id.
fn parts(id: &ResourceId) -> (String, String, String) {
    (id.subscription().to_owned(), id.resource_group().unwrap_or_default().to_owned(), id.name().to_owned())
}

/// Every registry of a subscription, or of one of its groups.
pub(crate) async fn list(arm: &Arm, subscription: &str, group: Option<&str>) -> Versioned<Listing> {
    negotiated(arm, |version| async move {
        let operation = match Operation::new(arm, &version, true) {
            Ok(operation) => operation,
            Err(error) => return Listing { items: Vec::new(), error: Some(error) },
        };
        let registries = operation.client.registries_client();
        match group {
            Some(group) => operation.drain(registries.list_by_resource_group(subscription, group).into_stream()).await,
            None => operation.drain(registries.list(subscription).into_stream()).await,
        }
    })
    .await
}

/// One registry.
pub(crate) async fn get(arm: &Arm, id: &ResourceId) -> Versioned<Result<Value, ReadError>> {
    negotiated(arm, |version| get_at(arm, id, version)).await
}

/// One registry at one API version.
pub(crate) async fn get_at(arm: &Arm, id: &ResourceId, version: String) -> Result<Value, ReadError> {
    let operation = Operation::new(arm, &version, false)?;
    let (subscription, group, name) = parts(id);
    // The crate's own error says less than the one that the exchange kept.
    let _ = operation.client.registries_client().get(subscription, group, name).send().await;
    operation.document(id.as_str())
}

/// A list below a registry.
pub(crate) async fn below(arm: &Arm, id: &ResourceId, what: Below) -> Result<Vec<Value>, ReadError> {
    let listed = match what {
        Below::Tasks | Below::AgentPools => below_at(arm, id, what, TASKS_VERSION.to_owned()).await,
        _ => negotiated(arm, |version| below_at(arm, id, what, version)).await.read,
    };
    listed.complete()
}

async fn below_at(arm: &Arm, id: &ResourceId, what: Below, version: String) -> Listing {
    let operation = match Operation::new(arm, &version, what != Below::Usages) {
        Ok(operation) => operation,
        Err(error) => return Listing { items: Vec::new(), error: Some(error) },
    };
    let (sub, group, name) = parts(id);
    let client = &operation.client;
    match what {
        Below::Replications => operation.drain(client.replications_client().list(sub, group, name).into_stream()).await,
        Below::Tasks => operation.drain(client.tasks_client().list(sub, group, name).into_stream()).await,
        Below::AgentPools => operation.drain(client.agent_pools_client().list(sub, group, name).into_stream()).await,
        Below::ConnectedRegistries => {
            operation.drain(client.connected_registries_client().list(sub, group, name).into_stream()).await
        }
        Below::CacheRules => operation.drain(client.cache_rules_client().list(sub, group, name).into_stream()).await,
        Below::Usages => {
            let _ = client.registries_client().list_usages(sub, group, name).send().await;
            match operation.document(id.as_str()) {
                Ok(document) => {
                    let items = document.get("value").and_then(Value::as_array).cloned().unwrap_or_default();
                    Listing { items, error: None }
                }
                Err(error) => Listing { items: Vec::new(), error: Some(error) },
            }
        }
    }
}

/// What a negotiation needs to know of an answer.
trait Refusal {
    fn refusal(&self) -> Option<&ReadError>;
}
impl Refusal for Listing {
    fn refusal(&self) -> Option<&ReadError> {
        self.error.as_ref().filter(|e| e.failure == ReadFailure::ApiVersion && self.items.is_empty())
    }
}
impl Refusal for Result<Value, ReadError> {
    fn refusal(&self) -> Option<&ReadError> {
        self.as_ref().err().filter(|e| e.failure == ReadFailure::ApiVersion)
    }
}

/// Asks with a version that shows subnet rules: the newest, or, where the cloud is known to lack that, the best that it
/// offers. Where it has none, the refusal stands.
pub(crate) async fn with_subnet_rules<T, F: Future<Output = Result<T, ReadError>>>(
    arm: &Arm,
    ask: impl Fn(String) -> F,
) -> Versioned<Result<T, ReadError>> {
    let best = arm.offered_versions().and_then(|offered| for_subnet_rules(Some(&offered)));
    with_subnet_rules_from(arm, best.unwrap_or_else(|| NEWEST.to_owned()), ask).await
}

/// Asks with a version that shows subnet rules, and where the cloud refuses that, with the best that it then offers.
pub(crate) async fn with_subnet_rules_from<T, F: Future<Output = Result<T, ReadError>>>(
    arm: &Arm,
    mut version: String,
    ask: impl Fn(String) -> F,
) -> Versioned<Result<T, ReadError>> {
    let mut read = ask(version.clone()).await;
    if let Some(refusal) = read.as_ref().err().filter(|error| error.failure == ReadFailure::ApiVersion) {
        arm.note_offered_versions(&refusal.versions);
        let best = for_subnet_rules(arm.offered_versions().as_deref());
        if let Some(offered) = best.filter(|offered| *offered != version) {
            version = offered;
            read = ask(version.clone()).await;
        }
    }
    Versioned { version, read }
}

/// Asks with the newest version, and with what the cloud offers where it refuses that.
async fn negotiated<T: Refusal, F: Future<Output = T>>(arm: &Arm, ask: impl Fn(String) -> F) -> Versioned<T> {
    let mut version = match arm.offered_versions() {
        Some(offered) => candidates(Some(&offered)).into_iter().next().unwrap_or_else(|| NEWEST.to_owned()),
        None => NEWEST.to_owned(),
    };
    let mut read = ask(version.clone()).await;
    if let Some(refusal) = read.refusal() {
        arm.note_offered_versions(&refusal.versions);
        for candidate in candidates(arm.offered_versions().as_deref()) {
            version = candidate;
            read = ask(version.clone()).await;
            if read.refusal().is_none() {
                break;
            }
        }
    }
    Versioned { version, read }
}

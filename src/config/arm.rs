//! Requests to Azure Resource Manager: to its origin only, bounded, patient within the deadline, each path once.

mod pause;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use url::Url;

use pause::{jitter, retry_after, said_seconds};

use super::http::{BodyFailure, bounded_body, phrase};
use super::read_error::{ReadError, printable};
use super::sign_in::Session;
use super::versions::newest_stable;
use crate::facts::Known;
use crate::facts::config::{FailedRead, ReadFailure};
use crate::facts::timings::{StepKind, step};

/// One resource. The largest seen, a network security group with a thousand rules, stays below one MiB.
const DOCUMENT_LIMIT: usize = 4 << 20;
/// A page of a list; the list of service tags comes in one page of several MiB.
const PAGE_LIMIT: usize = 16 << 20;
/// ARM pages hold 50 to 1000 items: more pages than this is a server that never ends.
const MOST_PAGES: usize = 1000;
/// How often one request is sent at most.
const MOST_TRIES: u32 = 4;
/// The same in an inventory, where one page lost makes the whole report incomplete.
const MOST_TRIES_OF_INVENTORY: u32 = 12;
/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(30);

use traffic::Traffic;

type Memo = HashMap<String, Arc<OnceCell<Result<Arc<Value>, ReadError>>>>;

/// One run's conversation with ARM. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Arm(Arc<Inner>);

struct Inner {
    session: Session,
    deadline: Instant,
    most_tries: u32,
    traffic: Traffic,
    permits: Semaphore,
    failed: Mutex<Vec<FailedRead>>,
    memo: Mutex<Memo>,
    versions: Mutex<Option<Vec<String>>>,
}

impl std::fmt::Debug for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Arm")
    }
}

/// The items of a list: all of them, or those that came before an error.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) items: Vec<Value>,
    pub(crate) error: Option<ReadError>,
}

impl Listing {
    /// All items, or the error that cut the list short.
    pub(crate) fn complete(self) -> Result<Vec<Value>, ReadError> {
        self.error.map_or(Ok(self.items), Err)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Arm {
    pub(crate) fn new(session: &Session, within: Duration, max_in_flight: usize) -> Self {
        Self::with_tries(session, within, max_in_flight, MOST_TRIES)
    }

    /// A conversation that is long and in which no answer may be missing.
    pub(crate) fn of_inventory(session: &Session, within: Duration, max_in_flight: usize) -> Self {
        Self::with_tries(session, within, max_in_flight, MOST_TRIES_OF_INVENTORY)
    }

    fn with_tries(session: &Session, within: Duration, max_in_flight: usize, most_tries: u32) -> Self {
        Self(Arc::new(Inner {
            session: session.clone(),
            deadline: Instant::now() + within,
            most_tries,
            traffic: Traffic::default(),
            permits: Semaphore::new(max_in_flight.clamp(1, 256)),
            failed: Mutex::default(),
            memo: Mutex::default(),
            versions: Mutex::default(),
        }))
    }

    /// What went over the wire so far.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }

    /// The API versions of Microsoft.ContainerRegistry that ARM listed, once it refused one.
    pub(crate) fn offered_versions(&self) -> Option<Vec<String>> {
        lock(&self.0.versions).clone()
    }

    pub(crate) fn note_offered_versions(&self, versions: &[String]) {
        if !versions.is_empty() {
            *lock(&self.0.versions) = Some(versions.to_vec());
        }
    }

    /// The failed reads so far, each resource once.
    pub(crate) fn failed_reads(&self) -> Vec<FailedRead> {
        lock(&self.0.failed).clone()
    }

    /// Notes a read that did not succeed.
    pub(crate) fn note(&self, what: &str, error: &ReadError) {
        let mut failed = lock(&self.0.failed);
        let read = error.failed_read(what);
        if !failed.iter().any(|f| f.resource == read.resource && f.failure == read.failure) {
            failed.push(read);
        }
    }

    /// Turns a read into a fact, and notes it if it failed.
    pub(crate) fn known<T, U>(&self, what: &str, read: Result<T, ReadError>, fact: impl FnOnce(T) -> U) -> Known<U> {
        match read {
            Ok(value) => Known::Known(fact(value)),
            Err(error) => {
                self.note(what, &error);
                error.known()
            }
        }
    }

    /// A URL of ARM for this path.
    pub(crate) fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.0.session.cloud().resource_manager.clone();
        url.set_path(path);
        url.set_query(None);
        url.query_pairs_mut().extend_pairs(query);
        url
    }

    /// One document, asked for once in a run however many facts need it.
    pub(crate) async fn get(&self, path: &str, api_version: &str) -> Result<Arc<Value>, ReadError> {
        let cell = Arc::clone(lock(&self.0.memo).entry(path.to_ascii_lowercase()).or_default());
        cell.get_or_init(|| async { self.read(path, api_version).await.map(Arc::new) }).await.clone()
    }

    /// One document that nothing else in the run needs.
    pub(crate) async fn read(&self, path: &str, api_version: &str) -> Result<Value, ReadError> {
        let bytes = match self.fetch(self.url(path, &[("api-version", api_version)]), None, DOCUMENT_LIMIT).await {
            Err(error) if error.failure == ReadFailure::ApiVersion => {
                let other = newest_stable(&error.versions).ok_or(error)?;
                self.fetch(self.url(path, &[("api-version", &other)]), None, DOCUMENT_LIMIT).await?
            }
            other => other?,
        };
        object(path, &bytes)
    }

    /// Keeps a document that a list had whole, so that nothing asks for it again.
    pub(crate) fn remember(&self, path: &str, document: Value) {
        let cell = Arc::clone(lock(&self.0.memo).entry(path.to_ascii_lowercase()).or_default());
        // Whoever asks for it already gets an answer as good.
        let _ = cell.set(Ok(Arc::new(document)));
    }

    /// All pages of a list.
    pub(crate) async fn list(&self, path: &str, api_version: &str) -> Listing {
        let listing = self.pages(self.url(path, &[("api-version", api_version)])).await;
        match &listing.error {
            Some(error) if error.failure == ReadFailure::ApiVersion && listing.items.is_empty() => {
                let Some(other) = newest_stable(&error.versions) else { return listing };
                self.pages(self.url(path, &[("api-version", &other)])).await
            }
            _ => listing,
        }
    }

    /// All pages of a list that a filter narrows.
    pub(crate) async fn list_where(&self, path: &str, api_version: &str, filter: &str) -> Listing {
        self.pages(self.url(path, &[("api-version", api_version), ("$filter", filter)])).await
    }

    async fn pages(&self, first: Url) -> Listing {
        let mut listing = Listing::default();
        let mut seen = HashSet::new();
        let mut next = Some(first);
        while let Some(url) = next.take() {
            let resource = url.path().to_owned();
            if seen.len() >= MOST_PAGES || !seen.insert(url.to_string()) {
                listing.error = Some(malformed(&resource, "the list does not end: its nextLink leads back"));
                return listing;
            }
            let page = match self.page(url.clone()).await {
                Ok(page) => page,
                Err(error) => {
                    listing.error = Some(error);
                    return listing;
                }
            };
            match next_link(&page).map(|link| url.join(&link)) {
                Some(Ok(link)) => next = Some(link),
                Some(Err(_)) => listing.error = Some(malformed(&resource, "the list's nextLink is no URL")),
                None => {}
            }
            if let Value::Object(mut page) = page
                && let Some(Value::Array(items)) = page.remove("value")
            {
                listing.items.extend(items);
            }
        }
        listing
    }

    /// One page: an object whose `value` is a list.
    pub(crate) async fn page(&self, url: Url) -> Result<Value, ReadError> {
        let resource = url.path().to_owned();
        let page = object(&resource, &self.fetch(url, None, PAGE_LIMIT).await?)?;
        if page.get("value").is_some_and(Value::is_array) {
            Ok(page)
        } else {
            Err(malformed(&resource, "the answer has no list in 'value'"))
        }
    }

    /// The bytes of an answer as large as a page.
    pub(crate) async fn fetch_page(&self, url: Url) -> Result<Bytes, ReadError> {
        self.fetch(url, None, PAGE_LIMIT).await
    }

    /// An answer of Microsoft.ContainerRegistry: a page of a list, or one document.
    pub(crate) async fn registry_answer(&self, url: Url, is_list: bool) -> Result<Value, ReadError> {
        if is_list {
            return self.page(url).await;
        }
        let resource = url.path().to_owned();
        object(&resource, &self.fetch(url, None, DOCUMENT_LIMIT).await?)
    }

    /// A POST that reads (Resource Graph).
    pub(crate) async fn query(&self, path: &str, api_version: &str, body: &Value) -> Result<Value, ReadError> {
        let url = self.url(path, &[("api-version", api_version)]);
        self.0.traffic.quota_renewed(self.0.deadline).await;
        object(path, &self.fetch(url, Some(body), PAGE_LIMIT).await?)
    }

    /// Sends one request until it is answered, refused for good, or the deadline comes.
    pub(crate) async fn fetch(&self, url: Url, body: Option<&Value>, limit: usize) -> Result<Bytes, ReadError> {
        let resource = url.path().to_owned();
        self.check_origin(&url)?;
        let audience = &self.0.session.cloud().resource_manager_audience;
        let clients =
            self.0.session.clients().await.map_err(|why| ReadError::new(&resource, ReadFailure::Unreachable, why))?;
        let mut tries = 0;
        loop {
            tries += 1;
            // Before each try: a pause may outlast a token.
            let token = self.0.session.token(audience).await.map_err(|error| {
                ReadError::new(&resource, ReadFailure::Unauthorized, format!("not signed in: {error}"))
            })?;
            let mut request = clients.for_url(&url).request(method(body), url.clone()).bearer_auth(token.reveal());
            if let Some(body) = body {
                request = request.json(body);
            }
            let (error, pause) = match self.one_try(&resource, request, limit).await {
                Ok(bytes) => return Ok(bytes),
                Err(failed) => failed,
            };
            let Some(pause) = pause.filter(|_| tries < self.0.most_tries) else { return Err(error) };
            let pause = pause + jitter(pause);
            if Instant::now() + pause >= self.0.deadline {
                return Err(error);
            }
            tracing::debug!(%resource, ?pause, failure = %error.failure, "trying again");
            let _waiting = self.0.traffic.waiting();
            tokio::time::sleep(pause).await;
        }
    }

    /// One try; a failure comes with the pause after which another may help.
    async fn one_try(
        &self,
        resource: &str,
        request: reqwest::RequestBuilder,
        limit: usize,
    ) -> Result<Bytes, (ReadError, Option<Duration>)> {
        let late = || (ReadError::new(resource, ReadFailure::TimedOut, "no answer before the deadline"), None);
        let exchange = async {
            let _permit = self.0.permits.acquire().await;
            let host = self.0.session.cloud().resource_manager.host_str().unwrap_or_default();
            let _measured = step(StepKind::Arm, host, resource);
            self.0.traffic.sent();
            let response = request.send().await.map_err(|e| broken(resource, e))?;
            let status = response.status().as_u16();
            let quota = self.0.traffic.note_quota(response.headers(), Instant::now());
            let wait = retry_after(response.headers()).or(quota);
            let bytes = bounded_body(response, limit).await.map_err(|failure| match failure {
                BodyFailure::TooLarge => {
                    let words = format!("the answer is larger than {} MiB", limit >> 20);
                    (ReadError::new(resource, ReadFailure::TooLarge, words), None)
                }
                BodyFailure::Cut(why) => {
                    (malformed(resource, &format!("the answer broke off: {why}")), Some(Duration::from_millis(100)))
                }
            })?;
            match status {
                200..300 => Ok(bytes),
                300..400 => {
                    Err((malformed(resource, &format!("a redirect (HTTP {status}), which ARM never sends")), None))
                }
                _ => {
                    let error = ReadError::from_answer(resource, status, &bytes);
                    let pause = matches!(status, 429 | 500 | 502..=504)
                        .then(|| wait.or_else(|| said_seconds(&error.message)).unwrap_or(Duration::from_millis(500)));
                    Err((error, pause))
                }
            }
        };
        let limit = self.0.deadline.min(Instant::now() + TRY_LIMIT);
        tokio::time::timeout_at(limit, exchange).await.unwrap_or_else(|_| Err(late()))
    }

    /// The token goes to ARM's own origin, over https (or to this machine itself, where a cloud file says so).
    fn check_origin(&self, url: &Url) -> Result<(), ReadError> {
        let home = &self.0.session.cloud().resource_manager;
        if url.origin() != home.origin() {
            let words = format!(
                "the link leads to another host ({}): not followed, so that the token stays with Azure Resource Manager",
                printable(url.host_str().unwrap_or_default(), 100)
            );
            return Err(malformed(url.path(), &words));
        }
        let own = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            _ => false,
        };
        if url.scheme() != "https" && !own {
            let words = "the cloud's resourceManager is not https, and a token is not sent in clear";
            return Err(ReadError::new(url.path(), ReadFailure::Unreachable, words));
        }
        Ok(())
    }
}

fn method(body: Option<&Value>) -> reqwest::Method {
    if body.is_some() { reqwest::Method::POST } else { reqwest::Method::GET }
}

fn malformed(resource: &str, words: &str) -> ReadError {
    ReadError::new(resource, ReadFailure::Malformed, words)
}

fn broken(resource: &str, error: reqwest::Error) -> (ReadError, Option<Duration>) {
    let failure = if error.is_timeout() { ReadFailure::TimedOut } else { ReadFailure::Unreachable };
    // A connection that was made and then cut is worth one more; one that cannot be made is evidence.
    let pause = (!error.is_connect() && !error.is_timeout()).then_some(Duration::from_millis(100));
    (ReadError::new(resource, failure, phrase(error)), pause)
}

/// Reads a body that must be one JSON object.
pub(crate) fn object(resource: &str, bytes: &[u8]) -> Result<Value, ReadError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(malformed(resource, "an empty answer"));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match serde_json::from_slice(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(malformed(resource, "the answer is JSON and no object")),
        Err(_) if text.trim_ascii_start().starts_with(b"<") => {
            Err(malformed(resource, "the answer is HTML and not ARM's (a proxy or a captive portal may stand between)"))
        }
        Err(error) => Err(malformed(resource, &format!("the answer is no JSON: {error}"))),
    }
}

/// The page's continuation, if there is one.
pub(crate) fn next_link(page: &Value) -> Option<String> {
    page.get("nextLink").and_then(Value::as_str).filter(|link| !link.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
mod traffic;

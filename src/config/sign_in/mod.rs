//! Signing in to Microsoft Entra ID as the Azure CLI's users expect it: one credential, one token an audience.

mod chain;
mod identity_transport;
mod running_az;
mod tool_runner;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential};
use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::OnceCell;

use super::http::{Clients, HttpSettings};
use crate::facts::Cloud;
use crate::facts::config::{CredentialAttempt, SignIn};
use crate::facts::secret::Secret;
use crate::facts::timings::{StepKind, step};
use tool_runner::ToolAccount;

/// How long one credential source may take. The Azure CLI starts a Python: `azure_identity`'s own chain in other
/// languages gives it ten seconds too.
const SOURCE_LIMIT: Duration = Duration::from_secs(10);
/// A token is renewed this long before it ends.
const RENEW_BEFORE: time::Duration = time::Duration::minutes(5);

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignInError {
    /// No credential source gave one; each is named with its reason.
    #[error("no credential gave a token: {}", reasons(.attempts))]
    NoCredential {
        /// The sources in the order tried.
        attempts: Vec<CredentialAttempt>,
    },
    /// The credential that signed in gave none for this audience.
    #[error("{credential} gave no token for {audience}: {reason}")]
    Refused {
        /// The credential's name.
        credential: String,
        /// What the token was to be for.
        audience: String,
        /// The reason, without any secret.
        reason: String,
    },
}

fn reasons(attempts: &[CredentialAttempt]) -> String {
    attempts.iter().map(|a| format!("{}: {}", a.source, a.reason)).collect::<Vec<_>>().join("; ")
}

/// Environment variables: the process's, or a test's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(Option<BTreeMap<String, String>>);

impl Environment {
    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        Self(Some(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()))
    }

    /// The variable's value, if it is set and not empty.
    fn var(&self, name: &str) -> Option<String> {
        let value = match &self.0 {
            Some(variables) => variables.get(name).cloned(),
            None => std::env::var(name).ok(),
        };
        value.filter(|v| !v.trim().is_empty())
    }
}

/// The credential that gave a token first; all audiences use it.
#[derive(Debug)]
struct Chosen {
    name: &'static str,
    credential: Arc<dyn TokenCredential>,
    tried: Vec<CredentialAttempt>,
    first: (String, AccessToken),
}

type TokenSlot = Arc<tokio::sync::Mutex<Option<AccessToken>>>;

/// A signed-in session: lazy, one token an audience, renewed when it nears its end. Cheap to clone.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    cloud: Cloud,
    http: HttpSettings,
    tenant: Option<String>,
    subscription: Option<String>,
    environment: Environment,
    clients: OnceCell<Result<Clients, String>>,
    chosen: OnceCell<Result<Chosen, SignInError>>,
    tokens: Mutex<HashMap<String, TokenSlot>>,
    account: Arc<Mutex<Option<ToolAccount>>>,
    test_token: Option<Secret>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("cloud", &self.0.cloud.name).finish_non_exhaustive()
    }
}

impl Session {
    /// A session that does nothing until a token is asked for.
    ///
    /// `tenant` (`--tenant`) overrides `AZURE_TENANT_ID` and the Azure CLI's own.
    pub fn new(cloud: Cloud, http: HttpSettings, tenant: Option<String>) -> Self {
        Self::with(cloud, http, tenant, None, Environment::default())
    }

    /// The same session for one subscription (id or name): the Azure CLI then gives the token of its tenant.
    #[must_use]
    pub fn for_subscription(self, subscription: Option<String>) -> Self {
        let inner = &self.0;
        Self::with(
            inner.cloud.clone(),
            inner.http.clone(),
            inner.tenant.clone(),
            subscription,
            inner.environment.clone(),
        )
    }

    fn with(
        cloud: Cloud,
        http: HttpSettings,
        tenant: Option<String>,
        subscription: Option<String>,
        environment: Environment,
    ) -> Self {
        Self(Arc::new(Inner {
            cloud,
            http,
            tenant,
            subscription,
            environment,
            clients: OnceCell::new(),
            chosen: OnceCell::new(),
            tokens: Mutex::default(),
            account: Arc::default(),
            test_token: None,
        }))
    }

    /// A session of a test: this environment, and no other source of credentials than it names.
    #[cfg(test)]
    pub(crate) fn of_test(cloud: Cloud, environment: Environment) -> Self {
        Self::with(cloud, HttpSettings::default(), None, None, environment)
    }

    /// A session of a test that is signed in with this token.
    #[cfg(test)]
    pub(crate) fn signed_in(cloud: Cloud, token: &str) -> Self {
        let session = Self::of_test(cloud, Environment::of(&[]));
        let inner = Arc::into_inner(session.0).expect("not shared yet");
        Self(Arc::new(Inner { test_token: Some(Secret::new(token)), ..inner }))
    }

    /// The cloud that is signed in to.
    pub fn cloud(&self) -> &Cloud {
        &self.0.cloud
    }

    /// A bearer token for an audience such as `https://management.azure.com/`.
    ///
    /// # Errors
    /// [`SignInError`] with every source tried, or the reason why the chosen one has no token for this audience.
    pub async fn token(&self, audience: &str) -> Result<Secret, SignInError> {
        if let Some(token) = &self.0.test_token {
            return Ok(token.clone());
        }
        let scope = format!("{}/.default", audience.trim_end_matches('/'));
        let choose = async || {
            let _measured = self.measured(audience);
            self.choose(&scope).await
        };
        let chosen = self.0.chosen.get_or_init(choose).await.as_ref().map_err(Clone::clone)?;
        let slot = self.slot(&scope);
        let mut token = slot.lock().await;
        if token.is_none() && chosen.first.0 == scope {
            *token = Some(chosen.first.1.clone());
        }
        if let Some(current) = token.as_ref()
            && current.expires_on > OffsetDateTime::now_utc() + RENEW_BEFORE
        {
            return Ok(Secret::new(current.token.secret().to_owned()));
        }
        let refused = |reason: String| SignInError::Refused {
            credential: chosen.name.to_owned(),
            audience: audience.to_owned(),
            reason,
        };
        let scopes = [scope.as_str()];
        let _measured = self.measured(audience);
        let renewed = tokio::time::timeout(SOURCE_LIMIT, chosen.credential.get_token(&scopes, None))
            .await
            .map_err(|_| refused(chain::no_answer(SOURCE_LIMIT)))?
            .map_err(|e| refused(chain::plain_reason(&e.to_string())))?;
        let secret = Secret::new(renewed.token.secret().to_owned());
        *token = Some(renewed);
        Ok(secret)
    }

    fn measured(&self, audience: &str) -> tracing::Span {
        let authority = self.0.cloud.authority.host_str().unwrap_or_default();
        step(StepKind::SignIn, authority, &format!("a token for {audience}"))
    }

    /// Makes a connection to Azure Resource Manager before a token is there to ask it anything: a `HEAD /` without one.
    /// Requests that begin together later share it where it speaks HTTP/2.
    pub(crate) async fn connect_ahead(&self) {
        let root = &self.0.cloud.resource_manager;
        let Ok(clients) = self.clients().await else { return };
        let _measured = step(StepKind::Connect, root.host_str().unwrap_or_default(), "HEAD /");
        if let Err(error) = clients.for_url(root).head(root.clone()).send().await {
            // The first request with a token will say so where it matters.
            tracing::debug!(why = super::http::phrase(error), "no connection ahead of the sign-in");
        }
    }

    /// How the sign-in went so far, as a fact.
    pub fn sign_in(&self) -> SignIn {
        match self.0.chosen.get() {
            _ if self.0.test_token.is_some() => {
                SignIn::SignedIn { credential: "test".to_owned(), tenant: None, tried: Vec::new() }
            }
            None => SignIn::NotAttempted { why: "no token was asked for".to_owned() },
            Some(Ok(chosen)) => SignIn::SignedIn {
                credential: chosen.name.to_owned(),
                tenant: tenant_of(chosen.first.1.token.secret()).or_else(|| self.account()?.tenant),
                tried: chosen.tried.clone(),
            },
            Some(Err(SignInError::NoCredential { attempts })) => SignIn::Failed { attempts: attempts.clone() },
            Some(Err(SignInError::Refused { credential, reason, .. })) => SignIn::Failed {
                attempts: vec![CredentialAttempt {
                    source: credential.clone(),
                    reason: reason.clone(),
                    not_configured: false,
                }],
            },
        }
    }

    /// The subscription that the credential itself stands in: the Azure CLI's current one, or `AZURE_SUBSCRIPTION_ID`.
    pub fn default_subscription(&self) -> Option<String> {
        self.account()
            .and_then(|account| account.subscription)
            .or_else(|| self.0.environment.var("AZURE_SUBSCRIPTION_ID"))
            .map(|id| id.trim().to_ascii_lowercase())
    }

    fn account(&self) -> Option<ToolAccount> {
        self.0.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn slot(&self, scope: &str) -> TokenSlot {
        let mut tokens = self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tokens.entry(scope.to_owned()).or_default())
    }

    /// The clients, built when first needed.
    pub(crate) async fn clients(&self) -> Result<&Clients, String> {
        let build = || async {
            self.0.http.clients().map_err(|error| {
                let cause = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
                format!("{error}{cause}")
            })
        };
        self.0.clients.get_or_init(build).await.as_ref().map_err(Clone::clone)
    }
}

/// The tenant that an access token was issued by (claim `tid`); the token is not verified, only shown from.
fn tenant_of(token: &str) -> Option<String> {
    use base64::Engine as _;
    let payload = token.split('.').nth(1)?;
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&json).ok()?;
    Some(super::read_error::printable(claims.get("tid")?.as_str()?, 64))
}

#[cfg(test)]
mod tests;

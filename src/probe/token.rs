//! Challenge and tokens (docs: "Azure Container Registry OAuth2", github.com/Azure/acr AAD-OAuth).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use tokio::time::Instant as Deadline;
use url::Url;

use super::credential::{self, DockerCredential};
use super::exchange::{Ask, Connection, Raw};
use super::request::{EntraTokens, ProbeRequest};
use super::runtime::own_client_files;
use crate::facts::http::{AuthObservation, CredentialKind, EntraIdentity, HttpAnswer, HttpObservation, HttpOutcome};
use crate::facts::report::StageStatus;
use crate::facts::{Cloud, EndpointObservation, Fqdn, Known, Secret};

/// How long a credential helper may take.
const HELPER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// What authentication gave: the observation, and a token for the image if one was asked for.
pub struct Tokens {
    /// For the facts.
    pub observation: Known<AuthObservation>,
    /// The registry's access token.
    pub access: Option<Secret>,
}

impl Tokens {
    /// No token, for a reason.
    pub fn none(why: &str) -> Self {
        Self { observation: Known::unknown(why), access: None }
    }

    /// Whether the registry took the credential; skipped where none was offered.
    pub fn status(&self) -> StageStatus {
        let Known::Known(seen) = &self.observation else { return StageStatus::Skipped };
        let is_success = |http: &HttpObservation| matches!(&http.outcome, HttpOutcome::Answered(answer) if matches!(answer.status, 200..300));
        let held = seen.exchange.iter().chain(&seen.token).all(is_success);
        if held { StageStatus::Ok } else { StageStatus::Failed }
    }
}

/// Answers the login server's challenge over a connection to its realm's host: Entra token, `/oauth2/exchange`, and for `--image` `/oauth2/token`.
///
/// Without `--image` nothing is asked beyond the exchange, unless the request names a scope: the exchange proves the
/// identity, and a token would prove no more.
pub async fn authenticate(
    request: &ProbeRequest,
    login: &EndpointObservation,
    connection: &mut Connection,
    entra: Option<&dyn EntraTokens>,
    deadline: Deadline,
) -> Tokens {
    let Some(answer) = answered(login) else { return Tokens::none("the login server gave no challenge") };
    if answer.status != 401 || answer.challenge.as_ref().is_none_or(|c| !c.scheme.eq_ignore_ascii_case("bearer")) {
        return Tokens::none("the login server gave no bearer challenge");
    }
    let service = answer.challenge.as_ref().and_then(|c| c.service.clone()).unwrap_or_else(|| login.host.to_string());
    if realm_host(login, &request.cloud).is_none() {
        return Tokens::none("the challenge's realm is no registry's host, and a token is sent nowhere else");
    }
    let mut seen = AuthObservation {
        credential: CredentialKind::Anonymous,
        audience: None,
        identity: None,
        exchange: None,
        token: None,
        scope: request.image.as_ref().map(|i| format!("repository:{}:pull", i.repository())),
        granted: Known::unknown("no token was asked for"),
    };
    let (grant, why) = match from_entra(request, entra, &mut seen, connection, &service, deadline).await {
        Ok(Some(refresh)) => (Some(DockerCredential::RefreshToken(refresh)), None),
        // Refused: that answer is the evidence, and no other credential is tried.
        Ok(None) => return Tokens { observation: Known::Known(seen), access: None },
        Err(why) => (from_docker(request, &mut seen, deadline).await, Some(why)),
    };
    if grant.is_some() && seen.scope.is_none() {
        seen.scope = request.token_scope.map(str::to_owned);
    }
    let access = match seen.scope.clone() {
        None if grant.is_none() => return Tokens::none(&why.unwrap_or_else(|| "no credential".to_owned())),
        None => None,
        Some(scope) => {
            let (observation, raw) = token(connection, &service, &scope, grant.as_ref(), deadline).await;
            seen.token = Some(observation);
            let access = raw.and_then(|raw| secret_of(&raw, "access_token"));
            seen.granted = match &access {
                None => Known::unknown("no token was given"),
                Some(_) if request.image.is_none() => Known::unknown("the token is for no repository"),
                Some(access) => granted(access),
            };
            access
        }
    };
    Tokens { observation: Known::Known(seen), access }
}

/// The refresh token for an Entra token; `None` if the registry refused it, and why there was none to try.
async fn from_entra(
    request: &ProbeRequest,
    entra: Option<&dyn EntraTokens>,
    seen: &mut AuthObservation,
    connection: &mut Connection,
    service: &str,
    deadline: Deadline,
) -> Result<Option<Secret>, String> {
    let Some(source) = entra else { return Err("not signed in, and no --image to pull anonymously".to_owned()) };
    let audience = request.registry_audience.clone();
    let token = match tokio::time::timeout_at(deadline, source.token(&audience)).await {
        Err(_) => return Err(format!("no Entra token for {audience} in time")),
        Ok(Err(why)) => return Err(format!("no Entra token for {audience}: {why}")),
        Ok(Ok(token)) => token,
    };
    seen.credential = CredentialKind::Entra;
    seen.audience = Some(audience);
    seen.identity = identity(&token);
    let (observation, raw) = exchange(connection, service, &token, deadline).await;
    seen.exchange = Some(observation);
    Ok(raw.and_then(|raw| secret_of(&raw, "refresh_token")))
}

/// Docker's credential, else podman's, for a pull only: one that ran out years ago says nothing about the network.
async fn from_docker(
    request: &ProbeRequest,
    seen: &mut AuthObservation,
    deadline: Deadline,
) -> Option<DockerCredential> {
    request.image.as_ref()?;
    let deadline = deadline.min(Deadline::now() + HELPER_PATIENCE);
    for config in own_client_files() {
        if let Some(found) = credential::find(&config, &request.login_server, deadline).await {
            seen.credential = found.kind(&request.login_server);
            return Some(found);
        }
    }
    None
}

fn answered(endpoint: &EndpointObservation) -> Option<&HttpAnswer> {
    match &endpoint.http.as_ref()?.outcome {
        HttpOutcome::Answered(answer) => Some(answer),
        HttpOutcome::TimedOut | HttpOutcome::Closed | HttpOutcome::Malformed(_) => None,
    }
}

/// The host of the challenge's realm, where tokens are given: the login server's own, or another of the cloud's registry
/// hosts (the two need not be equal). Credentials go to no other host, and never without TLS.
pub fn realm_host(login: &EndpointObservation, cloud: &Cloud) -> Option<Fqdn> {
    let realm = answered(login)?.challenge.as_ref()?.realm.as_deref()?;
    let url =
        Url::parse(realm).ok().filter(|url| url.scheme() == "https" && url.port_or_known_default() == Some(443))?;
    let host: Fqdn = url.host_str()?.parse().ok()?;
    (host == login.host || host.is_within(&cloud.registry_suffix)).then_some(host)
}

async fn exchange(
    connection: &mut Connection,
    service: &str,
    entra: &Secret,
    deadline: Deadline,
) -> (HttpObservation, Option<Raw>) {
    let tenant = claim(entra, "tid").and_then(|v| v.as_str().map(str::to_owned));
    let mut fields = vec![("grant_type", "access_token"), ("service", service)];
    if let Some(tenant) = &tenant {
        fields.push(("tenant", tenant));
    }
    fields.push(("access_token", entra.reveal()));
    connection.send(Ask::form("/oauth2/exchange", &fields), deadline).await
}

async fn token(
    connection: &mut Connection,
    service: &str,
    scope: &str,
    grant: Option<&DockerCredential>,
    deadline: Deadline,
) -> (HttpObservation, Option<Raw>) {
    let by_query = || {
        let pairs = [("service", service), ("scope", scope)];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Ask::get(format!("/oauth2/token?{query}"))
    };
    let ask = match grant {
        Some(DockerCredential::RefreshToken(refresh)) => {
            let fields = [
                ("grant_type", "refresh_token"),
                ("service", service),
                ("scope", scope),
                ("refresh_token", refresh.reveal()),
            ];
            Ask::form("/oauth2/token", &fields)
        }
        Some(DockerCredential::Password { user, password }) => {
            let pair = STANDARD.encode(format!("{user}:{}", password.reveal()));
            by_query().header("authorization", format!("Basic {pair}"))
        }
        None => by_query(),
    };
    connection.send(ask, deadline).await
}

fn secret_of(raw: &Raw, field: &str) -> Option<Secret> {
    if !raw.status.is_success() {
        return None;
    }
    let json: Value = serde_json::from_slice(&raw.body).ok()?;
    json.get(field)?.as_str().map(Secret::new)
}

/// A claim of a JSON Web Token, unverified: it is read to be reported, not to be trusted.
fn claim(token: &Secret, name: &str) -> Option<Value> {
    let payload = token.reveal().split('.').nth(1)?;
    let json: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()?;
    json.get(name).cloned()
}

/// Whose token it is. An object id is a GUID: anything else is not one that a command could be given.
fn identity(token: &Secret) -> Option<EntraIdentity> {
    let text = |name| claim(token, name)?.as_str().map(str::to_owned);
    let is_guid = |id: &String| id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let kind = text("idtyp").filter(|kind| kind == "user" || kind == "app");
    Some(EntraIdentity { object_id: text("oid").filter(is_guid)?, kind })
}

/// The actions of `access[]`.
fn granted(token: &Secret) -> Known<Vec<String>> {
    let Some(Value::Array(access)) = claim(token, "access") else {
        return Known::unknown("the token has no readable access claim");
    };
    let actions = access
        .iter()
        .filter_map(|a| a.get("actions")?.as_array())
        .flatten()
        .filter_map(|a| a.as_str().map(str::to_owned));
    Known::Known(actions.collect())
}

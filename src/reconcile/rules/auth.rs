//! What looks like a network problem and is not: credentials and tokens.

use crate::facts::http::{AuthObservation, HttpAnswer, HttpObservation, HttpOutcome};
use crate::facts::registry::Switch;
use crate::facts::{Fix, Stage};
use crate::reconcile::case::Case;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

pub(super) static RULES: &[&Rule] = &[&TOKEN_EXCHANGE_FAILED];

/// The answer to a request, if there was one.
pub(super) fn answer(observation: &HttpObservation) -> Option<&HttpAnswer> {
    match &observation.outcome {
        HttpOutcome::Answered(answer) => Some(answer),
        HttpOutcome::TimedOut | HttpOutcome::Closed | HttpOutcome::Malformed(_) => None,
    }
}

pub(super) fn auth<'a>(case: &Case<'a>) -> Option<&'a AuthObservation> {
    case.probe?.auth.known()
}

declare_finding! {
    /// The registry refuses to exchange a good Microsoft Entra token.
    ///
    /// ## Why it matters
    /// The network is fine; the identity has no role on the registry, or the token's kind is not accepted.
    ///
    /// ## How it shows
    /// - az: `CONNECTIVITY_REFRESH_TOKEN_ERROR`, `Access to registry 'x' was denied. Response code: 401`
    /// - kubelet: `failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized`
    ///
    /// ## What decides it
    /// `/v2/` gives its challenge, Entra ID gives a token, and `POST /oauth2/exchange` answers otherwise than 200.
    /// A refusal of ARM-audience tokens by policy is `auth/arm-audience-disabled`.
    ///
    /// ## Fix
    /// A role such as AcrPull for the identity on this registry.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login>
    TOKEN_EXCHANGE_FAILED = "auth/token-exchange-failed", Error, article "container-registry-troubleshoot-login",
    explains [], token_exchange_failed;
}

fn token_exchange_failed(case: &Case<'_>) -> Vec<Draft> {
    let (Some(login), Some(auth)) = (case.login(), auth(case)) else {
        return Vec::new();
    };
    let Some(exchange) = &auth.exchange else {
        return Vec::new();
    };
    let status = answer(exchange).map(|a| a.status);
    let throttled = status.is_some_and(|s| s == 429 || s >= 500);
    let denied = answer(exchange).is_some_and(|a| a.denied_client.is_some());
    if status.is_some_and(|s| (200..300).contains(&s)) || throttled || denied || arm_audience_refused(case, auth) {
        return Vec::new();
    }
    let draft = Draft::new(
        format!("{} refuses to exchange the Entra token", login.host),
        "The network is fine: the registry gave its challenge. It does not take this identity's token, which most often means that the identity has no role on it.",
    )
    .about([&login.host])
    .seen([evidence::probe(&login.host, Stage::Auth, format!("POST /oauth2/exchange: {}", evidence::http_line(exchange)))]);
    let other_audience =
        auth.audience.as_deref().is_some_and(|a| plain(a) != plain(&case.config.cloud.registry_audience));
    let policy_known = case.registry.is_some_and(|r| r.arm_audience_tokens.is_known());
    let draft = if other_audience && !policy_known { draft.likely() } else { draft };
    vec![draft.mend([super::auth_identity::assign(case, "AcrPull")]).mend(pull_role(case))]
}

/// Whether the refusal is the policy's against ARM-audience tokens.
pub(super) fn arm_audience_refused(case: &Case<'_>, auth: &AuthObservation) -> bool {
    let arm = auth.audience.as_deref().is_some_and(|a| plain(a) != plain(&case.config.cloud.registry_audience));
    let policy = case.registry.and_then(|r| r.arm_audience_tokens.known());
    arm && policy == Some(&Switch::Disabled)
}

/// An audience without what tools append to it.
fn plain(audience: &str) -> &str {
    audience.trim_end_matches("/.default").trim_end_matches('/')
}

pub(super) fn pull_role(case: &Case<'_>) -> Vec<Fix> {
    let check = Fix::command("See which identity is signed in", "az account show");
    match case.registry {
        Some(registry) => {
            let mut words =
                vec!["az", "role", "assignment", "list", "--scope", registry.id.as_str(), "--include-inherited"];
            if let Some(identity) = auth(case).and_then(|seen| seen.identity.as_ref()) {
                words.extend(["--assignee-object-id", &identity.object_id]);
            }
            words.extend(["--output", "table"]);
            vec![Fix::command("See which roles this identity has on the registry", command::line(words)), check]
        }
        None => vec![check],
    }
}

//! What a probe met, in the lines and error titles of `az acr check-health` (azure-cli 2.91: its order and wording),
//! each error with the findings that say why.

use std::net::IpAddr;

use crate::facts::http::{AuthObservation, HttpAnswer, HttpOutcome};
use crate::facts::tls::TlsOutcome;
use crate::facts::{
    ConfigFacts, EndpointObservation, EndpointRole, Finding, Fqdn, Known, ProbeFacts, RegistryConfig, Report,
    ResourceId,
};

/// One line of the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthLine {
    /// Printed with `: OK` behind it.
    Passed(String),
    /// Neither good nor bad.
    Note(String),
    /// The check failed.
    Failed(HealthError),
}

/// A failed check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthError {
    /// az's title, such as `CONNECTIVITY_DNS_ERROR`; none where az has none.
    pub title: Option<&'static str>,
    /// The text below it.
    pub text: String,
}

impl HealthError {
    /// An error with one of az's titles.
    pub fn new(title: &'static str, text: impl Into<String>) -> Self {
        Self { title: Some(title), text: text.into() }
    }

    /// An error that az says without a title.
    pub fn untitled(text: impl Into<String>) -> Self {
        Self { title: None, text: text.into() }
    }
}

fn failed(title: &'static str, text: String) -> HealthLine {
    HealthLine::Failed(HealthError::new(title, text))
}

/// Name resolution, challenge, tokens and the encryption's identity, as far as the ladder was climbed.
///
/// `repository` is the one named with `--repository`; without it the access token is for none.
pub fn registry_lines(
    config: &ConfigFacts,
    probe: &ProbeFacts,
    report: &Report,
    repository: Option<&str>,
) -> Vec<HealthLine> {
    let registry = config.registries.first();
    let host = registry.map_or(&probe.login_server, |r| &r.login_server);
    let seen = probe
        .endpoints
        .iter()
        .find(|e| e.host == *host)
        .or_else(|| probe.endpoints.iter().find(|e| e.role == EndpointRole::Login));
    let mut lines = Vec::new();
    match seen {
        Some(seen) => match connection(seen, &mut lines) {
            Ok(()) => tokens(probe, host.as_str(), repository, registry, &mut lines),
            Err(error) => lines.push(HealthLine::Failed(error)),
        },
        None => lines.push(HealthLine::Failed(dns_error(host.as_str()))),
    }
    let lost = |f: &Finding| f.code.as_str() == "auth/encryption-identity-missing";
    if report.registries.iter().flat_map(|r| &r.findings).any(lost) {
        let name = registry.map_or(host.as_str(), |r| r.name.as_str());
        lines.push(failed("CMK_ERROR", format!("The identity used for registry '{name}' encryption doesn't exist.")));
    }
    lines
}

fn dns_error(host: &str) -> HealthError {
    HealthError::new(
        "CONNECTIVITY_DNS_ERROR",
        format!(
            "Failed to reach DNS for registry '{host}'. Please check if the spelling is correct, if the CLI environment \
         is on correct cloud and your network connectivity."
        ),
    )
}

/// From the name to the challenge.
fn connection(seen: &EndpointObservation, lines: &mut Vec<HealthLine>) -> Result<(), HealthError> {
    let host = seen.host.as_str();
    let dns = seen.dns.as_ref().or_else(|| seen.without_proxy.as_ref().map(|direct| &direct.dns));
    match dns.and_then(|dns| dns.answer.ips().next()) {
        Some(ip) => lines.push(HealthLine::Passed(format!("DNS lookup to {host} at IP {ip}"))),
        // Behind a proxy the name is the proxy's to resolve.
        None if seen.tls.is_some() => lines.push(HealthLine::Note(format!("{host} is resolved by the proxy"))),
        None => return Err(dns_error(host)),
    }
    let tls = seen.tls.as_ref().map(|tls| &tls.outcome);
    if tls.is_some_and(|outcome| !matches!(outcome, TlsOutcome::Established | TlsOutcome::Reset | TlsOutcome::TimedOut))
    {
        return Err(HealthError::new(
            "CONNECTIVITY_SSL_ERROR",
            format!("Unable to establish a secure connection to the registry '{host}'. Are you using a proxy server?"),
        ));
    }
    let no_challenge =
        || HealthError::new("CONNECTIVITY_CHALLENGE_ERROR", format!("Registry '{host}' did not issue a challenge."));
    let answer = seen.http.as_ref().and_then(|http| answered(&http.outcome)).ok_or_else(no_challenge)?;
    if answer.status == 403 {
        let name = seen.host.first_label();
        return Err(HealthError::new(
            "CONNECTIVITY_FORBIDDEN_ERROR",
            format!(
                "Looks like you don't have access to registry '{host}'. To see configured firewall rules, run 'az acr show \
             --query networkRuleSet --name {name}'. Details: https://learn.microsoft.com/azure/container-registry/\
             container-registry-health-error-reference#connectivity_forbidden_error"
            ),
        ));
    }
    let challenge = answer.challenge.as_ref().filter(|_| answer.status == 401).ok_or_else(no_challenge)?;
    lines.push(HealthLine::Passed(format!("Challenge endpoint https://{host}/v2/")));
    if !challenge.scheme.eq_ignore_ascii_case("bearer") || challenge.realm.is_none() || challenge.service.is_none() {
        let text = format!("Registry '{host}' does not support AAD login.");
        return Err(HealthError::new("CONNECTIVITY_AAD_LOGIN_ERROR", text));
    }
    Ok(())
}

fn answered(outcome: &HttpOutcome) -> Option<&HttpAnswer> {
    match outcome {
        HttpOutcome::Answered(answer) => Some(answer),
        HttpOutcome::TimedOut | HttpOutcome::Closed | HttpOutcome::Malformed(_) => None,
    }
}

/// From the Entra token to the registry's own.
fn tokens(
    probe: &ProbeFacts,
    host: &str,
    repository: Option<&str>,
    registry: Option<&RegistryConfig>,
    lines: &mut Vec<HealthLine>,
) {
    let auth = match &probe.auth {
        Known::Known(auth) => auth,
        Known::Unknown(missing) => {
            let text = format!("Please run 'az login' to setup account.\nacr-doctor: {}", missing.why);
            lines.push(HealthLine::Failed(HealthError::untitled(text)));
            return;
        }
    };
    if let Some(exchange) = &auth.exchange {
        let status = answered(&exchange.outcome).map(|answer| answer.status);
        match status {
            Some(200) => lines.push(HealthLine::Passed(format!("Fetch refresh token for registry '{host}'"))),
            Some(429) => {
                return lines.push(failed("CONNECTIVITY_TOOMANYREQUESTS_ERROR", format!(
                    "Too many requests, access to registry '{host}' was denied. Please wait a moment before trying again."
                )));
            }
            other => return lines.push(failed("CONNECTIVITY_REFRESH_TOKEN_ERROR", denied(host, other))),
        }
    }
    lines.push(access(auth, host, repository));
    if repository.is_none() && registry.is_some_and(is_abac) {
        lines.push(HealthLine::Note(
            "Note: Please run the command with the '--repository' flag to check your read and write access to a \
             specific repository."
                .to_owned(),
        ));
    }
}

fn is_abac(registry: &RegistryConfig) -> bool {
    registry.role_assignment_mode.known().is_some_and(|mode| mode == "AbacRepositoryPermissions")
}

fn denied(host: &str, status: Option<u16>) -> String {
    let code = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    format!(
        "Access to registry '{host}' was denied. Response code: {code}. Please try running 'az login' again to refresh \
         permissions."
    )
}

fn access(auth: &AuthObservation, host: &str, repository: Option<&str>) -> HealthLine {
    const TITLE: &str = "CONNECTIVITY_ACCESS_TOKEN_ERROR";
    let status = auth.token.as_ref().and_then(|token| answered(&token.outcome)).map(|answer| answer.status);
    if status != Some(200) {
        return failed(TITLE, denied(host, status));
    }
    match auth.granted.known() {
        Some(granted) if !granted.iter().any(|action| action == "pull" || action == "*") => {
            let own = if granted.is_empty() { "no".to_owned() } else { granted.join(", ") };
            failed(
                TITLE,
                format!("You have {own} permissions to the repository. You are lacking pull repository permissions."),
            )
        }
        _ => HealthLine::Passed(match repository {
            Some(repository) => format!("Fetch access token for repository '{repository}' in registry '{host}'"),
            None => format!("Fetch access token for registry '{host}'"),
        }),
    }
}

/// Whether the registry's names lead to its private endpoint in `vnet` (`--vnet`).
pub fn private_routing(registry: &RegistryConfig, probe: &ProbeFacts, vnet: &ResourceId) -> Vec<HealthLine> {
    if registry.private_endpoint_connections.known().is_some_and(Vec::is_empty) {
        let text = format!("Registry \"{}\" doesn't have private endpoints to verify DNS routings.", registry.name);
        return vec![HealthLine::Failed(HealthError::untitled(text))];
    }
    let endpoints = registry.private_endpoint_connections.known().into_iter().flatten();
    let endpoints = endpoints.filter_map(|c| c.private_endpoint.known().cloned().flatten());
    let here: Vec<_> = endpoints.filter(|e| e.virtual_network().is_some_and(|v| v.key() == vnet.key())).collect();
    let addresses = here.iter().flat_map(|e| e.addresses.known().into_iter().flatten());
    let expected: Vec<_> = addresses.flat_map(|a| a.fqdns.iter().map(move |fqdn| (fqdn, a.address))).collect();
    if expected.is_empty() {
        let text = format!(
            "Registry \"{}\" doesn't have private endpoints in the vnet of \"{vnet}\". Please make sure you provided \
             correct vnet",
            registry.name
        );
        return vec![HealthLine::Failed(HealthError::untitled(text))];
    }
    let actual = |fqdn: &Fqdn| -> Vec<IpAddr> {
        let seen = probe.endpoints.iter().find(|e| e.host == *fqdn);
        seen.and_then(|e| e.dns.as_ref()).map(|dns| dns.answer.ips().collect()).unwrap_or_default()
    };
    let wrong = |(fqdn, address): &(&Fqdn, IpAddr)| {
        let found = actual(fqdn);
        let text = match found.first() {
            Some(first) if !found.contains(address) => format!(
                "DNS routing to registry \"{}\" ({fqdn}) through private IP is incorrect. Expect: {address}, Actual: {first}",
                registry.name
            ),
            Some(_) => return None,
            None => format!("Error resolving DNS for {fqdn}. Ex: no address"),
        };
        Some(HealthLine::Note(text))
    };
    let mut lines: Vec<_> = expected.iter().filter_map(wrong).collect();
    lines.push(if lines.is_empty() {
        HealthLine::Passed("DNS routing to private endpoint".to_owned())
    } else {
        HealthLine::Failed(HealthError::untitled("DNS routing verification failed"))
    });
    lines
}

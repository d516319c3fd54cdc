//! Credentials, permissions and identities: the network is fine.

use crate::facts::http::CredentialKind;
use crate::facts::{Change, Fix, Stage};
use crate::reconcile::case::Case;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

use super::auth::{answer, arm_audience_refused, auth, pull_role};
use super::client::runtime;

pub(super) static RULES: &[&Rule] =
    &[&NOT_NETWORK, &REPOSITORY_PERMISSION, &ARM_AUDIENCE_DISABLED, &ADMIN_USER_ONLY, &ENCRYPTION_IDENTITY_MISSING];

/// A credential in words.
fn credential(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Entra => "the Microsoft Entra identity",
        CredentialKind::Docker => "the stored user name and password",
        CredentialKind::AdminUser => "the admin user's password",
        CredentialKind::Anonymous => "an anonymous client",
    }
}

/// The program that stores passwords on this host; podman and docker take the same arguments.
fn login_program(case: &Case<'_>) -> &'static str {
    let found = |name: &str| runtime(case).is_some_and(|runtime| runtime.found.iter().any(|found| found == name));
    if found("podman") && !found("docker") { "podman" } else { "docker" }
}

declare_finding! {
    /// The registry answers, and refuses the credential: this is no network problem.
    ///
    /// ## Why it matters
    /// DNS, firewall, TLS and the registry's network rules are all right. What is wrong is the user name, the password, or
    /// what the identity may do.
    ///
    /// ## How it shows
    /// - docker: `unauthorized: authentication required, visit https://aka.ms/acr/authorization for more information.`
    /// - docker: `Error response from daemon: Get "https://myregistry.azurecr.io/v2/": unauthorized`
    ///
    /// ## What decides it
    /// `/v2/` gives its challenge, and the token service answers 401 to the credential. (An anonymous client that is refused
    /// says nothing; a refused exchange of an Entra token is `auth/token-exchange-failed`.)
    ///
    /// ## Fix
    /// Log in again; check the password's age and the identity's roles.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login>
    NOT_NETWORK = "auth/not-network", Error, article "container-registry-troubleshoot-login",
    explains ["auth/repository-permission"], not_network;
}

fn not_network(case: &Case<'_>) -> Vec<Draft> {
    let (Some(login), Some(auth)) = (case.login(), auth(case)) else {
        return Vec::new();
    };
    let Some(token) = &auth.token else {
        return Vec::new();
    };
    let refused = answer(token).is_some_and(|a| a.status == 401 && a.denied_client.is_none());
    let exchanged = auth.exchange.as_ref().is_none_or(|e| answer(e).is_some_and(|a| (200..300).contains(&a.status)));
    if !refused || !exchanged || auth.credential == CredentialKind::Anonymous || !case.login_symptom().is_reached() {
        return Vec::new();
    }
    let name = command::name_in(&login.host);
    let again = match auth.credential {
        CredentialKind::Entra => Fix::command("Log in again", command::line(["az", "acr", "login", "-n", name])),
        _ => Fix::command("Log in again", command::line([login_program(case), "login", login.host.as_str()])),
    };
    vec![
        Draft::new(
            format!("{} refuses the credential, not the network", login.host),
            format!("The registry gave its challenge and answers 401 to {}.", credential(auth.credential)),
        )
        .about([&login.host])
        .seen([evidence::probe(
            &login.host,
            Stage::Auth,
            format!("{} {}: {}", token.method, token.path, evidence::http_line(token)),
        )])
        .mend([again])
        .mend(pull_role(case)),
    ]
}

declare_finding! {
    /// The token for the image's repository does not allow to pull.
    ///
    /// ## Why it matters
    /// Login works, and the pull of this image is refused. Other repositories may work.
    ///
    /// ## How it shows
    /// - docker: `denied: requested access to the resource is denied`
    /// - kubelet: `failed to authorize: … insufficient_scope`
    ///
    /// ## What decides it
    /// The token service gave a token, and its claims lack the action `pull` on the repository of `--image`. An identity that
    /// may pull and not push is as it should be.
    ///
    /// ## Fix
    /// A role that reads this repository: AcrPull, or Container Registry Repository Reader where the registry uses
    /// repository permissions.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions>
    REPOSITORY_PERMISSION = "auth/repository-permission", Warning,
    article "container-registry-rbac-abac-repository-permissions", explains [], repository_permission;
}

fn repository_permission(case: &Case<'_>) -> Vec<Draft> {
    let (Some(login), Some(auth)) = (case.login(), auth(case)) else {
        return Vec::new();
    };
    let Some(granted) = auth.granted.known() else {
        return Vec::new();
    };
    let may_pull = granted.iter().any(|a| a.eq_ignore_ascii_case("pull") || a == "*");
    let got_token = auth.token.as_ref().and_then(answer).is_some_and(|a| (200..300).contains(&a.status));
    if may_pull || !got_token {
        return Vec::new();
    }
    let scope = auth.scope.as_deref().unwrap_or("the repository");
    let repository = scope.split(':').nth(1).unwrap_or(scope);
    let abac = case
        .registry
        .and_then(|r| r.role_assignment_mode.known())
        .is_some_and(|m| m.eq_ignore_ascii_case("AbacRepositoryPermissions"));
    let role = if abac { "Container Registry Repository Reader" } else { "AcrPull" };
    vec![
        Draft::new(
            format!("The identity may not pull '{repository}'"),
            format!(
                "The token for {scope} grants {}, not pull; the role {role} is missing.",
                if granted.is_empty() { "nothing".to_owned() } else { granted.join(", ") }
            ),
        )
        .about([&login.host])
        .seen([evidence::probe(&login.host, Stage::Auth, evidence::list(granted))])
        .mend([assign(case, role)]),
    ]
}

/// The role, for the identity whose token the registry was shown. Another one may be signed in where the command is pasted.
pub(super) fn assign(case: &Case<'_>, role: &str) -> Fix {
    let identity = auth(case).and_then(|seen| seen.identity.as_ref());
    let (Some(registry), Some(identity)) = (case.registry, identity) else {
        return Fix::advice(format!("Give the identity that logs in here the role {role} on the registry"));
    };
    let mut words = vec!["az", "role", "assignment", "create", "--assignee-object-id", &identity.object_id];
    match identity.kind.as_deref() {
        Some("app") => words.extend(["--assignee-principal-type", "ServicePrincipal"]),
        Some("user") => words.extend(["--assignee-principal-type", "User"]),
        _ => {}
    }
    words.extend(["--role", role, "--scope", registry.id.as_str()]);
    Fix::command(format!("Give the identity {} the role {role}", identity.object_id), command::line(words))
        .change(Change::Grant {
            scopes: vec![registry.id.to_string()],
            role: Some(role.to_owned()),
            actions: vec!["pull".to_owned(), "metadata_read".to_owned()],
        })
        .iac("Microsoft.Authorization/roleAssignments", "azurerm_role_assignment")
}

declare_finding! {
    /// The registry does not take tokens for Azure Resource Manager, and the client sent one.
    ///
    /// ## Why it matters
    /// Older tools exchange an ARM token for a registry token. Where the policy is off, only tokens for the registry's own
    /// audience are taken, and every other login fails.
    ///
    /// ## How it shows
    /// - az: `CONNECTIVITY_REFRESH_TOKEN_ERROR`, `Access to registry 'x' was denied. Response code: 401`
    /// - az: `AADSTS…` does not appear: Entra ID gave the token
    ///
    /// ## What decides it
    /// `POST /oauth2/exchange` refuses a token whose audience is not the registry's, and the registry's
    /// `azureADAuthenticationAsArmPolicy` is disabled.
    ///
    /// ## Fix
    /// A token for the registry's own audience (a newer tool), or the policy enabled again.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-disable-authentication-as-arm>
    ARM_AUDIENCE_DISABLED = "auth/arm-audience-disabled", Error, article "container-registry-disable-authentication-as-arm",
    explains ["auth/token-exchange-failed"], arm_audience_disabled;
}

fn arm_audience_disabled(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some(login), Some(auth)) = (case.registry, case.login(), auth(case)) else {
        return Vec::new();
    };
    let Some(exchange) = &auth.exchange else {
        return Vec::new();
    };
    let refused = answer(exchange).is_some_and(|a| matches!(a.status, 400 | 401 | 403) && a.denied_client.is_none());
    if !refused || !arm_audience_refused(case, auth) {
        return Vec::new();
    }
    let audience = auth.audience.as_deref().unwrap_or_default();
    let name = registry.name.as_str();
    let words = ["az", "acr", "config", "authentication-as-arm", "update", "-r", name];
    let words = words.into_iter().chain(command::scope(&registry.id)).chain(["--status", "enabled"]);
    vec![
        Draft::new(
            format!("{} does not take tokens for Azure Resource Manager", registry.name),
            format!(
                "The client sent a token for {audience}; the registry takes only those for {}.",
                case.config.cloud.registry_audience
            ),
        )
        .about([&login.host])
        .seen([
            evidence::registry(registry, "/properties/policies/azureADAuthenticationAsArmPolicy/status", "disabled"),
            evidence::probe(
                &login.host,
                Stage::Auth,
                format!("POST /oauth2/exchange: {}", evidence::http_line(exchange)),
            ),
        ])
        .mend([
            Fix::advice(format!(
                "Use a tool that asks for a token for {}; with az, take out the setting acr.audience_resource (`az config unset acr.audience_resource`, or AZURE_ACR_AUDIENCE_RESOURCE)",
                case.config.cloud.registry_audience
            )),
            Fix::command("Let the registry take ARM tokens again", command::line(words))
                .change(Change::Patch {
                    resource: registry.id.clone(),
                    merge: serde_json::json!({ "properties": { "policies": {
                        "azureADAuthenticationAsArmPolicy": { "status": "enabled" } } } }),
                })
                .iac(
                    "properties.policies.azureADAuthenticationAsArmPolicy.status",
                    "azurerm_container_registry.azuread_authentication_as_arm_policy_enabled",
                )
                .widening(),
        ]),
    ]
}

declare_finding! {
    /// The client logs in as the registry's admin user.
    ///
    /// ## Why it matters
    /// The admin user is one account with full rights for everybody, meant for tests: nobody can tell who did what.
    ///
    /// ## How it shows
    /// - nothing fails
    ///
    /// ## What decides it
    /// The credential that reached the registry is the admin user's; or nobody probed, and `adminUserEnabled` is true.
    ///
    /// ## Fix
    /// An identity of Microsoft Entra with a role; then switch the admin user off.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-authentication>
    ADMIN_USER_ONLY = "auth/admin-user-only", Info, article "container-registry-authentication",
    explains [], admin_user_only;
}

fn admin_user_only(case: &Case<'_>) -> Vec<Draft> {
    let used = auth(case).is_some_and(|a| a.credential == CredentialKind::AdminUser);
    let enabled = case.registry.and_then(|r| r.admin_user_enabled.known()) == Some(&true);
    if !(used || (enabled && case.probe.is_none())) {
        return Vec::new();
    }
    let name = case.login_server().map_or("the registry", crate::facts::Fqdn::first_label);
    let seen_login = case.login().filter(|_| used);
    vec![
        Draft::new(
            if used { format!("The client logs in to {name} as the admin user") } else { format!("The admin user of {name} is enabled") },
            "It is one account with full rights for everybody who knows its password; identities of Microsoft Entra can be told apart.",
        )
        .seen(seen_login.map(|login| evidence::probe(&login.host, Stage::Auth, "the admin user's password")))
        .seen(case.registry.filter(|_| enabled).map(|r| evidence::registry(r, "/properties/adminUserEnabled", true)))
        .mend(case.registry.map(|registry| {
            command::update(
                registry,
                "Once every client has an identity, switch the admin user off",
                &["--admin-enabled", "false"],
                &serde_json::json!({ "adminUserEnabled": false }),
            )
            .iac("properties.adminUserEnabled", "azurerm_container_registry.admin_enabled")
        })),
    ]
}

declare_finding! {
    /// The identity that unlocks the registry's own encryption key no longer exists.
    ///
    /// ## Why it matters
    /// Without it the registry cannot read its customer-managed key: images can be neither pulled nor pushed, sooner or later.
    ///
    /// ## How it shows
    /// - docker: `unknown: Artifact … could not be decrypted`, or 403 and 5xx answers to pulls
    /// - portal: the encryption page shows an error for the key
    ///
    /// ## What decides it
    /// `encryption.keyVaultProperties.identity` names an identity that the registry does not have any more.
    ///
    /// ## Fix
    /// Assign an identity again that may use the key, and set it for the encryption.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/tutorial-troubleshoot-customer-managed-keys>
    ENCRYPTION_IDENTITY_MISSING = "auth/encryption-identity-missing", Error,
    article "tutorial-troubleshoot-customer-managed-keys", explains ["endpoint/unavailable"], encryption_identity_missing;
}

fn encryption_identity_missing(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let Some(Some(key)) = registry.encryption.known() else {
        return Vec::new();
    };
    if key.identity_exists.known() != Some(&false) {
        return Vec::new();
    }
    let identity = key.identity.as_deref().unwrap_or("(not named)");
    let mut words = vec!["az", "acr", "identity", "assign", "-n", registry.name.as_str()];
    words.extend(command::scope(&registry.id));
    words.extend(["--identities", "[system]"]);
    vec![
        Draft::new(
            format!("The encryption identity of {} no longer exists", registry.name),
            format!("The customer-managed key is unlocked by the identity {identity}, which the registry does not have."),
        )
        .seen([evidence::registry(registry, "/properties/encryption/keyVaultProperties/identity", identity)])
        .mend([Fix::steps(
            "Assign an identity to the registry, and unlock the key by it",
            [
                Fix::command("Assign an identity to the registry", command::line(words))
                    .change(Change::Patch {
                        resource: registry.id.clone(),
                        merge: serde_json::json!({ "identity": { "type": "SystemAssigned" } }),
                    })
                    .iac("identity", "azurerm_container_registry.identity"),
                Fix::advice("Give it the rights get, wrap and unwrap on the key"),
                Fix::advice("Set it with `az acr encryption rotate-key --identity '[system]' --key-encryption-key` and the key's URI"),
            ],
        )]),
    ]
}

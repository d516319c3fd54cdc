//! The management plane: signing in and reading ARM.

use crate::facts::config::{FailedRead, LookupOutcome, ReadFailure, SignIn};
use crate::facts::{Change, Evidence, Fix, Known, ResourceId, Severity};
use crate::reconcile::READ_REGISTRY;
use crate::reconcile::case::Case;
use crate::reconcile::command;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

pub(super) static RULES: &[&Rule] = &[&NOT_SIGNED_IN, &ARM_FORBIDDEN, &REGISTRY_NOT_FOUND];

declare_finding! {
    /// No credential gave a token for Azure Resource Manager, so the registry's configuration was not read.
    ///
    /// ## Why it matters
    /// Half of the story is missing: whether the registry's own rules let this client in.
    /// The client side is probed all the same.
    ///
    /// ## How it shows
    /// - az: `Please run 'az login' to setup account.`
    /// - az: `AADSTS7000215: Invalid client secret provided`
    ///
    /// ## What decides it
    /// Every credential source is tried in order (environment, workload identity, managed identity, Azure CLI,
    /// Azure Developer CLI); each one's reason is listed.
    ///
    /// ## Fix
    /// `az login`, or the variables of a service principal or workload identity.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/cli/azure/authenticate-azure-cli>
    NOT_SIGNED_IN = "access/not-signed-in", Error, article "https://learn.microsoft.com/cli/azure/authenticate-azure-cli",
    explains [], not_signed_in;
}

fn not_signed_in(case: &Case<'_>) -> Vec<Draft> {
    let SignIn::Failed { attempts } = &case.config.sign_in else {
        return Vec::new();
    };
    let tried: Vec<String> = attempts.iter().map(|a| format!("{}: {}", a.source, a.reason)).collect();
    let refused: Vec<&str> = attempts.iter().filter(|a| !a.not_configured).map(|a| a.source.as_str()).collect();
    let half = if case.probe.is_some() {
        "The configuration was not read; the client side was probed all the same."
    } else {
        "The configuration was not read."
    };
    let detail = if refused.is_empty() {
        format!("No credential source is configured here. {half}")
    } else {
        format!("Tried and refused: {}. {half}", refused.join(", "))
    };
    case.note_unknown("registry configuration", "no credential gave an ARM token", Some("a sign-in: az login"));
    vec![
        Draft::new("Not signed in to Azure", detail)
            .seen([Evidence {
                pointer: None,
                ..evidence::config(&case.config.cloud.authority, "", evidence::list(tried))
            }])
            .mend([
                Fix::command("Sign in with the Azure CLI", "az login"),
                Fix::advice(
                    "Set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or AZURE_FEDERATED_TOKEN_FILE)",
                ),
            ]),
    ]
}

declare_finding! {
    /// This identity may not read a resource that the diagnosis needs.
    ///
    /// ## Why it matters
    /// What could not be read stays unknown, and every finding that depends on it is at most possible.
    ///
    /// ## How it shows
    /// - az: `(AuthorizationFailed) The client … does not have authorization to perform action …`
    /// - portal: settings are not visible
    ///
    /// ## What decides it
    /// ARM answered 403 AuthorizationFailed; its message names the action and the scope.
    ///
    /// ## Fix
    /// A role with exactly the missing action, at the narrowest scope; `acr-doctor permissions` prints one role for all.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>
    ARM_FORBIDDEN = "access/arm-forbidden", Warning,
    article "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting",
    explains [], arm_forbidden;
}

fn arm_forbidden(case: &Case<'_>) -> Vec<Draft> {
    let refused: Vec<_> = case.failed_reads().iter().filter(|r| r.failure == ReadFailure::Forbidden).collect();
    if refused.is_empty() {
        return Vec::new();
    }
    let mut actions: Vec<&str> = refused.iter().filter_map(|r| r.action.as_deref()).collect();
    actions.sort_unstable();
    actions.dedup();
    let what: Vec<&str> = refused.iter().map(|r| r.what.as_str()).collect();
    let missing = actions.join(", ");
    let mut detail = format!("Missing: {missing}. Not read: {}.", what.join(", "));
    if case.registry.is_none() && !actions.contains(&READ_REGISTRY) {
        detail.push_str(&format!(" The registry itself could not be asked for: that needs {READ_REGISTRY}."));
        actions.insert(0, READ_REGISTRY);
    }
    let evidence =
        refused.iter().map(|r| Evidence { pointer: None, ..evidence::config(&r.resource, "", r.message.clone()) });
    vec![
        Draft::new(format!("Not allowed to read {}", what.first().copied().unwrap_or("a resource")), detail)
            .seen(evidence)
            .mend(role_assignment(&actions, &refused)),
    ]
}

/// A role of exactly the missing actions, and its assignment to the identity that ARM names in its refusal.
fn role_assignment(actions: &[&str], refused: &[&FailedRead]) -> Vec<Fix> {
    let mut scopes: Vec<String> = refused.iter().filter_map(|r| grantable_scope(r.scope.as_deref()?)).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let scopes = outermost(&scopes);
    let identity = refused.iter().find_map(|r| object_id(&r.message));
    let (Some(identity), false) = (identity, scopes.is_empty() || actions.is_empty()) else {
        return vec![Fix::advice(
            "Ask an administrator for the missing actions; `acr-doctor permissions` prints the smallest role",
        )];
    };
    let name = "acr-doctor reader (missing actions)";
    let mut assignable: Vec<String> = scopes.iter().map(|scope| assignable_scope(scope)).collect();
    assignable.dedup();
    let definition = serde_json::json!({
        "Name": name, "Description": "What acr-doctor could not read", "Actions": actions,
        "AssignableScopes": assignable,
    });
    let mut lines =
        vec![command::line(["az", "role", "definition", "create", "--role-definition", &definition.to_string()])];
    let assign = ["az", "role", "assignment", "create", "--assignee-object-id", identity, "--role", name, "--scope"];
    lines.extend(scopes.iter().map(|scope| command::line(assign.into_iter().chain([scope.as_str()]))));
    vec![
        Fix::command(
            "Create a role with exactly the missing actions, and assign it to this identity",
            lines.join(" &&\n"),
        )
        .change(Change::Grant {
            scopes,
            role: None,
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        })
        .iac("Microsoft.Authorization/roleDefinitions", "azurerm_role_definition"),
    ]
}

/// The object id in `The client 'x' with object id 'y' does not have authorization to perform action …`.
fn object_id(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("with object id '")?;
    rest.split_once('\'').map(|(id, _)| id).filter(|id| !id.is_empty())
}

/// The scopes that are in no other one: a role that is assigned there holds below, too.
fn outermost(scopes: &[String]) -> Vec<String> {
    let within = |inner: &str, outer: &str| match inner.split_at_checked(outer.len()) {
        Some((start, rest)) => start.eq_ignore_ascii_case(outer) && rest.starts_with('/'),
        None => false,
    };
    let all = scopes.iter().filter(|scope| !scopes.iter().any(|other| within(scope, other)));
    all.cloned().collect()
}

/// Where a role can be assigned: a resource or its group as they are, else the subscription. The list of all
/// subscriptions is no such place.
fn grantable_scope(scope: &str) -> Option<String> {
    match scope.parse::<ResourceId>() {
        Ok(id) if id.resource_group().is_some() => Some(scope.to_owned()),
        Ok(id) => Some(format!("/subscriptions/{}", id.subscription())),
        Err(_) => scope.contains("/managementGroups/").then(|| scope.to_owned()),
    }
}

/// A custom role can be made for a resource group or a subscription, not for a single resource.
fn assignable_scope(scope: &str) -> String {
    scope.parse::<ResourceId>().map_or_else(
        |_| scope.to_owned(),
        |id| match id.resource_group() {
            Some(group) => format!("/subscriptions/{}/resourceGroups/{group}", id.subscription()),
            None => format!("/subscriptions/{}", id.subscription()),
        },
    )
}

declare_finding! {
    /// No registry of that name is in the subscriptions that this identity sees.
    ///
    /// ## Why it matters
    /// A typing error, another subscription or another tenant: until it is found, only the client side can be diagnosed.
    ///
    /// ## How it shows
    /// - az: `The resource with name 'x' and type 'Microsoft.ContainerRegistry/registries' could not be found in subscription`
    ///
    /// ## What decides it
    /// Every subscription that was searched answered, and none has the registry. Near names are listed, and whether Azure
    /// says that the name is taken elsewhere.
    ///
    /// ## Fix
    /// The right name, or `--subscription` with the one that holds it.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login>
    REGISTRY_NOT_FOUND = "access/registry-not-found", Error, article "container-registry-troubleshoot-login",
    explains [], registry_not_found;
}

fn registry_not_found(case: &Case<'_>) -> Vec<Draft> {
    let Some(lookup) = case.lookup() else {
        return Vec::new();
    };
    let LookupOutcome::NotFound { near_names, name_taken } = &lookup.outcome else {
        return Vec::new();
    };
    let searched: Vec<String> = lookup
        .searched
        .iter()
        .map(|s| s.name.as_ref().map_or_else(|| s.id.clone(), |n| format!("{n} ({})", s.id)))
        .collect();
    let near: Vec<&str> = near_names.iter().map(crate::facts::RegistryName::as_str).collect();
    let hint = if near.is_empty() { String::new() } else { format!(" Did you mean {}?", near.join(" or ")) };
    let mut fixes: Vec<Fix> = near
        .iter()
        .take(1)
        .map(|n| {
            Fix::command(format!("If '{n}' is meant, check that"), command::line(["acr-doctor", "check", "-n", n]))
        })
        .collect();
    fixes.push(Fix::command(
        "If the registry is in another subscription, look there",
        "az account list --all --output table",
    ));
    let elsewhere = match name_taken {
        _ if case.login_symptom().answered() => {
            " A registry of that name answers all the same: it is in a subscription or tenant that this identity does not see."
                .to_owned()
        }
        Known::Known(true) => {
            " The name is taken: the registry is in a subscription or tenant that this identity does not see.".to_owned()
        }
        Known::Known(false) => format!(
            " The name is free in {}: unless the registry has a domain name label, it does not exist anywhere.",
            case.config.cloud.name
        ),
        Known::Unknown(_) => String::new(),
    };
    let detail = format!(
        "Searched: {}.{hint}{elsewhere}",
        if searched.is_empty() {
            "no subscription is visible to this identity".to_owned()
        } else {
            searched.join(", ")
        },
    );
    vec![
        Draft::new(format!("No registry '{}' in the subscriptions searched", lookup.asked), detail)
            .severity(Severity::Error)
            .seen([evidence::config(&case.config.cloud.resource_manager, "/subscriptions", evidence::list(searched))])
            .mend(fixes),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_assigned_where_azure_takes_an_assignment() {
        let group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v";
        assert_eq!(grantable_scope(group).as_deref(), Some(group));
        let listing = "/subscriptions/s/providers/Microsoft.Network/privateDnsZones";
        assert_eq!(grantable_scope(listing).as_deref(), Some("/subscriptions/s"));
        assert_eq!(grantable_scope("/subscriptions"), None);
    }

    #[test]
    fn a_role_is_not_assigned_again_below() {
        let all = ["/subscriptions/s", "/subscriptions/S/resourceGroups/g", "/subscriptions/s2"].map(str::to_owned);
        assert_eq!(outermost(&all), ["/subscriptions/s", "/subscriptions/s2"]);
    }
}

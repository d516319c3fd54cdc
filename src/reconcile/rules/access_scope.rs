//! The management plane: what ARM does not show, and what it will not change.

use crate::facts::config::LookupOutcome;
use crate::facts::registry::{DefaultAction, Lock, PolicyAssignment};
use crate::facts::{Evidence, Fix, Known, RegistryConfig};
use crate::reconcile::case::Case;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

pub(super) static RULES: &[&Rule] = &[&SUBSCRIPTION_NOT_FOUND, &RULES_NOT_SHOWN, &WRITE_BLOCKED];

declare_finding! {
    /// The subscription asked for does not exist for this identity, or is disabled.
    ///
    /// ## Why it matters
    /// Nothing in it can be read; the client side is diagnosed all the same.
    ///
    /// ## How it shows
    /// - az: `(SubscriptionNotFound) The subscription '…' could not be found.`
    /// - az: `The subscription of '…' doesn't exist in cloud 'AzureCloud'.`
    ///
    /// ## What decides it
    /// ARM answers SubscriptionNotFound, or the list of this identity's subscriptions shows it as disabled or not at all.
    ///
    /// ## Fix
    /// The right `--subscription`, or a sign-in to the tenant that holds it.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/cli/azure/manage-azure-subscriptions-azure-cli>
    SUBSCRIPTION_NOT_FOUND = "access/subscription-not-found", Error,
    article "https://learn.microsoft.com/cli/azure/manage-azure-subscriptions-azure-cli",
    explains [], subscription_not_found;
}

fn subscription_not_found(case: &Case<'_>) -> Vec<Draft> {
    let Some(LookupOutcome::SubscriptionNotFound { subscription, message }) = case.lookup().map(|l| &l.outcome) else {
        return Vec::new();
    };
    case.note_unknown("registry configuration", message, Some("a subscription that this identity sees"));
    vec![
        Draft::new(
            format!("The subscription '{subscription}' is not there for this identity"),
            format!("ARM says: {}.", message.trim_end_matches('.')),
        )
        .seen([Evidence {
            pointer: None,
            ..evidence::config(&format!("/subscriptions/{subscription}"), "", message.clone())
        }])
        .mend([
            Fix::command("See the subscriptions of this identity", "az account list --all --output table"),
            Fix::advice("If another tenant holds it, sign in to that one (`az login --tenant` with its id or domain)"),
        ]),
    ]
}

declare_finding! {
    /// No API version that this cloud offers shows the registry's subnet rules.
    ///
    /// ## Why it matters
    /// A registry that is restricted to subnets looks like one that lets nobody in. Every finding that depends on subnet
    /// rules is at most possible.
    ///
    /// ## How it shows
    /// - az: `az acr network-rule list` shows no `virtualNetworkRules`
    ///
    /// ## What decides it
    /// The default action is Deny, public access is not disabled, and the documents that were read hold no
    /// `virtualNetworkRules`: most API versions since 2021-09-01 leave them out.
    ///
    /// ## Fix
    /// None is needed; a document read with an API version that shows subnet rules decides.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-vnet>
    RULES_NOT_SHOWN = "access/rules-not-shown", Info, article "container-registry-vnet",
    explains [], rules_not_shown;
}

fn rules_not_shown(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some(Some(rules))) = (case.registry, case.rules()) else {
        return Vec::new();
    };
    let Some(missing) = rules.virtual_network_rules.missing() else {
        return Vec::new();
    };
    if rules.default_action != DefaultAction::Deny || case.public_access_disabled() {
        return Vec::new();
    }
    let versions = registry.api_versions.join(", ");
    let read = if versions.is_empty() { "the document".to_owned() } else { format!("api-version {versions}") };
    vec![
        Draft::new(
            format!("The subnet rules of {} are not shown", registry.name),
            format!("Read with {read}: {}. Whether a subnet is allowed is not known.", missing.why),
        )
        .seen([evidence::registry(registry, "/properties/networkRuleSet/virtualNetworkRules", "not shown")]),
    ]
}

declare_finding! {
    /// The registry's network settings cannot be changed now: a lock, a policy, or an operation under way.
    ///
    /// ## Why it matters
    /// Every fix that changes the registry will be refused until this is out of the way.
    ///
    /// ## How it shows
    /// - portal: `Failed to save firewall and virtual network settings for container registry`
    /// - portal: cannot add or modify virtual network settings or public access rules
    /// - az: `(ScopeLocked)`, `(RequestDisallowedByPolicy)`
    ///
    /// ## What decides it
    /// A ReadOnly lock on the registry or above it, a policy assignment with the effect Deny or Modify on network
    /// settings, or a `provisioningState` other than Succeeded.
    ///
    /// ## Fix
    /// Remove the lock, exempt the registry from the policy, or wait for the operation.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    WRITE_BLOCKED = "access/write-blocked", Warning, article "container-registry-troubleshoot-access",
    explains [], write_blocked;
}

/// Something that stands in the way of a change.
struct Obstacle {
    what: String,
    evidence: Evidence,
    fix: Fix,
}

fn write_blocked(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let locks = case
        .know_besides("locks", &registry.locks)
        .into_iter()
        .flatten()
        .filter(|l| l.level.eq_ignore_ascii_case("ReadOnly"));
    let policies = case.know_besides("policy assignments", &registry.policy_assignments);
    let policies = policies.into_iter().flatten().filter(|p| stops(p));
    let obstacles: Vec<Obstacle> =
        locks.map(lock).chain(policies.map(|p| policy(registry, p))).chain(state(registry)).collect();
    let Some(first) = obstacles.first() else {
        return Vec::new();
    };
    let all: Vec<&str> = obstacles.iter().map(|o| o.what.as_str()).collect();
    vec![
        Draft::new(
            format!("Changes to {} are blocked by {}", registry.name, first.what),
            format!("In the way of any change: {}.", all.join("; ")),
        )
        .mend(obstacles.iter().map(|o| o.fix.clone()))
        .seen(obstacles.into_iter().map(|o| o.evidence)),
    ]
}

fn stops(policy: &PolicyAssignment) -> bool {
    let stopping = ["deny", "modify"];
    policy.effect.known().is_some_and(|e| stopping.iter().any(|s| e.eq_ignore_ascii_case(s)))
}

fn lock(lock: &Lock) -> Obstacle {
    Obstacle {
        what: format!("the ReadOnly lock '{}'", lock.id.name()),
        evidence: evidence::config(&lock.id, "/properties/level", lock.level.clone()),
        fix: Fix::command(
            format!("Delete the lock '{}' (and set it again after the change)", lock.id.name()),
            command::line(["az", "lock", "delete", "--ids", lock.id.as_str()]),
        )
        .change(crate::facts::Change::Delete { resource: lock.id.clone() })
        .iac("Microsoft.Authorization/locks", "azurerm_management_lock"),
    }
}

fn policy(registry: &RegistryConfig, policy: &PolicyAssignment) -> Obstacle {
    let effect = policy.effect.known().map_or("", String::as_str);
    let name = format!("{}-network", registry.name);
    Obstacle {
        what: format!("the policy '{}' ({effect})", policy.display_name),
        evidence: evidence::config(&policy.id, "/properties/policyDefinitionId", policy.policy_definition_id.clone()),
        fix: command::put(
            Fix::command(
                format!("If the change is meant, exempt the registry from the policy '{}'", policy.display_name),
                command::line(
                    ["az", "policy", "exemption", "create", "-n", &name, "--policy-assignment", &policy.id]
                        .into_iter()
                        .chain(["--exemption-category", "Waiver", "--scope", registry.id.as_str()]),
                ),
            ),
            &format!("{}/providers/Microsoft.Authorization/policyExemptions/{name}", registry.id),
            serde_json::json!({ "properties": { "policyAssignmentId": policy.id, "exemptionCategory": "Waiver" } }),
        )
        .iac("Microsoft.Authorization/policyExemptions", "azurerm_resource_policy_exemption"),
    }
}

fn state(registry: &RegistryConfig) -> Option<Obstacle> {
    let Known::Known(state) = &registry.provisioning_state else { return None };
    (!state.eq_ignore_ascii_case("Succeeded")).then(|| Obstacle {
        what: format!("its provisioningState, which is {state}"),
        evidence: evidence::registry(registry, "/properties/provisioningState", state.clone()),
        fix: Fix::command(
            "Wait for the operation to end",
            command::line(["az", "resource", "wait", "--ids", registry.id.as_str(), "--updated"]),
        ),
    })
}

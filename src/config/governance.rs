//! Subscriptions, locks and policies: what stops a fix from being written.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::Value;

use super::reader::{RESOURCES, Reader};
use super::wire::Fields;
use super::wire::governance::{defender_plan, lock, provider};
use crate::facts::config::SubscriptionFacts;
use crate::facts::registry::{Lock, PolicyAssignment};
use crate::facts::{Known, ResourceId, Unrecognised};

/// Built-in policies about a registry's network and access (Azure/azure-policy, "Container Registry"): the start of the
/// definition's GUID, and the effect that it has when an assignment says none.
const BUILT_IN: [(&str, &str); 12] = [
    ("0fdf0491", "Audit"),
    ("a3701552", "Modify"),
    ("d0793b48", "Audit"),
    ("d85c6833", "DeployIfNotExists"),
    ("e8eef0a8", "Audit"),
    ("e9585a95", "DeployIfNotExists"),
    ("bd560fc0", "Audit"),
    ("79fdfe03", "Modify"),
    ("785596ed", "Modify"),
    ("cced2946", "Modify"),
    ("dc921057", "Audit"),
    ("9f2dea28", "Audit"),
];

impl Reader<'_> {
    /// Whether Microsoft.ContainerRegistry is registered in a subscription. Read once.
    pub(super) async fn registration(&self, subscription: &str) {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry");
        let read = || async {
            let read = self.arm.get(&path, RESOURCES).await;
            let what = "the registration of Microsoft.ContainerRegistry";
            let (state, rest) = match self.arm.known(what, read, |d: std::sync::Arc<Value>| provider(&d)) {
                Known::Known((Some(state), rest)) => (Known::Known(state), rest),
                Known::Known((None, rest)) => (Known::unknown("the answer has no registrationState"), rest),
                Known::Unknown(unknown) => (Known::Unknown(unknown), Unrecognised::new()),
            };
            (subscription.to_ascii_lowercase(), state, rest)
        };
        self.registrations.once(subscription, read).await;
    }

    /// The Defender plan of a subscription that holds a registry. Read once.
    pub(super) async fn defender(&self, subscription: &str) {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.Security/pricings/Containers");
        let read = || async {
            let read = self.arm.get(&path, "2024-01-01").await;
            let plan = |d: std::sync::Arc<Value>| {
                defender_plan(&d).map_or_else(|| Known::unknown("the answer has no pricingTier"), Known::Known)
            };
            (subscription.to_ascii_lowercase(), flat(self.arm.known("the Defender for Containers plan", read, plan)))
        };
        self.defenders.once(subscription, read).await;
    }

    /// What was read of subscriptions, joined.
    pub(super) fn subscription_facts(&self) -> Vec<SubscriptionFacts> {
        let plans: BTreeMap<_, _> = self.defenders.values().into_iter().collect();
        let of = |(id, container_registry_provider, unrecognised)| SubscriptionFacts {
            defender: plans
                .get(&id)
                .cloned()
                .unwrap_or_else(|| Known::unknown("not read: none of the registries is in this subscription")),
            id,
            container_registry_provider,
            unrecognised,
        };
        self.registrations.values().into_iter().map(of).collect()
    }

    /// Locks on the registry or above it. ARM documents the list at a resource as "the resource or any level below", so
    /// the subscription's list, which has all of them, is asked beside it; either one alone will do.
    pub(super) async fn locks(&self, id: &ResourceId) -> Known<Vec<Lock>> {
        const LOCKS: &str = "2020-05-01";
        let at = format!("{}/providers/Microsoft.Authorization/locks", id.as_str());
        let all = format!("/subscriptions/{}/providers/Microsoft.Authorization/locks", id.subscription());
        let (at, all) = futures::join!(self.arm.list(&at, LOCKS), self.arm.list(&all, LOCKS));
        let mut locks: Vec<Lock> = Vec::new();
        for found in at.items.iter().chain(&all.items).filter_map(lock) {
            let applies = found.scope().is_some_and(|scope| id.is_within(scope));
            if applies && !locks.iter().any(|l| l.id == found.id) {
                locks.push(found);
            }
        }
        match (at.error, all.error) {
            (Some(error), Some(_)) => {
                self.arm.note(&format!("locks of '{}'", id.name()), &error);
                error.known()
            }
            _ => Known::Known(locks),
        }
    }

    /// Assignments that deny or rewrite a registry's network settings.
    pub(super) async fn policy_assignments(&self, id: &ResourceId) -> Known<Vec<PolicyAssignment>> {
        let path = format!("{}/providers/Microsoft.Authorization/policyAssignments", id.as_str());
        let listing = self.arm.list(&path, "2022-06-01").await;
        let what = format!("policy assignments of '{}'", id.name());
        let items = match listing.complete() {
            Ok(items) => items,
            Err(error) => {
                self.arm.note(&what, &error);
                return error.known();
            }
        };
        let applies = |item: &&Value| !Fields::of(item).texts("notScopes").iter().any(|scope| id.is_within(scope));
        let read = join_all(items.iter().filter(applies).map(|item| self.assignment(item))).await;
        Known::Known(read.into_iter().flatten().collect())
    }

    /// An assignment, if it concerns registries and can stop or change a write.
    async fn assignment(&self, item: &Value) -> Option<PolicyAssignment> {
        let fields = Fields::of(item);
        // DoNotEnforce only reports.
        if fields.text("enforcementMode").is_some_and(|m| m.eq_ignore_ascii_case("DoNotEnforce")) {
            return None;
        }
        let definition = fields.owned("policyDefinitionId")?;
        let parameters = fields.nested("parameters");
        let chosen = parameters.nested("effect").owned("value");
        let effect = match built_in(&definition) {
            Some(default) => Some(Known::Known(chosen.unwrap_or_else(|| default.to_owned()))),
            None => self.effect_of(&definition, parameters, chosen).await,
        }?;
        let weak = ["audit", "auditifnotexists", "disabled", "manual"];
        if effect.known().is_some_and(|e| weak.contains(&e.to_ascii_lowercase().as_str())) {
            return None;
        }
        let name = fields.owned("name").unwrap_or_default();
        Some(PolicyAssignment {
            id: fields.owned("id")?,
            display_name: fields.owned("displayName").unwrap_or(name),
            policy_definition_id: definition,
            effect,
            scope: fields.owned("scope"),
        })
    }

    /// The effect of a definition that we do not know; `None` if it has nothing to do with registries.
    async fn effect_of(&self, definition: &str, given: Fields<'_>, chosen: Option<String>) -> Option<Known<String>> {
        // Built-in definitions that are not in the table are about something else; built-in initiatives audit.
        if !definition.to_ascii_lowercase().contains("/subscriptions/")
            && !definition.to_ascii_lowercase().contains("/managementgroups/")
        {
            return None;
        }
        let document = match self.arm.get(definition, "2021-06-01").await {
            Ok(document) => document,
            Err(error) => return Some(error.known()),
        };
        let fields = Fields::of(&document);
        let defaults = fields.nested("parameters");
        let resolve = |expression: &str| resolved(expression, given, defaults);
        let members = fields.list("policyDefinitions").iter().map(Fields::of);
        let of_registry = members.filter_map(|m| Some((m, built_in(m.text("policyDefinitionId")?)?)));
        let mut effects = of_registry.map(|(member, default)| {
            let value = member.nested("parameters").nested("effect").owned("value");
            value.map_or_else(|| default.to_owned(), |v| resolve(&v))
        });
        let strong = |e: &String| e.eq_ignore_ascii_case("deny") || e.eq_ignore_ascii_case("modify");
        if let Some(effect) = effects.find(strong) {
            return Some(Known::Known(effect));
        }
        let rule = fields.get("policyRule")?;
        if !rule.to_string().to_ascii_lowercase().contains("microsoft.containerregistry/registries") {
            return None;
        }
        let effect = chosen.or_else(|| rule.get("then")?.get("effect")?.as_str().map(resolve));
        Some(effect.map_or_else(|| Known::unknown("the definition shows no effect"), Known::Known))
    }
}

fn flat<T>(known: Known<Known<T>>) -> Known<T> {
    match known {
        Known::Known(inner) => inner,
        Known::Unknown(unknown) => Known::Unknown(unknown),
    }
}

/// The default effect of a built-in definition about registries.
fn built_in(definition: &str) -> Option<&'static str> {
    let lower = definition.to_ascii_lowercase();
    let guid = lower.strip_prefix("/providers/microsoft.authorization/policydefinitions/")?;
    BUILT_IN.iter().find(|(start, _)| guid.starts_with(start)).map(|(_, effect)| *effect)
}

/// `[parameters('x')]` through the assignment's values and the definition's defaults; anything else as it stands.
fn resolved(expression: &str, given: Fields<'_>, defaults: Fields<'_>) -> String {
    let inner = expression.trim().strip_prefix("[parameters('").and_then(|e| e.strip_suffix("')]"));
    let Some(name) = inner else { return expression.to_owned() };
    let value = given.nested(name).owned("value").or_else(|| defaults.nested(name).owned("defaultValue"));
    value.unwrap_or_else(|| expression.to_owned())
}

//! Subscriptions, locks, policy assignments, diagnostic settings, Defender plans.

use serde_json::Value;

use super::members::Members;
use super::{Fields, flag};
use crate::facts::config::{DefenderPlan, SubscriptionName};
use crate::facts::registry::{DiagnosticSetting, Lock};
use crate::facts::{Known, Unrecognised};

/// A row of `/subscriptions`.
pub(crate) fn subscription(value: &Value) -> Option<SubscriptionName> {
    let fields = Fields::of(value);
    let id = fields.owned("subscriptionId")?;
    Some(SubscriptionName { id: id.to_ascii_lowercase(), name: fields.owned("displayName") })
}

/// A management lock.
pub(crate) fn lock(value: &Value) -> Option<Lock> {
    let mut members = Members::of(value);
    Some(Lock {
        id: members.resource()?,
        level: members.text("level")?,
        notes: members.text("notes"),
        unrecognised: members.rest(),
    })
}

/// A diagnostic setting.
pub(crate) fn diagnostic_setting(value: &Value) -> Option<DiagnosticSetting> {
    let fields = Fields::of(value);
    let collects = |log: &Value| {
        let log = Fields::of(log);
        let category = log.text("category").or_else(|| log.text("categoryGroup")).unwrap_or_default();
        let named =
            ["ContainerRegistryLoginEvents", "allLogs", "audit"].iter().any(|c| c.eq_ignore_ascii_case(category));
        named && log.flag("enabled") == Some(true)
    };
    let mut members = Members::of(value);
    Some(DiagnosticSetting {
        name: members.text("name")?,
        workspace_id: members.id("workspaceId"),
        login_events: fields.list("logs").iter().any(collects),
        unrecognised: members.rest(),
    })
}

/// The plan `Containers` of Microsoft Defender.
pub(crate) fn defender_plan(document: &Value) -> Option<DefenderPlan> {
    let fields = Fields::of(document);
    let is_scan = |e: &&Value| {
        Fields::of(e)
            .text("name")
            .is_some_and(|n| n.eq_ignore_ascii_case("ContainerRegistriesVulnerabilityAssessments"))
    };
    let scan = fields.list("extensions").iter().find(is_scan).and_then(|e| e.get("isEnabled")).and_then(flag);
    let mut members = Members::of(document);
    Some(DefenderPlan {
        pricing_tier: members.text("pricingTier")?,
        unrecognised: members.rest(),
        registry_scan: scan.map_or_else(|| Known::unknown("the plan shows no such extension"), Known::Known),
    })
}

/// A resource provider as a subscription sees it: its registration, and the rest (resource types and API versions).
pub(crate) fn provider(document: &Value) -> (Option<String>, Unrecognised) {
    let mut members = Members::of(document);
    (members.text("registrationState"), members.rest())
}

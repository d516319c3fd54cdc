//! Subscriptions, locks, policy assignments, diagnostic settings, Defender plans.

use serde_json::Value;

use super::{Fields, flag};
use crate::facts::Known;
use crate::facts::config::{DefenderPlan, SubscriptionName};
use crate::facts::registry::{DiagnosticSetting, Lock};

/// A row of `/subscriptions`.
pub(crate) fn subscription(value: &Value) -> Option<SubscriptionName> {
    let fields = Fields::of(value);
    let id = fields.owned("subscriptionId")?;
    Some(SubscriptionName { id: id.to_ascii_lowercase(), name: fields.owned("displayName") })
}

/// A management lock.
pub(crate) fn lock(value: &Value) -> Option<Lock> {
    let fields = Fields::of(value);
    Some(Lock { id: fields.id("id")?, level: fields.owned("level")?, notes: fields.owned("notes") })
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
    Some(DiagnosticSetting {
        name: fields.owned("name")?,
        workspace_id: fields.id("workspaceId"),
        login_events: fields.list("logs").iter().any(collects),
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
    Some(DefenderPlan {
        pricing_tier: fields.owned("pricingTier")?,
        registry_scan: scan.map_or_else(|| Known::unknown("the plan shows no such extension"), Known::Known),
    })
}

//! Azure services that must reach the registry.

use crate::facts::config::DefenderPlan;
use crate::facts::registry::NetworkRuleBypassOptions;
use crate::facts::{Known, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

pub(super) static RULES: &[&Rule] = &[&DEFENDER_BLOCKED];

declare_finding! {
    /// Microsoft Defender for Cloud cannot scan the registry's images: the network rules shut it out.
    ///
    /// ## Why it matters
    /// Images are pushed and run without vulnerability results, and nothing says so.
    ///
    /// ## How it shows
    /// - portal: no vulnerability results for the registry, or old ones
    /// - portal: `Microsoft Defender for Cloud can't scan images in a registry with restricted network access`
    ///
    /// ## What decides it
    /// The registry restricts its network (public access Disabled or default action Deny), and
    /// `networkRuleBypassOptions` is None. With the Defender for Containers plan on it is an error, else worth knowing.
    ///
    /// ## Fix
    /// Allow trusted services.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/allow-access-trusted-services>
    DEFENDER_BLOCKED = "service/defender-blocked", Error, article "allow-access-trusted-services",
    explains [], defender_blocked;
}

fn defender_blocked(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let bypass = case.know("networkRuleBypassOptions", &registry.network_rule_bypass_options);
    if !case.network_restricted() || bypass != Some(&NetworkRuleBypassOptions::None) {
        return Vec::new();
    }
    let plan = case.config.subscriptions.iter().find(|s| s.id.eq_ignore_ascii_case(registry.id.subscription()));
    let draft = Draft::new(
        format!("Microsoft Defender cannot scan {}", registry.name),
        "The registry restricts its network and lets no trusted service pass, so Defender for Containers cannot pull the images that it should scan.",
    )
    .seen([evidence::registry(registry, "/properties/networkRuleBypassOptions", "None")])
    .mend([command::trusted_services(
        registry,
        "Let trusted services pass the network rules",
        true,
    )
    .widening()]);
    vec![match plan.map(|p| case.know("Defender for Containers plan", &p.defender)) {
        Some(Some(plan)) if plan.scans_registries() => draft.seen([plan_evidence(registry.id.subscription(), plan)]),
        Some(Some(_)) => draft.severity(Severity::Info),
        Some(None) | None => draft.severity(Severity::Info).possible(["Defender for Containers plan".to_owned()]),
    }]
}

fn plan_evidence(subscription: &str, plan: &DefenderPlan) -> crate::facts::Evidence {
    let scan = match &plan.registry_scan {
        Known::Known(on) => {
            if *on {
                ", registry scan on"
            } else {
                ", registry scan off"
            }
        }
        Known::Unknown(_) => "",
    };
    evidence::config(
        &format!("/subscriptions/{subscription}/providers/Microsoft.Security/pricings/Containers"),
        "/properties/pricingTier",
        format!("{}{scan}", plan.pricing_tier),
    )
}

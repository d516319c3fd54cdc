//! What the registry's own logs show.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::facts::{Fix, LoginEvent, RegistryConfig};
use crate::reconcile::case::Case;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

pub(super) static RULES: &[&Rule] = &[&NOT_COLLECTED, &BLOCKED_CLIENTS];

declare_finding! {
    /// The registry's login events are not sent to a Log Analytics workspace.
    ///
    /// ## Why it matters
    /// Failed and blocked logins, with the address and the identity of each, can be looked up only where they are collected.
    ///
    /// ## How it shows
    /// - portal: the Logs page of the registry is empty
    ///
    /// ## What decides it
    /// No diagnostic setting of the registry sends ContainerRegistryLoginEvents (or the groups allLogs or audit) to a
    /// workspace.
    ///
    /// ## Fix
    /// A diagnostic setting.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/monitor-service>
    NOT_COLLECTED = "logs/not-collected", Info, article "monitor-service", explains [], not_collected;
}

fn not_collected(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let Some(settings) = case.know_besides("diagnostic settings", &registry.diagnostic_settings) else {
        return Vec::new();
    };
    if settings.iter().any(|s| s.login_events && s.workspace_id.is_some()) {
        return Vec::new();
    }
    let names: Vec<&str> = settings.iter().map(|s| s.name.as_str()).collect();
    vec![
        Draft::new(
            format!("The login events of {} are not collected", registry.name),
            "No diagnostic setting sends ContainerRegistryLoginEvents to a workspace, so blocked clients cannot be looked up.",
        )
        .seen([evidence::registry(
            registry,
            "/providers/Microsoft.Insights/diagnosticSettings",
            evidence::list(names),
        )])
        .mend([Fix::command(
            "Send the login events to a workspace (its id in WORKSPACE)",
            format!(
                "az monitor diagnostic-settings create -n login-events --resource {} --workspace \"$WORKSPACE\" --logs {}",
                command::quoted(registry.id.as_str()),
                command::quoted(r#"[{"category":"ContainerRegistryLoginEvents","enabled":true}]"#)
            ),
        )
        .iac("Microsoft.Insights/diagnosticSettings", "azurerm_monitor_diagnostic_setting")]),
    ]
}

declare_finding! {
    /// The registry's logs show clients that failed to log in.
    ///
    /// ## Why it matters
    /// Each address is a client that somebody may be missing a rule for, or an attempt that should fail.
    ///
    /// ## How it shows
    /// - docker, on those clients: `denied: client with IP '…' is not allowed access`
    ///
    /// ## What decides it
    /// Rows of ContainerRegistryLoginEvents whose result is a failure, grouped by address and identity.
    ///
    /// ## Fix
    /// A rule for each address that is wanted, and for no other.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/monitor-service>
    BLOCKED_CLIENTS = "logs/blocked-clients", Warning, article "monitor-service", explains [], blocked_clients;
}

fn blocked_clients(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let failures: Vec<&LoginEvent> =
        registry.login_events.known().into_iter().flatten().filter(|e| e.failed() && e.count > 0).collect();
    if failures.is_empty() {
        return Vec::new();
    }
    let mut groups: BTreeMap<(Option<IpAddr>, &str), u64> = BTreeMap::new();
    for event in &failures {
        let who = event.identity.as_deref().filter(|i| !i.is_empty()).unwrap_or("an unnamed identity");
        let count = groups.entry((event.caller, who)).or_default();
        *count = count.saturating_add(event.count);
    }
    let total = groups.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let address = |ip: &Option<IpAddr>| ip.map_or("an unknown address".to_owned(), |ip| ip.to_string());
    let lines: Vec<String> =
        groups.iter().map(|((ip, who), count)| format!("{} ({who}): {count}", address(ip))).collect();
    let shown: Vec<&str> = lines.iter().map(String::as_str).take(5).collect();
    let more = lines.len().saturating_sub(shown.len());
    vec![
        Draft::new(
            format!("The logs of {} show {total} failed login{}", registry.name, if total == 1 { "" } else { "s" }),
            format!("{}{}.", shown.join("; "), if more > 0 { format!("; and {more} more") } else { String::new() }),
        )
        .seen([evidence::registry(registry, "ContainerRegistryLoginEvents", evidence::list(lines))])
        .mend(wanted(case, registry, &failures)),
    ]
}

/// A rule for each blocked address that no rule covers, where rules decide.
fn wanted(case: &Case<'_>, registry: &RegistryConfig, failures: &[&LoginEvent]) -> Vec<Fix> {
    let mut addresses: Vec<IpAddr> = failures.iter().filter(|e| e.blocked()).filter_map(|e| e.caller).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let uncovered = addresses.into_iter().filter(|ip| ip.is_ipv4() && !is_private(*ip) && !case.ip_rule_covers(*ip));
    let fixes: Vec<Fix> = if case.public_access_disabled() || !case.default_deny() {
        Vec::new()
    } else {
        uncovered
            .take(5)
            .map(|ip| command::let_in(registry, ip).saying(format!("If {ip} is wanted, allow it")).widening())
            .collect()
    };
    if fixes.is_empty() {
        vec![Fix::advice("Find out which of these clients are wanted; see their descriptions in the logs")]
    } else {
        fixes
    }
}

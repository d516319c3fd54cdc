//! The registry's rules against what happened: rules that do not let in, and doors that are open all the same.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::facts::registry::{ConnectionStatus, DefaultAction, PublicNetworkAccess};
use crate::facts::report::ExpectedPath;
use crate::facts::{EndpointObservation, Fix};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::expect::expect;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

use super::dns_private::resolves_privately;
use super::firewall::{denied, rule_set};

pub(super) static RULES: &[&Rule] = &[&RULE_NOT_IN_EFFECT, &UNEXPECTED_ACCESS];

declare_finding! {
    /// A rule lets this client in, and the registry refuses it all the same.
    ///
    /// ## Why it matters
    /// The configuration is right and not in force: rules take minutes to apply, or the address that leaves this network
    /// alternates.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '203.0.113.5' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`
    ///
    /// ## What decides it
    /// 403 DENIED, and the configuration lets in the address that the refusal names: an IP rule covers it, the client's
    /// subnet has a rule, the default action is Allow, or the request came through an approved private endpoint; by the
    /// last two whatever address it was. Where `publicNetworkAccess`, or whose the private address is, may not be read it is
    /// only possible.
    ///
    /// ## Fix
    /// Wait a few minutes and check again. If the address alternates, allow all of them.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    RULE_NOT_IN_EFFECT = "firewall/rule-not-in-effect", Warning, article "container-registry-access-selected-networks",
    explains [], rule_not_in_effect;
}

fn rule_not_in_effect(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry else {
        return Vec::new();
    };
    let refused: Vec<(&EndpointObservation, Option<IpAddr>, LetIn)> = denied(case)
        .into_iter()
        .filter_map(|(e, ip)| {
            let by = if resolves_privately(e) { by_private_endpoint(case, e, ip) } else { let_in_by(case, ip) };
            Some((e, ip, by?))
        })
        .collect();
    let Some((first, address, LetIn { by, .. })) = refused.first() else {
        return Vec::new();
    };
    let whom = address.map_or_else(|| "this client".to_owned(), |ip| ip.to_string());
    let others: BTreeSet<IpAddr> = refused
        .iter()
        .flat_map(|(e, _, _)| e.denied_clients.iter().copied())
        .filter(|ip| Some(*ip) != *address)
        .collect();
    let shown: Vec<String> = others.iter().map(ToString::to_string).collect();
    let detail = if others.is_empty() {
        format!("{} refused {whom}, although {by}. Changes take some minutes to come into force.", first.host)
    } else {
        format!(
            "{} refused {whom}, although {by}. The egress address alternates: {} was refused as well.",
            first.host,
            shown.join(", ")
        )
    };
    let draft = Draft::new(format!("The registry refuses {whom} although its configuration lets it in"), detail)
        .about(refused.iter().map(|(e, _, _)| &e.host))
        .seen(first.http.as_ref().map(|http| evidence::http(&first.host, http)))
        .seen(case.rules().flatten().map(|rules| rule_set(registry, rules)))
        .mend([Fix::advice("Wait a few minutes for the rules to come into force, then check again")])
        .mend(
            others
                .iter()
                .filter(|ip| !is_private(**ip) && !case.ip_rule_covers(**ip))
                .map(|ip| crate::reconcile::command::let_in(registry, *ip)),
        );
    // One that is let in for sure is enough.
    let missing = refused.iter().map(|(_, _, let_in)| let_in.if_only);
    vec![match missing.min().flatten() {
        Some(fact) => draft.possible([fact.to_owned()]),
        None => draft,
    }]
}

/// What of the configuration lets a client in, and the fact that is missing to say so for sure.
struct LetIn {
    by: String,
    if_only: Option<&'static str>,
}

/// Which clause of the configuration lets an address in, or whatever address it was that the refusal does not name.
fn let_in_by(case: &Case<'_>, address: Option<IpAddr>) -> Option<LetIn> {
    let if_only = match case.public_access() {
        Some(PublicNetworkAccess::Enabled) => None,
        None | Some(PublicNetworkAccess::Unrecognised(_)) => Some("publicNetworkAccess"),
        Some(PublicNetworkAccess::Disabled) => return None,
    };
    let by = match case.rules()? {
        None => Some("the registry has no network rules"),
        Some(rules) if rules.default_action == DefaultAction::Allow => Some("its default action is Allow"),
        Some(_) => match address? {
            public if !is_private(public) => case.ip_rule_covers(public).then_some("an IP rule covers it"),
            _ => {
                let subnet = case.place.subnet.as_ref()?;
                case.subnet_rules()?.contains(&subnet).then_some("a rule names the client's subnet")
            }
        },
    };
    by.map(|by| LetIn { by: by.to_owned(), if_only })
}

/// The approved private endpoint that the name resolves to, unless the registry saw a public address: that came another
/// way.
fn by_private_endpoint(case: &Case<'_>, endpoint: &EndpointObservation, seen: Option<IpAddr>) -> Option<LetIn> {
    if endpoint.route.is_proxied() || seen.is_some_and(|ip| !is_private(ip)) {
        return None;
    }
    match endpoint.dns.as_ref()?.answer.ips().find_map(|ip| case.owner_of(ip)) {
        Some((connection, endpoint)) => (connection.status == ConnectionStatus::Approved).then(|| LetIn {
            by: format!("it came through the approved private endpoint '{}'", endpoint.id.name()),
            if_only: None,
        }),
        None => Some(LetIn {
            by: "it came to a private address, where only private endpoints answer".to_owned(),
            if_only: Some(case.unread_of_private_link()?),
        }),
    }
}

declare_finding! {
    /// The configuration shuts this client out, and the registry lets it in.
    ///
    /// ## Why it matters
    /// The restriction that somebody relies on is not in force for this client, or the configuration that was read is old.
    ///
    /// ## How it shows
    /// - docker: `Login Succeeded`, where a refusal was expected
    ///
    /// ## What decides it
    /// By the access model this client is refused at the login server's public address, and the registry answers it with
    /// its challenge. Another path is possible: a private endpoint elsewhere, a trusted service, another egress address.
    ///
    /// ## Fix
    /// Read the configuration again; if it is right, find out by which path the client comes.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    UNEXPECTED_ACCESS = "firewall/unexpected-access", Warning, article "container-registry-access-selected-networks",
    explains [], unexpected_access;
}

fn unexpected_access(case: &Case<'_>) -> Vec<Draft> {
    let (Some(registry), Some(login)) = (case.registry, case.login()) else {
        return Vec::new();
    };
    // An answer is only the registry's where its protocol was seen.
    if login.http.is_none() || !case.login_symptom().is_reached() || resolves_privately(login) {
        return Vec::new();
    }
    let expectation = expect(case, &login.host, Some(login));
    if expectation.path != ExpectedPath::Blocked {
        return Vec::new();
    }
    let pointer = if case.public_access_disabled() {
        evidence::registry(registry, "/properties/publicNetworkAccess", "Disabled")
    } else {
        let rules = case.rules().flatten();
        rules.map_or_else(
            || evidence::registry(registry, "/properties/networkRuleSet", serde_json::Value::Null),
            |rules| rule_set(registry, rules),
        )
    };
    let draft = Draft::new(
        format!("{} lets this client in although its configuration does not", registry.name),
        format!(
            "Expected a refusal: {}. The registry answers all the same: the configuration is older than the change, a rule is not in force yet, or the client comes by another path.",
            expectation.because
        ),
    )
    .about([&login.host])
    .seen([pointer])
    .seen(login.http.as_ref().map(|http| evidence::http(&login.host, http)))
    .mend([Fix::advice("Read the configuration again, wait a few minutes, and check again")]);
    vec![if case.public_access_disabled() { draft } else { draft.likely() }]
}

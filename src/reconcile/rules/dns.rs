//! Name resolution as such: names that do not exist, resolvers that fail.

use super::dns_private::missing_in_private_zone;
use super::dns_zone::shadowing_zone;
use crate::facts::dns::{DnsObservation, DnsOutcome, ServerAnswer};
use crate::facts::{EndpointObservation, EndpointRole, Fix};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;

pub(super) static RULES: &[&Rule] = &[&NAME_NOT_FOUND, &RESOLVER_FAILED];

declare_finding! {
    /// The login server's name does not exist in DNS.
    ///
    /// ## Why it matters
    /// Nothing can be asked of a name without an address. The public zone has every registry's login server.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup myregistry.azurecr.io: no such host`
    /// - az: `CONNECTIVITY_DNS_ERROR`
    ///
    /// ## What decides it
    /// NXDOMAIN for the name itself: no alias into a `privatelink` zone stands in the chain, so this is the public
    /// name space (or a zone of one's own that hides it), not a private zone's missing record.
    ///
    /// ## Fix
    /// The right login server; registries with a domain name label have a hash in it.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    NAME_NOT_FOUND = "dns/name-not-found", Error, article "container-registry-troubleshoot-access",
    explains ["access/registry-not-found"], name_not_found;
}

fn name_not_found(case: &Case<'_>) -> Vec<Draft> {
    match case.login() {
        Some(login) if is_unknown_name(case, login) => vec![login_not_found(case, login)],
        Some(login) if resolves_publicly(login) => data_not_found(case).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// NXDOMAIN or no address, without an alias into the private zone.
fn is_unknown_name(case: &Case<'_>, endpoint: &EndpointObservation) -> bool {
    let Symptom::Dns(dns) = Symptom::of(endpoint) else {
        return false;
    };
    let private = dns.answer.alias_within(&case.config.cloud.private_zone).is_some()
        || endpoint.host.is_within(&case.config.cloud.private_zone);
    !private && matches!(dns.answer.outcome, DnsOutcome::NameNotFound | DnsOutcome::NoAddress)
}

fn resolves_publicly(endpoint: &EndpointObservation) -> bool {
    super::dns_private::public_answer(endpoint).is_some()
}

/// Data endpoints that the resolver does not know, or not to their end, beside a login server that it knows by its public
/// address.
fn data_not_found(case: &Case<'_>) -> Option<Draft> {
    let hidden = |e: &EndpointObservation| missing_in_private_zone(case, e) && shadowing_zone(case, &e.host).is_none();
    let lost: Vec<_> = case.data_endpoints().filter(|e| is_unknown_name(case, e) || hidden(e)).collect();
    let first = lost.first()?;
    let server = first.dns.iter().flat_map(DnsObservation::real_servers).map(|s| s.server.ip().to_string()).next();
    let server = server.unwrap_or_else(|| "the resolver".to_owned());
    Some(
        Draft::new(
            format!("The name of the data endpoint {} {}", first.host, lacks(first)),
            format!("{server} knows the login server and not its data endpoint, from which layers come: a filter or a zone of your own hides it."),
        )
        .about(lost.iter().map(|e| &e.host))
        .seen(case.login().into_iter().chain(lost.iter().copied()).map(evidence::dns))
        .mend([Fix::advice(format!("Let {server} resolve {} as the public name space does", first.host))])
        .likely(),
    )
}

/// NXDOMAIN in words, or that there is the name and no address.
fn lacks(endpoint: &EndpointObservation) -> &'static str {
    let missing = |dns: &DnsObservation| dns.answer.outcome == DnsOutcome::NameNotFound;
    if endpoint.dns.as_ref().is_some_and(missing) { "does not exist" } else { "has no address" }
}

fn login_not_found(case: &Case<'_>, login: &EndpointObservation) -> Draft {
    let draft = Draft::new(
        format!("The name {} {}", login.host, lacks(login)),
        match case.registry {
            Some(registry) if registry.login_server == login.host => format!(
                "The registry '{}' exists and this is its login server, so the resolver asked does not know the public name: \
                 a zone of your own for {} may hide it.",
                registry.name, case.config.cloud.registry_suffix
            ),
            Some(registry) => format!("The registry '{}' has another login server: {}.", registry.name, registry.login_server),
            None => "No registry has this login server: look for a typing error, or for the hash of a domain name label.".to_owned(),
        },
    )
    .about([&login.host])
    .seen([evidence::dns(login)]);
    match case.registry {
        Some(registry) if registry.login_server != login.host => draft
            .seen([evidence::registry(registry, "/properties/loginServer", registry.login_server.as_str())])
            .mend([Fix::command(
                "Use the registry's own login server",
                crate::reconcile::command::line(["docker", "login", registry.login_server.as_str()]),
            )]),
        Some(_) => {
            let asked: Vec<_> = login.dns.iter().flat_map(|d| &d.servers).map(|s| s.server.ip()).collect();
            draft.likely().mend([super::dns_mend::forward(case, &asked)])
        }
        None => draft.mend([Fix::command(
            "List the login servers that you can see",
            "az acr list --query '[].loginServer' --output tsv",
        )]),
    }
}

declare_finding! {
    /// The configured DNS resolver does not answer, or fails.
    ///
    /// ## Why it matters
    /// This says nothing about the registry: without a working resolver no name can be looked up.
    ///
    /// ## How it shows
    /// - docker: `dial tcp: lookup myregistry.azurecr.io on 10.0.0.4:53: i/o timeout`
    /// - docker: `lookup myregistry.azurecr.io on 10.0.0.4:53: server misbehaving`
    /// - getent: `Temporary failure in name resolution`
    ///
    /// ## What decides it
    /// A time-out, SERVFAIL or REFUSED instead of an answer about the name (NXDOMAIN is an answer).
    ///
    /// ## Fix
    /// The resolver that is named: start it, let it be reached on port 53, or configure another. In an Azure network
    /// a custom resolver must forward to 168.63.129.16.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    RESOLVER_FAILED = "dns/resolver-failed", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], resolver_failed;
}

fn answers_of(dns: &DnsObservation) -> String {
    let said = dns.real_servers().map(|s| format!("{} says {}", s.server.ip(), evidence::answer(&s.answer)));
    said.collect::<Vec<_>>().join(", ")
}

fn resolver_failed(case: &Case<'_>) -> Vec<Draft> {
    let failed: Vec<&EndpointObservation> = case
        .everything()
        .filter(|e| matches!(Symptom::of(e), Symptom::Dns(dns) if dns.answer.outcome.is_server_fault()))
        .collect();
    if !failed.iter().any(|e| !matches!(e.role, EndpointRole::Authority | EndpointRole::ResourceManager)) {
        return Vec::new();
    }
    let observed = || failed.iter().filter_map(|e| e.dns.as_ref());
    let faulty = |s: &&ServerAnswer| s.answer.outcome.is_server_fault();
    let mut servers: Vec<&ServerAnswer> = observed().flat_map(DnsObservation::real_servers).filter(faulty).collect();
    if servers.is_empty() {
        // A stub that fails before servers that do not.
        servers = observed().flat_map(|d| &d.servers).filter(faulty).collect();
    }
    let mut words: Vec<String> = servers
        .iter()
        .map(|s| format!("{} (from {}): {}", s.server.ip(), s.source, evidence::outcome(&s.answer.outcome)))
        .collect();
    words.sort();
    words.dedup();
    let first = servers
        .first()
        .map_or_else(|| "The configured resolver".to_owned(), |s| format!("The resolver {}", s.server.ip()));
    let what =
        failed.iter().find_map(|e| e.dns.as_ref()).map(|d| evidence::outcome(&d.answer.outcome)).unwrap_or_default();
    let names: Vec<&str> = failed.iter().map(|e| e.host.as_str()).collect();
    if let Some(dns) =
        failed.iter().find_map(|e| e.dns.as_ref()).filter(|d| servers.is_empty() && !d.servers.is_empty())
    {
        return vec![
            Draft::new(
                format!("Programs on this host ask no name server for {}", dns.name),
                format!("{what}. Asked directly, {}.", answers_of(dns)),
            )
            .about(failed.iter().map(|e| &e.host))
            .seen(failed.iter().map(|e| evidence::dns(e)))
            .mend([Fix::advice("Name dns among the sources of hosts in /etc/nsswitch.conf: hosts: files dns")]),
        ];
    }
    vec![
        Draft::new(
            format!("{first} fails for {}: {what}", names.first().copied().unwrap_or_default()),
            if words.is_empty() {
                format!("Asked for {}, it gives no answer about the name.", names.join(", "))
            } else {
                format!("Asked for {}: {}.", names.join(", "), words.join("; "))
            },
        )
        .about(failed.iter().map(|e| &e.host))
        .seen(failed.iter().map(|e| evidence::dns(e)))
        .mend([Fix::advice(match servers.first() {
            Some(s) => format!("Make {} answer on port 53, or name another server in {}", s.server.ip(), s.source),
            None => "Configure a name server that answers".to_owned(),
        })]),
    ]
}

//! Search domains that answer in a registry's place.

use crate::facts::dns::{DnsOutcome, SearchedName};
use crate::facts::{Change, EndpointObservation, Fix, Fqdn, Severity, Stage};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

use super::network::list_of;

pub(super) static RULES: &[&Rule] = &[&SEARCH_DOMAIN_ANSWERS];

declare_finding! {
    /// A search domain answers in the registry's place.
    ///
    /// ## Why it matters
    /// Programs complete a name that has fewer dots than `ndots` says by the search domains first. Where such a domain
    /// answers every name (a wildcard record), they get its address and never ask for the registry's own. Pods of
    /// Kubernetes have `ndots:5`, and a registry's name has two dots.
    ///
    /// ## How it shows
    /// - nslookup: `Name: myregistry.azurecr.io.corp.example.com`
    ///
    /// ## What decides it
    /// resolv.conf names a search domain, the registry's name with it behind has an address, and `ndots` lets programs
    /// ask for that first. Where the name itself is asked for first and is not found, it is a warning: programs then get
    /// the wildcard's address in the place of an error.
    ///
    /// ## Fix
    /// `ndots:1` (in a pod: `dnsConfig.options`), or a search list without that domain, or a zone without the wildcard.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>
    SEARCH_DOMAIN_ANSWERS = "dns/search-domain-answers", Error, article "container-registry-troubleshoot-access",
    explains [], search_domain_answers;
}

/// The completion that programs get in the place of an endpoint's own address.
fn completed(endpoint: &EndpointObservation) -> Option<&SearchedName> {
    let dns = endpoint.dns.as_ref()?;
    let searched = dns.searched.as_ref()?;
    let is_other = searched.answer.ips().any(|ip| dns.answer.ips().all(|own| own != ip));
    is_other.then_some(searched)
}

fn search_domain_answers(case: &Case<'_>) -> Vec<Draft> {
    let hidden: Vec<_> = case.endpoints().filter_map(|e| Some((e, completed(e)?))).collect();
    let Some((first, searched)) = hidden.first() else {
        return Vec::new();
    };
    let hosts: Vec<&Fqdn> = hidden.iter().map(|(e, _)| &e.host).collect();
    let domain = searched.name.as_str().strip_prefix(first.host.as_str()).unwrap_or_default().trim_start_matches('.');
    let found = first.dns.as_ref().is_some_and(|dns| dns.answer.outcome == DnsOutcome::Resolved);
    let when = if found {
        format!("programs ask for {} first (ndots is {})", searched.name, searched.ndots)
    } else {
        format!("the name itself is not found, and programs ask for {} next", searched.name)
    };
    let draft = Draft::new(
        format!("The search domain {domain} answers for {}", list_of(&hosts)),
        format!("{domain} is in this host's search list: {when}, and get {}.", evidence::answer(&searched.answer)),
    )
    .about(hosts.iter().copied())
    .seen([evidence::dns(first)])
    .seen([evidence::probe(&first.host, Stage::Dns, format!("{}: {}", searched.name, evidence::answer(&searched.answer)))])
    .mend([
        Fix::command("Let programs ask for names with a dot as they are", "export RES_OPTIONS=ndots:1")
            .change(Change::Environment { name: "RES_OPTIONS".to_owned(), value: Some("ndots:1".to_owned()) }),
        Fix::advice(format!(
            "For every program: `options ndots:1` in /etc/resolv.conf (in a pod dnsConfig.options), or {domain} out of its search list"
        )),
    ]);
    vec![if found { draft } else { draft.severity(Severity::Warning).bystander() }]
}

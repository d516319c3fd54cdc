//! Differences on the client's own host: hosts file, several resolvers, the daemon's resolver.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::facts::dns::{DnsAnswer, DnsObservation, DnsOutcome, ServerAnswer};
use crate::facts::{Change, EndpointObservation, EndpointRole, Fix, Fqdn, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::place::is_private;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::symptom::Symptom;
use crate::reconcile::{command, evidence};

use super::client::runtime;
use super::dns_private::resolves_privately;
use super::network::list_of;

pub(super) static RULES: &[&Rule] = &[&HOSTS_FILE_OVERRIDE, &RESOLVERS_DISAGREE, &DAEMON_RESOLVES_DIFFERENTLY];

declare_finding! {
    /// The hosts file pins a registry's name to an address.
    ///
    /// ## Why it matters
    /// The hosts file wins over every DNS server: the address stays when the registry's changes, and other hosts (and
    /// containers) do not see it.
    ///
    /// ## How it shows
    /// - docker: `dial tcp 10.1.0.9:443: i/o timeout`, on this host only
    /// - nslookup shows another address than `getent hosts`
    ///
    /// ## What decides it
    /// The hosts file has the name. An error where the pinned address is neither among the DNS servers' answers nor a
    /// private endpoint's for that name, and the endpoint fails; a warning where it is right or works.
    ///
    /// ## Fix
    /// Remove the line.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    HOSTS_FILE_OVERRIDE = "dns/hosts-file-override", Error, article "container-registry-troubleshoot-access",
    explains ["network/blocked-silently", "network/refused", "network/unreachable", "network/data-endpoint-blocked",
        "network/private-endpoint-unreachable", "network/nsg-blocks-outbound", "network/egress-through-firewall",
        "tls/intercepted", "tls/wrong-certificate", "tls/reset-in-handshake", "tls/handshake-timeout",
        "tls/version-rejected", "endpoint/no-answer", "endpoint/not-a-registry", "endpoint/regional-endpoint-blocked",
        "firewall/client-ip-not-allowed", "firewall/public-access-disabled", "vnet/subnet-rule-missing",
        "dns/public-answer-for-private-endpoint", "dns/data-endpoint-record-missing", "dns/replica-record-missing",
        "access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"],
    hosts_file_override;
}

/// The pinned addresses of an endpoint that is reached directly.
fn pinned(endpoint: &EndpointObservation) -> Option<&DnsObservation> {
    endpoint.dns.as_ref().filter(|d| !d.hosts_file.is_empty())
}

/// Whether every pinned address is one of the endpoint's own: a server's answer, or a private endpoint's for the name.
fn pinned_rightly(case: &Case<'_>, host: &Fqdn, dns: &DnsObservation) -> bool {
    let answered = |ip: &IpAddr| dns.real_servers().any(|s| s.answer.ips().any(|a| a == *ip));
    let owned = |ip: &IpAddr| {
        case.owner_of(*ip).is_some_and(|(_, endpoint)| case.private_address_for(endpoint, host) == Some(*ip))
    };
    dns.hosts_file.iter().all(|ip| answered(ip) || owned(ip))
}

fn hosts_file_override(case: &Case<'_>) -> Vec<Draft> {
    let own = case.endpoints().filter_map(|e| Some((e, pinned(e)?)));
    let controls = case.controls().filter(|e| !Symptom::of(e).is_reached()).filter_map(|e| Some((e, pinned(e)?)));
    let all: Vec<_> = own.chain(controls).collect();
    let harmful = |(e, dns): &&(&EndpointObservation, &DnsObservation)| {
        !Symptom::of(e).is_reached() && !pinned_rightly(case, &e.host, dns)
    };
    let harm: Vec<_> = all.iter().filter(harmful).copied().collect();
    let shown = if harm.is_empty() { &all } else { &harm };
    let Some((first, dns)) = shown.first() else {
        return Vec::new();
    };
    let hosts: Vec<&Fqdn> = shown.iter().map(|(e, _)| &e.host).collect();
    let addresses = dns.hosts_file.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let file = if case.probe.is_some_and(|p| p.vantage.os == "windows") {
        r"C:\Windows\System32\drivers\etc\hosts"
    } else {
        "/etc/hosts"
    };
    let answers: Vec<String> =
        dns.real_servers().map(|s| format!("{}: {}", s.server.ip(), evidence::answer(&s.answer))).collect();
    let draft = Draft::new(
        format!("The hosts file pins {} to {addresses}", list_of(&hosts)),
        if harm.is_empty() {
            "The address is right today, and stays when the registry's changes; other hosts and containers do not see it."
                .to_owned()
        } else {
            format!("{addresses} is not an address of {}: DNS and the registry's private endpoints give others.", first.host)
        },
    )
    .about(hosts.iter().copied())
    .seen([evidence::vantage(format!("{file}: {addresses} {}", first.host))])
    .seen([evidence::probe(&first.host, crate::facts::Stage::Dns, evidence::list(answers))])
    .mend([unpin(&hosts, file)]);
    let told = dns.real_servers().any(|s| s.answer.outcome == DnsOutcome::Resolved) || case.all_addresses_known();
    vec![match (harm.is_empty(), told) {
        (true, _) => draft.severity(Severity::Warning).bystander(),
        (false, true) => draft,
        (false, false) => draft.likely(),
    }]
}

/// Takes the lines of these names out of a hosts file.
fn unpin(hosts: &[&Fqdn], file: &str) -> Fix {
    let summary = format!("Remove the lines with {} from {file}", list_of(hosts));
    let fix = if file.starts_with('/') {
        let names: Vec<String> = hosts.iter().map(|host| host.as_str().replace('.', r"\.")).collect();
        let lines = format!(r"/[[:space:]]({})([[:space:]]|$)/d", names.join("|"));
        Fix::command(summary, command::line(["sudo", "sed", "-E", "-i", &lines, file]))
    } else {
        Fix::advice(summary)
    };
    fix.change(Change::HostsFile { remove: hosts.iter().copied().cloned().collect() })
}

declare_finding! {
    /// The client's configured resolvers give different answers.
    ///
    /// ## Why it matters
    /// Which server is asked first differs between programs and from one minute to the next: access comes and goes.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '…' is not allowed access`, or `no such host`, but not every time
    ///
    /// ## What decides it
    /// Asked one by one, the servers differ in kind: a private address from one, a public one or none from another. Other
    /// public addresses of the same service are no difference, and a server that fails gives no answer to compare. Of the
    /// servers behind systemd-resolved only those of one link are compared: links share out the names between them.
    /// Where the server in use gives the wrong kind, what follows from that is explained by this; a zone that is known
    /// not to be linked explains it in turn.
    ///
    /// ## Fix
    /// Only resolvers that know the private zone, or forwarding on the other one.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-private-link>
    RESOLVERS_DISAGREE = "dns/resolvers-disagree", Warning, article "container-registry-private-link",
    explains ["dns/public-answer-for-private-endpoint", "dns/name-not-found", "dns/private-zone-record-missing",
        "dns/data-endpoint-record-missing", "dns/replica-record-missing", "firewall/public-access-disabled",
        "firewall/client-ip-not-allowed", "network/blocked-silently"],
    resolvers_disagree;
}

/// Kinds of answers that mean different ways to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Private,
    Public,
    Missing,
}

fn kind(answer: &DnsAnswer) -> Option<Kind> {
    match answer.outcome {
        DnsOutcome::Resolved if answer.ips().any(is_private) => Some(Kind::Private),
        DnsOutcome::Resolved => Some(Kind::Public),
        DnsOutcome::NameNotFound | DnsOutcome::NoAddress => Some(Kind::Missing),
        _ => None,
    }
}

/// Groups of servers that take each other's place: the configured ones, and those of one link behind a stub. Servers of
/// different links are asked for different names, by design.
fn rivals(dns: &DnsObservation) -> Vec<Vec<&ServerAnswer>> {
    let mut groups = vec![dns.servers.iter().collect::<Vec<_>>()];
    let mut links: Vec<&Option<String>> = Vec::new();
    for link in dns.upstreams.iter().filter_map(|upstream| upstream.link.known()) {
        if !links.contains(&link) {
            links.push(link);
            let here = dns.upstreams.iter().filter(|upstream| upstream.link.known() == Some(link));
            groups.push(here.map(|upstream| &upstream.said).collect());
        }
    }
    groups
}

fn differ(servers: &[&ServerAnswer]) -> bool {
    servers.iter().filter_map(|s| kind(&s.answer)).collect::<BTreeSet<_>>().len() > 1
}

fn shown(servers: &[IpAddr]) -> String {
    servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn resolvers_disagree(case: &Case<'_>) -> Vec<Draft> {
    let split: Vec<_> = case
        .endpoints()
        .filter_map(|e| Some((e, e.dns.as_ref()?)))
        .filter_map(|(e, dns)| Some((e, rivals(dns).into_iter().find(|servers| differ(servers))?)))
        .collect();
    let Some((first, servers)) = split.first() else {
        return Vec::new();
    };
    let hosts: Vec<&Fqdn> = split.iter().map(|(e, _)| &e.host).collect();
    let line = |s: &ServerAnswer| format!("{} (from {}): {}", s.server.ip(), s.source, evidence::answer(&s.answer));
    let lines: Vec<String> = servers.iter().copied().map(line).collect();
    let others: Vec<IpAddr> =
        servers.iter().filter(|s| kind(&s.answer).is_some_and(|k| k != Kind::Private)).map(|s| s.server.ip()).collect();
    let private = servers.iter().any(|s| kind(&s.answer) == Some(Kind::Private));
    vec![
        Draft::new(
            format!("The configured resolvers disagree about {}", list_of(&hosts)),
            format!("{}. Which one answers a program is chance.", lines.join("; ")),
        )
        .about(hosts)
        .seen([evidence::probe(&first.host, crate::facts::Stage::Dns, evidence::list(lines.clone()))])
        .mend(if private {
            let away = Fix::advice(format!("Remove {} from this host's resolvers", shown(&others)));
            vec![super::dns_mend::forward(case, &others), away]
        } else {
            let text =
                format!("Let {} resolve {}, or remove from here the server that does not", shown(&others), first.host);
            vec![Fix::advice(text)]
        }),
    ]
}

declare_finding! {
    /// The container daemon reaches the registry by another address than this shell.
    ///
    /// ## Why it matters
    /// The daemon pulls, not the shell. In another VM or network namespace (Docker Desktop, WSL, a remote daemon) it has
    /// its own resolver, and every check made in the shell is beside the point.
    ///
    /// ## How it shows
    /// - docker: `denied: client with IP '203.0.113.5' is not allowed access`, while nslookup gives a private address
    ///
    /// ## What decides it
    /// This host resolves the login server to a private address, and the registry's refusal (of the daemon, where it was
    /// asked, or of this run) names a public one.
    ///
    /// ## Fix
    /// The daemon's resolver: `dns` in daemon.json does not count for the daemon itself, its host's resolver does.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    DAEMON_RESOLVES_DIFFERENTLY = "dns/daemon-resolves-differently", Warning,
    article "container-registry-troubleshoot-access",
    explains ["firewall/public-access-disabled", "firewall/client-ip-not-allowed"], daemon_resolves_differently;
}

/// The public address that the registry saw of the daemon, or of this run although the name is private here.
fn seen_publicly(case: &Case<'_>) -> Option<IpAddr> {
    let daemon = runtime(case).and_then(|r| r.docker.as_ref()?.registry_answer.known()?.denied_client);
    let login = case.login().filter(|e| !e.route.is_proxied())?;
    let shell = match Symptom::of(login) {
        Symptom::Denied(ip, _) => ip,
        _ => None,
    };
    daemon.or(shell).filter(|ip| !is_private(*ip))
}

fn daemon_resolves_differently(case: &Case<'_>) -> Vec<Draft> {
    let Some(login) = case.login().filter(|e| e.role == EndpointRole::Login && resolves_privately(e)) else {
        return Vec::new();
    };
    // Through a private endpoint that is not approved the registry refuses too: a matter of the connection.
    let approved = |ip: IpAddr| {
        case.owner_of(ip).is_none_or(|(c, _)| c.status == crate::facts::registry::ConnectionStatus::Approved)
    };
    let here = login.dns.iter().flat_map(|d| d.answer.ips()).find(|ip| is_private(*ip) && approved(*ip));
    let (Some(here), Some(there)) = (here, seen_publicly(case)) else {
        return Vec::new();
    };
    let hostname = case.probe.map_or("this host", |p| p.vantage.hostname.as_str());
    vec![
        Draft::new(
            format!("The container daemon does not reach {} at {here}, as this shell does", login.host),
            format!("{hostname} resolves the name to {here}, and the registry saw the public address {there}: what pulls uses another resolver or network."),
        )
        .about([&login.host])
        .seen([evidence::dns(login)])
        .seen(login.http.as_ref().map(|http| evidence::http(&login.host, http)))
        .seen([evidence::vantage(format!("the registry saw {there}"))])
        .mend([
            Fix::command(
                "See which resolver the daemon's own host uses (in its VM, e.g. Docker Desktop or WSL)",
                command::line(["docker", "run", "--rm", "--net=host", "alpine", "nslookup", login.host.as_str()]),
            ),
            Fix::advice(format!("Give the daemon's host the resolver that answers {here}, then restart the daemon")),
        ]),
    ]
}

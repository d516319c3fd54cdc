//! Certificates: who presents them, for which names, and when.

use crate::facts::tls::{TlsObservation, TlsOutcome};
use crate::facts::{Change, EndpointObservation, Evidence, Fix, Fqdn, Stage};
use crate::reconcile::case::Case;
use crate::reconcile::clock::{self, Clock};
use crate::reconcile::paths::tls_words;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence, symptom::Symptom};

use super::network::list_of;

pub(super) static RULES: &[&Rule] = &[&INTERCEPTED, &AUTHORITY_NOT_KNOWN, &WRONG_CERTIFICATE, &CLOCK_SKEW];

/// An endpoint and its handshake.
pub(super) type Handshake<'a> = (&'a EndpointObservation, &'a TlsObservation);

/// The registry's endpoints, then the controls, whose handshake failed in a way.
pub(super) fn failing<'a>(case: &Case<'a>, matches: impl Fn(&TlsObservation) -> bool) -> Vec<Handshake<'a>> {
    let failed = |e: &'a EndpointObservation| {
        let Symptom::Tls(_) = Symptom::of(e) else { return None };
        let tls = e.tls.as_ref()?;
        matches(tls).then_some((e, tls))
    };
    let own: Vec<_> = case.endpoints().filter_map(failed).collect();
    if own.is_empty() { own } else { own.into_iter().chain(case.controls().filter_map(failed)).collect() }
}

pub(super) fn handshake((endpoint, tls): &Handshake<'_>) -> Evidence {
    evidence::probe(&endpoint.host, Stage::Tls, tls_words(tls))
}

/// The hosts of handshakes.
pub(super) fn hosts<'a>(failed: &[Handshake<'a>]) -> Vec<&'a Fqdn> {
    failed.iter().map(|(e, _)| &e.host).collect()
}

fn names(hosts: &[&Fqdn]) -> String {
    hosts.iter().map(|h| h.as_str()).collect::<Vec<_>>().join(", ")
}

/// Whether the chain's last issuer is one that registries' chains end in, or that this client trusted elsewhere.
fn issued_publicly(case: &Case<'_>, tls: &TlsObservation) -> bool {
    let Some(root) = tls.chain.last().map(|c| c.issuer.as_str()) else { return false };
    let public = ["DigiCert", "Microsoft", "Baltimore", "GlobalSign", "Entrust", "Sectigo", "ISRG"];
    let trusted_elsewhere = case
        .everything()
        .filter_map(|e| e.tls.as_ref())
        .any(|t| t.outcome == TlsOutcome::Established && t.chain.last().is_some_and(|c| c.issuer == root));
    trusted_elsewhere || public.iter().any(|name| root.contains(name))
}

/// Whether an issuer is named as the authorities are that Azure's certificates come from. A name can be copied, and
/// inspecting proxies bear their owner's.
fn is_named_as_azures(issuer: &str) -> bool {
    let names =
        ["DigiCert", "Baltimore CyberTrust", "Microsoft RSA", "Microsoft ECC", "Microsoft Azure", "Microsoft TLS"];
    names.iter().any(|name| issuer.contains(name))
}

/// A chain of an authority that Azure uses, which this client does not know.
fn is_of_unknown_authority(tls: &TlsObservation) -> bool {
    tls.outcome == TlsOutcome::UnknownIssuer && tls.chain.last().is_some_and(|c| is_named_as_azures(&c.issuer))
}

fn is_out_of_time(tls: &TlsObservation) -> bool {
    matches!(tls.outcome, TlsOutcome::Expired | TlsOutcome::NotYetValid)
}

/// An expired certificate of a CA that is not public, while the clock is right: an inspecting proxy's.
fn expired_of_another_ca(case: &Case<'_>, tls: &TlsObservation) -> bool {
    let judged = clock::judge(case, tls);
    let unexplained = judged == Clock::Right || (judged == Clock::Undecided && tls.outcome == TlsOutcome::Expired);
    is_out_of_time(tls) && unexplained && !issued_publicly(case, tls)
}

/// A failure that names no kind, with a certificate in hand.
fn is_unreadable_chain(tls: &TlsObservation) -> bool {
    matches!(tls.outcome, TlsOutcome::Failed { .. }) && !tls.chain.is_empty()
}

declare_finding! {
    /// The certificate is not the registry's: something inspects TLS on the way.
    ///
    /// ## Why it matters
    /// docker, containerd and az trust only the CAs that they know. An inspecting proxy or firewall presents certificates
    /// of its own CA, and every client without that CA refuses them.
    ///
    /// ## How it shows
    /// - docker: `x509: certificate signed by unknown authority`
    /// - az: `CONNECTIVITY_SSL_ERROR`, `CERTIFICATE_VERIFY_FAILED`
    ///
    /// ## What decides it
    /// The chain as presented ends in an issuer that this client's trust store does not hold; a registry's chain is
    /// publicly trusted. The issuer's name says who inspects. An expired certificate of such an issuer counts too,
    /// where the client's clock is right.
    ///
    /// ## Fix
    /// Exempt the registry's endpoints from inspection (Microsoft's advice), or install that CA for docker and containerd too.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    INTERCEPTED = "tls/intercepted", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], intercepted;
}

fn intercepted(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, |tls| {
        let unknown = tls.outcome == TlsOutcome::UnknownIssuer && !is_of_unknown_authority(tls);
        unknown || is_unreadable_chain(tls) || expired_of_another_ca(case, tls)
    });
    let Some((first, tls)) = failed.first() else {
        return Vec::new();
    };
    let issuer = tls.chain.last().map_or("an unnamed issuer", |c| c.issuer.as_str());
    let hosts = hosts(&failed);
    let ca = common_name(issuer);
    let draft = Draft::new(
        format!("TLS to {} is intercepted by '{ca}'", list_of(&hosts)),
        format!("The certificate presented is issued by {issuer}, which this client does not trust: an inspecting proxy or firewall stands in between."),
    )
    .seen(failed.iter().map(handshake))
    .mend([
        Fix::advice(format!("Exempt {} from TLS inspection", names(&hosts)))
            .change(Change::AllowEgress { hosts: hosts.iter().copied().cloned().collect() }),
        Fix::command(
            format!("Trust '{ca}' for docker: save its certificate as ca.crt, then"),
            format!("sudo install -D -m 0644 ca.crt /etc/docker/certs.d/{}/ca.crt", first.host),
        ),
    ])
    .about(hosts);
    let sure = failed.iter().any(|(_, tls)| tls.outcome == TlsOutcome::UnknownIssuer);
    vec![if sure { draft } else { draft.likely() }]
}

declare_finding! {
    /// This client does not know the public authority of Azure's certificates, or does not get the whole chain.
    ///
    /// ## Why it matters
    /// Nobody inspects: the certificate is the registry's own. Old hosts and images lack the roots that Azure uses today,
    /// and a file in SSL_CERT_FILE takes the place of all others. A middlebox that leaves out the intermediate
    /// certificate looks the same.
    ///
    /// ## How it shows
    /// - docker: `x509: certificate signed by unknown authority`
    /// - curl: `unable to get local issuer certificate`
    ///
    /// ## What decides it
    /// The chain as presented is not trusted, and ends in an issuer that is named as Azure's public authorities are
    /// (DigiCert, Microsoft). Only likely, because names can be copied; any other issuer is `tls/intercepted`.
    ///
    /// ## Fix
    /// The host's certificates brought up to date, or SSL_CERT_FILE taken out of the environment.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/security/fundamentals/azure-ca-details>
    AUTHORITY_NOT_KNOWN = "tls/authority-not-known", Error,
    article "https://learn.microsoft.com/azure/security/fundamentals/azure-ca-details",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], authority_not_known;
}

fn authority_not_known(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, is_of_unknown_authority);
    let Some((_, tls)) = failed.first() else {
        return Vec::new();
    };
    let issuer = tls.chain.last().map_or("", |c| c.issuer.as_str());
    let ca = common_name(issuer);
    let hosts = hosts(&failed);
    let alone = tls.chain.len() == 1;
    let why = if alone {
        "The server sent its own certificate alone: what leads from it to a root is missing on the way, or the root is missing here."
    } else {
        "It is one of the authorities that Azure's certificates come from, and it is not among those that this client trusts."
    };
    let fix = if tls.trust.starts_with("SSL_CERT_FILE") {
        Fix::command(
            format!("Trust the platform's authorities: {} takes their place", tls.trust),
            "unset SSL_CERT_FILE",
        )
        .change(Change::Environment { name: "SSL_CERT_FILE".to_owned(), value: None })
    } else {
        Fix::advice(
            "Bring this host's authorities up to date (package ca-certificates, Windows Update), and the image's from which it runs",
        )
    };
    vec![
        Draft::new(format!("This client does not know the authority '{ca}' of {}", list_of(&hosts)), why)
            .seen(failed.iter().map(handshake))
            .seen([evidence::vantage(format!("trusted: {}", tls.trust))])
            .mend([fix])
            .about(hosts)
            .likely(),
    ]
}

/// The common name of a distinguished name, or all of it.
fn common_name(name: &str) -> &str {
    name.split(',').find_map(|part| part.trim().strip_prefix("CN=")).unwrap_or(name)
}

declare_finding! {
    /// A trusted certificate comes back, and it is not for this endpoint.
    ///
    /// ## Why it matters
    /// The name leads to another host than the registry: a wrong address, a wrong name, or a middlebox with a public
    /// certificate of its own.
    ///
    /// ## How it shows
    /// - docker: `x509: certificate is valid for *.example.com, not myregistry.azurecr.io`
    /// - curl: `SSL: no alternative certificate subject name matches target host name`
    ///
    /// ## What decides it
    /// The chain is trusted, and none of the certificate's names covers the endpoint; or the certificate has run out
    /// while the client's clock is right. Where the address is known to be wrong, that is the reason.
    ///
    /// ## Fix
    /// The right address for the name; or the endpoint exempted from whatever answers in its place.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    WRONG_CERTIFICATE = "tls/wrong-certificate", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], wrong_certificate;
}

fn wrong_certificate(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, |tls| {
        tls.outcome == TlsOutcome::NameMismatch
            || (is_out_of_time(tls) && clock::judge(case, tls) == Clock::Right && issued_publicly(case, tls))
    });
    let Some((first, tls)) = failed.first() else {
        return Vec::new();
    };
    let certificate = tls.chain.first();
    let shown = certificate.map_or_else(
        || "another name".to_owned(),
        |c| if c.dns_names.is_empty() { c.subject.clone() } else { c.dns_names.join(", ") },
    );
    let address = first.tcp.iter().find(|t| t.outcome == crate::facts::probe::TcpOutcome::Connected);
    let at = address.map(|t| format!(" at {}", t.address)).unwrap_or_default();
    let hosts = hosts(&failed);
    let draft = if tls.outcome == TlsOutcome::NameMismatch {
        Draft::new(
            format!("The certificate that answers for {} is for {shown}", list_of(&hosts)),
            format!(
                "The host{at} has a trusted certificate, for {shown}: it is not the registry, or the name is not one that its certificate covers."
            ),
        )
    } else {
        Draft::new(
            format!("The certificate that answers for {} is out of date", list_of(&hosts)),
            format!(
                "The host{at} presents a certificate for {shown} that is not valid now, and this client's clock is right: it is not the registry's own."
            ),
        )
    };
    vec![
        draft
            .seen(failed.iter().flat_map(|pair| [evidence::dns(pair.0), handshake(pair)]))
            .mend([Fix::advice(format!(
                "Find out what answers{at} in place of {}: correct the record or the forwarding rule that leads there",
                first.host
            ))])
            .about(hosts),
    ]
}

declare_finding! {
    /// This host's clock is wrong, so valid certificates look expired or not yet valid.
    ///
    /// ## Why it matters
    /// Nothing is wrong with the registry or the network; TLS to everything fails, and tokens are refused too.
    ///
    /// ## How it shows
    /// - docker: `x509: certificate has expired or is not yet valid: current time 2030-01-01T00:00:00Z is after …`
    /// - az: `CERTIFICATE_VERIFY_FAILED: certificate is not yet valid`
    ///
    /// ## What decides it
    /// The certificate is out of time by this host's clock, and a server's `Date` header shows that the clock is off so
    /// far that the certificate is valid in truth; or different endpoints' certificates are all out of time at once.
    ///
    /// ## Fix
    /// Time synchronisation on this host.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/virtual-machines/linux/time-sync>
    CLOCK_SKEW = "tls/clock-skew", Error, article "https://learn.microsoft.com/azure/virtual-machines/linux/time-sync",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in",
        "auth/token-exchange-failed"], clock_skew;
}

fn clock_skew(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, |tls| {
        let judged = clock::judge(case, tls);
        is_out_of_time(tls) && (judged == Clock::Wrong || (judged == Clock::Undecided && issued_publicly(case, tls)))
    });
    let (Some((_, tls)), Some(probe)) = (failed.first(), case.probe) else {
        return Vec::new();
    };
    let hosts = hosts(&failed);
    let offset = clock::offset(case);
    let by = offset.map_or_else(String::new, |o| format!(" by {}", clock::duration(o)));
    let direction = if tls.outcome == TlsOutcome::Expired { "ahead" } else { "behind" };
    let windows = probe.vantage.os == "windows";
    let draft = Draft::new(
        format!("The clock of {} is {direction}{by}", probe.vantage.hostname),
        format!(
            "By this host's clock it is {}, and the certificates of {} are not valid then.",
            clock::shown(probe.started_at),
            list_of(&hosts)
        ),
    )
    .seen([evidence::vantage(format!("clock: {}", clock::shown(probe.started_at)))])
    .seen(failed.iter().map(handshake))
    .mend([Fix::command(
        "Set the clock from the network",
        if windows { "w32tm /resync".to_owned() } else { command::line(["sudo", "timedatectl", "set-ntp", "true"]) },
    )])
    .about(hosts);
    vec![if offset.is_some() { draft } else { draft.likely() }]
}

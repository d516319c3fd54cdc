//! The TLS handshake.

use crate::facts::tls::{TlsObservation, TlsOutcome};
use crate::facts::{EndpointObservation, Evidence, Fix, Fqdn, Stage};
use crate::reconcile::case::Case;
use crate::reconcile::paths::tls_words;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{evidence, symptom::Symptom};

pub(super) static RULES: &[&Rule] = &[&INTERCEPTED];

/// The registry's endpoints, then the controls, whose handshake failed in a way.
fn failing<'a>(
    case: &Case<'a>,
    matches: impl Fn(&TlsOutcome) -> bool,
) -> Vec<(&'a EndpointObservation, &'a TlsObservation)> {
    let failed = |e: &'a EndpointObservation| {
        let Symptom::Tls(outcome) = Symptom::of(e) else { return None };
        matches(outcome).then(|| e.tls.as_ref().map(|t| (e, t)))?
    };
    let own: Vec<_> = case.endpoints().filter_map(failed).collect();
    if own.is_empty() { own } else { own.into_iter().chain(case.controls().filter_map(failed)).collect() }
}

fn handshake((endpoint, tls): &(&EndpointObservation, &TlsObservation)) -> Evidence {
    evidence::probe(&endpoint.host, Stage::Tls, tls_words(tls))
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
    /// publicly trusted. The issuer's name says who inspects.
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
    let failed = failing(case, |o| *o == TlsOutcome::UnknownIssuer);
    let Some((first, tls)) = failed.first() else {
        return Vec::new();
    };
    let issuer = tls.chain.last().map_or("an unnamed issuer", |c| c.issuer.as_str());
    let hosts: Vec<&Fqdn> = failed.iter().map(|(e, _)| &e.host).collect();
    let names: Vec<&str> = hosts.iter().map(|h| h.as_str()).collect();
    let ca = issuer.split(',').find_map(|part| part.trim().strip_prefix("CN=")).unwrap_or(issuer);
    vec![
        Draft::new(
            format!("TLS to {} is intercepted by '{ca}'", first.host),
            format!("The certificate presented is issued by {issuer}, which this client does not trust: an inspecting proxy or firewall stands in between."),
        )
        .about(hosts)
        .seen(failed.iter().map(handshake))
        .mend([
            Fix::advice(format!("Exempt {} from TLS inspection", names.join(", "))),
            Fix::command(
                format!("Or trust '{ca}' for docker: save its certificate as ca.crt, then"),
                format!("sudo install -D -m 0644 ca.crt /etc/docker/certs.d/{}/ca.crt", first.host),
            ),
        ]),
    ]
}

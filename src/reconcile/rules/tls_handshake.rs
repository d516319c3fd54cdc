//! Handshakes that do not come about.

use crate::facts::tls::{TlsObservation, TlsOutcome};
use crate::facts::{Change, Evidence, Fix, Stage};
use crate::reconcile::case::Case;
use crate::reconcile::evidence;
use crate::reconcile::rule::{Draft, Rule, declare_finding};

use super::network::{allow_egress, list_of};
use super::tls::{Handshake, failing, handshake, hosts};

pub(super) static RULES: &[&Rule] = &[&RESET_IN_HANDSHAKE, &HANDSHAKE_TIMEOUT, &VERSION_REJECTED];

/// What another try with another ClientHello showed.
fn retry(pair: &Handshake<'_>, what: &str, outcome: Option<&TlsOutcome>) -> Option<Evidence> {
    let outcome = outcome?.clone();
    let words = crate::reconcile::paths::tls_words(&TlsObservation { outcome, ..pair.1.clone() });
    Some(evidence::probe(&pair.0.host, Stage::Tls, format!("{what}: {words}")))
}

/// Whether a ClientHello got any TLS back.
fn got_through(outcome: Option<&TlsOutcome>) -> Option<bool> {
    outcome.map(|o| !matches!(o, TlsOutcome::Reset | TlsOutcome::TimedOut | TlsOutcome::NotTls))
}

declare_finding! {
    /// The connection stands, and is reset as soon as the client names the endpoint in its ClientHello.
    ///
    /// ## Why it matters
    /// A firewall that filters by server name (SNI) lets TCP through and cuts the handshake: it looks like a fault of
    /// the registry and is a missing rule.
    ///
    /// ## How it shows
    /// - docker: `Get "https://myregistry.azurecr.io/v2/": read tcp …: read: connection reset by peer`
    /// - docker: `Get "https://myregistry.azurecr.io/v2/": EOF`
    /// - curl: `OpenSSL SSL_connect: Connection reset by peer`
    ///
    /// ## What decides it
    /// TCP connects, and reset or end of stream follows the ClientHello. The same address asked with another name in SNI
    /// tells whether the name is filtered or everything is.
    ///
    /// ## Fix
    /// A rule for exactly these names in the firewall that filters.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-firewall-access-rules>
    RESET_IN_HANDSHAKE = "tls/reset-in-handshake", Error, article "container-registry-firewall-access-rules",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in",
        "endpoint/dedicated-data-endpoints-off"], reset_in_handshake;
}

fn reset_in_handshake(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, |tls| match &tls.outcome {
        TlsOutcome::Reset => true,
        // Without a trust store of this client's own nothing was tried.
        TlsOutcome::Failed { .. } => tls.chain.is_empty() && tls.trust != "none",
        _ => false,
    });
    let Some((_, first)) = failed.first() else {
        return Vec::new();
    };
    let hosts = hosts(&failed);
    let filtered = failed.iter().any(|(_, tls)| got_through(tls.with_neutral_name.as_ref()) == Some(true));
    let detail = if filtered {
        "TCP connects, and the handshake is cut once the endpoint's name is in it; with another name the same address answers: something filters by server name (SNI)."
    } else if failed.iter().any(|(_, tls)| got_through(tls.with_neutral_name.as_ref()) == Some(false)) {
        "TCP connects, and every handshake is cut, whatever name it carries: something accepts connections for this address and lets no TLS through."
    } else {
        "TCP connects, and the handshake is cut right after the ClientHello, which names the endpoint: a firewall that filters by server name (SNI) does so."
    };
    let draft = Draft::new(format!("The TLS handshake with {} is cut off", list_of(&hosts)), detail)
        .seen(failed.iter().map(handshake))
        .seen(failed.iter().filter_map(|p| retry(p, "with another name in SNI", p.1.with_neutral_name.as_ref())))
        .mend(allow_egress(case, hosts.iter().copied()))
        .about(hosts);
    vec![if first.outcome == TlsOutcome::Reset { draft } else { draft.likely() }]
}

declare_finding! {
    /// The connection stands, and no answer to the ClientHello comes.
    ///
    /// ## Why it matters
    /// Clients hang until their time-out. Either a middlebox swallows the handshake, or packets above some size are lost
    /// on the way (an MTU black hole, common behind VPN and overlay networks).
    ///
    /// ## How it shows
    /// - docker: `net/http: TLS handshake timeout`
    /// - curl: hangs after `TLS handshake, Client hello (1)`
    ///
    /// ## What decides it
    /// TCP connects, and nothing follows the ClientHello. If a small ClientHello is answered, size is the reason.
    ///
    /// ## Fix
    /// The right MTU (or MSS clamping) on the way; or a rule in the middlebox that swallows the handshake.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/virtual-network/virtual-network-tcpip-performance-tuning>
    HANDSHAKE_TIMEOUT = "tls/handshake-timeout", Error,
    article "https://learn.microsoft.com/azure/virtual-network/virtual-network-tcpip-performance-tuning",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in",
        "endpoint/dedicated-data-endpoints-off"], handshake_timeout;
}

fn handshake_timeout(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, |tls| tls.outcome == TlsOutcome::TimedOut);
    if failed.is_empty() {
        return Vec::new();
    }
    let hosts = hosts(&failed);
    let by_size = failed.iter().any(|(_, tls)| got_through(tls.with_small_hello.as_ref()) == Some(true));
    let by_name = failed.iter().any(|(_, tls)| got_through(tls.with_neutral_name.as_ref()) == Some(true));
    let (detail, fix) = if by_size {
        (
            "A ClientHello of usual size gets no answer, and a small one does: large packets are lost on the way, an MTU black hole.",
            vec![
                Fix::command(
                    "Find the largest packet that passes",
                    format!("tracepath -n {}", failed.first().map_or("", |(e, _)| e.host.as_str())),
                ),
                Fix::advice(
                    "Lower the MTU of the interface (or clamp the MSS on the router), and let ICMP 'fragmentation needed' pass",
                ),
            ],
        )
    } else if by_name {
        (
            "The ClientHello gets no answer, and one with another name does: something filters by server name (SNI).",
            allow_egress(case, hosts.iter().copied()),
        )
    } else {
        (
            "TCP connects, and nothing answers the ClientHello: a middlebox accepts the connection in the registry's place, or large packets are lost (MTU).",
            allow_egress(case, hosts.iter().copied()),
        )
    };
    vec![
        Draft::new(format!("The TLS handshake with {} gets no answer", list_of(&hosts)), detail)
            .seen(failed.iter().map(handshake))
            .seen(failed.iter().filter_map(|p| retry(p, "with a small ClientHello", p.1.with_small_hello.as_ref())))
            .seen(failed.iter().filter_map(|p| retry(p, "with another name in SNI", p.1.with_neutral_name.as_ref())))
            .mend(fix)
            .about(hosts),
    ]
}

declare_finding! {
    /// What answers takes no TLS from 1.2 up.
    ///
    /// ## Why it matters
    /// Registries speak TLS 1.2 and 1.3 only. An old inspecting middlebox that ends TLS itself takes older versions only,
    /// and no client reaches the registry through it.
    ///
    /// ## How it shows
    /// - docker: `remote error: tls: protocol version not supported`
    /// - curl: `tlsv1 alert protocol version`
    ///
    /// ## What decides it
    /// The handshake ends with the alert protocol_version, or an older version is offered in answer.
    ///
    /// ## Fix
    /// TLS 1.2 in the middlebox, or the endpoints exempted from its inspection.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access>
    VERSION_REJECTED = "tls/version-rejected", Error, article "container-registry-troubleshoot-access",
    explains ["access/authority-unreachable", "access/arm-unreachable", "access/not-signed-in"], version_rejected;
}

fn version_rejected(case: &Case<'_>) -> Vec<Draft> {
    let failed = failing(case, |tls| matches!(tls.outcome, TlsOutcome::VersionRejected { .. }));
    let Some((_, first)) = failed.first() else {
        return Vec::new();
    };
    let TlsOutcome::VersionRejected { offered } = &first.outcome else {
        return Vec::new();
    };
    let hosts = hosts(&failed);
    let takes = offered.as_ref().map(|v| format!(", only {v}")).unwrap_or_default();
    let names: Vec<&str> = hosts.iter().map(|h| h.as_str()).collect();
    vec![
        Draft::new(
            format!("What answers for {} takes no TLS from 1.2 up", list_of(&hosts)),
            format!("Registries speak TLS 1.2 and later; what answers here does not{takes}: a middlebox that ends TLS itself."),
        )
        .seen(failed.iter().map(handshake))
        .mend([Fix::advice(format!(
            "Enable TLS 1.2 in the middlebox in between, or exempt {} from its inspection",
            names.join(", ")
        ))
        .change(Change::AllowEgress { hosts: hosts.iter().copied().cloned().collect() })])
        .about(hosts),
    ]
}

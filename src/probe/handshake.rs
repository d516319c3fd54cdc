//! TLS: a handshake that is completed for the record, whatever the certificate, and judged all the same.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant as Deadline, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate;
use super::resolve::millis;
use crate::facts::Fqdn;
use crate::facts::tls::{TlsObservation, TlsOutcome};

/// Why the trust store could not be read.
#[derive(Debug, Error)]
pub enum TrustError {
    /// `--ca-file` cannot be read.
    #[error("cannot read the CA file '{path}'")]
    CaFile {
        /// The file.
        path: String,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// No roots at all.
    #[error("no trusted certificates: {0}")]
    NoRoots(TlsError),
}

/// What this client trusts: the platform's roots (or `SSL_CERT_FILE`), and `--ca-file`.
#[derive(Debug, Clone)]
pub struct Trust {
    verifier: Arc<dyn ServerCertVerifier>,
    provider: Arc<CryptoProvider>,
    /// Where trust comes from, in words.
    pub source: String,
}

impl Trust {
    /// Reads the roots, once a run.
    pub fn read(ca_file: Option<&Path>) -> Result<Self, TrustError> {
        use rustls::pki_types::pem::PemObject;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let extra = match ca_file {
            None => Vec::new(),
            Some(path) => CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|source| TrustError::CaFile { path: path.display().to_string(), source })?,
        };
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(extra, Arc::clone(&provider))
            .map_err(TrustError::NoRoots)?;
        let roots = match std::env::var_os("SSL_CERT_FILE") {
            Some(file) => format!("SSL_CERT_FILE={}", file.to_string_lossy()),
            None => "the platform's roots".to_owned(),
        };
        let source = ca_file.map_or(roots.clone(), |file| format!("{roots} and {}", file.display()));
        Ok(Self { verifier: Arc::new(verifier), provider, source })
    }

    /// Whether a chain is trusted for a name, by the same rules.
    fn verifier(&self) -> Arc<Recorder> {
        Arc::new(Recorder { inner: Arc::clone(&self.verifier), verdict: Mutex::new(None) })
    }
}

/// What kind of ClientHello to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hello {
    /// As usual, with a post-quantum key share (about 1.5 kB: more than one packet on many paths).
    Usual,
    /// Small enough for any MTU: no post-quantum key share.
    Small,
}

/// A completed handshake, trusted or not.
pub struct Handshake<S> {
    /// What was seen.
    pub observation: TlsObservation,
    /// The stream, where the handshake completed; requests with credentials go over it only if `Established`.
    pub stream: Option<TlsStream<S>>,
}

/// Shakes hands with the server behind `stream`, naming `name` in SNI.
pub async fn shake<S>(trust: &Trust, stream: S, name: &Fqdn, hello: Hello, deadline: Deadline) -> Handshake<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let started = Instant::now();
    let recorder = trust.verifier();
    let result = match (client_config(trust, &recorder, hello), ServerName::try_from(name.as_str().to_owned())) {
        (Ok(config), Ok(server)) => {
            timeout_at(deadline, TlsConnector::from(Arc::new(config)).connect(server, stream)).await
        }
        (Err(error), _) => return failed(trust, TlsOutcome::Failed { message: error.to_string() }, started),
        (_, Err(_)) => {
            return failed(trust, TlsOutcome::Failed { message: "the name cannot stand in SNI".to_owned() }, started);
        }
    };
    let ms = millis(started);
    match result {
        Err(_) => failed(trust, TlsOutcome::TimedOut, started),
        Ok(Err(error)) => failed(trust, outcome_of(&error), started),
        Ok(Ok(stream)) => {
            let (_, session) = stream.get_ref();
            let chain = session.peer_certificates().unwrap_or_default();
            let observation = TlsObservation {
                outcome: recorder.outcome(),
                version: session.protocol_version().and_then(|v| v.as_str()).map(|v| v.replace("TLSv1_", "TLSv1.")),
                cipher: session.negotiated_cipher_suite().and_then(|s| s.suite().as_str()).map(str::to_owned),
                chain: chain.iter().filter_map(|der| certificate::read(der)).collect(),
                trust: trust.source.clone(),
                with_neutral_name: None,
                with_small_hello: None,
                clock_offset_seconds: None,
                ms,
            };
            Handshake { observation, stream: Some(stream) }
        }
    }
}

fn failed<S>(trust: &Trust, outcome: TlsOutcome, started: Instant) -> Handshake<S> {
    let observation = TlsObservation {
        outcome,
        version: None,
        cipher: None,
        chain: Vec::new(),
        trust: trust.source.clone(),
        with_neutral_name: None,
        with_small_hello: None,
        clock_offset_seconds: None,
        ms: millis(started),
    };
    Handshake { observation, stream: None }
}

fn client_config(trust: &Trust, recorder: &Arc<Recorder>, hello: Hello) -> Result<ClientConfig, TlsError> {
    let provider = match hello {
        // The hybrid key share first, as Go and OpenSSL of today send it: docker's ClientHello is as large.
        Hello::Usual => {
            let mut usual = (*trust.provider).clone();
            usual.kx_groups.sort_by_key(|group| group.name() != rustls::NamedGroup::X25519MLKEM768);
            Arc::new(usual)
        }
        Hello::Small => {
            let mut small = (*trust.provider).clone();
            small.kx_groups.retain(|group| group.name() != rustls::NamedGroup::X25519MLKEM768);
            Arc::new(small)
        }
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// What an I/O error of the handshake means.
fn outcome_of(error: &std::io::Error) -> TlsOutcome {
    use std::io::ErrorKind;
    let tls = error.get_ref().and_then(|e| e.downcast_ref::<TlsError>());
    match tls {
        Some(TlsError::InvalidMessage(_)) => TlsOutcome::NotTls,
        Some(TlsError::AlertReceived(rustls::AlertDescription::ProtocolVersion)) => {
            TlsOutcome::VersionRejected { offered: None }
        }
        Some(TlsError::PeerIncompatible(why)) if is_version(why) => {
            TlsOutcome::VersionRejected { offered: Some("TLS 1.1 or older".to_owned()) }
        }
        Some(other) => TlsOutcome::Failed { message: other.to_string() },
        None => match error.kind() {
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
            | ErrorKind::BrokenPipe => TlsOutcome::Reset,
            ErrorKind::TimedOut => TlsOutcome::TimedOut,
            kind => TlsOutcome::Failed { message: kind.to_string() },
        },
    }
}

fn is_version(why: &rustls::PeerIncompatible) -> bool {
    use rustls::PeerIncompatible as P;
    matches!(
        why,
        P::ServerDoesNotSupportTls12Or13
            | P::Tls12NotOffered
            | P::Tls12NotOfferedOrEnabled
            | P::ServerTlsVersionIsDisabledByOurConfig
    )
}

/// Lets every chain pass and keeps what the real verifier said of it. Signatures of the handshake are always checked.
#[derive(Debug)]
struct Recorder {
    inner: Arc<dyn ServerCertVerifier>,
    verdict: Mutex<Option<TlsError>>,
}

impl Recorder {
    fn outcome(&self) -> TlsOutcome {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict.as_ref() {
            None => TlsOutcome::Established,
            Some(TlsError::InvalidCertificate(error)) => match error {
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    TlsOutcome::NameMismatch
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsOutcome::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsOutcome::NotYetValid,
                // A self-signed end entity is reported in other ways (CaUsedAsEndEntity, bad signature): nobody trusted issued it.
                CertificateError::UnknownIssuer | CertificateError::Other(_) | CertificateError::BadSignature => {
                    TlsOutcome::UnknownIssuer
                }
                other => TlsOutcome::Failed { message: other.to_string() },
            },
            Some(other) => TlsOutcome::Failed { message: other.to_string() },
        }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if let Err(error) = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// The length of the record that holds the ClientHello.
    async fn hello_length(hello: Hello) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let heard = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut head = [0; 5];
            peer.read_exact(&mut head).await.unwrap();
            u16::from_be_bytes([head[3], head[4]])
        };
        let trust = trust();
        let deadline = Deadline::now() + std::time::Duration::from_secs(10);
        let name = "myreg.azurecr.io".parse().unwrap();
        let (handshake, length) = tokio::join!(shake(&trust, stream, &name, hello, deadline), heard);
        assert_eq!(handshake.observation.outcome, TlsOutcome::Reset, "the peer closed after the ClientHello");
        length
    }

    fn trust() -> Trust {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let certified = rcgen::generate_simple_self_signed(vec!["lab.example".to_owned()]).unwrap();
        let roots = [certified.cert.der().clone()];
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).unwrap();
        Trust { verifier: Arc::new(verifier), provider, source: "test".to_owned() }
    }

    #[tokio::test]
    async fn the_usual_hello_is_larger_than_small_packets_and_the_small_one_is_not() {
        assert!(hello_length(Hello::Usual).await > 1280);
        assert!(hello_length(Hello::Small).await < 536);
    }

    #[tokio::test]
    async fn what_is_not_tls_is_named_so() {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let deadline = Deadline::now() + std::time::Duration::from_secs(10);
        let name = "myreg.azurecr.io".parse().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut theirs, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let seen = shake(&trust(), ours, &name, Hello::Usual, deadline).await;
        assert_eq!(seen.observation.outcome, TlsOutcome::NotTls);
    }
}

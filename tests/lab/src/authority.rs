//! The laboratory's certificate authorities: the one that clients trust, and an inspecting firewall's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::LabError;
use crate::scenario::TlsFault;

/// Issues certificates for any host, made when first asked for.
pub struct Authority {
    trusted: CertifiedIssuer<'static, KeyPair>,
    /// One that the trusted one vouches for.
    intermediate: CertifiedIssuer<'static, KeyPair>,
    inspecting: CertifiedIssuer<'static, KeyPair>,
    made: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

fn issuer(common_name: &str, organisation: &str) -> Result<CertifiedIssuer<'static, KeyPair>, LabError> {
    Ok(CertifiedIssuer::self_signed(of_authority(common_name, organisation)?, KeyPair::generate()?)?)
}

fn of_authority(common_name: &str, organisation: &str) -> Result<CertificateParams, LabError> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.distinguished_name.push(DnType::OrganizationName, organisation);
    Ok(params)
}

/// The names on the certificate that Azure presents for a host: wildcards, as for real.
fn certificate_names(host: &str) -> Vec<String> {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [_, _, "geo" | "data", "azurecr", "io"] | [_, "blob", "core", "windows", "net"] => {
            vec![format!("*.{}", labels.get(1..).unwrap_or_default().join("."))]
        }
        // A private link name is not covered: the server presents the login server's certificate.
        [_, "azurecr", "io"] | [.., "privatelink", "azurecr", "io"] => vec!["*.azurecr.io".to_owned()],
        _ => vec![host.to_owned()],
    }
}

impl Authority {
    /// Makes the authorities.
    pub fn new() -> Result<Self, LabError> {
        let trusted = issuer("Laboratory Root CA", "DigiCert Inc")?;
        let below = of_authority("Microsoft Azure RSA TLS Issuing CA 03", "Microsoft Corporation")?;
        Ok(Self {
            intermediate: CertifiedIssuer::signed_by(below, KeyPair::generate()?, &trusted)?,
            trusted,
            inspecting: issuer("Contoso Inspection CA", "Contoso Ltd")?,
            made: Mutex::new(HashMap::new()),
        })
    }

    /// The trusted authority's certificate.
    pub fn pem(&self) -> String {
        self.trusted.pem()
    }

    /// The inspecting authority's certificate.
    pub fn inspecting_pem(&self) -> String {
        self.inspecting.pem()
    }

    /// The inspecting authority's certificate and key, for a program that decrypts.
    pub fn inspecting_with_key(&self) -> String {
        self.inspecting.pem() + &self.inspecting.key().serialize_pem()
    }

    /// The TLS configuration that a host answers with.
    pub fn config(&self, host: &str, fault: Option<TlsFault>) -> Result<Arc<ServerConfig>, LabError> {
        let fault = fault.filter(|f| {
            matches!(f, TlsFault::Inspected | TlsFault::WrongName | TlsFault::Expired | TlsFault::Incomplete)
        });
        let key = format!("{host} {fault:?}");
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = made.get(&key) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.issue(host, fault)?);
        made.insert(key, Arc::clone(&config));
        Ok(config)
    }

    fn issue(&self, host: &str, fault: Option<TlsFault>) -> Result<ServerConfig, LabError> {
        let names = match fault {
            Some(TlsFault::WrongName) => vec!["gateway.contoso.example".to_owned()],
            Some(TlsFault::Inspected) => vec![host.to_owned()],
            _ => certificate_names(host),
        };
        let mut params = CertificateParams::new(names.clone())?;
        params.distinguished_name.push(DnType::CommonName, names.first().map_or("", String::as_str));
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now - time::Duration::days(60);
        params.not_after = now + time::Duration::days(120);
        if fault == Some(TlsFault::Expired) {
            params.not_after = now - time::Duration::days(1);
        }
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let by = match fault {
            Some(TlsFault::Inspected) => &self.inspecting,
            Some(TlsFault::Incomplete) => &self.intermediate,
            _ => &self.trusted,
        };
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, by)?;
        let mut chain = vec![certificate.der().clone(), by.der().clone()];
        if fault == Some(TlsFault::Incomplete) {
            chain.truncate(1);
        }
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

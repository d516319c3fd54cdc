//! The sources of a credential, in the order in which the Azure SDKs' default chain tries them.

use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential, AzureDeveloperCliCredentialOptions,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use super::identity_transport::IdentityTransport;
use super::running_az::{self, RunningAz};
use super::tool_runner::ToolRunner;
use super::{Chosen, SOURCE_LIMIT, Session, SignInError};
use crate::config::read_error::printable;
use crate::facts::config::CredentialAttempt;

/// The asset tag that Azure gives to its virtual machines (Azure's documentation on detecting one).
const AZURE_ASSET_TAG: &str = "7783-7084-3265-9085-8269-3286-77";
const ASSET_TAG_FILE: &str = "/sys/class/dmi/id/chassis_asset_tag";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    RunningAz,
    Environment,
    WorkloadIdentity,
    ManagedIdentity,
    AzureCli,
    AzureDeveloperCli,
}

impl Source {
    const ALL: [Self; 5] =
        [Self::Environment, Self::WorkloadIdentity, Self::ManagedIdentity, Self::AzureCli, Self::AzureDeveloperCli];

    fn name(self) -> &'static str {
        match self {
            Self::RunningAz => "az acr doctor",
            Self::Environment => "environment",
            Self::WorkloadIdentity => "workload identity",
            Self::ManagedIdentity => "managed identity",
            Self::AzureCli => "Azure CLI",
            Self::AzureDeveloperCli => "azd",
        }
    }

    /// Whether a refusal ends the chain: whoever configures a service principal means it, and going on with
    /// another identity would diagnose somebody else's rights.
    fn is_binding(self) -> bool {
        matches!(self, Self::Environment | Self::WorkloadIdentity)
    }
}

/// Why a source was not asked at all.
struct Absent {
    reason: String,
    not_configured: bool,
}

impl Absent {
    fn unset(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), not_configured: true }
    }
    fn unusable(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), not_configured: false }
    }
}

impl Session {
    /// Tries the sources in turn with the first scope that is wanted.
    pub(super) async fn choose(&self, scope: &str) -> Result<Chosen, SignInError> {
        let mut attempts = Vec::new();
        // Whoever starts this program from the Azure CLI means the account that it is signed in with, and no other.
        let started_by_az = self.0.environment.var(running_az::VARIABLE).is_some();
        let sources: &[Source] = if started_by_az { &[Source::RunningAz] } else { &Source::ALL };
        for &source in sources {
            let transport = Arc::new(IdentityTransport::new(self.clone()));
            let (reason, not_configured) = match self.open(source, &transport) {
                Err(absent) => (absent.reason, absent.not_configured),
                Ok(credential) => {
                    match tokio::time::timeout(SOURCE_LIMIT, credential.get_token(&[scope], None)).await {
                        Ok(Ok(token)) => {
                            let first = (scope.to_owned(), token);
                            return Ok(Chosen { name: source.name(), credential, tried: attempts, first });
                        }
                        Ok(Err(error)) => {
                            let reason = transport.reason().unwrap_or_else(|| plain_reason(&error.to_string()));
                            let unset = reason.contains("not found on PATH") || reason.contains("az login");
                            (reason, unset)
                        }
                        Err(_) => (transport.reason().unwrap_or_else(|| no_answer(SOURCE_LIMIT)), false),
                    }
                }
            };
            tracing::debug!(source = source.name(), %reason, "no token");
            attempts.push(CredentialAttempt { source: source.name().to_owned(), reason, not_configured });
            if source.is_binding() && !not_configured {
                break;
            }
        }
        Err(SignInError::NoCredential { attempts })
    }

    fn open(&self, source: Source, transport: &Arc<IdentityTransport>) -> Result<Arc<dyn TokenCredential>, Absent> {
        match source {
            Source::RunningAz => self.running_az(),
            Source::Environment => self.service_principal(transport),
            Source::WorkloadIdentity => self.workload_identity(transport),
            Source::ManagedIdentity => self.managed_identity(transport),
            Source::AzureCli => {
                let options = AzureCliCredentialOptions {
                    subscription: self.0.subscription.clone(),
                    tenant_id: self.0.tenant.clone(),
                    executor: Some(self.tool_runner()?),
                };
                Ok(AzureCliCredential::new(Some(options)).map_err(|e| unusable(&e))?)
            }
            Source::AzureDeveloperCli => {
                let options = AzureDeveloperCliCredentialOptions {
                    tenant_id: self.0.tenant.clone(),
                    executor: Some(self.tool_runner()?),
                };
                Ok(AzureDeveloperCliCredential::new(Some(options)).map_err(|e| unusable(&e))?)
            }
        }
    }

    fn running_az(&self) -> Result<Arc<dyn TokenCredential>, Absent> {
        let value = self.0.environment.var(running_az::VARIABLE).unwrap_or_default();
        let inner = &self.0;
        let (tenant, subscription) = (inner.tenant.clone(), inner.subscription.clone());
        let az = RunningAz::at(&value, tenant, subscription, Arc::clone(&inner.account)).map_err(Absent::unusable)?;
        Ok(Arc::new(az))
    }

    fn tool_runner(&self) -> Result<Arc<ToolRunner>, Absent> {
        if self.0.environment.0.is_some() {
            return Err(Absent::unset("not tried: the environment is given"));
        }
        Ok(Arc::new(ToolRunner::new(Arc::clone(&self.0.account))))
    }

    fn tenant(&self) -> Option<String> {
        self.0.tenant.clone().or_else(|| self.0.environment.var("AZURE_TENANT_ID"))
    }

    fn client_options(&self, transport: &Arc<IdentityTransport>) -> ClientOptions {
        let authority =
            self.0.environment.var("AZURE_AUTHORITY_HOST").unwrap_or_else(|| self.0.cloud.authority.to_string());
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = authority;
        let cloud: azure_core::cloud::CloudConfiguration = cloud.into();
        ClientOptions {
            transport: Some(Transport::new(Arc::<IdentityTransport>::clone(transport))),
            cloud: Some(Arc::new(cloud)),
            // A doctor reports the first failure instead of waiting for it to go away.
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        }
    }

    fn service_principal(&self, transport: &Arc<IdentityTransport>) -> Result<Arc<dyn TokenCredential>, Absent> {
        let var = |name: &str| self.0.environment.var(name);
        let Some(client_id) = var("AZURE_CLIENT_ID") else {
            return Err(Absent::unset("AZURE_CLIENT_ID is not set"));
        };
        let Some(secret) = var("AZURE_CLIENT_SECRET") else {
            return Err(if var("AZURE_CLIENT_CERTIFICATE_PATH").is_some() {
                Absent::unset(
                    "AZURE_CLIENT_CERTIFICATE_PATH is set, and certificates are not supported here (that would need OpenSSL): \
                     use AZURE_CLIENT_SECRET, or `az login --service-principal --certificate`",
                )
            } else {
                Absent::unset("AZURE_CLIENT_SECRET is not set")
            });
        };
        let Some(tenant) = self.tenant() else {
            return Err(Absent::unusable(
                "AZURE_TENANT_ID is not set, while AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are",
            ));
        };
        let options = ClientSecretCredentialOptions { client_options: self.client_options(transport) };
        Ok(ClientSecretCredential::new(&tenant, client_id, secret.into(), Some(options)).map_err(|e| unusable(&e))?)
    }

    fn workload_identity(&self, transport: &Arc<IdentityTransport>) -> Result<Arc<dyn TokenCredential>, Absent> {
        let Some(file) = self.0.environment.var("AZURE_FEDERATED_TOKEN_FILE") else {
            return Err(Absent::unset("AZURE_FEDERATED_TOKEN_FILE is not set"));
        };
        let options = WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions { client_options: self.client_options(transport) },
            client_id: self.0.environment.var("AZURE_CLIENT_ID"),
            tenant_id: self.tenant(),
            token_file_path: Some(file.into()),
        };
        Ok(WorkloadIdentityCredential::new(Some(options)).map_err(|e| unusable(&e))?)
    }

    fn managed_identity(&self, transport: &Arc<IdentityTransport>) -> Result<Arc<dyn TokenCredential>, Absent> {
        // `azure_identity` reads the process's own environment.
        if self.0.environment.0.is_some() {
            return Err(Absent::unset("not tried: the environment is given"));
        }
        let set = |name: &str| self.0.environment.var(name).is_some();
        if !set("IDENTITY_ENDPOINT") && !set("MSI_ENDPOINT") {
            // No request goes to the metadata address unless the machine itself says that it is Azure's.
            let tag = std::fs::read_to_string(ASSET_TAG_FILE).unwrap_or_default();
            if tag.trim() != AZURE_ASSET_TAG {
                return Err(Absent::unset(
                    "IDENTITY_ENDPOINT is not set, and this machine's SMBIOS does not say that it is an Azure VM",
                ));
            }
        }
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: self.0.environment.var("AZURE_CLIENT_ID").map(UserAssignedId::ClientId),
            client_options: self.client_options(transport),
        };
        Ok(ManagedIdentityCredential::new(Some(options)).map_err(|e| unusable(&e))?)
    }
}

fn unusable(error: &azure_core::Error) -> Absent {
    Absent::unusable(plain_reason(&error.to_string()))
}

/// `azure_identity`'s own words without the type's name and the link, on one line.
pub(super) fn plain_reason(text: &str) -> String {
    let text = text.split("To troubleshoot, visit").next().unwrap_or(text);
    let text = text.split_once("authentication failed. ").map_or(text, |(_, reason)| reason);
    printable(text.trim(), 400)
}

pub(super) fn no_answer(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs())
}

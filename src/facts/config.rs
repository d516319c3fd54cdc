//! What Azure Resource Manager says: the configuration half of a diagnosis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::ClusterConfig;
use super::network::{NetworkSecurityGroup, PrivateDnsZone, ServiceTag, SubnetRead, VirtualNetworkRead};
use super::open_enum::open_enum;
use super::registry::RegistryConfig;
use super::{Cloud, Known, RegistryName, ResourceId, Unrecognised};

/// Everything that was read from ARM for one run: the `facts` of a ConfigSnapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigFacts {
    /// The cloud that was asked.
    pub cloud: Cloud,
    /// How the sign-in went.
    pub sign_in: SignIn,
    /// What was looked for by name, and whether it was found.
    #[serde(default)]
    pub lookups: Vec<RegistryLookup>,
    /// The registries that were read.
    #[serde(default)]
    pub registries: Vec<RegistryConfig>,
    /// Per subscription: provider registration, Defender plan.
    #[serde(default)]
    pub subscriptions: Vec<SubscriptionFacts>,
    /// Subnets of rules, of private endpoints and of the client, each once.
    #[serde(default)]
    pub subnets: Vec<SubnetRead>,
    /// Virtual networks of those subnets, with their peerings.
    #[serde(default)]
    pub virtual_networks: Vec<VirtualNetworkRead>,
    /// The private DNS zones with the cloud's registry suffix in the readable subscriptions.
    #[serde(default)]
    pub private_dns_zones: Known<Vec<PrivateDnsZone>>,
    /// The service tags that concern a registry (`AzureContainerRegistry*`, `Storage*`).
    #[serde(default)]
    pub service_tags: Known<Vec<ServiceTag>>,
    /// The client's subnet as ARM knows it: from `--subnet`, or matched from the vantage's addresses.
    #[serde(default)]
    pub client_subnet: Known<Option<ResourceId>>,
    /// The client's virtual network, where only that is known (`--vnet`).
    #[serde(default)]
    pub client_virtual_network: Known<Option<ResourceId>>,
    /// The client's own network interface, where it is an Azure VM and nobody named its subnet.
    #[serde(default)]
    pub client_interface: Known<ClientInterface>,
    /// The cluster whose nodes are to pull (`check --from aks`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterConfig>,
    /// Reads that did not succeed.
    #[serde(default)]
    pub failed_reads: Vec<FailedRead>,
}

impl ConfigFacts {
    /// Facts of a run that did not ask ARM at all, with the reason.
    pub fn not_read(cloud: Cloud, why: impl Into<String>) -> Self {
        Self {
            cloud,
            sign_in: SignIn::NotAttempted { why: why.into() },
            lookups: Vec::new(),
            registries: Vec::new(),
            subscriptions: Vec::new(),
            subnets: Vec::new(),
            virtual_networks: Vec::new(),
            private_dns_zones: Known::default(),
            service_tags: Known::default(),
            client_subnet: Known::default(),
            client_virtual_network: Known::default(),
            client_interface: Known::default(),
            cluster: None,
            failed_reads: Vec::new(),
        }
    }
}

/// The network interface by which a virtual machine stands in its subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientInterface {
    /// The machine: facts may be read on one machine and joined with the probe of another.
    pub machine: ResourceId,
    /// The interface.
    pub id: ResourceId,
    /// Its own security group, which decides besides the subnet's.
    #[serde(default)]
    pub network_security_group: Known<Option<NetworkSecurityGroup>>,
}

/// How the sign-in to Microsoft Entra ID went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "state")]
pub enum SignIn {
    /// Nobody tried, e.g. `probe` alone, or documents read from disk.
    NotAttempted {
        /// Why not.
        why: String,
    },
    /// A credential gave an ARM token.
    SignedIn {
        /// Which: `environment`, `workload identity`, `managed identity`, `Azure CLI`, `azd`.
        credential: String,
        /// The tenant, where the credential tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenant: Option<String>,
        /// The credentials tried before it.
        #[serde(default)]
        tried: Vec<CredentialAttempt>,
    },
    /// None gave one.
    Failed {
        /// Every credential in the order tried.
        attempts: Vec<CredentialAttempt>,
    },
}

/// One credential source that gave no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialAttempt {
    /// The source's name.
    pub source: String,
    /// Its reason, without any secret.
    pub reason: String,
    /// Whether the source was not configured at all (no variable, no `az`), as opposed to refused.
    pub not_configured: bool,
}

/// A registry that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryLookup {
    /// As the user wrote it.
    pub asked: String,
    /// The result.
    pub outcome: LookupOutcome,
    /// The subscriptions that were searched.
    #[serde(default)]
    pub searched: Vec<SubscriptionName>,
}

/// The result of looking for a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "result")]
pub enum LookupOutcome {
    /// It is there.
    Found {
        /// Its id.
        id: ResourceId,
    },
    /// Every subscription searched answered, and none has it.
    NotFound {
        /// Registries with names alike, likeliest first.
        near_names: Vec<RegistryName>,
        /// Whether the name is taken in this cloud, which includes subscriptions and tenants that this identity does not see
        /// (checkNameAvailability). A registry with a domain name label does not take its name.
        #[serde(default)]
        name_taken: Known<bool>,
    },
    /// The subscription asked for does not exist for this identity, or is disabled.
    SubscriptionNotFound {
        /// As the user wrote it.
        subscription: String,
        /// ARM's words.
        message: String,
    },
    /// It could not be decided.
    Unknown {
        /// Why.
        why: String,
        /// The right that would decide it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needs: Option<String>,
    },
}

/// A subscription as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionName {
    /// The subscription's GUID.
    pub id: String,
    /// Its display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Facts of a subscription that decide about registries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionFacts {
    /// The subscription's GUID.
    pub id: String,
    /// `Registered`, `NotRegistered`, … of Microsoft.ContainerRegistry (api-version 2021-04-01).
    #[serde(default)]
    pub container_registry_provider: Known<String>,
    /// Microsoft Defender for Containers in this subscription (pricings API 2024-01-01).
    #[serde(default)]
    pub defender: Known<DefenderPlan>,
    /// The rest of the provider's document, its resource types and their API versions, as it was.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

/// The Defender for Containers plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefenderPlan {
    /// `Free` or `Standard`.
    pub pricing_tier: String,
    /// Whether the extension ContainerRegistriesVulnerabilityAssessments is on.
    #[serde(default)]
    pub registry_scan: Known<bool>,
    /// Members that became no fact, kept as they were.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

impl DefenderPlan {
    /// Whether images in registries are to be scanned: tier Standard and the extension not off.
    pub fn scans_registries(&self) -> bool {
        self.pricing_tier.eq_ignore_ascii_case("Standard") && self.registry_scan != Known::Known(false)
    }
}

open_enum! {
    /// Why a read from ARM failed.
    ReadFailure {
        /// 401.
        Unauthorized = "unauthorized",
        /// 403 AuthorizationFailed.
        Forbidden = "forbidden",
        /// 404.
        NotFound = "notFound",
        /// 429, and the deadline came before Retry-After did.
        Throttled = "throttled",
        /// 5xx.
        ServerError = "serverError",
        /// No answer in time.
        TimedOut = "timedOut",
        /// No connection: DNS, TCP, TLS or proxy.
        Unreachable = "unreachable",
        /// An answer that is not what the API specifies (HTML, empty, wrong types).
        Malformed = "malformed",
        /// An answer larger than we read.
        TooLarge = "tooLarge",
        /// NoRegisteredProviderFound for every version tried.
        ApiVersion = "apiVersion",
    }
}

/// A read that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedRead {
    /// What was to be read, for a person: `subnet 'nodes'`.
    pub what: String,
    /// The resource or the list that was asked for.
    pub resource: String,
    /// The class of failure.
    pub failure: ReadFailure,
    /// The HTTP status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// ARM's error code, such as `AuthorizationFailed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// ARM's words or ours, without secrets.
    pub message: String,
    /// The action that was missing, such as `Microsoft.Network/virtualNetworks/subnets/read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The scope at which it was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What else the error body said (details, target, additionalInfo), as it was.
    #[serde(default, skip_serializing_if = "Unrecognised::is_empty")]
    pub unrecognised: Unrecognised,
}

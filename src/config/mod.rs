//! Reads Azure Resource Manager, and only that: wire formats become facts.
//!
//! [`read`] never fails: what could not be read is a fact too (a failed sign-in, a [`FailedRead`], an Unknown with its
//! reason and the right that it needs). [`from_documents`] gives the same facts from files. docs/requests-arm.md says which
//! requests a run makes and why.
//!
//! [`FailedRead`]: crate::facts::config::FailedRead

mod arm;
mod client;
mod cluster;
mod details;
mod documents;
mod egress;
#[cfg(test)]
pub(crate) mod fake_arm;
mod governance;
mod host_lookup;
mod http;
pub mod inventory;
mod login_events;
mod lookup;
mod name_availability;
mod networks;
pub mod permissions;
mod private_link;
mod read_error;
mod reader;
mod registry_requests;
mod sign_in;
mod versions;
mod wire;
mod zones;

use std::time::Duration;

use futures::future::{BoxFuture, Shared};
use ipnet::IpNet;

use crate::facts::config::{CredentialAttempt, LookupOutcome, RegistryLookup, SignIn};
use crate::facts::vantage::AzureVm;
use crate::facts::{Cloud, ConfigFacts, RegistryConfig, RegistryReference, ResourceId};

pub use cluster::{ClusterReference, read_cluster, read_roles};
pub use documents::{DocumentError, from_documents};
pub use http::{HttpSettings, HttpSettingsError};
pub use login_events::{LoginLog, read_login_events};
pub use sign_in::{Session, SignInError};

/// What is to be read.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The cloud; the session must be of the same.
    pub cloud: Cloud,
    /// One registry, or all of a subscription.
    pub target: Target,
    /// A subscription's id or display name. `None`: the credential's own first, then all that it sees.
    pub subscription: Option<String>,
    /// The registry's resource group, if it is known.
    pub resource_group: Option<String>,
    /// What is known of the client, to read its own network.
    pub client: ClientHints,
    /// How long everything may take, sign-in included.
    pub deadline: Duration,
    /// How many requests may be under way at once.
    pub max_in_flight: usize,
}

/// Which registries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One, as the user named it.
    Registry(RegistryReference),
    /// Every registry of the subscription, or of `resource_group` in it.
    Subscription,
}

/// What the client knows of its own place in Azure.
#[derive(Debug, Clone, Default)]
pub struct ClientHints {
    /// `--subnet`.
    pub subnet: Option<ResourceId>,
    /// Further subnets in which clients stand, e.g. those of a cluster's other node pools.
    pub more_subnets: Vec<ResourceId>,
    /// `--vnet`.
    pub vnet: Option<ResourceId>,
    /// The client's own addresses, to find its subnet in its virtual network.
    pub addresses: Vec<IpNet>,
    /// What the metadata service says of the machine, once it has been asked; nothing else waits for it.
    pub azure_vm: Option<Shared<BoxFuture<'static, Option<AzureVm>>>>,
}

impl ClientHints {
    /// Whether a client stands in a subnet.
    fn stands_in(&self, subnet: &ResourceId) -> bool {
        self.subnet.iter().chain(&self.more_subnets).any(|own| own == subnet)
    }
}

/// Sign-in may take this share of the deadline, so that time is left to say what it found.
const SIGN_IN_SHARE: u32 = 2;

/// Is told of a registry as soon as its own document is there, and again when more of it is known; the rest of it is
/// still being read then.
pub type Told<'t> = &'t (dyn Fn(&RegistryConfig) + Sync);

/// Reads the configuration. What could not be read stands in the facts, with its reason.
pub async fn read(request: &ReadRequest, session: &Session) -> ConfigFacts {
    read_telling(request, session, &|_| {}).await
}

/// As [`read`], and tells of the registry before all of it is known.
pub async fn read_telling(request: &ReadRequest, session: &Session, told: Told<'_>) -> ConfigFacts {
    let arm = arm::Arm::new(session, request.deadline, request.max_in_flight);
    let limit = request.deadline / SIGN_IN_SHARE;
    let ahead = session.clone();
    // Ends by itself; nothing waits for it.
    tokio::spawn(async move { ahead.connect_ahead().await });
    let signed = tokio::time::timeout(limit, session.token(&request.cloud.resource_manager_audience)).await;
    let mut facts = ConfigFacts::not_read(request.cloud.clone(), "");
    facts.sign_in = match signed {
        Ok(_) => session.sign_in(),
        Err(_) => SignIn::Failed {
            attempts: vec![CredentialAttempt {
                source: "sign-in".to_owned(),
                reason: format!("no source answered within {} s", limit.as_secs_f32().ceil()),
                not_configured: false,
            }],
        },
    };
    if !matches!(signed, Ok(Ok(_))) {
        if let Target::Registry(reference) = &request.target {
            let outcome = LookupOutcome::Unknown { why: "not signed in".to_owned(), needs: None };
            facts.lookups.push(RegistryLookup { asked: reference.to_string(), outcome, searched: Vec::new() });
        }
        return facts;
    }
    Box::pin(reader::Reader::new(arm, request, told).into_facts(facts)).await
}

#[cfg(test)]
mod tests;

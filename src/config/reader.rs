//! One run's reading: every chain of requests starts as soon as its first id is known, and nothing is read twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::arm::{Arm, Listing};
use super::read_error::ReadError;
use super::{ReadRequest, Target, Told};
use crate::facts::config::{DefenderPlan, LookupOutcome, RegistryLookup};
use crate::facts::network::{PrivateDnsZone, PrivateEndpoint, SubnetRead, VirtualNetworkRead};
use crate::facts::{ConfigFacts, Known, RegistryConfig};

/// Microsoft.Network, except private DNS.
pub(super) const NETWORK: &str = "2024-05-01";
/// Microsoft.Network/privateDnsZones; the first version with `resolutionPolicy`.
pub(super) const PRIVATE_DNS: &str = "2024-06-01";
/// Subscriptions and resource providers.
pub(super) const RESOURCES: &str = "2021-04-01";

/// Values that several chains want and one of them reads.
pub(super) struct Shared<V>(Mutex<BTreeMap<String, Arc<OnceCell<V>>>>);

impl<V> Default for Shared<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Clone> Shared<V> {
    /// The value of this key, read by whoever asks first.
    pub(super) async fn once<F: Future<Output = V>>(&self, key: &str, read: impl FnOnce() -> F) -> V {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key.to_ascii_lowercase()).or_default())
        };
        cell.get_or_init(read).await.clone()
    }

    /// Everything that was read, in the order of keys.
    pub(super) fn values(&self) -> Vec<V> {
        let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cells.values().filter_map(|cell| cell.get().cloned()).collect()
    }
}

/// What one run reads, and what it has read so far.
pub(super) struct Reader<'r> {
    pub(super) arm: Arm,
    pub(super) request: &'r ReadRequest,
    pub(super) told: Told<'r>,
    pub(super) subnets: Shared<SubnetRead>,
    pub(super) networks: Shared<VirtualNetworkRead>,
    pub(super) zones: Shared<PrivateDnsZone>,
    pub(super) zone_lists: Shared<Result<(), ReadError>>,
    pub(super) zone_names: Shared<(Vec<crate::facts::ResourceId>, Option<ReadError>)>,
    pub(super) endpoints: Shared<Known<Option<PrivateEndpoint>>>,
    pub(super) registrations: Shared<(String, Known<String>, crate::facts::Unrecognised)>,
    pub(super) defenders: Shared<(String, Known<DefenderPlan>)>,
    pub(super) service_tags: Shared<Known<Vec<crate::facts::network::ServiceTag>>>,
    inventory: OnceCell<Vec<Value>>,
}

/// A registry that was found: its document, where the search already had it.
pub(super) struct Found {
    pub(super) id: crate::facts::ResourceId,
    pub(super) document: Option<(Value, String)>,
    /// Resource Graph's row, where that found it: may be behind, and tells already what to read besides.
    pub(super) row: Option<Value>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(arm: Arm, request: &'r ReadRequest, told: Told<'r>) -> Self {
        Self {
            arm,
            request,
            told,
            subnets: Shared::default(),
            networks: Shared::default(),
            zones: Shared::default(),
            zone_lists: Shared::default(),
            zone_names: Shared::default(),
            endpoints: Shared::default(),
            registrations: Shared::default(),
            defenders: Shared::default(),
            service_tags: Shared::default(),
            inventory: OnceCell::new(),
        }
    }

    /// Reads everything, and puts it into the facts.
    pub(super) async fn into_facts(self, mut facts: ConfigFacts) -> ConfigFacts {
        let ((lookups, registries), client, ()) =
            futures::join!(self.registries(), self.client(), self.zones_of_inventory());
        facts.lookups = lookups;
        facts.registries = registries;
        facts.registries.sort_by(|a, b| a.id.cmp(&b.id));
        facts.client_subnet = client.subnet;
        facts.client_virtual_network = client.virtual_network;
        facts.client_interface = client.interface;
        facts.private_dns_zones = self.private_dns_zones();
        facts.subnets = self.subnets.values();
        facts.virtual_networks = self.networks.values();
        facts.subscriptions = self.subscription_facts();
        facts.service_tags =
            self.service_tags.values().into_iter().next().unwrap_or_else(|| {
                Known::unknown("not needed: no network security group is known on the client's subnet")
            });
        facts.failed_reads = self.arm.failed_reads();
        facts
    }

    async fn registries(&self) -> (Vec<RegistryLookup>, Vec<RegistryConfig>) {
        match &self.request.target {
            Target::Registry(reference) => {
                let (mut lookup, found) = self.find(reference).await;
                let Some(found) = found else { return (vec![lookup], Vec::new()) };
                let (read, ()) = futures::join!(Box::pin(self.registry(found)), self.zones_seen());
                match read {
                    Ok(registry) => (vec![lookup], vec![registry]),
                    Err(error) => {
                        lookup.outcome = self.lookup_outcome(&error).await;
                        if !matches!(lookup.outcome, LookupOutcome::NotFound { .. }) {
                            self.arm.note(&format!("registry '{reference}'"), &error);
                        }
                        (vec![lookup], Vec::new())
                    }
                }
            }
            Target::Subscription => Box::pin(self.whole_subscription()).await,
        }
    }

    /// Rows of Resource Graph: the registry that is looked for, and private DNS zones wherever they are. It may lag
    /// behind ARM, so its rows are places to look and never proof that something is missing.
    pub(super) async fn inventory(&self) -> &[Value] {
        self.inventory.get_or_init(|| self.query_inventory()).await
    }
}

/// A list as a fact: complete, or unknown.
pub(super) fn listed<T>(arm: &Arm, what: &str, listing: Listing, read: impl Fn(&Value) -> Option<T>) -> Known<Vec<T>> {
    arm.known(what, listing.complete(), |items| items.iter().filter_map(read).collect())
}

//! The inventory by ARM's lists, subscription by subscription, where Resource Graph is denied.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use futures::StreamExt;

use super::super::read_error::ReadError;
use super::super::reader::NETWORK;
use super::super::registry_requests;
use super::super::versions::{for_subnet_rules, shows_subnet_rules};
use super::super::wire::Fields;
use super::super::wire::governance::defender_plan;
use super::super::wire::registry::{Origin, registry};
use super::scope::Subscriptions;
use super::subnet_rules::SubnetRules;
use super::tables::{Behind, Table, Tables, take_endpoint};
use super::{Batch, InventoryOutcome, Run, unread};
use crate::facts::audit::UnreadScope;
use crate::facts::config::SubscriptionName;
use crate::facts::{Known, RegistryConfig};

/// api-version of pricings.
const PRICINGS: &str = "2024-01-01";
const NOT_LISTED: &str = "Resource Graph is denied, and ARM's lists do not hold it";

/// One subscription's registries and surroundings, or why they could not be read.
struct Subscription {
    name: SubscriptionName,
    registries: Vec<RegistryConfig>,
    odd: Vec<UnreadScope>,
    tables: Tables,
    error: Option<ReadError>,
}

impl Run<'_> {
    /// Every subscription, as many at once as requests may be under way.
    pub(super) async fn by_lists(
        &self,
        subscriptions: &Subscriptions,
        sink: &mut impl AsyncFnMut(Batch) -> ControlFlow<()>,
    ) -> InventoryOutcome {
        let mut outcome = InventoryOutcome { graph_denied: true, ..InventoryOutcome::default() };
        let (finished, open): (Vec<_>, Vec<_>) =
            subscriptions.known.iter().partition(|s| self.request.finished.contains(&s.id));
        outcome.subscriptions = finished.len();
        let rules = || SubnetRules::new(self, subscriptions.known.len());
        let reads = open.into_iter().map(|name| self.subscription(name, rules()));
        let mut reads = futures::stream::iter(reads).buffer_unordered(self.request.max_in_flight.clamp(1, 64));
        while let Some(mut read) = reads.next().await {
            let failed = read.error.as_ref().map(|error| unread(&read.name.id, read.name.name.clone(), error));
            let complete = failed.is_none();
            outcome.subscriptions += usize::from(complete);
            outcome.unread.extend(failed);
            outcome.unread.append(&mut read.odd);
            read.tables.complete(&mut read.registries);
            if !read.registries.is_empty() {
                let facts = self.surrounded(read.registries, &read.tables);
                if sink(Batch { facts, ends: complete.then_some(read.name.id) }).await.is_break() {
                    return outcome;
                }
            }
        }
        outcome
    }

    async fn subscription(&self, name: &SubscriptionName, mut rules: SubnetRules) -> Subscription {
        let listed = registry_requests::list(self.arm, &name.id, None).await;
        let (version, error) = (listed.version, listed.read.error);
        let mut odd = Vec::new();
        let mut registries = Vec::new();
        for document in listed.read.items {
            match registry(&document, Origin::Answer(&version)) {
                Ok(read) => registries.push(read),
                Err(lacks) => {
                    let scope = Fields::of(&document).owned("id").unwrap_or_else(|| name.id.clone());
                    odd.push(UnreadScope { scope, name: None, why: lacks, needs: None });
                }
            }
        }
        self.progress.listed(registries.len());
        let mut tables = bare_tables();
        if !registries.is_empty() {
            if !shows_subnet_rules(&version) && for_subnet_rules(self.arm.offered_versions().as_deref()).is_some() {
                rules.complete(self, &mut registries).await;
            }
            futures::join!(self.endpoints_of(name, &registries, &mut tables.endpoints), async {
                let path = format!("/subscriptions/{}/providers/Microsoft.Security/pricings/Containers", name.id);
                let read = self.arm.read(&path, PRICINGS).await;
                let plan = read.as_ref().ok().and_then(defender_plan);
                let plans = plan.map(|plan| BTreeMap::from([(name.id.clone(), plan)])).unwrap_or_default();
                tables.defender = Table::read(plans, read.map(drop), "Defender plan");
            });
        }
        Subscription { name: name.clone(), registries, odd, tables, error }
    }

    /// The private endpoints of the subscription with their interfaces, where a registry has a connection.
    async fn endpoints_of(
        &self,
        name: &SubscriptionName,
        registries: &[RegistryConfig],
        table: &mut Table<HashMap<String, Behind>>,
    ) {
        let has =
            |r: &RegistryConfig| !matches!(&r.private_endpoint_connections, Known::Known(list) if list.is_empty());
        if !registries.iter().any(has) {
            return;
        }
        let list = |kind: &str| {
            let path = format!("/subscriptions/{}/providers/Microsoft.Network/{kind}", name.id);
            async move { self.arm.list(&path, NETWORK).await }
        };
        let (endpoints, interfaces) = futures::join!(list("privateEndpoints"), list("networkInterfaces"));
        let mut configurations = HashMap::new();
        for interface in interfaces.items.iter().map(Fields::of) {
            if let (Some(id), Some(own)) = (interface.id("id"), interface.get("ipConfigurations")) {
                configurations.insert(id.key(), own.clone());
            }
        }
        let mut rows = HashMap::new();
        for mut endpoint in endpoints.items {
            let interface = Fields::of(&endpoint).list("networkInterfaces").iter().find_map(|n| Fields::of(n).id("id"));
            let own = interface.and_then(|id| configurations.remove(&id.key()));
            if let (Some(own), Some(row)) = (own, endpoint.as_object_mut()) {
                row.insert("ipConfigurations".to_owned(), own);
            }
            take_endpoint(&mut rows, &endpoint);
        }
        *table = Table::read(rows, endpoints.error.map_or(Ok(()), Err), "private endpoints");
    }
}

/// Tables of a subscription of which nothing but registries is known.
fn bare_tables() -> Tables {
    Tables {
        below: Table::absent(NOT_LISTED, "Microsoft.ContainerRegistry/registries/replications/read"),
        endpoints: Table::absent(NOT_LISTED, "Microsoft.Network/privateEndpoints/read"),
        subnets: Table::absent(NOT_LISTED, "Microsoft.Network/virtualNetworks/subnets/read"),
        zones: Table::absent(NOT_LISTED, "Microsoft.Network/privateDnsZones/read"),
        defender: Table::absent(NOT_LISTED, "Microsoft.Security/pricings/read"),
        ..Tables::default()
    }
}

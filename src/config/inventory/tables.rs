//! What registries refer to: read once for all of them, kept by id, and put into each.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::super::private_link::assembled;
use super::super::read_error::ReadError;
use super::super::wire::Fields;
use super::super::wire::governance::defender_plan;
use super::super::wire::network::{subnet, virtual_network};
use super::super::wire::private_dns::{link, zone};
use super::super::wire::private_link::{endpoint, interface_addresses};
use super::super::wire::registry::Origin;
use super::super::wire::registry_parts::{agent_pool, registry_above, replication, task};
use super::feed::Read;
use super::log_unread;
use crate::facts::config::{DefenderPlan, SubscriptionFacts};
use crate::facts::network::{PrivateDnsZone, PrivateEndpoint, Subnet, SubnetRead, VirtualNetworkRead};
use crate::facts::registry::{AgentPool, Replication, Sku, Task};
use crate::facts::{Known, RegistryConfig, ResourceId, Unknown, Unrecognised};

/// Rows below one registry.
#[derive(Default)]
pub(super) struct Below {
    replications: Vec<Replication>,
    tasks: Vec<Task>,
    agent_pools: Vec<AgentPool>,
}

/// A table, or why it could not be read.
#[derive(Default)]
pub(super) struct Table<T> {
    pub(super) rows: T,
    error: Option<Unknown>,
}

impl<T> Table<T> {
    /// Not looked for in this kind of inventory.
    pub(super) fn absent(why: &str, needs: &str) -> Self
    where
        T: Default,
    {
        Self { rows: T::default(), error: Some(Unknown::needing(why, needs)) }
    }

    pub(super) fn read(rows: T, outcome: Result<(), ReadError>, what: &str) -> Self {
        let mut table = Self { rows, error: None };
        table.note(outcome.err(), what);
        table
    }

    fn note(&mut self, error: Option<ReadError>, what: &str) {
        if let Some(error) = error {
            log_unread(what, &error);
            self.error = Some(error.unknown());
        }
    }

    /// The fact that a row is missing: never proof that the thing does not exist, since Resource Graph may lag
    /// behind ARM and shows only what this sign-in may see.
    fn missing<F>(&self, why: &str, needs: &str) -> Known<F> {
        Known::Unknown(self.error.clone().unwrap_or_else(|| Unknown::needing(why, needs)))
    }
}

/// A private endpoint, and the key of the registry that it leads to.
pub(super) struct Behind {
    registry: String,
    endpoint: PrivateEndpoint,
}

/// All that is not a registry.
#[derive(Default)]
pub(super) struct Tables {
    /// By the registry's key; of registries that are not judged yet.
    pub(super) below: Table<HashMap<String, Below>>,
    /// The kinds below registries of which there is a row anywhere.
    pub(super) kinds: Kinds,
    /// Likewise, by their own keys.
    pub(super) endpoints: Table<HashMap<String, Behind>>,
    pub(super) subnets: Table<HashMap<String, Subnet>>,
    pub(super) networks: Vec<VirtualNetworkRead>,
    pub(super) zones: Table<Vec<PrivateDnsZone>>,
    pub(super) defender: Table<BTreeMap<String, DefenderPlan>>,
    /// Up to which registry's rows are kept no longer.
    pub(super) passed: Passed,
}

/// How far the registries have come, by their keys.
#[derive(Default)]
pub(super) struct Passed {
    /// The last one of the page before.
    last: String,
    /// Up to this one rows are gone: a page later than they might, so that a little disorder does no harm.
    forgotten: String,
}

/// Whether the graph shows a kind at all.
#[derive(Default)]
pub(super) struct Kinds {
    replications: bool,
    tasks: bool,
    agent_pools: bool,
}

const NO_ROW: &str = "Resource Graph shows no such resource to this sign-in (it may lag behind ARM)";
const NO_KIND: &str = "Resource Graph shows no resource of this kind in the scope";

/// Of each thing only what an audit judges is kept: members that became no fact stand in no report, and a table may hold
/// the whole fleet.
pub(super) fn judged<T>(mut thing: T, leftovers: impl FnOnce(&mut T) -> &mut Unrecognised) -> T {
    *leftovers(&mut thing) = Unrecognised::new();
    thing
}

impl Kinds {
    /// Takes a row that names a kind.
    pub(super) fn take(&mut self, row: &Value) {
        match kind_below(Fields::of(row).text("type").unwrap_or_default()).as_deref() {
            Some("replications") => self.replications = true,
            Some("tasks") => self.tasks = true,
            Some("agentpools") => self.agent_pools = true,
            Some(_) | None => {}
        }
    }
}

/// The last part of a type's name, in lower case.
fn kind_below(kind: &str) -> Option<String> {
    kind.to_ascii_lowercase().rsplit('/').next().map(str::to_owned)
}

/// The key of the registry that a row lies below.
pub(super) fn registry_below(row: &Value) -> String {
    let id = Fields::of(row).id("id");
    id.and_then(|id| registry_above(&id)).map(|registry| registry.key()).unwrap_or_default()
}

/// The key of the registry that a private endpoint leads to.
pub(super) fn registry_behind(row: &Value) -> String {
    Fields::of(row).text("registry").unwrap_or_default().to_ascii_lowercase()
}

/// Takes a row below a registry.
fn take_below(rows: &mut HashMap<String, Below>, row: &Value) {
    let fields = Fields::of(row);
    let Some(id) = fields.id("id") else { return };
    let (Some(kind), Some(registry)) = (id.resource_type(), registry_above(&id)) else { return };
    let below = rows.entry(registry.key()).or_default();
    match kind_below(&kind).as_deref() {
        Some("replications") => {
            // Most registries have one or two: a vector's own growth would keep room for four.
            below.replications.reserve_exact(1);
            let row = replication(row, Origin::Document);
            below.replications.extend(row.map(|row| judged(row, |r| &mut r.unrecognised)));
        }
        Some("tasks") => below.tasks.extend(task(row)),
        Some("agentpools") => below.agent_pools.extend(agent_pool(row)),
        Some(_) | None => {}
    }
}

/// Takes a private endpoint with the configurations of its interface.
pub(super) fn take_endpoint(rows: &mut HashMap<String, Behind>, row: &Value) {
    let Some(document) = endpoint(row) else { return };
    let addresses = match row.get("ipConfigurations") {
        Some(configurations @ Value::Array(_)) => {
            Ok(interface_addresses(&json!({ "properties": { "ipConfigurations": configurations } })))
        }
        _ => Err(Unknown::needing(
            "Resource Graph does not show the endpoint's network interface to this sign-in",
            "Microsoft.Network/networkInterfaces/read",
        )),
    };
    let groups = Known::Unknown(Unknown::needing(
        "Resource Graph does not hold zone groups",
        "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read",
    ));
    let endpoint = judged(assembled(document, addresses, (groups, Vec::new())), |e| &mut e.unrecognised);
    rows.insert(endpoint.id.key(), Behind { registry: registry_behind(row), endpoint });
}

/// Takes a network and its subnets.
pub(super) fn take_network(subnets: &mut HashMap<String, Subnet>, networks: &mut Vec<VirtualNetworkRead>, row: &Value) {
    let fields = Fields::of(row);
    let Some(id) = fields.id("id") else { return };
    for document in fields.list("subnets") {
        let Some(id) = Fields::of(document).id("id") else { continue };
        let read = subnet(document);
        let mut own = judged(read.subnet, |s| &mut s.unrecognised);
        let unread = |what: &str| Unknown::because(format!("an inventory does not read {what}"));
        if read.security_group.is_some() {
            own.network_security_group = Known::Unknown(unread("network security groups"));
        }
        if read.route_table.is_some() {
            own.route_table = Known::Unknown(unread("route tables"));
        }
        if read.nat_gateway.is_some() {
            own.nat_gateway_addresses = Known::Unknown(unread("NAT gateways"));
        }
        if Fields::of(document).get("ipConfigurations").is_none() {
            own.used_addresses = Known::Unknown(unread("the subnet's interfaces"));
        }
        subnets.insert(id.key(), own);
    }
    let mut network = judged(virtual_network(row), |n| &mut n.unrecognised);
    for peering in &mut network.peerings {
        peering.unrecognised = Unrecognised::new();
    }
    networks.push(VirtualNetworkRead { id, network: Known::Known(Some(network)) });
}

/// Puts zones and the rows of their links together.
pub(super) fn zones_of(rows: &[Value]) -> Vec<PrivateDnsZone> {
    let mut links: HashMap<String, Vec<_>> = HashMap::new();
    let mut zones = Vec::new();
    for row in rows {
        let Some(id) = Fields::of(row).id("id") else { continue };
        if id.key().contains("/virtualnetworklinks/") {
            links
                .entry(id.parent().map_or_else(String::new, |of| of.key()))
                .or_default()
                .extend(link(row).map(|l| judged(l, |l| &mut l.unrecognised)));
        } else {
            zones.extend(zone(row).map(|z| judged(z, |z| &mut z.unrecognised)));
        }
    }
    for zone in &mut zones {
        // A row may be missing, but a link that is shown exists.
        let unseen = || Unknown::needing(NO_ROW, "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read");
        zone.links = links.remove(&zone.id.key()).map_or_else(|| Known::Unknown(unseen()), Known::Known);
        zone.records = Known::Unknown(Unknown::needing(
            "an inventory does not read records",
            "Microsoft.Network/privateDnsZones/ALL/read",
        ));
    }
    zones
}

/// Takes a Defender plan.
pub(super) fn take_plan(rows: &mut BTreeMap<String, DefenderPlan>, row: &Value) {
    if let (Some(id), Some(plan)) = (Fields::of(row).id("id"), defender_plan(row)) {
        rows.insert(id.subscription().to_ascii_lowercase(), judged(plan, |p| &mut p.unrecognised));
    }
}

impl Tables {
    /// Takes what lies below registries and the private endpoints that lead to them.
    pub(super) fn take(&mut self, below: Read, endpoints: Read) {
        below.rows.iter().for_each(|row| take_below(&mut self.below.rows, row));
        self.below.note(below.error, "what lies below registries, in Resource Graph");
        endpoints.rows.iter().for_each(|row| take_endpoint(&mut self.endpoints.rows, row));
        self.endpoints.note(endpoints.error, "private endpoints in Resource Graph");
    }

    /// Gives registries what lies below them and behind their connections; nobody else needs those rows.
    pub(super) fn complete(&mut self, registries: &mut [RegistryConfig]) {
        // The rows of a registry that comes too late may be gone: then a missing row is no proof any more.
        if registries.iter().any(|registry| registry.id.key() <= self.passed.forgotten) {
            let late = || Some(Unknown::because("Resource Graph gave registries out of order"));
            self.below.error = self.below.error.take().or_else(late);
            self.endpoints.error = self.endpoints.error.take().or_else(late);
        }
        let mut used = Vec::new();
        for registry in registries {
            let below = self.below.rows.remove(&registry.id.key()).unwrap_or_default();
            let geo = matches!(registry.sku, Known::Known(Sku::Premium | Sku::Unrecognised(_)) | Known::Unknown(_));
            registry.replications = self.listed(below.replications, self.kinds.replications || !geo, "replications");
            registry.tasks = self.listed(below.tasks, self.kinds.tasks, "tasks");
            registry.agent_pools = self.listed(below.agent_pools, self.kinds.agent_pools, "agentPools");
            let Known::Known(connections) = &mut registry.private_endpoint_connections else { continue };
            for connection in connections {
                let Some(key) = connection.private_endpoint_id.as_ref().map(ResourceId::key) else { continue };
                connection.private_endpoint = match self.endpoints.rows.get(&key) {
                    Some(behind) => Known::Known(Some(behind.endpoint.clone())),
                    None => self.endpoints.missing(NO_ROW, "Microsoft.Network/privateEndpoints/read"),
                };
                used.push(key);
            }
        }
        for key in used {
            self.endpoints.rows.remove(&key);
        }
    }

    /// After a page whose last registry is `last`: forgets what is left of the page before, rows of registries that
    /// nobody shows.
    pub(super) fn pass(&mut self, last: String) {
        self.passed.forgotten = std::mem::replace(&mut self.passed.last, last);
        self.below.rows.retain(|registry, _| *registry > self.passed.forgotten);
        self.endpoints.rows.retain(|_, behind| behind.registry > self.passed.forgotten);
    }

    fn listed<T>(&self, found: Vec<T>, shown: bool, kind: &str) -> Known<Vec<T>> {
        if !found.is_empty() || (shown && self.below.error.is_none()) {
            return Known::Known(found);
        }
        self.below.missing(NO_KIND, &format!("Microsoft.ContainerRegistry/registries/{kind}/read"))
    }

    /// The subnets that these registries name: of rules, of private endpoints, of agent pools.
    pub(super) fn subnets_of(&self, registries: &[RegistryConfig]) -> Vec<SubnetRead> {
        let mut ids: Vec<&ResourceId> = registries.iter().flat_map(subnet_ids).collect();
        ids.sort();
        ids.dedup();
        let read = |id: &ResourceId| match self.subnets.rows.get(&id.key()) {
            Some(subnet) => Known::Known(Some(subnet.clone())),
            None => self.subnets.missing(NO_ROW, "Microsoft.Network/virtualNetworks/subnets/read"),
        };
        ids.into_iter().map(|id| SubnetRead { id: id.clone(), subnet: read(id) }).collect()
    }

    /// The networks of subnets.
    pub(super) fn networks_of(&self, subnets: &[SubnetRead]) -> Vec<VirtualNetworkRead> {
        let wanted: std::collections::BTreeSet<_> = subnets.iter().filter_map(|s| s.id.virtual_network()).collect();
        self.networks.iter().filter(|n| wanted.contains(&n.id)).cloned().collect()
    }

    /// The zones; an empty list is no proof that there is none.
    pub(super) fn private_dns_zones(&self) -> Known<Vec<PrivateDnsZone>> {
        if self.zones.rows.is_empty() {
            return self.zones.missing(NO_ROW, "Microsoft.Network/privateDnsZones/read");
        }
        Known::Known(self.zones.rows.clone())
    }

    /// The facts of the registries' subscriptions.
    pub(super) fn subscriptions_of(&self, registries: &[RegistryConfig]) -> Vec<SubscriptionFacts> {
        let mut ids: Vec<String> = registries.iter().map(|r| r.id.subscription().to_ascii_lowercase()).collect();
        ids.sort();
        ids.dedup();
        let facts = |id: String| SubscriptionFacts {
            container_registry_provider: Known::Unknown(Unknown::needing(
                "an inventory does not read provider registrations",
                "Microsoft.Resources/subscriptions/providers/read",
            )),
            defender: match self.defender.rows.get(&id) {
                Some(plan) => Known::Known(plan.clone()),
                None => self.defender.missing(NO_ROW, "Microsoft.Security/pricings/read"),
            },
            unrecognised: Unrecognised::new(),
            id,
        };
        ids.into_iter().map(facts).collect()
    }
}

fn subnet_ids(registry: &RegistryConfig) -> impl Iterator<Item = &ResourceId> {
    let rules = registry.network_rule_set.known().and_then(Option::as_ref);
    let rules = rules.and_then(|set| set.virtual_network_rules.known()).into_iter().flatten().map(|rule| &rule.subnet);
    let connections = registry.private_endpoint_connections.known().into_iter().flatten();
    let endpoints = connections.filter_map(|c| c.endpoint()?.subnet.as_ref());
    let pools = registry.agent_pools.known().into_iter().flatten().filter_map(|pool| pool.subnet.as_ref());
    rules.chain(endpoints).chain(pools)
}

//! Resources from files, put together by their ids.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::private_link::assembled;
use crate::config::wire::governance::{defender_plan, diagnostic_setting, lock, provider};
use crate::config::wire::network::{
    route_table, security_group, service_tags, subnet as subnet_document, virtual_network,
};
use crate::config::wire::private_dns::{link, other_record_set, record_set};
use crate::config::wire::private_link::{endpoint, interface_addresses, zone_group};
use crate::config::wire::registry::{Origin, registry};
use crate::config::wire::registry_parts::{
    ShownEndpoint, agent_pool, cache_rule, connected_registry, connection, private_link_resource, registry_above,
    replication, shown_endpoints, task, usage,
};
use crate::config::wire::{Fields, range};
use crate::config::zones::listed_zone;
use crate::facts::config::SubscriptionFacts;
use crate::facts::network::{PrivateDnsZone, PrivateEndpoint, Subnet, SubnetRead, VirtualNetworkRead};
use crate::facts::{Cloud, ConfigFacts, Known, RegistryConfig, ResourceId, Unknown, Unrecognised};

/// Documents by kind, before they are joined.
pub(super) struct Join {
    cloud: Cloud,
    registries: Vec<RegistryConfig>,
    /// By lower-case resource type; rows without a type are under the name of their list.
    others: BTreeMap<String, Vec<Value>>,
}

/// Types that a registry's facts can use, in lower case.
const KNOWN: [&str; 22] = [
    "microsoft.containerregistry/registries/replications",
    "microsoft.containerregistry/registries/privateendpointconnections",
    "microsoft.containerregistry/registries/privatelinkresources",
    "microsoft.containerregistry/registries/tasks",
    "microsoft.containerregistry/registries/agentpools",
    "microsoft.containerregistry/registries/connectedregistries",
    "microsoft.containerregistry/registries/cacherules",
    "microsoft.network/privateendpoints",
    "microsoft.network/privateendpoints/privatednszonegroups",
    "microsoft.network/networkinterfaces",
    "microsoft.network/privatednszones",
    "microsoft.network/virtualnetworks",
    "microsoft.network/virtualnetworks/subnets",
    "microsoft.network/networksecuritygroups",
    "microsoft.network/routetables",
    "microsoft.network/natgateways",
    "microsoft.network/publicipaddresses",
    "microsoft.network/publicipprefixes",
    "microsoft.authorization/locks",
    "microsoft.insights/diagnosticsettings",
    "microsoft.security/pricings",
    "microsoft.network/servicetags",
];
const REGISTRIES: &str = "microsoft.containerregistry/registries";
/// Record sets of every type are kept; A and AAAA are judged.
const RECORDS: &str = "microsoft.network/privatednszones/";
const USAGES: &str = "usages";
const PROVIDERS: &str = "providers";
/// What `az acr show-endpoints` prints.
const ENDPOINTS: &str = "endpoints";

/// The resource's type: as it says, or as its id does.
fn kind_of(fields: Fields<'_>) -> Option<String> {
    if fields.text("namespace").is_some() && fields.text("registrationState").is_some() {
        return Some(PROVIDERS.to_owned());
    }
    if fields.get("values").is_some() && fields.get("changeNumber").is_some() {
        return Some("microsoft.network/servicetags".to_owned());
    }
    if fields.get("currentValue").is_some() && fields.get("limit").is_some() {
        return Some(USAGES.to_owned());
    }
    if fields.get("id").is_none()
        && (fields.get("dataEndpoints").is_some() || fields.get("regionalEndpoints").is_some())
    {
        return Some(ENDPOINTS.to_owned());
    }
    let of_id = || fields.id("id").and_then(|id| id.resource_type());
    let kind = of_id().or_else(|| fields.owned("type")).map(|kind| kind.to_ascii_lowercase());
    match kind {
        None if fields.text("loginServer").is_some() => Some(REGISTRIES.to_owned()),
        other => other,
    }
}

impl Join {
    pub(super) fn new(cloud: Cloud) -> Self {
        Self { cloud, registries: Vec::new(), others: BTreeMap::new() }
    }

    /// Takes a resource; `false` if it is of no known kind.
    pub(super) fn take(&mut self, document: &Value) -> Result<bool, String> {
        let fields = Fields::of(document);
        let Some(kind) = kind_of(fields) else { return Ok(false) };
        if kind == REGISTRIES {
            // A recorded or templated document may say its version; the Azure CLI's output does not.
            let version = fields.owned("apiVersion").filter(|_| fields.text("loginServer").is_some());
            let origin = version.as_deref().map_or(Origin::Document, Origin::Answer);
            let config = registry(document, origin)?;
            self.registries.retain(|r| r.id != config.id);
            self.registries.push(config);
            return Ok(true);
        }
        let untyped = [USAGES, PROVIDERS, ENDPOINTS].contains(&kind.as_str());
        let known = untyped || KNOWN.contains(&kind.as_str()) || kind.starts_with(RECORDS);
        if known {
            self.others.entry(kind).or_default().push(document.clone());
        }
        Ok(known)
    }

    fn of(&self, kind: &str) -> &[Value] {
        self.others.get(kind).map_or(&[], Vec::as_slice)
    }

    /// A list below a registry: known where the files have any of its kind for it.
    fn below<T>(
        &self,
        id: &ResourceId,
        kind: &str,
        command: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Known<Vec<T>> {
        let own = |d: &&Value| Fields::of(d).id("id").and_then(|i| registry_above(&i)).as_ref() == Some(id);
        let found: Vec<T> = self.of(&format!("{REGISTRIES}/{kind}")).iter().filter(own).filter_map(read).collect();
        if found.is_empty() { missing(command) } else { Known::Known(found) }
    }

    pub(super) fn into_facts(mut self) -> ConfigFacts {
        let mut facts = ConfigFacts::not_read(self.cloud.clone(), "read from files");
        let mut registries = std::mem::take(&mut self.registries);
        registries.sort_by(|a, b| a.id.cmp(&b.id));
        for config in &mut registries {
            self.complete(config);
        }
        facts.registries = registries;
        facts.subnets = self.subnets();
        let networks = self.of("microsoft.network/virtualnetworks").iter();
        facts.virtual_networks = networks
            .filter_map(|d| {
                let id = Fields::of(d).id("id")?;
                Some(VirtualNetworkRead { id, network: Known::Known(Some(virtual_network(d))) })
            })
            .collect();
        facts.private_dns_zones = self.zones();
        facts.subscriptions = self.subscriptions();
        facts.service_tags = match self.of("microsoft.network/servicetags") {
            [] => missing("az network list-service-tags"),
            documents => Known::Known(documents.iter().flat_map(service_tags).collect()),
        };
        facts.client_subnet = Known::Unknown(Unknown::needing("read from files", "--subnet"));
        facts.client_virtual_network = Known::Unknown(Unknown::needing("read from files", "--vnet"));
        facts
    }

    fn complete(&self, config: &mut RegistryConfig) {
        let id = config.id.clone();
        let listed =
            self.below(&id, "privateendpointconnections", "az acr private-endpoint-connection list", connection);
        if listed.is_known() {
            config.private_endpoint_connections = listed;
        }
        if let Known::Known(connections) = &mut config.private_endpoint_connections {
            for connection in connections {
                if let Some(id) = &connection.private_endpoint_id {
                    connection.private_endpoint = self.private_endpoint(id);
                }
            }
        }
        self.take_endpoints(config);
        config.replications =
            self.below(&id, "replications", "az acr replication list", |d| replication(d, Origin::Document));
        config.tasks = self.below(&id, "tasks", "az acr task list", task);
        config.agent_pools = self.below(&id, "agentpools", "az acr agentpool list", agent_pool);
        config.connected_registries =
            self.below(&id, "connectedregistries", "az acr connected-registry list", connected_registry);
        config.cache_rules = self.below(&id, "cacherules", "az acr cache list", cache_rule);
        let members =
            self.below(&id, "privatelinkresources", "az network private-link-resource list", |d| Some(d.clone()));
        config.private_link_resource = match members {
            Known::Known(items) => private_link_resource(&items),
            Known::Unknown(unknown) => Known::Unknown(unknown),
        };
        config.locks = match self.of("microsoft.authorization/locks") {
            [] => missing("az lock list"),
            documents => {
                Known::Known(documents.iter().filter_map(lock).filter(|l| covers(l.id.as_str(), &id)).collect())
            }
        };
        config.diagnostic_settings = match self.of("microsoft.insights/diagnosticsettings") {
            [] => missing("az monitor diagnostic-settings list"),
            documents => Known::Known(documents.iter().filter_map(diagnostic_setting).collect()),
        };
        // Rows of usages name no registry, so they are taken only where there is one.
        if let ([_], [first, ..]) = (self.registries.as_slice(), self.of(USAGES))
            && usage(first).is_some()
        {
            config.usages = Known::Known(self.of(USAGES).iter().filter_map(usage).collect());
        } else {
            config.usages = missing("az acr show-usage");
        }
        config.policy_assignments = missing("az policy assignment list");
    }

    /// Names that the registry's own document does not say, from the Azure CLI's list of its endpoints.
    fn take_endpoints(&self, config: &mut RegistryConfig) {
        let shown =
            self.of(ENDPOINTS).iter().filter_map(shown_endpoints).find(|e| e.login_server == config.login_server);
        let Some(shown) = shown else { return };
        let hosts = |rows: Option<Vec<ShownEndpoint>>| {
            // A pattern of blob storage is no name.
            rows.map(|rows| rows.iter().filter_map(|row| row.endpoint.parse().ok()).collect())
        };
        if let (false, Some(hosts)) = (config.data_endpoint_host_names.is_known(), hosts(shown.data_endpoints)) {
            config.data_endpoint_host_names = Known::Known(hosts);
        }
        if let (false, Some(hosts)) = (config.regional_endpoint_host_names.is_known(), hosts(shown.regional_endpoints))
        {
            config.regional_endpoint_host_names = Known::Known(hosts);
        }
    }

    fn by_id<'d>(&'d self, kind: &str, id: &ResourceId) -> Option<&'d Value> {
        self.of(kind).iter().find(|d| Fields::of(d).id("id").as_ref() == Some(id))
    }

    fn private_endpoint(&self, id: &ResourceId) -> Known<Option<PrivateEndpoint>> {
        let Some(document) = self.by_id("microsoft.network/privateendpoints", id).and_then(endpoint) else {
            return missing("az network private-endpoint show");
        };
        let interfaces = document.interfaces.iter().map(|i| self.by_id("microsoft.network/networkinterfaces", i));
        let interfaces: Option<Vec<&Value>> = interfaces.collect();
        let addresses = match interfaces {
            Some(found) if !found.is_empty() => Ok(found.into_iter().flat_map(interface_addresses).collect()),
            _ => Err(Unknown::needing("not among the documents", "az network nic show")),
        };
        let groups = self.of("microsoft.network/privateendpoints/privatednszonegroups").iter();
        let own = groups.filter(|d| Fields::of(d).id("id").and_then(|i| i.parent()).as_ref() == Some(id));
        let read: Vec<_> = own.filter_map(zone_group).collect();
        let pairs = read.iter().flat_map(|(_, pairs)| pairs.clone()).collect();
        let groups = if read.is_empty() {
            missing("az network private-endpoint dns-zone-group list")
        } else {
            Known::Known(read.into_iter().map(|(group, _)| group).collect())
        };
        Known::Known(Some(assembled(document, addresses, (groups, pairs))))
    }

    fn zones(&self) -> Known<Vec<PrivateDnsZone>> {
        let zones = self.of("microsoft.network/privatednszones").iter().filter_map(listed_zone);
        let zones: Vec<PrivateDnsZone> = zones
            .filter(|zone| zone.name.is_within(&self.cloud.registry_suffix))
            .map(|zone| {
                let within = |d: &&Value| Fields::of(d).id("id").is_some_and(|id| id.is_within(zone.id.as_str()));
                let own = |of_links: bool| {
                    let kinds = self.others.iter().filter(|(kind, _)| kind.starts_with(RECORDS));
                    let kinds = kinds.filter(move |(kind, _)| kind.ends_with("/virtualnetworklinks") == of_links);
                    kinds.flat_map(|(_, documents)| documents).filter(within)
                };
                let records: Vec<_> = own(false).filter_map(record_set).collect();
                let links: Vec<_> = own(true).filter_map(link).collect();
                let known = |empty: bool, command: &str| if empty { Err(command.to_owned()) } else { Ok(()) };
                PrivateDnsZone {
                    records: known(records.is_empty(), "az network private-dns record-set list")
                        .map_or_else(|c| missing(&c), |()| Known::Known(records)),
                    other_records: own(false).filter_map(other_record_set).collect(),
                    links: known(links.is_empty(), "az network private-dns link vnet list")
                        .map_or_else(|c| missing(&c), |()| Known::Known(links)),
                    ..zone
                }
            })
            .collect();
        if zones.is_empty() { missing("az network private-dns zone list") } else { Known::Known(zones) }
    }

    fn subnets(&self) -> Vec<SubnetRead> {
        let alone = self.of("microsoft.network/virtualnetworks/subnets").iter();
        let inside = self.of("microsoft.network/virtualnetworks").iter().flat_map(|d| Fields::of(d).list("subnets"));
        let mut reads: Vec<SubnetRead> = Vec::new();
        for document in alone.chain(inside) {
            let Some(id) = Fields::of(document).id("id") else { continue };
            if !reads.iter().any(|r| r.id == id) {
                reads.push(SubnetRead { id, subnet: Known::Known(Some(self.subnet(document))) });
            }
        }
        reads.sort_by(|a, b| a.id.cmp(&b.id));
        reads
    }

    fn subnet(&self, document: &Value) -> Subnet {
        let read = subnet_document(document);
        let mut subnet = read.subnet;
        if let Some(id) = &read.security_group {
            let group = self.by_id("microsoft.network/networksecuritygroups", id).and_then(security_group);
            subnet.network_security_group =
                group.map_or_else(|| missing("az network nsg show"), |g| Known::Known(Some(g)));
        }
        if let Some(id) = &read.route_table {
            let table = self.by_id("microsoft.network/routetables", id).and_then(route_table);
            subnet.egress_firewall = missing("az network firewall list");
            subnet.route_table =
                table.map_or_else(|| missing("az network route-table show"), |t| Known::Known(Some(t)));
        }
        if let Some(id) = &read.nat_gateway {
            let addresses = self.by_id("microsoft.network/natgateways", id).and_then(|gateway| {
                let fields = Fields::of(gateway);
                let of = |member: &str, kind: &str| -> Option<Vec<_>> {
                    let ids = fields.list(member).iter().filter_map(|r| Fields::of(r).id("id"));
                    ids.map(|id| {
                        let found = Fields::of(self.by_id(kind, &id)?);
                        found.text("ipAddress").or_else(|| found.text("ipPrefix")).and_then(range)
                    })
                    .collect()
                };
                let single = of("publicIpAddresses", "microsoft.network/publicipaddresses")?;
                Some([single, of("publicIpPrefixes", "microsoft.network/publicipprefixes")?].concat())
            });
            subnet.nat_gateway_addresses =
                addresses.map_or_else(|| missing("az network nat gateway show"), Known::Known);
        }
        // The Azure CLI leaves ipConfigurations out of some lists; then nothing is known of free addresses.
        if Fields::of(document).get("ipConfigurations").is_none() {
            subnet.used_addresses = missing("az network vnet subnet show");
        }
        subnet
    }

    fn subscriptions(&self) -> Vec<SubscriptionFacts> {
        let mut found: BTreeMap<String, SubscriptionFacts> = BTreeMap::new();
        let blank = |id: &str| SubscriptionFacts {
            id: id.to_ascii_lowercase(),
            container_registry_provider: missing("az provider show -n Microsoft.ContainerRegistry"),
            defender: missing("az security pricing show -n Containers"),
            unrecognised: Unrecognised::new(),
        };
        let providers = self.of(PROVIDERS).iter().map(|d| (d, true));
        let plans = self.of("microsoft.security/pricings").iter().map(|d| (d, false));
        for (document, is_provider) in providers.chain(plans) {
            let fields = Fields::of(document);
            let Some(id) = fields.id("id") else { continue };
            let facts = found.entry(id.subscription().to_ascii_lowercase()).or_insert_with(|| blank(id.subscription()));
            let is = |member: &str, text: &str| fields.text(member).is_some_and(|t| t.eq_ignore_ascii_case(text));
            if is_provider && is("namespace", "Microsoft.ContainerRegistry") {
                let (state, rest) = provider(document);
                facts.container_registry_provider = state.map_or_else(Known::default, Known::Known);
                facts.unrecognised = rest;
            } else if !is_provider && is("name", "Containers") {
                facts.defender = defender_plan(document).map_or_else(Known::default, Known::Known);
            }
        }
        found.into_values().collect()
    }
}

/// Whether a lock's or a setting's id stands on the registry or above it.
fn covers(extension: &str, registry: &ResourceId) -> bool {
    let lower = extension.to_ascii_lowercase();
    let scope = lower.rfind("/providers/microsoft.authorization/").and_then(|end| lower.get(..end));
    scope.is_some_and(|scope| registry.is_within(scope))
}

fn missing<T>(command: &str) -> Known<T> {
    Known::Unknown(Unknown::needing("not among the documents", command))
}

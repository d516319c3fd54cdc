//! `widensAccess` against the access model: the changes of every fix are made in a copy of the facts, and the model is
//! asked before and after whom the registry lets in. docs/fixes.md says what counts as the client in question.

use std::collections::BTreeSet;
use std::net::IpAddr;

use acr_doctor::facts::network::{Subnet, SubnetRead};
use acr_doctor::facts::registry::ConnectionStatus;
use acr_doctor::facts::what_if::{Admission, ClientChange};
use acr_doctor::facts::{Change, ConfigFacts, Finding, Fix, Known, ProbeFacts, RegistryConfig, ResourceId};
use acr_doctor::reconcile::what_if::client::{Client, Who};
use acr_doctor::reconcile::what_if::setting::Setting;
use acr_doctor::reconcile::what_if::what_if;
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::fixtures;

/// Addresses that stand for everybody: none of a case's clients has one of them.
const OUTSIDE: [&str; 5] = ["45.83.12.9", "91.198.174.192", "104.16.0.1", "150.171.27.10", "2a00:1450:4001::9"];
/// Services that pass as trusted ones, each by conditions of its own.
const SERVICES: [&str; 3] = ["defender", "tasks", "machine-learning"];
/// Subnets of somebody else's network, and of the client's own network beside its own subnet.
const ELSEWHERE: &str = "/subscriptions/0e0e0e0e-0000-4000-8000-000000000000/resourceGroups/else/providers/Microsoft.Network/virtualNetworks/else/subnets/s";
const BESIDE: &str = "subnets/beside";

/// The changes of a fix, in their order.
fn changes(fix: &Fix) -> Vec<&Change> {
    fix.change.iter().chain(fix.steps.iter().filter_map(|step| step.change.as_ref())).collect()
}

/// A fix without data, or a step without, may do anything: nothing is said of it here.
fn is_data(fix: &Fix) -> bool {
    fix.change.is_some() || (!fix.steps.is_empty() && fix.steps.iter().all(|step| step.change.is_some()))
}

/// The facts of a case as a change leaves them.
struct Changed {
    config: ConfigFacts,
    registry: RegistryConfig,
    /// What is opened besides the registry's own rules.
    opened: BTreeSet<String>,
}

impl Changed {
    fn new(config: &ConfigFacts) -> Option<Self> {
        let registry = config.registries.first()?.clone();
        Some(Self { config: config.clone(), registry, opened: BTreeSet::new() })
    }

    /// Makes a change; `Err`: the facts that it changes were not read.
    fn make(&mut self, change: &Change) -> Result<(), String> {
        match change {
            Change::Patch { resource, merge } if *resource == self.registry.id => self.patch_registry(merge),
            Change::Append { resource, pointer, value } if *resource == self.registry.id => {
                self.set(&format!("{}+={}", rule_path(pointer), rule_value(value)))
            }
            Change::Remove { resource, pointer, value } if *resource == self.registry.id => {
                self.set(&format!("{}-={}", rule_path(pointer), rule_value(value)))
            }
            Change::Patch { resource, merge } => self.patch(resource, merge),
            Change::Put { resource, document } => self.put(resource, document),
            Change::Delete { resource } => {
                self.delete(resource);
                Ok(())
            }
            // Rules of security groups and records of zones let nobody in at the registry, nor do the client's own files.
            Change::Append { .. }
            | Change::Remove { .. }
            | Change::Grant { .. }
            | Change::AllowEgress { .. }
            | Change::Environment { .. }
            | Change::HostsFile { .. }
            | Change::Forward { .. }
            | Change::ResolverRecord { .. }
            | Change::PrivateAnswers { .. }
            | Change::Restart { .. }
            | Change::Sysctl { .. }
            | Change::File { .. } => Ok(()),
        }
    }

    fn set(&mut self, setting: &str) -> Result<(), String> {
        let setting: Setting = setting.parse().unwrap_or_else(|error| panic!("{error}"));
        setting.apply(&mut self.registry).map_err(|error| error.to_string())
    }

    fn patch_registry(&mut self, merge: &Value) -> Result<(), String> {
        for (member, value) in merge["properties"].as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match member.as_str() {
                "networkRuleSet" => {
                    self.set(&format!("networkRuleSet.defaultAction={}", value["defaultAction"].as_str().unwrap()))?;
                }
                "publicNetworkAccess" | "networkRuleBypassOptions" | "networkRuleBypassAllowedForTasks" => {
                    self.set(&format!("{member}={text}"))?;
                }
                "policies" => {
                    if value["azureADAuthenticationAsArmPolicy"]["status"] == "enabled" {
                        self.opened.insert("tokens for Azure Resource Manager".to_owned());
                    }
                }
                // These decide about nobody's network.
                "adminUserEnabled" | "dataEndpointEnabled" => {}
                other => panic!("whom does {other} let in?"),
            }
        }
        Ok(())
    }

    fn patch(&mut self, resource: &ResourceId, merge: &Value) -> Result<(), String> {
        let properties = &merge["properties"];
        if let Known::Known(connections) = &mut self.registry.private_endpoint_connections
            && let Some(connection) = connections.iter_mut().find(|c| c.id == *resource)
        {
            assert_eq!(properties["privateLinkServiceConnectionState"]["status"], "Approved", "{resource}");
            connection.status = ConnectionStatus::Approved;
            return Ok(());
        }
        if properties["serviceEndpointPolicies"].as_array().is_some_and(Vec::is_empty) {
            self.opened.insert("any storage account".to_owned());
        }
        if let Some(services) = properties["serviceEndpoints"].as_array() {
            let Some(Subnet { service_endpoints, .. }) = self.subnet(resource) else {
                return Err(format!("{resource} was not read"));
            };
            let given = |service: &Value| serde_json::from_value(service.clone()).unwrap();
            *service_endpoints = services.iter().map(given).collect();
        }
        Ok(())
    }

    fn subnet(&mut self, id: &ResourceId) -> Option<&mut Subnet> {
        let read = self.config.subnets.iter_mut().find(|read| read.id == *id)?;
        match &mut read.subnet {
            Known::Known(subnet) => subnet.as_mut(),
            Known::Unknown(_) => None,
        }
    }

    fn put(&mut self, resource: &ResourceId, document: &Value) -> Result<(), String> {
        let kind = resource.resource_type().unwrap_or_default().to_ascii_lowercase();
        let properties = &document["properties"];
        match kind.as_str() {
            "microsoft.network/privateendpoints" => {
                let Known::Known(connections) = &mut self.registry.private_endpoint_connections else {
                    return Err("private endpoint connections were not read".to_owned());
                };
                let connection = json!({ "id": format!("{}/privateEndpointConnections/new", self.registry.id),
                    "status": "Approved", "privateEndpointId": resource,
                    "privateEndpoint": { "known": { "id": resource, "subnet": properties["subnet"]["id"] } } });
                connections.push(serde_json::from_value(connection).unwrap());
            }
            "microsoft.network/virtualnetworks/virtualnetworkpeerings" => {
                let from = resource.virtual_network().unwrap();
                let peering = json!({ "remote": properties["remoteVirtualNetwork"]["id"], "state": "Connected" });
                let read = self.config.virtual_networks.iter_mut().find(|read| read.id == from);
                if let Some(Known::Known(Some(network))) = read.map(|read| &mut read.network) {
                    network.peerings.push(serde_json::from_value(peering).unwrap());
                }
            }
            // Groups, names, logs and rights to change the registry decide about nobody's access.
            kind if kind.is_empty()
                || kind.starts_with("microsoft.network/privatednszones")
                || kind.ends_with("/privatednszonegroups")
                || kind.starts_with("microsoft.insights/")
                || kind.starts_with("microsoft.authorization/")
                || kind.starts_with("microsoft.resources/") => {}
            other => panic!("whom does a {other} let in? {resource}"),
        }
        Ok(())
    }

    fn delete(&mut self, resource: &ResourceId) {
        if let Known::Known(connections) = &mut self.registry.private_endpoint_connections {
            connections.retain(|c| c.id != *resource && c.private_endpoint_id.as_ref() != Some(resource));
        }
    }
}

fn rule_path(pointer: &str) -> &str {
    match pointer {
        "/properties/networkRuleSet/ipRules" => "networkRuleSet.ipRules",
        "/properties/networkRuleSet/virtualNetworkRules" => "networkRuleSet.virtualNetworkRules",
        other => panic!("whom does {other} let in?"),
    }
}

fn rule_value(value: &Value) -> &str {
    value["value"].as_str().or(value["virtualNetworkSubnetResourceId"].as_str()).expect("a rule")
}

/// Who the clients in question are: whom the probe or the cluster stands for; where a finding is about subnets that rules
/// name, these.
struct Own {
    addresses: BTreeSet<IpAddr>,
    subnets: BTreeSet<ResourceId>,
}

impl Own {
    fn of(config: &ConfigFacts, probe: Option<&ProbeFacts>, finding: &Finding) -> Self {
        let mut addresses = BTreeSet::new();
        let mut subnets = BTreeSet::new();
        let seen = probe.map(|p| serde_json::to_value(p).unwrap()).unwrap_or_default();
        for endpoint in seen["endpoints"].as_array().into_iter().flatten() {
            let tries = endpoint["deniedClients"].as_array().into_iter().flatten();
            let refused = tries.chain([&endpoint["http"]["outcome"]["with"]["deniedClient"]]);
            addresses.extend(refused.filter_map(|a| a.as_str()).map(|a| a.parse::<IpAddr>().unwrap()));
        }
        addresses.extend(probe.and_then(|p| p.vantage.egress_ip.known()));
        subnets.extend(probe.and_then(|p| p.vantage.subnet.known().cloned().flatten()));
        subnets.extend(config.client_subnet.known().cloned().flatten());
        for read in config.subnets.iter().filter(|read| subnets.contains(&read.id)) {
            let gateway = read.subnet.known().and_then(Option::as_ref).and_then(|s| s.nat_gateway_addresses.known());
            addresses.extend(gateway.into_iter().flatten().map(ipnet::IpNet::addr));
        }
        if let Some(cluster) = &config.cluster {
            addresses.extend(cluster.egress_addresses.known().into_iter().flatten());
            subnets.extend(cluster.node_subnets().into_iter().cloned());
        }
        if finding.code.as_str().starts_with("vnet/")
            && let Some(Some(rules)) = config.registries[0].network_rule_set.known()
        {
            let ruled = rules.virtual_network_rules.known().into_iter().flatten();
            subnets.extend(ruled.map(|rule| rule.subnet.clone()));
        }
        Self { addresses, subnets }
    }

    /// Whether a client is one in question, or cannot be told from it: a private endpoint knows networks, not subnets.
    fn is(&self, client: &Client, by_private_endpoint: bool) -> bool {
        match &client.who {
            Who::Addresses(net) => self.addresses.contains(&net.addr()),
            Who::Subnet(id) if by_private_endpoint => {
                self.subnets.iter().any(|own| own.virtual_network() == id.virtual_network())
            }
            Who::Subnet(id) => self.subnets.contains(id),
            Who::Service(_) => false,
        }
    }
}

/// Clients of all kinds: the case's own, those that its rules and its fixes name, and strangers.
fn clients(config: &mut ConfigFacts, own: &Own, finding: &Finding) -> Vec<Client> {
    let mut addresses: BTreeSet<IpNet> = own.addresses.iter().map(|a| IpNet::from(*a)).collect();
    addresses.extend(OUTSIDE.iter().map(|a| IpNet::from(a.parse::<IpAddr>().unwrap())));
    let mut subnets = own.subnets.clone();
    let mut strangers: Vec<ResourceId> = vec![ELSEWHERE.parse().unwrap()];
    strangers.extend(own.subnets.iter().filter_map(|s| format!("{}/{BESIDE}", s.virtual_network()?).parse().ok()));
    for id in strangers {
        let subnet = json!({ "addressPrefixes": ["10.99.0.0/24"],
            "serviceEndpoints": [{ "service": "Microsoft.ContainerRegistry" }],
            "networkSecurityGroup": { "known": null }, "routeTable": { "known": null },
            "natGatewayAddresses": { "known": ["52.174.9.9/32"] } });
        config.subnets.push(SubnetRead { id, subnet: Known::Known(serde_json::from_value(subnet).unwrap()) });
    }
    subnets.extend(config.subnets.iter().map(|read| read.id.clone()));
    if let Some(Some(rules)) = config.registries[0].network_rule_set.known() {
        addresses.extend(
            rules.ip_rules.iter().filter_map(|rule| rule.range).map(|range| IpNet::from(IpAddr::V4(range.network()))),
        );
        subnets.extend(rules.virtual_network_rules.known().into_iter().flatten().map(|rule| rule.subnet.clone()));
    }
    for change in finding.fix.iter().flat_map(changes) {
        if let Change::Append { resource, value, .. } = change
            && *resource == config.registries[0].id
        {
            match value["value"].as_str() {
                Some(ip) => drop(addresses.insert(IpNet::from(ip.parse::<IpAddr>().unwrap()))),
                None => drop(subnets.insert(rule_value(value).parse().unwrap())),
            }
        }
    }
    let services = SERVICES.iter().map(|kind| Who::Service((*kind).to_owned()));
    let all = addresses.into_iter().map(Who::Addresses).chain(subnets.into_iter().map(Who::Subnet)).chain(services);
    all.map(|who| Client { who, name: None, logins: None }).collect()
}

/// Who gains by a fix besides the clients in question; `None` where the facts do not tell, or it is no data.
fn gained(config: &ConfigFacts, own: &Own, clients: &[Client], fix: &Fix) -> Option<BTreeSet<String>> {
    let mut changed = Changed::new(config).filter(|_| is_data(fix))?;
    for change in changes(fix) {
        changed.make(change).ok()?;
    }
    let options = fixtures::options();
    let access = |config: &ConfigFacts, registry: &RegistryConfig| {
        what_if(config, registry, &[], clients, &options).unwrap().clients
    };
    let before = access(config, &config.registries[0]);
    let after = access(&changed.config, &changed.registry);
    let let_in = |list: &[ClientChange], who: &str| {
        list.iter().any(|c| c.client == who && c.before.access == Admission::Allowed)
    };
    let by_private_endpoint =
        |who: &str| after.iter().any(|c| c.client == who && c.before.because.contains("private endpoint"));
    let mut gained = changed.opened;
    for client in clients {
        let who = client.who.to_string();
        if !let_in(&before, &who) && let_in(&after, &who) && !own.is(client, by_private_endpoint(&who)) {
            gained.insert(who);
        }
    }
    Some(gained)
}

/// Every fix of every finding of every fixture, with who gains by it.
fn judged(mut with: impl FnMut(&str, &Finding, &[Option<BTreeSet<String>>])) {
    for file in fixtures::all() {
        for case in &file.cases {
            let (config, probes) = fixtures::facts(&case.changed_world()).unwrap();
            if config.registries.is_empty() {
                continue;
            }
            let name = format!("{}, '{}'", file.code, case.name);
            for finding in case.report().registries.into_iter().flat_map(|registry| registry.findings) {
                let own = Own::of(&config, probes.first(), &finding);
                let mut config = config.clone();
                let clients = clients(&mut config, &own, &finding);
                let all: Vec<_> = finding.fix.iter().map(|fix| gained(&config, &own, &clients, fix)).collect();
                with(&name, &finding, &all);
            }
        }
    }
}

#[test]
fn widening_is_what_lets_in_others() {
    let (mut wrong, mut widening, mut judged_fixes) = (BTreeSet::new(), 0, 0);
    judged(|case, finding, all| {
        for (fix, gained) in finding.fix.iter().zip(all) {
            let Some(gained) = gained else { continue };
            judged_fixes += 1;
            widening += usize::from(fix.widens_access);
            if fix.widens_access == gained.is_empty() {
                wrong.insert(format!(
                    "{} ({case}): {}: says {}, lets in {gained:?}",
                    finding.code, fix.summary, fix.widens_access
                ));
            }
        }
    });
    assert!(wrong.is_empty(), "{} of {judged_fixes}: {wrong:#?}", wrong.len());
    assert!(widening > 30, "{widening} of {judged_fixes} fixes widen access");
}

#[test]
fn the_narrowest_fix_comes_first() {
    let mut wrong = BTreeSet::new();
    judged(|case, finding, all| {
        let numbers: Vec<usize> = all.iter().flatten().map(BTreeSet::len).collect();
        if !numbers.is_sorted() {
            wrong.insert(format!("{} ({case}): {numbers:?}", finding.code));
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

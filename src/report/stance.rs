//! The network stance of registries: who may get in, by which path, as the configuration says.

use crate::facts::config::ConfigFacts;
use crate::facts::endpoints::{endpoints, has_dedicated_data_endpoints};
use crate::facts::network::{PrivateDnsZone, PrivateEndpoint};
use crate::facts::registry::{
    AgentPool, CacheRule, ConnectedRegistry, ConnectionStatus, DefaultAction, DiagnosticSetting,
    NetworkRuleBypassOptions, NetworkRuleSet, PolicyAssignment, PrivateEndpointConnection, PublicNetworkAccess,
    RegistryConfig,
};
use crate::facts::report::Report;
use crate::facts::{Cloud, EndpointRole, Known, ResourceId};

use super::grid::columns;
use super::terminal::{Ink, Style, line, paragraph, sanitise};

/// The stance of one registry on one screen, or one row each of many; then the report's findings.
pub fn stance(config: &ConfigFacts, report: &Report, style: &Style) -> String {
    let mut out = String::new();
    match config.registries.as_slice() {
        [] => {}
        [one] => full(one, config, style, &mut out),
        many => rows(many, style, &mut out),
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&super::table(report, style));
    out
}

fn full(registry: &RegistryConfig, config: &ConfigFacts, style: &Style, out: &mut String) {
    out.push_str(&style.paint(Ink::Strong, registry.login_server.as_str()));
    let sku = registry.sku.known().map_or("tier not known", |sku| sku.as_str());
    line(out, &format!("  {}, {}", sanitise(sku), registry.location));
    let lines = [
        ("public access", public_access(registry)),
        ("IP rules", ip_rules(registry)),
        ("subnet rules", subnet_rules(registry)),
        ("private endpoints", private_endpoints(registry)),
        ("trusted services", bypass(registry)),
        ("data endpoints", data_endpoints(registry, &config.cloud)),
        ("replicas", replicas(registry)),
    ];
    let besides = besides(registry, config);
    for (label, value) in lines.into_iter().chain(besides) {
        let first = style.paint(Ink::Faint, &format!("  {label:<19}")).into_owned();
        paragraph(out, style, &first, &" ".repeat(21), &value);
    }
}

/// What most registries have none of, where this one has some, and what of the client an IP rule must hold.
fn besides(registry: &RegistryConfig, config: &ConfigFacts) -> impl Iterator<Item = (&'static str, String)> {
    fn each<T>(fact: &Known<Vec<T>>, words: impl Fn(&T) -> String) -> Vec<String> {
        fact.known().into_iter().flatten().map(words).collect()
    }
    let regional = endpoints(registry, &config.cloud).into_iter().filter(|e| e.role == EndpointRole::Regional);
    let pool = |pool: &AgentPool| match &pool.subnet {
        Some(subnet) => format!("{} in {}", pool.name, subnet_name(subnet)),
        None => format!("{} outside of networks", pool.name),
    };
    let connected = |other: &ConnectedRegistry| match &other.connection_state {
        Some(state) => format!("{} ({state})", other.name),
        None => other.name.clone(),
    };
    let cache_rule = |rule: &CacheRule| match &rule.source_repository {
        Some(source) => format!("{} from {source}", rule.name),
        None => rule.name.clone(),
    };
    let policy = |policy: &PolicyAssignment| {
        format!("{} ({})", policy.display_name, policy.effect.known().map_or("effect not known", String::as_str))
    };
    let events = |setting: &DiagnosticSetting| setting.login_events.then(|| setting.workspace_id.clone()).flatten();
    let workspaces = registry.diagnostic_settings.known().into_iter().flatten().filter_map(events);
    let protocol = registry.endpoint_protocol.known().filter(|protocol| !protocol.eq_ignore_ascii_case("IPv4"));
    [
        ("private DNS", zones(registry, config)),
        ("regional endpoints", regional.map(|e| e.host.to_string()).collect()),
        ("protocol", protocol.into_iter().cloned().collect()),
        ("tasks", each(&registry.tasks, |task| task.name.clone())),
        ("agent pools", each(&registry.agent_pools, pool)),
        ("connected to it", each(&registry.connected_registries, connected)),
        ("cache rules", each(&registry.cache_rules, cache_rule)),
        ("locks", each(&registry.locks, |lock| format!("{} '{}'", lock.level, lock.id.name()))),
        ("policies", each(&registry.policy_assignments, policy)),
        ("login events go to", workspaces.map(|id| id.name().to_owned()).collect()),
        ("this client sends", egress(config)),
    ]
    .into_iter()
    .filter(|(_, all): &(_, Vec<String>)| !all.is_empty())
    .map(|(label, all)| (label, list(all.into_iter())))
}

/// The private zones beside private endpoints: where each is, and which networks see it.
fn zones(registry: &RegistryConfig, config: &ConfigFacts) -> Vec<String> {
    if registry.private_endpoint_connections.known().is_none_or(Vec::is_empty) {
        return Vec::new();
    }
    let seen = |zone: &PrivateDnsZone| match &zone.links {
        Known::Known(links) if links.is_empty() => "without a link".to_owned(),
        Known::Known(links) if links.len() > 3 => format!("for {} networks", links.len()),
        Known::Known(links) => {
            let networks: Vec<&str> = links.iter().map(|link| link.virtual_network.name()).collect();
            format!("for {}", networks.join(" and "))
        }
        Known::Unknown(_) => "links not known".to_owned(),
    };
    match &config.private_dns_zones {
        Known::Known(zones) if zones.is_empty() => vec!["no zone".to_owned()],
        Known::Known(zones) => {
            let group = |zone: &PrivateDnsZone| zone.id.resource_group().unwrap_or_default().to_owned();
            zones.iter().map(|zone| format!("{} in {} {}", zone.name, group(zone), seen(zone))).collect()
        }
        Known::Unknown(unknown) => vec![format!("not known: {}", unknown.why)],
    }
}

/// The public addresses that the client's subnet sends from, as far as it has a NAT gateway or a firewall.
fn egress(config: &ConfigFacts) -> Vec<String> {
    let Some(id) = config.client_subnet.known().and_then(Option::as_ref) else { return Vec::new() };
    let read = config.subnets.iter().find(|read| read.id == *id);
    let Some(subnet) = read.and_then(|read| read.subnet.known()?.as_ref()) else { return Vec::new() };
    if let Known::Known(Some(firewall)) = &subnet.egress_firewall {
        return firewall
            .public_addresses
            .iter()
            .map(|a| format!("from {a} (the firewall '{}')", firewall.id.name()))
            .collect();
    }
    let gateway = subnet.nat_gateway_addresses.known().into_iter().flatten();
    gateway.map(|a| format!("from {a} (the NAT gateway of {})", subnet_name(id))).collect()
}

fn rows(registries: &[RegistryConfig], style: &Style, out: &mut String) {
    let heads = ["REGISTRY", "TIER", "PUBLIC", "IP", "SUBNETS", "PRIVATE ENDPOINTS", "TRUSTED", "DATA ENDPOINTS"];
    let mut table = vec![heads.map(|head| style.paint(Ink::Faint, head).into_owned()).to_vec()];
    for registry in registries {
        let set = rule_set(registry);
        let connections = registry.private_endpoint_connections.known();
        table.push(vec![
            registry.name.to_string(),
            sanitise(registry.sku.known().map_or("?", |sku| sku.as_str())).into_owned(),
            public_word(registry).to_owned(),
            set.map_or("-".to_owned(), |set| set.ip_rules.len().to_string()),
            set.map_or("-".to_owned(), |set| length(&set.virtual_network_rules)),
            connections.map_or("?".to_owned(), |all| approved(all)),
            trusted_word(&registry.network_rule_bypass_options).to_owned(),
            match registry.data_endpoint_enabled {
                _ if has_dedicated_data_endpoints(registry) => "dedicated",
                Known::Known(_) => "blob storage",
                Known::Unknown(_) => "?",
            }
            .to_owned(),
        ]);
    }
    out.push_str(&columns(table));
}

fn rule_set(registry: &RegistryConfig) -> Option<&NetworkRuleSet> {
    registry.network_rule_set.known().and_then(Option::as_ref)
}

fn length<T>(list: &Known<Vec<T>>) -> String {
    list.known().map_or("?".to_owned(), |list| list.len().to_string())
}

fn approved(all: &[PrivateEndpointConnection]) -> String {
    let approved = all.iter().filter(|c| c.status == ConnectionStatus::Approved).count();
    if approved == all.len() { approved.to_string() } else { format!("{approved} of {}", all.len()) }
}

fn public_word(registry: &RegistryConfig) -> &'static str {
    match (&registry.public_network_access, rule_set(registry).map(|set| &set.default_action)) {
        (Known::Known(PublicNetworkAccess::Disabled), _) => "off",
        (Known::Known(PublicNetworkAccess::Enabled), Some(DefaultAction::Deny)) => "by rules",
        (Known::Known(PublicNetworkAccess::Enabled), Some(DefaultAction::Allow)) => "open",
        (Known::Known(PublicNetworkAccess::Enabled), None) if registry.network_rule_set.is_known() => "open",
        _ => "?",
    }
}

fn trusted_word(bypass: &Known<NetworkRuleBypassOptions>) -> &'static str {
    match bypass {
        Known::Known(NetworkRuleBypassOptions::AzureServices) => "yes",
        Known::Known(NetworkRuleBypassOptions::None) => "no",
        Known::Known(NetworkRuleBypassOptions::Unrecognised(_)) | Known::Unknown(_) => "?",
    }
}

fn public_access(registry: &RegistryConfig) -> String {
    let access = match &registry.public_network_access {
        Known::Known(PublicNetworkAccess::Disabled) => {
            return "off: only private endpoints get in; IP and subnet rules have no effect".to_owned();
        }
        Known::Known(access) => access.to_string(),
        Known::Unknown(unknown) => return format!("not known: {}", unknown.why),
    };
    match (&registry.network_rule_set, rule_set(registry).map(|set| &set.default_action)) {
        (_, Some(DefaultAction::Allow)) | (Known::Known(None), _) => format!("{access}: every address gets in"),
        (_, Some(DefaultAction::Deny)) => format!("{access}: only the addresses and subnets below"),
        (_, Some(DefaultAction::Unrecognised(other))) => format!("{access}, default action {other}"),
        (Known::Unknown(unknown), None) => format!("{access}; rules not known: {}", unknown.why),
        (Known::Known(Some(_)), None) => access,
    }
}

fn ip_rules(registry: &RegistryConfig) -> String {
    rule_set(registry).map_or_else(String::new, |set| list(set.ip_rules.iter().map(|rule| rule.value.clone())))
}

fn subnet_rules(registry: &RegistryConfig) -> String {
    match rule_set(registry).map(|set| &set.virtual_network_rules) {
        None => String::new(),
        Some(Known::Known(rules)) => list(rules.iter().map(|rule| subnet_name(&rule.subnet))),
        Some(Known::Unknown(unknown)) => format!("not known: {}", unknown.why),
    }
}

fn private_endpoints(registry: &RegistryConfig) -> String {
    match &registry.private_endpoint_connections {
        Known::Known(connections) => list(connections.iter().map(connection)),
        Known::Unknown(unknown) => format!("not known: {}", unknown.why),
    }
}

fn connection(connection: &PrivateEndpointConnection) -> String {
    let id = connection.private_endpoint_id.as_ref().unwrap_or(&connection.id);
    let endpoint: Option<&PrivateEndpoint> = connection.private_endpoint.known().and_then(Option::as_ref);
    let place = endpoint.and_then(|e| e.subnet.as_ref()).map(|subnet| format!(" in {}", subnet_name(subnet)));
    let place = match &connection.private_endpoint {
        Known::Known(None) => " (gone)".to_owned(),
        _ => place.unwrap_or_default(),
    };
    format!("{} {}{place}", id.name(), connection.status)
}

fn bypass(registry: &RegistryConfig) -> String {
    let services = match &registry.network_rule_bypass_options {
        Known::Known(NetworkRuleBypassOptions::AzureServices) => "pass the rules".to_owned(),
        Known::Known(NetworkRuleBypassOptions::None) => "do not pass the rules".to_owned(),
        Known::Known(other) => other.to_string(),
        Known::Unknown(unknown) => format!("not known: {}", unknown.why),
    };
    match registry.network_rule_bypass_allowed_for_tasks {
        Known::Known(true) => format!("{services}; so do tasks"),
        Known::Known(false) | Known::Unknown(_) => services,
    }
}

fn data_endpoints(registry: &RegistryConfig, cloud: &Cloud) -> String {
    let hosts = endpoints(registry, cloud).into_iter().filter(|e| e.role == EndpointRole::Data);
    let hosts = list(hosts.map(|e| e.host.to_string()));
    match &registry.data_endpoint_enabled {
        Known::Known(true) => hosts,
        _ if has_dedicated_data_endpoints(registry) => format!("{hosts} (the private endpoint switches them on)"),
        Known::Known(false) => format!("none of its own: layers come from *.{}", cloud.blob_suffix),
        Known::Unknown(unknown) => format!("not known: {}", unknown.why),
    }
}

fn replicas(registry: &RegistryConfig) -> String {
    match &registry.replications {
        Known::Known(replicas) => list(replicas.iter().map(|replica| replica.location.to_string())),
        Known::Unknown(unknown) => format!("not known: {}", unknown.why),
    }
}

/// `network/subnet`, as people speak of it.
fn subnet_name(subnet: &ResourceId) -> String {
    match subnet.virtual_network() {
        Some(network) => format!("{}/{}", network.name(), subnet.name()),
        None => subnet.name().to_owned(),
    }
}

fn list(elements: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = elements.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

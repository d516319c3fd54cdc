//! What a client's firewall must allow for a registry (docs: container-registry-firewall-access-rules,
//! container-registry-endpoint-reference), as data and as ready rules.

use std::fmt::Write as _;
use std::net::IpAddr;

use serde::Serialize;
use serde_json::json;

use crate::facts::endpoints::{endpoints, has_dedicated_data_endpoints};
use crate::facts::registry::ConnectionStatus;
use crate::facts::report::API_VERSION;
use crate::facts::{Cloud, EndpointRole, Fqdn, LoginServer, Region, RegistryConfig};

/// The hosts that a registry's clients need; a superset of `az acr show-endpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AllowList {
    api_version: String,
    kind: String,
    /// The registry.
    pub name: String,
    /// The global endpoint.
    pub login_server: LoginServer,
    /// Where layers come from; a pattern below blob storage where there are no dedicated data endpoints.
    pub data_endpoints: Vec<RegionEndpoint>,
    /// Login servers of single replicas.
    pub regional_endpoints: Vec<RegionEndpoint>,
    /// Microsoft Entra ID, for whoever signs in.
    pub sign_in: String,
    /// Azure Resource Manager, for whoever manages.
    pub resource_manager: String,
    /// The port of all of them.
    pub port: u16,
    /// Names and addresses of approved private endpoints.
    pub private_addresses: Vec<PrivateAddress>,
}

/// An endpoint and its region, as az prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegionEndpoint {
    /// The region, where known.
    pub region: Option<Region>,
    /// The host, or a pattern with a leading `*.`.
    pub endpoint: String,
}

/// A name and its address on a private endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PrivateAddress {
    /// The address.
    pub address: IpAddr,
    /// The name that should resolve to it.
    pub host: Fqdn,
}

/// How rules are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleFormat {
    /// A rule collection of an Azure Firewall policy (Microsoft.Network/firewallPolicies/ruleCollectionGroups).
    AzureFirewall,
    /// Outbound rules of a network security group, by service tag.
    Nsg,
    /// The same as commands of the Azure CLI; GROUP and NSG stand for the security group.
    NsgAz,
    /// Lines of squid.conf.
    Squid,
    /// Lines of a hosts file, for private endpoints without DNS.
    Hosts,
    /// The value of NO_PROXY.
    NoProxy,
}

impl AllowList {
    /// The list of a registry.
    pub fn of(registry: &RegistryConfig, cloud: &Cloud) -> Self {
        let all = endpoints(registry, cloud);
        let of_role = |role: EndpointRole| {
            let own = all.iter().filter(move |e| e.role == role);
            own.map(|e| RegionEndpoint { region: e.region.clone(), endpoint: e.host.to_string() }).collect::<Vec<_>>()
        };
        let mut data = of_role(EndpointRole::Data);
        if !has_dedicated_data_endpoints(registry) {
            data.push(RegionEndpoint { region: None, endpoint: format!("*.{}", cloud.blob_suffix) });
        }
        let host = |url: &url::Url| url.host_str().unwrap_or_default().to_owned();
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Endpoints".to_owned(),
            name: registry.name.to_string(),
            login_server: registry.login_server.clone(),
            data_endpoints: data,
            regional_endpoints: of_role(EndpointRole::Regional),
            sign_in: host(&cloud.authority),
            resource_manager: host(&cloud.resource_manager),
            port: 443,
            private_addresses: private_addresses(registry),
        }
    }

    /// Hosts of the registry itself, the login server first.
    fn registry_hosts(&self) -> impl Iterator<Item = &str> {
        let others = self.data_endpoints.iter().chain(&self.regional_endpoints).map(|e| e.endpoint.as_str());
        std::iter::once(self.login_server.as_str()).chain(others)
    }

    fn all_hosts(&self) -> impl Iterator<Item = &str> {
        self.registry_hosts().chain([self.sign_in.as_str(), self.resource_manager.as_str()])
    }

    /// One host a line, with what it is for.
    pub fn table(&self) -> String {
        let mut rows = vec![(self.login_server.to_string(), "REST: sign-in to the registry, manifests".to_owned())];
        for data in &self.data_endpoints {
            rows.push((data.endpoint.clone(), in_region("layers", data.region.as_ref())));
        }
        for regional in &self.regional_endpoints {
            rows.push((regional.endpoint.clone(), in_region("REST of one replica", regional.region.as_ref())));
        }
        rows.push((self.sign_in.clone(), "sign-in to Microsoft Entra ID".to_owned()));
        rows.push((self.resource_manager.clone(), "management (az, Terraform); not for pulling".to_owned()));
        let width = rows.iter().map(|(host, _)| host.len()).max().unwrap_or_default();
        let mut text = format!("What a client of {} must reach, all on port {}:\n\n", self.name, self.port);
        for (host, what) in rows {
            let _ = writeln!(text, "  {host:width$}  {what}");
        }
        if !self.private_addresses.is_empty() {
            text.push_str("\nOn the private endpoint:\n\n");
            text.push_str(&self.hosts_lines("  "));
        }
        text
    }

    /// The list as rules.
    pub fn rules(&self, format: RuleFormat) -> String {
        match format {
            RuleFormat::AzureFirewall => pretty(&self.azure_firewall()),
            RuleFormat::Nsg => pretty(&json!(self.nsg().iter().map(SecurityRule::document).collect::<Vec<_>>())),
            RuleFormat::NsgAz => self.nsg().iter().map(SecurityRule::command).collect(),
            RuleFormat::Squid => self.squid(),
            RuleFormat::Hosts => self.hosts_lines(""),
            RuleFormat::NoProxy => {
                let hosts: Vec<&str> = self.registry_hosts().map(|host| host.trim_start_matches('*')).collect();
                format!("{}\n", hosts.join(","))
            }
        }
    }

    fn azure_firewall(&self) -> serde_json::Value {
        json!({
            "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
            "name": format!("acr-{}", self.name),
            "priority": 200,
            "action": { "type": "Allow" },
            "rules": [ {
                "ruleType": "ApplicationRule",
                "name": "registry",
                "protocols": [ { "protocolType": "Https", "port": self.port } ],
                "sourceAddresses": [ "*" ],
                "targetFqdns": self.all_hosts().collect::<Vec<_>>(),
            } ],
        })
    }

    fn nsg(&self) -> Vec<SecurityRule> {
        let by_storage = self.data_endpoints.iter().any(|e| e.endpoint.starts_with("*."));
        let tags = ["AzureContainerRegistry", "AzureActiveDirectory", "AzureResourceManager"];
        let tags = tags.into_iter().chain(by_storage.then_some("Storage"));
        let rule = |name, priority, to| SecurityRule { name, priority, to, port: self.port };
        let mut rules: Vec<SecurityRule> = tags
            .zip(200_u16..)
            .map(|(tag, priority)| rule(format!("Allow{tag}"), priority, vec![tag.to_owned()]))
            .collect();
        // No service tag covers a private endpoint.
        let mut private: Vec<String> = self.private_addresses.iter().map(|p| p.address.to_string()).collect();
        private.sort_unstable();
        private.dedup();
        if !private.is_empty() {
            rules.push(rule(format!("AllowPrivateEndpointOf-{}", self.name), 210, private));
        }
        rules
    }

    fn squid(&self) -> String {
        let hosts: Vec<&str> = self.all_hosts().map(|host| host.trim_start_matches('*')).collect();
        format!("acl acr_{0} dstdomain {1}\nhttp_access allow CONNECT acr_{0}\n", self.name, hosts.join(" "))
    }

    fn hosts_lines(&self, indent: &str) -> String {
        let width = self.private_addresses.iter().map(|p| p.address.to_string().len()).max().unwrap_or_default();
        let line = |p: &PrivateAddress| format!("{indent}{:width$} {}\n", p.address.to_string(), p.host);
        self.private_addresses.iter().map(line).collect()
    }
}

/// An outbound rule of a network security group.
struct SecurityRule {
    name: String,
    priority: u16,
    /// One service tag, or addresses.
    to: Vec<String>,
    port: u16,
}

impl SecurityRule {
    /// As templates and ARM take it.
    fn document(&self) -> serde_json::Value {
        let (member, to) = match self.to.as_slice() {
            [one] => ("destinationAddressPrefix", json!(one)),
            many => ("destinationAddressPrefixes", json!(many)),
        };
        json!({ "name": self.name, "properties": {
            "priority": self.priority, "direction": "Outbound", "access": "Allow", "protocol": "Tcp",
            "sourceAddressPrefix": "VirtualNetwork", "sourcePortRange": "*",
            member: to, "destinationPortRange": self.port.to_string() } })
    }

    /// As `az` takes it.
    fn command(&self) -> String {
        let Self { name, priority, to, port } = self;
        format!(
            "az network nsg rule create -g GROUP --nsg-name NSG -n {name} --priority {priority} --direction Outbound \
             --access Allow --protocol Tcp --source-address-prefixes VirtualNetwork --source-port-ranges '*' \
             --destination-address-prefixes {} --destination-port-ranges {port}\n",
            to.join(" ")
        )
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn in_region(what: &str, region: Option<&Region>) -> String {
    region.map_or_else(|| what.to_owned(), |region| format!("{what}, {region}"))
}

/// What names should resolve to behind approved private endpoints. Their private link names are left out:
/// nobody connects by them.
fn private_addresses(registry: &RegistryConfig) -> Vec<PrivateAddress> {
    let connections = registry.private_endpoint_connections.known().into_iter().flatten();
    let approved = connections.filter(|c| c.status == ConnectionStatus::Approved);
    let endpoints = approved.filter_map(|c| c.endpoint());
    let addresses = endpoints.filter_map(|e| e.addresses.known()).flatten();
    let pairs =
        addresses.flat_map(|a| a.fqdns.iter().map(|host| PrivateAddress { address: a.address, host: host.clone() }));
    let mut found: Vec<PrivateAddress> = pairs.filter(|p| !p.host.as_str().contains(".privatelink.")).collect();
    found.sort_by(|a, b| (&a.host, a.address).cmp(&(&b.host, b.address)));
    found.dedup();
    found
}

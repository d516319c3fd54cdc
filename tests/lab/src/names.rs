//! The hosts of a world: every registry's login server, data endpoints and blob storage, and Azure's own names.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::addresses;
use crate::documents::{Documents, items, text};

/// What a host serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// ARM.
    Arm,
    /// The sign-in authority.
    Entra,
    /// Log Analytics.
    Logs,
    /// A control target.
    Control,
    /// A registry's login server, global or regional.
    Login,
    /// A registry's data endpoint in a region.
    Data,
    /// The blob storage behind a registry.
    Blob,
}

/// One host with its public address.
#[derive(Debug, Clone)]
pub struct Host {
    /// The name.
    pub name: String,
    /// What it serves.
    pub role: Role,
    /// Its region, where it has one.
    pub region: String,
    /// The address in the public zones.
    pub public: Ipv4Addr,
    /// The id of the registry it belongs to, or nothing.
    pub registry: String,
}

/// The region that blob storage of a registry is in has an account of this name.
pub fn blob_account(registry: &str) -> String {
    format!("{registry}managed07")
}

/// The registries of a world that exist for the data plane, in order of their ids.
pub fn registries(documents: &Documents) -> Vec<&Value> {
    documents.of_type("Microsoft.ContainerRegistry/registries").collect()
}

/// A registry's regions, home region first, replicas by name.
pub fn regions(documents: &Documents, registry: &Value) -> Vec<String> {
    let home = text(registry, "/location").to_owned();
    let mut all = vec![home.clone()];
    let replicas = documents.children(&format!("{}/replications", text(registry, "/id")));
    all.extend(replicas.iter().map(|r| text(r, "/location").to_owned()).filter(|r| *r != home));
    all
}

/// All hosts of a world.
pub fn hosts(documents: &Documents) -> Vec<Host> {
    let fixed = |name: &str, role, public| Host {
        name: name.to_owned(),
        role,
        region: String::new(),
        public,
        registry: String::new(),
    };
    let mut all = vec![
        fixed("management.azure.com", Role::Arm, addresses::ARM),
        fixed("login.microsoftonline.com", Role::Entra, addresses::ENTRA),
        fixed("api.loganalytics.io", Role::Logs, addresses::LOGS),
        fixed("mcr.microsoft.com", Role::Control, addresses::MCR),
        fixed("www.microsoft.com", Role::Control, addresses::MCR),
        fixed("azure.microsoft.com", Role::Control, addresses::MCR),
    ];
    let mut further = addresses::further();
    for (registry, n) in registries(documents).into_iter().zip(0u8..12) {
        let login = text(registry, "/properties/loginServer").to_ascii_lowercase();
        let id = text(registry, "/id").to_owned();
        let stem = login.strip_suffix(".azurecr.io").unwrap_or(&login).to_owned();
        let mut add = |name: String, role, region: &str, public| {
            all.push(Host { name, role, region: region.to_owned(), public, registry: id.clone() });
        };
        let at = |slot| addresses::registry(n, slot);
        let home = text(registry, "/location");
        add(login.clone(), Role::Login, home, at(0));
        add(format!("{}.blob.core.windows.net", blob_account(&stem)), Role::Blob, home, at(5));
        let regional = text(registry, "/properties/regionalEndpoints") == "Enabled";
        for (region, slot) in regions(documents, registry).iter().zip(0u8..) {
            let mut place = |first: u8| if slot < 4 { Some(at(first + slot)) } else { further.next() };
            if let Some(public) = place(1) {
                add(format!("{stem}.{region}.data.azurecr.io"), Role::Data, region, public);
            }
            if let Some(public) = regional.then(|| place(10)).flatten() {
                add(format!("{stem}.{region}.geo.azurecr.io"), Role::Login, region, public);
            }
        }
    }
    all
}

/// A private address of a private endpoint: what it stands for, and which connection it came by.
#[derive(Debug, Clone)]
pub struct PrivateAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// The name it serves.
    pub fqdn: String,
    /// The registry's id.
    pub registry: String,
    /// The state of the connection.
    pub state: String,
    /// The id of the endpoint's subnet.
    pub subnet: String,
}

/// All private addresses of approved or other connections, read from connections, endpoints and their NICs.
pub fn private_addresses(documents: &Documents) -> Vec<PrivateAddress> {
    let mut all = Vec::new();
    for connection in documents.of_type("Microsoft.ContainerRegistry/registries/privateEndpointConnections") {
        let registry = text(connection, "/id").split("/privateEndpointConnections/").next().unwrap_or_default();
        let state = text(connection, "/properties/privateLinkServiceConnectionState/status");
        let Some(endpoint) = documents.get(text(connection, "/properties/privateEndpoint/id")) else { continue };
        for nic in items(endpoint, "/properties/networkInterfaces").iter().filter_map(|n| documents.get(text(n, "/id")))
        {
            for configuration in items(nic, "/properties/ipConfigurations") {
                let properties = "/properties/privateLinkConnectionProperties/fqdns";
                let address = text(configuration, "/properties/privateIPAddress").parse();
                for fqdn in items(configuration, properties).iter().filter_map(Value::as_str) {
                    let Ok(address) = address else { continue };
                    all.push(PrivateAddress {
                        address,
                        fqdn: fqdn.to_ascii_lowercase(),
                        registry: registry.to_owned(),
                        state: state.to_owned(),
                        subnet: text(endpoint, "/properties/subnet/id").to_owned(),
                    });
                }
            }
        }
    }
    all
}

/// The id of the virtual network that a subnet belongs to.
pub fn network_of(subnet: &str) -> &str {
    let at = subnet.to_ascii_lowercase().find("/subnets/");
    at.and_then(|at| subnet.get(..at)).unwrap_or(subnet)
}

/// The subnet that holds an address.
pub fn subnet_of(documents: &Documents, address: IpAddr) -> Option<&Value> {
    let IpAddr::V4(address) = address else { return None };
    documents.of_type("Microsoft.Network/virtualNetworks/subnets").find(|subnet| {
        let prefix = text(subnet, "/properties/addressPrefix").parse::<ipnet::Ipv4Net>();
        prefix.is_ok_and(|p| p.contains(&address))
    })
}

/// Whether a subnet has the service endpoint of registries.
pub fn has_service_endpoint(subnet: &Value) -> bool {
    let mut endpoints = items(subnet, "/properties/serviceEndpoints").iter();
    endpoints.any(|e| text(e, "/service").eq_ignore_ascii_case("Microsoft.ContainerRegistry"))
}

/// Whether one network reaches another: the same, or peered and connected.
pub fn reaches(documents: &Documents, from: &str, to: &str) -> bool {
    if from.eq_ignore_ascii_case(to) {
        return true;
    }
    documents.children(&format!("{from}/virtualNetworkPeerings")).iter().any(|peering| {
        text(peering, "/properties/remoteVirtualNetwork/id").eq_ignore_ascii_case(to)
            && text(peering, "/properties/peeringState") == "Connected"
    })
}

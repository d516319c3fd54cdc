//! Commands for private endpoints, their zones, records and links.

use std::net::IpAddr;

use serde_json::json;

use super::{line, put, scope};
use crate::facts::network::PrivateEndpoint;
use crate::facts::{Change, Fix, Region, RegistryConfig, ResourceId};
use crate::reconcile::case::Case;

/// Approves a private endpoint connection.
pub fn approve(connection: &ResourceId) -> Fix {
    let words = ["az", "network", "private-endpoint-connection", "approve", "--id", connection.as_str()];
    Fix::command(
        "Approve the private endpoint connection",
        line(words.into_iter().chain(["--description", "Approved"])),
    )
    .change(Change::Patch {
        resource: connection.clone(),
        merge: json!({ "properties": { "privateLinkServiceConnectionState": { "status": "Approved" } } }),
    })
    .bicep("Microsoft.ContainerRegistry/registries/privateEndpointConnections properties.privateLinkServiceConnectionState")
}

/// Deletes a private endpoint connection at the registry.
pub fn delete_connection(connection: &ResourceId) -> Fix {
    let words = ["az", "network", "private-endpoint-connection", "delete", "--id", connection.as_str(), "-y"];
    Fix::command("Delete the connection", line(words))
        .change(Change::Delete { resource: connection.clone() })
        .bicep("Microsoft.ContainerRegistry/registries/privateEndpointConnections")
}

/// Deletes a private endpoint, its connection and the records of its zone group with it.
pub fn delete_endpoint(endpoint: &ResourceId) -> Fix {
    let mut words = vec!["az", "network", "private-endpoint", "delete", "-n", endpoint.name()];
    words.extend(scope(endpoint));
    Fix::command(format!("Delete the private endpoint '{}'", endpoint.name()), line(words))
        .change(Change::Delete { resource: endpoint.clone() })
        .iac("Microsoft.Network/privateEndpoints", "azurerm_private_endpoint")
}

/// A private endpoint that is to be made.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    id: ResourceId,
    subnet: ResourceId,
    location: Option<Region>,
}

impl NewEndpoint {
    /// One of this name in a subnet, in the resource group of the subnet's network.
    pub fn in_subnet(name: &str, subnet: &ResourceId) -> Option<Self> {
        let group = subnet.resource_group()?;
        let id = format!(
            "/subscriptions/{}/resourceGroups/{group}/providers/Microsoft.Network/privateEndpoints/{name}",
            subnet.subscription()
        );
        Some(Self { id: id.parse().ok()?, subnet: subnet.clone(), location: None })
    }

    /// The same one again.
    pub fn again(endpoint: &PrivateEndpoint) -> Option<Self> {
        let subnet = endpoint.subnet.clone()?;
        Some(Self { id: endpoint.id.clone(), subnet, location: endpoint.location.clone() })
    }

    /// Creates it, and a zone group for its records; the zone and its link to the endpoint's network too, where there
    /// are none.
    pub fn create(&self, case: &Case<'_>, registry: &RegistryConfig) -> Vec<Fix> {
        let mut steps = vec![self.endpoint(registry)];
        let wanted = &case.config.cloud.private_zone;
        let network = self.subnet.virtual_network();
        let own = case.zones().iter().find(|zone| zone.name.as_str() == wanted.as_str());
        let zone = own.map(|zone| zone.id.clone()).or_else(|| {
            // Zones that could not be read may well be there: a second one would answer beside it.
            let known = case.config.private_dns_zones.is_known();
            self.id.resource_group().filter(|_| known).and_then(|group| {
                let subscription = self.id.subscription();
                format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/privateDnsZones/{wanted}")
                    .parse()
                    .ok()
            })
        });
        let (Some(zone), Some(network)) = (zone, network) else {
            return steps;
        };
        if own.is_none() {
            steps.push(create_zone(&zone));
        }
        let linked = own.is_some_and(|zone| zone.is_linked_to(&network) != Some(false));
        if !linked {
            steps.push(link_zone(&zone, &network));
        }
        steps.push(zone_group(&self.id, &zone));
        steps
    }

    fn endpoint(&self, registry: &RegistryConfig) -> Fix {
        let name = self.id.name();
        let mut words = vec!["az", "network", "private-endpoint", "create", "-n", name];
        words.extend(scope(&self.id));
        words.extend(["--subnet", self.subnet.as_str()]);
        if let Some(location) = &self.location {
            words.extend(["--location", location.as_str()]);
        }
        words.extend(["--private-connection-resource-id", registry.id.as_str()]);
        words.extend(["--group-id", "registry", "--connection-name", name]);
        let mut document = json!({ "properties": {
            "subnet": { "id": self.subnet.as_str() },
            "privateLinkServiceConnections": [ { "name": name, "properties": {
                "privateLinkServiceId": registry.id.as_str(), "groupIds": ["registry"] } } ] } });
        if let (Some(location), Some(members)) = (&self.location, document.as_object_mut()) {
            members.insert("location".to_owned(), json!(location.as_str()));
        }
        let summary = format!("Create the private endpoint '{name}' in the subnet '{}'", self.subnet.name());
        Fix::command(summary, line(words))
            .change(Change::Put { resource: self.id.clone(), document })
            .iac("Microsoft.Network/privateEndpoints", "azurerm_private_endpoint")
    }
}

/// Lets a private endpoint keep its records in a zone by itself.
pub fn zone_group(endpoint: &ResourceId, zone: &ResourceId) -> Fix {
    const CONFIG: &str = "registry";
    let mut words = vec!["az", "network", "private-endpoint", "dns-zone-group", "create", "-n", "default"];
    words.extend(scope(endpoint));
    words.extend(["--endpoint-name", endpoint.name(), "--private-dns-zone", zone.as_str(), "--zone-name", CONFIG]);
    let fix =
        Fix::command(format!("Let '{}' keep its records in the zone {}", endpoint.name(), zone.name()), line(words));
    put(
        fix,
        &format!("{endpoint}/privateDnsZoneGroups/default"),
        json!({ "properties": { "privateDnsZoneConfigs": [
            { "name": CONFIG, "properties": { "privateDnsZoneId": zone.as_str() } } ] } }),
    )
    .iac("Microsoft.Network/privateEndpoints/privateDnsZoneGroups", "azurerm_private_endpoint.private_dns_zone_group")
}

/// Takes a zone group, and the records that it keeps, away.
pub fn delete_zone_group(endpoint: &ResourceId, name: &str) -> Fix {
    let mut words = vec!["az", "network", "private-endpoint", "dns-zone-group", "delete", "-n", name];
    words.extend(scope(endpoint));
    words.extend(["--endpoint-name", endpoint.name()]);
    let fix = Fix::command(format!("Delete the zone group '{name}' of '{}'", endpoint.name()), line(words)).iac(
        "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
        "azurerm_private_endpoint.private_dns_zone_group",
    );
    match format!("{endpoint}/privateDnsZoneGroups/{name}").parse() {
        Ok(resource) => fix.change(Change::Delete { resource }),
        Err(_) => fix,
    }
}

/// Creates a private DNS zone.
pub fn create_zone(zone: &ResourceId) -> Fix {
    let mut words = vec!["az", "network", "private-dns", "zone", "create", "-n", zone.name()];
    words.extend(scope(zone));
    let group = zone.resource_group().unwrap_or_default();
    Fix::command(format!("Create the zone {} in the resource group '{group}'", zone.name()), line(words))
        .change(Change::Put { resource: zone.clone(), document: json!({ "location": "global", "properties": {} }) })
        .iac("Microsoft.Network/privateDnsZones", "azurerm_private_dns_zone")
}

/// Adds an A record to a private DNS zone.
pub fn add_record(zone: &ResourceId, record: &str, address: IpAddr) -> Fix {
    let address = address.to_string();
    let mut words = vec!["az", "network", "private-dns", "record-set", "a", "add-record"];
    words.extend(scope(zone));
    words.extend(["--zone-name", zone.name(), "--record-set-name", record, "--ipv4-address", &address]);
    let fix = Fix::command(format!("Add the record {record} → {address} to the zone {}", zone.name()), line(words))
        .iac("Microsoft.Network/privateDnsZones/A", "azurerm_private_dns_a_record");
    put(
        fix,
        &format!("{zone}/A/{record}"),
        json!({ "name": record, "type": "Microsoft.Network/privateDnsZones/A",
            "properties": { "ttl": 10, "aRecords": [ { "ipv4Address": address } ] } }),
    )
}

/// Removes an A record from a private DNS zone; az deletes a record set with its last record.
pub fn remove_record(zone: &ResourceId, record: &str, address: IpAddr) -> Fix {
    let address = address.to_string();
    let mut words = vec!["az", "network", "private-dns", "record-set", "a", "remove-record"];
    words.extend(scope(zone));
    words.extend(["--zone-name", zone.name(), "--record-set-name", record, "--ipv4-address", &address]);
    let fix =
        Fix::command(format!("Remove the record {record} → {address} from the zone {}", zone.name()), line(words))
            .iac("Microsoft.Network/privateDnsZones/A", "azurerm_private_dns_a_record");
    match format!("{zone}/A/{record}").parse() {
        Ok(resource) => fix.change(Change::Remove {
            resource,
            pointer: "/properties/aRecords".to_owned(),
            value: json!({ "ipv4Address": address }),
        }),
        Err(_) => fix,
    }
}

/// Links a private DNS zone to a virtual network.
pub fn link_zone(zone: &ResourceId, network: &ResourceId) -> Fix {
    let name = format!("{}-link", network.name());
    let mut words = vec!["az", "network", "private-dns", "link", "vnet", "create"];
    words.extend(scope(zone));
    words.extend(["--zone-name", zone.name(), "-n", &name, "--virtual-network", network.as_str()]);
    words.extend(["--registration-enabled", "false"]);
    let fix = Fix::command(format!("Link the zone {} to the network '{}'", zone.name(), network.name()), line(words))
        .iac("Microsoft.Network/privateDnsZones/virtualNetworkLinks", "azurerm_private_dns_zone_virtual_network_link");
    put(
        fix,
        &format!("{zone}/virtualNetworkLinks/{name}"),
        json!({ "name": name, "location": "global", "properties": {
            "virtualNetwork": { "id": network.as_str() }, "registrationEnabled": false,
            "virtualNetworkLinkState": "Completed" } }),
    )
}

/// Takes the link of a zone away.
pub fn unlink_zone(zone: &ResourceId, link: &str) -> Fix {
    let mut words = vec!["az", "network", "private-dns", "link", "vnet", "delete"];
    words.extend(scope(zone));
    words.extend(["--zone-name", zone.name(), "-n", link, "-y"]);
    let fix = Fix::command(format!("Delete the link '{link}' of the zone {}", zone.name()), line(words))
        .iac("Microsoft.Network/privateDnsZones/virtualNetworkLinks", "azurerm_private_dns_zone_virtual_network_link");
    match format!("{zone}/virtualNetworkLinks/{link}").parse() {
        Ok(resource) => fix.change(Change::Delete { resource }),
        Err(_) => fix,
    }
}

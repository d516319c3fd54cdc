//! What Azure does by itself when a resource is written or deleted: a private endpoint gets its addresses and its
//! connection, a zone group writes records, a peering in both directions is connected.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::documents::{Documents, items, text};
use crate::names;

/// After a document was written.
pub fn written(documents: &mut Documents, id: &str) {
    let kind = crate::documents::resource_type(id).unwrap_or_default().to_ascii_lowercase();
    match kind.as_str() {
        "microsoft.network/privateendpoints" => connect(documents, id),
        "microsoft.network/privateendpoints/privatednszonegroups" => write_records(documents, id),
        "microsoft.network/virtualnetworks/virtualnetworkpeerings" => peer(documents, id),
        "microsoft.containerregistry/registries" => name_data_endpoints(documents, id),
        _ => {}
    }
}

/// Deletes a document, and what goes with it.
pub fn delete(documents: &mut Documents, id: &str) {
    let kind = crate::documents::resource_type(id).unwrap_or_default().to_ascii_lowercase();
    if kind == "microsoft.network/privateendpoints/privatednszonegroups" {
        remove_records(documents, id);
    }
    if kind == "microsoft.network/privateendpoints" {
        let groups = ids(&documents.children(&format!("{id}/privateDnsZoneGroups")));
        for group in &groups {
            remove_records(documents, group);
        }
        let nics = documents.get(id).map(|endpoint| items(endpoint, "/properties/networkInterfaces").to_vec());
        for nic in nics.into_iter().flatten() {
            documents.delete(text(&nic, "/id"));
        }
        for connection in connections(documents, id) {
            documents.delete(&connection);
        }
    }
    documents.delete(id);
}

fn ids(documents: &[&Value]) -> Vec<String> {
    documents.iter().map(|document| text(document, "/id").to_owned()).collect()
}

fn connections(documents: &Documents, endpoint: &str) -> Vec<String> {
    let all = documents.of_type("Microsoft.ContainerRegistry/registries/privateEndpointConnections");
    let own = all.filter(|c| text(c, "/properties/privateEndpoint/id").eq_ignore_ascii_case(endpoint));
    ids(&own.collect::<Vec<_>>())
}

/// A new private endpoint: an approved connection, and an address for each member that the registry requires.
fn connect(documents: &mut Documents, id: &str) {
    let Some(endpoint) = documents.get(id).cloned() else { return };
    let registry = text(&endpoint, "/properties/privateLinkServiceConnections/0/properties/privateLinkServiceId");
    let subnet = text(&endpoint, "/properties/subnet/id");
    if !items(&endpoint, "/properties/networkInterfaces").is_empty() || documents.get(registry).is_none() {
        return;
    }
    let nic = format!("{}/networkInterfaces/{}.nic.new", parent(id), text(&endpoint, "/name"));
    let configurations: Vec<Value> = members(documents, registry)
        .into_iter()
        .zip(free_addresses(documents, subnet))
        .map(|((member, fqdn), address)| json!({
            "name": format!("privateEndpointIpConfig.{member}"), "properties": {
                "provisioningState": "Succeeded", "privateIPAddress": address, "privateIPAddressVersion": "IPv4",
                "subnet": { "id": subnet }, "primary": member == "registry",
                "privateLinkConnectionProperties": { "groupId": "registry", "requiredMemberName": member, "fqdns": [fqdn] } }
        }))
        .collect();
    let nic_document = json!({ "properties": {
        "provisioningState": "Succeeded", "ipConfigurations": configurations, "privateEndpoint": { "id": id } } });
    let state = json!({ "status": "Approved", "description": "Auto-approved", "actionsRequired": "None" });
    let connection = json!({ "properties": { "provisioningState": "Succeeded",
        "privateEndpoint": { "id": id }, "privateLinkServiceConnectionState": state } });
    documents.put(&format!("{registry}/privateEndpointConnections/{}.new", text(&endpoint, "/name")), connection);
    documents.put(&nic, nic_document);
    let mut endpoint = endpoint.clone();
    crate::documents::merge(
        &mut endpoint,
        &json!({ "properties": {
        "provisioningState": "Succeeded", "networkInterfaces": [{ "id": nic }] } }),
    );
    documents.put(id, endpoint);
}

/// `…/privateEndpoints/pe` → `…`.
fn parent(id: &str) -> &str {
    let mut at = id.rmatch_indices('/').map(|(at, _)| at).skip(1);
    at.next().and_then(|at| id.get(..at)).unwrap_or_default()
}

/// The members of a registry's private link resource, each with its name.
fn members(documents: &Documents, registry: &str) -> Vec<(String, String)> {
    let Some(document) = documents.get(registry) else { return Vec::new() };
    let login = text(document, "/properties/loginServer").to_ascii_lowercase();
    let stem = login.strip_suffix(".azurecr.io").unwrap_or(&login);
    let data = names::regions(documents, document)
        .into_iter()
        .map(|region| (format!("registry_data_{region}"), format!("{stem}.{region}.data.azurecr.io")));
    data.chain([("registry".to_owned(), login.clone())]).collect()
}

/// Addresses of a subnet that nobody has, the first three and the client's own left out.
fn free_addresses(documents: &Documents, subnet: &str) -> Vec<Ipv4Addr> {
    let prefix =
        documents.get(subnet).and_then(|s| text(s, "/properties/addressPrefix").parse::<ipnet::Ipv4Net>().ok());
    let taken: Vec<Ipv4Addr> = names::private_addresses(documents).into_iter().map(|p| p.address).collect();
    let free = |address: &Ipv4Addr| !taken.contains(address) && *address != crate::addresses::CLIENT;
    prefix.into_iter().flat_map(|net| net.hosts().skip(3)).filter(free).take(20).collect()
}

/// The zones of a zone group, each with the records that the endpoint's names have there.
fn records(documents: &Documents, group: &str) -> Vec<(String, Ipv4Addr)> {
    let endpoint = parent(group).to_owned();
    let nics = documents.get(&endpoint).map(|e| items(e, "/properties/networkInterfaces").to_vec()).unwrap_or_default();
    let addresses: Vec<(String, Ipv4Addr)> = nics
        .iter()
        .filter_map(|nic| documents.get(text(nic, "/id")))
        .flat_map(|nic| items(nic, "/properties/ipConfigurations"))
        .filter_map(|c| {
            let fqdn = text(c, "/properties/privateLinkConnectionProperties/fqdns/0");
            Some((fqdn.strip_suffix(".azurecr.io")?.to_owned(), text(c, "/properties/privateIPAddress").parse().ok()?))
        })
        .collect();
    let configs =
        documents.get(group).map(|g| items(g, "/properties/privateDnsZoneConfigs").to_vec()).unwrap_or_default();
    let zones: Vec<&str> = configs.iter().map(|c| text(c, "/properties/privateDnsZoneId")).collect();
    let all = zones.iter().flat_map(|zone| addresses.iter().map(move |(name, ip)| (format!("{zone}/A/{name}"), *ip)));
    all.collect()
}

fn write_records(documents: &mut Documents, group: &str) {
    for (id, address) in records(documents, group) {
        documents.put(
            &id,
            json!({ "type": "Microsoft.Network/privateDnsZones/A",
            "properties": { "ttl": 10, "aRecords": [{ "ipv4Address": address }] } }),
        );
    }
}

fn remove_records(documents: &mut Documents, group: &str) {
    for (id, _) in records(documents, group) {
        documents.delete(&id);
    }
}

/// A peering is connected once there is one in each direction.
fn peer(documents: &mut Documents, id: &str) {
    let Some(peering) = documents.get(id).cloned() else { return };
    let (own, remote) = (parent(id).to_owned(), text(&peering, "/properties/remoteVirtualNetwork/id").to_owned());
    let back = documents.children(&format!("{remote}/virtualNetworkPeerings"));
    let back = back.iter().find(|p| text(p, "/properties/remoteVirtualNetwork/id").eq_ignore_ascii_case(&own));
    let back = back.map(|p| text(p, "/id").to_owned());
    let state = if back.is_some() { "Connected" } else { "Initiated" };
    for id in std::iter::once(id.to_owned()).chain(back) {
        let Some(mut peering) = documents.get(&id).cloned() else { continue };
        crate::documents::merge(&mut peering, &json!({ "properties": { "peeringState": state } }));
        documents.put(&id, peering);
    }
}

/// Dedicated data endpoints have a name for each region.
fn name_data_endpoints(documents: &mut Documents, id: &str) {
    let Some(mut registry) = documents.get(id).cloned() else { return };
    if registry.pointer("/properties/dataEndpointEnabled") != Some(&Value::Bool(true)) {
        return;
    }
    let login = text(&registry, "/properties/loginServer").to_ascii_lowercase();
    let stem = login.strip_suffix(".azurecr.io").unwrap_or(&login);
    let hosts: Vec<String> = names::regions(documents, &registry)
        .into_iter()
        .map(|region| format!("{stem}.{region}.data.azurecr.io"))
        .collect();
    crate::documents::merge(&mut registry, &json!({ "properties": { "dataEndpointHostNames": hosts } }));
    documents.put(id, registry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{self, network_id, registry_id};

    #[test]
    fn a_private_endpoint_that_is_made_anew_has_addresses_and_records_again() {
        let mut documents = base::world("private-link").unwrap().documents;
        let endpoint = network_id("privateEndpoints/pe");
        let zone = network_id("privateDnsZones/privatelink.azurecr.io");
        delete(&mut documents, &endpoint);
        assert!(documents.get(&format!("{zone}/A/myreg")).is_none());
        assert!(names::private_addresses(&documents).is_empty());
        let subnet = network_id("virtualNetworks/app/subnets/endpoints");
        documents.put(
            &endpoint,
            json!({ "properties": { "subnet": { "id": subnet },
            "privateLinkServiceConnections": [{ "properties": { "privateLinkServiceId": registry_id() } }] } }),
        );
        written(&mut documents, &endpoint);
        let group = format!("{endpoint}/privateDnsZoneGroups/default");
        documents.put(
            &group,
            json!({ "properties": { "privateDnsZoneConfigs": [{ "properties": { "privateDnsZoneId": zone } }] } }),
        );
        written(&mut documents, &group);
        let record = documents.get(&format!("{zone}/A/myreg")).unwrap();
        assert_eq!(text(record, "/properties/aRecords/0/ipv4Address"), "10.20.2.5");
        assert_eq!(names::private_addresses(&documents).len(), 2);
    }

    #[test]
    fn one_peering_alone_connects_nobody() {
        let mut documents = base::world("private-link").unwrap().documents;
        let (here, there) = (network_id("virtualNetworks/app"), network_id("virtualNetworks/hub"));
        let mut add = |from: &str, to: &str| {
            let id = format!("{from}/virtualNetworkPeerings/p");
            documents.put(&id, json!({ "properties": { "remoteVirtualNetwork": { "id": to } } }));
            written(&mut documents, &id);
            names::reaches(&documents, &here, &there)
        };
        assert!(!add(&here, &there));
        assert!(add(&there, &here));
    }
}

//! Further private endpoints of a registry, each in a network with a zone of its own, as Microsoft advises for several
//! endpoints of one registry.

use serde_json::json;

use crate::base::registry_id;
use crate::documents::{Documents, SUBSCRIPTION};

/// Adds the spoke of this number, in the group `spokeN`.
pub fn add(all: &mut Documents, number: usize) {
    let id = |rest: &str| {
        format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/spoke{number}/providers/Microsoft.Network/{rest}")
    };
    let (endpoint, nic, network) =
        (id("privateEndpoints/pe"), id("networkInterfaces/pe.nic"), id("virtualNetworks/spoke"));
    let (subnet, zone) = (format!("{network}/subnets/endpoints"), id("privateDnsZones/privatelink.azurecr.io"));
    let state = json!({ "status": "Approved", "description": "Auto-approved", "actionsRequired": "None" });
    all.put(&format!("{}/privateEndpointConnections/spoke{number}.conn", registry_id()), json!({ "properties": {
        "privateEndpoint": { "id": endpoint }, "privateLinkServiceConnectionState": state, "provisioningState": "Succeeded"
    } }));
    all.put(
        &endpoint,
        json!({ "location": "eastus", "properties": { "provisioningState": "Succeeded",
        "subnet": { "id": subnet }, "networkInterfaces": [{ "id": nic }], "customDnsConfigs": [] } }),
    );
    let names = [("registry_data_eastus", "myreg.eastus.data"), ("registry", "myreg")];
    let at = |index: usize| format!("10.{}.2.{}", 100 + number, 4 + index);
    let configurations: Vec<_> = names.iter().enumerate().map(|(index, (member, name))| json!({
        "name": format!("privateEndpointIpConfig.{member}"),
        "properties": { "privateIPAddress": at(index), "subnet": { "id": subnet }, "privateLinkConnectionProperties": {
            "groupId": "registry", "requiredMemberName": member, "fqdns": [format!("{name}.azurecr.io")] } }
    })).collect();
    all.put(&nic, json!({ "location": "eastus", "properties": { "ipConfigurations": configurations } }));
    all.put(
        &network,
        json!({ "location": "eastus", "properties": {
        "addressSpace": { "addressPrefixes": [format!("10.{}.0.0/16", 100 + number)] } } }),
    );
    all.put(
        &subnet,
        json!({ "properties": { "addressPrefix": format!("10.{}.2.0/24", 100 + number),
        "privateEndpointNetworkPolicies": "Disabled" } }),
    );
    all.put(&zone, json!({ "location": "global", "properties": {} }));
    all.put(
        &format!("{zone}/virtualNetworkLinks/spoke"),
        json!({ "location": "global", "properties": {
        "registrationEnabled": false, "resolutionPolicy": "Default", "virtualNetwork": { "id": network },
        "virtualNetworkLinkState": "Completed" } }),
    );
    for (index, (_, name)) in names.iter().enumerate() {
        all.put(&format!("{zone}/A/{name}"), json!({ "type": "Microsoft.Network/privateDnsZones/A", "properties": {
            "aRecords": [{ "ipv4Address": at(index) }], "fqdn": format!("{name}.privatelink.azurecr.io."), "ttl": 10 } }));
    }
    all.put(
        &format!("{endpoint}/privateDnsZoneGroups/default"),
        json!({ "properties": {
        "privateDnsZoneConfigs": [{ "name": "privatelink-azurecr-io", "properties": { "privateDnsZoneId": zone } }]
    } }),
    );
}

//! Facts from files.

use serde_json::{Value, json};

use super::*;
use crate::facts::registry::{PublicNetworkAccess, Sku};

fn documents(files: &[(&str, Value)]) -> Result<ConfigFacts, DocumentError> {
    let files: Vec<_> =
        files.iter().map(|(name, value)| ((*name).to_owned(), value.to_string().into_bytes())).collect();
    from_documents(&files, &Cloud::public())
}

#[test]
fn the_azure_clis_output_is_read_under_its_own_names() {
    let mut flat = registry("x");
    let properties = flat.as_object_mut().unwrap().remove("properties").unwrap();
    flat.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
    flat["networkRuleSet"] = json!({ "defaultAction": "Deny",
        "ipRules": [{ "action": "Allow", "ipAddressOrRange": "203.0.113.0/24" }],
        "virtualNetworkRules": [{ "action": "Allow", "virtualNetworkResourceId": format!("{VNET}/subnets/a") }] });
    let facts = documents(&[("show.json", flat)]).unwrap();
    let registry = &facts.registries[0];
    assert_eq!(registry.sku, Known::Known(Sku::Premium));
    let set = registry.network_rule_set.known().unwrap().as_ref().unwrap();
    assert_eq!(set.ip_rules[0].range.unwrap().to_string(), "203.0.113.0/24");
    assert_eq!(set.virtual_network_rules.known().unwrap()[0].subnet.name(), "a");
    assert_eq!(registry.private_endpoint_connections.known().unwrap().len(), 1);
}

#[test]
fn several_documents_join_by_their_ids() {
    let endpoint =
        network(&format!("/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Network/privateEndpoints/pe"));
    let nic =
        network(&format!("/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/nic"));
    let rows = json!({ "data": [registry("virtualNetworkSubnetResourceId")], "totalRecords": 1 });
    let facts = documents(&[
        ("graph.json", rows),
        ("rest.json", json!({ "value": [endpoint.unwrap(), nic.unwrap()] })),
        ("subnet.json", network(&format!("{VNET}/subnets/rule")).unwrap()),
    ])
    .unwrap();
    let connection = &facts.registries[0].private_endpoint_connections.known().unwrap()[0];
    let endpoint = connection.private_endpoint.known().unwrap().as_ref().unwrap();
    assert_eq!(endpoint.addresses.known().unwrap()[0].address.to_string(), "10.0.1.4");
    assert_eq!(facts.subnets.len(), 1);
    assert_eq!(facts.registries[0].replications.missing().unwrap().needs.as_deref(), Some("az acr replication list"));
}

#[test]
fn a_template_is_read_as_what_it_will_make() {
    let template = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": { "registryName": { "type": "string", "defaultValue": "prodregistry" } },
        "resources": [{
            "type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2025-11-01",
            "name": "[parameters('registryName')]", "location": "[resourceGroup().location]",
            "sku": { "name": "Premium" },
            "properties": { "publicNetworkAccess": "Disabled" },
            "resources": [{ "type": "replications", "name": "[concat('a', 'b')]", "location": "westus", "properties": {} }],
        }],
    });
    let facts = documents(&[("main.json", template)]).unwrap();
    let registry = &facts.registries[0];
    assert_eq!(registry.login_server.as_str(), "prodregistry.azurecr.io");
    assert_eq!(registry.public_network_access, Known::Known(PublicNetworkAccess::Disabled));
}

#[test]
fn files_may_hold_several_values_comments_and_powershells_utf_16() {
    let mut show = registry("id");
    show["properties"].as_object_mut().unwrap().remove("dataEndpointHostNames");
    let text = format!(
        "// az acr show\n{show}\n/* az acr show-endpoints */ {}",
        json!({ "loginServer": "myreg.azurecr.io", "dataEndpoints": [
            { "region": "westeurope", "endpoint": "myreg.westeurope.data.azurecr.io" },
            { "region": "northeurope", "endpoint": "*.blob.core.windows.net" }], "regionalEndpoints": null })
    );
    let utf16 = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let facts = from_documents(&[("both.json".to_owned(), utf16)], &Cloud::public()).unwrap();
    let hosts = facts.registries[0].data_endpoint_host_names.known().unwrap();
    assert_eq!(hosts.iter().map(crate::facts::Fqdn::as_str).collect::<Vec<_>>(), ["myreg.westeurope.data.azurecr.io"]);
}

#[test]
fn what_is_no_registrys_document_is_said_in_one_sentence() {
    let of = |bytes: &[u8]| from_documents(&[("f.json".to_owned(), bytes.to_vec())], &Cloud::public()).unwrap_err();
    assert!(matches!(of(b"{\"a\":"), DocumentError::NotJson { line: 1, .. }));
    assert!(matches!(of(b"{\"a\":1}"), DocumentError::NothingKnown { .. }));
    assert!(matches!(of(b"[]"), DocumentError::NoRegistry));
    assert!(matches!(of(br#"{"apiVersion":"acr-doctor/v1","kind":"ConfigSnapshot"}"#), DocumentError::Snapshot { .. }));
    let lacking = of(br#"{"type":"Microsoft.ContainerRegistry/registries","id":"/subscriptions/s/x"}"#);
    assert_eq!(lacking.to_string(), "f.json holds a registry without name");
    assert!(matches!(from_documents(&[], &Cloud::public()), Err(DocumentError::NoRegistry)));
}

//! Every real and published document gives the facts that it holds, and no document at all makes a reader fail.

use serde_json::{Value, json};

use super::*;
use crate::config::wire::registry::{Origin, registry};
use crate::config::wire::{Fields, governance, network, private_dns, private_link, registry_parts};

/// Every document under tests/fixtures/arm with its API version, unwrapped from the recording or the specification.
pub(super) fn recorded() -> Vec<(String, Option<String>, Value)> {
    let root = format!("{}/tests/fixtures/arm", env!("CARGO_MANIFEST_DIR"));
    let files = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().filter_map(Result::ok);
    let json = files.filter(|f| f.path().extension().is_some_and(|e| e == "json"));
    json.map(|file| {
        let name = file.path().strip_prefix(&root).unwrap().display().to_string();
        let document: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        let version = document.get("apiVersion").or_else(|| document.pointer("/parameters/api-version"));
        let version = version.and_then(Value::as_str).map(str::to_owned);
        let body = document.get("body").or_else(|| document.pointer("/responses/200/body"));
        (name, version, body.cloned().unwrap_or(document))
    })
    .collect()
}

fn is_registry(document: &Value) -> bool {
    Fields::of(document).text("loginServer").is_some() && Fields::of(document).text("id").is_some()
}

/// Single resources: the document itself, or the items of its list.
pub(super) fn resources(document: &Value) -> Vec<Value> {
    match document.get("value").or_else(|| document.get("data")).unwrap_or(document) {
        Value::Array(items) => items.clone(),
        _ => vec![document.clone()],
    }
}

#[test]
fn subnet_rules_are_never_read_as_none_where_the_version_hides_them() {
    for (name, version, document) in recorded() {
        for document in resources(&document).iter().filter(|d| is_registry(d)) {
            let Some(version) = version.as_deref() else { continue };
            let config = registry(document, Origin::Answer(version)).unwrap();
            let Known::Known(Some(set)) = &config.network_rule_set else { continue };
            let shown = document.pointer("/properties/networkRuleSet/virtualNetworkRules").is_some();
            assert_eq!(set.virtual_network_rules.is_known(), shown, "{name} at {version}");
        }
    }
}

#[test]
fn the_other_providers_documents_give_their_facts() {
    let one = |name: &str| {
        let found = recorded().into_iter().find(|(n, ..)| n == name);
        resources(&found.unwrap_or_else(|| panic!("no {name}")).2).remove(0)
    };
    assert!(
        !network::security_group(&one("spec/network/NetworkSecurityGroupGet.2024-05-01.json"))
            .unwrap()
            .rules
            .is_empty()
    );
    let subnet = network::subnet(&one("spec/network/SubnetServiceEndpoint.ContainerRegistry.real.azcli.json")).subnet;
    assert!(subnet.has_registry_service_endpoint());
    assert_eq!(subnet.address_prefixes[0].to_string(), "10.0.0.0/23");
    let (group, pairs) =
        private_link::zone_group(&one("spec/network/PrivateEndpointDnsZoneGroupGet.2024-05-01.json")).unwrap();
    assert_eq!((group.zones.len(), pairs.len()), (2, 4));
    assert!(private_link::endpoint(&one("spec/network/PrivateEndpointGet.2024-05-01.json")).is_some());
    let link = private_dns::link(&one("spec/privatedns/VirtualNetworkLinkList.2024-06-01.json")).unwrap();
    assert_eq!(link.resolution_policy.known().unwrap().as_str(), "NxDomainRedirect");
    assert!(private_dns::record_set(&one("spec/privatedns/RecordSetAList.2026-06-01-preview.json")).is_some());
    assert!(private_dns::record_set(&one("spec/privatedns/RecordSetCNAMEList.2024-06-01.json")).is_none());
    let plan =
        governance::defender_plan(&one("spec/security/GetResourcePricingByNameContainers.2024-01-01.json")).unwrap();
    assert!(plan.scans_registries() && plan.registry_scan == Known::Known(true));
    let usages = resources(&recorded().into_iter().find(|(n, ..)| n.contains("RegistryListUsages")).unwrap().2);
    assert!(usages.iter().all(|u| registry_parts::usage(u).is_some()));
    let rule =
        registry_parts::cache_rule(&one("spec/containerregistry/CacheRuleList.2026-09-01-preview.json")).unwrap();
    assert_eq!(rule.source_repository.as_deref(), Some("docker.io/library/hello-world"));
    assert_eq!(rule.credential_set.unwrap().name(), "myCredentialSet");
    let connected = registry_parts::connected_registry(&one(
        "spec/containerregistry/ConnectedRegistryList.2026-09-01-preview.json",
    ));
    assert_eq!(connected.unwrap().activation.as_deref(), Some("Inactive"));
    let real = resources(&recorded().into_iter().find(|(n, ..)| n.contains("privateLinkResources.real")).unwrap().2);
    let members = registry_parts::private_link_resource(&real);
    assert!(members.known().unwrap().required_members.iter().any(|m| m.starts_with("registry_data_")));
}

#[test]
fn an_unknown_member_of_an_enumeration_is_kept_and_shown() {
    let mut document = super::registry("id");
    document["properties"]["publicNetworkAccess"] = json!("SecuredByPerimeter");
    document["properties"]["futureProperty"] = json!({ "a": 1 });
    let config = registry(&document, Origin::Document).unwrap();
    assert_eq!(
        config.public_network_access,
        Known::Known(PublicNetworkAccess::Unrecognised("SecuredByPerimeter".to_owned()))
    );
    assert_eq!(config.unrecognised["futureProperty"], json!({ "a": 1 }));
}

mod arbitrary {
    use proptest::prelude::*;

    use super::*;

    /// Members that the readers look at, so that arbitrary JSON meets them.
    const MEMBERS: [&str; 24] = [
        "id",
        "name",
        "type",
        "location",
        "properties",
        "loginServer",
        "networkRuleSet",
        "defaultAction",
        "ipRules",
        "virtualNetworkRules",
        "privateEndpointConnections",
        "encryption",
        "keyVaultProperties",
        "identity",
        "sku",
        "value",
        "data",
        "resources",
        "nextLink",
        "aRecords",
        "ipConfigurations",
        "addressPrefix",
        "policies",
        "status",
    ];
    const TEXTS: [&str; 12] = [
        "",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/myreg",
        "myregistry",
        "myregistry.azurecr.io",
        "West Europe",
        "10.0.0.0/33",
        "Microsoft.ContainerRegistry/registries",
        "[parameters('x')]",
        "/subscriptions/s/providers/microsoft.containerregistry/registries/",
        "\u{0}",
        "é",
        "999999999999999999999",
    ];

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(|b| json!(b)),
            any::<i64>().prop_map(|n| json!(n)),
            proptest::sample::select(TEXTS.to_vec()).prop_map(|t| json!(t)),
            ".{0,12}".prop_map(|t| json!(t)),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
                proptest::collection::vec((proptest::sample::select(MEMBERS.to_vec()), inner), 0..8).prop_map(
                    |members| {
                        members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<serde_json::Map<_, _>>().into()
                    }
                ),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_panics_a_reader(document in any_json()) {
            let _ = registry(&document, Origin::Answer("2026-09-01-preview"));
            let _ = registry_parts::connection(&document);
            let _ = registry_parts::replication(&document, Origin::Document);
            let _ = registry_parts::private_link_resource(std::slice::from_ref(&document));
            let _ = (registry_parts::task(&document), registry_parts::agent_pool(&document), registry_parts::usage(&document));
            let _ = (network::subnet(&document).subnet, network::security_group(&document), network::route_table(&document));
            let _ = (network::virtual_network(&document), network::service_tags(&document));
            let _ = (private_link::endpoint(&document).is_some(), private_link::interface_addresses(&document));
            let _ = (private_link::zone_group(&document), private_dns::zone(&document));
            let _ = (private_dns::record_set(&document), private_dns::link(&document));
            let _ = (governance::lock(&document), governance::diagnostic_setting(&document), governance::defender_plan(&document));
        }

        #[test]
        fn no_file_panics(document in any_json(), noise in proptest::collection::vec(any::<u8>(), 0..64)) {
            let files = [("a.json".to_owned(), document.to_string().into_bytes()), ("b".to_owned(), noise)];
            let _ = from_documents(&files, &Cloud::public());
            let _ = from_documents(&files[..1], &Cloud::public());
        }

        #[test]
        fn no_error_body_panics(status in 0u16..1000, body in ".{0,200}") {
            let error = crate::config::read_error::ReadError::from_answer("/subscriptions/s", status, body.as_bytes());
            let _ = (error.unknown(), error.failed_read("x"));
        }
    }
}

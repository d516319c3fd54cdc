//! What a client's firewall must allow, from the worlds' configurations.

use acr_doctor::report::allow::{AllowList, RuleFormat};

use super::fixtures;

fn list(world: &str) -> AllowList {
    let (config, _) = fixtures::facts(&fixtures::world(world)).unwrap();
    AllowList::of(&config.registries[0], &config.cloud)
}

#[test]
fn without_dedicated_data_endpoints_blob_storage_stands_for_them() {
    let mut world = fixtures::world("public-allow");
    let registry = world.pointer_mut("/config/registries/0").unwrap();
    registry["dataEndpointEnabled"] = serde_json::json!({ "known": false });
    registry["dataEndpointHostNames"] = serde_json::json!({ "known": [] });
    let (config, _) = fixtures::facts(&world).unwrap();
    let list = AllowList::of(&config.registries[0], &config.cloud);
    assert_eq!(list.data_endpoints.last().unwrap().endpoint, "*.blob.core.windows.net");
    assert!(list.rules(RuleFormat::Nsg).contains("\"Storage\""));
    assert!(list.rules(RuleFormat::Squid).contains(" .blob.core.windows.net "));
    assert_eq!(list.private_addresses, []);
}

#[test]
fn behind_private_link_every_region_has_its_data_endpoint_and_address() {
    let list = list("private-link-geo");
    let data: Vec<&str> = list.data_endpoints.iter().map(|e| e.endpoint.as_str()).collect();
    assert!(data.len() >= 2 && data.iter().all(|host| host.contains(".data.azurecr.io")), "{data:?}");
    assert!(!list.rules(RuleFormat::Nsg).contains("\"Storage\""));
    let no_proxy = list.rules(RuleFormat::NoProxy);
    let hosts = list.rules(RuleFormat::Hosts);
    for name in data.iter().copied().chain([list.login_server.as_str()]) {
        assert!(no_proxy.trim_end().split(',').any(|host| host == name), "{no_proxy}");
        assert!(hosts.lines().any(|line| line.ends_with(&format!(" {name}"))), "{hosts}");
    }
    assert!(!hosts.contains("privatelink"));
}

#[test]
fn the_json_has_the_members_of_show_endpoints() {
    let json = serde_json::to_value(list("private-link-geo")).unwrap();
    assert!(json["loginServer"].is_string());
    assert!(json["dataEndpoints"][0]["region"].is_string() && json["dataEndpoints"][0]["endpoint"].is_string());
    assert!(json["regionalEndpoints"].is_array());
    let collection: serde_json::Value =
        serde_json::from_str(&list("private-link-geo").rules(RuleFormat::AzureFirewall)).unwrap();
    let hosts = collection["rules"][0]["targetFqdns"].as_array().unwrap();
    assert!(hosts.contains(&"login.microsoftonline.com".into()) && hosts.contains(&json["loginServer"]));
}

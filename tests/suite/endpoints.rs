//! What a client's firewall must allow, from the worlds' configurations.

use acr_doctor::facts::no_proxy::{covers, covers_in_go};
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

/// Members that Azure's REST reference gives to what `az` and templates take; no other may stand there.
fn has_only(value: &serde_json::Value, members: &[&str]) {
    let own: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let foreign: Vec<&&str> = own.iter().filter(|name| !members.contains(name)).collect();
    assert!(foreign.is_empty(), "{foreign:?} in {value}");
}

/// FirewallPolicyFilterRuleCollection and ApplicationRule (Microsoft.Network/firewallPolicies/ruleCollectionGroups).
#[test]
fn the_azure_firewall_collection_has_the_shape_of_azures() {
    for world in ["private-link-geo", "public-allow"] {
        let collection: serde_json::Value =
            serde_json::from_str(&list(world).rules(RuleFormat::AzureFirewall)).unwrap();
        has_only(&collection, &["ruleCollectionType", "name", "priority", "action", "rules"]);
        assert_eq!(collection["ruleCollectionType"], "FirewallPolicyFilterRuleCollection");
        assert_eq!(collection["action"], serde_json::json!({ "type": "Allow" }));
        assert!((100..=65000).contains(&collection["priority"].as_u64().unwrap()));
        for rule in collection["rules"].as_array().unwrap() {
            has_only(rule, &["ruleType", "name", "protocols", "sourceAddresses", "targetFqdns"]);
            assert_eq!(rule["ruleType"], "ApplicationRule");
            assert_eq!(rule["protocols"], serde_json::json!([{ "protocolType": "Https", "port": 443 }]));
            for host in rule["targetFqdns"].as_array().unwrap() {
                let host = host.as_str().unwrap();
                assert!(host.trim_start_matches("*.").parse::<acr_doctor::facts::Fqdn>().is_ok(), "{host}");
            }
        }
    }
}

/// SecurityRule (Microsoft.Network/networkSecurityGroups/securityRules).
#[test]
fn the_security_rules_have_the_shape_of_azures() {
    let rules: serde_json::Value = serde_json::from_str(&list("private-link-geo").rules(RuleFormat::Nsg)).unwrap();
    let rules = rules.as_array().unwrap();
    let mut priorities = std::collections::BTreeSet::new();
    for rule in rules {
        has_only(rule, &["name", "properties"]);
        assert!(rule["name"].as_str().unwrap().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
        let properties = &rule["properties"];
        assert!(priorities.insert(properties["priority"].as_u64().unwrap()), "two rules of one priority");
        assert_eq!((&properties["direction"], &properties["access"]), (&"Outbound".into(), &"Allow".into()));
        let one = properties["destinationAddressPrefix"].is_string();
        assert_ne!(one, properties["destinationAddressPrefixes"].is_array(), "{properties}");
    }
    assert!(priorities.iter().all(|priority| (100..=4096).contains(priority)));
    let commands = list("private-link-geo").rules(RuleFormat::NsgAz);
    assert_eq!(commands.lines().count(), rules.len());
    for (command, rule) in commands.lines().zip(rules) {
        let name = rule["name"].as_str().unwrap();
        let priority = &rule["properties"]["priority"];
        assert!(command.contains(&format!(" -n {name} --priority {priority} ")), "{command}");
    }
    let private = rules.last().unwrap()["properties"]["destinationAddressPrefixes"].as_array().unwrap();
    assert!(private.contains(&"10.1.2.4".into()), "no tag covers the private endpoint: {private:?}");
}

/// What NO_PROXY is set to must keep every endpoint off the proxy, as this program and its like read it.
#[test]
fn no_proxy_covers_every_endpoint() {
    let list = list("private-link-geo");
    let value = list.rules(RuleFormat::NoProxy);
    assert!(!value.trim_end().contains(char::is_whitespace) && value.ends_with('\n'));
    let entries: Vec<&str> = value.trim_end().split(',').collect();
    assert!(entries.contains(&list.login_server.as_str()));
    let hosts = list.data_endpoints.iter().chain(&list.regional_endpoints).map(|e| e.endpoint.as_str());
    for host in hosts.chain([list.login_server.as_str()]) {
        let host = host.parse().unwrap();
        let (any, go) = (|entry: &&str| covers(entry, &host), |entry: &&str| covers_in_go(entry, &host));
        assert!(entries.iter().any(any) && entries.iter().any(go), "{host} would go through the proxy: {value}");
    }
}

/// `squid -k parse` is the judge.
#[test]
fn squid_takes_the_lines() {
    let Some(squid) = crate::tools::tool(&["squid"]) else { return };
    let parses = |name: &str, lines: &str| {
        let file = crate::doctor::scratch("squid").join(name);
        std::fs::write(&file, format!("http_port 3128\n{lines}")).unwrap();
        let ran = std::process::Command::new(&squid).args(["-k", "parse", "-f"]).arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        ran.status.success() && !said.contains("WARNING") && !said.contains("ERROR")
    };
    for world in ["private-link-geo", "public-allow"] {
        assert!(parses(world, &list(world).rules(RuleFormat::Squid)), "{world}");
    }
    assert!(!parses("wrong", "http_access allow CONNECT acr_nowhere\n"), "the judge lets everything pass");
}

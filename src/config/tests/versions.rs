//! API versions: what a refusal lists is used, and subnet rules are never lost by it.

use super::*;

/// A cloud that takes 2025-11-01 and says what it has only where an old version is refused.
fn late_list(asked: &Asked) -> Reply {
    let refused = |words: &str| Reply::error(400, "NoRegisteredProviderFound", words);
    let of_registry = asked.path() == REGISTRY || asked.path().ends_with("/Microsoft.ContainerRegistry/registries");
    match asked.version() {
        "2026-09-01-preview" => refused("No registered resource provider found."),
        "2021-08-01-preview" => refused("The supported api-versions are '2019-05-01, 2025-11-01'."),
        "2019-05-01" if asked.path() == REGISTRY => Reply::ok(&registry("id")),
        "2025-11-01" if of_registry => {
            let mut document = registry("id");
            document["properties"]["networkRuleSet"].as_object_mut().unwrap().remove("virtualNetworkRules");
            let is_list = asked.path() != REGISTRY;
            Reply::ok(&if is_list { json!({ "value": [document] }) } else { document })
        }
        _ => world(asked),
    }
}

#[tokio::test]
async fn a_version_that_only_the_second_refusal_lists_shows_the_subnet_rules() {
    let (facts, asked) = read_in(late_list, |_| ()).await;
    let registry = &facts.registries[0];
    let rules = registry.network_rule_set.known().unwrap().as_ref().unwrap().virtual_network_rules.known().unwrap();
    assert_eq!(rules[0].subnet.name(), "rule");
    assert_eq!(registry.api_versions, ["2025-11-01", "2019-05-01"]);
    let hidden: Vec<&str> = asked.iter().filter(|a| a.path() == REGISTRY).map(Asked::version).collect();
    assert_eq!(hidden, ["2021-08-01-preview", "2019-05-01"]);
}

//! The security group of the client's subnet: which of the world's addresses it lets the client reach.

use serde_json::Value;

use crate::base;
use crate::documents::{items, text};
use crate::names::{Host, Role};
use crate::world::World;

/// The public addresses that outbound rules of the group deny on port 443, in the order of their priorities.
pub fn denied(world: &World) -> Vec<String> {
    let documents = &world.documents;
    let subnet = documents.get(&base::client_subnet());
    let group = subnet.and_then(|subnet| documents.get(text(subnet, "/properties/networkSecurityGroup/id")));
    let mut rules: Vec<&Value> =
        group.map(|group| items(group, "/properties/securityRules")).unwrap_or_default().iter().collect();
    rules.retain(|rule| text(rule, "/properties/direction").eq_ignore_ascii_case("Outbound"));
    rules.sort_by_key(|rule| rule.pointer("/properties/priority").and_then(Value::as_u64));
    let denies = |host: &Host| {
        let rule = rules.iter().find(|rule| covers(text(rule, "/properties/destinationAddressPrefix"), host));
        rule.is_some_and(|rule| text(rule, "/properties/access").eq_ignore_ascii_case("Deny"))
    };
    world.hosts().into_iter().filter(denies).map(|host| host.public.to_string()).collect()
}

/// Whether a destination of a rule, a tag or a range, holds a host's public address.
fn covers(destination: &str, host: &Host) -> bool {
    let own = match host.role {
        Role::Login | Role::Data => "AzureContainerRegistry",
        Role::Blob => "Storage",
        Role::Entra => "AzureActiveDirectory",
        Role::Arm => "AzureResourceManager",
        Role::Logs => "AzureMonitor",
        Role::Control => "AzureCloud",
    };
    let tag = destination.split('.').next().unwrap_or_default();
    ["*", "Internet", "0.0.0.0/0"].contains(&destination)
        || tag.eq_ignore_ascii_case(own)
        || destination.parse::<ipnet::Ipv4Net>().is_ok_and(|net| net.contains(&host.public))
        || destination == host.public.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    fn denied_with(rules: &str) -> Vec<String> {
        let toml = format!(
            "world = 'public-vnet'\n[arm.'networkSecurityGroups/clients']\nproperties.securityRules = [{rules}]"
        );
        denied(&World::new(&toml::from_str::<Scenario>(&toml).unwrap()).unwrap())
    }

    fn rule(access: &str, destination: &str, priority: u32) -> String {
        format!(
            "{{ name = 'r{priority}', properties = {{ access = '{access}', destinationAddressPrefix = '{destination}', \
             priority = {priority}, direction = 'Outbound' }} }}"
        )
    }

    #[test]
    fn the_first_rule_that_covers_an_address_decides() {
        let deny = rule("Deny", "AzureContainerRegistry", 200);
        assert!(denied_with(&deny).contains(&"198.51.100.10".to_owned()));
        assert!(!denied_with(&deny).contains(&"192.0.2.20".to_owned()));
        assert!(denied_with(&format!("{deny}, {}", rule("Allow", "AzureContainerRegistry", 199))).is_empty());
        assert!(!denied_with(&format!("{deny}, {}", rule("Allow", "AzureContainerRegistry", 201))).is_empty());
    }
}

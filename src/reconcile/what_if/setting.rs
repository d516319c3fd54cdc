//! A change of a registry as a person writes it: a property's path below `properties`, `=`, `+=` or `-=`, and a value.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::facts::registry::{
    DefaultAction, IpRule, NetworkRuleBypassOptions, NetworkRuleSet, PublicNetworkAccess, VirtualNetworkRule,
};
use crate::facts::{Known, RegistryConfig, ResourceId};

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// As it was written.
    text: String,
    change: Change,
}

#[derive(Debug, Clone, PartialEq)]
enum Change {
    PublicAccess(PublicNetworkAccess),
    DefaultAction(DefaultAction),
    Bypass(NetworkRuleBypassOptions),
    BypassForTasks(bool),
    AddAddress(IpRule),
    RemoveAddress(IpRule),
    AddSubnet(ResourceId),
    RemoveSubnet(ResourceId),
}

/// Why a text is no change, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingError {
    /// Not `PATH=VALUE`, `PATH+=VALUE` or `PATH-=VALUE` of a property that decides about access.
    #[error(
        "'{0}' is no change; expected publicNetworkAccess=Enabled|Disabled, networkRuleSet.defaultAction=Allow|Deny, networkRuleSet.ipRules+=RANGE or -=RANGE, networkRuleSet.virtualNetworkRules+=SUBNET_ID or -=SUBNET_ID, networkRuleBypassOptions=AzureServices|None, networkRuleBypassAllowedForTasks=true|false"
    )]
    Shape(String),
    /// The rules that it would change were not read.
    #[error("'{setting}' cannot be tried: the rules that it changes are not known ({why})")]
    Unread {
        /// As it was written.
        setting: String,
        /// Why the rules are missing.
        why: String,
    },
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Setting {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let change = change(text).ok_or_else(|| SettingError::Shape(text.to_owned()))?;
        Ok(Self { text: text.to_owned(), change })
    }
}

fn change(text: &str) -> Option<Change> {
    let (path, value) = text.split_once('=')?;
    let (path, sign) = match (path.strip_suffix('+'), path.strip_suffix('-')) {
        (Some(path), _) => (path, '+'),
        (None, Some(path)) => (path, '-'),
        (None, None) => (path, '='),
    };
    let (path, value) = (path.trim().trim_start_matches("properties.").to_ascii_lowercase(), value.trim());
    let one_of = |words: &[&'static str]| words.iter().find(|w| w.eq_ignore_ascii_case(value)).copied();
    let address = || Some(IpRule::new(value)).filter(|rule| rule.range.is_some());
    let subnet = || value.parse::<ResourceId>().ok().filter(|id| id.virtual_network().is_some());
    match (path.as_str(), sign) {
        ("publicnetworkaccess", '=') => Some(Change::PublicAccess(match one_of(&["Enabled", "Disabled"])? {
            "Enabled" => PublicNetworkAccess::Enabled,
            _ => PublicNetworkAccess::Disabled,
        })),
        ("networkruleset.defaultaction", '=') => Some(Change::DefaultAction(match one_of(&["Allow", "Deny"])? {
            "Allow" => DefaultAction::Allow,
            _ => DefaultAction::Deny,
        })),
        ("networkrulebypassoptions", '=') => Some(Change::Bypass(match one_of(&["AzureServices", "None"])? {
            "None" => NetworkRuleBypassOptions::None,
            _ => NetworkRuleBypassOptions::AzureServices,
        })),
        ("networkrulebypassallowedfortasks", '=') => {
            Some(Change::BypassForTasks(one_of(&["true", "false"])? == "true"))
        }
        ("networkruleset.iprules", '+') => address().map(Change::AddAddress),
        ("networkruleset.iprules", '-') => address().map(Change::RemoveAddress),
        ("networkruleset.virtualnetworkrules" | "virtualnetworkrules", '+') => subnet().map(Change::AddSubnet),
        ("networkruleset.virtualnetworkrules" | "virtualnetworkrules", '-') => subnet().map(Change::RemoveSubnet),
        _ => None,
    }
}

impl Setting {
    /// Makes the change in a copy of the facts.
    pub fn apply(&self, registry: &mut RegistryConfig) -> Result<(), SettingError> {
        match &self.change {
            Change::PublicAccess(value) => registry.public_network_access = Known::Known(value.clone()),
            Change::Bypass(value) => registry.network_rule_bypass_options = Known::Known(value.clone()),
            Change::BypassForTasks(value) => registry.network_rule_bypass_allowed_for_tasks = Known::Known(*value),
            Change::DefaultAction(value) => self.rules(registry)?.default_action = value.clone(),
            Change::AddAddress(rule) => self.rules(registry)?.ip_rules.push(rule.clone()),
            Change::RemoveAddress(rule) => self.rules(registry)?.ip_rules.retain(|own| own.range != rule.range),
            Change::AddSubnet(subnet) => self.subnets(registry)?.push(VirtualNetworkRule { subnet: subnet.clone() }),
            Change::RemoveSubnet(subnet) => self.subnets(registry)?.retain(|own| own.subnet != *subnet),
        }
        Ok(())
    }

    /// The registry's rules; one without any gets a set that lets everybody in, as Azure has it.
    fn rules<'r>(&self, registry: &'r mut RegistryConfig) -> Result<&'r mut NetworkRuleSet, SettingError> {
        match &mut registry.network_rule_set {
            Known::Known(rules) => Ok(rules.get_or_insert_with(|| NetworkRuleSet {
                default_action: DefaultAction::Allow,
                ip_rules: Vec::new(),
                virtual_network_rules: Known::Known(Vec::new()),
            })),
            Known::Unknown(unknown) => Err(self.unread(&unknown.why)),
        }
    }

    fn subnets<'r>(&self, registry: &'r mut RegistryConfig) -> Result<&'r mut Vec<VirtualNetworkRule>, SettingError> {
        match &mut self.rules(registry)?.virtual_network_rules {
            Known::Known(rules) => Ok(rules),
            Known::Unknown(unknown) => Err(self.unread(&unknown.why)),
        }
    }

    fn unread(&self, why: &str) -> SettingError {
        SettingError::Unread { setting: self.text.clone(), why: why.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_in_any_letter_case_and_nonsense_is_told() {
        for text in [
            "publicNetworkAccess=disabled",
            "properties.networkRuleSet.defaultAction=Deny",
            "networkruleset.ipRules+=203.0.113.0/24",
            "networkRuleSet.ipRules-=203.0.113.7",
            "networkRuleBypassAllowedForTasks=true",
        ] {
            assert!(text.parse::<Setting>().is_ok(), "{text}");
        }
        for text in ["", "publicNetworkAccess", "publicNetworkAccess=maybe", "networkRuleSet.ipRules+=10", "sku=Basic"]
        {
            assert!(text.parse::<Setting>().is_err(), "{text}");
        }
    }
}

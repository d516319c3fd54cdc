//! Who would be let in and who shut out by a change: the access model asked twice, before and after.

pub mod client;
pub mod setting;
mod way_out;

use crate::facts::registry::NetworkRuleBypassOptions;
use crate::facts::report::{API_VERSION, ExpectedPath};
use crate::facts::what_if::{Access, Admission, ClientChange, Difference, WhatIf, WhatIfSummary};
use crate::facts::{ConfigFacts, RegistryConfig};

use super::Options;
use super::case::Case;
use super::expect::{Expectation, expect};
use super::place::Place;
use super::rules::{Passage, passage};
use client::{Client, Who};
use setting::{Setting, SettingError};

/// Compares every client's access now with its access after `settings`.
pub fn what_if(
    config: &ConfigFacts,
    registry: &RegistryConfig,
    settings: &[Setting],
    clients: &[Client],
    options: &Options,
) -> Result<WhatIf, SettingError> {
    let mut changed = registry.clone();
    for setting in settings {
        setting.apply(&mut changed)?;
    }
    let mut compared: Vec<ClientChange> = clients
        .iter()
        .map(|client| {
            let before = access(config, registry, client, options);
            let after = access(config, &changed, client, options);
            let outcome = Difference::between(before.access, after.access);
            let (name, logins) = (client.name.clone(), client.logins);
            ClientChange { client: client.who.to_string(), name, logins, before, after, outcome }
        })
        .collect();
    compared.sort_by_key(|c| c.outcome);
    Ok(WhatIf {
        api_version: API_VERSION.to_owned(),
        kind: "WhatIf".to_owned(),
        name: registry.name.clone(),
        login_server: registry.login_server.clone(),
        changes: settings.iter().map(ToString::to_string).collect(),
        summary: WhatIfSummary::of(&compared),
        clients: compared,
    })
}

/// What the access model promises a client.
fn access(config: &ConfigFacts, registry: &RegistryConfig, client: &Client, options: &Options) -> Access {
    let case = Case::new(config, Some(registry), None, options);
    match &client.who {
        Who::Subnet(id) => {
            let case = case.from_place(Place::in_subnet(id));
            let (path, access) = expected(&case, registry);
            way_out::heeded(&case, registry, path, access)
        }
        Who::Service(kind) => of_service(&case, registry, kind),
        Who::Addresses(range) => {
            let first = promised(&case.from_place(Place::at(range.network())), registry);
            let last = promised(&case.from_place(Place::at(range.broadcast())), registry);
            if first.access == last.access {
                return first;
            }
            Access { access: Admission::Unknown, because: "the rules let in a part of this range only".to_owned() }
        }
    }
}

fn promised(case: &Case<'_>, registry: &RegistryConfig) -> Access {
    expected(case, registry).1
}

fn expected(case: &Case<'_>, registry: &RegistryConfig) -> (ExpectedPath, Access) {
    let Expectation { path, because } = expect(case, &registry.login_server, None);
    let access = match path {
        ExpectedPath::PrivateLink | ExpectedPath::ServiceEndpoint | ExpectedPath::PublicAllowed => Admission::Allowed,
        ExpectedPath::Blocked => Admission::Refused,
        ExpectedPath::Unknown => Admission::Unknown,
    };
    (path, Access { access, because })
}

/// Clause 5: trusted services, and those that never are.
fn of_service(case: &Case<'_>, registry: &RegistryConfig, kind: &str) -> Access {
    let say = |access, because: &str| Access { access, because: because.to_owned() };
    if case.public_access().is_none() || case.rules().is_none() {
        return say(Admission::Unknown, "publicNetworkAccess or networkRuleSet is not known");
    }
    if !case.network_restricted() {
        return say(Admission::Allowed, "the registry does not restrict its network");
    }
    match passage(kind) {
        Passage::OwnNetwork => say(Admission::Unknown, "it comes from a network of yours: name its subnet as a client"),
        Passage::Never(_) => say(Admission::Refused, "it never passes as a trusted service"),
        Passage::Trusted(_) => of_trusted(case, registry, kind),
    }
}

fn of_trusted(case: &Case<'_>, registry: &RegistryConfig, kind: &str) -> Access {
    let say = |access, because: &str| Access { access, because: because.to_owned() };
    match registry.network_rule_bypass_options.known() {
        None => return say(Admission::Unknown, "networkRuleBypassOptions is not known"),
        Some(NetworkRuleBypassOptions::AzureServices) => {}
        Some(_) => return say(Admission::Refused, "networkRuleBypassOptions lets no trusted service pass"),
    }
    if !case.public_access_disabled() {
        match case.subnet_rules() {
            None => return say(Admission::Unknown, "whether there are subnet rules is not known"),
            Some(rules) if !rules.is_empty() => {
                return say(Admission::Refused, "trusted services do not apply where subnet rules restrict");
            }
            Some(_) => {}
        }
    }
    if kind.eq_ignore_ascii_case("tasks") {
        return match registry.network_rule_bypass_allowed_for_tasks.known() {
            None => say(Admission::Unknown, "networkRuleBypassAllowedForTasks is not known"),
            Some(false) => say(Admission::Refused, "networkRuleBypassAllowedForTasks is false"),
            Some(true) => say(Admission::Allowed, "tasks with a system-assigned identity pass the rules"),
        };
    }
    say(Admission::Allowed, "it passes the rules as a trusted service")
}

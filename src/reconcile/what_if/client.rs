//! Clients of a registry: addresses, subnets and services, from a list, the configuration or the logs.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::Deserialize;
use thiserror::Error;

use crate::facts::{ConfigFacts, LoginEvent, ResourceId};
use crate::reconcile::place::{is_private, only};

/// A client, and what is known of it besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Who.
    pub who: Who,
    /// Its name, or the identities that the log shows.
    pub name: Option<String>,
    /// How many logins the log shows.
    pub logins: Option<u64>,
}

impl Client {
    /// The subnet, where that is what it is.
    pub fn subnet(&self) -> Option<&ResourceId> {
        match &self.who {
            Who::Subnet(id) => Some(id),
            Who::Addresses(_) | Who::Service(_) => None,
        }
    }
}

/// What tells a client apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The addresses that the registry sees.
    Addresses(IpNet),
    /// A subnet in Azure.
    Subnet(ResourceId),
    /// A kind of service, as `--used-by` names it.
    Service(String),
}

/// Why a text names no client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// None of the kinds.
    #[error(
        "line {line}: '{text}' is no client; expected an address, a range, a subnet's resource id or a service such as app-service"
    )]
    Nonsense {
        /// Counted from 1.
        line: usize,
        /// As written.
        text: String,
    },
    /// Not the JSON that is expected.
    #[error("the list of clients is no JSON array of texts or of {{ \"client\": …, \"name\": … }}: {0}")]
    Json(String),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Addresses(net) => net.fmt(f),
            Self::Subnet(id) => id.fmt(f),
            Self::Service(kind) => f.write_str(kind),
        }
    }
}

impl FromStr for Who {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Addresses(address.into()));
        }
        if let Ok(range) = text.parse::<IpNet>() {
            return Ok(Self::Addresses(range.trunc()));
        }
        if text.starts_with('/') {
            let id: ResourceId = text.parse().map_err(|_| ())?;
            return id.virtual_network().filter(|network| *network != id).map(|_| Self::Subnet(id)).ok_or(());
        }
        let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if word { Ok(Self::Service(text.to_owned())) } else { Err(()) }
    }
}

/// An element of a JSON list.
#[derive(Debug, Deserialize)]
struct Listed {
    client: String,
    #[serde(default)]
    name: Option<String>,
}

/// Reads a list: a JSON array, else a client a line with its name after a comma; `#` begins a comment.
pub fn read_list(text: &str) -> Result<Vec<Client>, ClientError> {
    let named = |line: usize, text: &str, name: Option<String>| {
        let who = text.parse().map_err(|()| ClientError::Nonsense { line, text: text.chars().take(80).collect() })?;
        Ok(Client { who, name: name.filter(|n| !n.is_empty()), logins: None })
    };
    if text.trim_start().starts_with('[') {
        let elements: Vec<serde_json::Value> =
            serde_json::from_str(text).map_err(|e| ClientError::Json(e.to_string()))?;
        return elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| match element {
                serde_json::Value::String(text) => named(index + 1, &text, None),
                other => {
                    let listed: Listed = serde_json::from_value(other).map_err(|e| ClientError::Json(e.to_string()))?;
                    named(index + 1, &listed.client, listed.name)
                }
            })
            .collect();
    }
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.split('#').next().unwrap_or("").trim()));
    lines
        .filter(|(_, line)| !line.is_empty())
        // The head of a CSV file.
        .filter(|(number, line)| *number > 1 || !line.to_ascii_lowercase().starts_with("client"))
        .map(|(number, line)| {
            let (client, name) = line.split_once(',').unwrap_or((line, ""));
            named(number, client.trim(), Some(name.trim().trim_matches('"').to_owned()))
        })
        .collect()
}

/// The subnets that the configuration knows, and the services that it may have to serve.
pub fn known(config: &ConfigFacts, used_by: &[String]) -> Vec<Client> {
    let subnets = config.subnets.iter().map(|read| Who::Subnet(read.id.clone()));
    let services = ["defender", "tasks"].into_iter().chain(used_by.iter().map(String::as_str));
    let services = services.map(|kind| Who::Service(kind.to_owned()));
    subnets.chain(services).map(|who| Client { who, name: None, logins: None }).collect()
}

/// The addresses in the registry's log, each once; a private one by the subnet that holds it, where one is known.
pub fn of_logins(config: &ConfigFacts, events: &[LoginEvent]) -> Vec<Client> {
    let mut by_address: BTreeMap<IpAddr, (u64, Vec<&str>)> = BTreeMap::new();
    for event in events {
        let Some(caller) = event.caller else { continue };
        let (count, identities) = by_address.entry(caller).or_default();
        *count = count.saturating_add(event.count);
        if let Some(identity) = event.identity.as_deref().filter(|i| !i.is_empty() && !identities.contains(i)) {
            identities.push(identity);
        }
    }
    by_address
        .into_iter()
        .map(|(address, (count, identities))| Client {
            who: subnet_of(config, address).map_or(Who::Addresses(address.into()), Who::Subnet),
            name: (!identities.is_empty()).then(|| identities.join(", ")),
            logins: Some(count),
        })
        .collect()
}

fn subnet_of(config: &ConfigFacts, address: IpAddr) -> Option<ResourceId> {
    let holds = |prefixes: &[IpNet]| prefixes.iter().any(|p| p.contains(&address));
    let holding = config.subnets.iter().filter(|read| {
        is_private(address) && read.subnet.known().and_then(Option::as_ref).is_some_and(|s| holds(&s.address_prefixes))
    });
    only(holding).map(|read| read.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_lines_with_names_or_json() {
        let lines =
            read_list("client,name\n203.0.113.7,\"build agents\"\n# gone\n198.51.100.0/24\napp-service\n").unwrap();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].name.as_deref(), Some("build agents"));
        let json = read_list(r#"["203.0.113.7", {"client": "tasks", "name": "nightly"}]"#).unwrap();
        assert_eq!(json[1].who, Who::Service("tasks".to_owned()));
        assert!(matches!(read_list("203.0.113.7\n10.0.0/8"), Err(ClientError::Nonsense { line: 2, .. })));
        assert!(read_list("[1]").is_err());
    }
}

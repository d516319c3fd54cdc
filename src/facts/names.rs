//! Names of the field, parsed once: host names, regions, registry names, ARM resource ids.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not a name of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not a host name (RFC 1123: labels of 1 to 63 letters, digits and hyphens, at most 253 in all).
    #[error("'{0}' is not a host name")]
    HostName(String),
    /// Not an ARM resource id (`/subscriptions/…`).
    #[error("'{0}' is not an ARM resource id (/subscriptions/<id>/resourceGroups/<group>/providers/…)")]
    ResourceId(String),
    /// Not a registry name (5 to 50 letters and digits; docs: Microsoft.ContainerRegistry naming rules).
    #[error("'{0}' is not a registry name: 5 to 50 letters and digits, such as 'myregistry'")]
    RegistryName(String),
    /// Not an Azure region's name.
    #[error("'{0}' is not an Azure region")]
    Region(String),
}

macro_rules! text_newtype {
    ($name:ident, $example:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "examples": [$example] })
            }
        }
    };
}

/// A fully qualified host name, lower case, without the final dot (RFC 1123, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fqdn(String);

text_newtype!(Fqdn, "myregistry.azurecr.io");

impl Fqdn {
    /// The name as text: lower case, no final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels, from the left.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// The leftmost label.
    pub fn first_label(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// Whether this name is `suffix` or lies below it; a leading dot on `suffix` is ignored.
    pub fn is_within(&self, suffix: &str) -> bool {
        let suffix = suffix.trim_matches('.').to_ascii_lowercase();
        self.0 == suffix
            || (self.0.len() > suffix.len()
                && self.0.ends_with(&suffix)
                && self.0.as_bytes().get(self.0.len() - suffix.len() - 1) == Some(&b'.'))
    }
}

impl FromStr for Fqdn {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if name.is_empty()
            || name.len() > 253
            || !name.split('.').all(label_ok)
            || name.parse::<std::net::IpAddr>().is_ok()
        {
            return Err(NameError::HostName(text.to_owned()));
        }
        Ok(Self(name))
    }
}

/// The host name that clients log in to, such as `myregistry.azurecr.io`
/// or, with a domain name label, `myregistry-a1b2c3d4e5f6.azurecr.io`.
pub type LoginServer = Fqdn;

/// A registry's resource name: 5 to 50 letters and digits, compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistryName(String);

text_newtype!(RegistryName, "myregistry");

impl RegistryName {
    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = text.trim();
        if !(5..=50).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(NameError::RegistryName(text.to_owned()));
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

/// An Azure region in ARM's short form: `West Europe` and `westeurope` are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

text_newtype!(Region, "westeurope");

impl Region {
    /// The short form: lower case, no blanks.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(NameError::Region(text.to_owned()));
        }
        Ok(Self(name))
    }
}

/// An ARM resource id. Compared without regard to case, shown as it was written
/// (resource providers differ in the case that they return: `facts` of Azure Resource Manager).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId(String);

text_newtype!(
    ResourceId,
    "/subscriptions/…/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/myregistry"
);

impl ResourceId {
    /// The id as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id in lower case: equal ids have equal keys.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    fn after(&self, segment: &str) -> Option<&str> {
        let mut segments = self.0.split('/');
        segments.find(|s| s.eq_ignore_ascii_case(segment))?;
        segments.next()
    }

    /// The subscription's id.
    pub fn subscription(&self) -> &str {
        self.after("subscriptions").unwrap_or_default()
    }

    /// The resource group, if the id lies within one.
    pub fn resource_group(&self) -> Option<&str> {
        self.after("resourceGroups")
    }

    /// The last segment: the resource's own name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The parent resource: `…/virtualNetworks/v/subnets/s` → `…/virtualNetworks/v`.
    pub fn parent(&self) -> Option<Self> {
        let (rest, _name) = self.0.rsplit_once('/')?;
        let (rest, _kind) = rest.rsplit_once('/')?;
        rest.parse().ok()
    }

    /// The virtual network of a subnet's id.
    pub fn virtual_network(&self) -> Option<Self> {
        self.key().contains("/virtualnetworks/").then(|| self.after("virtualNetworks"))??;
        let lower = self.key();
        let start = lower.find("/virtualnetworks/")? + "/virtualnetworks/".len();
        let end = lower.get(start..)?.find('/').map_or(lower.len(), |i| start + i);
        self.0.get(..end)?.parse().ok()
    }

    /// The full resource type, such as `Microsoft.Network/virtualNetworks/subnets`.
    pub fn resource_type(&self) -> Option<String> {
        let lower = self.key();
        let start = lower.rfind("/providers/")? + "/providers/".len();
        let segments: Vec<&str> = self.0.get(start..)?.split('/').collect();
        let (namespace, rest) = segments.split_first()?;
        let kinds: Vec<&str> = rest.iter().step_by(2).copied().collect();
        Some(format!("{namespace}/{}", kinds.join("/")))
    }

    /// Whether this id is `scope` or lies below it.
    pub fn is_within(&self, scope: &str) -> bool {
        let (id, scope) = (self.key(), scope.trim_end_matches('/').to_ascii_lowercase());
        id == scope || id.strip_prefix(&scope).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl FromStr for ResourceId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let id = text.trim().trim_end_matches('/');
        let mut segments = id.split('/');
        let shaped = segments.next() == Some("")
            && segments.next().is_some_and(|s| s.eq_ignore_ascii_case("subscriptions"))
            && segments.next().is_some_and(|s| !s.is_empty())
            && segments.all(|s| !s.is_empty());
        if !shaped || id.chars().any(char::is_control) {
            return Err(NameError::ResourceId(text.to_owned()));
        }
        Ok(Self(id.to_owned()))
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for ResourceId {}
impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_id_names_its_network() {
        let id: ResourceId =
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/VirtualNetworks/v/subnets/a"
                .parse()
                .unwrap();
        assert_eq!(id.virtual_network().unwrap().name(), "v");
        assert_eq!(id.resource_type().unwrap(), "Microsoft.Network/VirtualNetworks/subnets");
        assert_eq!(id.parent(), id.virtual_network());
        assert_eq!(id, id.key().parse().unwrap());
    }

    #[test]
    fn a_longer_network_name_is_not_within_the_shorter() {
        let id: ResourceId =
            "/subscriptions/s/resourceGroups/rg/providers/M.N/virtualNetworks/vnet1/subnets/a".parse().unwrap();
        assert!(!id.is_within("/subscriptions/s/resourceGroups/rg/providers/M.N/virtualNetworks/vnet"));
        assert!(id.is_within("/subscriptions/S/resourcegroups/rg"));
    }

    #[test]
    fn host_names_are_folded_and_addresses_refused() {
        assert_eq!("MyReg.azurecr.IO.".parse::<Fqdn>().unwrap().as_str(), "myreg.azurecr.io");
        assert!("10.0.0.1".parse::<Fqdn>().is_err());
        assert!("a..b".parse::<Fqdn>().is_err());
        let name: Fqdn = "myreg.azurecr.io".parse().unwrap();
        assert!(name.is_within(".azurecr.io") && !name.is_within("zurecr.io"));
    }
}

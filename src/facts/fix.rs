//! What mends a finding: a sentence, a command, and the change that it makes as data.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fqdn, ResourceId};

/// What mends a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// One imperative sentence.
    pub summary: String,
    /// A command to paste, with real values; all of them where there are `steps`, each on a line of its own, the next
    /// only if the one before succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Whether it opens more than the client in question needs: another address, another subnet or a service as such gets
    /// in at the registry, the registry takes another kind of token, or a subnet is let out to storage that is not the
    /// registry's. Of several fixes, those that do come last. docs/fixes.md says who the client in question is.
    #[serde(default)]
    pub widens_access: bool,
    /// The same as data: what a test applies to a world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What is to be done one after the other, where one change is not enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The resource type, or the property, in Bicep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bicep: Option<String>,
    /// The resource, or its argument, in Terraform (azurerm).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terraform: Option<String>,
}

/// One of several steps of a fix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// One imperative sentence.
    pub summary: String,
    /// A command to paste.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The same as data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The resource type, or the property, in Bicep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bicep: Option<String>,
    /// The resource, or its argument, in Terraform (azurerm).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terraform: Option<String>,
}

/// A change as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Change {
    /// A JSON merge patch (RFC 7396) of an ARM resource.
    Patch {
        /// The resource.
        resource: ResourceId,
        /// The patch.
        merge: Value,
    },
    /// One more element of an array in an ARM resource.
    Append {
        /// The resource.
        resource: ResourceId,
        /// The array's place (RFC 6901).
        pointer: String,
        /// The element.
        value: Value,
    },
    /// An element less.
    Remove {
        /// The resource.
        resource: ResourceId,
        /// The array's place (RFC 6901).
        pointer: String,
        /// The element.
        value: Value,
    },
    /// A whole ARM resource.
    Put {
        /// The resource.
        resource: ResourceId,
        /// Its document.
        document: Value,
    },
    /// A resource to delete.
    Delete {
        /// The resource.
        resource: ResourceId,
    },
    /// Actions that the identity in use gets.
    Grant {
        /// The scopes: ARM ids.
        scopes: Vec<String>,
        /// The role's name; a role made for it, where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// The actions or, of a role by name, the part of them that is missing.
        actions: Vec<String>,
    },
    /// Hosts that a firewall or proxy in the client's network must let through on port 443, untouched.
    AllowEgress {
        /// The hosts.
        hosts: Vec<Fqdn>,
    },
    /// A variable of the client's environment.
    Environment {
        /// Its name.
        name: String,
        /// Its new value; null: unset.
        value: Option<String>,
    },
    /// Names that the client's hosts file must not hold.
    HostsFile {
        /// The names.
        remove: Vec<Fqdn>,
    },
    /// A zone that resolvers must forward.
    Forward {
        /// The resolvers.
        servers: Vec<IpAddr>,
        /// The zone.
        zone: String,
        /// The server that answers for it.
        to: IpAddr,
    },
    /// A record that resolvers keep themselves.
    ResolverRecord {
        /// The resolvers.
        servers: Vec<IpAddr>,
        /// The name.
        name: Fqdn,
        /// Its right address; null: none, the name is asked for elsewhere.
        address: Option<IpAddr>,
    },
    /// A zone whose private addresses resolvers must leave in their answers.
    PrivateAnswers {
        /// The resolvers.
        servers: Vec<IpAddr>,
        /// The zone.
        zone: String,
    },
    /// A service of the client's host that must read its files anew.
    Restart {
        /// Its unit.
        unit: String,
    },
    /// A setting of the client's kernel.
    Sysctl {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A file on the client's host.
    File {
        /// Its path.
        path: String,
        /// All of it.
        content: String,
    },
}

impl Change {
    /// The ARM resource that is changed, if it is one: rights, and what stands on the client or on the way, are none.
    pub fn resource(&self) -> Option<&ResourceId> {
        match self {
            Self::Patch { resource, .. }
            | Self::Append { resource, .. }
            | Self::Remove { resource, .. }
            | Self::Put { resource, .. }
            | Self::Delete { resource } => Some(resource),
            Self::Grant { .. }
            | Self::AllowEgress { .. }
            | Self::Environment { .. }
            | Self::HostsFile { .. }
            | Self::Forward { .. }
            | Self::ResolverRecord { .. }
            | Self::PrivateAnswers { .. }
            | Self::Restart { .. }
            | Self::Sysctl { .. }
            | Self::File { .. } => None,
        }
    }
}

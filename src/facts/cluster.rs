//! An AKS cluster, as far as pulling from a registry goes (Microsoft.ContainerService/managedClusters, 2024-05-01).

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Known, ResourceId};

/// The cluster whose nodes are to pull.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterConfig {
    /// Its resource id.
    pub id: ResourceId,
    /// `networkProfile.outboundType`: `loadBalancer`, `userDefinedRouting`, `managedNATGateway`, …
    pub outbound_type: Known<String>,
    /// The public addresses of its load balancer or NAT gateway. Unknown where the node subnet's routes decide.
    pub egress_addresses: Known<Vec<IpAddr>>,
    /// Its node pools.
    pub node_pools: Vec<NodePool>,
    /// Who pulls: `identityProfile.kubeletidentity`.
    pub kubelet_identity: Known<KubeletIdentity>,
    /// The roles that this identity has at the registry or above it, by a group too.
    pub roles: Known<Vec<RoleAssignment>>,
}

/// Nodes that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodePool {
    /// The pool's name.
    pub name: String,
    /// Its subnet: `vnetSubnetID`, or that of the network which AKS made in the node resource group.
    pub subnet: Known<ResourceId>,
}

/// The managed identity with which the kubelet pulls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubeletIdentity {
    /// The object id that roles are given to.
    pub object_id: String,
    /// The identity's resource, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ResourceId>,
}

/// A role that an identity has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleAssignment {
    /// The role definition's id, without its scope.
    pub role: String,
    /// At the registry, or above it.
    pub scope: String,
    /// Whether a condition narrows it, e.g. to some repositories.
    #[serde(default)]
    pub conditional: bool,
}

impl ClusterConfig {
    /// The subnets of its nodes, each once, in the order of the pools.
    pub fn node_subnets(&self) -> Vec<&ResourceId> {
        let mut subnets: Vec<&ResourceId> = Vec::new();
        for subnet in self.node_pools.iter().filter_map(|pool| pool.subnet.known()) {
            if !subnets.contains(&subnet) {
                subnets.push(subnet);
            }
        }
        subnets
    }
}

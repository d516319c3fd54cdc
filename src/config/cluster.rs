//! An AKS cluster: where its nodes stand, how they leave, and who pulls.

use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use super::arm::Arm;
use super::read_error::ReadError;
use super::reader::{NETWORK, RESOURCES};
use super::sign_in::Session;
use super::wire::Fields;
use crate::facts::cluster::{ClusterConfig, KubeletIdentity, NodePool, RoleAssignment};
use crate::facts::{Known, ResourceId, Unknown};

/// Microsoft.ContainerService/managedClusters.
const CLUSTERS: &str = "2024-05-01";
/// Microsoft.Authorization/roleAssignments.
const ROLES: &str = "2022-04-01";
/// Requests at once: a cluster needs few.
const IN_FLIGHT: usize = 8;

/// Which cluster, as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterReference {
    /// Its resource group.
    pub resource_group: String,
    /// Its name.
    pub name: String,
    /// The subscription, by id or name. `None`: the credential's own first, then all that it sees.
    pub subscription: Option<String>,
}

/// Reads a cluster; its roles at the registry are read by [`read_roles`], once the registry is known.
pub async fn read_cluster(
    session: &Session,
    cluster: &ClusterReference,
    deadline: Duration,
) -> Result<ClusterConfig, Unknown> {
    let arm = Arm::new(session, deadline, IN_FLIGHT);
    let audience = session.cloud().resource_manager_audience.clone();
    session.token(&audience).await.map_err(|error| Unknown::needing(format!("not signed in: {error}"), "az login"))?;
    let document = find(&arm, cluster).await?;
    let fields = Fields::of(&document);
    let id = fields.id("id").ok_or_else(|| Unknown::because("the cluster's document has no id"))?;
    let network = fields.nested("networkProfile");
    let (node_pools, egress_addresses) = futures::join!(node_pools(&arm, fields, &id), egress(&arm, network));
    Ok(ClusterConfig {
        id,
        outbound_type: network
            .owned("outboundType")
            .map_or_else(|| Known::unknown("the document has no outboundType"), Known::Known),
        egress_addresses,
        node_pools,
        kubelet_identity: kubelet(fields),
        roles: Known::unknown("the registry was not found"),
    })
}

/// The cluster's document, in the first subscription that has it.
async fn find(arm: &Arm, cluster: &ClusterReference) -> Result<std::sync::Arc<Value>, Unknown> {
    let own = cluster.subscription.clone().or_else(|| arm.session().default_subscription());
    let is_id = |text: &String| text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let subscriptions = match own.filter(is_id) {
        Some(id) => vec![id],
        None => subscriptions(arm, cluster.subscription.as_deref()).await?,
    };
    let reads = join_all(subscriptions.iter().map(|subscription| {
        let ClusterReference { resource_group, name, .. } = cluster;
        let kind = "providers/Microsoft.ContainerService/managedClusters";
        let path = format!("/subscriptions/{subscription}/resourceGroups/{resource_group}/{kind}/{name}");
        async move { arm.get(&path, CLUSTERS).await }
    }))
    .await;
    let mut refused: Option<ReadError> = None;
    for read in reads {
        match read {
            Ok(document) => return Ok(document),
            // A refusal tells more than an absence elsewhere.
            Err(error) if refused.as_ref().is_none_or(ReadError::is_absence) => refused = Some(error),
            Err(_) => {}
        }
    }
    Err(refused.map_or_else(|| Unknown::because("this identity sees no subscription"), |error| error.unknown()))
}

/// The subscriptions that the credential sees, or the one of a name.
async fn subscriptions(arm: &Arm, name: Option<&str>) -> Result<Vec<String>, Unknown> {
    let listed = arm.list("/subscriptions", RESOURCES).await.complete().map_err(|error| error.unknown())?;
    let all = listed.iter().map(Fields::of);
    let named =
        all.filter(|s| name.is_none_or(|name| s.text("displayName").is_some_and(|n| n.eq_ignore_ascii_case(name))));
    let ids: Vec<String> = named.filter_map(|s| s.owned("subscriptionId")).collect();
    match (ids.is_empty(), name) {
        (true, Some(name)) => Err(Unknown::because(format!("this identity sees no subscription '{name}'"))),
        _ => Ok(ids),
    }
}

/// The pools with their subnets; a cluster without a network of its own has one in its node resource group.
async fn node_pools(arm: &Arm, cluster: Fields<'_>, id: &ResourceId) -> Vec<NodePool> {
    let pools: Vec<(String, Option<ResourceId>)> = cluster
        .list("agentPoolProfiles")
        .iter()
        .map(Fields::of)
        .map(|pool| (pool.owned("name").unwrap_or_default(), pool.id("vnetSubnetID")))
        .collect();
    let made = match cluster.text("nodeResourceGroup") {
        Some(group) if pools.iter().any(|(_, subnet)| subnet.is_none()) => made_by_aks(arm, id, group).await,
        _ => Known::unknown("the cluster's document names no node resource group"),
    };
    let subnet = |own: Option<ResourceId>| own.map_or_else(|| made.clone(), Known::Known);
    pools.into_iter().map(|(name, own)| NodePool { name, subnet: subnet(own) }).collect()
}

async fn made_by_aks(arm: &Arm, cluster: &ResourceId, group: &str) -> Known<ResourceId> {
    let subscription = cluster.subscription();
    let path =
        format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/virtualNetworks");
    match arm.list(&path, NETWORK).await.complete() {
        Err(error) => error.known(),
        Ok(networks) => {
            let subnets = networks.iter().flat_map(|network| Fields::of(network).list("subnets")).map(Fields::of);
            let mut ids = subnets.filter_map(|subnet| subnet.id("id"));
            ids.next().map_or_else(|| Known::unknown(format!("no network is in the group '{group}'")), Known::Known)
        }
    }
}

/// The public addresses that a load balancer or a managed NAT gateway gives to what leaves the cluster.
async fn egress(arm: &Arm, network: Fields<'_>) -> Known<Vec<IpAddr>> {
    let profile = match network.text("outboundType").unwrap_or_default().to_ascii_lowercase().as_str() {
        "loadbalancer" => "loadBalancerProfile",
        "managednatgateway" => "natGatewayProfile",
        "none" | "block" => return Known::Known(Vec::new()),
        _ => return Known::unknown("the routes of the node subnet decide"),
    };
    let addresses = network.nested(profile).list("effectiveOutboundIPs").iter();
    let ids: Vec<ResourceId> = addresses.filter_map(|address| Fields::of(address).id("id")).collect();
    if ids.is_empty() {
        return Known::unknown("the cluster's document names no outbound address");
    }
    let read = join_all(ids.iter().map(|id| arm.get(id.as_str(), NETWORK))).await;
    let mut addresses = Vec::new();
    for document in read {
        match document {
            Ok(document) => {
                addresses.extend(Fields::of(&document).text("ipAddress").and_then(|ip| ip.parse::<IpAddr>().ok()));
            }
            Err(error) => return error.known(),
        }
    }
    Known::Known(addresses)
}

fn kubelet(cluster: Fields<'_>) -> Known<KubeletIdentity> {
    let identity = cluster.nested("identityProfile").nested("kubeletidentity");
    match identity.owned("objectId") {
        Some(object_id) => Known::Known(KubeletIdentity { object_id, id: identity.id("resourceId") }),
        None => Known::unknown("the cluster has no kubelet identity: it pulls with a service principal"),
    }
}

/// The roles of an identity at a registry and above it, those of its groups included.
pub async fn read_roles(
    session: &Session,
    registry: &ResourceId,
    identity: &Known<KubeletIdentity>,
    deadline: Duration,
) -> Known<Vec<RoleAssignment>> {
    let object_id = match identity {
        Known::Known(identity) => &identity.object_id,
        Known::Unknown(unknown) => return Known::Unknown(unknown.clone()),
    };
    // It becomes a part of a filter expression.
    if !object_id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
        return Known::unknown("the kubelet identity's object id is none");
    }
    let arm = Arm::new(session, deadline, IN_FLIGHT);
    let path = format!("{registry}/providers/Microsoft.Authorization/roleAssignments");
    let filter = format!("atScope() and assignedTo('{object_id}')");
    let listing = arm.list_where(&path, ROLES, &filter).await;
    listing.complete().map_or_else(|error| error.known(), |items| Known::Known(items.iter().filter_map(role).collect()))
}

fn role(document: &Value) -> Option<RoleAssignment> {
    let fields = Fields::of(document);
    let definition = fields.text("roleDefinitionId")?;
    Some(RoleAssignment {
        role: definition.rsplit('/').next()?.to_ascii_lowercase(),
        scope: fields.owned("scope").unwrap_or_default(),
        conditional: fields.text("condition").is_some_and(|condition| !condition.trim().is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fake_arm::{FakeArm, Reply};
    use super::*;

    const GROUP: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups";
    const OBJECT: &str = "17609294-676d-43a7-b117-62431e95d9c0";

    fn cluster(outbound: &str, subnet: Option<&str>) -> Value {
        json!({
            "id": format!("{GROUP}/apps/providers/Microsoft.ContainerService/managedClusters/prod"),
            "properties": {
                "nodeResourceGroup": "MC_apps_prod",
                "agentPoolProfiles": [{ "name": "system", "vnetSubnetID": subnet }, { "name": "user", "vnetSubnetID": subnet }],
                "identityProfile": { "kubeletidentity": { "objectId": OBJECT, "clientId": "x" } },
                "networkProfile": { "outboundType": outbound, "loadBalancerProfile": { "effectiveOutboundIPs":
                    [{ "id": format!("{GROUP}/MC_apps_prod/providers/Microsoft.Network/publicIPAddresses/out") }] } }
            }
        })
    }

    async fn read(document: Value) -> (FakeArm, Result<ClusterConfig, Unknown>) {
        let fake = FakeArm::start(move |asked| match asked.path() {
            path if path.contains("/managedClusters/") => Reply::ok(&document),
            path if path.ends_with("/publicIPAddresses/out") => {
                Reply::ok(&json!({ "properties": { "ipAddress": "203.0.113.9" } }))
            }
            path if path.ends_with("/virtualNetworks") => Reply::ok(&json!({ "value": [{ "properties": { "subnets": [
                { "id": format!("{GROUP}/MC_apps_prod/providers/Microsoft.Network/virtualNetworks/aks-vnet/subnets/aks-subnet") }
            ] } }] })),
            _ => Reply::error(404, "ResourceNotFound", "not here"),
        })
        .await;
        let session = Session::signed_in(fake.cloud(), "t0ken");
        let wanted = ClusterReference {
            resource_group: "apps".to_owned(),
            name: "prod".to_owned(),
            subscription: Some("11111111-1111-1111-1111-111111111111".to_owned()),
        };
        let read = read_cluster(&session, &wanted, Duration::from_secs(5)).await;
        (fake, read)
    }

    #[tokio::test]
    async fn a_cluster_says_where_its_nodes_stand_and_how_they_leave() {
        let subnet = format!("{GROUP}/net/providers/Microsoft.Network/virtualNetworks/app/subnets/nodes");
        let (_fake, read) = read(cluster("loadBalancer", Some(&subnet))).await;
        let cluster = read.unwrap();
        assert_eq!(cluster.node_subnets().iter().map(|id| id.name()).collect::<Vec<_>>(), ["nodes"]);
        assert_eq!(cluster.egress_addresses, Known::Known(vec!["203.0.113.9".parse().unwrap()]));
        assert_eq!(cluster.kubelet_identity.known().unwrap().object_id, OBJECT);
    }

    #[tokio::test]
    async fn a_network_that_aks_made_is_found_in_the_node_resource_group() {
        let (_fake, read) = read(cluster("userDefinedRouting", None)).await;
        let cluster = read.unwrap();
        assert_eq!(cluster.node_subnets().iter().map(|id| id.name()).collect::<Vec<_>>(), ["aks-subnet"]);
        assert!(!cluster.egress_addresses.is_known(), "routes decide");
    }

    #[tokio::test]
    async fn roles_are_asked_for_by_the_identity_and_a_condition_is_seen() {
        let fake = FakeArm::start(|_| {
            Reply::ok(&json!({ "value": [{ "properties": { "scope": "/subscriptions/s",
                "roleDefinitionId": "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/7F951DDA-4ed3-4680-a7ca-43fe172d538d",
                "condition": "@Request[x] StringEquals 'y'" } }] }))
        })
        .await;
        let session = Session::signed_in(fake.cloud(), "t0ken");
        let registry: ResourceId =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/r".parse().unwrap();
        let identity = Known::Known(KubeletIdentity { object_id: OBJECT.to_owned(), id: None });
        let roles = read_roles(&session, &registry, &identity, Duration::from_secs(5)).await;
        let role = roles.known().unwrap().first().unwrap().clone();
        assert_eq!((role.role.as_str(), role.conditional), ("7f951dda-4ed3-4680-a7ca-43fe172d538d", true));
        assert!(fake.asked().pop().unwrap().target.contains(OBJECT));
    }
}

//! How many round trips one after another a read takes, and how many requests.

use serde_json::{Value, json};

use super::*;

/// Round trips and requests of one read.
pub(super) async fn round_trips(
    world: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    change: impl FnOnce(&mut ReadRequest),
) -> (ConfigFacts, usize, usize) {
    let (fake, rounds) = FakeArm::start_in_rounds(world).await;
    let mut request = request(fake.cloud(), "myreg");
    request.max_in_flight = 64;
    change(&mut request);
    let facts = read(&request, &Session::signed_in(fake.cloud(), "canary")).await;
    let mut targets: Vec<String> = fake.asked().into_iter().map(|a| a.target).collect();
    targets.sort_unstable();
    assert!(targets.windows(2).all(|w| w[0] != w[1]), "nothing is asked twice");
    (facts, rounds.load(std::sync::atomic::Ordering::Relaxed), fake.asked().len())
}

/// A registry with this many private endpoints.
fn with_endpoints(count: usize) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked: &Asked| {
        let path = asked.path();
        let mut document = registry("virtualNetworkSubnetResourceId");
        let one = document["properties"]["privateEndpointConnections"][0].clone();
        let all = (0..count).map(|i| {
            let mut connection = one.clone();
            connection["id"] = json!(format!("{REGISTRY}/privateEndpointConnections/c{i}"));
            let endpoint =
                format!("/subscriptions/{SUB}/resourceGroups/rg{i}/providers/Microsoft.Network/privateEndpoints/pe");
            connection["properties"]["privateEndpoint"]["id"] = json!(endpoint);
            connection
        });
        document["properties"]["privateEndpointConnections"] = all.collect();
        if path == REGISTRY {
            Reply::ok(&document)
        } else if path.ends_with("/providers/Microsoft.ContainerRegistry/registries") {
            Reply::ok(&json!({ "value": [document] }))
        } else {
            world(asked)
        }
    }
}

#[tokio::test]
async fn three_round_trips_read_everything_however_many_private_endpoints() {
    let by_id = |r: &mut ReadRequest| r.target = Target::Registry(REGISTRY.parse().unwrap());
    let in_subscription = |r: &mut ReadRequest| r.subscription = Some(SUB.to_owned());
    for endpoints in [1, 20] {
        let (facts, trips, requests) = round_trips(with_endpoints(endpoints), by_id).await;
        assert_eq!(facts.registries[0].private_endpoint_connections.known().unwrap().len(), endpoints);
        assert!(trips <= 3, "{trips} round trips, {requests} requests by id");
        let (_, trips, requests) = round_trips(with_endpoints(endpoints), in_subscription).await;
        assert!(trips <= 3, "{trips} round trips, {requests} requests by name");
    }
}

#[tokio::test]
async fn by_name_alone_the_inventory_saves_the_fourth_round_trip() {
    let world = with_endpoints(3);
    let with_inventory = move |asked: &Asked| {
        if asked.path().ends_with("/Microsoft.ResourceGraph/resources") {
            let of_registry = Asked { target: REGISTRY.to_owned(), ..asked.clone() };
            let mut row: Value = serde_json::from_slice(&world(&of_registry).body).unwrap();
            row["type"] = json!("microsoft.containerregistry/registries");
            Reply::ok(&json!({ "data": [row] }))
        } else {
            world(asked)
        }
    };
    let (facts, trips, requests) = round_trips(with_inventory, |_| ()).await;
    assert_eq!(facts.registries.len(), 1);
    assert!(trips <= 3, "{trips} round trips, {requests} requests");
}

/// The same, with the lists of networks and private endpoints, and security groups on the subnets.
fn listing_networks(count: usize) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let world = with_endpoints(count);
    let group = format!("/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/nsg");
    move |asked: &Asked| {
        let network = format!("/subscriptions/{SUB}/providers/Microsoft.Network");
        let path = asked.path();
        let document = |path: &str| {
            let mut document = super::network(path).unwrap();
            document["properties"]["networkSecurityGroup"] = json!({ "id": group });
            document["properties"]["privateEndpointNetworkPolicies"] = json!("Enabled");
            document
        };
        if path == format!("{network}/privateEndpoints") {
            let endpoint = |i| {
                format!("/subscriptions/{SUB}/resourceGroups/rg{i}/providers/Microsoft.Network/privateEndpoints/pe")
            };
            Reply::ok(&json!({ "value": (0..count).map(|i| document(&endpoint(i))).collect::<Vec<_>>() }))
        } else if path == format!("{network}/virtualNetworks") {
            let mut whole = super::network(VNET).unwrap();
            let subnets = ["rule", "pe"].map(|s| document(&format!("{VNET}/subnets/{s}")));
            whole["properties"]["subnets"] = json!(subnets);
            Reply::ok(&json!({ "value": [whole] }))
        } else if path == group {
            Reply::ok(&json!({ "id": group, "properties": { "securityRules": [], "defaultSecurityRules": [] } }))
        } else if path.contains("/subnets/") {
            Reply::ok(&document(path))
        } else {
            world(asked)
        }
    }
}

#[tokio::test]
async fn without_resource_graph_lists_of_networks_save_the_fourth_round_trip() {
    for endpoints in [3, 20] {
        let (facts, trips, requests) = round_trips(listing_networks(endpoints), |_| ()).await;
        let connections = facts.registries[0].private_endpoint_connections.known().unwrap();
        let addressed = connections.iter().filter(|c| {
            let endpoint = c.private_endpoint.known().and_then(Option::as_ref);
            endpoint.is_some_and(|e| e.addresses.known().is_some_and(|a| a.len() == 1))
        });
        assert_eq!(addressed.count(), endpoints);
        assert!(facts.private_dns_zones.known().unwrap()[0].records.is_known());
        let subnet = facts.subnets[0].subnet.known().unwrap().as_ref().unwrap();
        assert!(subnet.network_security_group.known().unwrap().is_some());
        assert!(trips <= 3, "{trips} round trips, {requests} requests");
    }
}

#[tokio::test]
async fn lists_of_networks_that_are_refused_cost_the_fourth_and_nothing_else() {
    let (facts, trips, _) = round_trips(with_endpoints(3), |_| ()).await;
    let connections = facts.registries[0].private_endpoint_connections.known().unwrap();
    assert!(connections.iter().all(|c| c.private_endpoint.is_known()));
    assert_eq!(trips, 4, "subscriptions, registries, endpoints, interfaces");
    assert!(facts.failed_reads.iter().all(|f| !f.resource.ends_with("/Microsoft.Network/privateEndpoints")));
}

#[tokio::test]
async fn a_public_registry_and_the_clients_subnet_take_few_requests() {
    let public = |asked: &Asked| {
        let mut document = fixture("create_normal_check_health.2026-09-10.GET.2026-09-01-preview.json");
        document["id"] = json!(REGISTRY);
        document["name"] = json!("myreg");
        if asked.path().ends_with("/providers/Microsoft.ContainerRegistry/registries") {
            return Reply::ok(&json!({ "value": [document] }));
        }
        if asked.path().ends_with("/privateDnsZones") {
            return Reply::ok(&json!({ "value": [] }));
        }
        world(asked)
    };
    let (facts, trips, requests) = round_trips(public, |r| r.subscription = Some(SUB.to_owned())).await;
    assert!(facts.registries[0].replications.is_known(), "Basic has none, and need not be asked");
    assert!(trips == 2 && requests <= 12, "{trips} round trips, {requests} requests");
}

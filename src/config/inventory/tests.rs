use std::time::Duration;

use serde_json::{Value, json};

use super::feed::{Feed, Read};
use super::graph::Pages;
use super::tables::Tables;
use super::{Scope, SubnetRuleReads};
use crate::config::Session;
use crate::config::arm::Arm;
use crate::config::fake_arm::{Asked, FakeArm, Reply};
use crate::config::wire::registry::{Origin, registry};
use crate::facts::{Known, RegistryConfig};

/// Pages of three rows, a letter each.
fn page(letters: &'static str) -> impl Fn(&Asked) -> Reply + Send + Sync {
    move |asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let from = body["options"]["$skipToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let rows: Vec<Value> = letters.chars().skip(from).take(3).map(|c| json!({ "registry": c })).collect();
        let mut answer = json!({ "totalRecords": letters.len(), "data": rows });
        if from + 3 < letters.len() {
            answer["$skipToken"] = json!((from + 3).to_string());
        }
        Reply::ok(&answer)
    }
}

/// What each read gives: up to nothing, then up to the letters.
async fn reads(rows: &'static str, up_to: &[&str]) -> Vec<String> {
    let fake = FakeArm::start(page(rows)).await;
    let session = Session::signed_in(fake.cloud(), "token");
    let arm = Arm::of_inventory(&session, Duration::from_secs(60), 4);
    let scope = Scope::ManagementGroup("group".to_owned());
    let registry_of = |row: &Value| row["registry"].as_str().unwrap().to_owned();
    let mut feed = Feed::new(Pages::of_each_part(&arm, "resources", &scope), registry_of);
    let mut given = Vec::new();
    for registry in up_to {
        let read = feed.read_to(registry).await;
        assert!(read.error.is_none());
        given.push(read.rows.iter().map(registry_of).collect());
    }
    given
}

#[tokio::test]
async fn a_feed_is_read_as_far_as_it_is_needed() {
    assert_eq!(reads("abcdefghij", &["", "b", "c", "e", "z"]).await, ["abc", "", "def", "", "ghij"]);
}

#[tokio::test]
async fn a_feed_out_of_order_is_read_to_its_end() {
    assert_eq!(reads("aebcdfg", &["", "b"]).await, ["aebcdfg", ""]);
}

/// A Resource Graph that gives at most twenty rows in an answer, and says so as Azure does.
#[tokio::test]
async fn pages_that_are_too_large_for_one_answer_are_asked_for_in_smaller_ones() {
    let fake = FakeArm::start(|asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let top = body["options"]["$top"].as_u64().unwrap();
        let from: u64 = body["options"]["$skipToken"].as_str().map_or(0, |token| token.parse().unwrap());
        if top > 20 {
            let words = "Response payload size is 24813879, and has exceeded the limit of 16777216.";
            let detail = json!({ "code": "ResponsePayloadTooLarge", "message": words });
            let error = json!({ "code": "BadRequest", "message": "Please provide below info", "details": [detail] });
            return Reply::ok(&json!({ "error": error })).with_status(400);
        }
        let to = (from + top).min(50);
        let rows: Vec<u64> = (from..to).collect();
        let mut answer = json!({ "totalRecords": 50, "data": rows });
        if to < 50 {
            answer["$skipToken"] = json!(to.to_string());
        }
        Reply::ok(&answer)
    })
    .await;
    let session = Session::signed_in(fake.cloud(), "token");
    let arm = Arm::of_inventory(&session, Duration::from_secs(60), 4);
    let mut rows = Vec::new();
    let scope = Scope::ManagementGroup("group".to_owned());
    Pages::new(&arm, "resources", &scope).each(|row| rows.push(row.as_u64().unwrap())).await.unwrap();
    assert_eq!(rows, (0..50).collect::<Vec<_>>());
    // 1000, 250 and 63 rows are too many; then four pages of 16.
    assert_eq!(fake.asked().len(), 7);
}

const REGISTRY: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.containerregistry/registries/fleet";

fn registry_of(name: &str) -> RegistryConfig {
    let row = json!({ "id": format!("{REGISTRY}{name}"), "name": format!("fleet{name}"), "location": "westeurope",
        "sku": { "name": "Premium" }, "properties": { "loginServer": format!("{name}.azurecr.io"),
        "privateEndpointConnections": [{ "id": format!("{REGISTRY}{name}/privateEndpointConnections/c"),
        "properties": { "privateEndpoint": { "id": endpoint_of(name) },
        "privateLinkServiceConnectionState": { "status": "Approved" } } }] } });
    registry(&row, Origin::Document).unwrap()
}

fn endpoint_of(name: &str) -> String {
    format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/{name}")
}

fn rows_of(names: &[&str]) -> (Read, Read) {
    let replication = |name: &&str| {
        json!({ "id": format!("{REGISTRY}{name}/replications/northeurope"),
        "name": "northeurope", "location": "northeurope", "properties": {} })
    };
    let endpoint = |name: &&str| {
        json!({ "id": endpoint_of(name), "name": name, "location": "westeurope",
        "registry": format!("{REGISTRY}{name}"), "properties": {} })
    };
    let read = |rows| Read { rows, error: None };
    (read(names.iter().map(replication).collect()), read(names.iter().map(endpoint).collect()))
}

/// Of the third registry rows are shown, and never it.
#[test]
fn rows_of_registries_that_nobody_shows_are_not_kept() {
    let mut tables = Tables::default();
    let (below, endpoints) = rows_of(&["a", "b", "c", "d", "e", "f"]);
    tables.take(below, endpoints);
    let mut left = Vec::new();
    for page in [["a", "b"], ["d", "e"]] {
        let mut registries: Vec<RegistryConfig> = page.iter().map(|name| registry_of(name)).collect();
        tables.complete(&mut registries);
        tables.pass(registries[1].id.key());
        assert!(registries.iter().all(|r| r.replications.known().is_some_and(|found| found.len() == 1)));
        left.push((tables.below.rows.len(), tables.endpoints.rows.len()));
    }
    assert_eq!(left, [(4, 4), (2, 2)], "c is kept for a page that may be out of order");
    tables.complete(&mut [registry_of("f")]);
    tables.pass(format!("{REGISTRY}f"));
    assert_eq!((tables.below.rows.len(), tables.endpoints.rows.len()), (0, 0));
}

#[test]
fn of_a_registry_that_comes_too_late_nothing_is_said() {
    let mut tables = Tables::default();
    tables.kinds.take(&json!({ "type": "microsoft.containerregistry/registries/replications" }));
    let (below, endpoints) = rows_of(&["a", "b", "c"]);
    tables.take(below, endpoints);
    for name in ["b", "c"] {
        tables.complete(&mut [registry_of(name)]);
        tables.pass(format!("{REGISTRY}{name}"));
    }
    let mut late = [registry_of("a")];
    tables.complete(&mut late);
    let Known::Unknown(unknown) = &late[0].replications else { panic!("{:?}", late[0].replications) };
    assert_eq!(unknown.why, "Resource Graph gave registries out of order");
}

#[test]
fn a_few_subscriptions_are_asked_for_all_subnet_rules_and_many_for_the_deciding_ones() {
    assert!(SubnetRuleReads::Auto.all_of(1) && SubnetRuleReads::Auto.all_of(10));
    assert!(!SubnetRuleReads::Auto.all_of(11));
    assert!(SubnetRuleReads::All.all_of(1000) && !SubnetRuleReads::Deciding.all_of(1));
}

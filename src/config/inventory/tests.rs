use std::time::Duration;

use serde_json::{Value, json};

use super::feed::Feed;
use super::graph::Pages;
use super::{Scope, SubnetRuleReads};
use crate::config::Session;
use crate::config::arm::Arm;
use crate::config::fake_arm::{Asked, FakeArm, Reply};

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

#[test]
fn a_few_subscriptions_are_asked_for_all_subnet_rules_and_many_for_the_deciding_ones() {
    assert!(SubnetRuleReads::Auto.all_of(1) && SubnetRuleReads::Auto.all_of(10));
    assert!(!SubnetRuleReads::Auto.all_of(11));
    assert!(SubnetRuleReads::All.all_of(1000) && !SubnetRuleReads::Deciding.all_of(1));
}

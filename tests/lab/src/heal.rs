//! The report's own fixes, applied to the world: the `change` of each root cause's first fix that has one.

use serde_json::{Value, json};

use crate::documents::{Documents, items, merge, text};
use crate::world::World;

/// The changes that a report proposes, one for each root cause; nothing unless every root cause has one.
pub fn changes(report: &Value) -> Vec<Value> {
    let roots = items(report, "/registries/0/findings").iter().filter(|f| f["rootCause"] == Value::Bool(true));
    let first = |finding: &Value| items(finding, "/fix").iter().find_map(|fix| fix.get("change").cloned());
    roots.map(first).collect::<Option<Vec<Value>>>().unwrap_or_default()
}

/// Applies one change.
pub fn apply(world: &mut World, change: &Value) {
    let resource = text(change, "/resource");
    let documents = &mut world.documents;
    match text(change, "/kind") {
        "patch" => patch(documents, resource, &change["merge"]),
        "put" => documents.put(resource, change["document"].clone()),
        "delete" => documents.delete(resource),
        "append" => edit(documents, resource, change, Vec::push),
        "remove" => edit(documents, resource, change, |list, value| list.retain(|own| !holds(own, &value))),
        "allowEgress" => {
            let hosts = items(change, "/hosts").iter().filter_map(Value::as_str).map(str::to_ascii_lowercase);
            world.allowed.extend(hosts);
        }
        "environment" => {
            let name = text(change, "/name");
            // Programs read either spelling; who sets one and leaves the other has changed nothing for some.
            world.client.env.retain(|own, _| !own.eq_ignore_ascii_case(name));
            world.client.env.insert(name.to_owned(), text(change, "/value").to_owned());
        }
        _ => {}
    }
}

fn patch(documents: &mut Documents, resource: &str, with: &Value) {
    let mut document = documents.get(resource).cloned().unwrap_or_else(|| json!({}));
    merge(&mut document, with);
    documents.put(resource, document);
}

/// Changes the array at the change's pointer; one that is not there is empty.
fn edit(documents: &mut Documents, resource: &str, change: &Value, how: impl FnOnce(&mut Vec<Value>, Value)) {
    let Some(mut document) = documents.get(resource).cloned() else { return };
    let pointer = text(change, "/pointer");
    let mut list = items(&document, pointer).to_vec();
    how(&mut list, as_stored(change["value"].clone()));
    let mut nested = Value::Array(list);
    for member in pointer.trim_start_matches('/').rsplit('/') {
        nested = json!({ member: nested });
    }
    merge(&mut document, &nested);
    documents.put(resource, document);
}

/// A subnet rule as the documents here hold it: API versions differ in what they call the subnet.
fn as_stored(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut()
        && let Some(subnet) = members.remove("virtualNetworkSubnetResourceId")
    {
        members.insert("id".to_owned(), subnet);
    }
    value
}

/// Whether an element is meant: it has all members of `wanted`, in any letter case.
fn holds(own: &Value, wanted: &Value) -> bool {
    match (own, wanted) {
        (Value::Object(own), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| own.get(name).is_some_and(|own| holds(own, value)))
        }
        (Value::String(own), Value::String(wanted)) => own.eq_ignore_ascii_case(wanted),
        _ => own == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;
    use crate::base::registry_id;

    fn world(base: &str) -> World {
        World::new(&toml::from_str::<Scenario>(&format!("world = '{base}'")).unwrap()).unwrap()
    }

    #[test]
    fn rules_are_added_and_removed_whatever_the_version_calls_the_subnet() {
        let mut world = world("service-endpoint");
        let pointer = "/properties/networkRuleSet/virtualNetworkRules";
        let rules = |world: &World| items(world.documents.get(&registry_id()).unwrap(), pointer).len();
        let subnet = crate::base::client_subnet().to_uppercase();
        let change = |kind: &str, subnet: &str| {
            json!({ "kind": kind, "resource": registry_id(), "pointer": pointer,
                "value": { "action": "Allow", "virtualNetworkSubnetResourceId": subnet } })
        };
        apply(&mut world, &change("remove", &subnet));
        assert_eq!(rules(&world), 0);
        apply(&mut world, &change("append", &subnet));
        assert_eq!(rules(&world), 1);
    }

    #[test]
    fn a_report_without_data_for_one_root_cause_proposes_nothing() {
        let finding = |fix: Value| json!({ "rootCause": true, "fix": fix });
        let change = json!({ "kind": "delete", "resource": "/x" });
        let report = |all: Vec<Value>| json!({ "registries": [{ "findings": all }] });
        let told = finding(json!([{ "summary": "a" }, { "summary": "b", "change": change }]));
        assert_eq!(changes(&report(vec![told.clone()])), [change]);
        assert!(changes(&report(vec![told, finding(json!([{ "summary": "a" }]))])).is_empty());
    }
}

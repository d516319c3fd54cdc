//! The report's own fixes, applied to the world: the `change` of each root cause's first fix that has one.

use serde_json::{Value, json};

use crate::addresses::{AZURE_DNS, CORP_DNS};
use crate::consequences;
use crate::daemon;
use crate::documents::{Documents, items, merge, text};
use crate::world::World;

/// The findings that are to be mended: root causes, and those whose codes are named.
fn to_mend<'r>(report: &'r Value, named: &[String]) -> impl Iterator<Item = &'r Value> {
    let findings = items(report, "/registries/0/findings").iter();
    findings.filter(|f| f["rootCause"] == Value::Bool(true) || named.iter().any(|code| code == text(f, "/code")))
}

/// The changes that a report proposes: for each finding those of one fix, the alternative of this number where it has so
/// many. Nothing unless every finding has one.
pub fn changes(report: &Value, named: &[String], alternative: usize) -> Vec<Value> {
    let chosen = |finding: &Value| {
        let mut all: Vec<Vec<Value>> = items(finding, "/fix").iter().filter_map(of_fix).collect();
        let at = if alternative < all.len() { alternative } else { 0 };
        (!all.is_empty()).then(|| all.swap_remove(at))
    };
    to_mend(report, named).map(chosen).collect::<Option<Vec<_>>>().unwrap_or_default().concat()
}

/// How many ways of mending there are: the most that any of the findings has.
pub fn alternatives(report: &Value, named: &[String]) -> usize {
    let data = |finding: &Value| items(finding, "/fix").iter().filter(|fix| of_fix(fix).is_some()).count();
    to_mend(report, named).map(data).max().unwrap_or_default()
}

/// The codes of the root causes of which no fix is data.
pub fn without_data(report: &Value) -> Vec<String> {
    let roots = items(report, "/registries/0/findings").iter().filter(|f| f["rootCause"] == Value::Bool(true));
    let lacking = roots.filter(|finding| items(finding, "/fix").iter().all(|fix| of_fix(fix).is_none()));
    lacking.map(|finding| text(finding, "/code").to_owned()).collect()
}

/// The changes of a fix: its own, or those of its steps, if each has one.
fn of_fix(fix: &Value) -> Option<Vec<Value>> {
    let change = |part: &Value| part.get("change").cloned();
    let steps = items(fix, "/steps").iter().map(change).collect::<Option<Vec<Value>>>()?;
    change(fix).map(|one| vec![one]).or(Some(steps).filter(|all| !all.is_empty()))
}

/// Applies one change.
pub fn apply(world: &mut World, change: &Value) {
    let resource = text(change, "/resource");
    let documents = &mut world.documents;
    match text(change, "/kind") {
        "patch" => {
            patch(documents, resource, &change["merge"]);
            consequences::written(documents, resource);
        }
        "put" => {
            documents.put(resource, change["document"].clone());
            consequences::written(documents, resource);
        }
        "delete" => consequences::delete(documents, resource),
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
            if let Some(value) = change["value"].as_str() {
                world.client.env.insert(name.to_owned(), value.to_owned());
            }
        }
        "hostsFile" => {
            let names: Vec<&str> = items(change, "/remove").iter().filter_map(Value::as_str).collect();
            world.client.hosts.retain(|line| !line.split_whitespace().any(|word| names.contains(&word)));
        }
        "forward" | "resolverRecord" | "privateAnswers" => tell_resolver(world, change),
        "restart" if text(change, "/unit").starts_with("docker") => daemon::restart(&mut world.client),
        "sysctl" => {
            world.sysctls.insert(text(change, "/name").to_owned(), text(change, "/value").to_owned());
        }
        "file" => {
            // The client's home, as the shell reads it.
            let path = text(change, "/path").replacen("~/", "/run/lab/home/", 1);
            world.client.files.insert(path, text(change, "/content").to_owned());
        }
        "grant" => grant(world, change),
        _ => {}
    }
}

/// What the corporate resolver is told; others are nobody's here.
fn tell_resolver(world: &mut World, change: &Value) {
    if !strings(change, "/servers").any(|server| server == CORP_DNS.to_string()) {
        return;
    }
    let (told, zone) = (&mut world.told, text(change, "/zone").to_owned());
    match text(change, "/kind") {
        "forward" if text(change, "/to") == AZURE_DNS.to_string() => told.forwards.push(zone),
        "privateAnswers" => told.private.push(zone),
        "resolverRecord" => {
            let name = text(change, "/name").to_ascii_lowercase();
            told.records.insert(name, text(change, "/address").parse().ok());
        }
        _ => {}
    }
}

fn strings<'a>(change: &'a Value, pointer: &str) -> impl Iterator<Item = String> + use<'a> {
    items(change, pointer).iter().filter_map(Value::as_str).map(str::to_owned)
}

/// Rights of the client's identity: actions in ARM, or in the repositories of a registry.
fn grant(world: &mut World, change: &Value) {
    if change.get("role").is_none() {
        world.granted.extend(strings(change, "/actions"));
        return;
    }
    // The exchange refuses those who have no role.
    world.faults.exchange = None;
    for scope in strings(change, "/scopes") {
        let Some(rights) = world.documents.get(&scope).map(|d| items(d, "/lab/rights").to_vec()) else { continue };
        let all: Vec<Value> = rights.into_iter().chain(strings(change, "/actions").map(Value::String)).collect();
        patch(&mut world.documents, &scope, &json!({ "lab": { "rights": all } }));
    }
}

/// A rule of a security group stands in its group's own document.
fn patch_rule(documents: &mut Documents, resource: &str, with: &Value) -> bool {
    let Some((group, name)) = resource.rsplit_once("/securityRules/") else { return false };
    let Some(mut document) = documents.get(group).cloned() else { return false };
    let rules = document.pointer_mut("/properties/securityRules").and_then(Value::as_array_mut);
    let Some(rule) = rules.and_then(|rules| rules.iter_mut().find(|rule| text(rule, "/name") == name)) else {
        return false;
    };
    merge(rule, with);
    documents.put(group, document);
    true
}

fn patch(documents: &mut Documents, resource: &str, with: &Value) {
    if patch_rule(documents, resource, with) {
        return;
    }
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
        assert_eq!(changes(&report(vec![told.clone()]), &[], 0), [change]);
        assert!(changes(&report(vec![told, finding(json!([{ "summary": "a" }]))]), &[], 0).is_empty());
    }

    #[test]
    fn each_alternative_is_chosen_by_its_number_and_named_findings_count() {
        let change = |resource: &str| json!({ "kind": "delete", "resource": resource });
        let fix = json!([{ "change": change("/a") }, { "summary": "advice" }, { "change": change("/b") }]);
        let report = json!({ "registries": [{ "findings": [
            { "code": "x/root", "rootCause": true, "fix": fix },
            { "code": "x/told", "rootCause": false, "fix": [{ "change": change("/c") }] } ] }] });
        assert_eq!(changes(&report, &[], 1), [change("/b")]);
        let named = ["x/told".to_owned()];
        assert_eq!(changes(&report, &named, 1), [change("/b"), change("/c")]);
        assert_eq!((alternatives(&report, &[]), alternatives(&json!({}), &named)), (2, 0));
    }
}

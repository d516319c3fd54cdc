//! ARM's documents: resource id to document, found by id in any letter case.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::LabError;

/// The subscription of all base worlds.
pub const SUBSCRIPTION: &str = "11111111-1111-1111-1111-111111111111";

/// All resources of a world. Each fact is stored once: a registry's connections and a network's subnets are their
/// own documents, put into their parent when it is shown.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    by_id: BTreeMap<String, Value>,
}

impl Documents {
    /// Adds or replaces a document under an id, and gives it its `id`, `name` and `type`.
    pub fn put(&mut self, id: &str, mut document: Value) {
        if let Some(members) = document.as_object_mut() {
            let name = id.rsplit('/').next().unwrap_or_default().to_owned();
            members.entry("id").or_insert_with(|| json!(id));
            members.entry("name").or_insert_with(|| json!(name));
            if let Some(kind) = resource_type(id) {
                members.entry("type").or_insert_with(|| json!(kind));
            }
        }
        self.by_id.insert(id.to_ascii_lowercase(), document);
    }

    /// The document with this id.
    pub fn get(&self, id: &str) -> Option<&Value> {
        self.by_id.get(&id.trim_end_matches('/').to_ascii_lowercase())
    }

    /// The documents right below an id: `…/subnets` gives each `…/subnets/X`.
    pub fn children(&self, path: &str) -> Vec<&Value> {
        let prefix = format!("{}/", path.trim_end_matches('/').to_ascii_lowercase());
        let below = self.by_id.range(prefix.clone()..).take_while(|(id, _)| id.starts_with(&prefix));
        below.filter(|(id, _)| id.get(prefix.len()..).is_some_and(|rest| !rest.contains('/'))).map(|(_, d)| d).collect()
    }

    /// All documents of a resource type.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.by_id.values().filter(move |d| text(d, "/type").eq_ignore_ascii_case(kind))
    }

    /// All documents with their lower-case ids.
    pub fn all(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.by_id.iter()
    }

    /// Applies a merge patch to the one document whose id ends so; makes it if there is none.
    pub fn patch(&mut self, key: &str, patch: &toml::Value) -> Result<(), LabError> {
        let patch: Value = serde_json::to_value(patch)?;
        if let Some(id) = self.resolve(key)? {
            if let Some(document) = self.by_id.get_mut(&id) {
                merge(document, &patch);
            }
            return Ok(());
        }
        let id = full_id(key);
        let mut document = json!({});
        merge(&mut document, &patch);
        self.put(&id, document);
        Ok(())
    }

    /// Removes a document and what is below it.
    pub fn delete(&mut self, id: &str) {
        let id = id.to_ascii_lowercase();
        self.by_id.retain(|own, _| *own != id && !own.starts_with(&format!("{id}/")));
    }

    /// Removes a document, or with `id#/pointer` one of its members.
    pub fn remove(&mut self, key: &str) -> Result<(), LabError> {
        let (key, pointer) = key.split_once('#').map_or((key, None), |(k, p)| (k, Some(p)));
        let id = self.resolve(key)?.ok_or_else(|| LabError::Scenario(format!("nothing to remove ends in {key}")))?;
        let Some(pointer) = pointer else {
            self.by_id.remove(&id);
            return Ok(());
        };
        let (parent, member) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        let parent = self.by_id.get_mut(&id).and_then(|d| d.pointer_mut(parent)).and_then(Value::as_object_mut);
        let removed = parent.and_then(|p| p.remove(member));
        removed.map(|_| ()).ok_or_else(|| LabError::Scenario(format!("{key} has no {pointer}")))
    }

    /// The one id that ends so (a whole id, or a part after a slash).
    fn resolve(&self, key: &str) -> Result<Option<String>, LabError> {
        let lower = key.to_ascii_lowercase();
        if self.by_id.contains_key(&lower) {
            return Ok(Some(lower));
        }
        let end = format!("/{lower}");
        let mut ids = self.by_id.keys().filter(|id| id.ends_with(&end));
        let first = ids.next().cloned();
        match ids.next() {
            Some(second) => Err(LabError::Scenario(format!("{key} means both {first:?} and {second}"))),
            None => Ok(first),
        }
    }
}

/// A full id from `/…`, or from `Provider.Name/type/name` in the group `net`.
fn full_id(key: &str) -> String {
    if key.starts_with('/') {
        return key.to_owned();
    }
    if key.to_ascii_lowercase().starts_with("microsoft.") {
        return format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/{key}");
    }
    if let Some(rest) = key.strip_prefix("registries/") {
        let registries = "resourceGroups/apps/providers/Microsoft.ContainerRegistry/registries";
        return format!("/subscriptions/{SUBSCRIPTION}/{registries}/{rest}");
    }
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/{key}")
}

/// The resource type in an id: the last provider and every other segment after it.
pub fn resource_type(id: &str) -> Option<String> {
    let at = id.to_ascii_lowercase().rfind("/providers/")?;
    let mut segments = id.get(at + "/providers/".len()..)?.split('/');
    let provider = segments.next()?;
    let kinds: Vec<&str> = segments.step_by(2).collect();
    (!kinds.is_empty()).then(|| format!("{provider}/{}", kinds.join("/")))
}

/// JSON merge patch (RFC 7396).
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(object) = target.as_object_mut() else { return };
    for (key, value) in members {
        if value.is_null() {
            object.remove(key);
        } else {
            merge(object.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// The text at a pointer, or nothing.
pub fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items of the array at a pointer.
pub fn items<'a>(document: &'a Value, pointer: &str) -> &'a [Value] {
    document.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_one_step_below() {
        let mut documents = Documents::default();
        documents.put("/subscriptions/s/resourceGroups/g/providers/M.N/nets/v/subnets/a", json!({}));
        documents.put("/subscriptions/s/resourceGroups/g/providers/M.N/nets/v", json!({}));
        assert_eq!(documents.children("/subscriptions/S/resourcegroups/g/providers/M.N/nets").len(), 1);
        assert_eq!(documents.children("/subscriptions/s/resourceGroups/g/providers/M.N/nets/v/subnets").len(), 1);
        let kind =
            text(documents.get("/subscriptions/s/resourceGroups/g/providers/M.N/nets/v/subnets/a").unwrap(), "/type");
        assert_eq!(kind, "M.N/nets/subnets");
    }

    #[test]
    fn a_patch_replaces_arrays_and_keeps_other_members() {
        let mut documents = Documents::default();
        documents.put("/x/registries/r", json!({ "properties": { "a": 1, "b": [1, 2] } }));
        let patch: toml::Value = toml::from_str("properties.b = [3]").unwrap();
        documents.patch("registries/r", &patch).unwrap();
        assert_eq!(documents.get("/x/registries/r").unwrap()["properties"], json!({ "a": 1, "b": [3] }));
        documents.remove("registries/r#/properties/a").unwrap();
        assert_eq!(documents.get("/x/registries/r").unwrap()["properties"], json!({ "b": [3] }));
    }
}

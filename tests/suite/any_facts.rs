//! Facts drawn from the published schemas of the snapshots: every member of every enumeration and one that is not known
//! yet, members that are absent, and texts from small sets, so that facts meet each other. A new fact is drawn by itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use acr_doctor::facts::{Cloud, ConfigFacts, ProbeFacts};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{any_words, golden};

/// A configuration.
pub(crate) fn config() -> impl Strategy<Value = ConfigFacts> {
    document("config").prop_map(|document| read(&document))
}

/// What a client met.
pub(crate) fn probe() -> impl Strategy<Value = ProbeFacts> {
    document("probe").prop_map(|document| read(&document))
}

/// The facts of a kind of snapshot as a document.
pub(crate) fn document(kind: &str) -> BoxedStrategy<Value> {
    let path = format!("docs/schema/{kind}-snapshot.schema.json");
    let text = std::fs::read_to_string(golden::path(&path)).expect("the schema is there");
    let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
    let definitions = Definitions { schemas: schema["$defs"].clone(), drawn: RefCell::default() };
    definitions.any(&schema["properties"]["facts"], "").prop_map(without_doubles).boxed()
}

pub(crate) fn read<T: DeserializeOwned>(document: &Value) -> T {
    T::deserialize(document).unwrap_or_else(|error| panic!("the schema allows what the type does not: {error}"))
}

/// The definitions of a schema, and what is drawn of those that were asked for.
struct Definitions {
    schemas: Value,
    drawn: RefCell<BTreeMap<String, BoxedStrategy<Value>>>,
}

impl Definitions {
    /// Anything that a schema allows. `place` is `Definition.member`, for the choice of words.
    fn any(&self, schema: &Value, place: &str) -> BoxedStrategy<Value> {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.named(reference.trim_start_matches("#/$defs/"), place);
        }
        if let Some(constant) = schema.get("const") {
            return Just(constant.clone()).boxed();
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(members) = schema[choice].as_array() {
                return first_mostly(members.iter().map(|member| self.any(member, place)).collect());
            }
        }
        match &schema["type"] {
            Value::Array(kinds) => {
                first_mostly(kinds.iter().map(|kind| self.of_kind(kind.as_str(), schema, place)).collect())
            }
            kind => self.of_kind(kind.as_str(), schema, place),
        }
    }

    fn named(&self, name: &str, place: &str) -> BoxedStrategy<Value> {
        if name == "Cloud" {
            return clouds();
        }
        let schema = &self.schemas[name];
        let closed = schema["type"] != "string";
        // What may be unknown is one definition for many facts: there the place says more.
        let wrapped = name.starts_with("Known");
        let key = if closed && !wrapped { name.to_owned() } else { format!("{name} {place}") };
        if let Some(drawn) = self.drawn.borrow().get(&key) {
            return drawn.clone();
        }
        let drawn = match any_words::of_type(name, place) {
            Some(words) => words.boxed(),
            // An enumeration of Azure's making lists its members as examples, and keeps what it does not know.
            None if !closed => texts(schema["examples"].as_array().into_iter().flatten().filter_map(Value::as_str)),
            None => self.any(schema, if wrapped { place } else { name }),
        };
        self.drawn.borrow_mut().insert(key, drawn.clone());
        drawn
    }

    fn of_kind(&self, kind: Option<&str>, schema: &Value, place: &str) -> BoxedStrategy<Value> {
        match kind {
            Some("object") => self.object(schema, place),
            Some("array") => vec(self.any(&schema["items"], place), 0..4).prop_map(Value::Array).boxed(),
            Some("string") => any_words::text(place, schema["format"].as_str()).boxed(),
            Some("integer") => any_words::number(place, schema["format"].as_str().unwrap_or_default()).boxed(),
            Some("number") => Just(json!(1.5)).boxed(),
            Some("boolean") => any::<bool>().prop_map(Value::Bool).boxed(),
            Some("null") => Just(Value::Null).boxed(),
            other => panic!("{place}: a kind of schema that is not drawn: {other:?}"),
        }
    }

    /// An object whose members are there if they must be, and mostly if they may be.
    fn object(&self, schema: &Value, place: &str) -> BoxedStrategy<Value> {
        let definition = place.split('.').next().unwrap_or_default();
        let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|r| r == name));
        let mut members: Vec<BoxedStrategy<Option<(String, Value)>>> = Vec::new();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let name = name.clone();
            let inside = if name == "known" { place.to_owned() } else { format!("{definition}.{name}") };
            let drawn = self.any(inner, &inside);
            let there = required(&name);
            let member = drawn.prop_map(move |value| (name.clone(), value));
            members.push(if there { member.prop_map(Some).boxed() } else { weighted(0.8, member).boxed() });
        }
        if schema["additionalProperties"].is_object() {
            let entry = (any_words::key(place), self.any(&schema["additionalProperties"], place));
            members.push(weighted(0.5, entry).boxed());
        }
        members.prop_map(|all| Value::Object(all.into_iter().flatten().collect::<Map<String, Value>>())).boxed()
    }
}

/// One of several, half of the time the first: what is known, what went well.
fn first_mostly(all: Vec<BoxedStrategy<Value>>) -> BoxedStrategy<Value> {
    let others = u32::try_from(all.len()).unwrap_or(1).saturating_sub(1).max(1);
    let weighed = all.into_iter().enumerate().map(|(at, one)| (if at == 0 { others } else { 1 }, one));
    proptest::strategy::Union::new_weighted(weighed.collect()).boxed()
}

fn texts<'t>(members: impl Iterator<Item = &'t str>) -> BoxedStrategy<Value> {
    let all: Vec<Value> = members.chain(["Tomorrow"]).map(|member| json!(member)).collect();
    prop::sample::select(all).boxed()
}

fn clouds() -> BoxedStrategy<Value> {
    let odd = Cloud {
        name: "Stack".to_owned(),
        regional_endpoint_suffix: None,
        private_zone: String::new(),
        blob_suffix: String::new(),
        ..Cloud::public()
    };
    let all = [Cloud::public(), Cloud::public(), Cloud::china(), odd];
    prop::sample::select(all.map(|cloud| serde_json::to_value(cloud).expect("a cloud is JSON")).to_vec()).boxed()
}

/// Takes out what Azure cannot have twice: of things with one id, one host or one name in a list, the first stays.
fn without_doubles(mut value: Value) -> Value {
    match &mut value {
        Value::Array(list) => {
            let mut seen = BTreeSet::new();
            list.retain(|item| {
                match ["id", "host", "name", "subnet", "asked"].iter().find_map(|key| item[*key].as_str()) {
                    Some(name) => seen.insert(name.to_ascii_lowercase()),
                    None => true,
                }
            });
            for item in list {
                *item = without_doubles(item.take());
            }
        }
        Value::Object(members) => {
            for member in members.values_mut() {
                *member = without_doubles(member.take());
            }
        }
        _ => {}
    }
    value
}

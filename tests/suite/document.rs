//! JSON documents taken apart: where two differ, and changes put into a third.

use serde_json::Value;

/// One difference: a JSON pointer, and what stands there afterwards (nothing: it is taken out).
pub(crate) type Change = (String, Option<Value>);

/// A key as it stands in a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What turns `from` into `to`. A list of another length is one change as a whole.
pub(crate) fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    collect(from, to, "", &mut found);
    found
}

fn collect(from: &Value, to: &Value, pointer: &str, found: &mut Vec<Change>) {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => {
            for (key, old) in from {
                let inner = format!("{pointer}/{}", escaped(key));
                match to.get(key) {
                    Some(new) => collect(old, new, &inner, found),
                    None => found.push((inner, None)),
                }
            }
            let added = to.iter().filter(|(key, _)| !from.contains_key(*key));
            found.extend(added.map(|(key, new)| (format!("{pointer}/{}", escaped(key)), Some(new.clone()))));
        }
        (Value::Array(from), Value::Array(to)) if from.len() == to.len() => {
            for (index, (old, new)) in from.iter().zip(to).enumerate() {
                collect(old, new, &format!("{pointer}/{index}"), found);
            }
        }
        _ if from == to => {}
        _ => found.push((pointer.to_owned(), Some(to.clone()))),
    }
}

/// Whether two sets of changes touch the same fact: one's place is the other's, or holds it.
pub(crate) fn overlap(one: &[Change], other: &[Change]) -> bool {
    let holds = |a: &str, b: &str| b.strip_prefix(a).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    one.iter().any(|(a, _)| other.iter().any(|(b, _)| holds(a, b) || holds(b, a)))
}

/// Puts changes into a document.
pub(crate) fn apply(document: &mut Value, changes: &[Change]) {
    for (pointer, value) in changes {
        match value {
            None => take(document, pointer),
            Some(value) => put(document, pointer, value.clone()),
        }
    }
}

/// Sets a place, a new member of an object too.
pub(crate) fn put(document: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = document.pointer_mut(pointer) {
        *place = value;
        return;
    }
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(map)) = document.pointer_mut(parent) {
        map.insert(key.replace("~1", "/").replace("~0", "~"), value);
    }
}

/// Takes a place out of a document.
pub(crate) fn take(document: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    match document.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.shift_remove(&key.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(list)) => {
            list.remove(key.parse().expect("an index"));
        }
        _ => {}
    }
}

/// Every place of a document that `wanted` takes, as JSON pointers.
pub(crate) fn places(value: &Value, pointer: &str, wanted: &dyn Fn(&Value) -> bool, found: &mut Vec<String>) {
    if wanted(value) {
        found.push(pointer.to_owned());
    }
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                places(inner, &format!("{pointer}/{}", escaped(key)), wanted, found);
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                places(inner, &format!("{pointer}/{index}"), wanted, found);
            }
        }
        _ => {}
    }
}

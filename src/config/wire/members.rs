//! Reading a document so that nothing of it is lost: what a reader takes becomes a fact, everything else stays.

use ipnet::IpNet;
use serde_json::Value;

use super::{Fields, number, range};
use crate::facts::{ResourceId, Unrecognised};

/// A document of which members are taken one by one. A member that is not what it should be is not taken, so it stays.
pub(crate) struct Members<'d> {
    document: &'d Value,
    fields: Fields<'d>,
    taken: Vec<&'static str>,
}

impl<'d> Members<'d> {
    pub(crate) fn of(document: &'d Value) -> Self {
        Self { document, fields: Fields::of(document), taken: vec!["properties"] }
    }

    /// The id; the name and the type stay only where they are not the id's own.
    pub(crate) fn resource(&mut self) -> Option<ResourceId> {
        let id = self.id("id")?;
        let says = |member: &str, text: &str| self.fields.text(member).is_some_and(|t| t.eq_ignore_ascii_case(text));
        let named = says("name", id.name());
        let typed = id.resource_type().is_some_and(|kind| says("type", &kind));
        self.taken.extend(named.then_some("name"));
        self.taken.extend(typed.then_some("type"));
        Some(id)
    }

    /// A member as `read` understands it.
    pub(crate) fn take<T>(&mut self, name: &'static str, read: impl FnOnce(&'d Value) -> Option<T>) -> Option<T> {
        let understood = read(self.fields.get(name)?)?;
        self.taken.push(name);
        Some(understood)
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.take(name, |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn number(&mut self, name: &'static str) -> Option<i64> {
        self.take(name, number)
    }

    pub(crate) fn id(&mut self, name: &'static str) -> Option<ResourceId> {
        self.take(name, |value| value.as_str()?.parse().ok())
    }

    /// The id of a referenced resource; `{"id": "…"}` is taken, one that says more stays besides.
    pub(crate) fn reference(&mut self, name: &'static str) -> Option<ResourceId> {
        let value = self.fields.get(name)?;
        if value.as_object().is_some_and(|members| members.len() == 1) {
            self.taken.push(name);
        }
        Fields::of(value).id("id")
    }

    /// The items that `read` understands; the list stays besides where it does not understand one.
    pub(crate) fn list<T>(&mut self, name: &'static str, read: impl Fn(&'d Value) -> Option<T>) -> Vec<T> {
        let items = self.fields.list(name);
        let understood: Vec<T> = items.iter().filter_map(read).collect();
        let is_list = self.fields.get(name).is_some_and(Value::is_array);
        if is_list && understood.len() == items.len() {
            self.taken.push(name);
        }
        understood
    }

    /// The texts of a list, or of one text instead of a list, as far as `read` understands them.
    pub(crate) fn texts<T>(&mut self, name: &'static str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let understood: Vec<T> = self.fields.texts(name).iter().filter_map(|text| read(text)).collect();
        let count = match self.fields.get(name) {
            Some(Value::Array(items)) => items.len(),
            Some(Value::String(_)) => 1,
            _ => return understood,
        };
        if understood.len() == count {
            self.taken.push(name);
        }
        understood
    }

    pub(crate) fn ranges(&mut self, name: &'static str) -> Vec<IpNet> {
        self.texts(name, range)
    }

    /// Drops members that list other people's things: they say nothing of a registry, and a snapshot may be handed on.
    pub(crate) fn drop_neighbours(&mut self, names: &[&'static str]) {
        self.taken.extend(names);
    }

    /// The members that stay, those of `properties` among them.
    pub(crate) fn rest(self) -> Unrecognised {
        super::rest(self.document, &self.taken)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_understood_stays_and_what_is_goes() {
        let document = json!({ "id": "/subscriptions/s/resourceGroups/g/providers/M.N/things/a", "name": "A",
            "type": "M.N/others", "etag": "e", "properties": { "odd": 7, "list": [1, "x"], "ranges": ["10.0.0.0/8", 1],
            "text": "no list",
            "one": { "id": "/subscriptions/s" }, "more": { "id": "/subscriptions/s", "and": 1 } } });
        let mut members = Members::of(&document);
        assert!(members.resource().is_some() && members.text("odd").is_none());
        assert_eq!(members.list("list", Value::as_i64), [1]);
        assert_eq!((members.ranges("ranges").len(), members.list("text", Some).len()), (1, 0));
        assert!(members.reference("one").is_some() && members.reference("more").is_some());
        let rest = members.rest();
        let names: Vec<&str> = rest.keys().map(String::as_str).collect();
        assert_eq!(names, ["type", "etag", "odd", "list", "ranges", "text", "more"]);
    }
}

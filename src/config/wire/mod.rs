//! ARM's documents, read leniently: what has another type than expected is missing, never a crash.

pub(crate) mod governance;
pub(crate) mod members;
pub(crate) mod network;
pub(crate) mod private_dns;
pub(crate) mod private_link;
pub(crate) mod registry;
pub(crate) mod registry_parts;

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use crate::facts::{Fqdn, ResourceId, Unrecognised};

/// A document's members. Those of `properties` are found beside the resource's own, as the Azure CLI prints them.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'d> {
    outer: Option<&'d Map<String, Value>>,
    inner: Option<&'d Map<String, Value>>,
}

impl<'d> Fields<'d> {
    pub(crate) fn of(document: &'d Value) -> Self {
        let outer = document.as_object();
        Self { outer, inner: outer.and_then(|o| o.get("properties")).and_then(Value::as_object) }
    }

    /// A member that is there and not null; `properties` goes first.
    pub(crate) fn get(self, name: &str) -> Option<&'d Value> {
        let found = self.inner.and_then(|i| i.get(name)).or_else(|| self.outer.and_then(|o| o.get(name)));
        found.filter(|v| !v.is_null())
    }

    pub(crate) fn text(self, name: &str) -> Option<&'d str> {
        self.get(name).and_then(Value::as_str)
    }

    pub(crate) fn owned(self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(crate) fn flag(self, name: &str) -> Option<bool> {
        self.get(name).and_then(flag)
    }

    pub(crate) fn list(self, name: &str) -> &'d [Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn nested(self, name: &str) -> Self {
        self.get(name).map_or(Self { outer: None, inner: None }, Fields::of)
    }

    pub(crate) fn id(self, name: &str) -> Option<ResourceId> {
        self.text(name).and_then(|t| t.parse().ok())
    }

    /// The id of a referenced resource: `{"id": "…"}`.
    pub(crate) fn reference(self, name: &str) -> Option<ResourceId> {
        self.nested(name).id("id")
    }

    /// The texts of a list, also where ARM gives one text instead of a list of one.
    pub(crate) fn texts(self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}

/// The members of a document, its `properties` included, that none of these names stands for.
pub(crate) fn rest(document: &Value, understood: &[&str]) -> Unrecognised {
    let outer = document.as_object().into_iter().flatten();
    let inner = document.get("properties").and_then(Value::as_object).into_iter().flatten();
    let kept = outer.chain(inner).filter(|(name, value)| !understood.contains(&name.as_str()) && !value.is_null());
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A switch: `true`, or the text "true" in any case, as some providers write it.
pub(crate) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A whole number, also written as text.
pub(crate) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// An address or a range; a single address is a range of one.
pub(crate) fn range(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub(crate) fn ranges(texts: &[String]) -> Vec<IpNet> {
    texts.iter().filter_map(|t| range(t)).collect()
}

pub(crate) fn names(texts: &[String]) -> Vec<Fqdn> {
    texts.iter().filter_map(|t| t.parse().ok()).collect()
}

//! Private DNS zones: records and virtual network links.

use serde_json::Value;

use super::members::Members;
use super::{Fields, number};
use crate::facts::network::{PrivateDnsZone, RecordSet, ResolutionPolicy, VirtualNetworkLink};
use crate::facts::{Known, Unrecognised};

/// A zone, without its records and links.
pub(crate) fn zone(document: &Value) -> Option<PrivateDnsZone> {
    let name = Fields::of(document).text("name")?.parse().ok()?;
    let mut members = Members::of(document);
    Some(PrivateDnsZone {
        id: members.resource()?,
        name,
        records: Known::default(),
        other_records: Vec::new(),
        links: Known::default(),
        unrecognised: members.rest(),
    })
}

/// A record set with addresses; `None` for other types. A CNAME in such a zone is the user's own and names no address.
pub(crate) fn record_set(document: &Value) -> Option<RecordSet> {
    if !has_addresses(document) {
        return None;
    }
    let of_id = || Fields::of(document).id("id").map(|id| id.name().to_owned());
    let mut members = Members::of(document);
    let address = |member: &'static str| {
        move |record: &Value| record.get(member).and_then(Value::as_str).and_then(|a| a.parse().ok())
    };
    let mut addresses = members.list("aRecords", address("ipv4Address"));
    addresses.extend(members.list("ARecords", address("ipv4Address")));
    addresses.extend(members.list("aaaaRecords", address("ipv6Address")));
    addresses.extend(members.list("AAAARecords", address("ipv6Address")));
    Some(RecordSet {
        name: members.text("name").or_else(of_id)?.to_ascii_lowercase(),
        addresses,
        ttl: members.take("ttl", |ttl| number(ttl)?.try_into().ok()),
        unrecognised: members.rest(),
    })
}

/// A record set of another type, whole.
pub(crate) fn other_record_set(document: &Value) -> Option<Unrecognised> {
    document.as_object().filter(|_| !has_addresses(document)).cloned()
}

/// Whether this is a set of A or AAAA records, by its type or its id.
fn has_addresses(document: &Value) -> bool {
    let fields = Fields::of(document);
    let of_id = || fields.id("id").and_then(|id| id.resource_type());
    let kind = fields.owned("type").or_else(of_id).unwrap_or_default().to_ascii_lowercase();
    kind.ends_with("/a") || kind.ends_with("/aaaa")
}

/// A virtual network link. `resolutionPolicy` came with api-version 2024-06-01.
pub(crate) fn link(document: &Value) -> Option<VirtualNetworkLink> {
    let mut members = Members::of(document);
    Some(VirtualNetworkLink {
        name: members.text("name")?,
        virtual_network: members.reference("virtualNetwork")?,
        resolution_policy: members.text("resolutionPolicy").map_or_else(
            || Known::unknown("the answer has no resolutionPolicy"),
            |p| Known::Known(ResolutionPolicy::from(p.as_str())),
        ),
        state: members.text("virtualNetworkLinkState"),
        unrecognised: members.rest(),
    })
}

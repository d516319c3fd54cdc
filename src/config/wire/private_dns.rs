//! Private DNS zones: records and virtual network links.

use serde_json::Value;

use super::{Fields, number};
use crate::facts::Known;
use crate::facts::network::{PrivateDnsZone, RecordSet, ResolutionPolicy, VirtualNetworkLink};

/// A zone, without its records and links.
pub(crate) fn zone(document: &Value) -> Option<PrivateDnsZone> {
    let fields = Fields::of(document);
    Some(PrivateDnsZone {
        id: fields.id("id")?,
        name: fields.text("name")?.parse().ok()?,
        records: Known::default(),
        links: Known::default(),
    })
}

/// A record set with addresses; `None` for other types. A CNAME in such a zone is the user's own and names no address.
pub(crate) fn record_set(document: &Value) -> Option<RecordSet> {
    let fields = Fields::of(document);
    let kind = fields.text("type").unwrap_or_default().to_ascii_lowercase();
    if !(kind.ends_with("/a") || kind.ends_with("/aaaa")) {
        return None;
    }
    let four = fields.list("aRecords").iter().chain(fields.list("ARecords"));
    let four = four.filter_map(|r| Fields::of(r).text("ipv4Address"));
    let six = fields.list("aaaaRecords").iter().chain(fields.list("AAAARecords"));
    let six = six.filter_map(|r| Fields::of(r).text("ipv6Address"));
    Some(RecordSet {
        name: fields.text("name")?.to_ascii_lowercase(),
        addresses: four.chain(six).filter_map(|a| a.parse().ok()).collect(),
        ttl: fields.get("ttl").and_then(number).and_then(|ttl| ttl.try_into().ok()),
    })
}

/// A virtual network link. `resolutionPolicy` came with api-version 2024-06-01.
pub(crate) fn link(document: &Value) -> Option<VirtualNetworkLink> {
    let fields = Fields::of(document);
    Some(VirtualNetworkLink {
        name: fields.owned("name")?,
        virtual_network: fields.reference("virtualNetwork")?,
        resolution_policy: fields.text("resolutionPolicy").map_or_else(
            || Known::unknown("the answer has no resolutionPolicy"),
            |p| Known::Known(ResolutionPolicy::from(p)),
        ),
        state: fields.owned("virtualNetworkLinkState"),
    })
}

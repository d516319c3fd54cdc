//! Private endpoints, their network interfaces and their DNS zone groups.

use serde_json::Value;

use super::members::Members;
use super::{Fields, names};
use crate::facts::network::{DnsZoneGroup, PrivateEndpoint, PrivateEndpointAddress};
use crate::facts::{Known, ResourceId};

/// A private endpoint's own document, and the interfaces that hold its addresses.
pub(crate) struct EndpointDocument {
    pub(crate) endpoint: PrivateEndpoint,
    pub(crate) interfaces: Vec<ResourceId>,
    /// customDnsConfigs: empty where a zone group keeps the pairs instead.
    pub(crate) custom_dns: Vec<PrivateEndpointAddress>,
}

pub(crate) fn endpoint(document: &Value) -> Option<EndpointDocument> {
    let fields = Fields::of(document);
    let mut members = Members::of(document);
    Some(EndpointDocument {
        endpoint: PrivateEndpoint {
            id: members.resource()?,
            location: members.take("location", |l| l.as_str()?.parse().ok()),
            subnet: members.reference("subnet"),
            addresses: Known::default(),
            dns_zone_groups: Known::default(),
            unrecognised: members.rest(),
        },
        interfaces: fields.list("networkInterfaces").iter().filter_map(|n| Fields::of(n).id("id")).collect(),
        custom_dns: fields.list("customDnsConfigs").iter().flat_map(custom_dns).collect(),
    })
}

fn custom_dns(value: &Value) -> Vec<PrivateEndpointAddress> {
    let fields = Fields::of(value);
    pairs(&fields.texts("ipAddresses"), fields.text("fqdn"))
}

fn pairs(addresses: &[String], fqdn: Option<&str>) -> Vec<PrivateEndpointAddress> {
    let fqdns = names(&fqdn.map(str::to_owned).into_iter().collect::<Vec<_>>());
    let one = |address: &String| {
        Some(PrivateEndpointAddress { address: address.trim().parse().ok()?, fqdns: fqdns.clone(), member: None })
    };
    addresses.iter().filter_map(one).collect()
}

/// The addresses of a private endpoint's interface, with the names and the member that each stands for.
pub(crate) fn interface_addresses(document: &Value) -> Vec<PrivateEndpointAddress> {
    let one = |configuration: &Value| {
        let fields = Fields::of(configuration);
        let link = fields.nested("privateLinkConnectionProperties");
        Some(PrivateEndpointAddress {
            address: fields.text("privateIPAddress").or_else(|| fields.text("privateIpAddress"))?.parse().ok()?,
            fqdns: names(&link.texts("fqdns")),
            member: link.owned("requiredMemberName"),
        })
    };
    Fields::of(document).list("ipConfigurations").iter().filter_map(one).collect()
}

/// A zone group, and the pairs that stand in its record sets.
pub(crate) fn zone_group(document: &Value) -> Option<(DnsZoneGroup, Vec<PrivateEndpointAddress>)> {
    let fields = Fields::of(document);
    let configurations: Vec<Fields<'_>> = fields.list("privateDnsZoneConfigs").iter().map(Fields::of).collect();
    let mut members = Members::of(document);
    let group = DnsZoneGroup {
        name: members.text("name")?,
        zones: configurations.iter().filter_map(|c| c.id("privateDnsZoneId")).collect(),
        // The configurations stay: they hold the records that Azure keeps.
        unrecognised: members.rest(),
    };
    let records = configurations.iter().flat_map(|c| c.list("recordSets"));
    let of_record = |record: &Value| {
        let fields = Fields::of(record);
        pairs(&fields.texts("ipAddresses"), fields.text("fqdn").map(public_name).as_deref())
    };
    Some((group, records.flat_map(of_record).collect()))
}

/// `myreg.privatelink.azurecr.io` → `myreg.azurecr.io`: record sets carry the zone's names.
fn public_name(fqdn: &str) -> String {
    fqdn.replacen(".privatelink.", ".", 1)
}

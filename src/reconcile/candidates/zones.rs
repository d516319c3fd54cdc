//! Missing facts of private DNS zones: the zones, their records, their links.

use crate::facts::network::{PrivateDnsZone, RecordSet, VirtualNetworkLink};
use crate::facts::{EndpointObservation, Known, ResourceId, Unrecognised};
use crate::reconcile::case::Case;

use super::private_link::{NOBODYS, carried, given};
use super::supposed::{Gap, Supposed};

/// What is missing of the zones that answer for the registry's names.
pub(super) fn gaps<'a>(case: &Case<'a>) -> Vec<Gap<'a>> {
    match &case.config.private_dns_zones {
        Known::Unknown(missing) => vec![Gap::new("private DNS zones", missing, zones(case))],
        Known::Known(zones) => {
            let records = zones.iter().find_map(|zone| zone.records.missing()).map(|missing| {
                let with = |records: Vec<RecordSet>| on_zones(case, move |zone| fill(&mut zone.records, &records));
                Gap::new("records of the private DNS zone", missing, [with(Vec::new()), with(records(case))])
            });
            let links = zones.iter().find_map(|zone| zone.links.missing()).map(|missing| {
                let with = |links: Vec<VirtualNetworkLink>| on_zones(case, move |zone| fill(&mut zone.links, &links));
                Gap::new("links of the private DNS zone", missing, [with(Vec::new()), with(links(case))])
            });
            [records, links].into_iter().flatten().collect()
        }
    }
}

fn fill<T: Clone>(place: &mut Known<T>, value: &T) {
    if !place.is_known() {
        *place = Known::Known(value.clone());
    }
}

fn on_zones<'a>(case: &Case<'a>, change: impl Fn(&mut PrivateDnsZone)) -> Supposed<'a> {
    Supposed::of(case).config(|config| {
        if let Known::Known(zones) = &mut config.private_dns_zones {
            zones.iter_mut().for_each(change);
        }
    })
}

/// No zone; one that serves the client, with and without its records; one that has them and is linked elsewhere.
fn zones<'a>(case: &Case<'a>) -> Vec<Supposed<'a>> {
    let id = format!(
        "/subscriptions/unknown/resourceGroups/unknown/providers/Microsoft.Network/privateDnsZones/{}",
        case.config.cloud.private_zone
    );
    let (Ok(id), Ok(name)) = (id.parse::<ResourceId>(), case.config.cloud.private_zone.parse()) else {
        return Vec::new();
    };
    let zone = |records: Vec<RecordSet>, links: Vec<VirtualNetworkLink>| {
        vec![PrivateDnsZone {
            id: id.clone(),
            name: crate::facts::Fqdn::clone(&name),
            records: Known::Known(records),
            other_records: Vec::new(),
            links: Known::Known(links),
            unrecognised: Unrecognised::new(),
        }]
    };
    let all =
        [Vec::new(), zone(records(case), links(case)), zone(Vec::new(), links(case)), zone(records(case), Vec::new())];
    all.map(|zones| Supposed::of(case).config(|config| config.private_dns_zones = Known::Known(zones))).into()
}

/// The records that the registry's names should have: the private endpoint's addresses, else those that the client was given.
fn records(case: &Case<'_>) -> Vec<RecordSet> {
    let approved = case.approved();
    let endpoints: Vec<_> = approved.iter().filter_map(|c| c.endpoint()).collect();
    let record = |seen: &EndpointObservation| {
        let of_endpoint = endpoints.iter().find_map(|e| case.private_address_for(e, &seen.host));
        let address = of_endpoint.or_else(|| given(case, seen)).unwrap_or(NOBODYS);
        RecordSet {
            name: case.record_name(&seen.host),
            addresses: vec![address],
            ttl: None,
            unrecognised: Unrecognised::new(),
        }
    };
    carried(case).map(record).collect()
}

/// A link to the client's network, as far as that is known.
fn links(case: &Case<'_>) -> Vec<VirtualNetworkLink> {
    let link = |network: &ResourceId| VirtualNetworkLink {
        name: "supposed".to_owned(),
        virtual_network: network.clone(),
        resolution_policy: Known::default(),
        state: None,
        unrecognised: Unrecognised::new(),
    };
    case.place.network.iter().map(link).collect()
}

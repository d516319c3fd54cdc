//! Private DNS zones with the cloud's registry suffix, wherever the sign-in can see them.

use futures::future::join_all;

use super::read_error::ReadError;
use super::reader::{PRIVATE_DNS, Reader, listed};
use super::wire::Fields;
use super::wire::private_dns::{link, other_record_set, record_set, zone};
use crate::facts::network::PrivateDnsZone;
use crate::facts::{Fqdn, Known, ResourceId, Unrecognised};

impl Reader<'_> {
    /// Whether a zone's name is the cloud's registry suffix or ends in it.
    fn is_registry_zone(&self, name: &str) -> bool {
        name.parse::<Fqdn>().is_ok_and(|name| name.is_within(&self.request.cloud.registry_suffix))
    }

    /// Reads the zones of a subscription, once.
    pub(super) async fn zones_of(&self, subscription: &str) {
        let read = || async {
            let (ids, error) = self.zone_names(subscription).await;
            join_all(ids.iter().map(|id| async move { self.zone(id).await })).await;
            match error {
                Some(error) => {
                    self.arm.note(&format!("private DNS zones of subscription {subscription}"), &error);
                    Err(error)
                }
                None => Ok(()),
            }
        };
        // The outcome decides later whether "no zone" is a fact.
        let _ = self.zone_lists.once(subscription, read).await;
    }

    /// The ids of a subscription's zones, listed once, and why the list is not complete. A failure is noted only by
    /// whoever needs this subscription.
    pub(super) async fn zone_names(&self, subscription: &str) -> (Vec<ResourceId>, Option<ReadError>) {
        let read = || async {
            let path = format!("/subscriptions/{subscription}/providers/Microsoft.Network/privateDnsZones");
            let listing = self.arm.list(&path, PRIVATE_DNS).await;
            let zones = listing.items.iter().map(Fields::of);
            let ours = zones.filter(|f| f.text("name").is_some_and(|n| self.is_registry_zone(n)));
            (ours.filter_map(|f| f.id("id")).collect(), listing.error)
        };
        self.zone_names.once(subscription, read).await
    }

    /// Reads the zones in the subscriptions that were searched, also where the registry is in another.
    pub(super) async fn zones_seen(&self) {
        let ids = self.zone_names.values().into_iter().flat_map(|(ids, _)| ids);
        join_all(ids.map(|id| async move { self.zone(&id).await })).await;
    }

    /// Reads the zones that Resource Graph knows in other subscriptions.
    pub(super) async fn zones_of_inventory(&self) {
        let rows = self.inventory().await;
        let is_zone = |f: &Fields<'_>| {
            f.text("type").is_some_and(|t| t.eq_ignore_ascii_case("Microsoft.Network/privateDnsZones"))
        };
        let named = |f: &Fields<'_>| f.text("name").is_some_and(|n| self.is_registry_zone(n));
        let ids = rows.iter().map(Fields::of).filter(is_zone).filter(named).filter_map(|f| f.id("id"));
        join_all(ids.map(|id| async move { self.zone(&id).await })).await;
    }

    /// Reads a zone's records and links, once.
    pub(super) async fn zone(&self, id: &ResourceId) {
        if !self.is_registry_zone(id.name()) {
            return;
        }
        let Ok(name) = id.name().parse::<Fqdn>() else { return };
        let read = || async {
            let path = id.as_str();
            let (all, links) = (format!("{path}/ALL"), format!("{path}/virtualNetworkLinks"));
            let (all, links) = futures::join!(self.arm.list(&all, PRIVATE_DNS), self.arm.list(&links, PRIVATE_DNS));
            let other_records = all.items.iter().filter_map(other_record_set).collect();
            PrivateDnsZone {
                id: id.clone(),
                name: name.clone(),
                records: listed(&self.arm, &format!("records of zone '{name}'"), all, record_set),
                other_records,
                unrecognised: Unrecognised::new(),
                links: listed(&self.arm, &format!("virtual network links of zone '{name}'"), links, link),
            }
        };
        self.zones.once(&id.key(), read).await;
    }

    /// All zones. "None" is a fact only where the subscriptions that matter were all listed.
    pub(super) fn private_dns_zones(&self) -> Known<Vec<PrivateDnsZone>> {
        let zones = self.zones.values();
        let refused = self.zone_lists.values().into_iter().find_map(Result::err);
        match refused {
            Some(error) if zones.is_empty() => error.known(),
            None if zones.is_empty() && self.zone_lists.values().is_empty() => {
                Known::unknown("no subscription was known in which to look for zones")
            }
            _ => Known::Known(zones),
        }
    }
}

/// A zone listed in a document.
pub(super) fn listed_zone(document: &serde_json::Value) -> Option<PrivateDnsZone> {
    zone(document)
}

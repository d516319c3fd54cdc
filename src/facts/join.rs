//! One set of configuration facts out of several, each read by itself.

use super::{ConfigFacts, Known};

impl ConfigFacts {
    /// These facts and `other`'s, of the same cloud. A resource that both have is taken from the one
    /// that read it; where both did, from `other`, which is given later.
    #[must_use]
    pub fn joined_with(mut self, other: Self) -> Self {
        self.sign_in = other.sign_in;
        self.lookups.extend(other.lookups);
        join(&mut self.registries, other.registries, |r| r.id.key(), |_| true);
        join(&mut self.subscriptions, other.subscriptions, |s| s.id.to_ascii_lowercase(), |_| true);
        join(&mut self.subnets, other.subnets, |s| s.id.key(), |s| s.subnet.is_known());
        join(&mut self.virtual_networks, other.virtual_networks, |n| n.id.key(), |n| n.network.is_known());
        self.private_dns_zones = lists(self.private_dns_zones, other.private_dns_zones, |zone| zone.id.key());
        self.service_tags = lists(self.service_tags, other.service_tags, |tag| tag.name.clone());
        self.client_subnet = later(self.client_subnet, other.client_subnet);
        self.client_virtual_network = later(self.client_virtual_network, other.client_virtual_network);
        self.client_interface = later(self.client_interface, other.client_interface);
        self.cluster = other.cluster.or(self.cluster);
        self.failed_reads.extend(other.failed_reads);
        self
    }
}

/// Adds `others` to `all`; of two with one key the later stays, if it was read.
fn join<T>(all: &mut Vec<T>, others: Vec<T>, key: impl Fn(&T) -> String, was_read: impl Fn(&T) -> bool) {
    for other in others {
        match all.iter_mut().find(|one| key(one) == key(&other)) {
            Some(one) if was_read(&other) || !was_read(one) => *one = other,
            Some(_) => {}
            None => all.push(other),
        }
    }
}

fn lists<T>(first: Known<Vec<T>>, other: Known<Vec<T>>, key: impl Fn(&T) -> String) -> Known<Vec<T>> {
    match (first, other) {
        (Known::Known(mut all), Known::Known(others)) => {
            join(&mut all, others, key, |_| true);
            Known::Known(all)
        }
        (first, other) => later(first, other),
    }
}

fn later<T>(first: Known<T>, other: Known<T>) -> Known<T> {
    if other.is_known() || !first.is_known() { other } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Cloud;
    use crate::facts::network::{PrivateDnsZone, SubnetRead};

    #[test]
    fn what_one_could_not_read_is_taken_from_the_other() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/a";
        let mut first = ConfigFacts::not_read(Cloud::public(), "test");
        first.subnets = vec![SubnetRead { id: id.parse().unwrap(), subnet: Known::Known(None) }];
        let mut other = ConfigFacts::not_read(Cloud::public(), "test");
        other.subnets = vec![SubnetRead {
            id: id.to_uppercase().replace("/SUB", "/sub").parse().unwrap(),
            subnet: Known::unknown("403"),
        }];
        let zone = |name: &str| PrivateDnsZone {
            id: format!("/subscriptions/s/resourceGroups/{name}/providers/Microsoft.Network/privateDnsZones/z")
                .parse()
                .unwrap(),
            name: "privatelink.azurecr.io".parse().unwrap(),
            records: Known::default(),
            other_records: Vec::new(),
            links: Known::default(),
            unrecognised: crate::facts::Unrecognised::new(),
        };
        first.private_dns_zones = Known::Known(vec![zone("a"), zone("b")]);
        other.private_dns_zones = Known::Known(vec![zone("b"), zone("c")]);
        let joined = first.joined_with(other);
        assert_eq!(joined.subnets.len(), 1);
        assert!(joined.subnets[0].subnet.is_known());
        assert_eq!(joined.private_dns_zones.known().unwrap().len(), 3);
    }
}

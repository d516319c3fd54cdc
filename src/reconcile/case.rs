//! One registry's joined view: the only thing that a rule receives.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::facts::config::{FailedRead, LookupOutcome, RegistryLookup, SignIn};
use crate::facts::network::{NetworkSecurityGroup, PrivateDnsZone, PrivateEndpoint, RecordSet, Subnet, VirtualNetwork};
use crate::facts::registry::{
    ConnectionStatus, DefaultAction, NetworkRuleSet, PrivateEndpointConnection, PublicNetworkAccess,
};
use crate::facts::report::UnknownFact;
use crate::facts::{
    ConfigFacts, EndpointObservation, EndpointRole, Fqdn, Known, ProbeFacts, Region, RegistryConfig, ResourceId,
};

use super::Options;
use super::place::{self, Place};
use super::symptom::Symptom;

/// Both halves about one registry.
#[derive(Debug)]
pub struct Case<'a> {
    /// What ARM said.
    pub config: &'a ConfigFacts,
    /// The registry, if it was read.
    pub registry: Option<&'a RegistryConfig>,
    /// What the client met, if somebody looked.
    pub probe: Option<&'a ProbeFacts>,
    /// What the user wants.
    pub options: &'a Options,
    /// Where the client stands.
    pub place: Place,
    unknowns: RefCell<BTreeSet<UnknownFact>>,
}

impl<'a> Case<'a> {
    /// Joins the halves.
    pub fn new(
        config: &'a ConfigFacts,
        registry: Option<&'a RegistryConfig>,
        probe: Option<&'a ProbeFacts>,
        options: &'a Options,
    ) -> Self {
        let place = Place::of(config, probe);
        Self { config, registry, probe, options, place, unknowns: RefCell::default() }
    }

    /// A fact, if it is known; else it is noted as missing, under its name.
    pub fn know<'k, T>(&self, fact: &str, value: &'k Known<T>) -> Option<&'k T> {
        if let Some(missing) = value.missing() {
            self.unknowns.borrow_mut().insert(UnknownFact {
                fact: fact.to_owned(),
                why: missing.why.clone(),
                needs: missing.needs.clone(),
            });
        }
        value.known()
    }

    /// A fact beside the point, missed only where a right or a command would supply it: an inventory, which reads none of
    /// its kind, says so once and not for each registry.
    pub fn know_besides<'k, T>(&self, fact: &str, value: &'k Known<T>) -> Option<&'k T> {
        match value.missing() {
            Some(missing) if missing.needs.is_none() => None,
            _ => self.know(fact, value),
        }
    }

    /// Notes a missing fact that no `Known` stands for.
    pub fn note_unknown(&self, fact: &str, why: &str, needs: Option<&str>) {
        self.unknowns.borrow_mut().insert(UnknownFact {
            fact: fact.to_owned(),
            why: why.to_owned(),
            needs: needs.map(str::to_owned),
        });
    }

    /// Notes what another client's case lacks.
    pub fn note_missing(&self, other: &Self) {
        self.unknowns.borrow_mut().extend(other.unknowns());
    }

    /// The facts that rules asked for and did not get.
    pub fn unknowns(&self) -> Vec<UnknownFact> {
        self.unknowns.borrow().iter().cloned().collect()
    }

    /// The login server that counts: the configuration's, else the one probed.
    pub fn login_server(&self) -> Option<&'a Fqdn> {
        self.registry.map(|r| &r.login_server).or_else(|| self.probe.map(|p| &p.login_server))
    }

    /// The observation of the login server that counts.
    pub fn login(&self) -> Option<&'a EndpointObservation> {
        let probe = self.probe?;
        let mut logins = probe.endpoints.iter().filter(|e| e.role == EndpointRole::Login);
        let wanted = self.registry.map(|r| &r.login_server);
        logins.clone().find(|e| Some(&e.host) == wanted).or_else(|| logins.next())
    }

    /// The login server's symptom.
    pub fn login_symptom(&self) -> Symptom<'a> {
        self.login().map_or(Symptom::Untested, Symptom::of)
    }

    /// Every endpoint of the registry that was probed (a wrong first guess at the login server left out).
    pub fn endpoints(&self) -> impl Iterator<Item = &'a EndpointObservation> {
        let login = self.login().map(|e| e.host.clone());
        self.probe
            .into_iter()
            .flat_map(|p| &p.endpoints)
            .filter(move |e| e.role != EndpointRole::Login || Some(&e.host) == login.as_ref())
    }

    /// The endpoints that carry blobs.
    pub fn data_endpoints(&self) -> impl Iterator<Item = &'a EndpointObservation> {
        self.endpoints().filter(|e| matches!(e.role, EndpointRole::Data | EndpointRole::Storage))
    }

    /// The cloud's own endpoints.
    pub fn controls(&self) -> impl Iterator<Item = &'a EndpointObservation> {
        self.probe.into_iter().flat_map(|p| &p.controls)
    }

    /// Registry endpoints and controls alike.
    pub fn everything(&self) -> impl Iterator<Item = &'a EndpointObservation> {
        self.endpoints().chain(self.controls())
    }

    /// `publicNetworkAccess`, if known.
    pub fn public_access(&self) -> Option<&'a PublicNetworkAccess> {
        self.know("publicNetworkAccess", &self.registry?.public_network_access)
    }

    /// Whether public access is known to be off.
    pub fn public_access_disabled(&self) -> bool {
        self.public_access() == Some(&PublicNetworkAccess::Disabled)
    }

    /// The rule set, if known; `Some(None)`: the registry has none.
    pub fn rules(&self) -> Option<Option<&'a NetworkRuleSet>> {
        self.know("networkRuleSet", &self.registry?.network_rule_set).map(Option::as_ref)
    }

    /// Whether the default action is known to be Deny.
    pub fn default_deny(&self) -> bool {
        self.rules().flatten().is_some_and(|r| r.default_action == DefaultAction::Deny)
    }

    /// Whether anything at all restricts the public endpoint, as far as is known.
    pub fn network_restricted(&self) -> bool {
        self.public_access_disabled() || self.default_deny()
    }

    /// The subnet rules, if an API version showed them; an empty slice where the registry has no rule set.
    pub fn subnet_rules(&self) -> Option<Vec<&'a ResourceId>> {
        match self.rules()? {
            None => Some(Vec::new()),
            Some(rules) => self
                .know("networkRuleSet.virtualNetworkRules", &rules.virtual_network_rules)
                .map(|list| list.iter().map(|r| &r.subnet).collect()),
        }
    }

    /// Whether an IP rule covers the address.
    pub fn ip_rule_covers(&self, address: IpAddr) -> bool {
        let address = IpNet::from(address);
        self.rules().flatten().is_some_and(|rules| {
            rules.ip_rules.iter().filter_map(|r| r.range).any(|range| IpNet::V4(range).contains(&address))
        })
    }

    /// The connections in any state.
    pub fn connections(&self) -> &'a [PrivateEndpointConnection] {
        self.registry
            .and_then(|r| self.know("privateEndpointConnections", &r.private_endpoint_connections))
            .map_or(&[], Vec::as_slice)
    }

    /// The approved connections.
    pub fn approved(&self) -> Vec<&'a PrivateEndpointConnection> {
        self.registry.map(|r| place::approved(r).collect()).unwrap_or_default()
    }

    /// Private endpoints of this registry in networks that the client is known to reach.
    pub fn usable(&self) -> Vec<(&PrivateEndpointConnection, &PrivateEndpoint)> {
        self.registry.map(|r| place::usable_connections(self.config, r, &self.place).collect()).unwrap_or_default()
    }

    /// Which private endpoint of this registry, in any state, owns an address. Networks that are not joined may use one
    /// range: then the one within reach, or else an approved one.
    pub fn owner_of(&self, address: IpAddr) -> Option<(&'a PrivateEndpointConnection, &'a PrivateEndpoint)> {
        let owners = self.connections().iter().filter_map(|connection| {
            let endpoint = connection.endpoint()?;
            let owns = endpoint.addresses.known()?.iter().any(|a| a.address == address);
            owns.then_some((connection, endpoint))
        });
        owners.max_by_key(|(connection, endpoint)| {
            let near = endpoint.virtual_network().and_then(|network| self.place.reaches(self.config, &network));
            (near == Some(true), connection.status == ConnectionStatus::Approved)
        })
    }

    /// Whether it is known which private endpoints this client reaches: all approved ones, and the networks between.
    pub fn private_ways_known(&self) -> bool {
        let Some(registry) = self.registry else { return false };
        if self.know("privateEndpointConnections", &registry.private_endpoint_connections).is_none() {
            return false;
        }
        self.approved().into_iter().all(|connection| {
            let Some(endpoint) = self.know("a private endpoint", &connection.private_endpoint) else { return false };
            let network = endpoint.as_ref().and_then(PrivateEndpoint::virtual_network);
            network.is_none_or(|network| self.place.reaches(self.config, &network).is_some())
        })
    }

    /// The same registry, seen by another client.
    #[must_use]
    pub fn from_place(&self, place: Place) -> Self {
        Self { place, ..Self::new(self.config, self.registry, None, self.options) }
    }

    /// Whether the addresses of every private endpoint of this registry were read.
    pub fn all_addresses_known(&self) -> bool {
        self.registry.is_some() && self.unread_of_private_link().is_none()
    }

    /// The fact without which it is not known which addresses this registry's private endpoints have.
    pub fn unread_of_private_link(&self) -> Option<&'static str> {
        const CONNECTIONS: &str = "privateEndpointConnections";
        let Some(connections) = self.know(CONNECTIONS, &self.registry?.private_endpoint_connections) else {
            return Some(CONNECTIONS);
        };
        connections.iter().find_map(|connection| {
            const ENDPOINT: &str = "private endpoint";
            const ADDRESSES: &str = "private endpoint's addresses";
            match self.know(ENDPOINT, &connection.private_endpoint) {
                Some(Some(endpoint)) => self.know(ADDRESSES, &endpoint.addresses).is_none().then_some(ADDRESSES),
                Some(None) => None,
                None => Some(ENDPOINT),
            }
        })
    }

    /// The private address that a private endpoint has for a name.
    pub fn private_address_for(&self, endpoint: &PrivateEndpoint, host: &Fqdn) -> Option<IpAddr> {
        let list = self.know("private endpoint's addresses", &endpoint.addresses)?;
        list.iter().find(|a| a.fqdns.contains(host)).map(|a| a.address)
    }

    /// The name of a host's record in a registry zone: `myreg.westeurope.data` for a data endpoint.
    pub fn record_name(&self, host: &Fqdn) -> String {
        let suffix = format!(".{}", self.config.cloud.registry_suffix);
        host.as_str().strip_suffix(&suffix).unwrap_or(host.as_str()).to_owned()
    }

    /// The private zones of the registry suffix that were read.
    pub fn zones(&self) -> &'a [PrivateDnsZone] {
        self.know("private DNS zones", &self.config.private_dns_zones).map_or(&[], Vec::as_slice)
    }

    /// The zones that could hold a record for a host: `privatelink.…`, and
    /// `<region>.data.privatelink.…`, which some keep beside it.
    pub fn zones_for(&self, host: &Fqdn) -> Vec<(&'a PrivateDnsZone, String)> {
        let record = self.record_name(host);
        self.zones()
            .iter()
            .filter_map(|zone| {
                let below = zone.name.as_str().strip_suffix(self.config.cloud.private_zone.as_str())?;
                let below = below.trim_end_matches('.');
                if below.is_empty() {
                    return Some((zone, record.clone()));
                }
                let name = record.strip_suffix(&format!(".{below}"))?;
                Some((zone, name.to_owned()))
            })
            .collect()
    }

    /// The record set of a zone with a name, if the records were read and it is there.
    pub fn record<'z>(&self, zone: &'z PrivateDnsZone, name: &str) -> Option<&'z RecordSet> {
        self.know("records of the private DNS zone", &zone.records)?.iter().find(|r| r.name.eq_ignore_ascii_case(name))
    }

    /// Whether a zone is linked to the client's network; `None`: not known.
    pub fn linked_here(&self, zone: &PrivateDnsZone) -> Option<bool> {
        let network = self.place.network.as_ref()?;
        self.know("links of the private DNS zone", &zone.links)?;
        zone.is_linked_to(network)
    }

    /// A subnet, if it was read and exists.
    pub fn subnet(&self, id: &ResourceId) -> Option<&'a Subnet> {
        let read = self.config.subnets.iter().find(|s| s.id == *id)?;
        self.know(&format!("subnet '{}'", id.name()), &read.subnet)?.as_ref()
    }

    /// A virtual network, if it was read and exists.
    pub fn network(&self, id: &ResourceId) -> Option<&'a VirtualNetwork> {
        let read = self.config.virtual_networks.iter().find(|n| n.id == *id)?;
        read.network.known()?.as_ref()
    }

    /// The subnet that the client is in, if it is known and was read.
    pub fn client_subnet(&self) -> Option<(&ResourceId, &'a Subnet)> {
        let id = self.place.subnet.as_ref()?;
        Some((id, self.subnet(id)?))
    }

    /// The security groups that the client's traffic passes on its way out, each with what it stands on. The interface's
    /// counts only where this very machine's was read.
    pub fn client_security_groups(&self) -> Vec<(&'static str, &'a NetworkSecurityGroup)> {
        let vm = self.probe.and_then(|p| p.vantage.azure_vm.known()?.as_ref());
        let interface = self.config.client_interface.known().filter(|i| vm.is_some_and(|vm| vm.id == i.machine));
        let of_interface = interface.and_then(|i| i.network_security_group.known()?.as_ref());
        let of_subnet = self.client_subnet().and_then(|(_, subnet)| subnet.network_security_group.known()?.as_ref());
        let on = |place, group: Option<&'a NetworkSecurityGroup>| group.map(|group| (place, group));
        [on("network interface", of_interface), on("subnet", of_subnet)].into_iter().flatten().collect()
    }

    /// Whether a data endpoint belongs to the home region.
    pub fn is_home(&self, region: Option<&Region>) -> bool {
        match (self.registry, region) {
            (Some(registry), Some(region)) => registry.location == *region,
            _ => true,
        }
    }

    /// The lookup that concerns this case: the one that did not end in a registry.
    pub fn lookup(&self) -> Option<&'a RegistryLookup> {
        if self.registry.is_some() {
            return None;
        }
        self.config.lookups.iter().find(|l| !matches!(l.outcome, LookupOutcome::Found { .. }))
    }

    /// Whether ARM could be asked at all.
    pub fn signed_in(&self) -> bool {
        matches!(self.config.sign_in, SignIn::SignedIn { .. })
    }

    /// Reads that failed.
    pub fn failed_reads(&self) -> &'a [FailedRead] {
        &self.config.failed_reads
    }
}

//! Subnet rules, which rows of Resource Graph may not show: asked of ARM where a verdict hangs on them.
//!
//! ARM has no documented way to read many registries of many subscriptions in one request, so this is a list for each
//! subscription. Subnets with the service endpoint say nothing either way: a rule may name one without it (which is a
//! finding), and one in a subscription that is not looked at.

use std::collections::{BTreeMap, HashMap};

use futures::future::join_all;
use serde_json::Value;

use super::super::read_error::ReadError;
use super::super::registry_requests;
use super::super::versions::{for_subnet_rules, shows_subnet_rules};
use super::super::wire::registry::{Origin, hides_subnet_rules, registry};
use super::{Run, SubnetRuleReads};
use crate::facts::registry::{ConnectionStatus, DefaultAction, NetworkRuleSet, PublicNetworkAccess};
use crate::facts::{Known, RegistryConfig, Unknown};

/// From this many registries of one subscription on, one list is cheaper than as many reads.
const LIST_FROM: usize = 3;

/// Up to this many subscriptions everything that rows hide is asked for: at most two requests each.
const FEW_SUBSCRIPTIONS: usize = 10;
/// Why ARM was not asked, as the report says it.
const NOT_ASKED: &str = "not asked of ARM, since an IP rule or a private endpoint lets somebody in all the same";

impl SubnetRuleReads {
    /// Whether all registries with hidden subnet rules are asked about, or only those that may let nobody in.
    pub(super) fn all_of(self, subscriptions: usize) -> bool {
        match self {
            Self::All => true,
            Self::Deciding => false,
            Self::Auto => subscriptions <= FEW_SUBSCRIPTIONS,
        }
    }
}

/// Rule sets that ARM listed, by registry; the subscriptions that were listed.
pub(super) struct SubnetRules {
    all: bool,
    rule_sets: HashMap<String, (Known<Option<NetworkRuleSet>>, String)>,
    listed: BTreeMap<String, Option<ReadError>>,
}

/// Whether subnet rules have a say that the row hides: the public endpoint listens, and refuses whoever no rule names.
fn have_a_say(registry: &RegistryConfig) -> bool {
    let denies = |set: &NetworkRuleSet| set.default_action == DefaultAction::Deny;
    registry.network_rule_set.known().and_then(Option::as_ref).is_some_and(denies)
        && registry.public_network_access != Known::Known(PublicNetworkAccess::Disabled)
        && hides_subnet_rules(registry)
}

/// Whether they decide if anybody gets in at all: nothing else is known that lets somebody in.
fn decide(registry: &RegistryConfig) -> bool {
    let no_ip_rule = |set: &NetworkRuleSet| set.ip_rules.is_empty();
    let approved = registry.private_endpoint_connections.known().into_iter().flatten();
    registry.network_rule_set.known().and_then(Option::as_ref).is_some_and(no_ip_rule)
        && approved.filter(|c| c.status == ConnectionStatus::Approved).count() == 0
}

impl SubnetRules {
    /// Of an inventory of so many subscriptions.
    pub(super) fn new(run: &Run<'_>, subscriptions: usize) -> Self {
        let all = run.request.subnet_rules.all_of(subscriptions);
        Self { all, rule_sets: HashMap::new(), listed: BTreeMap::new() }
    }

    /// Gives registries the subnet rules that their rows hide, as far as ARM is to be asked; to the others the reason.
    pub(super) async fn complete(&mut self, run: &Run<'_>, registries: &mut [RegistryConfig]) {
        let mut wanted: BTreeMap<String, Vec<&mut RegistryConfig>> = BTreeMap::new();
        for registry in registries.iter_mut().filter(|r| have_a_say(r)) {
            if !(self.all || decide(registry)) {
                leave_unknown(registry);
                continue;
            }
            wanted.entry(registry.id.subscription().to_ascii_lowercase()).or_default().push(registry);
        }
        let lists = |(id, own): &(&String, &Vec<_>)| own.len() >= LIST_FROM && !self.listed.contains_key(*id);
        let to_list: Vec<String> = wanted.iter().filter(lists).map(|(id, _)| id.clone()).collect();
        let lists = join_all(to_list.iter().map(|id| list(run, id))).await;
        for (id, read) in to_list.into_iter().zip(lists) {
            let error = read.error;
            for (document, version) in read.items.into_iter().map(|document| (document, read.version.clone())) {
                self.take(&document, version);
            }
            if let Some(error) = &error {
                run.arm.note(&format!("subnet rules of the registries in subscription {id}"), error);
            }
            self.listed.insert(id, error);
        }
        let alone = |r: &RegistryConfig| !self.listed.contains_key(&r.id.subscription().to_ascii_lowercase());
        let single: Vec<_> = wanted.values().flatten().filter(|r| alone(r)).map(|r| r.id.clone()).collect();
        for (id, read) in join_all(single.iter().map(|id| async move { (id, get(run, id).await) })).await {
            match read {
                Ok((document, version)) => self.take(&document, version),
                Err(error) => {
                    run.arm.note(&format!("subnet rules of '{}'", id.name()), &error);
                    self.rule_sets.insert(id.key(), (error.known(), String::new()));
                }
            }
        }
        for registry in wanted.into_values().flatten() {
            self.put_into(registry);
        }
    }

    fn take(&mut self, document: &Value, version: String) {
        if let Ok(read) = registry(document, Origin::Answer(&version)) {
            self.rule_sets.insert(read.id.key(), (read.network_rule_set, version));
        }
    }

    fn put_into(&mut self, registry: &mut RegistryConfig) {
        let subscription = registry.id.subscription().to_ascii_lowercase();
        let own = match self.rule_sets.remove(&registry.id.key()) {
            Some((set @ Known::Known(_), version)) => {
                registry.network_rule_set = set;
                registry.api_versions.push(version);
                return;
            }
            Some((Known::Unknown(unknown), _)) => Some(unknown),
            None => self.listed.get(&subscription).and_then(Option::as_ref).map(ReadError::unknown),
        };
        // ARM did not tell either: the row stays, and says why its subnet rules are not known.
        if let (Known::Known(Some(set)), Some(unknown)) = (&mut registry.network_rule_set, own) {
            set.virtual_network_rules = Known::Unknown(unknown);
        }
    }
}

fn leave_unknown(registry: &mut RegistryConfig) {
    if let Known::Known(Some(set)) = &mut registry.network_rule_set
        && let Known::Unknown(hidden) = &set.virtual_network_rules
    {
        let why = format!("{}; {NOT_ASKED}", hidden.why);
        set.virtual_network_rules = Known::Unknown(Unknown::needing(why, "--subnet-rules all"));
    }
}

struct Listed {
    items: Vec<Value>,
    version: String,
    error: Option<ReadError>,
}

/// All registries of a subscription, at a version that shows subnet rules if the cloud has one.
async fn list(run: &Run<'_>, subscription: &str) -> Listed {
    let read = registry_requests::list(run.arm, subscription, None).await;
    let offered = run.arm.offered_versions();
    let older = for_subnet_rules(offered.as_deref()).filter(|_| !shows_subnet_rules(&read.version));
    if let Some(version) = older {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry/registries");
        let listing = run.arm.list(&path, &version).await;
        if listing.error.is_none() {
            return Listed { items: listing.items, version, error: None };
        }
    }
    Listed { items: read.read.items, version: read.version, error: read.read.error }
}

/// One registry, likewise.
async fn get(run: &Run<'_>, id: &crate::facts::ResourceId) -> Result<(Value, String), ReadError> {
    let read = registry_requests::get(run.arm, id).await;
    let document = read.read?;
    let offered = run.arm.offered_versions();
    let older = for_subnet_rules(offered.as_deref()).filter(|_| !shows_subnet_rules(&read.version));
    if let Some(version) = older
        && let Ok(document) = registry_requests::get_at(run.arm, id, version.clone()).await
    {
        return Ok((document, version));
    }
    Ok((document, read.version))
}

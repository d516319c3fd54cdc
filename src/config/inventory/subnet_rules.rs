//! Subnet rules, which rows of Resource Graph may not show: asked of ARM where a verdict hangs on them.
//!
//! ARM has no documented way to read many registries of many subscriptions in one request, so this is a list for each
//! subscription. Subnets with the service endpoint say nothing either way: a rule may name one without it (which is a
//! finding), and one in a subscription that is not looked at.

use std::collections::{BTreeMap, HashMap};

use futures::future::join_all;
use serde_json::Value;

use super::super::read_error::ReadError;
use super::super::registry_requests::{self, with_subnet_rules};
use super::super::wire::registry::{Origin, hides_subnet_rules, registry};
use super::{Run, SubnetRuleReads, log_unread};
use crate::facts::registry::{ConnectionStatus, DefaultAction, NetworkRuleSet, PublicNetworkAccess};
use crate::facts::{Known, RegistryConfig, ResourceId, Unknown};

/// From this many registries of one subscription on, one list is cheaper than as many reads.
const LIST_FROM: usize = 2;

/// Up to this many subscriptions everything that rows hide is asked for: a request each.
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

/// Rule sets by registry, each with the API version that showed it, or why ARM did not tell.
type RuleSets = HashMap<String, (Known<Option<NetworkRuleSet>>, String)>;

/// Rule sets that ARM listed, by subscription; of those that the page at hand speaks of.
pub(super) struct SubnetRules {
    all: bool,
    listed: BTreeMap<String, Result<RuleSets, ReadError>>,
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
        Self { all, listed: BTreeMap::new() }
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
        // Pages go from subscription to subscription: what this one does not speak of is not needed again.
        self.listed.retain(|id, _| wanted.contains_key(id));
        let lists = |(id, own): &(&String, &Vec<_>)| own.len() >= LIST_FROM && !self.listed.contains_key(*id);
        let to_list: Vec<String> = wanted.iter().filter(lists).map(|(id, _)| id.clone()).collect();
        let lists = join_all(to_list.iter().map(|id| list(run, id))).await;
        for (id, read) in to_list.into_iter().zip(lists) {
            if let Err(error) = &read {
                log_unread(&format!("subnet rules of the registries in subscription {id}"), error);
            }
            self.listed.insert(id, read);
        }
        let alone = wanted.iter().filter(|(id, _)| !self.listed.contains_key(*id)).flat_map(|(_, own)| own);
        let alone: Vec<ResourceId> = alone.map(|registry| registry.id.clone()).collect();
        let reads = join_all(alone.iter().map(|id| get(run, id))).await;
        let mut alone: RuleSets = alone.iter().map(ResourceId::key).zip(reads).collect();
        for (subscription, registries) in wanted {
            for registry in registries {
                let found = match self.listed.get_mut(&subscription) {
                    Some(Ok(sets)) => sets.remove(&registry.id.key()),
                    Some(Err(error)) => Some((error.known(), String::new())),
                    None => alone.remove(&registry.id.key()),
                };
                put_into(registry, found);
            }
        }
    }
}

/// Puts a rule set in the place of the row's. Where ARM did not tell either, the row's stays, and says why its subnet
/// rules are not known.
fn put_into(registry: &mut RegistryConfig, found: Option<(Known<Option<NetworkRuleSet>>, String)>) {
    match (found, &mut registry.network_rule_set) {
        (Some((set @ Known::Known(_), version)), own) => {
            *own = set;
            registry.api_versions.push(version);
        }
        (Some((Known::Unknown(unknown), _)), Known::Known(Some(set))) => {
            set.virtual_network_rules = Known::Unknown(unknown);
        }
        _ => {}
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

/// The rule sets of all registries of a subscription.
async fn list(run: &Run<'_>, subscription: &str) -> Result<RuleSets, ReadError> {
    let path = &format!("/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry/registries");
    let ask = |version: String| async move { run.arm.list(path, &version).await.complete() };
    let read = with_subnet_rules(run.arm, ask).await;
    let (version, documents) = (read.version, read.read?);
    let read = |document: &Value| registry(document, Origin::Answer(&version)).ok();
    let sets = documents.iter().filter_map(read).map(|r| (r.id.key(), (r.network_rule_set, version.clone())));
    Ok(sets.collect())
}

/// One registry's.
async fn get(run: &Run<'_>, id: &ResourceId) -> (Known<Option<NetworkRuleSet>>, String) {
    let read = with_subnet_rules(run.arm, |version| registry_requests::get_at(run.arm, id, version)).await;
    let set = read.read.map(|document| match registry(&document, Origin::Answer(&read.version)) {
        Ok(registry) => registry.network_rule_set,
        Err(lacks) => Known::unknown(lacks),
    });
    let set = set.unwrap_or_else(|error| {
        log_unread(&format!("subnet rules of '{}'", id.name()), &error);
        error.known()
    });
    (set, read.version)
}

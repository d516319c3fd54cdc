//! The inventory by Resource Graph.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use serde_json::Value;
use tokio::sync::mpsc;

use super::super::read_error::ReadError;
use super::super::wire::Fields;
use super::super::wire::registry::{Origin, registry};
use super::feed::Feed;
use super::graph::Pages;
use super::scope::Subscriptions;
use super::subnet_rules::SubnetRules;
use super::tables::{Kinds, Table, Tables, judged, registry_behind, registry_below, take_network, take_plan, zones_of};
use super::{Batch, InventoryOutcome, Run, Scope, is_denied, log_unread, queries, unread};
use crate::facts::RegistryConfig;
use crate::facts::audit::UnreadScope;
use crate::facts::config::SubscriptionName;

/// What completes the registries of a page.
struct Judging<'a> {
    rules: SubnetRules,
    tables: Tables,
    below: Feed<'a>,
    endpoints: Feed<'a>,
}

impl Run<'_> {
    /// The whole inventory; an error means that Resource Graph is denied, and nothing was given to the sink.
    pub(super) async fn by_graph(
        &self,
        subscriptions: &mut Subscriptions,
        sink: &mut impl AsyncFnMut(Batch) -> ControlFlow<()>,
    ) -> Result<InventoryOutcome, ReadError> {
        let scope = subscriptions.scope();
        let mut outcome = InventoryOutcome::default();
        let mut pages = Pages::new(self.arm, queries::REGISTRIES, &scope);
        // Denied or not is decided by the first page; everything else is asked for at the same time.
        let (mut below, mut endpoints) = self.feeds(&scope);
        let (first, shown, mut tables, first_below, first_endpoints) = futures::join!(
            pages.next(),
            self.shown(&scope),
            self.tables(&scope),
            below.read_to(""),
            endpoints.read_to("")
        );
        let first = match first {
            Err(error) if is_denied(&error) => return Err(error),
            first => first,
        };
        match shown {
            Ok(shown) => outcome.unread.extend(subscriptions.seen(shown).into_iter().map(not_shown)),
            Err(error) => log_unread("the subscriptions in Resource Graph", &error),
        }
        outcome.subscriptions = subscriptions.known.len().saturating_sub(outcome.unread.len());
        tables.take(first_below, first_endpoints);
        let judging = Judging { rules: SubnetRules::new(self, subscriptions.known.len()), tables, below, endpoints };
        let (sender, receiver) = mpsc::channel(1);
        let reading = self.read_pages(first, pages, sender);
        let (failed, odd) = futures::join!(reading, self.judge_pages(receiver, judging, sink));
        outcome.unread.extend(failed.map(|error| unread("Resource Graph", None, &error)));
        outcome.unread.extend(odd);
        Ok(outcome)
    }

    /// Reads page after page; at most one waits while another is judged. Returns the error that ended it early.
    async fn read_pages(
        &self,
        first: Result<Option<Vec<Value>>, ReadError>,
        mut pages: Pages<'_>,
        sender: mpsc::Sender<Vec<Value>>,
    ) -> Option<ReadError> {
        let mut page = first;
        loop {
            match page {
                Ok(Some(rows)) => {
                    self.progress.listed(rows.len());
                    self.progress.expect(pages.announced());
                    if sender.send(rows).await.is_err() {
                        return None;
                    }
                }
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
            page = pages.next().await;
        }
    }

    /// Completes the registries of each page and gives them away. Returns rows that are no registry as we know it.
    async fn judge_pages(
        &self,
        mut receiver: mpsc::Receiver<Vec<Value>>,
        judging: Judging<'_>,
        sink: &mut impl AsyncFnMut(Batch) -> ControlFlow<()>,
    ) -> Vec<UnreadScope> {
        let Judging { mut rules, mut tables, mut below, mut endpoints } = judging;
        let mut odd = Vec::new();
        while let Some(rows) = receiver.recv().await {
            let count = rows.len();
            let mut registries = parsed(rows, &mut odd);
            self.progress.done_with(count - registries.len());
            let last = registries.iter().map(|registry| registry.id.key()).max().unwrap_or_default();
            let (below, endpoints, ()) =
                futures::join!(below.read_to(&last), endpoints.read_to(&last), rules.complete(self, &mut registries));
            tables.take(below, endpoints);
            tables.complete(&mut registries);
            tables.pass(last);
            if !registries.is_empty() {
                let facts = self.surrounded(registries, &tables);
                if sink(Batch { facts, ends: None }).await.is_break() {
                    return odd;
                }
            }
        }
        odd
    }

    pub(super) fn surrounded(&self, registries: Vec<RegistryConfig>, tables: &Tables) -> crate::facts::ConfigFacts {
        let mut facts = self.facts(registries);
        facts.subscriptions = tables.subscriptions_of(&facts.registries);
        facts.subnets = tables.subnets_of(&facts.registries);
        facts.virtual_networks = tables.networks_of(&facts.subnets);
        facts.private_dns_zones = tables.private_dns_zones();
        facts
    }

    async fn shown(&self, scope: &Scope) -> Result<Vec<SubscriptionName>, ReadError> {
        let mut shown = Vec::new();
        let take = |row: Value| {
            let fields = Fields::of(&row);
            if let Some(id) = fields.text("subscriptionId").or_else(|| fields.text("id")?.rsplit('/').next()) {
                shown.push(SubscriptionName { id: id.to_ascii_lowercase(), name: fields.owned("name") });
            }
        };
        Pages::new(self.arm, queries::SUBSCRIPTIONS, scope).each(take).await.map(|()| shown)
    }

    /// What lies below registries, and the private endpoints that lead to them.
    fn feeds<'s>(&'s self, scope: &Scope) -> (Feed<'s>, Feed<'s>) {
        let parts = |query| Pages::of_each_part(self.arm, query, scope);
        let endpoints = Feed::new(parts(queries::PRIVATE_ENDPOINTS), registry_behind);
        (Feed::new(parts(queries::BELOW), registry_below), endpoints)
    }

    /// Everything else that registries refer to, all kinds side by side.
    async fn tables(&self, scope: &Scope) -> Tables {
        let (mut kinds, mut subnets, mut networks) = (Kinds::default(), HashMap::new(), Vec::new());
        let (mut zones, mut plans) = (Vec::new(), BTreeMap::new());
        let zone_query = queries::zones(&self.request.cloud.private_zone);
        let pages = |query| Pages::new(self.arm, query, scope);
        let (kinds_read, networks_read, zones_read, plans_read) = futures::join!(
            pages(queries::KINDS).each(|row| kinds.take(&row)),
            pages(queries::NETWORKS).each(|row| take_network(&mut subnets, &mut networks, &row)),
            pages(&zone_query).each(|row| zones.push(row)),
            pages(queries::DEFENDER).each(|row| take_plan(&mut plans, &row)),
        );
        if let Err(error) = kinds_read {
            log_unread("the kinds below registries, in Resource Graph", &error);
        }
        Tables {
            kinds,
            subnets: Table::read(subnets, networks_read, "virtual networks in Resource Graph"),
            networks,
            zones: Table::read(zones_of(&zones), zones_read, "private DNS zones in Resource Graph"),
            defender: Table::read(plans, plans_read, "Defender plans in Resource Graph"),
            ..Tables::default()
        }
    }
}

/// One odd registry is named and does not spoil its page.
pub(super) fn parsed(rows: Vec<Value>, odd: &mut Vec<UnreadScope>) -> Vec<RegistryConfig> {
    let read = |row: Value| match registry(&row, origin(&row)) {
        Ok(registry) => Some(judged(registry, |r| &mut r.unrecognised)),
        Err(lacks) => {
            let scope = Fields::of(&row).owned("id").unwrap_or_else(|| "a row without id".to_owned());
            odd.push(UnreadScope { scope, name: None, why: lacks, needs: None });
            None
        }
    };
    rows.into_iter().filter_map(read).collect()
}

/// Resource Graph names the API version by which it read a row: what that version hides is unknown.
fn origin(row: &Value) -> Origin<'_> {
    row.get("apiVersion").and_then(Value::as_str).filter(|v| !v.is_empty()).map_or(Origin::Document, Origin::Answer)
}

fn not_shown(subscription: SubscriptionName) -> UnreadScope {
    UnreadScope {
        scope: subscription.id,
        name: subscription.name,
        why: "Resource Graph shows nothing of it to this sign-in: no right to read there, or no such subscription"
            .to_owned(),
        needs: Some("Microsoft.ContainerRegistry/registries/read".to_owned()),
    }
}

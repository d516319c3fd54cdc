//! Which subscriptions are meant.

use serde_json::Value;

use super::super::reader::RESOURCES;
use super::super::wire::{Fields, governance};
use super::{InventoryError, InventoryScope, Run, Scope};
use crate::facts::config::SubscriptionName;

/// api-version of managementGroups/descendants.
const MANAGEMENT_GROUPS: &str = "2020-05-01";

/// The subscriptions of a run.
pub(super) struct Subscriptions {
    /// Those known so far, in the order of their ids; of a management group none until somebody lists them.
    pub(super) known: Vec<SubscriptionName>,
    group: Option<String>,
}

impl Subscriptions {
    /// Names what the user asked for; lists subscriptions only where ids alone do not tell.
    pub(super) async fn of(run: &Run<'_>) -> Result<Self, InventoryError> {
        let mut known = match &run.request.scope {
            InventoryScope::ManagementGroup(group) => {
                return Ok(Self { known: Vec::new(), group: Some(group.clone()) });
            }
            InventoryScope::Subscriptions(asked) if asked.iter().all(|text| is_guid(text)) => {
                asked.iter().map(|id| SubscriptionName { id: id.to_ascii_lowercase(), name: None }).collect()
            }
            InventoryScope::Subscriptions(asked) => named(asked, &listed(run).await?)?,
            InventoryScope::All => listed(run).await?,
        };
        known.sort_by(|a, b| a.id.cmp(&b.id));
        known.dedup_by(|a, b| a.id == b.id);
        Ok(Self { known, group: None })
    }

    /// The scope as Resource Graph wants it.
    pub(super) fn scope(&self) -> Scope {
        match &self.group {
            Some(group) => Scope::ManagementGroup(group.clone()),
            None => Scope::Subscriptions(self.known.iter().map(|s| s.id.clone()).collect()),
        }
    }

    /// Takes the subscriptions that Resource Graph shows; returns those asked for of which it shows nothing.
    pub(super) fn seen(&mut self, mut shown: Vec<SubscriptionName>) -> Vec<SubscriptionName> {
        shown.sort_by(|a, b| a.id.cmp(&b.id));
        if self.group.is_some() {
            self.known = shown;
            return Vec::new();
        }
        let is_shown = |id: &str| shown.iter().any(|s| s.id == id);
        self.known.iter().filter(|s| !is_shown(&s.id)).cloned().collect()
    }

    /// Lists the subscriptions below the management group, where the scope is one.
    pub(super) async fn below_group(&mut self, run: &Run<'_>) -> Result<(), InventoryError> {
        let Some(group) = &self.group else { return Ok(()) };
        let escaped: String = url::form_urlencoded::byte_serialize(group.as_bytes()).collect();
        let path = format!("/providers/Microsoft.Management/managementGroups/{escaped}/descendants");
        let listing = run.arm.list(&path, MANAGEMENT_GROUPS).await;
        let what = || format!("the subscriptions below management group '{group}'");
        let items = listing.complete().map_err(|error| scope_error(what(), &error))?;
        self.known = items.iter().filter_map(descendant).collect();
        self.known.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(())
    }
}

fn scope_error(what: String, error: &super::ReadError) -> InventoryError {
    let unknown = error.unknown();
    InventoryError::Scope { what, why: unknown.why, needs: unknown.needs }
}

async fn listed(run: &Run<'_>) -> Result<Vec<SubscriptionName>, InventoryError> {
    let listing = run.arm.list("/subscriptions", RESOURCES).await;
    let items = listing.complete().map_err(|error| scope_error("the subscriptions".to_owned(), &error))?;
    Ok(items.iter().filter_map(governance::subscription).collect())
}

fn named(asked: &[String], all: &[SubscriptionName]) -> Result<Vec<SubscriptionName>, InventoryError> {
    let find = |text: &String| {
        let same = |s: &&SubscriptionName| {
            s.id.eq_ignore_ascii_case(text) || s.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(text))
        };
        let unseen = || is_guid(text).then(|| SubscriptionName { id: text.to_ascii_lowercase(), name: None });
        let found = all.iter().find(same).cloned().or_else(unseen);
        found.ok_or_else(|| InventoryError::NoSuchSubscription(text.clone()))
    };
    asked.iter().map(find).collect()
}

/// A row of managementGroups/descendants, if it is a subscription.
fn descendant(item: &Value) -> Option<SubscriptionName> {
    let fields = Fields::of(item);
    let kind = fields.text("type")?;
    kind.to_ascii_lowercase().ends_with("/subscriptions").then_some(())?;
    Some(SubscriptionName { id: fields.text("name")?.to_ascii_lowercase(), name: fields.owned("displayName") })
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

//! Finding registries: by id, by name or login server in the subscriptions that the credential sees.

use futures::future::join_all;
use serde_json::{Value, json};

use super::arm::Listing;
use super::read_error::ReadError;
use super::reader::{Found, RESOURCES, Reader};
use super::registry_requests;
use super::wire::{Fields, governance};
use crate::facts::config::{LookupOutcome, ReadFailure, RegistryLookup, SubscriptionName};
use crate::facts::{Known, RegistryConfig, RegistryName, RegistryReference, ResourceId};

/// So many registries of a subscription are read whole, at about a dozen requests each; of more, only the documents
/// that the list itself has.
const MOST_WHOLE: usize = 50;

/// In so many subscriptions at most, networks are listed before it is known which of them has the registry.
const MOST_WITH_NETWORKS: usize = 8;

/// Subscriptions and what was found in each.
struct Searched {
    subscription: SubscriptionName,
    version: String,
    listing: Listing,
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn unnamed(id: &str) -> SubscriptionName {
    SubscriptionName { id: id.to_ascii_lowercase(), name: None }
}

/// Whether a document is the registry that was asked for.
fn is_asked(document: &Value, reference: &RegistryReference) -> bool {
    let fields = Fields::of(document);
    let same = |member: &str, text: &str| fields.text(member).is_some_and(|t| t.eq_ignore_ascii_case(text));
    match reference {
        RegistryReference::Name(name) => same("name", name.as_str()),
        RegistryReference::LoginServer(host) => same("loginServer", host.as_str()),
        RegistryReference::Id(id) => same("id", id.as_str()),
    }
}

impl Reader<'_> {
    /// Finds a registry; `None` with an outcome that says why not.
    pub(super) async fn find(&self, reference: &RegistryReference) -> (RegistryLookup, Option<Found>) {
        let mut lookup = RegistryLookup {
            asked: reference.to_string(),
            outcome: LookupOutcome::NotFound { near_names: Vec::new(), name_taken: Known::default() },
            searched: Vec::new(),
        };
        if let Some(id) = self.exact_id(reference) {
            lookup.outcome = LookupOutcome::Found { id: id.clone() };
            lookup.searched.push(unnamed(id.subscription()));
            return (lookup, Some(Found { id, document: None, row: None }));
        }
        let mut searched = Vec::new();
        let first = match &self.request.subscription {
            Some(given) if is_guid(given) => Some(given.clone()),
            Some(_) => None,
            None => self.arm.session().default_subscription(),
        };
        let pinned = first.is_some() && self.request.subscription.is_some();
        // The list of subscriptions is asked for beside the first search: where that finds nothing, a round trip is saved.
        let subscriptions = async { if pinned { None } else { Some(self.list_subscriptions().await) } };
        let in_first = async {
            match &first {
                Some(first) => Some(self.search(unnamed(first)).await),
                None => None,
            }
        };
        let (subscriptions, in_first) = futures::join!(subscriptions, in_first);
        searched.extend(in_first);
        let mut found = pick(&searched, reference);
        if let (None, Some(listing)) = (&found, subscriptions) {
            match self.subscriptions_to_search(&listing) {
                Ok(subscriptions) => {
                    found = self.pick_from_inventory(reference, &subscriptions).await;
                    if found.is_none() {
                        let rest = subscriptions.into_iter().filter(|s| first.as_ref() != Some(&s.id)).collect();
                        searched.extend(self.search_with_networks(rest).await);
                        found = pick(&searched, reference);
                    }
                }
                Err(outcome) => {
                    lookup.outcome = outcome;
                    lookup.searched = searched.into_iter().map(|s| s.subscription).collect();
                    return (lookup, None);
                }
            }
        }
        if found.is_none() && searched.iter().any(|s| s.listing.error.is_some()) {
            // Whoever may read one registry only is refused the list, and still sees the registry's row.
            found = self.pick_from_inventory(reference, &[]).await;
        }
        lookup.outcome = match &found {
            Some(found) => LookupOutcome::Found { id: found.id.clone() },
            None => self.not_found(&searched, reference),
        };
        lookup.searched = searched.into_iter().map(|s| s.subscription).collect();
        if let LookupOutcome::NotFound { name_taken, .. } = &mut lookup.outcome {
            *name_taken = self.name_taken(reference, &lookup.searched).await;
        }
        (lookup, found)
    }

    /// The id, where the user gave it or all its parts.
    fn exact_id(&self, reference: &RegistryReference) -> Option<ResourceId> {
        match (reference, &self.request.subscription, &self.request.resource_group) {
            (RegistryReference::Id(id), ..) => Some(id.clone()),
            (RegistryReference::Name(name), Some(subscription), Some(group)) if is_guid(subscription) => format!(
                "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}"
            )
            .parse()
            .ok(),
            _ => None,
        }
    }

    async fn search(&self, subscription: SubscriptionName) -> Searched {
        let group = self.request.resource_group.as_deref();
        let listed = registry_requests::list(&self.arm, &subscription.id, group).await;
        Searched { subscription, version: listed.version, listing: listed.read }
    }

    /// Searches subscriptions that Resource Graph did not help with; beside each search, its networks are listed, so that
    /// what the registry's document leads to is there when the document is.
    async fn search_with_networks(&self, subscriptions: Vec<SubscriptionName>) -> Vec<Searched> {
        let few = subscriptions.len() <= MOST_WITH_NETWORKS;
        join_all(subscriptions.into_iter().map(|subscription| async {
            let id = subscription.id.clone();
            let networks = async {
                if few {
                    self.networks_ahead(&id).await;
                }
            };
            futures::join!(self.search(subscription), networks).0
        }))
        .await
    }

    async fn list_subscriptions(&self) -> Listing {
        self.arm.list("/subscriptions", RESOURCES).await
    }

    /// The subscriptions that the credential sees; with `--subscription NAME` the one of that name.
    fn subscriptions_to_search(&self, listing: &Listing) -> Result<Vec<SubscriptionName>, LookupOutcome> {
        if let Some(error) = listing.error.as_ref().filter(|_| listing.items.is_empty()) {
            self.arm.note("the list of subscriptions", error);
            let unknown = error.unknown();
            return Err(LookupOutcome::Unknown { why: unknown.why, needs: unknown.needs });
        }
        let all: Vec<SubscriptionName> = listing.items.iter().filter_map(governance::subscription).collect();
        let Some(given) = &self.request.subscription else {
            return if all.is_empty() {
                Err(LookupOutcome::Unknown {
                    why: "this identity sees no subscription".to_owned(),
                    needs: Some("Microsoft.ContainerRegistry/registries/read".to_owned()),
                })
            } else {
                Ok(all)
            };
        };
        let named = |s: &SubscriptionName| s.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(given.trim()));
        let chosen: Vec<SubscriptionName> =
            all.into_iter().filter(|s| named(s) || s.id.eq_ignore_ascii_case(given)).collect();
        if chosen.is_empty() {
            return Err(LookupOutcome::SubscriptionNotFound {
                subscription: given.clone(),
                message: "no subscription of this name is visible for this identity".to_owned(),
            });
        }
        Ok(chosen)
    }

    /// A row of the inventory that is the registry. Its document is read from ARM, which is never behind.
    async fn pick_from_inventory(&self, reference: &RegistryReference, within: &[SubscriptionName]) -> Option<Found> {
        let rows = self.inventory().await;
        let allowed =
            |id: &ResourceId| within.is_empty() || within.iter().any(|s| s.id.eq_ignore_ascii_case(id.subscription()));
        let candidates = rows.iter().filter(|row| is_asked(row, reference));
        let ids = candidates.filter_map(|row| Some((Fields::of(row).id("id")?, row)));
        let is_registry = |id: &ResourceId| {
            id.resource_type().is_some_and(|t| t.eq_ignore_ascii_case("Microsoft.ContainerRegistry/registries"))
        };
        let group = self.request.resource_group.as_deref();
        let in_group = |id: &ResourceId| {
            group.is_none_or(|g| id.resource_group().is_some_and(|of_id| of_id.eq_ignore_ascii_case(g)))
        };
        let (id, row) = { ids }.find(|(id, _)| is_registry(id) && allowed(id) && in_group(id))?;
        Some(Found { id, document: None, row: Some(row.clone()) })
    }

    fn not_found(&self, searched: &[Searched], reference: &RegistryReference) -> LookupOutcome {
        let mut failures = Vec::new();
        for search in searched {
            if let Some(error) = &search.listing.error {
                self.arm.note(&format!("registries of subscription {}", search.subscription.id), error);
                failures.push(error);
            }
        }
        if let Some(error) = failures.iter().find(|e| e.is_missing_subscription())
            && let Some(given) = &self.request.subscription
        {
            return LookupOutcome::SubscriptionNotFound { subscription: given.clone(), message: error.message.clone() };
        }
        if let Some(error) = failures.first() {
            let unknown = error.unknown();
            let (failed, all) = (failures.len(), searched.len());
            let why = format!("{failed} of {all} subscriptions could not be searched: {}", unknown.why);
            return LookupOutcome::Unknown { why, needs: unknown.needs };
        }
        let names = searched.iter().flat_map(|s| s.listing.items.iter()).filter_map(|d| Fields::of(d).text("name"));
        LookupOutcome::NotFound { near_names: near(names, reference), name_taken: Known::default() }
    }

    /// What it means that the registry's own GET failed.
    pub(super) async fn lookup_outcome(&self, error: &ReadError) -> LookupOutcome {
        if error.is_missing_subscription() {
            let subscription = error.resource.split('/').nth(2).unwrap_or_default().to_owned();
            return LookupOutcome::SubscriptionNotFound { subscription, message: error.message.clone() };
        }
        if error.failure == ReadFailure::NotFound
            && let Ok(id) = error.resource.parse::<ResourceId>()
        {
            let listed = registry_requests::list(&self.arm, id.subscription(), None).await;
            let names = listed.read.items.iter().filter_map(|d| Fields::of(d).text("name"));
            let searched = [unnamed(id.subscription())];
            let reference = RegistryReference::Id(id);
            let name_taken = self.name_taken(&reference, &searched).await;
            return LookupOutcome::NotFound { near_names: near(names, &reference), name_taken };
        }
        let unknown = error.unknown();
        LookupOutcome::Unknown { why: unknown.why, needs: unknown.needs }
    }

    /// Every registry of the subscription, each read whole.
    pub(super) async fn whole_subscription(&self) -> (Vec<RegistryLookup>, Vec<RegistryConfig>) {
        let given = self.request.subscription.clone();
        let failed = |outcome: LookupOutcome| {
            let asked = given.clone().unwrap_or_else(|| "the credential's subscription".to_owned());
            (vec![RegistryLookup { asked, outcome, searched: Vec::new() }], Vec::new())
        };
        let first = given.clone().filter(|g| is_guid(g)).or_else(|| match given {
            None => self.arm.session().default_subscription(),
            Some(_) => None,
        });
        let subscriptions = match first {
            Some(id) => vec![unnamed(&id)],
            None => match self.subscriptions_to_search(&self.list_subscriptions().await) {
                Ok(subscriptions) => subscriptions,
                Err(outcome) => return failed(outcome),
            },
        };
        let searched = join_all(subscriptions.into_iter().map(|s| self.search(s))).await;
        let documents: usize = searched.iter().map(|s| s.listing.items.len()).sum();
        if documents == 0 && searched.iter().any(|s| s.listing.error.is_some()) {
            return failed(self.not_found(&searched, &RegistryReference::Name(any_name())));
        }
        let mut found = Vec::new();
        for search in searched {
            if let Some(error) = &search.listing.error {
                self.arm.note(&format!("registries of subscription {}", search.subscription.id), error);
            }
            for document in search.listing.items {
                if let Some(id) = Fields::of(&document).id("id") {
                    found.push(Found { id, document: Some((document, search.version.clone())), row: None });
                } else {
                    let list = format!("/subscriptions/{}", search.subscription.id);
                    let error = ReadError::new(&list, ReadFailure::Malformed, "a registry without id in the list");
                    self.arm.note("a registry of the list", &error);
                }
            }
        }
        let brief = found.len() > MOST_WHOLE;
        if brief {
            let subscriptions: std::collections::BTreeSet<_> =
                found.iter().map(|f| f.id.subscription().to_owned()).collect();
            join_all(subscriptions.iter().map(|s| async move {
                futures::join!(self.zones_of(s), self.registration(s), self.defender(s));
            }))
            .await;
        }
        let read = join_all(found.into_iter().map(|found| async {
            let id = found.id.clone();
            let read = if brief { Self::registry_in_list(&found) } else { Box::pin(self.registry(found)).await };
            read.map_err(|error| self.arm.note(&format!("registry '{}'", id.name()), &error)).ok()
        }))
        .await;
        (Vec::new(), read.into_iter().flatten().collect())
    }

    pub(super) async fn query_inventory(&self) -> Vec<Value> {
        let cloud = &self.request.cloud;
        // Names are letters, digits, dots and hyphens by their types; a cloud file's suffix is filtered to be so.
        let plain =
            |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).collect::<String>();
        let suffix = plain(&cloud.registry_suffix);
        let registry = match &self.request.target {
            super::Target::Registry(RegistryReference::Name(name)) => format!("name =~ '{name}'"),
            super::Target::Registry(RegistryReference::LoginServer(host)) => {
                format!("properties.loginServer =~ '{host}'")
            }
            _ => "false".to_owned(),
        };
        let query = format!(
            "resources | where (type =~ 'microsoft.containerregistry/registries' and {registry}) \
             or (type =~ 'microsoft.network/privatednszones' and name endswith '{suffix}') \
             | project id, name, type, location, subscriptionId, properties"
        );
        let body = json!({ "query": query, "options": { "resultFormat": "objectArray", "$top": 1000 } });
        let path = "/providers/Microsoft.ResourceGraph/resources";
        match self.arm.query(path, "2022-10-01", &body).await {
            Ok(answer) => answer.get("data").and_then(Value::as_array).cloned().unwrap_or_default(),
            Err(error) => {
                // Only a help: everything in it is looked for by other ways too.
                tracing::debug!(why = %error.message, "no inventory");
                Vec::new()
            }
        }
    }
}

fn any_name() -> RegistryName {
    #[expect(clippy::expect_used, reason = "a literal that the type's own test covers")]
    "registry".parse().expect("a registry's name")
}

fn pick(searched: &[Searched], reference: &RegistryReference) -> Option<Found> {
    searched.iter().find_map(|search| {
        let document = search.listing.items.iter().find(|d| is_asked(d, reference))?;
        let id = Fields::of(document).id("id")?;
        Some(Found { id, document: Some((document.clone(), search.version.clone())), row: None })
    })
}

/// Names alike, likeliest first: at most a third of the letters differ.
fn near<'n>(names: impl Iterator<Item = &'n str>, reference: &RegistryReference) -> Vec<RegistryName> {
    let asked = match reference {
        RegistryReference::Name(name) => name.to_string(),
        RegistryReference::LoginServer(host) => host.first_label().split('-').next().unwrap_or_default().to_owned(),
        RegistryReference::Id(id) => id.name().to_ascii_lowercase(),
    };
    let mut near: Vec<(usize, RegistryName)> = names
        .filter_map(|n| n.parse::<RegistryName>().ok())
        .map(|name| (edits(&asked, name.as_str()), name))
        .filter(|(distance, name)| *distance * 3 <= asked.len() || name.as_str().starts_with(&asked))
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().map(|(_, name)| name).take(5).collect()
}

/// How many letters must be inserted, removed or replaced (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&row, j) + usize::from(x != *y);
            next.push(replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_those_with_few_letters_changed() {
        assert_eq!(edits("kitten", "sitting"), 3);
        let asked = RegistryReference::Name("myregistry".parse().unwrap());
        let names = ["myregistrie", "prodcontainers", "myregistry01", "myregistr", "x"];
        let near: Vec<String> = near(names.into_iter(), &asked).iter().map(ToString::to_string).collect();
        assert_eq!(near, ["myregistr", "myregistrie", "myregistry01"]);
    }
}

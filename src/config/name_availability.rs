//! Whether a registry that no searched subscription has exists elsewhere in the cloud.

use serde_json::json;

use super::reader::Reader;
use super::wire::registry_parts::name_availability;
use crate::facts::config::SubscriptionName;
use crate::facts::{Known, RegistryReference};

impl Reader<'_> {
    /// Whether the name is taken, also in subscriptions and tenants that this sign-in does not see. Only a help: where
    /// Azure does not answer, nothing is said.
    pub(super) async fn name_taken(&self, reference: &RegistryReference, searched: &[SubscriptionName]) -> Known<bool> {
        let name = match reference {
            RegistryReference::Name(name) => name.as_str(),
            RegistryReference::Id(id) => id.name(),
            RegistryReference::LoginServer(host) => host.first_label(),
        };
        let Some(subscription) = searched.first().filter(|_| name.bytes().all(|b| b.is_ascii_alphanumeric())) else {
            return Known::unknown("there is no subscription in which to ask, or the name has a domain name label");
        };
        let path =
            format!("/subscriptions/{}/providers/Microsoft.ContainerRegistry/checkNameAvailability", subscription.id);
        let body = json!({ "name": name, "type": "Microsoft.ContainerRegistry/registries" });
        match self.arm.query(&path, "2023-07-01", &body).await.map(|answer| name_availability(&answer)) {
            Ok(Some(answer)) if answer.name_available => Known::Known(false),
            // `Invalid` is another reason than `AlreadyExists`.
            Ok(Some(answer)) if answer.reason.as_deref().is_some_and(|r| r.eq_ignore_ascii_case("AlreadyExists")) => {
                Known::Known(true)
            }
            Ok(_) => Known::unknown("Azure does not say whether the name is taken"),
            Err(error) => error.known(),
        }
    }
}

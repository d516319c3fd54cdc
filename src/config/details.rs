//! One registry whole: its document, subnet rules by whichever version shows them, and everything below it.

use std::sync::OnceLock;

use futures::future::join_all;
use serde_json::Value;

use super::networks::Extent;
use super::read_error::ReadError;
use super::reader::{Found, Reader, listed};
use super::registry_requests::{self, Below, Versioned, below, with_subnet_rules_from};
use super::versions::for_subnet_rules;
use super::wire::registry::{Origin, hides_subnet_rules, registry};
use super::wire::registry_parts::{agent_pool, cache_rule, connected_registry, replication, task, usage};
use crate::facts::config::ReadFailure;
use crate::facts::registry::{DiagnosticSetting, Lock, PolicyAssignment, Sku, VirtualNetworkRule};
use crate::facts::{Known, RegistryConfig, ResourceId};

/// What stands below a registry, not yet facts: whether a refusal matters depends on the tier.
struct Parts {
    replications: Result<Vec<Value>, ReadError>,
    tasks: Result<Vec<Value>, ReadError>,
    agent_pools: Result<Vec<Value>, ReadError>,
    connected: Result<Vec<Value>, ReadError>,
    cache_rules: Result<Vec<Value>, ReadError>,
    usages: Result<Vec<Value>, ReadError>,
    locks: Known<Vec<Lock>>,
    policies: Known<Vec<PolicyAssignment>>,
    diagnostics: Known<Vec<DiagnosticSetting>>,
}

impl Reader<'_> {
    /// Reads a registry and all that belongs to it.
    pub(super) async fn registry(&self, found: Found) -> Result<RegistryConfig, ReadError> {
        let id = found.id;
        let subscription = id.subscription().to_owned();
        if let Some((document, version)) = found.document {
            // The document tells the tier: parts that only Premium has need not be asked for.
            let mut config = Self::parse(&id, &document, &version)?;
            let premium = !matches!(config.sku, Known::Known(Sku::Basic | Sku::Standard | Sku::Classic));
            (self.told)(&config);
            let early = OnceLock::from(config.clone());
            let (parts, (), (), (), ()) = futures::join!(
                self.parts_telling(&id, premium, &early),
                self.paths_in(&mut config),
                self.zones_of(&subscription),
                self.registration(&subscription),
                self.defender(&subscription),
            );
            self.put(&mut config, parts);
            return Ok(config);
        }
        let early = OnceLock::new();
        let own = async {
            let read = registry_requests::get(&self.arm, &id).await;
            let mut config = Self::parse(&id, &read.read?, &read.version)?;
            (self.told)(&config);
            early.get_or_init(|| config.clone());
            self.paths_in(&mut config).await;
            Ok::<_, ReadError>(config)
        };
        let ((), config, parts, (), (), ()) = futures::join!(
            self.ahead(found.row.as_ref()),
            own,
            self.parts_telling(&id, true, &early),
            self.zones_of(&subscription),
            self.registration(&subscription),
            self.defender(&subscription),
        );
        let mut config = config?;
        self.put(&mut config, parts);
        Ok(config)
    }

    /// A registry as the list shows it, where there are too many to read each whole.
    pub(super) fn registry_in_list(found: &Found) -> Result<RegistryConfig, ReadError> {
        let lost = || ReadError::new(found.id.as_str(), ReadFailure::Malformed, "a registry without a document");
        let (document, version) = found.document.as_ref().ok_or_else(lost)?;
        let mut config = Self::parse(&found.id, document, version)?;
        let why = "not read: too many registries at once; name this one to read it whole";
        if let Known::Known(connections) = &mut config.private_endpoint_connections {
            for connection in connections {
                connection.private_endpoint = Known::unknown(why);
            }
        }
        config.replications = Known::unknown(why);
        config.tasks = Known::unknown(why);
        config.agent_pools = Known::unknown(why);
        config.connected_registries = Known::unknown(why);
        config.cache_rules = Known::unknown(why);
        config.locks = Known::unknown(why);
        config.policy_assignments = Known::unknown(why);
        config.diagnostic_settings = Known::unknown(why);
        config.usages = Known::unknown(why);
        Ok(config)
    }

    /// Starts on what a row of Resource Graph says that there is, while ARM's own document is on its way: what both
    /// name is read once, and what only the row names is read in vain.
    async fn ahead(&self, row: Option<&Value>) {
        let Some(Ok(mut config)) = row.map(|row| registry(row, Origin::Document)) else { return };
        if let Known::Known(Some(set)) = &mut config.network_rule_set
            && !set.virtual_network_rules.is_known()
        {
            // Whether the row hides subnet rules is nothing that only a second GET of the registry could tell.
            set.virtual_network_rules = Known::Known(Vec::new());
        }
        self.paths_in(&mut config).await;
    }

    /// Reads the parts, and tells of the replicas before the networks are known, where the document is there by then.
    async fn parts_telling(&self, id: &ResourceId, premium: bool, early: &OnceLock<RegistryConfig>) -> Parts {
        let parts = self.parts(id, premium).await;
        if let (Some(config), Ok(listed)) = (early.get(), &parts.replications) {
            let replications =
                Known::Known(listed.iter().filter_map(|item| replication(item, Origin::Document)).collect());
            (self.told)(&RegistryConfig { replications, ..config.clone() });
        }
        parts
    }

    fn parse(id: &ResourceId, document: &Value, version: &str) -> Result<RegistryConfig, ReadError> {
        registry(document, Origin::Answer(version))
            .map_err(|lacks| ReadError::new(id.as_str(), ReadFailure::Malformed, lacks))
    }

    /// Subnet rules, private endpoints, and the networks that they lead to.
    async fn paths_in(&self, config: &mut RegistryConfig) {
        let rules = self.rule_networks(config);
        let ends = self.connections(&config.private_endpoint_connections);
        let (rules, ends) = futures::join!(rules, ends);
        config.private_endpoint_connections = ends;
        let Some((rules, version)) = rules else { return };
        if let Known::Known(Some(set)) = &mut config.network_rule_set {
            set.virtual_network_rules = rules;
        }
        config.api_versions.extend(version);
    }

    /// Reads the subnets of subnet rules, and first the rules themselves where the version in use hides them.
    async fn rule_networks(&self, config: &RegistryConfig) -> Option<(Known<Vec<VirtualNetworkRule>>, Option<String>)> {
        let set = config.network_rule_set.known()?.as_ref()?;
        let (rules, version) = if hides_subnet_rules(config) {
            self.hidden_rules(config).await
        } else {
            (set.virtual_network_rules.clone(), None)
        };
        if let Known::Known(rules) = &rules {
            join_all(rules.iter().map(|rule| async {
                futures::join!(
                    self.subnet(&rule.subnet, Extent::Rule),
                    self.network_of(&rule.subnet),
                    self.registration(rule.subnet.subscription()),
                );
            }))
            .await;
        }
        Some((rules, version))
    }

    /// A second GET with a version that shows subnet rules, just for them.
    async fn hidden_rules(&self, config: &RegistryConfig) -> (Known<Vec<VirtualNetworkRule>>, Option<String>) {
        let used = config.api_versions.first().cloned().unwrap_or_default();
        let Some(version) = for_subnet_rules(self.arm.offered_versions().as_deref()) else {
            return (
                Known::unknown(format!("no API version of this cloud shows subnet rules (asked with {used})")),
                None,
            );
        };
        let ask = |version| registry_requests::get_at(&self.arm, &config.id, version);
        let Versioned { version, read } = with_subnet_rules_from(&self.arm, version, ask).await;
        let error = match read.map(|document| registry(&document, Origin::Answer(&version))) {
            Ok(Ok(older)) => match older.network_rule_set {
                Known::Known(Some(set)) if set.virtual_network_rules.is_known() => {
                    return (set.virtual_network_rules, Some(version));
                }
                _ => ReadError::new(
                    config.id.as_str(),
                    ReadFailure::Malformed,
                    format!("api-version {version} shows none"),
                ),
            },
            Ok(Err(lacks)) => ReadError::new(config.id.as_str(), ReadFailure::Malformed, lacks),
            Err(error) => error,
        };
        if error.failure != ReadFailure::ApiVersion {
            self.arm.note(&format!("subnet rules of '{}'", config.name), &error);
        }
        let why = format!("api-version {used} does not show subnet rules, and {version} gave: {}", error.unknown().why);
        (Known::Unknown(crate::facts::Unknown { why, needs: error.action.clone() }), None)
    }

    async fn parts(&self, id: &ResourceId, premium: bool) -> Parts {
        let of_premium =
            |what: Below| async move { if premium { below(&self.arm, id, what).await } else { Ok(Vec::new()) } };
        let path = id.as_str();
        let diagnostics = format!("{path}/providers/Microsoft.Insights/diagnosticSettings");
        let (replications, agent_pools, connected, tasks, cache_rules, usages, rest) = futures::join!(
            of_premium(Below::Replications),
            of_premium(Below::AgentPools),
            of_premium(Below::ConnectedRegistries),
            below(&self.arm, id, Below::Tasks),
            below(&self.arm, id, Below::CacheRules),
            below(&self.arm, id, Below::Usages),
            async {
                let diagnostics = async { self.arm.list(&diagnostics, "2021-05-01-preview").await };
                futures::join!(self.locks(id), self.policy_assignments(id), diagnostics)
            },
        );
        let (locks, policies, diagnostics) = rest;
        let read = super::wire::governance::diagnostic_setting;
        let diagnostics = listed(&self.arm, &format!("diagnostic settings of '{}'", id.name()), diagnostics, read);
        if let Ok(pools) = &agent_pools {
            let subnets = pools.iter().filter_map(agent_pool).filter_map(|pool| pool.subnet);
            join_all(subnets.map(|subnet| async move { self.subnet(&subnet, Extent::Endpoint).await })).await;
        }
        Parts { replications, tasks, agent_pools, connected, cache_rules, usages, locks, policies, diagnostics }
    }

    fn put(&self, config: &mut RegistryConfig, parts: Parts) {
        let premium = !matches!(config.sku, Known::Known(Sku::Basic | Sku::Standard | Sku::Classic));
        let version = config.api_versions.first().cloned().unwrap_or_default();
        let registry = config.name.clone();
        let said = |what: &str| format!("{what} of '{registry}'");
        // Below Premium these lists are empty by definition, whatever the provider answers.
        let of_premium = |read: Result<Vec<Value>, ReadError>| if premium { read } else { Ok(Vec::new()) };
        let arm = &self.arm;
        config.replications = arm.known(&said("replications"), of_premium(parts.replications), |items| {
            items.iter().filter_map(|i| replication(i, Origin::Answer(&version))).collect()
        });
        config.tasks = arm.known(&said("tasks"), parts.tasks, |items| items.iter().filter_map(task).collect());
        config.agent_pools = arm
            .known(&said("agent pools"), of_premium(parts.agent_pools), |i| i.iter().filter_map(agent_pool).collect());
        config.connected_registries = arm.known(&said("connected registries"), of_premium(parts.connected), |items| {
            items.iter().filter_map(connected_registry).collect()
        });
        config.cache_rules =
            arm.known(&said("cache rules"), parts.cache_rules, |items| items.iter().filter_map(cache_rule).collect());
        config.usages = arm.known(&said("usages"), parts.usages, |items| items.iter().filter_map(usage).collect());
        config.locks = parts.locks;
        config.policy_assignments = parts.policies;
        config.diagnostic_settings = parts.diagnostics;
    }
}

//! A fact that is missing, and the facts as they would be were it known.

use std::borrow::Cow;

use crate::facts::config::SignIn;
use crate::facts::known::Unknown;
use crate::facts::{ConfigFacts, Finding, Known, ProbeFacts, RegistryConfig};
use crate::reconcile::case::Case;
use crate::reconcile::{Options, judge};

/// A fact that is missing, with each of the few things that it can be.
#[derive(Debug)]
pub(in crate::reconcile) struct Gap<'a> {
    /// As `unknowns` names it.
    pub(super) fact: String,
    /// Why it is missing, and what would supply it.
    pub(super) missing: Unknown,
    /// The facts, were it so.
    pub(super) worlds: Vec<Supposed<'a>>,
}

impl<'a> Gap<'a> {
    pub(super) fn new(
        fact: impl Into<String>,
        missing: &Unknown,
        worlds: impl IntoIterator<Item = Supposed<'a>>,
    ) -> Self {
        Self { fact: fact.into(), missing: missing.clone(), worlds: worlds.into_iter().collect() }
    }

    /// Of a fact of the registry: each value that it can have.
    pub(super) fn of_registry<T>(
        case: &Case<'a>,
        fact: &str,
        value: impl Fn(&RegistryConfig) -> &Known<T>,
        place: impl Fn(&mut RegistryConfig) -> &mut Known<T>,
        values: impl IntoIterator<Item = T>,
    ) -> Option<Self> {
        let missing = value(case.registry?).missing()?;
        let with = |value: T| Supposed::of(case).registry(|registry| *place(registry) = Known::Known(value));
        Some(Self::new(fact, missing, values.into_iter().map(with)))
    }
}

/// The facts of a case, of which one is supposed.
#[derive(Debug, Clone)]
pub(super) struct Supposed<'a> {
    config: Cow<'a, ConfigFacts>,
    registry: Option<Cow<'a, RegistryConfig>>,
    probe: Option<Cow<'a, ProbeFacts>>,
}

impl<'a> Supposed<'a> {
    /// The facts as they are.
    pub(super) fn of(case: &Case<'a>) -> Self {
        Self {
            config: Cow::Borrowed(case.config),
            registry: case.registry.map(Cow::Borrowed),
            probe: case.probe.map(Cow::Borrowed),
        }
    }

    /// The registry, which was not read, as it may be.
    pub(super) fn found(mut self, registry: RegistryConfig) -> Self {
        self.registry = Some(Cow::Owned(registry));
        self
    }

    /// Changes the registry, if there is one.
    pub(super) fn registry(mut self, change: impl FnOnce(&mut RegistryConfig)) -> Self {
        if let Some(registry) = &mut self.registry {
            change(registry.to_mut());
        }
        self
    }

    /// Changes what ARM says of everything else.
    pub(super) fn config(mut self, change: impl FnOnce(&mut ConfigFacts)) -> Self {
        let mut own = match self.config {
            Cow::Borrowed(config) => without_registries(config),
            Cow::Owned(config) => config,
        };
        change(&mut own);
        self.config = Cow::Owned(own);
        self
    }

    /// Changes what is known of the client.
    pub(super) fn probe(mut self, change: impl FnOnce(&mut ProbeFacts)) -> Self {
        if let Some(probe) = &mut self.probe {
            change(probe.to_mut());
        }
        self
    }

    /// What the rules would say.
    pub(super) fn judged(&self, options: &Options) -> Vec<Finding> {
        let case = Case::new(&self.config, self.registry.as_deref(), self.probe.as_deref(), options);
        judge(&case)
    }
}

/// A configuration's facts without the fleet that they came with: a case has its registry beside them.
fn without_registries(config: &ConfigFacts) -> ConfigFacts {
    ConfigFacts {
        cloud: config.cloud.clone(),
        sign_in: SignIn::clone(&config.sign_in),
        lookups: config.lookups.clone(),
        registries: Vec::new(),
        subscriptions: config.subscriptions.clone(),
        subnets: config.subnets.clone(),
        virtual_networks: config.virtual_networks.clone(),
        private_dns_zones: config.private_dns_zones.clone(),
        service_tags: config.service_tags.clone(),
        client_subnet: config.client_subnet.clone(),
        client_virtual_network: config.client_virtual_network.clone(),
        client_interface: config.client_interface.clone(),
        cluster: config.cluster.clone(),
        failed_reads: config.failed_reads.clone(),
    }
}

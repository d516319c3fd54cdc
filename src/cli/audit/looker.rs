//! `--probe`: each registry of an audit is looked at from here.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use url::Url;

use crate::cli::check::SessionTokens;
use crate::config::Session;
use crate::facts::endpoints::endpoints;
use crate::facts::{Cloud, ProbeFacts, RegistryConfig};
use crate::fleet::Prober;
use crate::probe::{self, PlannedEndpoint, ProbeRequest, Quiet};

use super::args::AuditArguments;

/// How registries are looked at.
pub(super) struct Looker {
    cloud: Cloud,
    timeout: Duration,
    proxy: Option<Url>,
    ca_file: Option<PathBuf>,
    tokens: SessionTokens,
}

impl Looker {
    pub(super) fn new(arguments: &AuditArguments, proxy: Option<Url>, cloud: &Cloud, session: &Session) -> Self {
        Self {
            cloud: cloud.clone(),
            timeout: arguments.probe_timeout,
            proxy,
            ca_file: arguments.azure.ca_file.clone(),
            tokens: SessionTokens(session.clone()),
        }
    }
}

#[async_trait]
impl Prober for Looker {
    async fn probe(&self, registry: &RegistryConfig) -> Option<ProbeFacts> {
        let request = ProbeRequest {
            timeout: self.timeout,
            proxy: self.proxy.clone(),
            ca_file: self.ca_file.clone(),
            ..ProbeRequest::new(registry.login_server.clone(), self.cloud.clone())
        };
        let planned = endpoints(registry, &self.cloud).into_iter();
        let planned = planned.map(|e| PlannedEndpoint { host: e.host, role: e.role, region: e.region });
        let planned = futures::stream::iter(planned).boxed();
        Some(Box::pin(probe::run(&request, planned, Some(&self.tokens), &Quiet)).await)
    }
}

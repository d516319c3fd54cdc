//! The facts as they grow, so that a probe that is broken off still tells what it knows.

use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;

use super::request::ProbeRequest;
use crate::facts::vantage::{HostKind, ProxySettings};
use crate::facts::{EndpointObservation, Known, ProbeFacts, Vantage};

/// A shared handle on the facts of a running probe. Clone it before [`super::run_recorded`];
/// [`Recorder::snapshot`] may be called at any time, e.g. on Ctrl-C.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Mutex<ProbeFacts>>);

impl Recorder {
    /// Empty facts for a request.
    pub fn new(request: &ProbeRequest) -> Self {
        Self(Arc::new(Mutex::new(ProbeFacts {
            asked: request.asked.clone(),
            login_server: request.login_server.clone(),
            started_at: OffsetDateTime::now_utc(),
            vantage: nowhere(),
            endpoints: Vec::new(),
            controls: Vec::new(),
            auth: Known::unknown("not reached"),
            pull: Known::unknown(if request.image.is_some() { "not reached" } else { "no --image given" }),
            runtime: Known::unknown("not reached"),
        })))
    }

    /// What is known so far.
    pub fn snapshot(&self) -> ProbeFacts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut ProbeFacts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Where a pull was sent on to, unless that endpoint is one of the registry's other roles.
    pub(super) fn redirect_target(&self, seen: &EndpointObservation) {
        let has_another_role = |e: &EndpointObservation| e.host == seen.host && e.role != seen.role;
        if !self.snapshot().endpoints.iter().any(has_another_role) {
            self.endpoint(seen);
        }
    }

    /// Puts the observation in the place of the endpoint's former one; the order is that of first sight.
    pub(super) fn endpoint(&self, seen: &EndpointObservation) {
        self.change(|facts| {
            let list = if super::plan::is_control(seen.role) { &mut facts.controls } else { &mut facts.endpoints };
            match list.iter_mut().find(|e| e.host == seen.host && e.role == seen.role) {
                Some(place) => *place = seen.clone(),
                None => list.push(seen.clone()),
            }
        });
    }
}

fn nowhere() -> Vantage {
    Vantage {
        hostname: String::new(),
        host_kind: HostKind::Other,
        os: std::env::consts::OS.to_owned(),
        addresses: Vec::new(),
        default_gateway: Known::default(),
        resolvers: Vec::new(),
        search_domains: Vec::new(),
        hosts_file: std::collections::BTreeMap::new(),
        proxy: ProxySettings::default(),
        subnet: Known::default(),
        virtual_network: Known::default(),
        egress_ip: Known::default(),
        azure_vm: Known::default(),
    }
}

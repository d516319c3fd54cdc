//! Looks from this machine, and only that: observations become facts.
//!
//! A healthy check asks, of the network, exactly this:
//!
//! | request | why |
//! |---|---|
//! | DNS A and AAAA, once an endpoint and a configured server | what the system uses against what each server says |
//! | one TCP connection an address, port 443 | each address by itself: drop, refusal and route differ |
//! | one TLS handshake an endpoint | the chain as presented |
//! | `GET /v2/` at the login server | the challenge, or the registry's refusal with the address that it saw |
//! | `GET /` at each data endpoint | that the registry, not a middlebox, answers there |
//! | `POST /oauth2/exchange` | that the registry takes this identity (only when signed in) |
//! | beside a proxy, the direct way as far as TCP | which of the two fails |
//! | with `--image`: a token, a manifest, a blob's redirect, one byte of it | the data path |
//!
//! Where something fails or is set oddly, besides: `CONNECT` at a proxy that NO_PROXY leads past, the name with search
//! domains behind it, other ClientHellos at an endpoint that answers none.
//!
//! On this host, over its socket: docker's `GET /info`, and with `--image` `GET /distribution/<image>/json`, by which the
//! daemon itself asks the registry from where it runs.
//!
//! The sign-in authority and ARM are connected to, up to TLS, as controls: nothing is asked of them here.

pub mod answer;
pub mod certificate;
pub mod climb;
pub mod climb_once;
pub mod connect;
pub mod credential;
pub mod excerpt;
pub mod exchange;
pub mod handshake;
pub mod host;
pub mod imds;
mod plan;
pub mod proxy;
pub mod pull;
mod recorder;
pub mod request;
pub mod resolve;
pub mod runtime;
pub mod system;
pub mod token;
pub mod tunnel;
pub mod watch;

use std::time::Duration;

use futures::future::{BoxFuture, Shared, join_all};
use futures::stream::{BoxStream, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use tokio::time::Instant as Deadline;

use crate::facts::http::{HttpObservation, HttpOutcome};
use crate::facts::report::StageStatus;
use crate::facts::{EndpointObservation, EndpointRole, ImageReference, Known, LoginServer, ProbeFacts, Secret, Stage};

use climb::{Climbed, Climber};
use climb_once::SharedClimbs;
use exchange::Connection;
use handshake::Trust;
use proxy::ProxyConfig;
pub use recorder::Recorder;
pub use request::{EntraTokens, Observer, PlannedEndpoint, ProbeRequest, Quiet};
use system::System;
use watch::Beside;

/// Endpoints that become known late get at least this long.
const LATE_ENDPOINTS: Duration = Duration::from_millis(1500);

/// Looks at the login server at once, and at each of `more_endpoints` as soon as it is known, all side by side.
///
/// Never fails: what does not work is what was to be found out.
pub async fn run(
    request: &ProbeRequest,
    more_endpoints: BoxStream<'_, PlannedEndpoint>,
    tokens: Option<&dyn EntraTokens>,
    observer: &dyn Observer,
) -> ProbeFacts {
    Box::pin(run_recorded(request, more_endpoints, tokens, observer, &Recorder::new(request))).await
}

/// As [`run`], writing into `recorder` as it goes, so that a run that is broken off leaves what it knew.
pub async fn run_recorded(
    request: &ProbeRequest,
    more_endpoints: BoxStream<'_, PlannedEndpoint>,
    tokens: Option<&dyn EntraTokens>,
    observer: &dyn Observer,
    recorder: &Recorder,
) -> ProbeFacts {
    let deadline = Deadline::now() + request.timeout;
    let system = System::read(request.dns_server);
    let proxy = ProxyConfig::read(request.proxy.as_ref());
    let trust = Trust::read(request.ca_file.as_deref());
    recorder.change(|facts| facts.vantage = host::vantage(request, &system, proxy.settings()));
    let place = async {
        let asked = request.azure_vm.clone().unwrap_or_else(|| imds::ask(request.imds));
        let vm = asked.await;
        recorder.change(|facts| facts.vantage.azure_vm = vm);
    };
    let climber = Climber {
        system: &system,
        proxy: &proxy,
        trust: trust.as_ref().map_err(|e| with_cause(e)),
        observer,
        recorder: Some(recorder),
        patience: request.timeout.mul_f64(0.4),
    };
    let ahead = tokens.map(|source| TokenAhead::new(source, &request.registry_audience));
    let tokens = ahead.as_ref().map(|ahead| ahead as &dyn EntraTokens);
    let run = Run { request, climber, shared: SharedClimbs::default(), tokens, recorder, deadline };
    let container_runtime = async {
        let root = request.runtime_root.as_deref();
        let seen = runtime::read(root, &request.login_server, request.image.as_ref(), deadline).await;
        recorder.change(|facts| facts.runtime = Known::Known(seen));
    };
    let whole = async {
        let (login, others) = (run.login(&request.login_server), run.others(more_endpoints));
        tokio::join!(login, others, run.controls(), place, container_runtime);
    };
    match &ahead {
        Some(ahead) => Beside::new(ahead.token.clone()).while_waiting(Box::pin(whole)).await,
        None => Box::pin(whole).await,
    }
    recorder.change(|facts| facts.endpoints.sort_by(|a, b| (a.role, &a.host).cmp(&(b.role, &b.host))));
    recorder.snapshot()
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// The registry's Entra token, asked for while its endpoint is still being climbed.
struct TokenAhead<'a> {
    source: &'a dyn EntraTokens,
    audience: &'a str,
    token: Shared<BoxFuture<'a, Result<Secret, String>>>,
}

impl<'a> TokenAhead<'a> {
    fn new(source: &'a dyn EntraTokens, audience: &'a str) -> Self {
        Self { source, audience, token: source.token(audience).shared() }
    }
}

impl EntraTokens for TokenAhead<'_> {
    fn token<'t>(&'t self, audience: &'t str) -> BoxFuture<'t, Result<Secret, String>> {
        if audience == self.audience { self.token.clone().boxed() } else { self.source.token(audience) }
    }
}

/// What the parts of one run share.
struct Run<'a> {
    request: &'a ProbeRequest,
    climber: Climber<'a>,
    shared: SharedClimbs<'a>,
    tokens: Option<&'a dyn EntraTokens>,
    recorder: &'a Recorder,
    deadline: Deadline,
}

impl Run<'_> {
    /// A login server, then tokens from its realm's host and the pull over the same connection.
    async fn login(&self, host: &LoginServer) {
        let planned = PlannedEndpoint { host: host.clone(), role: EndpointRole::Login, region: None };
        let Climbed { observation, connection, rest } = self.climber.climb(&planned, self.deadline).await;
        self.recorder.endpoint(&observation);
        let mut whole = observation.clone();
        let to_the_end = async {
            rest.add_to(&mut whole).await;
            self.recorder.endpoint(&whole);
        };
        tokio::join!(to_the_end, self.beyond(&observation, connection));
    }

    /// What is asked of a login server that has answered.
    async fn beyond(&self, login: &EndpointObservation, connection: Option<Connection>) {
        let Some(mut connection) = connection else { return };
        let tell = |ended| self.climber.observer.stage(&login.host, login.role, Stage::Auth, ended);
        tell(None);
        let given = self.authenticate(login, &mut connection).await;
        tell(Some(given.status()));
        self.recorder.change(|facts| facts.auth = given.observation);
        if let Some(image) = &self.request.image {
            self.pull(login, image, &mut connection, given.access.as_ref()).await;
        }
    }

    async fn authenticate(&self, login: &EndpointObservation, connection: &mut Connection) -> token::Tokens {
        let Self { request, tokens, deadline, .. } = *self;
        let elsewhere = token::realm_host(login, &request.cloud).filter(|realm| *realm != login.host);
        let Some(realm) = elsewhere else {
            return token::authenticate(request, login, connection, tokens, deadline).await;
        };
        let planned = PlannedEndpoint { host: realm, role: EndpointRole::Login, region: None };
        match self.climber.unrecorded().climb_to_tls(&planned, deadline).await.connection {
            Some(mut other) => token::authenticate(request, login, &mut other, tokens, deadline).await,
            None => token::Tokens::none("the challenge's realm is on another host, which cannot be reached"),
        }
    }

    async fn pull(
        &self,
        login: &EndpointObservation,
        image: &ImageReference,
        connection: &mut Connection,
        access: Option<&Secret>,
    ) {
        let tell = |ended| self.climber.observer.stage(&login.host, login.role, Stage::Pull, ended);
        tell(None);
        let parts = pull::Parts { climber: &self.climber, shared: &self.shared, cloud: &self.request.cloud };
        let pulled = Box::pin(pull::pull(&parts, connection, image, access, self.deadline)).await;
        let held = pulled.observation.data.as_ref().or(pulled.observation.blob.as_ref()).is_some_and(is_success);
        tell(Some(if held { StageStatus::Ok } else { StageStatus::Failed }));
        self.recorder.change(|facts| facts.pull = Known::Known(pulled.observation));
        if let Some(endpoint) = pulled.endpoint {
            self.recorder.redirect_target(&endpoint);
        }
    }

    /// The endpoints that the configuration names, each once.
    async fn others(&self, mut more: BoxStream<'_, PlannedEndpoint>) {
        let mut known: Vec<PlannedEndpoint> = Vec::new();
        let mut climbs = FuturesUnordered::new();
        let mut all_known = false;
        loop {
            tokio::select! {
                planned = more.next(), if !all_known => match planned {
                    None => all_known = true,
                    Some(planned) if planned.host == self.request.login_server => {}
                    Some(planned) if known.iter().any(|k| (&k.host, k.role) == (&planned.host, planned.role)) => {}
                    Some(planned) => {
                        known.push(planned.clone());
                        climbs.push(self.other(planned));
                    }
                },
                Some(()) = climbs.next(), if !climbs.is_empty() => {}
                else => return,
            }
        }
    }

    async fn other(&self, planned: PlannedEndpoint) {
        let deadline = self.deadline.max(Deadline::now() + LATE_ENDPOINTS);
        match planned.role {
            // A name with a domain name label: the first guess at the login server was wrong, and this is the true one.
            EndpointRole::Login => Box::pin(self.login(&planned.host)).await,
            EndpointRole::Data => {
                let seen = self.shared.look(&self.climber, &planned, deadline).await;
                self.recorder.endpoint(&seen);
            }
            _ => {
                let seen = self.climber.climb(&planned, deadline).await.whole().await;
                self.recorder.endpoint(&seen);
            }
        }
    }

    /// The cloud's own endpoints, up to TLS: they tell "this endpoint" from "nothing gets out".
    async fn controls(&self) {
        if !self.request.control_targets {
            return;
        }
        let targets = plan::controls(&self.request.cloud);
        join_all(targets.iter().map(async |planned| {
            let seen = self.climber.climb_to_tls(planned, self.deadline).await.whole().await;
            self.recorder.endpoint(&seen);
        }))
        .await;
    }
}

fn is_success(http: &HttpObservation) -> bool {
    matches!(&http.outcome, HttpOutcome::Answered(answer) if matches!(answer.status, 200..300))
}

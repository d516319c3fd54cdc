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
//! | with `--image`: a token, a manifest, a blob's redirect, one byte of it | the data path |
//!
//! On this host, over its socket: docker's `GET /info`, and with `--image` `GET /distribution/<image>/json`, by which the
//! daemon itself asks the registry from where it runs.
//!
//! The sign-in authority and ARM are connected to, up to TLS, as controls: nothing is asked of them here.

pub mod answer;
pub mod certificate;
pub mod climb;
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

use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use tokio::time::Instant as Deadline;

use crate::facts::{EndpointRole, Known, LoginServer, ProbeFacts};

use climb::{Climbed, Climber};
use handshake::Trust;
use proxy::ProxyConfig;
pub use recorder::Recorder;
pub use request::{EntraTokens, Observer, PlannedEndpoint, ProbeRequest, Quiet};
use system::System;

/// Endpoints that become known late get at least this long.
const LATE_ENDPOINTS: Duration = Duration::from_millis(1500);

/// Looks at the login server at once, and at `more_endpoints` when they are known, all side by side.
///
/// Never fails: what does not work is what was to be found out.
pub async fn run(
    request: &ProbeRequest,
    more_endpoints: BoxFuture<'_, Vec<PlannedEndpoint>>,
    tokens: Option<&dyn EntraTokens>,
    observer: &dyn Observer,
) -> ProbeFacts {
    Box::pin(run_recorded(request, more_endpoints, tokens, observer, &Recorder::new(request))).await
}

/// As [`run`], writing into `recorder` as it goes, so that a run that is broken off leaves what it knew.
pub async fn run_recorded(
    request: &ProbeRequest,
    more_endpoints: BoxFuture<'_, Vec<PlannedEndpoint>>,
    tokens: Option<&dyn EntraTokens>,
    observer: &dyn Observer,
    recorder: &Recorder,
) -> ProbeFacts {
    let started = Deadline::now();
    let deadline = started + request.timeout;
    let system = System::read(request.dns_server);
    let proxy = ProxyConfig::read(request.proxy.as_ref());
    let trust = Trust::read(request.ca_file.as_deref());
    recorder.change(|facts| facts.vantage = host::vantage(request, &system, proxy.settings()));
    let place = async {
        if request.azure_vm.is_none() {
            let vm = imds::azure_vm(request.imds).await;
            recorder.change(|facts| facts.vantage.azure_vm = vm);
        }
    };
    let climber = Climber {
        system: &system,
        proxy: &proxy,
        trust: trust.as_ref().map_err(|e| with_cause(e)),
        observer,
        patience: request.timeout.mul_f64(0.4),
    };
    tokio::join!(
        login(request, &climber, &request.login_server, tokens, deadline, recorder),
        others(request, &climber, more_endpoints, tokens, deadline, recorder),
        controls(request, &climber, deadline, recorder),
        place,
        async {
            let seen =
                runtime::read(request.runtime_root.as_deref(), &request.login_server, request.image.as_ref(), deadline)
                    .await;
            recorder.change(|facts| facts.runtime = Known::Known(seen));
        },
    );
    recorder.change(|facts| facts.endpoints.sort_by(|a, b| (a.role, &a.host).cmp(&(b.role, &b.host))));
    recorder.snapshot()
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// A login server, then tokens from its realm's host and the pull over the same connection.
async fn login(
    request: &ProbeRequest,
    climber: &Climber<'_>,
    host: &LoginServer,
    tokens: Option<&dyn EntraTokens>,
    deadline: Deadline,
    recorder: &Recorder,
) {
    let planned = PlannedEndpoint { host: host.clone(), role: EndpointRole::Login, region: None };
    let Climbed { observation, connection } = climber.climb(&planned, deadline).await;
    recorder.endpoint(&observation);
    let Some(mut connection) = connection else { return };
    let elsewhere = token::realm_host(&observation, &request.cloud).filter(|realm| realm != host);
    let given = match elsewhere {
        None => token::authenticate(request, &observation, &mut connection, tokens, deadline).await,
        Some(realm) => {
            let planned = PlannedEndpoint { host: realm, role: EndpointRole::Login, region: None };
            match climber.climb_to_tls(&planned, deadline).await.connection {
                Some(mut other) => token::authenticate(request, &observation, &mut other, tokens, deadline).await,
                None => token::Tokens::none("the challenge's realm is on another host, which cannot be reached"),
            }
        }
    };
    recorder.change(|facts| facts.auth = given.observation);
    let Some(image) = &request.image else { return };
    let pulled = pull::pull(climber, &request.cloud, &mut connection, image, given.access.as_ref(), deadline).await;
    recorder.change(|facts| {
        if let Some(endpoint) = pulled.endpoint.filter(|e| facts.endpoints.iter().all(|known| known.host != e.host)) {
            facts.endpoints.push(endpoint);
        }
        facts.pull = Known::Known(pulled.observation);
    });
}

/// The endpoints that the configuration names.
async fn others(
    request: &ProbeRequest,
    climber: &Climber<'_>,
    more: BoxFuture<'_, Vec<PlannedEndpoint>>,
    tokens: Option<&dyn EntraTokens>,
    deadline: Deadline,
    recorder: &Recorder,
) {
    let planned = more.await;
    let deadline = deadline.max(Deadline::now() + LATE_ENDPOINTS);
    join_all(planned.iter().filter(|p| p.host != request.login_server).map(async |planned| {
        // A name with a domain name label: the first guess at the login server was wrong, and this is the true one.
        if planned.role == EndpointRole::Login {
            return login(request, climber, &planned.host, tokens, deadline, recorder).await;
        }
        let seen = climber.climb(planned, deadline).await.observation;
        recorder.endpoint(&seen);
    }))
    .await;
}

/// The cloud's own endpoints, up to TLS: they tell "this endpoint" from "nothing gets out".
async fn controls(request: &ProbeRequest, climber: &Climber<'_>, deadline: Deadline, recorder: &Recorder) {
    if !request.control_targets {
        return;
    }
    let targets = plan::controls(&request.cloud);
    join_all(targets.iter().map(async |planned| {
        let seen = climber.climb_to_tls(planned, deadline).await.observation;
        recorder.endpoint(&seen);
    }))
    .await;
}

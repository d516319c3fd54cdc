//! One endpoint, rung by rung: name, proxy, TCP, TLS, HTTP.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::{Instant as Deadline, timeout};
use tokio_rustls::client::TlsStream;
use url::Url;

use super::connect::{Attempts, connect, connect_small};
use super::exchange::{Ask, Connection};
use super::handshake::{Handshake, Hello, Trust, shake};
use super::proxy::ProxyConfig;
use super::recorder::Recorder;
use super::request::{Observer, PlannedEndpoint};
use super::resolve::Asking;
use super::system::System;
use super::tunnel::{Tunnel, Wire, tunnel};
use super::watch::{Beside, Rest, Stragglers};
use crate::facts::http::HttpOutcome;
use crate::facts::probe::{DirectObservation, EndpointRole, Route, TcpOutcome};
use crate::facts::report::StageStatus;
use crate::facts::timings::{StepKind, step};
use crate::facts::tls::{TlsObservation, TlsOutcome};
use crate::facts::{EndpointObservation, Fqdn, Stage};

/// How long the way without the proxy is tried: time for a lost query or SYN to be sent again.
const DIRECT: Duration = Duration::from_millis(1500);

/// What every climb of a run shares.
pub struct Climber<'a> {
    /// Name resolution.
    pub system: &'a System,
    /// The proxy settings.
    pub proxy: &'a ProxyConfig,
    /// The trust store; the reason, where it could not be read.
    pub trust: Result<&'a Trust, String>,
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// Where each rung is noted as it is reached, for a run that is broken off; `None`: an endpoint that is none of the
    /// registry's own.
    pub recorder: Option<&'a Recorder>,
    /// How long a ClientHello may stay unanswered before other hellos are tried beside it.
    pub patience: Duration,
}

/// An endpoint as far as it went, and its connection if TLS is trusted.
pub struct Climbed<'a> {
    /// What was seen so far.
    pub observation: EndpointObservation,
    /// For requests; never there over an untrusted handshake.
    pub connection: Option<Connection>,
    /// What is still being observed, and does not hold up the connection's use.
    pub rest: Rest<'a>,
}

impl Climbed<'_> {
    /// The observation when nothing more is to come.
    pub async fn whole(self) -> EndpointObservation {
        let mut observation = self.observation;
        self.rest.add_to(&mut observation).await;
        observation
    }
}

impl<'a> Climber<'a> {
    /// The same, and nothing is noted before the caller does so.
    #[must_use]
    pub fn unrecorded(&self) -> Self {
        Self { recorder: None, trust: self.trust.clone(), ..*self }
    }

    fn begin(&self, seen: &EndpointObservation, stage: Stage) {
        self.observer.stage(&seen.host, seen.role, stage, None);
    }

    fn tell_of(&self, seen: &EndpointObservation, stage: Stage, held: bool) {
        let status = if held { StageStatus::Ok } else { StageStatus::Failed };
        self.observer.stage(&seen.host, seen.role, stage, Some(status));
    }

    /// Notes what is certain so far; a rung that is still being tried is left out.
    fn note(&self, seen: &EndpointObservation) {
        if let Some(recorder) = self.recorder {
            recorder.endpoint(seen);
        }
    }

    /// Up to and including the first HTTP answer.
    pub async fn climb(&self, planned: &PlannedEndpoint, deadline: Deadline) -> Climbed<'a> {
        let target = match planned.role {
            EndpointRole::Login | EndpointRole::Regional => "/v2/",
            EndpointRole::Data | EndpointRole::Storage | EndpointRole::Authority | EndpointRole::ResourceManager => "/",
        };
        Box::pin(self.climb_with(planned, Some(Ask::get(target)), deadline)).await
    }

    /// Up to and including TLS.
    pub async fn climb_to_tls(&self, planned: &PlannedEndpoint, deadline: Deadline) -> Climbed<'a> {
        Box::pin(self.climb_with(planned, None, deadline)).await
    }

    async fn climb_with(&self, planned: &PlannedEndpoint, ask: Option<Ask>, deadline: Deadline) -> Climbed<'a> {
        let mut seen = EndpointObservation {
            host: planned.host.clone(),
            role: planned.role,
            region: planned.region.clone(),
            dns: None,
            route: self.proxy.route(&planned.host),
            proxy: None,
            tcp: Vec::new(),
            tls: None,
            http: None,
            without_proxy: None,
            with_proxy: None,
            denied_clients: Vec::new(),
        };
        let (connection, rest) = match (&seen.route, self.proxy.url()) {
            (Route::Proxy { .. }, Some(url)) => Box::pin(self.climb_by_proxy(&mut seen, url, ask, deadline)).await,
            _ => self.climb_directly(&mut seen, ask, deadline).await,
        };
        Climbed { observation: seen, connection, rest }
    }

    /// Through the proxy's tunnel; the way without it is looked at meanwhile.
    async fn climb_by_proxy(
        &self,
        seen: &mut EndpointObservation,
        url: &Url,
        ask: Option<Ask>,
        deadline: Deadline,
    ) -> (Option<Connection>, Rest<'a>) {
        let host = seen.host.clone();
        let (system, name) = (self.system, host.clone());
        let mut direct = Beside::new(async move { direct(system, &name, deadline).await });
        self.begin(seen, Stage::Proxy);
        let measured = step(StepKind::Proxy, host.as_str(), "CONNECT");
        let made = direct.while_waiting(tunnel(self.system, self.proxy, url, &host, deadline)).await;
        drop(measured);
        let Tunnel { observation, wire, rest } = made;
        seen.proxy = Some(observation);
        self.note(seen);
        self.tell_of(seen, Stage::Proxy, wire.is_some());
        let connection = direct.while_waiting(Box::pin(self.ascend(seen, wire, ask, deadline))).await;
        (connection, Rest { own: Stragglers::default(), proxy: Some(rest), direct: Some(direct) })
    }

    /// Goes on with the answer that the system uses and the first address that connects; the other servers and
    /// addresses are observed meanwhile.
    async fn climb_directly(
        &self,
        seen: &mut EndpointObservation,
        ask: Option<Ask>,
        deadline: Deadline,
    ) -> (Option<Connection>, Rest<'a>) {
        self.begin(seen, Stage::Dns);
        let mut asking = Asking::start(self.system, &seen.host, deadline);
        let measured = step(StepKind::Dns, seen.host.as_str(), "A, AAAA");
        let addresses: Vec<_> = asking.decide().await.ips().collect();
        drop(measured);
        seen.dns = asking.so_far();
        self.note(seen);
        self.tell_of(seen, Stage::Dns, !addresses.is_empty());
        if !addresses.is_empty() {
            self.begin(seen, Stage::Tcp);
        }
        let mut attempts = Attempts::start(&addresses, 443, deadline);
        let measured = (!addresses.is_empty()).then(|| step(StepKind::Tcp, seen.host.as_str(), "port 443"));
        let stream = self.first_stream(seen, &mut attempts, deadline).await;
        drop(measured);
        seen.tcp = attempts.ended();
        self.note(seen);
        if !addresses.is_empty() {
            self.tell_of(seen, Stage::Tcp, stream.is_some());
        }
        let connection = self.ascend(seen, stream.map(Wire::Tcp), ask, deadline).await;
        let own = Stragglers { asking: Some(asking), attempts: Some(attempts) };
        (connection, Rest { own, ..Rest::default() })
    }

    /// The first connection. Where none stands soon and NO_PROXY is why the way is direct, the proxy is asked beside.
    async fn first_stream(
        &self,
        seen: &mut EndpointObservation,
        attempts: &mut Attempts,
        deadline: Deadline,
    ) -> Option<TcpStream> {
        let soon = timeout(DIRECT, attempts.first()).await;
        if let (Ok(Some(_)), _) | (Ok(None), None) = (&soon, self.proxy.url()) {
            return soon.ok().flatten();
        }
        let late = async { if soon.is_err() { attempts.first().await } else { None } };
        let Some(url) = self.proxy.url() else { return late.await };
        let patience = deadline.min(Deadline::now() + DIRECT);
        let (stream, tunnel) = tokio::join!(late, Box::pin(tunnel(self.system, self.proxy, url, &seen.host, patience)));
        seen.with_proxy = stream.is_none().then(|| Box::new(tunnel.observation));
        stream
    }

    /// TLS, and the request where one is asked for.
    async fn ascend(
        &self,
        seen: &mut EndpointObservation,
        wire: Option<Wire>,
        ask: Option<Ask>,
        deadline: Deadline,
    ) -> Option<Connection> {
        let wire = wire?;
        self.begin(seen, Stage::Tls);
        let connection = self.secure(seen, wire, deadline).await;
        if connection.is_none() {
            // An established handshake is noted with the answer that follows it: alone it would look like success.
            self.note(seen);
        }
        let mut connection = connection?;
        if let Some(ask) = ask {
            self.request(seen, &mut connection, ask, deadline).await;
        }
        Some(connection)
    }

    /// The first request over an endpoint's connection.
    pub async fn request(
        &self,
        seen: &mut EndpointObservation,
        connection: &mut Connection,
        ask: Ask,
        deadline: Deadline,
    ) {
        self.begin(seen, Stage::Http);
        let (http, _) = connection.send(ask, deadline).await;
        note_clock(&http.outcome, seen.tls.as_mut());
        let held = matches!(http.outcome, HttpOutcome::Answered(_));
        seen.http = Some(http);
        self.note(seen);
        self.tell_of(seen, Stage::Http, held);
    }

    async fn secure(&self, seen: &mut EndpointObservation, wire: Wire, deadline: Deadline) -> Option<Connection> {
        let trust = match &self.trust {
            Ok(trust) => *trust,
            Err(why) => {
                seen.tls = Some(untried(why));
                return None;
            }
        };
        let measured = step(StepKind::Tls, seen.host.as_str(), "handshake");
        let handshake = self.greet(trust, seen, wire, deadline).await;
        drop(measured);
        let outcome = handshake.observation.outcome.clone();
        self.tell_of(seen, Stage::Tls, outcome == TlsOutcome::Established);
        seen.tls = Some(handshake.observation);
        match (outcome, handshake.stream) {
            (TlsOutcome::Established, Some(stream)) => Connection::open(stream, &seen.host).await,
            (TlsOutcome::Expired | TlsOutcome::NotYetValid, Some(stream)) => {
                ask_the_time(seen, stream, deadline).await;
                None
            }
            _ => None,
        }
    }

    /// The usual hello; after a reset, or beside a silence, the second tries.
    async fn greet(
        &self,
        trust: &Trust,
        seen: &EndpointObservation,
        wire: Wire,
        deadline: Deadline,
    ) -> Handshake<Wire> {
        let mut first = Box::pin(shake(trust, wire, &seen.host, Hello::Usual, deadline));
        let Ok(mut handshake) = timeout(self.patience, &mut first).await else {
            let (mut handshake, (by_name, by_size)) =
                tokio::join!(first, self.try_again(trust, seen, &TlsOutcome::TimedOut, deadline));
            if handshake.stream.is_none() {
                handshake.observation.with_neutral_name = by_name;
                handshake.observation.with_small_hello = by_size;
            }
            return handshake;
        };
        let outcome = handshake.observation.outcome.clone();
        if matches!(outcome, TlsOutcome::Reset | TlsOutcome::TimedOut) {
            let (by_name, by_size) = self.try_again(trust, seen, &outcome, deadline).await;
            handshake.observation.with_neutral_name = by_name;
            handshake.observation.with_small_hello = by_size;
        }
        handshake
    }

    /// After a reset or silence: the same address with a neutral name tells SNI filtering from address filtering;
    /// after silence, a small ClientHello in small segments tells an MTU black hole.
    async fn try_again(
        &self,
        trust: &Trust,
        seen: &EndpointObservation,
        first: &TlsOutcome,
        deadline: Deadline,
    ) -> (Option<TlsOutcome>, Option<TlsOutcome>) {
        let Some(address) = seen.tcp.iter().find(|t| t.outcome == TcpOutcome::Connected).map(|t| t.address) else {
            return (None, None);
        };
        let to = std::net::SocketAddr::new(address, 443);
        let attempt = async |name: &Fqdn, hello: Hello| -> Option<TlsOutcome> {
            let stream = match hello {
                Hello::Usual => connect(to, deadline).await.1?,
                Hello::Small => connect_small(to, deadline).await?,
            };
            Some(shake(trust, stream, name, hello, deadline).await.observation.outcome)
        };
        let neutral: Option<Fqdn> = "www.example.com".parse().ok();
        let by_name = async {
            match &neutral {
                Some(name) => attempt(name, Hello::Usual).await,
                None => None,
            }
        };
        let by_size =
            async { if *first == TlsOutcome::TimedOut { attempt(&seen.host, Hello::Small).await } else { None } };
        tokio::join!(by_name, by_size)
    }
}

/// The way without the proxy, as far as TCP: it decides between findings.
async fn direct(system: &System, host: &Fqdn, deadline: Deadline) -> Option<DirectObservation> {
    let deadline = deadline.min(Deadline::now() + DIRECT);
    let mut asking = Asking::start(system, host, deadline);
    let addresses: Vec<_> = asking.decide().await.ips().collect();
    let mut attempts = Attempts::start(&addresses, 443, deadline);
    attempts.first().await;
    let (dns, tcp) = tokio::join!(asking.outcome(), attempts.outcomes());
    Some(DirectObservation { dns: dns?, tcp })
}

fn untried(why: &str) -> TlsObservation {
    TlsObservation {
        outcome: TlsOutcome::Failed { message: why.to_owned() },
        version: None,
        cipher: None,
        chain: Vec::new(),
        trust: "none".to_owned(),
        with_neutral_name: None,
        with_small_hello: None,
        clock_offset_seconds: None,
        ms: 0.0,
    }
}

/// Where a certificate is out of time, one request without any credential over the untrusted connection: only its `Date`
/// is looked at, which tells whose clock is wrong.
async fn ask_the_time(seen: &mut EndpointObservation, stream: TlsStream<Wire>, deadline: Deadline) {
    let deadline = deadline.min(Deadline::now() + DIRECT);
    if let Some(mut connection) = Connection::open(stream, &seen.host).await {
        let (http, _) = connection.send(Ask::get("/v2/"), deadline).await;
        note_clock(&http.outcome, seen.tls.as_mut());
    }
}

/// The server's clock against ours, from the `Date` header.
fn note_clock(outcome: &HttpOutcome, tls: Option<&mut TlsObservation>) {
    if let (HttpOutcome::Answered(answer), Some(tls)) = (outcome, tls) {
        tls.clock_offset_seconds = answer.date.map(|date| (date - OffsetDateTime::now_utc()).whole_seconds());
    }
}

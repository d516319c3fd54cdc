//! One endpoint, rung by rung: name, proxy, TCP, TLS, HTTP.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Instant as Deadline, timeout};

use super::connect::{Attempts, connect, connect_small};
use super::exchange::{Ask, Connection};
use super::handshake::{Handshake, Hello, Trust, shake};
use super::proxy::ProxyConfig;
use super::request::{Observer, PlannedEndpoint};
use super::resolve::Asking;
use super::system::System;
use super::tunnel::{Wire, tunnel};
use crate::facts::http::HttpOutcome;
use crate::facts::probe::{DirectObservation, EndpointRole, Route, TcpOutcome};
use crate::facts::report::StageStatus;
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
    /// How long a ClientHello may stay unanswered before other hellos are tried beside it.
    pub patience: Duration,
}

/// An endpoint as far as it went, and its connection if TLS is trusted.
pub struct Climbed {
    /// What was seen.
    pub observation: EndpointObservation,
    /// For requests; never there over an untrusted handshake.
    pub connection: Option<Connection>,
}

impl Climber<'_> {
    fn tell_of(&self, seen: &EndpointObservation, stage: Stage, held: bool) {
        let status = if held { StageStatus::Ok } else { StageStatus::Failed };
        self.observer.stage(&seen.host, seen.role, stage, Some(status));
    }

    /// Up to and including the first HTTP answer.
    pub async fn climb(&self, planned: &PlannedEndpoint, deadline: Deadline) -> Climbed {
        let target = match planned.role {
            EndpointRole::Login | EndpointRole::Regional => "/v2/",
            EndpointRole::Data | EndpointRole::Storage | EndpointRole::Authority | EndpointRole::ResourceManager => "/",
        };
        self.climb_with(planned, Some(Ask::get(target)), deadline).await
    }

    /// Up to and including TLS.
    pub async fn climb_to_tls(&self, planned: &PlannedEndpoint, deadline: Deadline) -> Climbed {
        self.climb_with(planned, None, deadline).await
    }

    async fn climb_with(&self, planned: &PlannedEndpoint, ask: Option<Ask>, deadline: Deadline) -> Climbed {
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
            denied_clients: Vec::new(),
        };
        let connection = match (&seen.route, self.proxy.url()) {
            (Route::Proxy { .. }, Some(url)) => {
                let url = url.clone();
                let through = async {
                    let (through, wire) = tunnel(self.system, self.proxy, &url, &planned.host, deadline).await;
                    self.tell_of(&seen, Stage::Proxy, wire.is_some());
                    seen.proxy = Some(through);
                    self.ascend(&mut seen, wire, ask, deadline).await
                };
                let (connection, direct) = tokio::join!(through, direct(self.system, &planned.host, deadline));
                seen.without_proxy = Some(Box::new(direct));
                connection
            }
            _ => self.climb_directly(&mut seen, ask, deadline).await,
        };
        Climbed { observation: seen, connection }
    }

    /// Goes on with the answer that the system uses and the first address that connects; the other servers and
    /// addresses are observed meanwhile.
    async fn climb_directly(
        &self,
        seen: &mut EndpointObservation,
        ask: Option<Ask>,
        deadline: Deadline,
    ) -> Option<Connection> {
        let mut asking = Asking::start(self.system, &seen.host, deadline);
        let addresses: Vec<_> = asking.decide().await.ips().collect();
        self.tell_of(seen, Stage::Dns, !addresses.is_empty());
        let mut attempts = Attempts::start(&addresses, 443, deadline);
        let stream = attempts.first().await;
        seen.tcp = attempts.so_far();
        self.tell_of(seen, Stage::Tcp, stream.is_some());
        let connection = self.ascend(seen, stream.map(Wire::Tcp), ask, deadline).await;
        let (dns, tcp) = tokio::join!(asking.outcome(), attempts.outcomes());
        seen.dns = Some(dns);
        seen.tcp = tcp;
        connection
    }

    /// TLS, and the request where one is asked for.
    async fn ascend(
        &self,
        seen: &mut EndpointObservation,
        wire: Option<Wire>,
        ask: Option<Ask>,
        deadline: Deadline,
    ) -> Option<Connection> {
        let mut connection = self.secure(seen, wire?, deadline).await?;
        if let Some(ask) = ask {
            let (http, _) = connection.send(ask, deadline).await;
            note_clock(&http.outcome, seen.tls.as_mut());
            self.tell_of(seen, Stage::Http, matches!(http.outcome, HttpOutcome::Answered(_)));
            seen.http = Some(http);
        }
        Some(connection)
    }

    async fn secure(&self, seen: &mut EndpointObservation, wire: Wire, deadline: Deadline) -> Option<Connection> {
        let trust = match &self.trust {
            Ok(trust) => *trust,
            Err(why) => {
                seen.tls = Some(untried(why));
                return None;
            }
        };
        let handshake = self.greet(trust, seen, wire, deadline).await;
        let outcome = handshake.observation.outcome.clone();
        self.tell_of(seen, Stage::Tls, outcome == TlsOutcome::Established);
        seen.tls = Some(handshake.observation);
        match (outcome, handshake.stream) {
            (TlsOutcome::Established, Some(stream)) => Connection::open(stream, &seen.host).await,
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
async fn direct(system: &System, host: &Fqdn, deadline: Deadline) -> DirectObservation {
    let deadline = deadline.min(Deadline::now() + DIRECT);
    let mut asking = Asking::start(system, host, deadline);
    let addresses: Vec<_> = asking.decide().await.ips().collect();
    let mut attempts = Attempts::start(&addresses, 443, deadline);
    attempts.first().await;
    let (dns, tcp) = tokio::join!(asking.outcome(), attempts.outcomes());
    DirectObservation { dns, tcp }
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

/// The server's clock against ours, from the `Date` header.
fn note_clock(outcome: &HttpOutcome, tls: Option<&mut TlsObservation>) {
    if let (HttpOutcome::Answered(answer), Some(tls)) = (outcome, tls) {
        tls.clock_offset_seconds = answer.date.map(|date| (date - OffsetDateTime::now_utc()).whole_seconds());
    }
}

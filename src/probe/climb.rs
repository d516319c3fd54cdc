//! One endpoint, rung by rung: name, proxy, TCP, TLS, HTTP.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant as Deadline;

use super::connect::{connect, connect_all, connect_small};
use super::exchange::{Ask, Connection};
use super::handshake::{Hello, Trust, shake};
use super::host::System;
use super::proxy::ProxyConfig;
use super::request::{Observer, PlannedEndpoint};
use super::resolve::resolve;
use super::tunnel::{Wire, tunnel};
use crate::facts::http::HttpOutcome;
use crate::facts::probe::{DirectObservation, EndpointRole, Route, TcpOutcome};
use crate::facts::report::StageStatus;
use crate::facts::tls::{TlsObservation, TlsOutcome};
use crate::facts::{EndpointObservation, Fqdn, Stage};

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
    /// The longest that one rung may take, so that second tries still fit.
    pub rung: Duration,
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

    /// The deadline of one rung.
    fn rung(&self, overall: Deadline) -> Deadline {
        overall.min(Deadline::now() + self.rung)
    }

    /// Up to and including the first HTTP answer.
    pub async fn climb(&self, planned: &PlannedEndpoint, deadline: Deadline) -> Climbed {
        let mut climbed = self.climb_to_tls(planned, deadline).await;
        let target = match planned.role {
            EndpointRole::Login | EndpointRole::Regional => "/v2/",
            EndpointRole::Data | EndpointRole::Storage | EndpointRole::Authority | EndpointRole::ResourceManager => "/",
        };
        if let Some(connection) = climbed.connection.as_mut() {
            let (http, _) = connection.send(Ask::get(target), deadline).await;
            note_clock(&http.outcome, climbed.observation.tls.as_mut());
            self.tell_of(&climbed.observation, Stage::Http, matches!(http.outcome, HttpOutcome::Answered(_)));
            climbed.observation.http = Some(http);
        }
        climbed
    }

    /// Up to and including TLS.
    pub async fn climb_to_tls(&self, planned: &PlannedEndpoint, deadline: Deadline) -> Climbed {
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
        let wire = match (&seen.route, self.proxy.url()) {
            (Route::Proxy { .. }, Some(url)) => {
                let url = url.clone();
                let (through, direct) = tokio::join!(
                    tunnel(self.system, self.proxy, &url, &planned.host, self.rung(deadline)),
                    self.direct(&planned.host, deadline)
                );
                seen.without_proxy = Some(Box::new(direct));
                self.tell_of(&seen, Stage::Proxy, through.1.is_some());
                seen.proxy = Some(through.0);
                through.1
            }
            _ => self.open_directly(&mut seen, deadline).await,
        };
        let connection = match wire {
            Some(wire) => self.secure(&mut seen, wire, deadline).await,
            None => None,
        };
        Climbed { observation: seen, connection }
    }

    async fn open_directly(&self, seen: &mut EndpointObservation, deadline: Deadline) -> Option<Wire> {
        let dns = resolve(self.system, &seen.host, self.rung(deadline)).await;
        let addresses: Vec<_> = dns.answer.ips().collect();
        self.tell_of(seen, Stage::Dns, !addresses.is_empty());
        seen.dns = Some(dns);
        let (tries, stream) = connect_all(&addresses, 443, self.rung(deadline)).await;
        seen.tcp = tries;
        self.tell_of(seen, Stage::Tcp, stream.is_some());
        stream.map(Wire::Tcp)
    }

    /// The way without the proxy, as far as TCP: it decides between findings.
    async fn direct(&self, host: &Fqdn, deadline: Deadline) -> DirectObservation {
        let dns = resolve(self.system, host, self.rung(deadline)).await;
        let addresses: Vec<_> = dns.answer.ips().collect();
        let (tcp, _) = connect_all(&addresses, 443, self.rung(deadline)).await;
        DirectObservation { dns, tcp }
    }

    async fn secure(&self, seen: &mut EndpointObservation, wire: Wire, deadline: Deadline) -> Option<Connection> {
        let trust = match &self.trust {
            Ok(trust) => *trust,
            Err(why) => {
                seen.tls = Some(untried(why));
                return None;
            }
        };
        let mut handshake = shake(trust, wire, &seen.host, Hello::Usual, self.rung(deadline)).await;
        let outcome = handshake.observation.outcome.clone();
        if matches!(outcome, TlsOutcome::Reset | TlsOutcome::TimedOut) {
            self.try_again(trust, seen, &outcome, &mut handshake.observation, deadline).await;
        }
        self.tell_of(seen, Stage::Tls, outcome == TlsOutcome::Established);
        seen.tls = Some(handshake.observation);
        match (outcome, handshake.stream) {
            (TlsOutcome::Established, Some(stream)) => Connection::open(stream, &seen.host).await,
            _ => None,
        }
    }

    /// After a reset or silence: the same address with a neutral name tells SNI filtering from address filtering;
    /// after silence, a small ClientHello in small segments tells an MTU black hole.
    async fn try_again(
        &self,
        trust: &Trust,
        seen: &EndpointObservation,
        first: &TlsOutcome,
        tls: &mut TlsObservation,
        deadline: Deadline,
    ) {
        let Some(address) = seen.tcp.iter().find(|t| t.outcome == TcpOutcome::Connected).map(|t| t.address) else {
            return;
        };
        let to = std::net::SocketAddr::new(address, 443);
        let attempt = async |name: &Fqdn, hello: Hello| -> Option<TlsOutcome> {
            let deadline = self.rung(deadline);
            let stream = match hello {
                Hello::Usual => connect(to, deadline).await.1?,
                Hello::Small => connect_small(to, deadline).await?,
            };
            Some(shake(trust, stream, name, hello, self.rung(deadline)).await.observation.outcome)
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
        (tls.with_neutral_name, tls.with_small_hello) = tokio::join!(by_name, by_size);
    }
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

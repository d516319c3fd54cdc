//! Name resolution, asked of each server by itself.
//!
//! Names are absolute: what search domains make of them is looked at beside.

mod search;
mod wire;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant as Deadline, timeout_at};

use super::system::nsswitch::{Source, Status, Step};
use super::system::resolv_conf::AskOptions;
use super::system::{NameServer, System};
use crate::facts::dns::{Address, DnsAnswer, DnsObservation, DnsOutcome, ServerAnswer, UpstreamAnswer};
use crate::facts::{Fqdn, Known};
use search::Search;

/// After a server has answered, those that stand before it, and the rest, get this long: a lost query is sent again.
const STRAGGLERS: Duration = Duration::from_millis(1500);

/// A name that is being asked for, of every server at once.
///
/// The answer is what programs on this host would use: the sources in the order of nsswitch.conf; of a source's servers
/// the first that says something about the name; a server that fails, or is silent while another answers, is passed over.
#[derive(Debug)]
pub struct Asking {
    name: Fqdn,
    pinned: Vec<IpAddr>,
    order: Vec<Step>,
    /// Places in `asked`.
    resolve: Vec<usize>,
    dns: Vec<usize>,
    /// The configured servers, then those behind a stub.
    asked: Vec<Asked>,
    running: JoinSet<(usize, ServerAnswer)>,
    searching: Search,
    started: Instant,
    decided: Option<(DnsAnswer, f64)>,
    by_hosts_file: bool,
}

/// One server, and what it said so far.
#[derive(Debug)]
struct Asked {
    server: NameServer,
    /// Of a server behind a stub.
    link: Option<Known<Option<String>>>,
    said: Option<ServerAnswer>,
}

impl Asking {
    /// Sends the queries.
    pub fn start(system: &System, name: &Fqdn, deadline: Deadline) -> Self {
        Self { searching: Search::start(system, name, deadline), ..Self::start_alone(system, name, deadline) }
    }

    /// The same without what the search list makes of the name.
    fn start_alone(system: &System, name: &Fqdn, deadline: Deadline) -> Self {
        let configured = system.servers.iter().cloned().map(|server| Asked { server, link: None, said: None });
        let behind = system.upstreams(name).into_iter().map(|upstream| Asked {
            server: NameServer { address: upstream.address, source: upstream.source() },
            link: Some(upstream.link),
            said: None,
        });
        let asked: Vec<Asked> = configured.chain(behind).collect();
        let mut running = JoinSet::new();
        for (index, Asked { server, link, .. }) in asked.iter().enumerate() {
            let (server, name) = (server.clone(), name.clone());
            let options = if link.is_some() { AskOptions::default() } else { system.options };
            running.spawn(async move { (index, ask(&server, &name, options, deadline).await) });
        }
        Self {
            name: name.clone(),
            pinned: system.pinned(name),
            order: system.order().to_vec(),
            resolve: system.servers_of(Source::Resolve).to_vec(),
            dns: system.servers_of(Source::Dns).to_vec(),
            asked,
            running,
            searching: Search::default(),
            started: Instant::now(),
            decided: None,
            by_hosts_file: false,
        }
    }

    /// What a program on this host would use, as soon as that is certain; the other servers go on being asked.
    pub async fn decide(&mut self) -> DnsAnswer {
        let answer = self.follow_the_order().await;
        self.decided = Some((answer.clone(), millis(self.started)));
        answer
    }

    async fn follow_the_order(&mut self) -> DnsAnswer {
        let mut last = None;
        for step in self.order.clone() {
            let answer = match step.source {
                Source::Files if self.pinned.is_empty() => None,
                Source::Files => Some(pinned_answer(&self.pinned)),
                Source::Resolve => self.decisive(&self.resolve.clone()).await,
                Source::Dns => self.decisive(&self.dns.clone()).await,
            };
            // Without a running systemd-resolved, `resolve` is not there.
            let absent = step.source == Source::Resolve && answer.is_none();
            let status = if absent { Status::Unavailable } else { Status::of(answer.as_ref()) };
            if let Some(answer) = answer {
                self.by_hosts_file = step.source == Source::Files;
                last = Some(answer);
            }
            if step.ends_with(status) {
                break;
            }
        }
        last.unwrap_or_else(|| self.nobody_asked())
    }

    fn nobody_asked(&self) -> DnsAnswer {
        let why = if self.asked.is_empty() {
            "no name server is configured"
        } else {
            "nsswitch.conf has neither dns nor resolve for hosts"
        };
        failed(DnsOutcome::Unreachable(why.to_owned()))
    }

    /// The answer of a group of servers; `None` if there are none.
    async fn decisive(&mut self, group: &[usize]) -> Option<DnsAnswer> {
        let patience = Deadline::from_std(self.started) + STRAGGLERS;
        loop {
            let said: Vec<Option<&DnsAnswer>> = self.said_by(group).collect();
            if let Some(answer) = decided(said.iter().copied()) {
                return Some(answer.clone());
            }
            if said.iter().all(Option::is_some) {
                return said.first().copied().flatten().cloned();
            }
            let later = said.iter().flatten().find(|answer| says(answer)).map(|answer| (*answer).clone());
            let ended = match later {
                None => self.running.join_next().await,
                Some(later) => match timeout_at(patience, self.running.join_next()).await {
                    Ok(ended) => ended,
                    Err(_) => return Some(later),
                },
            };
            match ended {
                Some(ended) => self.note(ended),
                None => return self.said_by(group).flatten().next().cloned(),
            }
        }
    }

    fn said_by(&self, group: &[usize]) -> impl Iterator<Item = Option<&DnsAnswer>> {
        let of = |index: &usize| self.asked.get(*index).map(|asked| asked.said.as_ref().map(|said| &said.answer));
        group.iter().filter_map(of)
    }

    fn note(&mut self, ended: Result<(usize, ServerAnswer), JoinError>) {
        if let Ok((index, said)) = ended
            && let Some(asked) = self.asked.get_mut(index)
        {
            asked.said = Some(said);
        }
    }

    /// What is certain: the answer, once it is decided on, and the servers that have answered.
    pub fn so_far(&self) -> Option<DnsObservation> {
        let (answer, ms) = self.decided.clone()?;
        let (mut servers, mut upstreams) = (Vec::new(), Vec::new());
        for asked in &self.asked {
            match (&asked.link, asked.said.clone()) {
                (None, Some(said)) => servers.push(said),
                (Some(link), Some(said)) => upstreams.push(UpstreamAnswer { link: link.clone(), said }),
                (_, None) => {}
            }
        }
        let hosts_file = if self.by_hosts_file { self.pinned.clone() } else { Vec::new() };
        Some(DnsObservation { name: self.name.clone(), hosts_file, answer, servers, upstreams, searched: None, ms })
    }

    /// Every server's answer besides the one decided on, after a last wait for the stragglers; `None` if nobody waited for
    /// a decision.
    pub async fn outcome(mut self) -> Option<DnsObservation> {
        let patience = Deadline::from_std(self.started) + STRAGGLERS;
        while let Ok(Some(ended)) = timeout_at(patience, self.running.join_next()).await {
            self.note(ended);
        }
        let waited = millis(self.started);
        for asked in &mut self.asked {
            asked.said.get_or_insert_with(|| silent(asked.server.clone(), waited));
        }
        let seen = self.so_far()?;
        let is_missing = matches!(seen.answer.outcome, DnsOutcome::NameNotFound | DnsOutcome::NoAddress);
        let searched = if self.by_hosts_file { None } else { Box::pin(self.searching.outcome(is_missing)).await };
        Some(DnsObservation { searched, ..seen })
    }
}

fn silent(server: NameServer, ms: f64) -> ServerAnswer {
    ServerAnswer {
        server: server.address,
        source: server.source,
        transport: "udp".to_owned(),
        answer: failed(DnsOutcome::TimedOut),
        ms,
    }
}

/// The answer that counts, if that is certain yet: the first, in order, of a server that says something, where all
/// before it have failed.
fn decided<'a>(mut servers: impl Iterator<Item = Option<&'a DnsAnswer>>) -> Option<&'a DnsAnswer> {
    servers.find(|said| said.is_none_or(says)).flatten()
}

fn says(answer: &DnsAnswer) -> bool {
    !answer.outcome.is_server_fault()
}

/// Milliseconds since an instant.
pub fn millis(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 10_000.0).round() / 10.0
}

fn pinned_answer(pinned: &[IpAddr]) -> DnsAnswer {
    let addresses = pinned.iter().map(|ip| Address { ip: *ip, ttl: 0 }).collect();
    DnsAnswer { outcome: DnsOutcome::Resolved, chain: Vec::new(), addresses }
}

fn failed(outcome: DnsOutcome) -> DnsAnswer {
    DnsAnswer { outcome, chain: Vec::new(), addresses: Vec::new() }
}

async fn ask(server: &NameServer, name: &Fqdn, options: AskOptions, deadline: Deadline) -> ServerAnswer {
    let started = Instant::now();
    // A program gives a server up after its own time, whatever `--timeout` is.
    let deadline = deadline.min(Deadline::now() + options.patience());
    let query = |kind| wire::query(server.address, name, kind, options, deadline);
    let ((v4, by_tcp), v6) = tokio::join!(query(RecordType::A), async {
        if options.no_aaaa { None } else { Some(query(RecordType::AAAA).await) }
    });
    let by_tcp = by_tcp || v6.as_ref().is_some_and(|(_, by_tcp)| *by_tcp);
    ServerAnswer {
        server: server.address,
        source: server.source.clone(),
        transport: if by_tcp { "tcp" } else { "udp" }.to_owned(),
        answer: match v6 {
            Some((v6, _)) => merge(v4, v6),
            None => v4,
        },
        ms: millis(started),
    }
}

/// One answer of the two for IPv4 and IPv6: IPv4's outcome counts unless only IPv6 has addresses.
fn merge(v4: DnsAnswer, v6: DnsAnswer) -> DnsAnswer {
    let (mut first, second) =
        if v4.outcome != DnsOutcome::Resolved && v6.outcome == DnsOutcome::Resolved { (v6, v4) } else { (v4, v6) };
    // A server that fails for AAAA alone answers all the same; one that fails for A and denies AAAA has failed.
    if first.chain.is_empty() {
        first.chain.clone_from(&second.chain);
    }
    if second.outcome == DnsOutcome::Resolved {
        first.addresses.extend(second.addresses);
    }
    first
}

#[cfg(test)]
mod tests;

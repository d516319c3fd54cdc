//! Name resolution, asked of each server by itself (RFC 1035 wire format by hickory-proto).
//!
//! Names are always absolute: search domains are never applied.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant as Deadline, timeout, timeout_at};

use super::host::{NameServer, System};
use crate::facts::Fqdn;
use crate::facts::dns::{Address, Alias, DnsAnswer, DnsObservation, DnsOutcome, ServerAnswer};

/// After this long without an answer a query is sent once more, as the C library's resolver does (5 s there).
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Aliases followed before a chain is taken for a loop.
const MAX_ALIASES: usize = 16;

/// After a server has answered, those that stand before it, and the rest, get this long: a lost query is sent again.
const STRAGGLERS: Duration = Duration::from_millis(1500);

/// A name that is being asked for, of every server at once.
///
/// The answer is what programs on this host would use: the hosts file first, then the first server in order that says
/// something about the name; a server that fails, or is silent while another answers, is passed over.
#[derive(Debug)]
pub struct Asking {
    name: Fqdn,
    pinned: Vec<IpAddr>,
    servers: Vec<(NameServer, Option<ServerAnswer>)>,
    running: JoinSet<(usize, ServerAnswer)>,
    started: Instant,
    decided: Option<(DnsAnswer, f64)>,
}

impl Asking {
    /// Sends the queries.
    pub fn start(system: &System, name: &Fqdn, deadline: Deadline) -> Self {
        let mut running = JoinSet::new();
        for (index, server) in system.servers.iter().cloned().enumerate() {
            let name = name.clone();
            running.spawn(async move { (index, ask(&server, &name, deadline).await) });
        }
        Self {
            name: name.clone(),
            pinned: system.pinned(name),
            servers: system.servers.iter().map(|server| (server.clone(), None)).collect(),
            running,
            started: Instant::now(),
            decided: None,
        }
    }

    /// What a program on this host would use, as soon as that is certain; the other servers go on being asked.
    pub async fn decide(&mut self) -> DnsAnswer {
        let answer = if self.pinned.is_empty() { self.decisive().await } else { pinned_answer(&self.pinned) };
        self.decided = Some((answer.clone(), millis(self.started)));
        answer
    }

    async fn decisive(&mut self) -> DnsAnswer {
        let patience = Deadline::from_std(self.started) + STRAGGLERS;
        loop {
            if let Some(answer) = decided(self.servers.iter().map(|(_, said)| said.as_ref().map(|s| &s.answer))) {
                return answer.clone();
            }
            let later = self.servers.iter().find_map(|(_, said)| said.as_ref().filter(|s| says(&s.answer)));
            let ended = match later {
                None => self.running.join_next().await,
                Some(later) => match timeout_at(patience, self.running.join_next()).await {
                    Ok(ended) => ended,
                    Err(_) => return later.answer.clone(),
                },
            };
            match ended {
                Some(ended) => self.note(ended),
                None => return self.first_failure(),
            }
        }
    }

    fn first_failure(&self) -> DnsAnswer {
        let first = self.servers.iter().find_map(|(_, said)| said.as_ref());
        first.map_or_else(
            || failed(DnsOutcome::Unreachable("no name server is configured".to_owned())),
            |said| said.answer.clone(),
        )
    }

    fn note(&mut self, ended: Result<(usize, ServerAnswer), JoinError>) {
        if let Ok((index, said)) = ended
            && let Some((_, place)) = self.servers.get_mut(index)
        {
            *place = Some(said);
        }
    }

    /// Every server's answer besides the one decided on, after a last wait for the stragglers.
    pub async fn outcome(mut self) -> DnsObservation {
        let patience = Deadline::from_std(self.started) + STRAGGLERS;
        while let Ok(Some(ended)) = timeout_at(patience, self.running.join_next()).await {
            self.note(ended);
        }
        let waited = millis(self.started);
        let (answer, ms) = self.decided.unwrap_or_else(|| (failed(DnsOutcome::TimedOut), waited));
        let silent = |server: NameServer| ServerAnswer {
            server: server.address,
            source: server.source,
            transport: "udp".to_owned(),
            answer: failed(DnsOutcome::TimedOut),
            ms: waited,
        };
        let servers = self.servers.into_iter().map(|(server, said)| said.unwrap_or_else(|| silent(server))).collect();
        DnsObservation { name: self.name, hosts_file: self.pinned, answer, servers, ms }
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

async fn ask(server: &NameServer, name: &Fqdn, deadline: Deadline) -> ServerAnswer {
    let started = Instant::now();
    let (v4, v6) = tokio::join!(
        query(server.address, name, RecordType::A, deadline),
        query(server.address, name, RecordType::AAAA, deadline)
    );
    let transport = if v4.1 || v6.1 { "tcp" } else { "udp" };
    ServerAnswer {
        server: server.address,
        source: server.source.clone(),
        transport: transport.to_owned(),
        answer: merge(v4.0, v6.0),
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

/// Asks over UDP, once more after [`RETRY_AFTER`], and over TCP after a truncated answer; whether TCP was used.
async fn query(server: SocketAddr, name: &Fqdn, kind: RecordType, deadline: Deadline) -> (DnsAnswer, bool) {
    let Ok(owner) = Name::from_ascii(format!("{name}.")) else {
        return (failed(DnsOutcome::Other("the name cannot be asked for".to_owned())), false);
    };
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(owner, kind));
    let Ok(packet) = message.to_vec() else {
        return (failed(DnsOutcome::Other("the name cannot be asked for".to_owned())), false);
    };
    match timeout_at(deadline, over_udp(server, &packet, message.metadata.id)).await {
        Err(_) => (failed(DnsOutcome::TimedOut), false),
        Ok(Err(error)) => (failed(DnsOutcome::Unreachable(error.kind().to_string())), false),
        Ok(Ok(answer)) if answer.metadata.truncation => match timeout_at(deadline, over_tcp(server, &packet)).await {
            Ok(Ok(answer)) => (read(name, kind, &answer), true),
            Ok(Err(_)) | Err(_) => (read(name, kind, &answer), false),
        },
        Ok(Ok(answer)) => (read(name, kind, &answer), false),
    }
}

async fn over_udp(server: SocketAddr, packet: &[u8], id: u16) -> std::io::Result<Message> {
    let local: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    let mut buffer = vec![0u8; 65_535];
    loop {
        socket.send(packet).await?;
        let answered = timeout(RETRY_AFTER, async {
            loop {
                let length = socket.recv(&mut buffer).await?;
                let bytes = buffer.get(..length).unwrap_or_default();
                match Message::from_vec(bytes) {
                    Ok(message) if message.metadata.id == id => return Ok::<_, std::io::Error>(message),
                    // Somebody else's answer, or noise: wait on.
                    Ok(_) | Err(_) => {}
                }
            }
        });
        if let Ok(answer) = answered.await {
            return answer;
        }
    }
}

async fn over_tcp(server: SocketAddr, packet: &[u8]) -> std::io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(packet.len()).map_err(std::io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(packet).await?;
    let length = stream.read_u16().await?;
    let mut buffer = vec![0u8; usize::from(length)];
    stream.read_exact(&mut buffer).await?;
    Message::from_vec(&buffer).map_err(std::io::Error::other)
}

/// Reads an answer: follows the aliases from `name` through the records, in whatever order they stand.
fn read(name: &Fqdn, kind: RecordType, message: &Message) -> DnsAnswer {
    let mut chain = Vec::new();
    let mut addresses = Vec::new();
    let mut at = name.clone();
    while chain.len() < MAX_ALIASES {
        let here = message.answers.iter().filter(|r| r.name.to_ascii().parse::<Fqdn>().as_ref() == Ok(&at));
        let mut next = None;
        for record in here {
            match &record.data {
                RData::A(a) if kind == RecordType::A => {
                    addresses.push(Address { ip: IpAddr::V4(a.0), ttl: record.ttl });
                }
                RData::AAAA(a) if kind == RecordType::AAAA => {
                    addresses.push(Address { ip: IpAddr::V6(a.0), ttl: record.ttl });
                }
                RData::CNAME(target) => next = target.0.to_ascii().parse::<Fqdn>().ok().map(|to| (to, record.ttl)),
                _ => {}
            }
        }
        let Some((to, ttl)) = next else { break };
        chain.push(Alias { from: at, to: to.clone(), ttl });
        at = to;
    }
    DnsAnswer { outcome: outcome(message.metadata.response_code, !addresses.is_empty()), chain, addresses }
}

fn outcome(code: ResponseCode, has_address: bool) -> DnsOutcome {
    match code {
        _ if has_address => DnsOutcome::Resolved,
        ResponseCode::NoError => DnsOutcome::NoAddress,
        ResponseCode::NXDomain => DnsOutcome::NameNotFound,
        ResponseCode::ServFail => DnsOutcome::ServerFailure,
        ResponseCode::Refused => DnsOutcome::Refused,
        other => DnsOutcome::Other(other.to_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(outcome: DnsOutcome) -> DnsAnswer {
        failed(outcome)
    }

    #[test]
    fn the_first_server_that_says_something_decides_and_only_failures_are_passed_over() {
        let (yes, no, fault) =
            (answer(DnsOutcome::Resolved), answer(DnsOutcome::NameNotFound), answer(DnsOutcome::ServerFailure));
        assert_eq!(decided([Some(&no), Some(&yes)].into_iter()), Some(&no));
        assert_eq!(decided([Some(&fault), Some(&yes), None].into_iter()), Some(&yes));
        assert_eq!(decided([None, Some(&yes)].into_iter()), None);
        assert_eq!(decided([Some(&fault), Some(&fault)].into_iter()), None);
    }

    /// A server on loopback that answers nothing, as long as the socket lives.
    fn silent() -> (std::net::UdpSocket, NameServer) {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        (socket, NameServer { address, source: "test".to_owned() })
    }

    #[tokio::test]
    async fn a_silent_server_is_reported_as_silent_and_the_hosts_file_does_not_wait_for_it() {
        let (_socket, server) = silent();
        let mut system = System::default();
        system.servers.push(server);
        let name: Fqdn = "myreg.azurecr.io".parse().unwrap();
        system.pin(&name, "10.0.0.9".parse().unwrap());
        let mut asking = Asking::start(&system, &name, Deadline::now() + Duration::from_secs(60));
        let ips: Vec<IpAddr> = asking.decide().await.ips().collect();
        assert_eq!(ips, ["10.0.0.9".parse::<IpAddr>().unwrap()]);
        assert!(asking.servers.iter().all(|(_, said)| said.is_none()));
        let seen = asking.outcome().await;
        assert_eq!(seen.servers[0].answer.outcome, DnsOutcome::TimedOut);
    }

    #[tokio::test]
    async fn a_silent_server_does_not_hold_up_one_that_answers() {
        let (_socket, silent) = silent();
        let answering = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = answering.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0u8; 512];
            while let Ok((length, from)) = answering.recv_from(&mut buffer).await {
                let mut packet = buffer[..length].to_vec();
                (packet[2], packet[3]) = (0x81, 0x83); // a response: NXDOMAIN
                answering.send_to(&packet, from).await.unwrap();
            }
        });
        let mut system = System::default();
        system.servers = vec![silent, NameServer { address, source: "test".to_owned() }];
        // Without an end to its patience this would take an hour.
        let deadline = Deadline::now() + Duration::from_secs(3600);
        let mut asking = Asking::start(&system, &"myreg.azurecr.io".parse().unwrap(), deadline);
        assert_eq!(asking.decide().await.outcome, DnsOutcome::NameNotFound);
        let seen = asking.outcome().await;
        assert_eq!(seen.servers[0].answer.outcome, DnsOutcome::TimedOut);
        assert_eq!(seen.servers[1].answer.outcome, DnsOutcome::NameNotFound);
    }
}

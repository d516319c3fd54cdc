//! Name resolution, asked of each server by itself (RFC 1035 wire format by hickory-proto).
//!
//! Names are always absolute: search domains are never applied.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant as Deadline, timeout, timeout_at};

use super::host::{NameServer, System};
use crate::facts::Fqdn;
use crate::facts::dns::{Address, Alias, DnsAnswer, DnsObservation, DnsOutcome, ServerAnswer};

/// After this long without an answer a query is sent once more, as the C library's resolver does (5 s there).
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Once one server has said something about the name, the others get this long in all, which is time for a second
/// query. A dead server must not hold up what a live one shows; programs on this host wait for it longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Aliases followed before a chain is taken for a loop.
const MAX_ALIASES: usize = 16;

/// Resolves a name as programs on this host do, and asks every server by itself.
///
/// `answer` follows the system: the hosts file first, then the first server in order that says
/// something about the name; a server that fails is passed over.
pub async fn resolve(system: &System, name: &Fqdn, deadline: Deadline) -> DnsObservation {
    let started = Instant::now();
    let hosts_file = system.pinned(name);
    let servers = ask_all(&system.servers, name, deadline).await;
    let answer = if hosts_file.is_empty() { decisive(&servers) } else { pinned_answer(&hosts_file) };
    DnsObservation { name: name.clone(), hosts_file, answer, servers, ms: millis(started) }
}

/// Milliseconds since an instant.
pub fn millis(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 10_000.0).round() / 10.0
}

fn pinned_answer(pinned: &[IpAddr]) -> DnsAnswer {
    let addresses = pinned.iter().map(|ip| Address { ip: *ip, ttl: 0 }).collect();
    DnsAnswer { outcome: DnsOutcome::Resolved, chain: Vec::new(), addresses }
}

/// The first answer that is not a server's fault; failing that, the first.
fn decisive(servers: &[ServerAnswer]) -> DnsAnswer {
    let said = servers.iter().map(|s| &s.answer).find(|a| !a.outcome.is_server_fault());
    said.or_else(|| servers.first().map(|s| &s.answer))
        .cloned()
        .unwrap_or_else(|| failed(DnsOutcome::Unreachable("no name server is configured".to_owned())))
}

fn failed(outcome: DnsOutcome) -> DnsAnswer {
    DnsAnswer { outcome, chain: Vec::new(), addresses: Vec::new() }
}

/// Asks all servers side by side; gives their answers in the order of the servers. One that has not answered when
/// [`PATIENCE`] ends counts as silent.
async fn ask_all(servers: &[NameServer], name: &Fqdn, deadline: Deadline) -> Vec<ServerAnswer> {
    let (started, patience) = (Instant::now(), Deadline::now() + PATIENCE);
    let one = async |(at, server)| (at, ask(server, name, deadline).await);
    let mut running: FuturesUnordered<_> = servers.iter().enumerate().map(one).collect();
    let (mut ended, mut until) = (Vec::new(), deadline);
    while let Ok(Some((at, answer))) = timeout_at(until, running.next()).await {
        if !answer.answer.outcome.is_server_fault() {
            until = until.min(patience.max(Deadline::now()));
        }
        ended.push((at, answer));
    }
    drop(running);
    let silent = |server: &NameServer| ServerAnswer {
        server: server.address,
        source: server.source.clone(),
        transport: "udp".to_owned(),
        answer: failed(DnsOutcome::TimedOut),
        ms: millis(started),
    };
    let of = |(at, server): (usize, &NameServer)| {
        ended.iter().find(|(index, _)| *index == at).map_or_else(|| silent(server), |(_, answer)| answer.clone())
    };
    servers.iter().enumerate().map(of).collect()
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

    fn server(socket: &UdpSocket) -> NameServer {
        NameServer { address: socket.local_addr().unwrap(), source: "test".to_owned() }
    }

    #[tokio::test]
    async fn a_silent_server_does_not_hold_up_one_that_answers() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let answering = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers = vec![server(&silent), server(&answering)];
        tokio::spawn(async move {
            let mut buffer = [0u8; 512];
            while let Ok((length, from)) = answering.recv_from(&mut buffer).await {
                let mut packet = buffer[..length].to_vec();
                (packet[2], packet[3]) = (0x81, 0x83); // a response: NXDOMAIN
                answering.send_to(&packet, from).await.unwrap();
            }
        });
        let mut system = System::default();
        system.servers = servers;
        // Without an end to its patience this would take an hour.
        let deadline = Deadline::now() + Duration::from_secs(3600);
        let seen = resolve(&system, &"myreg.azurecr.io".parse().unwrap(), deadline).await;
        assert_eq!(seen.answer.outcome, DnsOutcome::NameNotFound);
        assert_eq!(seen.servers[0].answer.outcome, DnsOutcome::TimedOut);
        assert_eq!(seen.servers[1].answer.outcome, DnsOutcome::NameNotFound);
    }
}

//! One question to one server, over UDP and TCP (RFC 1035, RFC 7766; wire format by hickory-proto).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant as Deadline, timeout, timeout_at};

use super::super::system::resolv_conf::AskOptions;
use super::failed;
use crate::facts::Fqdn;
use crate::facts::dns::{Address, Alias, DnsAnswer, DnsOutcome};

/// After this long without an answer a query is sent once more, as the C library's resolver does (5 s there).
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Aliases followed before a chain is taken for a loop.
const MAX_ALIASES: usize = 16;
/// What the C library offers with `edns0` (RES_EDNS0).
const EDNS_PAYLOAD: u16 = 1200;

/// Asks over UDP, once more after [`RETRY_AFTER`], and over TCP after a truncated answer or where that is wanted; whether
/// TCP was used.
pub(super) async fn query(
    server: SocketAddr,
    name: &Fqdn,
    kind: RecordType,
    options: AskOptions,
    deadline: Deadline,
) -> (DnsAnswer, bool) {
    let Ok(owner) = Name::from_ascii(format!("{name}.")) else {
        return (failed(DnsOutcome::Other("the name cannot be asked for".to_owned())), false);
    };
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(owner, kind));
    if options.edns0 {
        message.edns = Some(edns());
    }
    let Ok(packet) = message.to_vec() else {
        return (failed(DnsOutcome::Other("the name cannot be asked for".to_owned())), false);
    };
    let by_tcp = async || timeout_at(deadline, over_tcp(server, &packet)).await;
    if options.use_vc {
        return match by_tcp().await {
            Err(_) => (failed(DnsOutcome::TimedOut), true),
            Ok(Err(error)) => (failed(DnsOutcome::Unreachable(error.kind().to_string())), true),
            Ok(Ok(answer)) => (read(name, kind, &answer), true),
        };
    }
    match timeout_at(deadline, over_udp(server, &packet, &message)).await {
        Err(_) => (failed(DnsOutcome::TimedOut), false),
        Ok(Err(error)) => (failed(DnsOutcome::Unreachable(error.kind().to_string())), false),
        // What a cut answer still holds is no answer: resolvers throw it away.
        Ok(Ok(answer)) if answer.metadata.truncation => match by_tcp().await {
            Ok(Ok(answer)) => (read(name, kind, &answer), true),
            Ok(Err(error)) => (failed(cut_short(&error.kind().to_string())), true),
            Err(_) => (failed(cut_short("no answer in time")), true),
        },
        // A server that knows no EDNS is asked as in former days (RFC 6891, section 6.2.2).
        Ok(Ok(answer)) if options.edns0 && answer.metadata.response_code == ResponseCode::FormErr => {
            Box::pin(query(server, name, kind, AskOptions { edns0: false, ..options }, deadline)).await
        }
        Ok(Ok(answer)) => (read(name, kind, &answer), false),
    }
}

/// An answer that is too long for UDP, of a server that gives none over TCP.
fn cut_short(why: &str) -> DnsOutcome {
    DnsOutcome::Unreachable(format!("its answer is too long for UDP, and over TCP port 53: {why}"))
}

fn edns() -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(EDNS_PAYLOAD);
    edns
}

async fn over_udp(server: SocketAddr, packet: &[u8], asked: &Message) -> std::io::Result<Message> {
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
                    Ok(message) if answers(&message, asked) => return Ok::<_, std::io::Error>(message),
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

/// Whether a message answers what was asked; some servers leave the question out.
fn answers(message: &Message, asked: &Message) -> bool {
    let echoes = |answered: &Query| asked.queries.iter().any(|query| query == answered);
    message.metadata.message_type == MessageType::Response
        && message.metadata.id == asked.metadata.id
        && message.queries.iter().all(echoes)
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
        let is_circle = to == *name || chain.iter().any(|alias: &Alias| alias.to == to);
        chain.push(Alias { from: at, to: to.clone(), ttl });
        if is_circle {
            return DnsAnswer {
                outcome: DnsOutcome::Other("the aliases lead in a circle".to_owned()),
                chain,
                addresses,
            };
        }
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

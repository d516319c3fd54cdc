//! TCP, one attempt an address.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant as Deadline, timeout_at};

use super::resolve::millis;
use crate::facts::probe::{TcpObservation, TcpOutcome};

/// The segment size that every IPv4 host must take (RFC 9293, section 3.7.1).
#[cfg(unix)]
const SMALL_SEGMENT: u32 = 536;

/// Once one address is connected, the others get this long in all: enough for a lost SYN's second try, which Linux
/// sends after one second (RFC 6298, section 2.1). A dead address must not hold up what a live one shows.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Connects to every address at once; gives each outcome in the order of the addresses, and the connection that
/// stood first. An address that has not answered when [`PATIENCE`] ends counts as timed out.
pub async fn connect_all(
    addresses: &[IpAddr],
    port: u16,
    deadline: Deadline,
) -> (Vec<TcpObservation>, Option<TcpStream>) {
    let (started, patience) = (Instant::now(), Deadline::now() + PATIENCE);
    let attempt = async |ip: &IpAddr| connect(SocketAddr::new(*ip, port), deadline).await;
    let mut running: FuturesUnordered<_> = addresses.iter().map(attempt).collect();
    let (mut ended, mut first, mut until) = (Vec::new(), None, deadline);
    // A future that does not answer in time is dropped with the others that are left.
    while let Ok(Some((observation, stream))) = timeout_at(until, running.next()).await {
        if first.is_none() && stream.is_some() {
            (first, until) = (stream, deadline.min(patience.max(Deadline::now())));
        }
        ended.push(observation);
    }
    drop(running);
    let silent =
        |ip: &IpAddr| TcpObservation { address: *ip, port, outcome: TcpOutcome::TimedOut, ms: millis(started) };
    let of = |ip: &IpAddr| ended.iter().find(|seen| seen.address == *ip).cloned().unwrap_or_else(|| silent(ip));
    (addresses.iter().map(of).collect(), first)
}

/// Connects to one address.
pub async fn connect(to: SocketAddr, deadline: Deadline) -> (TcpObservation, Option<TcpStream>) {
    let started = Instant::now();
    let (outcome, stream) = match timeout_at(deadline, TcpStream::connect(to)).await {
        Err(_) => (TcpOutcome::TimedOut, None),
        Ok(Ok(stream)) => {
            // Small requests at once; a socket that refuses the option is slower and no worse.
            let _ = stream.set_nodelay(true);
            (TcpOutcome::Connected, Some(stream))
        }
        Ok(Err(error)) => (outcome_of(&error), None),
    };
    (TcpObservation { address: to.ip(), port: to.port(), outcome, ms: millis(started) }, stream)
}

/// Connects asking for small segments in both directions, which fit through any MTU (RFC 9293, section 3.7.1).
pub async fn connect_small(to: SocketAddr, deadline: Deadline) -> Option<TcpStream> {
    let socket = small_segments(to).ok()?;
    timeout_at(deadline, socket.connect(to)).await.ok()?.ok()
}

fn small_segments(to: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None)?;
    #[cfg(unix)]
    socket.set_tcp_mss(SMALL_SEGMENT)?;
    socket.set_nonblocking(true)?;
    Ok(TcpSocket::from_std_stream(socket.into()))
}

/// What a failed connect means (connect(2); ICMP codes as Linux maps them).
pub fn outcome_of(error: &Error) -> TcpOutcome {
    match error.kind() {
        ErrorKind::ConnectionRefused => TcpOutcome::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => TcpOutcome::Reset,
        ErrorKind::HostUnreachable => TcpOutcome::HostUnreachable,
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown | ErrorKind::AddrNotAvailable => {
            TcpOutcome::NetworkUnreachable
        }
        ErrorKind::PermissionDenied => TcpOutcome::Prohibited,
        ErrorKind::TimedOut => TcpOutcome::TimedOut,
        other => TcpOutcome::Other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_open_port_is_told_from_a_closed_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let deadline = Deadline::now() + Duration::from_secs(10);
        assert_eq!(connect(to, deadline).await.0.outcome, TcpOutcome::Connected);
        assert!(connect_small(to, deadline).await.is_some());
        drop(listener);
        assert_eq!(connect(to, deadline).await.0.outcome, TcpOutcome::Refused);
        assert!(connect_small(to, deadline).await.is_none());
    }
    /// A full queue of a listener swallows SYNs, as a firewall does (Linux, tcp_abort_on_overflow off).
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_dead_address_does_not_hold_up_a_live_one() {
        let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = live.local_addr().unwrap().port();
        let dead = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        dead.bind(&SocketAddr::from(([127, 0, 0, 2], port)).into()).unwrap();
        dead.listen(0).unwrap();
        let full = std::net::TcpStream::connect(("127.0.0.2", port)).unwrap();
        let addresses = ["127.0.0.2".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        // Without an end to its patience this would take an hour.
        let (seen, stream) = connect_all(&addresses, port, Deadline::now() + Duration::from_secs(3600)).await;
        assert_eq!(seen[0].outcome, TcpOutcome::TimedOut);
        assert_eq!((seen[1].address, &seen[1].outcome), (addresses[1], &TcpOutcome::Connected));
        assert_eq!(stream.unwrap().peer_addr().unwrap().ip(), addresses[1]);
        drop(full);
    }
}

//! TCP, one attempt an address.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use futures::future::join_all;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant as Deadline, timeout_at};

use super::resolve::millis;
use crate::facts::probe::{TcpObservation, TcpOutcome};

/// The segment size that every IPv4 host must take (RFC 9293, section 3.7.1).
#[cfg(unix)]
const SMALL_SEGMENT: u32 = 536;

/// Connects to every address at once; gives each outcome, and the first connection in the order of the addresses.
pub async fn connect_all(
    addresses: &[IpAddr],
    port: u16,
    deadline: Deadline,
) -> (Vec<TcpObservation>, Option<TcpStream>) {
    let tries = join_all(addresses.iter().map(|ip| connect(SocketAddr::new(*ip, port), deadline))).await;
    let mut first = None;
    let observations = tries
        .into_iter()
        .map(|(observation, stream)| {
            first = first.take().or(stream);
            observation
        })
        .collect();
    (observations, first)
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
    use std::time::Duration;

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
}

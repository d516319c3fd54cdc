//! TCP, one attempt an address.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use futures::future::join_all;
use tokio::net::TcpStream;
use tokio::time::{Instant as Deadline, timeout_at};

use super::resolve::millis;
use crate::facts::probe::{TcpObservation, TcpOutcome};

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
        Ok(Ok(stream)) => (TcpOutcome::Connected, Some(stream)),
        Ok(Err(error)) => (outcome_of(&error), None),
    };
    (TcpObservation { address: to.ip(), port: to.port(), outcome, ms: millis(started) }, stream)
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

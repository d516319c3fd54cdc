//! TCP, one attempt an address.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant as Deadline, timeout_at};

use super::resolve::millis;
use crate::facts::probe::{TcpObservation, TcpOutcome};

/// The segment size that every IPv4 host must take (RFC 9293, section 3.7.1).
#[cfg(unix)]
const SMALL_SEGMENT: u32 = 536;

/// Once one address has connected, the others get this long to do likewise: a lost SYN is sent again after one second
/// (RFC 6298, section 2.1), so what is still silent then is silent.
const STRAGGLERS: Duration = Duration::from_millis(1200);

/// Attempts at every address side by side: the first that connects is climbed at once, and each is observed to its end.
#[derive(Debug)]
pub struct Attempts {
    running: JoinSet<(usize, TcpObservation, Option<TcpStream>)>,
    seen: Vec<Option<TcpObservation>>,
    to: Vec<SocketAddr>,
    started: Instant,
}

impl Attempts {
    /// Sends a SYN to each address.
    pub fn start(addresses: &[IpAddr], port: u16, deadline: Deadline) -> Self {
        let to: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        let mut running = JoinSet::new();
        for (index, to) in to.iter().copied().enumerate() {
            running.spawn(async move {
                let (observation, stream) = connect(to, deadline).await;
                (index, observation, stream)
            });
        }
        Self { running, seen: vec![None; to.len()], to, started: Instant::now() }
    }

    /// The first connection that stands; `None` when none came to stand.
    pub async fn first(&mut self) -> Option<TcpStream> {
        while let Some(ended) = self.running.join_next().await {
            let stream = self.note(ended);
            if stream.is_some() {
                return stream;
            }
        }
        None
    }

    /// Every address's outcome, in order, after a last wait for the stragglers.
    pub async fn outcomes(mut self) -> Vec<TcpObservation> {
        let patience = Deadline::from_std(self.started) + STRAGGLERS;
        while let Ok(Some(ended)) = timeout_at(patience, self.running.join_next()).await {
            self.note(ended);
        }
        self.so_far()
    }

    /// Every address's outcome, in order; one that still waits counts as silent.
    pub fn so_far(&self) -> Vec<TcpObservation> {
        let silent = |to: &SocketAddr| TcpObservation {
            address: to.ip(),
            port: to.port(),
            outcome: TcpOutcome::TimedOut,
            ms: millis(self.started),
        };
        self.seen.iter().zip(&self.to).map(|(seen, to)| seen.clone().unwrap_or_else(|| silent(to))).collect()
    }

    /// The outcomes that are certain, in order.
    pub fn ended(&self) -> Vec<TcpObservation> {
        self.seen.iter().flatten().cloned().collect()
    }

    fn note(&mut self, ended: Result<(usize, TcpObservation, Option<TcpStream>), JoinError>) -> Option<TcpStream> {
        let (index, observation, stream) = ended.ok()?;
        if let Some(place) = self.seen.get_mut(index) {
            *place = Some(observation);
        }
        stream
    }
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

/// What a failed connect means (connect(2); ICMP codes as Linux maps them: a firewall's "administratively prohibited" is
/// a host unreachable over IPv4, and a refusal like a policy's own over IPv6).
pub fn outcome_of(error: &Error) -> TcpOutcome {
    match error.kind() {
        ErrorKind::ConnectionRefused => TcpOutcome::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => TcpOutcome::Reset,
        ErrorKind::HostUnreachable => TcpOutcome::HostUnreachable,
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => TcpOutcome::NetworkUnreachable,
        // What Linux says of a route of the type `blackhole` (ip-route(8)).
        ErrorKind::InvalidInput if cfg!(target_os = "linux") => TcpOutcome::NetworkUnreachable,
        ErrorKind::PermissionDenied => TcpOutcome::Prohibited,
        ErrorKind::TimedOut => TcpOutcome::TimedOut,
        other => TcpOutcome::Other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// By number, as the system gives them (errno(3)).
    #[cfg(target_os = "linux")]
    #[test]
    fn the_systems_errors_are_told_apart() {
        let of = |number| outcome_of(&Error::from_raw_os_error(number));
        assert_eq!((of(1), of(13)), (TcpOutcome::Prohibited, TcpOutcome::Prohibited), "EPERM, EACCES");
        assert_eq!((of(101), of(100)), (TcpOutcome::NetworkUnreachable, TcpOutcome::NetworkUnreachable));
        assert_eq!((of(113), of(22)), (TcpOutcome::HostUnreachable, TcpOutcome::NetworkUnreachable));
        assert_eq!((of(111), of(104), of(110)), (TcpOutcome::Refused, TcpOutcome::Reset, TcpOutcome::TimedOut));
        assert_eq!(of(99), TcpOutcome::Other("address not available".to_owned()), "EADDRNOTAVAIL");
    }

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
        let mut attempts = Attempts::start(&addresses, port, Deadline::now() + Duration::from_secs(3600));
        let stream = attempts.first().await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), addresses[1]);
        let seen = attempts.outcomes().await;
        assert_eq!(seen[0].outcome, TcpOutcome::TimedOut);
        assert_eq!((seen[1].address, &seen[1].outcome), (addresses[1], &TcpOutcome::Connected));
        drop(full);
    }
}

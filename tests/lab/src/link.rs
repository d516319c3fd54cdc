//! A link between client and router with latency, loss and a small MTU: two TUN devices, joined in user space,
//! because not every kernel has a network emulator.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::time::Instant;
use tokio_tun::Tun;

use crate::scenario::LinkSpec;
use crate::{LabError, namespaces};

/// The longest packet that a device gives.
const LONGEST: usize = 65_536;

/// Makes `eth0` in the client's namespace and `c0` in the router's, and carries packets between them until the world
/// ends.
pub fn start(link: &LinkSpec) -> Result<(), LabError> {
    let (ready, readiness) = mpsc::channel();
    let link = link.clone();
    std::thread::spawn(move || {
        let held = hold(&link, &ready);
        // The receiver is gone only once it was told that the devices are there.
        let _ = ready.send(held);
    });
    readiness.recv().map_err(|error| LabError::Scenario(format!("the link's thread ended: {error}")))?
}

fn hold(link: &LinkSpec, ready: &mpsc::Sender<Result<(), LabError>>) -> Result<(), LabError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LabError::io("runtime"))?;
    runtime.block_on(async {
        let client = device("client", "eth0")?;
        let router = device("router", "c0")?;
        let there = tokio::spawn(carry(Arc::clone(&client), Arc::clone(&router), link.clone()));
        let back = tokio::spawn(carry(router, client, link.clone()));
        let _ = ready.send(Ok(()));
        // Both go on until the devices are gone.
        let _ = tokio::join!(there, back);
        Ok(())
    })
}

/// A device; where it lives is decided by the thread's namespace when it is made.
fn device(namespace: &str, name: &str) -> Result<Arc<Tun>, LabError> {
    namespaces::enter(namespace)?;
    let made = Tun::builder().name(name).mtu(1500).build();
    let made = made.map_err(|error| LabError::Unsupported(format!("a TUN device cannot be made: {error}")))?;
    let first = made.into_iter().next().map(Arc::new);
    first.ok_or_else(|| LabError::Unsupported("a TUN device has no queue".to_owned()))
}

/// Carries packets one way. Their order stays.
async fn carry(from: Arc<Tun>, to: Arc<Tun>, link: LinkSpec) -> std::io::Result<()> {
    let delay = Duration::from_micros(link.rtt_ms * 500);
    let (queue, mut due) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((at, packet)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            // A device that is down loses packets, as a cable does.
            let _ = to.send(&packet).await;
        }
    });
    let mut loss = Loss::new(link.loses_every);
    let mut buffer = vec![0u8; LONGEST];
    loop {
        let length = from.recv(&mut buffer).await?;
        let packet = buffer.get(..length).unwrap_or_default();
        let too_big = link.mtu.is_some_and(|mtu| length > mtu);
        if too_big || loss.takes(packet) {
            continue;
        }
        // The other task ends only with the runtime.
        let _ = queue.send((Instant::now() + delay, packet.to_vec()));
    }
}

/// Loses every n-th packet of each flow: the same ones in each run, whatever else passes.
/// UDP counts by hosts, so that a question that is asked again from another port gets through.
struct Loss {
    every: Option<u64>,
    seen: HashMap<Vec<u8>, u64>,
}

impl Loss {
    fn new(every: Option<u64>) -> Self {
        Self { every, seen: HashMap::new() }
    }

    fn takes(&mut self, packet: &[u8]) -> bool {
        let (Some(every), Some(flow)) = (self.every, flow(packet)) else { return false };
        let seen = self.seen.entry(flow).or_default();
        *seen += 1;
        seen.is_multiple_of(every)
    }
}

/// What tells the flows of a link apart; nothing for what is neither TCP nor UDP.
fn flow(packet: &[u8]) -> Option<Vec<u8>> {
    let version = packet.first()? >> 4;
    let (protocol, hosts, payload) = if version == 4 {
        let header = usize::from(packet.first()? & 0x0f) * 4;
        (*packet.get(9)?, packet.get(12..20)?, packet.get(header..)?)
    } else {
        (*packet.get(6)?, packet.get(8..40)?, packet.get(40..)?)
    };
    let ports = match protocol {
        6 => payload.get(..4)?,
        17 => &[],
        _ => return None,
    };
    Some([&[protocol], hosts, ports].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 packet of a protocol from a port.
    fn packet(protocol: u8, port: u8) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 24, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0, port, 1, 187]);
        packet
    }

    #[test]
    fn each_flow_loses_every_nth_packet() {
        let mut loss = Loss::new(Some(3));
        let fates: Vec<bool> = (0..6).map(|_| loss.takes(&packet(6, 1))).collect();
        assert_eq!(fates, [false, false, true, false, false, true]);
        assert!(!loss.takes(&packet(6, 2)), "another port is another flow");
    }

    #[test]
    fn a_question_that_is_asked_again_from_another_port_gets_through() {
        let mut loss = Loss::new(Some(2));
        assert!(!loss.takes(&packet(17, 1)));
        assert!(loss.takes(&packet(17, 2)));
        assert!(!loss.takes(&packet(17, 3)));
    }

    #[test]
    fn without_loss_nothing_is_lost() {
        assert!(!Loss::new(None).takes(&packet(6, 1)));
    }
}

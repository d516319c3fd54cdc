//! TLS as a host of the world offers it, with its faults.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;

use crate::http2;
use crate::names::Role;
use crate::scenario::TlsFault;
use crate::world::Lab;

/// A fatal `protocol_version` alert, as a server gives that knows TLS 1.0 and 1.1 only.
const PROTOCOL_VERSION_ALERT: [u8; 7] = [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46];

/// Azure Resource Manager offers HTTP/2, unless its HTTP is broken: faults are written byte by byte.
fn speaks_http2(lab: &Lab, name: &str) -> bool {
    let world = lab.world();
    world.host(name).is_some_and(|host| host.role == Role::Arm) && world.fault_of(&world.faults.http, name).is_none()
}

/// Answers a handshake; `None` when the world's fault ended it.
pub async fn accept(lab: &Arc<Lab>, stream: TcpStream) -> io::Result<Option<(TlsStream<TcpStream>, String)>> {
    let source = stream.peer_addr()?.ip().to_string();
    let handshake = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let name = handshake.client_hello().server_name().unwrap_or_default().to_ascii_lowercase();
    let fault = {
        let world = lab.world();
        world.fault_of(&world.faults.tls, &name)
    };
    lab.note("TLS", &name, "", &source, &fault.map_or_else(|| "ok".to_owned(), |f| format!("{f:?}")));
    match fault {
        Some(TlsFault::Reset) => {
            handshake.io.set_zero_linger()?;
            return Ok(None);
        }
        Some(TlsFault::Silent) => std::future::pending().await,
        Some(TlsFault::OldOnly) => {
            let mut stream = handshake.io;
            stream.write_all(&PROTOCOL_VERSION_ALERT).await?;
            stream.shutdown().await?;
            return Ok(None);
        }
        _ => {}
    }
    let mut config = lab.authority.config(&name, fault).map_err(io::Error::other)?;
    if speaks_http2(lab, &name) {
        Arc::make_mut(&mut config).alpn_protocols.insert(0, http2::ALPN.to_vec());
    }
    Ok(Some((handshake.into_stream(config).await?, name)))
}

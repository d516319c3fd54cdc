//! HTTP/2 for hosts that offer it: Azure Resource Manager does, and many requests share its connection.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::http::Request;
use crate::rounds::Opening;
use crate::server::respond;
use crate::world::Lab;

/// Its name in ALPN (RFC 9113, section 3.1).
pub const ALPN: &[u8] = b"h2";

/// Serves a connection to its end.
pub async fn serve<S>(lab: &Arc<Lab>, stream: S, ends: (SocketAddr, SocketAddr), opening: Opening) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Given up by the first request.
    let opening = Mutex::new(Some(opening));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let first = opening.lock().unwrap_or_else(PoisonError::into_inner).take();
        let lab = Arc::clone(lab);
        async move {
            let request = received(request, ends).await;
            let answer = respond(&lab, &request, first).await;
            let mut response = hyper::Response::builder().status(answer.status);
            for (name, value) in answer.headers {
                response = response.header(name, value);
            }
            let body = if request.method == "HEAD" { Vec::new() } else { answer.body };
            // A header of the laboratory's that cannot be written is a mistake in it: an empty 200 shows.
            Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap_or_default())
        }
    });
    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

async fn received(request: hyper::Request<Incoming>, ends: (SocketAddr, SocketAddr)) -> Request {
    let (head, body) = request.into_parts();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
    let authority = head.uri.authority().map(|host| ("host".to_owned(), host.to_string()));
    Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.chain(authority).collect(),
        body: body.collect().await.map(|whole| whole.to_bytes().to_vec()).unwrap_or_default(),
        source: ends.0.ip(),
        destination: ends.1.ip(),
    }
}

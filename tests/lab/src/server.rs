//! The servers of the Azure namespace: one listener for every host, one resolver, the metadata service.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::addresses;
use crate::dns::{self, View};
use crate::http::{self, Ending, Request, Response};
use crate::http2;
use crate::names::Role;
use crate::rounds::Opening;
use crate::scenario::HttpFault;
use crate::world::Lab;
use crate::{LabError, arm, entra, imds, logs, registry, tls};

/// Binds everything that Azure serves; call it in Azure's namespace. The servers run until the runtime ends.
pub async fn start_azure(lab: &Arc<Lab>) -> Result<(), LabError> {
    let secure = listen(Ipv4Addr::UNSPECIFIED, 443).await?;
    let dns = bind_dns(addresses::AZURE_DNS).await?;
    tokio::spawn(dns::serve(Arc::clone(lab), View::Azure, dns.0, dns.1));
    let public = bind_dns(addresses::PUBLIC_DNS).await?;
    tokio::spawn(dns::serve(Arc::clone(lab), View::Public, public.0, public.1));
    if lab.world().client.imds {
        let plain = listen(addresses::IMDS, 80).await?;
        tokio::spawn(accept_all(Arc::clone(lab), plain, false));
    }
    tokio::spawn(accept_all(Arc::clone(lab), secure, true));
    Ok(())
}

/// Binds the client's stub resolver, if it has one; call it in the client's namespace.
pub async fn start_stub(lab: &Arc<Lab>) -> Result<(), LabError> {
    let Some(stub) = lab.world().client.stub.clone() else { return Ok(()) };
    let view = if stub == "azure" { View::Azure } else { View::Corporate };
    let (udp, tcp) = bind_dns(addresses::STUB).await?;
    tokio::spawn(dns::serve(Arc::clone(lab), view, udp, tcp));
    Ok(())
}

/// A listening socket.
pub async fn listen(address: Ipv4Addr, port: u16) -> Result<TcpListener, LabError> {
    TcpListener::bind((address, port)).await.map_err(LabError::io(format!("listen at {address}:{port}")))
}

/// Both sockets of a resolver.
pub async fn bind_dns(address: Ipv4Addr) -> Result<(UdpSocket, TcpListener), LabError> {
    let udp = UdpSocket::bind((address, 53)).await.map_err(LabError::io(format!("bind {address}:53")))?;
    Ok((udp, listen(address, 53).await?))
}

async fn accept_all(lab: Arc<Lab>, listener: TcpListener, secure: bool) {
    while let Ok((stream, _)) = listener.accept().await {
        let lab = Arc::clone(&lab);
        // As servers do: the body of an answer does not wait for an acknowledgement of its head.
        let _ = stream.set_nodelay(true);
        // A connection that the client gave up is no fault of the laboratory.
        tokio::spawn(
            async move { if secure { serve_tls(&lab, stream).await } else { serve_plain(&lab, stream).await } },
        );
    }
}

async fn serve_tls(lab: &Arc<Lab>, stream: TcpStream) -> io::Result<()> {
    let opening = lab.rounds.opening();
    let ends = (stream.peer_addr()?, stream.local_addr()?);
    match tls::accept(lab, stream).await? {
        Some((stream, _)) if stream.get_ref().1.alpn_protocol() == Some(http2::ALPN) => {
            http2::serve(lab, stream, ends, opening).await
        }
        Some((stream, _)) => serve(lab, stream, ends, opening).await,
        None => Ok(()),
    }
}

async fn serve_plain(lab: &Arc<Lab>, stream: TcpStream) -> io::Result<()> {
    let ends = (stream.peer_addr()?, stream.local_addr()?);
    serve(lab, stream, ends, lab.rounds.opening()).await
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    lab: &Lab,
    mut stream: S,
    ends: (SocketAddr, SocketAddr),
    opening: Opening,
) -> io::Result<()> {
    let mut opening = Some(opening);
    while let Some(request) = http::read_request(&mut stream, ends.0.ip(), ends.1.ip()).await? {
        let response = respond(lab, &request, opening.take()).await;
        if !http::write_response(&mut stream, &response, request.method == "HEAD").await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Answers a request in its time, and notes it. A HEAD without a token only makes the connection: it is in no round.
pub async fn respond(lab: &Lab, request: &Request, opening: Option<Opening>) -> Response {
    let (latency, in_rounds) = {
        let arm = &lab.world().faults.arm;
        (Duration::from_millis(arm.latency_ms), arm.in_rounds)
    };
    let mut response = answer(lab, request);
    if let Some(days) = lab.world().faults.server_clock_days {
        let there = time::OffsetDateTime::now_utc() + time::Duration::days(days);
        let date = there.format(&time::format_description::well_known::Rfc2822).unwrap_or_default();
        response = response.with("date", date.replace("+0000", "GMT"));
    }
    let of_arm = request.host() == "management.azure.com" && request.method != "HEAD";
    drop(opening);
    let mut said = format!("{} {:?}", response.status, response.ending);
    if of_arm && in_rounds {
        said = format!("{said}, round {}", lab.rounds.wait(latency).await);
    } else if of_arm && !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    lab.note(&request.method, &request.host(), &request.path, &request.source.to_string(), &said);
    response
}

/// What a host of the world answers.
pub fn answer(lab: &Lab, request: &Request) -> Response {
    let name = request.host();
    if request.destination == addresses::IMDS {
        return imds::answer(request);
    }
    let (fault, host) = {
        let world = lab.world();
        (world.fault_of(&world.faults.http, &name), world.host(&name))
    };
    if let Some(fault) = fault {
        return faulty(fault);
    }
    let Some(host) = host else {
        return Response::new(404, "text/html", "<html><body>Our services aren't available right now</body></html>");
    };
    match host.role {
        Role::Arm => arm::answer(lab, request),
        Role::Entra => entra::answer(&lab.world(), request),
        Role::Logs => logs::answer(&lab.world(), request),
        Role::Control => Response::new(200, "text/plain", "ok"),
        Role::Login | Role::Data | Role::Blob => registry::answer(&lab.world(), &host, request),
    }
}

fn faulty(fault: HttpFault) -> Response {
    let registry_error = |status, code: &str| {
        let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"the service cannot answer now\"}}]}}");
        Response::new(status, "application/json", body).with("docker-distribution-api-version", "registry/2.0")
    };
    match fault {
        HttpFault::CaptivePortal => {
            Response::new(200, "text/html", "<html><head><title>Guest Wi-Fi</title></head><body>Please sign in</body></html>")
        }
        HttpFault::BlockPage => Response::new(
            403,
            "text/html",
            "<html><head><title>Access blocked</title></head><body>Contoso Secure Web Gateway: this category is blocked</body></html>",
        ),
        HttpFault::NotFound => Response::new(
            404,
            "text/html",
            "<html><head><title>404 Not Found</title></head><body><center><h1>404 Not Found</h1></center><hr><center>nginx</center></body></html>",
        )
        .with("server", "nginx"),
        HttpFault::TooManyRequests => registry_error(429, "TOOMANYREQUESTS").with("retry-after", "17"),
        HttpFault::Unavailable => registry_error(503, "UNAVAILABLE").with("retry-after", "30"),
        HttpFault::InternalError => registry_error(500, "UNKNOWN"),
        HttpFault::Hang => Response::ending(Ending::Hang),
        HttpFault::Cut => Response::ending(Ending::Cut),
        HttpFault::Endless => Response::ending(Ending::Endless).with("content-type", "application/json"),
        HttpFault::Empty => Response::new(200, "application/json", ""),
        HttpFault::WrongType => Response::new(200, "application/json", "[{\"value\": 7}, null, \"text\"]"),
        HttpFault::Redirect => {
            Response { status: 302, ..Response::default() }.with("location", "https://portal.contoso.example/login")
        }
        HttpFault::StoragePolicy => Response::new(
            403,
            "application/xml",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthorizationFailure</Code><Message>This request is not authorized to perform this operation.</Message></Error>",
        )
        .with("x-ms-error-code", "AuthorizationFailure")
        .with("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"),
    }
}

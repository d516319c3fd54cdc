//! The docker daemon of the client's machine, as its socket answers: `/info`, `/version`, `/_ping`, and
//! `/distribution/…`, for which it asks the registry from where it runs.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};

use crate::addresses::{CLIENT, CORP_EGRESS, EGRESS};
use crate::dns::{self, View};
use crate::http::{self, Request, Response};
use crate::scenario::{ClientSpec, DaemonSpec};
use crate::world::{Lab, World};
use crate::{LabError, registry};

/// Where docker listens if nothing else is said; /run is the world's own.
const SOCKET: &str = "/run/docker.sock";

/// What it reads when it starts.
const CONFIGURATION: &str = "/etc/docker/daemon.json";

/// Binds the daemon's socket, if the client has a daemon. It serves until the runtime ends.
pub fn start(lab: &Arc<Lab>) -> Result<(), LabError> {
    let Some(spec) = lab.world().client.docker.clone() else { return Ok(()) };
    let socket = spec.socket.as_deref().unwrap_or(SOCKET);
    if let Some(parent) = Path::new(socket).parent() {
        std::fs::create_dir_all(parent).map_err(LabError::io(socket))?;
    }
    let listener = UnixListener::bind(socket).map_err(LabError::io(socket))?;
    let lab = Arc::clone(lab);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // As it runs now: it may have been started anew.
            let (lab, spec) = (Arc::clone(&lab), lab.world().client.docker.clone().unwrap_or_default());
            tokio::spawn(async move { serve(&lab, &spec, stream).await });
        }
    });
    Ok(())
}

/// Starts the daemon anew: it runs with the proxies that its file has.
pub fn restart(client: &mut ClientSpec) {
    let file = client.files.get(CONFIGURATION).map(String::as_str).unwrap_or_default();
    let file: Value = serde_json::from_str(file).unwrap_or_default();
    let proxies = |name: &str| file.pointer(&format!("/proxies/{name}")).and_then(Value::as_str);
    if let (Some(running), Some(proxy)) = (&mut client.docker, proxies("https-proxy")) {
        running.proxy = Some(proxy.to_owned());
        let hosts = proxies("no-proxy").unwrap_or_default().split(',').map(str::trim);
        running.no_proxy = hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect();
    }
}

async fn serve(lab: &Lab, spec: &DaemonSpec, mut stream: UnixStream) -> std::io::Result<()> {
    let nowhere = IpAddr::V4(Ipv4Addr::LOCALHOST);
    while let Some(request) = http::read_request(&mut stream, nowhere, nowhere).await? {
        let response = answer(&lab.world(), spec, &request);
        lab.note(&request.method, "docker.sock", &request.path, "", &response.status.to_string());
        if !http::write_response(&mut stream, &response, request.method == "HEAD").await? {
            return Ok(());
        }
    }
    Ok(())
}

fn answer(world: &World, spec: &DaemonSpec, request: &Request) -> Response {
    let path = request.path.as_str();
    // Clients may put the API's version before the path.
    let path = path.strip_prefix("/v1.").and_then(|p| p.find('/').and_then(|at| p.get(at..))).unwrap_or(path);
    match path {
        "/_ping" => Response::new(200, "text/plain; charset=utf-8", "OK"),
        "/version" => Response::json(200, &json!({ "Version": "27.3.1", "ApiVersion": "1.47", "Os": "linux" })),
        "/info" => Response::json(200, &info(spec)),
        _ => match path.strip_prefix("/distribution/").and_then(|p| p.strip_suffix("/json")) {
            Some(image) => distribution(world, spec, image),
            None => Response::json(404, &json!({ "message": "page not found" })),
        },
    }
}

/// The members of `GET /info` that speak of the network, and some of the others.
fn info(spec: &DaemonSpec) -> Value {
    let proxy = spec.proxy.as_deref().unwrap_or_default();
    json!({
        "ID": "7a0f8f6e-6f9b-4c64-9c5b-0c2f6f5d1f43", "Name": "client", "ServerVersion": "27.3.1",
        "OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "OSType": "linux", "Driver": "overlay2",
        "HttpProxy": proxy, "HttpsProxy": proxy, "NoProxy": spec.no_proxy.join(","),
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": { "Mirrors": spec.mirrors, "InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {} }
    })
}

/// What the daemon is told when it asks the registry for an image's manifest, in docker's words.
fn distribution(world: &World, spec: &DaemonSpec, image: &str) -> Response {
    let unknown = || Response::json(404, &json!({ "message": "no such registry" }));
    let Some((host, reference)) = image.split_once('/') else { return unknown() };
    let (repository, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
    let view = if spec.elsewhere { View::Public } else { View::Azure };
    let (Some(found), Some(destination)) =
        (world.host(host), dns::resolve(world, host, view).addresses.first().copied())
    else {
        return Response::json(
            500,
            &json!({ "message": format!("Get \"https://{host}/v2/\": dial tcp: lookup {host}: no such host") }),
        );
    };
    let public = if spec.elsewhere { CORP_EGRESS } else { world.client.egress.unwrap_or(EGRESS) };
    let source = if destination.is_private() { CLIENT } else { public };
    let asked = Request {
        method: "HEAD".to_owned(),
        path: format!("/v2/{repository}/manifests/{tag}"),
        query: String::new(),
        headers: BTreeMap::from([("host".to_owned(), host.to_owned())]),
        body: Vec::new(),
        source: source.into(),
        destination: destination.into(),
    };
    let said = registry::answer(world, &found, &asked);
    let body: Value = serde_json::from_slice(&said.body).unwrap_or_default();
    let words = body.pointer("/errors/0/message").and_then(Value::as_str).unwrap_or("unexpected answer");
    let prefix = if said.status == 401 { "unauthorized" } else { "denied" };
    Response::json(said.status, &json!({ "message": format!("{prefix}: {words}") }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    fn distribution_of(elsewhere: bool) -> Response {
        let scenario: Scenario = toml::from_str("world = 'private-link'").unwrap();
        let world = World::new(&scenario).unwrap();
        let spec = DaemonSpec { elsewhere, ..DaemonSpec::default() };
        distribution(&world, &spec, "myreg.azurecr.io/hello:1")
    }

    #[test]
    fn a_daemon_elsewhere_is_refused_by_its_public_address() {
        let body = String::from_utf8(distribution_of(true).body).unwrap();
        assert!(body.contains("denied: client with IP '203.0.113.77' is not allowed access"), "{body}");
    }

    #[test]
    fn a_daemon_in_the_network_is_let_in_and_asked_who_it_is() {
        assert_eq!(distribution_of(false).status, 401);
    }
}

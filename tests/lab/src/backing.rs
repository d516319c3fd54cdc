//! A real registry (the program `docker-registry`) behind the registry's front: its manifests and blobs are served.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::LabError;
use crate::http::{Request, Response};
use crate::namespaces;
use crate::program::DOCKER_REGISTRY;

/// The address in Azure's namespace; nobody else has it there.
pub const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);
/// What it is given to store: other bytes than the laboratory's own image has, so that the two are told apart.
const LAYER: &[u8] = b"a layer that a real registry holds, checked by its digest when it was pushed\n";
const LAYER_DIGEST: &str = "sha256:0bbe7497a553f2f30b1cb31975e6de036596a9d12ea49500ddd8aafcf50a3b27";
const CONFIG: &[u8] = br#"{"architecture":"arm64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
const CONFIG_DIGEST: &str = "sha256:8ce565e417c2ce0265aa1fc237d787857336042e1dc450e7a818b847e4f5ec19";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Each wait for its answer, far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts it in Azure's namespace and pushes the image `hello:1`. It ends with the world.
pub fn start() -> Result<(), LabError> {
    let directory = "/run/lab/registry";
    fs::create_dir_all(directory).map_err(LabError::io(directory))?;
    let file = format!("{directory}/config.yml");
    let config = format!(
        "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {directory}/data\nhttp:\n  addr: {ADDRESS}\n  relativeurls: true\n"
    );
    fs::write(&file, config).map_err(LabError::io(file.clone()))?;
    let mut command = DOCKER_REGISTRY.command()?;
    command.args(["serve", &file]).env("OTEL_TRACES_EXPORTER", "none");
    namespaces::inside("azure", || {
        DOCKER_REGISTRY.start(command)?;
        fill()
    })?
}

/// Pushes the image as any client would; the registry checks digests and the manifest's references.
fn fill() -> Result<(), LabError> {
    for (digest, bytes) in [(CONFIG_DIGEST, CONFIG), (LAYER_DIGEST, LAYER)] {
        let upload = expect(202, ask("POST", "/v2/hello/blobs/uploads/", &[], &[])?)?;
        let location = upload.headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value.as_str());
        let location = location.ok_or_else(|| LabError::Scenario("docker-registry names no upload".to_owned()))?;
        let mark = if location.contains('?') { '&' } else { '?' };
        let kind = [("content-type", "application/octet-stream")];
        expect(201, ask("PUT", &format!("{location}{mark}digest={digest}"), &kind, bytes)?)?;
    }
    let part = |kind: &str, digest: &str, bytes: &[u8]| serde_json::json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": bytes.len() });
    let manifest = serde_json::json!({ "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": part("config.v1+json", CONFIG_DIGEST, CONFIG),
        "layers": [part("layer.v1.tar+gzip", LAYER_DIGEST, LAYER)] });
    let kind = [("content-type", MANIFEST_TYPE)];
    expect(201, ask("PUT", "/v2/hello/manifests/1", &kind, manifest.to_string().as_bytes())?)?;
    // What scenarios rest on: the manifest by its tag, and a blob by range.
    expect(200, ask("GET", "/v2/hello/manifests/1", &[("accept", MANIFEST_TYPE)], &[])?)?;
    expect(206, ask("GET", &format!("/v2/hello/blobs/{CONFIG_DIGEST}"), &[("range", "bytes=0-0")], &[])?)?;
    Ok(())
}

fn expect(status: u16, response: Response) -> Result<Response, LabError> {
    if response.status == status {
        return Ok(response);
    }
    let body = String::from_utf8_lossy(&response.body);
    Err(LabError::Scenario(format!("docker-registry answered {} instead of {status}: {body}", response.status)))
}

/// What the real registry answers to a client's request for this path; 502 if it does not.
pub fn relay(path: &str, request: &Request) -> Response {
    let passed = ["accept", "range"];
    let headers: Vec<(&str, &str)> =
        passed.iter().filter_map(|n| request.headers.get(*n).map(|value| (*n, value.as_str()))).collect();
    // A HEAD is asked as a GET: whoever writes the answer leaves the body away and counts it for the length.
    match ask("GET", path, &headers, &[]) {
        Ok(mut response) => {
            response.headers.retain(|(name, _)| !["content-length", "connection", "date"].contains(&name.as_str()));
            response
        }
        Err(error) => Response::new(502, "text/plain", error.to_string()),
    }
}

/// One exchange by HTTP/1.0: the answer ends with the connection. It blocks, for no longer than a moment: the other
/// end is a process of the same machine.
fn ask(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response, LabError> {
    let what = format!("{method} {path} of docker-registry");
    let mut stream = TcpStream::connect(ADDRESS).map_err(LabError::io(what.clone()))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(LabError::io(what.clone()))?;
    let mut message = format!("{method} {path} HTTP/1.0\r\nhost: {ADDRESS}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        message.push_str(&format!("{name}: {value}\r\n"));
    }
    message.push_str("\r\n");
    let message = [message.as_bytes(), body].concat();
    stream.write_all(&message).map_err(LabError::io(what.clone()))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(LabError::io(what.clone()))?;
    parse(&answer).ok_or_else(|| LabError::Scenario(format!("{what}: the answer is not HTTP")))
}

fn parse(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned())).collect();
    Some(Response { status, headers, body: answer.get(end + 4..)?.to_vec(), ..Response::default() })
}

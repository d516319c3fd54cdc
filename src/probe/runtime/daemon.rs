//! The docker daemon: its files, and what it says over its socket.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant as Deadline;

use super::place::{self, Place, SYSTEM};
use super::user::User;
use super::{Root, docker, service};
use crate::facts::runtime::{DaemonAnswer, DockerDaemon, DockerInfo};
use crate::facts::{Known, Unknown};
use crate::probe::exchange::{Ask, Connection};

/// How long the daemon's socket may take.
const SOCKET_PATIENCE: Duration = Duration::from_secs(2);

/// The daemon, where docker is here or named; with an image it is asked for it.
pub(super) async fn read(root: &Root, user: &User, image: Option<String>, deadline: Deadline) -> Option<DockerDaemon> {
    let place = place::of(root, user);
    let is_users = matches!(&place, Place::Socket(socket) if *socket != root.at(SYSTEM) && is_rootless(user, socket));
    let (file, directories) = if is_users {
        (user.settings_file("docker/daemon.json")?, service::of_user(root, user))
    } else {
        (root.at("etc/docker/daemon.json"), service::of_system(root))
    };
    let is_here = match &place {
        Place::Socket(socket) => socket.exists() || file.is_file() || root.has_program("dockerd"),
        Place::Elsewhere { .. } => true,
    };
    if !is_here {
        return None;
    }
    let (socket, (running, registry_answer)) = match place {
        Place::Socket(socket) => (root.shown(&socket), ask(&socket, image, deadline).await),
        Place::Elsewhere { address, named_by } => {
            (address, unasked(&format!("{named_by} names a daemon elsewhere, which is not asked")))
        }
    };
    let configured = service::proxy(root, &directories, "docker", Some(&file));
    Some(DockerDaemon { socket, running, configured, registry_answer })
}

/// Whether a socket is that of a daemon that the user runs, with files of the user's own.
fn is_rootless(user: &User, socket: &Path) -> bool {
    user.runtime_file("docker.sock").is_some_and(|own| own == socket)
}

fn unasked(why: &str) -> (Known<DockerInfo>, Known<DaemonAnswer>) {
    (Known::unknown(why), Known::unknown(why))
}

/// Asks the daemon about itself, and with `--image` lets it ask the registry from where it runs.
#[cfg(unix)]
pub(super) async fn ask(
    socket: &Path,
    image: Option<String>,
    overall: Deadline,
) -> (Known<DockerInfo>, Known<DaemonAnswer>) {
    let deadline = overall.min(Deadline::now() + SOCKET_PATIENCE);
    let stream = match tokio::time::timeout_at(deadline, tokio::net::UnixStream::connect(socket)).await {
        Err(_) => return unasked("its socket does not answer in time"),
        Ok(Err(error)) => return unasked(&format!("its socket does not answer: {}", error.kind())),
        Ok(Ok(stream)) => stream,
    };
    let Ok(name) = "docker".parse() else { return unasked("its socket cannot be named") };
    let Some(mut connection) = Connection::open(stream, &name).await else {
        return unasked("its socket does not speak HTTP");
    };
    let (_, raw) = connection.send(Ask::get("/info"), deadline).await;
    let info = raw.and_then(|raw| docker::info(&serde_json::from_slice(&raw.body).ok()?));
    let Some(info) = info else { return unasked("its answer to /info is not docker's") };
    let answer = match image {
        None => Known::Unknown(Unknown::needing("the daemon was not asked about the registry", "--image")),
        Some(image) => {
            let (_, raw) = connection.send(Ask::get(format!("/distribution/{image}/json")), overall).await;
            raw.map_or_else(
                || Known::unknown("the daemon gave no answer about the registry in time"),
                |raw| Known::Known(docker::registry_answer(raw.status.is_success(), &raw.body)),
            )
        }
    };
    (Known::Known(info), answer)
}

#[cfg(not(unix))]
async fn ask(_: &Path, _: Option<String>, _: Deadline) -> (Known<DockerInfo>, Known<DaemonAnswer>) {
    unasked("its named pipe is not asked on this system")
}

#[cfg(all(test, unix))]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_daemon_tells_its_proxy_and_what_the_registry_told_it() {
        let path = std::env::temp_dir().join(format!("acr-doctor-docker-{}.sock", std::process::id()));
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let bodies = [
            r#"{"ServerVersion":"27.1","HttpsProxy":"http://proxy:3128"}"#,
            r#"{"message":"denied: client with IP '203.0.113.7' is not allowed access."}"#,
        ];
        let daemon = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            for body in bodies {
                let mut request = vec![0; 4096];
                assert!(peer.read(&mut request).await.unwrap() > 0);
                let status = if body.contains("denied") { "403 Forbidden" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                peer.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let deadline = Deadline::now() + Duration::from_secs(10);
        let (seen, ()) = tokio::join!(ask(&path, Some("myreg.azurecr.io/app:1".to_owned()), deadline), daemon);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(seen.0.known().unwrap().proxy.https.as_deref(), Some("http://proxy:3128"));
        assert_eq!(seen.1.known().unwrap().denied_client, Some("203.0.113.7".parse().unwrap()));
        let gone = ask(&path, None, deadline).await;
        assert!(!gone.0.is_known());
    }
}

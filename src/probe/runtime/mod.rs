//! The container runtime on this host, or in another root: what docker, containerd, podman and CRI-O are told
//! about proxies, mirrors and authorities. Credentials are located, never read out.

pub mod docker;
pub mod mirrors;
mod process;
pub mod units;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::Instant as Deadline;
use url::Url;

use super::exchange::{Ask, Connection};
use crate::facts::runtime::{ContainerRuntime, DaemonAnswer, DaemonProxy, DockerDaemon, DockerInfo, Mirror};
use crate::facts::{Fqdn, ImageReference, Known, Unknown};
use units::UnitEnvironment;

/// The longest configuration file that is read.
const MAX_FILE: u64 = 1024 * 1024;
/// How long the daemon's socket may take.
const SOCKET_PATIENCE: Duration = Duration::from_secs(2);
/// Where units and drop-ins lie, the later winning (systemd.unit(5)).
const UNIT_DIRECTORIES: [&str; 4] =
    ["lib/systemd/system", "usr/lib/systemd/system", "run/systemd/system", "etc/systemd/system"];

/// A file system that is looked at: this host's own, or a node's disk mounted somewhere.
struct Root {
    path: PathBuf,
    is_ours: bool,
}

impl Root {
    fn at(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }

    /// The path as the runtime there sees it.
    fn shown(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.path).unwrap_or(path);
        format!("/{}", inside.display().to_string().trim_start_matches('/'))
    }

    fn has_program(&self, name: &str) -> bool {
        ["usr/bin", "usr/local/bin", "usr/sbin", "bin", "opt/bin"]
            .iter()
            .any(|dir| self.path.join(dir).join(name).is_file())
    }
}

/// The files of a directory with an extension, by name.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    files
}

/// Reads what is here of container runtimes; asks the docker daemon over its socket, and nobody else.
pub async fn read(
    runtime_root: Option<&Path>,
    login: &Fqdn,
    image: Option<&ImageReference>,
    deadline: Deadline,
) -> ContainerRuntime {
    let root = Root {
        path: runtime_root.map_or_else(|| PathBuf::from("/"), Path::to_path_buf),
        is_ours: runtime_root.is_none_or(|path| path == Path::new("/")),
    };
    let mut runtime = ContainerRuntime::default();
    let programs = [
        ("docker", "docker"),
        ("podman", "podman"),
        ("nerdctl", "nerdctl"),
        ("containerd", "containerd"),
        ("crio", "crio"),
    ];
    let found = programs.iter().filter(|(_, program)| root.has_program(program));
    runtime.found = found.map(|(name, _)| (*name).to_owned()).collect();
    runtime.docker = docker_daemon(&root, image.map(|image| format!("{login}/{image}")), deadline).await;
    if runtime.docker.is_some() && !runtime.found.iter().any(|f| f == "docker") {
        runtime.found.insert(0, "docker".to_owned());
    }
    if runtime.found.iter().any(|f| f == "containerd") || root.at("etc/containerd/config.toml").is_file() {
        runtime.containerd = Some(service(&root, "containerd", None));
    }
    if let Some(config) = client_config(&root) {
        runtime.client_proxy = docker::client_proxy(&config);
        runtime.credential_source = docker::credential_source(&config, login);
    }
    read_containerd(&root, login, &mut runtime);
    read_registries_conf(&root, login, &mut runtime);
    for authority in files(&root.at("etc/docker/certs.d").join(login.as_str()), "crt") {
        runtime.extra_authorities.push(root.shown(&authority));
    }
    runtime
}

async fn docker_daemon(root: &Root, image: Option<String>, deadline: Deadline) -> Option<DockerDaemon> {
    let file = root.at("etc/docker/daemon.json");
    let host = std::env::var("DOCKER_HOST").ok().filter(|host| root.is_ours && !host.is_empty());
    let socket = match host.as_deref() {
        Some(host) => host.strip_prefix("unix://").map(PathBuf::from),
        None => Some(root.at("var/run/docker.sock")),
    };
    let is_here = root.has_program("dockerd") || file.is_file() || socket.as_ref().is_some_and(|s| s.exists());
    if !is_here && host.is_none() {
        return None;
    }
    let (running, registry_answer) = match &socket {
        Some(socket) => ask_docker(socket, image, deadline).await,
        None => unasked("DOCKER_HOST names a daemon elsewhere, which is not asked"),
    };
    let shown = socket.as_ref().map_or_else(|| bare(host.as_deref().unwrap_or_default()), |s| root.shown(s));
    Some(DockerDaemon { socket: shown, running, configured: service(root, "docker", Some(&file)), registry_answer })
}

fn unasked(why: &str) -> (Known<DockerInfo>, Known<DaemonAnswer>) {
    (Known::unknown(why), Known::unknown(why))
}

/// Asks the daemon about itself, and with `--image` lets it ask the registry from where it runs.
#[cfg(unix)]
async fn ask_docker(
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
async fn ask_docker(_: &Path, _: Option<String>, _: Deadline) -> (Known<DockerInfo>, Known<DaemonAnswer>) {
    unasked("its named pipe is not asked on this system")
}

/// A service's proxy by its files, and whether one of them is newer than the process.
fn service(root: &Root, name: &str, json: Option<&Path>) -> DaemonProxy {
    let mut environment = UnitEnvironment::default();
    let mut read: Vec<PathBuf> = Vec::new();
    let unit =
        UNIT_DIRECTORIES.iter().rev().map(|dir| root.at(dir).join(format!("{name}.service"))).find(|f| f.is_file());
    let drop_ins = UNIT_DIRECTORIES.iter().map(|dir| root.at(dir).join(format!("{name}.service.d")));
    let mut drop_ins: Vec<PathBuf> = drop_ins.flat_map(|dir| files(&dir, "conf")).collect();
    drop_ins.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    let mut source = None;
    for file in unit.into_iter().chain(drop_ins) {
        let before = environment.proxy("").https;
        if let Some(text) = text(&file) {
            environment.apply(&text);
            if environment.proxy("").https != before {
                source = Some(root.shown(&file));
            }
            read.push(file);
        }
    }
    for named in environment.files.clone() {
        let file = root.at(&named);
        let before = environment.proxy("").https;
        if let Some(text) = text(&file) {
            environment.apply_file(&text);
            if environment.proxy("").https != before {
                source = Some(named);
            }
            read.push(file);
        }
    }
    let mut proxy = environment.proxy(source.as_deref().unwrap_or("systemd"));
    if let Some(file) = json.filter(|file| file.is_file()) {
        // What daemon.json says wins over the environment.
        let settings = text(file).and_then(|t| serde_json::from_str::<Value>(&t).ok());
        if let Some(from_file) = settings.as_ref().and_then(docker::daemon_proxy) {
            proxy = from_file;
        }
        read.push(file.to_path_buf());
    }
    let process = if name == "docker" { "dockerd" } else { name };
    let changed_since_start = if root.is_ours {
        changed_since(process, &read)
    } else {
        Known::unknown("another root's processes are not visible")
    };
    DaemonProxy { proxy, files: read.iter().map(|f| root.shown(f)).collect(), changed_since_start }
}

fn changed_since(process: &str, files: &[PathBuf]) -> Known<bool> {
    let Some(started) = process::started(process) else {
        return Known::unknown(format!("no running {process} is visible from here"));
    };
    let modified = |file: &PathBuf| -> Option<SystemTime> { std::fs::metadata(file).ok()?.modified().ok() };
    Known::Known(files.iter().filter_map(modified).any(|at| at > started))
}

/// The docker client's file: `DOCKER_CONFIG`, the home directory's, or a node's kubelet's.
pub fn own_client_config() -> Option<Value> {
    client_config(&Root { path: PathBuf::from("/"), is_ours: true })
}

/// The docker client's file in a root.
fn client_config(root: &Root) -> Option<Value> {
    let ours = || {
        let directory = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
        let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
        directory.or_else(|| home.map(|home| PathBuf::from(home).join(".docker")))
    };
    let places = if root.is_ours {
        ours().map(|dir| dir.join("config.json")).into_iter().collect()
    } else {
        vec![root.at("root/.docker/config.json"), root.at("var/lib/kubelet/config.json")]
    };
    places.iter().find_map(|file| serde_json::from_str(&text(file)?).ok())
}

fn read_containerd(root: &Root, login: &Fqdn, runtime: &mut ContainerRuntime) {
    let mut queue = vec![root.at("etc/containerd/config.toml")];
    let mut directories: Vec<String> = Vec::new();
    let mut at = 0;
    // Imports of imports are followed, within reason.
    while let Some(file) = queue.get(at).cloned().filter(|_| at < 32) {
        at += 1;
        let Some(text) = text(&file) else { continue };
        let read = mirrors::containerd(&text, login);
        let shown = root.shown(&file);
        runtime.mirrors.extend(read.endpoints.into_iter().map(|endpoint| Mirror { file: shown.clone(), endpoint }));
        runtime.extra_authorities.extend(read.authorities);
        directories.extend(read.host_directories);
        for import in read.imports {
            let path = root.at(&import);
            match (path.parent(), path.file_name().and_then(|n| n.to_str())) {
                (Some(parent), Some("*.toml")) => queue.extend(files(parent, "toml")),
                _ => queue.push(path),
            }
        }
    }
    for directory in directories {
        // The registry's own directory wins over `_default`.
        let candidates = [login.as_str(), "_default"].map(|d| root.at(&directory).join(d).join("hosts.toml"));
        let Some((file, text)) = candidates.into_iter().find_map(|f| text(&f).map(|t| (f, t))) else { continue };
        let (endpoints, authorities) = mirrors::hosts_toml(&text, login);
        let shown = root.shown(&file);
        runtime.mirrors.extend(endpoints.into_iter().map(|endpoint| Mirror { file: shown.clone(), endpoint }));
        runtime.extra_authorities.extend(authorities);
    }
}

fn read_registries_conf(root: &Root, login: &Fqdn, runtime: &mut ContainerRuntime) {
    let more = files(&root.at("etc/containers/registries.conf.d"), "conf");
    for file in std::iter::once(root.at("etc/containers/registries.conf")).chain(more) {
        let Some(text) = text(&file) else { continue };
        let shown = root.shown(&file);
        let endpoints = mirrors::registries_conf(&text, login);
        runtime.mirrors.extend(endpoints.into_iter().map(|endpoint| Mirror { file: shown.clone(), endpoint }));
    }
}

/// A file's text, if it is a regular file, readable and not too long.
fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A URL or host without credentials.
fn bare(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.has_host() => {
            let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
            let path = url.path().trim_end_matches('/');
            format!("{}://{}{port}{path}", url.scheme(), url.host_str().unwrap_or_default())
        }
        _ => text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let file = root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    #[tokio::test]
    async fn another_root_is_read_whole() {
        let root = std::env::temp_dir().join(format!("acr-doctor-runtime-{}", std::process::id()));
        write(&root, "etc/docker/daemon.json", r#"{"registry-mirrors": ["https://m"]}"#);
        write(
            &root,
            "etc/systemd/system/docker.service.d/http-proxy.conf",
            "[Service]\nEnvironment=HTTPS_PROXY=http://u:hunter2@proxy.corp:3128",
        );
        write(&root, "etc/containerd/config.toml", "version = 3\nimports = ['/etc/containerd/conf.d/*.toml']");
        write(
            &root,
            "etc/containerd/conf.d/a.toml",
            "[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = '/etc/containerd/certs.d'",
        );
        write(&root, "etc/containerd/certs.d/myreg.azurecr.io/hosts.toml", "[host.'https://mirror.example']\n");
        write(&root, "etc/docker/certs.d/myreg.azurecr.io/ca.crt", "x");
        write(&root, "var/lib/kubelet/config.json", r#"{"auths": {"myreg.azurecr.io": {"auth": "aHVudGVyMg=="}}}"#);
        let login = "myreg.azurecr.io".parse().unwrap();
        let seen = read(Some(&root), &login, None, Deadline::now() + Duration::from_secs(5)).await;
        std::fs::remove_dir_all(&root).unwrap();
        let docker = seen.docker.as_ref().unwrap();
        assert_eq!(docker.configured.proxy.https.as_deref(), Some("http://proxy.corp:3128"));
        assert_eq!(
            docker.configured.proxy.source.as_deref(),
            Some("/etc/systemd/system/docker.service.d/http-proxy.conf")
        );
        assert!(!docker.running.is_known() && !docker.configured.changed_since_start.is_known());
        assert_eq!(
            seen.mirrors,
            [Mirror {
                file: "/etc/containerd/certs.d/myreg.azurecr.io/hosts.toml".to_owned(),
                endpoint: "https://mirror.example".to_owned()
            }]
        );
        assert_eq!(seen.extra_authorities, ["/etc/docker/certs.d/myreg.azurecr.io/ca.crt"]);
        assert_eq!(seen.credential_source, crate::facts::runtime::CredentialSource::ConfigFile);
        let json = serde_json::to_string(&seen).unwrap();
        assert!(!json.contains("hunter2") && !json.contains("aHVudGVyMg"), "{json}");
    }
}

#[cfg(all(test, unix))]
mod socket_tests {
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
        let (seen, ()) = tokio::join!(ask_docker(&path, Some("myreg.azurecr.io/app:1".to_owned()), deadline), daemon);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(seen.0.known().unwrap().proxy.https.as_deref(), Some("http://proxy:3128"));
        assert_eq!(seen.1.known().unwrap().denied_client, Some("203.0.113.7".parse().unwrap()));
        let gone = ask_docker(&path, None, deadline).await;
        assert!(!gone.0.is_known());
    }
}

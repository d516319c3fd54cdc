//! The container runtime on this host, or in another root: what docker, containerd, podman and CRI-O are told
//! about proxies, mirrors and authorities. Credentials are located, never read out.

mod daemon;
pub mod docker;
pub mod mirrors;
mod place;
mod podman;
mod process;
mod service;
pub mod units;
mod user;

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::time::Instant as Deadline;
use url::Url;

use crate::facts::runtime::{ContainerRuntime, CredentialSource, Mirror};
use crate::facts::{Fqdn, ImageReference};
use user::User;

/// The longest configuration file that is read.
const MAX_FILE: u64 = 1024 * 1024;
/// A file system that is looked at: this host's own, or a node's disk mounted somewhere.
struct Root {
    path: PathBuf,
    is_ours: bool,
}

impl Root {
    /// This host's own.
    fn own() -> Self {
        Self { path: PathBuf::from("/"), is_ours: true }
    }

    #[cfg(test)]
    fn another(path: &Path) -> Self {
        Self { path: path.to_owned(), is_ours: false }
    }

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
    let user = User::of(&root);
    runtime.docker = daemon::read(&root, &user, image.map(|image| format!("{login}/{image}")), deadline).await;
    if runtime.docker.is_some() && !runtime.found.iter().any(|f| f == "docker") {
        runtime.found.insert(0, "docker".to_owned());
    }
    if runtime.found.iter().any(|f| f == "containerd") || root.at("etc/containerd/config.toml").is_file() {
        runtime.containerd = Some(service::proxy(&root, &service::of_system(&root), "containerd", None));
    }
    if runtime.found.iter().any(|f| f == "crio") || root.at("etc/crio").is_dir() {
        runtime.crio = Some(service::proxy(&root, &service::of_system(&root), "crio", None));
    }
    runtime.podman = podman::proxy(&root, &user);
    let configs = client_files(&root, &user);
    runtime.client_proxy = configs.first().and_then(docker::client_proxy);
    let sources = configs.iter().map(|config| docker::credential_source(config, login));
    runtime.credential_source = sources.into_iter().find(|s| *s != CredentialSource::None).unwrap_or_default();
    read_containerd(&root, login, &mut runtime);
    podman::read_registries(&root, &user, login, &mut runtime);
    for directory in ["etc/docker/certs.d", "etc/containers/certs.d"] {
        for authority in files(&root.at(directory).join(login.as_str()), "crt") {
            runtime.extra_authorities.push(root.shown(&authority));
        }
    }
    runtime
}

/// The files with this user's logins: docker's, then podman's.
pub fn own_client_files() -> Vec<Value> {
    let root = Root::own();
    client_files(&root, &User::of(&root))
}

/// The files with logins in a root: this user's, or a node's.
fn client_files(root: &Root, user: &User) -> Vec<Value> {
    if root.is_ours {
        return user.docker_config().into_iter().chain(user.podman_logins()).collect();
    }
    let places = ["root/.docker/config.json", "var/lib/kubelet/config.json", "root/.config/containers/auth.json"];
    places.iter().filter_map(|file| json(&root.at(file))).collect()
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

/// A file's text, its first mebibyte at most, if it is a regular file and readable: a pipe would keep us waiting.
fn text(path: &Path) -> Option<String> {
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file's JSON.
fn json(file: &Path) -> Option<Value> {
    serde_json::from_str(&text(file)?).ok()
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

    pub(super) fn write(root: &Path, path: &str, text: &str) {
        let file = root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    #[test]
    fn what_is_no_regular_file_is_not_read() {
        assert_eq!(text(Path::new("/dev/zero")), None);
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
        let seen = read(Some(&root), &login, None, Deadline::now() + std::time::Duration::from_secs(5)).await;
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

//! The container runtime on the client's host, and what it is told about networks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Known;
use super::vantage::ProxySettings;

/// What was found of docker, containerd, podman and CRI-O. Credentials are never part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRuntime {
    /// Runtimes found: `docker`, `podman`, `nerdctl`, `containerd`, `crio`.
    #[serde(default)]
    pub found: Vec<String>,
    /// The docker daemon, if docker is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<DockerDaemon>,
    /// The containerd service, if containerd is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containerd: Option<DaemonProxy>,
    /// The CRI-O service, if CRI-O is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crio: Option<DaemonProxy>,
    /// The proxy that containers.conf gives podman in the place of the shell's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub podman: Option<DaemonProxy>,
    /// Proxy settings of the docker client (`config.json`), which go into containers, not to the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_proxy: Option<ProxySettings>,
    /// Where docker, else podman, keeps the credential for this registry.
    #[serde(default)]
    pub credential_source: CredentialSource,
    /// Mirrors and rewrites that concern this registry.
    #[serde(default)]
    pub mirrors: Vec<Mirror>,
    /// Files of podman's and CRI-O's that block pulls from this registry (registries.conf).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,
    /// Files with extra CAs for this registry, e.g. `/etc/docker/certs.d/<registry>/ca.crt`.
    #[serde(default)]
    pub extra_authorities: Vec<String>,
}

/// The docker daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DockerDaemon {
    /// The socket that was asked.
    pub socket: String,
    /// Whether it answered, and if not, why.
    #[serde(default)]
    pub running: Known<DockerInfo>,
    /// Its proxy by files.
    pub configured: DaemonProxy,
    /// What the daemon itself met at the registry: `GET /distribution/<login server>/<image>/json` of its API lets it ask
    /// from where it runs (another VM, another namespace).
    #[serde(default)]
    pub registry_answer: Known<DaemonAnswer>,
}

/// What the registry answered to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DaemonAnswer {
    /// The daemon's words, sanitised and without any secret; empty where it got the manifest.
    #[serde(default)]
    pub message: String,
    /// "client with IP 'A' is not allowed access" in them: the address that the registry saw of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_client: Option<std::net::IpAddr>,
}

/// `GET /info` of the daemon's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DockerInfo {
    /// Its version.
    pub version: String,
    /// The proxy that the running process uses, without credentials.
    pub proxy: ProxySettings,
    /// `registry-mirrors` in force.
    #[serde(default)]
    pub registry_mirrors: Vec<String>,
}

/// A daemon's proxy by its files: `daemon.json` `proxies`, systemd drop-ins, environment files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DaemonProxy {
    /// The settings, without credentials.
    pub proxy: ProxySettings,
    /// The files that were read.
    #[serde(default)]
    pub files: Vec<String>,
    /// Whether a file is newer than the running process; unknown where the process is not visible.
    #[serde(default)]
    pub changed_since_start: Known<bool>,
}

/// Where docker's credential for the registry comes from; never the credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "kind", content = "name")]
pub enum CredentialSource {
    /// There is none.
    #[default]
    None,
    /// In `config.json` itself, or in podman's `auth.json`.
    ConfigFile,
    /// A helper, e.g. `acr-env`, `ecr-login`.
    Helper(String),
    /// A store, e.g. `desktop`, `pass`.
    Store(String),
}

/// A mirror or a rewrite of a registry's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mirror {
    /// The file that says so.
    pub file: String,
    /// Where requests go instead.
    pub endpoint: String,
}

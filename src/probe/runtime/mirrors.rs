//! Where container runtimes send a registry's requests instead: containerd's `config.toml` (versions 1 to 3)
//! and `hosts.toml`, podman's and CRI-O's `registries.conf`.

use toml::{Table, Value};

use super::bare;
use crate::facts::Fqdn;

/// What containerd's configuration says about one registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Containerd {
    /// Endpoints of `registry.mirrors`.
    pub endpoints: Vec<String>,
    /// `config_path`: directories with `<host>/hosts.toml`.
    pub host_directories: Vec<String>,
    /// `registry.configs.<host>.tls.ca_file`.
    pub authorities: Vec<String>,
    /// `imports`: further files, the last part may be a pattern.
    pub imports: Vec<String>,
}

/// Reads `config.toml`; a file that is not TOML says nothing.
pub fn containerd(text: &str, login: &Fqdn) -> Containerd {
    let Ok(root) = text.parse::<Table>() else { return Containerd::default() };
    let mut read = Containerd { imports: strings(root.get("imports")), ..Containerd::default() };
    let plugins = root.get("plugins").and_then(Value::as_table);
    // Version 1, 2, 3 of the file name the image plugin differently.
    let names = ["cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"];
    for registry in names.iter().filter_map(|name| plugins?.get(*name)?.get("registry")) {
        if let Some(path) = registry.get("config_path").and_then(Value::as_str) {
            read.host_directories.extend(path.split(':').filter(|p| !p.is_empty()).map(str::to_owned));
        }
        let mirrors = registry.get("mirrors").and_then(Value::as_table);
        for (_, mirror) in mirrors.into_iter().flatten().filter(|(host, _)| concerns(host, login) || *host == "*") {
            read.endpoints.extend(strings(mirror.get("endpoint")).iter().map(|e| bare(e)));
        }
        let configs = registry.get("configs").and_then(Value::as_table);
        for (_, config) in configs.into_iter().flatten().filter(|(host, _)| concerns(host, login)) {
            let file = config.get("tls").and_then(|tls| tls.get("ca_file")).and_then(Value::as_str);
            read.authorities.extend(file.map(str::to_owned));
        }
    }
    read.endpoints.retain(|endpoint| !concerns(endpoint, login));
    read
}

/// The hosts and the CA files of a `hosts.toml`.
pub fn hosts_toml(text: &str, login: &Fqdn) -> (Vec<String>, Vec<String>) {
    let Ok(root) = text.parse::<Table>() else { return (Vec::new(), Vec::new()) };
    let mut endpoints: Vec<String> = root.get("server").and_then(Value::as_str).into_iter().map(bare).collect();
    let mut authorities = strings(root.get("ca"));
    for (host, settings) in root.get("host").and_then(Value::as_table).into_iter().flatten() {
        endpoints.push(bare(host));
        authorities.extend(strings(settings.get("ca")));
    }
    endpoints.retain(|endpoint| !concerns(endpoint, login));
    (endpoints, authorities)
}

/// What `registries.conf` says about one registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registries {
    /// Mirrors, and the location that the name is rewritten to.
    pub endpoints: Vec<String>,
    /// Whether pulls from it are refused.
    pub is_blocked: bool,
}

/// Reads `registries.conf`, version 2 or 1 (containers-registries.conf(5)); a file that is not TOML says nothing.
pub fn registries_conf(text: &str, login: &Fqdn) -> Registries {
    let Ok(root) = text.parse::<Table>() else { return Registries::default() };
    let mut read = Registries::default();
    let registries = root.get("registry").and_then(Value::as_array);
    for registry in registries.into_iter().flatten() {
        let text = |value: &Value| value.get("location").and_then(Value::as_str).map(bare);
        let location = text(registry);
        let prefix = registry.get("prefix").and_then(Value::as_str).map(str::to_owned).or_else(|| location.clone());
        if prefix.is_some_and(|prefix| concerns(&prefix, login)) {
            let mirrors = registry.get("mirror").and_then(Value::as_array);
            read.endpoints.extend(mirrors.into_iter().flatten().filter_map(text));
            read.endpoints.extend(location);
            read.is_blocked |= registry.get("blocked").and_then(Value::as_bool) == Some(true);
        }
    }
    read.endpoints.retain(|endpoint| !concerns(endpoint, login));
    // Version 1 knows no mirrors; its `search` and `insecure` say nothing of where a full name leads.
    let blocked = root.get("registries").and_then(|all| all.get("block")).and_then(|block| block.get("registries"));
    read.is_blocked |= strings(blocked).iter().any(|blocked| concerns(blocked, login));
    read
}

/// Whether a host, a URL or a prefix (`*.azurecr.io`, `host/path`) means this registry.
fn concerns(text: &str, login: &Fqdn) -> bool {
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default().trim_end_matches(":443");
    match host.strip_prefix("*.") {
        Some(suffix) => login.is_within(suffix) && !login.as_str().eq_ignore_ascii_case(suffix),
        None => host.eq_ignore_ascii_case(login.as_str()),
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Fqdn {
        "myreg.azurecr.io".parse().unwrap()
    }

    #[test]
    fn each_version_of_config_toml_names_its_mirrors() {
        for plugin in ["cri", "\"io.containerd.grpc.v1.cri\"", "\"io.containerd.cri.v1.images\""] {
            let text = format!(
                "[plugins.{plugin}.registry]\nconfig_path = '/etc/containerd/certs.d'\n[plugins.{plugin}.registry.mirrors.'myreg.azurecr.io']\nendpoint = ['https://u:p@mirror.example', 'https://myreg.azurecr.io']\n[plugins.{plugin}.registry.mirrors.'docker.io']\nendpoint = ['https://x']"
            );
            let read = containerd(&text, &login());
            assert_eq!(read.endpoints, ["https://mirror.example"], "{plugin}");
            assert_eq!(read.host_directories, ["/etc/containerd/certs.d"]);
        }
    }

    #[test]
    fn hosts_toml_and_registries_conf_name_theirs() {
        let (endpoints, authorities) = hosts_toml(
            "server = 'https://myreg.azurecr.io'\n[host.'https://mirror.example']\nca = '/etc/ca.pem'",
            &login(),
        );
        assert_eq!(
            (endpoints, authorities),
            (vec!["https://mirror.example".to_owned()], vec!["/etc/ca.pem".to_owned()])
        );
        let conf = "[[registry]]\nprefix = '*.azurecr.io'\nlocation = 'cache.example/acr'\n[[registry.mirror]]\nlocation = 'm.example'\n[[registry]]\nlocation = 'docker.io'";
        assert_eq!(registries_conf(conf, &login()).endpoints, ["m.example", "cache.example/acr"]);
        let own = registries_conf("[[registry]]\nlocation='myreg.azurecr.io'", &login());
        assert_eq!(own, Registries::default(), "itself is no mirror");
    }

    #[test]
    fn a_registry_is_blocked_in_either_version() {
        let is_blocked = |text| registries_conf(text, &login()).is_blocked;
        assert!(is_blocked("[[registry]]\nprefix = '*.azurecr.io'\nblocked = true"));
        assert!(is_blocked(
            "[registries.search]\nregistries = ['docker.io']\n[registries.block]\nregistries = ['myreg.azurecr.io']"
        ));
        assert!(!is_blocked("[registries.insecure]\nregistries = ['myreg.azurecr.io']"));
        assert!(!is_blocked("[[registry]]\nlocation = 'docker.io'\nblocked = true"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,300}") {
            containerd(&text, &login());
            hosts_toml(&text, &login());
            registries_conf(&text, &login());
        }
    }
}

//! The docker client's `config.json` and the daemon's `daemon.json` and `/info`, as pure readers of JSON.

use serde_json::Value;

use super::bare;
use crate::facts::Fqdn;
use crate::facts::runtime::{CredentialSource, DaemonAnswer, DockerInfo};
use crate::facts::vantage::ProxySettings;
use crate::probe::{answer, excerpt};

/// `proxies.default` of the client's file; it goes into containers, not to the daemon.
pub fn client_proxy(config: &Value) -> Option<ProxySettings> {
    let proxies = config.pointer("/proxies/default")?;
    settings(proxies, ["httpsProxy", "noProxy"], "config.json")
}

/// `proxies` of daemon.json (docker 23 and later).
pub fn daemon_proxy(config: &Value) -> Option<ProxySettings> {
    settings(config.get("proxies")?, ["https-proxy", "no-proxy"], "daemon.json")
}

/// The parts of `GET /info` that concern the network.
pub fn info(answer: &Value) -> Option<DockerInfo> {
    let version = answer.get("ServerVersion")?.as_str()?.to_owned();
    let proxy = settings(answer, ["HttpsProxy", "NoProxy"], "docker info").unwrap_or_default();
    let mirrors = answer.pointer("/RegistryConfig/Mirrors").and_then(Value::as_array);
    let registry_mirrors = mirrors.into_iter().flatten().filter_map(Value::as_str).map(bare).collect();
    Some(DockerInfo { version, proxy, registry_mirrors })
}

/// What `GET /distribution/<image>/json` said of the registry, as the daemon met it.
pub fn registry_answer(held: bool, body: &[u8]) -> DaemonAnswer {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let words = body.as_ref().and_then(|b| b.get("message")).and_then(Value::as_str).unwrap_or_default();
    let words = if held { "" } else { words };
    DaemonAnswer { message: excerpt::line(words), denied_client: answer::denied_client(words) }
}

fn settings(from: &Value, [https, no_proxy]: [&str; 2], source: &str) -> Option<ProxySettings> {
    let text = |name: &str| from.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (https, no_proxy) = (text(https), text(no_proxy));
    (https.is_some() || no_proxy.is_some()).then(|| ProxySettings {
        https: https.map(bare),
        source: https.map(|_| source.to_owned()),
        no_proxy: super::units::entries(no_proxy.unwrap_or_default()),
        unusable: None,
    })
}

/// Where the client keeps its credential for `login`: a helper for this registry, a store for all, or the file itself.
pub fn credential_source(config: &Value, login: &Fqdn) -> CredentialSource {
    if let Some(helper) = entry(config, "credHelpers", login).and_then(Value::as_str) {
        return CredentialSource::Helper(helper.to_owned());
    }
    let entry = entry(config, "auths", login);
    let holds = |name: &str| entry.and_then(|e| e.get(name)).and_then(Value::as_str).is_some_and(|t| !t.is_empty());
    if holds("auth") || holds("identitytoken") || holds("password") {
        return CredentialSource::ConfigFile;
    }
    match config.get("credsStore").and_then(Value::as_str) {
        // docker leaves an empty entry in `auths` for what is in the store.
        Some(store) if entry.is_some() => CredentialSource::Store(store.to_owned()),
        _ => CredentialSource::None,
    }
}

/// The registry's entry in `auths` or `credHelpers`.
pub fn entry<'v>(config: &'v Value, section: &str, login: &Fqdn) -> Option<&'v Value> {
    let entries = config.get(section)?.as_object()?;
    entries.iter().find(|(key, _)| is_for(key, login)).map(|(_, value)| value)
}

/// Whether a key of `auths` means this registry: with or without scheme and path, as docker itself reads them.
fn is_for(key: &str, login: &Fqdn) -> bool {
    let host = key.split_once("://").map_or(key, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    host.trim_end_matches(":443").eq_ignore_ascii_case(login.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn login() -> Fqdn {
        "myreg.azurecr.io".parse().unwrap()
    }

    #[test]
    fn a_credential_is_placed_and_never_read_out() {
        let source = |config: Value| credential_source(&config, &login());
        assert_eq!(
            source(json!({"auths": {"https://myreg.azurecr.io/v1/": {"auth": "c2VjcmV0"}}})),
            CredentialSource::ConfigFile
        );
        let helper = json!({"credHelpers": {"myreg.azurecr.io": "acr-env"}, "credsStore": "desktop"});
        assert_eq!(source(helper), CredentialSource::Helper("acr-env".to_owned()));
        let store = json!({"auths": {"myreg.azurecr.io": {}}, "credsStore": "desktop"});
        assert_eq!(source(store), CredentialSource::Store("desktop".to_owned()));
        assert_eq!(source(json!({"auths": {"other.azurecr.io": {"auth": "x"}}})), CredentialSource::None);
        assert_eq!(source(json!([1, "x"])), CredentialSource::None);
    }

    #[test]
    fn proxies_lose_their_credentials() {
        let daemon = json!({"proxies": {"https-proxy": "http://user:hunter2@proxy:3128", "no-proxy": "a, .b"}});
        let proxy = daemon_proxy(&daemon).unwrap();
        assert!(!format!("{proxy:?}").contains("hunter2"));
        assert_eq!(proxy.no_proxy, ["a", ".b"]);
        let running = info(&json!({"ServerVersion": "27.1", "HttpsProxy": "", "NoProxy": ""})).unwrap();
        assert_eq!(running.proxy, ProxySettings::default());
        assert_eq!(daemon_proxy(&json!({"proxies": 3})), None);
    }
}

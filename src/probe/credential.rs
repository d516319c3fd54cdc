//! The credential that docker would use for the registry: from `config.json`, a helper or a store. Never shown.

use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::Instant as Deadline;

use super::runtime::docker::{credential_source, entry};
use crate::facts::http::CredentialKind;
use crate::facts::runtime::CredentialSource;
use crate::facts::{Fqdn, Secret};

/// The user that `az acr login` writes beside a refresh token, and helpers give with one.
const TOKEN_USERS: [&str; 2] = ["00000000-0000-0000-0000-000000000000", "<token>"];

/// A credential of docker's for the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerCredential {
    /// The registry's own refresh token.
    RefreshToken(Secret),
    /// A user name and a password.
    Password {
        /// The name; the admin user's is the registry's.
        user: String,
        /// The password.
        password: Secret,
    },
}

impl DockerCredential {
    fn of(user: &str, secret: &str) -> Option<Self> {
        if secret.is_empty() {
            None
        } else if TOKEN_USERS.contains(&user) {
            Some(Self::RefreshToken(Secret::new(secret)))
        } else {
            Some(Self::Password { user: user.to_owned(), password: Secret::new(secret) })
        }
    }

    /// What kind this is at `login`: the admin user is named as the registry is.
    pub fn kind(&self, login: &Fqdn) -> CredentialKind {
        match self {
            Self::Password { user, .. } if user.eq_ignore_ascii_case(login.first_label()) => CredentialKind::AdminUser,
            Self::Password { .. } | Self::RefreshToken(_) => CredentialKind::Docker,
        }
    }
}

/// Docker's credential for `login`, where it has one that can be read in time.
pub async fn find(config: &Value, login: &Fqdn, deadline: Deadline) -> Option<DockerCredential> {
    match credential_source(config, login) {
        CredentialSource::None => None,
        CredentialSource::ConfigFile => in_file(entry(config, "auths", login)?),
        CredentialSource::Helper(name) | CredentialSource::Store(name) => ask_helper(&name, login, deadline).await,
    }
}

fn in_file(entry: &Value) -> Option<DockerCredential> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(token) = text("identitytoken") {
        return Some(DockerCredential::RefreshToken(Secret::new(token)));
    }
    let decoded = String::from_utf8(STANDARD.decode(text("auth")?).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    DockerCredential::of(user, password)
}

/// `docker-credential-<name> get`, the registry's name on its input (docker's credential helper protocol).
async fn ask_helper(name: &str, login: &Fqdn, deadline: Deadline) -> Option<DockerCredential> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return None;
    }
    let mut helper = Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut input = helper.stdin.take()?;
    let answer = async {
        input.write_all(login.as_str().as_bytes()).await.ok()?;
        drop(input);
        helper.wait_with_output().await.ok()
    };
    let output = tokio::time::timeout_at(deadline, answer).await.ok()??;
    let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    DockerCredential::of(answer.get("Username")?.as_str()?, answer.get("Secret")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_file_gives_a_password_the_admin_user_or_a_token_and_prints_none() {
        let login: Fqdn = "myreg.azurecr.io".parse().unwrap();
        let find = async |entry: Value| {
            let config = json!({ "auths": { "myreg.azurecr.io": entry } });
            find(&config, &login, Deadline::now() + std::time::Duration::from_secs(5)).await
        };
        let admin = find(json!({ "auth": STANDARD.encode("MyReg:hunter2") })).await.unwrap();
        assert_eq!(admin.kind(&login), CredentialKind::AdminUser);
        assert!(!format!("{admin:?}").contains("hunter2"));
        let token = find(json!({ "auth": STANDARD.encode("x:"), "identitytoken": "hunter2" })).await;
        assert_eq!(token, Some(DockerCredential::RefreshToken(Secret::new("hunter2"))));
        assert_eq!(find(json!({ "auth": "not base64!" })).await, None);
    }
}

//! The Azure CLI that started this program (`az acr doctor`): its account is asked for tokens over loopback.
//!
//! Started this way no second Python is needed, the token is the account's that az itself would use, and none is asked
//! for before it is needed. One connection a token, a line of JSON each way.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tool_runner::ToolAccount;
use crate::config::read_error::printable;
use crate::facts::secret::Secret;

/// Where the Azure CLI listens and the key that it wants: `127.0.0.1:43121/KEY`.
pub(super) const VARIABLE: &str = "ACR_DOCTOR_AZ";
/// A token and what belongs to it are a few kilobytes.
const ANSWER_LIMIT: u64 = 64 << 10;
/// A connection to this machine stands at once or not at all.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// A way to the Azure CLI's account.
#[derive(Debug, Clone)]
pub(super) struct RunningAz {
    address: SocketAddr,
    key: Secret,
    tenant: Option<String>,
    subscription: Option<String>,
    account: Arc<Mutex<Option<ToolAccount>>>,
}

#[derive(Serialize)]
struct Question<'a> {
    key: &'a str,
    scope: &'a str,
    tenant: Option<&'a str>,
    subscription: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    error: Option<String>,
    access_token: Option<String>,
    /// Seconds since 1970.
    expires_on: Option<i64>,
    tenant: Option<String>,
    subscription: Option<String>,
}

impl RunningAz {
    /// Reads the variable. The key is told to this machine only.
    pub(super) fn at(
        value: &str,
        tenant: Option<String>,
        subscription: Option<String>,
        account: Arc<Mutex<Option<ToolAccount>>>,
    ) -> Result<Self, String> {
        let address = value.split_once('/').and_then(|(address, key)| {
            let address = address.parse::<SocketAddr>().ok().filter(|a| a.ip().is_loopback())?;
            Some((address, Secret::new(key)))
        });
        let Some((address, key)) = address else {
            return Err(format!("{VARIABLE} is not an address of this machine and a key"));
        };
        Ok(Self { address, key, tenant, subscription, account })
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken, String> {
        let gone = |why: std::io::Error| format!("the Azure CLI that started this program does not answer: {why}");
        let connect = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(self.address));
        let mut stream = connect.await.map_err(|late| gone(late.into()))?.map_err(gone)?;
        let question = Question {
            key: self.key.reveal(),
            scope,
            tenant: self.tenant.as_deref(),
            subscription: self.subscription.as_deref(),
        };
        let mut line = serde_json::to_string(&question).map_err(|e| e.to_string())?;
        line.push('\n');
        stream.write_all(line.as_bytes()).await.map_err(gone)?;
        let mut text = Vec::new();
        stream.take(ANSWER_LIMIT).read_to_end(&mut text).await.map_err(gone)?;
        self.token_in(&text)
    }

    fn token_in(&self, text: &[u8]) -> Result<AccessToken, String> {
        // serde_json's own words may repeat parts of the text, which holds a token.
        let unreadable = || "the Azure CLI that started this program gave an answer that is none".to_owned();
        let answer: Answer = serde_json::from_slice(text).map_err(|_| unreadable())?;
        if let Some(reason) = answer.error {
            return Err(printable(&reason, 400));
        }
        let token = answer.access_token.ok_or_else(unreadable)?;
        let expires_on = answer.expires_on.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        let expires_on = expires_on.ok_or_else(unreadable)?;
        let account = ToolAccount { subscription: answer.subscription, tenant: answer.tenant };
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = Some(account);
        Ok(AccessToken::new(token, expires_on))
    }
}

#[async_trait]
impl TokenCredential for RunningAz {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let scope = scopes.first().copied().unwrap_or_default();
        self.ask(scope).await.map_err(|why| azure_core::Error::with_message(ErrorKind::Credential, why))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncBufReadExt;
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one question; tells what was asked.
    async fn answered(answer: &'static str) -> (Result<AccessToken, String>, serde_json::Value, Option<ToolAccount>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let value = format!("{}/the-key", listener.local_addr().unwrap());
        let account = Arc::default();
        let az = RunningAz::at(&value, Some("t".to_owned()), None, Arc::clone(&account)).unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut line = String::new();
            tokio::io::BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            line
        });
        let token = az.ask("https://management.azure.com/.default").await;
        let asked = serde_json::from_str(&serving.await.unwrap()).unwrap();
        let account = account.lock().unwrap().clone();
        (token, asked, account)
    }

    #[tokio::test]
    async fn the_token_and_the_account_come_over_loopback() {
        let (token, asked, account) =
            answered(r#"{"accessToken":"jwt","expiresOn":1900000000,"subscription":"s","tenant":"t"}"#).await;
        let token = token.unwrap();
        assert_eq!((token.token.secret(), token.expires_on.unix_timestamp()), ("jwt", 1_900_000_000));
        assert_eq!(
            asked,
            serde_json::json!({ "key": "the-key", "scope": "https://management.azure.com/.default",
                                "tenant": "t", "subscription": null })
        );
        let expected = ToolAccount { subscription: Some("s".to_owned()), tenant: Some("t".to_owned()) };
        assert_eq!(account, Some(expected));
    }

    #[tokio::test]
    async fn what_az_says_is_the_reason_and_an_answer_that_is_none_is_not_repeated() {
        let (refused, _, account) = answered(r#"{"error":"Please run 'az login'\u001b[2J to setup account."}"#).await;
        assert_eq!(refused.unwrap_err(), "Please run 'az login' [2J to setup account.");
        assert_eq!(account, None);
        for answer in ["", "eyJhbGciOi", r#"{"accessToken":"eyJhbGciOi"}"#, r#"{"accessToken":7}"#] {
            let reason = answered(answer).await.0.unwrap_err();
            assert!(reason.ends_with("an answer that is none") && !reason.contains("eyJ"), "{reason}");
        }
    }

    #[test]
    fn the_key_goes_to_this_machine_only_and_is_not_printed() {
        for value in ["", "127.0.0.1:80", "198.51.100.7:80/k", "localhost:80/k", "127.0.0.1/k"] {
            let reason = RunningAz::at(value, None, None, Arc::default()).unwrap_err();
            assert_eq!(reason, "ACR_DOCTOR_AZ is not an address of this machine and a key", "{value}");
        }
        let az = RunningAz::at("[::1]:80/hunter2", None, None, Arc::default()).unwrap();
        assert!(!format!("{az:?}").contains("hunter2"));
    }
}

//! Runs `az` and `azd` for `azure_identity`, and notes which account answered.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_identity::Executor;

/// Whose token a tool gave: parts of `az account get-access-token`'s answer that `azure_identity` drops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToolAccount {
    /// The tool's current subscription.
    pub(super) subscription: Option<String>,
    /// Its tenant.
    pub(super) tenant: Option<String>,
}

/// Runs the tool with no input, and ends it when nobody waits any more.
#[derive(Debug)]
pub(super) struct ToolRunner {
    account: Arc<Mutex<Option<ToolAccount>>>,
}

impl ToolRunner {
    pub(super) fn new(account: Arc<Mutex<Option<ToolAccount>>>) -> Self {
        Self { account }
    }
}

#[async_trait]
impl Executor for ToolRunner {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let output =
            tokio::process::Command::new(program).args(args).stdin(Stdio::null()).kill_on_drop(true).output().await?;
        if let Some(account) = account_in(&output.stdout) {
            *self.account.lock().unwrap_or_else(PoisonError::into_inner) = Some(account);
        }
        Ok(output)
    }
}

fn account_in(stdout: &[u8]) -> Option<ToolAccount> {
    let answer: serde_json::Value = serde_json::from_slice(stdout).ok()?;
    let text = |name: &str| answer.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let account = ToolAccount { subscription: text("subscription"), tenant: text("tenant") };
    (account.subscription.is_some() || account.tenant.is_some()).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_stands_beside_the_token() {
        let stdout = br#"{"accessToken":"t","expires_on":1,"subscription":"s","tenant":"t1","tokenType":"Bearer"}"#;
        assert_eq!(
            account_in(stdout),
            Some(ToolAccount { subscription: Some("s".to_owned()), tenant: Some("t1".to_owned()) })
        );
        assert_eq!(account_in(b"az: command not found"), None);
    }
}

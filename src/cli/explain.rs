//! `explain`: the page of a code, or what a pasted error text says.

use std::io::{self, IsTerminal, Read};

use clap::Args;

use crate::explain;

use super::exit::{Failure, Outcome};
use super::output::Output;

/// More than any log that is pasted; `explain` itself reads only both ends of a long text.
const LIMIT: u64 = 64 * 1024 * 1024;

/// `explain`.
#[derive(Debug, Args)]
#[command(after_help = "Without text, standard input is read. An unknown text gets no candidate.\n\nExamples:\n  \
    acr-doctor explain dns/private-zone-not-linked\n  \
    acr-doctor explain 'dial tcp: lookup contosoapps.azurecr.io: no such host'\n  \
    kubectl describe pod app | acr-doctor explain")]
pub struct ExplainArguments {
    /// A finding's code, or an error text of docker, containerd, kubelet, helm, az and the like.
    #[arg(value_name = "CODE|TEXT")]
    pub text: Vec<String>,
}

pub(super) fn run(arguments: &ExplainArguments, output: &Output) -> Result<Outcome, Failure> {
    let text = if arguments.text.is_empty() { standard_input()? } else { arguments.text.join(" ") };
    if let Some(rule) = explain::rule(&text) {
        let page = explain::page::page(rule);
        let document = serde_json::json!({
            "apiVersion": crate::facts::report::API_VERSION, "kind": "Page", "code": rule.code,
            "severity": rule.severity, "docs": rule.docs(), "markdown": page,
        });
        output.value(&document, |_| page.clone())?;
        return Ok(Outcome::Healthy);
    }
    if explain::is_code_shaped(&text) {
        let near = explain::near_codes(&text);
        return Err(Failure::UnknownCode { code: text.trim().to_owned(), near: near.join(", ") });
    }
    let explanation = explain::explain(&text);
    output.value(&explanation, |style| explain::render(&explanation, style.width))?;
    Ok(Outcome::Healthy)
}

fn standard_input() -> Result<String, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::Missing("explain needs a code or an error text, as an argument or on standard input"));
    }
    let mut bytes = Vec::new();
    stdin
        .lock()
        .take(LIMIT)
        .read_to_end(&mut bytes)
        .map_err(|source| Failure::ReadFile { path: "standard input".into(), source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

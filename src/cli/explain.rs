//! `explain`: the page of a code, or what a pasted error text says; with a registry, how each candidate stands.

use std::io::{self, IsTerminal, Read};

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use crate::explain::decide::{Look, decide, standing};
use crate::explain::{self, Explanation};
use crate::facts::{ConfigFacts, ProbeFacts, RegistryReport, Verdict};
use crate::reconcile::{Options, Rule};
use crate::report::terminal::sanitise;

use super::args::{RegistryArguments, VantageArguments};
use super::block_on;
use super::check::{Asked, Diagnosis, diagnose};
use super::exit::{Failure, Outcome};
use super::output::Output;

/// More than any log that is pasted; `explain` itself reads only both ends of a long text.
const LIMIT: u64 = 64 * 1024 * 1024;

/// `explain`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without text, standard input is read. An unknown text gets no candidate. With --name the registry \
    is looked at as `check` does it, and each candidate is confirmed, ruled out or left open.\n\nExamples:\n  \
    acr-doctor explain dns/private-zone-not-linked\n  \
    acr-doctor explain 'dial tcp: lookup contosoapps.azurecr.io: no such host'\n  \
    kubectl describe pod app | acr-doctor explain -n contosoapps"
)]
pub struct ExplainArguments {
    /// A finding's code, or an error text of docker, containerd, kubelet, helm, az and the like.
    #[arg(value_name = "CODE|TEXT")]
    pub text: Vec<String>,
    /// The registry to look at.
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// The client.
    #[command(flatten)]
    pub vantage: VantageArguments,
    /// Do not sign in to Azure: look from here only.
    #[arg(long)]
    pub no_sign_in: bool,
}

pub(super) fn run(arguments: &ExplainArguments, output: &Output) -> Result<Outcome, Failure> {
    let text = if arguments.text.is_empty() { standard_input()? } else { arguments.text.join(" ") };
    if let Some(rule) = explain::rule(&text) {
        return page(rule, arguments, output);
    }
    if explain::is_code_shaped(&text) {
        let near = explain::near_codes(&text);
        return Err(Failure::UnknownCode { code: text.trim().to_owned(), near: near.join(", ") });
    }
    let explanation = explain::explain(&text);
    // Where the text suggests nothing, there is nothing to decide.
    let seen = if explanation.candidates.is_empty() { None } else { look(arguments, output)? };
    let explanation = match &seen {
        Some(seen) => decide(explanation, &seen.look()),
        None => explanation,
    };
    output.value(&explanation, |style| shown(&explanation, style.width))?;
    Ok(outcome(seen.as_ref()))
}

/// The page of a code, and how its finding stands.
fn page(rule: &Rule, arguments: &ExplainArguments, output: &Output) -> Result<Outcome, Failure> {
    let page = explain::page::page(rule);
    let seen = look(arguments, output)?;
    let stands = seen.as_ref().map(|seen| standing(rule, &seen.look()));
    let mut document = json!({
        "apiVersion": crate::facts::report::API_VERSION, "kind": "Page", "code": rule.code,
        "severity": rule.severity, "docs": rule.docs(), "markdown": page,
    });
    let mut text = page;
    if let (Some((standing, because)), Some(members)) = (stands, document.as_object_mut()) {
        text += &format!("\nFrom here: {}: {}\n", explain::word(standing), sanitise(&because));
        members.insert("standing".to_owned(), json!(standing));
        members.insert("because".to_owned(), json!(because));
    }
    output.value(&document, |_| text.clone())?;
    Ok(outcome(seen.as_ref()))
}

/// The explanation for a person; what others wrote cannot steer the terminal.
fn shown(explanation: &Explanation, width: usize) -> String {
    let text = explain::render(explanation, width);
    text.split('\n').map(sanitise).collect::<Vec<_>>().join("\n")
}

/// Whether too little could be seen to decide.
fn outcome(seen: Option<&Seen>) -> Outcome {
    match seen {
        Some(seen) if seen.interrupted => Outcome::Interrupted,
        Some(seen) if seen.report.verdict == Verdict::Unknown => Outcome::Incomplete,
        _ => Outcome::Healthy,
    }
}

/// What a look at the registry saw.
struct Seen {
    config: ConfigFacts,
    probe: ProbeFacts,
    report: RegistryReport,
    options: Options,
    interrupted: bool,
}

impl Seen {
    fn look(&self) -> Look<'_> {
        let Self { config, probe, report, options, .. } = self;
        Look { config, probe, report, options }
    }
}

/// Looks at the registry, if one is named.
fn look(arguments: &ExplainArguments, output: &Output) -> Result<Option<Seen>, Failure> {
    let ExplainArguments { registry, vantage, no_sign_in, .. } = arguments;
    if registry.name.is_none() {
        return Ok(None);
    }
    let asked = Asked { registry, vantage, used_by: &[], no_sign_in: *no_sign_in, token_scope: None };
    let Diagnosis { config, probe, report, interrupted } = block_on(diagnose(asked, output))??;
    let report = report.registries.into_iter().next().ok_or(Failure::NotRead)?;
    let options = Options::at(OffsetDateTime::now_utc());
    Ok(Some(Seen { config, probe, report, options, interrupted }))
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

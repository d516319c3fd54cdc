//! `audit`: the fleet, one report.

pub mod args;
mod destination;
mod looker;
mod progress;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::config::Session;
use crate::config::inventory::{InventoryOutcome, InventoryRequest, InventoryScope, Progress};
use crate::facts::audit::{Audit, PolicyNoticeKind};
use crate::facts::report::{RegistryReport, Summary};
use crate::facts::{Cloud, Report, Severity};
use crate::fleet::audit::{AuditError, Audited};
use crate::fleet::baseline::Baseline;
use crate::fleet::glob::Glob;
use crate::fleet::policy::{FailFrom, Policy};
use crate::fleet::resume::Resume;
use crate::fleet::{AuditRequest, Filter, Judge, Prober, audit, by_severity, lines};
use crate::reconcile::{Options, reconcile, rules};
use crate::report;

use super::block_on;
use super::check::http_settings;
use super::exit::{Failure, Outcome};
use super::output::{self, Output};
use super::snapshot_file::{read_bounded, read_configs, read_probes};
use super::target::read_cloud;
use args::{AuditArguments, SubnetRulesChoice};
use destination::{Destination, export};
use looker::Looker;
use progress::Bar;

/// The policy that is read without being named.
const POLICY: &str = "acr-doctor.toml";

/// How long one try of a request may take: a fleet is in no hurry.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(arguments: &AuditArguments, output: &Output, quiet: bool) -> Result<Outcome, Failure> {
    let policy = policy(arguments.policy.as_deref())?;
    let baseline = arguments.baseline.as_deref().map(baseline).transpose()?;
    let files: Vec<Destination> =
        arguments.report.iter().map(|path| Destination::of(path)).collect::<Result<_, _>>()?;
    let now = OffsetDateTime::now_utc();
    let mut options = Options { audit: true, ..Options::at(now) };
    if let Some(prefix) = policy.as_ref().and_then(|policy| policy.broad_rule_prefix) {
        options.broad_rule_prefix = prefix;
    }
    let streams = output.streams() && arguments.format.is_none();
    let mut taker = Taker {
        judge: Judge::new(policy.as_ref(), baseline, now),
        kept: Vec::new(),
        keep: !streams || !files.is_empty(),
        stream: streams,
    };
    let audited = if arguments.scope.config_dir.is_empty() && arguments.scope.probe_dir.is_empty() {
        let Some(audited) = from_azure(arguments, options, quiet, &mut taker)? else { return Ok(Outcome::Interrupted) };
        audited
    } else {
        from_snapshots(arguments, &options, &mut taker)?
    };
    let (summary, mut extra) = taker.judge.finish();
    extra.subscriptions = audited.inventory.subscriptions;
    extra.unread = audited.inventory.unread;
    let fail_from = fail_from(arguments, policy.as_ref());
    if streams {
        let last = lines::summary_line(now, &summary, Some(&extra));
        output::write(&last.map_err(|e| Failure::Write(e.into()))?)?;
    }
    let mut registries = taker.kept;
    by_severity(&mut registries);
    let whole = Report { audit: Some(extra), summary, ..Report::new(now, audited.vantage, registries) };
    for file in &files {
        file.write(&whole, fail_from)?;
    }
    match arguments.format {
        Some(format) => output::write(&export(&whole, format, fail_from))?,
        None if streams => {}
        None => output.report(&whole, |style| report::table(&whole, style))?,
    }
    Ok(ending(arguments, &whole.summary, whole.audit.as_ref(), fail_from))
}

/// Takes reports as they are made: judged, then printed or kept.
struct Taker<'p> {
    judge: Judge<'p>,
    kept: Vec<RegistryReport>,
    keep: bool,
    stream: bool,
}

impl Taker<'_> {
    fn take(&mut self, mut registry: RegistryReport) -> Result<(), Failure> {
        self.judge.judge(&mut registry);
        if self.stream {
            let line = lines::registry_line(&registry).map_err(|e| Failure::Write(e.into()))?;
            output::write(&line)?;
        }
        if self.keep {
            self.kept.push(registry);
        }
        Ok(())
    }
}

/// `None`: interrupted.
fn from_azure(
    arguments: &AuditArguments,
    options: Options,
    quiet: bool,
    taker: &mut Taker<'_>,
) -> Result<Option<Audited>, Failure> {
    let azure = &arguments.azure;
    let cloud = read_cloud(azure.cloud())?;
    let http = http_settings(azure.proxy.as_ref(), azure.ca_file.as_deref(), PATIENCE)?;
    let proxy = http.proxy.clone();
    let session = Session::new(cloud.clone(), http, azure.tenant.clone());
    let looker = arguments.probe.then(|| Looker::new(arguments, proxy, &cloud, &session));
    let request = AuditRequest {
        inventory: InventoryRequest {
            cloud,
            scope: scope(arguments),
            deadline: azure.timeout,
            max_in_flight: usize::from(azure.max_in_flight),
            finished: BTreeSet::new(),
            subnet_rules: arguments.subnet_rules.into(),
        },
        filter: filter(arguments),
        options,
        prober: looker.as_ref().map(|looker| looker as &dyn Prober),
        max_probes: usize::from(arguments.max_probes),
    };
    let mut resume = None;
    if let Some(path) = &arguments.resume {
        let mut failed = Ok(());
        let finished = |registry| {
            if failed.is_ok() {
                failed = taker.take(registry);
            }
        };
        resume = Some(Resume::open(path, &resume_scope(arguments), finished).map_err(Failure::Resume)?);
        failed?;
    }
    let progress = Arc::new(Progress::default());
    let at_once = if arguments.probe { usize::from(arguments.max_probes) } else { usize::MAX };
    let bar = Bar::new(&progress, at_once, quiet);
    let take = |registry| {
        bar.update();
        taker.take(registry)
    };
    let audited = block_on(async {
        tokio::select! {
            // First and in this order, so that the signal is caught from the beginning.
            biased;
            // What is done stands in the resume file already.
            _ = tokio::signal::ctrl_c() => None,
            audited = Box::pin(audit(&request, &session, &progress, resume.as_mut(), take)) => Some(audited),
        }
    })?;
    bar.clear();
    let Some(audited) = audited else { return Ok(None) };
    let audited = audited.map_err(|error| match error {
        AuditError::Inventory(error) => Failure::Inventory(error),
        AuditError::Resume(error) => Failure::Resume(error),
        AuditError::Taker(failure) => failure,
    })?;
    // A scope that could not be read may be read by the next run: then the file stays.
    if let Some(resume) = resume.filter(|_| audited.inventory.unread.is_empty()) {
        resume.finish().map_err(Failure::Resume)?;
    }
    Ok(Some(audited))
}

fn from_snapshots(arguments: &AuditArguments, options: &Options, taker: &mut Taker<'_>) -> Result<Audited, Failure> {
    let probes = read_probes(&arguments.scope.probe_dir)?;
    let why = "no configuration snapshot was given (--config-dir)";
    let guessed = probes.iter().find_map(|probe| Cloud::of_registry_host(&probe.login_server));
    let config = read_configs(&arguments.scope.config_dir)?;
    let mut config =
        config.unwrap_or_else(|| crate::facts::ConfigFacts::not_read(guessed.unwrap_or_else(Cloud::public), why));
    let filter = filter(arguments);
    config.registries.retain(|registry| filter.takes(registry));
    let subscriptions: BTreeSet<String> =
        config.registries.iter().map(|r| r.id.subscription().to_ascii_lowercase()).collect();
    let report = reconcile(&config, &probes, options);
    report.registries.into_iter().try_for_each(|registry| taker.take(registry))?;
    let inventory = InventoryOutcome { subscriptions: subscriptions.len(), ..InventoryOutcome::default() };
    Ok(Audited { inventory, vantage: report.vantage })
}

fn scope(arguments: &AuditArguments) -> InventoryScope {
    match &arguments.scope.management_group {
        Some(group) => InventoryScope::ManagementGroup(group.clone()),
        None if arguments.scope.all_subscriptions => InventoryScope::All,
        None => InventoryScope::Subscriptions(arguments.scope.subscription.clone()),
    }
}

fn filter(arguments: &AuditArguments) -> Filter {
    Filter { tags: arguments.tag.clone(), name: arguments.name.as_deref().map(Glob::new) }
}

/// What makes two audits the same: where they look, and at what.
fn resume_scope(arguments: &AuditArguments) -> String {
    let scope = match scope(arguments) {
        InventoryScope::Subscriptions(mut ids) => {
            ids.sort();
            format!("subscriptions {}", ids.join(" ").to_ascii_lowercase())
        }
        InventoryScope::ManagementGroup(group) => format!("management group {group}"),
        InventoryScope::All => "all subscriptions".to_owned(),
    };
    let tags: Vec<String> = arguments.tag.iter().map(|(key, value)| format!(", tag {key}={value}")).collect();
    let name = arguments.name.as_ref().map(|name| format!(", name {name}")).unwrap_or_default();
    let rules = match arguments.subnet_rules {
        SubnetRulesChoice::Auto => "",
        SubnetRulesChoice::All => ", all subnet rules",
        SubnetRulesChoice::Deciding => ", deciding subnet rules",
    };
    format!("{} of {scope}{}{name}{rules}", arguments.azure.cloud(), tags.concat())
}

fn policy(path: Option<&Path>) -> Result<Option<Policy>, Failure> {
    let named = path.unwrap_or(Path::new(POLICY));
    let bytes = match read_bounded(named) {
        Ok(bytes) => bytes,
        Err(Failure::ReadFile { source, .. }) if path.is_none() && source.kind() == ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    let codes: Vec<&str> = rules::all().map(|rule| rule.code).collect();
    let policy = Policy::parse(&String::from_utf8_lossy(&bytes), &codes);
    policy.map(Some).map_err(|source| Failure::Policy { path: named.to_owned(), source })
}

fn baseline(path: &Path) -> Result<Baseline, Failure> {
    let bytes = read_bounded(path)?;
    Baseline::parse(&bytes).map_err(|source| Failure::Baseline { path: path.to_owned(), source })
}

/// The command line goes before the policy, the policy before the default.
fn fail_from(arguments: &AuditArguments, policy: Option<&Policy>) -> Option<Severity> {
    match (arguments.fail_on, policy.and_then(|policy| policy.fail_on)) {
        (Some(flag), _) => flag.severity(),
        (None, Some(FailFrom::Severity(severity))) => Some(severity),
        (None, Some(FailFrom::Never)) => None,
        (None, None) => Some(Severity::Error),
    }
}

fn ending(
    arguments: &AuditArguments,
    summary: &Summary,
    audit: Option<&Audit>,
    fail_from: Option<Severity>,
) -> Outcome {
    let unread = audit.is_some_and(|audit| !audit.unread.is_empty());
    let nothing = unread && summary.registries == 0;
    if nothing || (arguments.strict && unread) {
        return Outcome::Incomplete;
    }
    let notices = audit.and_then(|audit| audit.policy.as_ref()).into_iter().flat_map(|policy| &policy.notices);
    let passed = notices.into_iter().any(|notice| notice.kind == PolicyNoticeKind::ThresholdExceeded);
    let found = fail_from.is_some_and(|severity| summary.findings_from(severity) > 0);
    if passed || found { Outcome::Findings } else { Outcome::Healthy }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Arguments, Command};
    use crate::facts::audit::{PolicyNotice, PolicyOutcome, UnreadScope};

    fn ends(line: &str, summary: &Summary, audit: &Audit) -> Outcome {
        let line = format!("acr-doctor audit --all-subscriptions {line}");
        let Command::Audit(arguments) = Arguments::try_parse_from(line.split_whitespace()).unwrap().command else {
            panic!("not an audit")
        };
        ending(&arguments, summary, Some(audit), fail_from(&arguments, None))
    }

    #[test]
    fn a_subscription_that_cannot_be_read_fails_only_a_strict_audit() {
        let unread =
            UnreadScope { scope: "s".to_owned(), name: None, why: "403 AuthorizationFailed".to_owned(), needs: None };
        let audit = Audit { unread: vec![unread], ..Audit::default() };
        let some = Summary { registries: 3, ..Summary::default() };
        assert_eq!(ends("", &some, &audit), Outcome::Healthy);
        assert_eq!(ends("--strict", &some, &audit), Outcome::Incomplete);
        assert_eq!(ends("--strict", &some, &Audit::default()), Outcome::Healthy);
        assert_eq!(ends("", &Summary::default(), &audit), Outcome::Incomplete, "nothing at all was read");
        assert_eq!(ends("", &Summary::default(), &Audit::default()), Outcome::Healthy, "there is no registry");
    }

    #[test]
    fn findings_count_from_the_severity_asked_for_and_thresholds_always() {
        let warned = Summary { registries: 1, warnings: 1, ..Summary::default() };
        assert_eq!(ends("", &warned, &Audit::default()), Outcome::Healthy);
        assert_eq!(ends("--fail-on warning", &warned, &Audit::default()), Outcome::Findings);
        let notice = PolicyNotice {
            kind: PolicyNoticeKind::ThresholdExceeded,
            entry: "thresholds.warnings".to_owned(),
            message: "1 warnings, and the policy allows 0".to_owned(),
        };
        let policy = Some(PolicyOutcome { notices: vec![notice], ..PolicyOutcome::default() });
        let passed = Audit { policy, ..Audit::default() };
        assert_eq!(ends("--fail-on never", &warned, &passed), Outcome::Findings);
    }
}

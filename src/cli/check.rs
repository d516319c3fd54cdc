//! `check`: both halves side by side, joined.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use time::OffsetDateTime;
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::config::{self, ClientHints, HttpSettings, ReadRequest, Session, Target};
use crate::facts::endpoints::endpoints;
use crate::facts::{Cloud, ConfigFacts, ProbeFacts, RegistryConfig, Report, Secret};
use crate::probe::{self, EntraTokens, PlannedEndpoint, ProbeRequest, Recorder};
use crate::reconcile::{Options, reconcile};
use crate::report;

use super::aks;
use super::args::{CheckArguments, Origin, ProxyUrl, RegistryArguments, VantageArguments};
use super::exit::{Failure, Outcome};
use super::live::Live;
use super::output::Output;
use super::reconcile::decided;
use super::snapshot_file::save;
use super::target::{Aim, aim};
use super::timings::Clock;

/// Requests to ARM at once: below the burst that ARM lets one identity read in a subscription (250), and enough that a
/// registry with 20 private endpoints in 20 networks waits for no round trip more than one with a single endpoint.
pub(super) const MAX_IN_FLIGHT: usize = 128;

pub(super) async fn run(
    arguments: &CheckArguments,
    output: &Output,
    clock: Option<&Clock>,
) -> Result<Outcome, Failure> {
    if let Some(Origin::Aks) = arguments.from {
        return Box::pin(aks::run(arguments, output)).await;
    }
    let Diagnosis { config, probe, mut report, interrupted } = diagnose(Asked::of(arguments), output).await?;
    report.timings = clock.map(Clock::timings);
    output.report(&report, |style| report::table(&report, style))?;
    let outcome = Outcome::of(&report, arguments.verdict.fail_on, decided(&config));
    save_both(arguments.save.as_deref(), config, probe, output)?;
    Ok(if interrupted { Outcome::Interrupted } else { outcome })
}

/// What a diagnosis is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The registry.
    pub(super) registry: &'a RegistryArguments,
    /// The client.
    pub(super) vantage: &'a VantageArguments,
    /// Services that must pull.
    pub(super) used_by: &'a [String],
    /// Whether to look from here only.
    pub(super) no_sign_in: bool,
    /// What an access token is asked for where no image is pulled.
    pub(super) token_scope: Option<&'static str>,
}

impl<'a> Asked<'a> {
    /// What `check` is asked for.
    pub(super) fn of(arguments: &'a CheckArguments) -> Self {
        let CheckArguments { registry, vantage, used_by, no_sign_in, .. } = arguments;
        Self { registry, vantage, used_by, no_sign_in: *no_sign_in, token_scope: None }
    }
}

/// Both halves, and what they say together.
pub(super) struct Diagnosis {
    /// What ARM said.
    pub(super) config: ConfigFacts,
    /// What this client met.
    pub(super) probe: ProbeFacts,
    /// Both joined.
    pub(super) report: Report,
    /// Whether Ctrl-C broke it off.
    pub(super) interrupted: bool,
}

/// Reads and looks side by side, and joins what is known then.
pub(super) async fn diagnose(asked: Asked<'_>, output: &Output) -> Result<Diagnosis, Failure> {
    Box::pin(both_halves(asked, output)).await
}

async fn both_halves(arguments: Asked<'_>, output: &Output) -> Result<Diagnosis, Failure> {
    let asked = arguments.registry.name.as_deref().ok_or(Failure::Missing("check needs a registry: --name NAME"))?;
    let aim = aim(asked, arguments.registry.cloud.as_deref())?;
    let session = session(arguments, &aim.cloud)?;
    let mut request = probe_request(&aim, arguments.vantage)?;
    request.token_scope = arguments.token_scope;
    // Both halves want to know it: ARM's then reads that machine's subnet. Nothing is asked off Azure.
    let machine = probe::imds::ask(request.imds);
    request.azure_vm = Some(machine.clone());
    let recorder = Recorder::new(&request);
    let (told, named) = mpsc::unbounded_channel();
    let reading = read(arguments, &aim, session.clone(), machine, told).shared();
    let tokens = session.map(SessionTokens);
    let tokens = tokens.as_ref().map(|tokens| tokens as &dyn EntraTokens);
    let live = Live::start(output);
    let named = stream::unfold(named, async |mut named| named.recv().await.map(|planned| (planned, named))).boxed();
    let looking = probe::run_recorded(&request, named, tokens, &live, &recorder);
    let both = async { tokio::join!(reading.clone(), looking) };
    let (config, probe, interrupted) = tokio::select! {
        // First and in this order, so that the signal is caught from the beginning.
        biased;
        _ = tokio::signal::ctrl_c() => {
            let config = reading.peek().cloned().unwrap_or_else(|| ConfigFacts::not_read(aim.cloud.clone(), "interrupted"));
            (config, recorder.snapshot(), true)
        }
        (config, probe) = both => (config, probe, false),
    };
    live.clear();
    if interrupted {
        output.note("interrupted: this is what was known by then");
    }
    let options = Options { used_by: arguments.used_by.to_vec(), ..Options::at(OffsetDateTime::now_utc()) };
    let report = reconcile(&config, std::slice::from_ref(&probe), &options);
    Ok(Diagnosis { config, probe, report, interrupted })
}

fn session(arguments: Asked<'_>, cloud: &Cloud) -> Result<Option<Session>, Failure> {
    let (vantage, registry) = (arguments.vantage, arguments.registry);
    let http = http_settings(vantage.proxy.as_ref(), vantage.ca_file.as_deref(), vantage.timeout)?;
    let session =
        Session::new(cloud.clone(), http, registry.tenant.clone()).for_subscription(registry.subscription.clone());
    Ok((!arguments.no_sign_in).then_some(session))
}

/// The configuration, once for all who wait for it; each endpoint is told of as soon as the configuration names it.
fn read<'a>(
    arguments: Asked<'a>,
    aim: &'a Aim,
    session: Option<Session>,
    machine: probe::imds::Asked,
    told: UnboundedSender<PlannedEndpoint>,
) -> BoxFuture<'a, ConfigFacts> {
    let Some(session) = session else {
        let facts = ConfigFacts::not_read(aim.cloud.clone(), "--no-sign-in was given");
        return async { facts }.boxed();
    };
    let vantage = arguments.vantage;
    let request = ReadRequest {
        cloud: aim.cloud.clone(),
        target: Target::Registry(aim.reference.clone()),
        subscription: arguments.registry.subscription.clone(),
        resource_group: arguments.registry.resource_group.clone(),
        client: ClientHints {
            subnet: vantage.subnet.clone(),
            more_subnets: Vec::new(),
            vnet: vantage.vnet.clone(),
            addresses: probe::host::own_addresses(),
            azure_vm: Some(async move { machine.await.known().cloned().flatten() }.boxed().shared()),
        },
        deadline: vantage.timeout,
        max_in_flight: MAX_IN_FLIGHT,
    };
    let cloud = aim.cloud.clone();
    async move {
        let tell = |registry: &RegistryConfig| {
            for e in endpoints(registry, &cloud) {
                // Nobody listens any more where the probe has ended.
                let _ = told.send(PlannedEndpoint { host: e.host, role: e.role, region: e.region });
            }
        };
        let facts = config::read_telling(&request, &session, &tell).await;
        facts.registries.iter().for_each(tell);
        facts
    }
    .boxed()
}

/// The arguments as the probe wants them.
pub(super) fn probe_request(aim: &Aim, vantage: &VantageArguments) -> Result<ProbeRequest, Failure> {
    let http = http_settings(vantage.proxy.as_ref(), vantage.ca_file.as_deref(), vantage.timeout)?;
    let usual = ProbeRequest::new(aim.login_server.clone(), aim.cloud.clone());
    Ok(ProbeRequest {
        asked: aim.asked.clone(),
        registry_audience: vantage.registry_audience.clone().unwrap_or(usual.registry_audience),
        timeout: vantage.timeout,
        proxy: http.proxy,
        ca_file: http.ca_file,
        dns_server: vantage.dns_server,
        image: vantage.image.clone(),
        subnet: vantage.subnet.clone(),
        vnet: vantage.vnet.clone(),
        egress_ip: vantage.egress_ip,
        imds: vantage.imds,
        runtime_root: vantage.runtime_root.clone(),
        ..usual
    })
}

/// How much of the deadline one connection may take. The client shares it among a host's addresses: a dead first of two
/// costs half of it, at sign-in and again at ARM.
const CONNECT_SHARE: f64 = 0.4;

/// How ARM and the sign-in authority are reached by a command that has so much time.
pub(super) fn http_settings(
    proxy: Option<&ProxyUrl>,
    ca_file: Option<&Path>,
    deadline: Duration,
) -> Result<HttpSettings, Failure> {
    if let Some(path) = ca_file {
        // Wrong usage, told now, not a finding about every endpoint.
        File::open(path).map_err(|source| Failure::CaFile { path: path.to_owned(), source })?;
    }
    let proxy = proxy.map(|proxy| proxy.url().ok_or(Failure::Proxy)).transpose()?;
    Ok(HttpSettings { ca_file: ca_file.map(Path::to_owned), proxy, connect_timeout: deadline.mul_f64(CONNECT_SHARE) })
}

/// The ARM side's sign-in, as the probe asks for it.
pub(super) struct SessionTokens(pub(super) Session);

impl EntraTokens for SessionTokens {
    fn token<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<Secret, String>> {
        async move { self.0.token(audience).await.map_err(|e| e.to_string()) }.boxed()
    }
}

/// `--save FILE`: the halves go into FILE.config.json and FILE.probe.json, or into a directory, for `reconcile` anywhere.
fn save_both(file: Option<&Path>, config: ConfigFacts, probe: ProbeFacts, output: &Output) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    if file.is_dir() {
        save(config, &file.join("config.json"), output)?;
        return save(probe, &file.join("probe.json"), output);
    }
    save(config, &beside(file, ".config.json"), output)?;
    save(probe, &beside(file, ".probe.json"), output)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let stem = if file.extension().is_some_and(|e| e == "json") { file.with_extension("") } else { file.to_owned() };
    let mut name: OsString = stem.into_os_string();
    name.push(suffix);
    name.into()
}

//! Where a run's time went: the steps that wait for a network, and which of them waited for which.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::Span;

/// The target of the spans that [`step`] makes; nothing else has it.
pub const TARGET: &str = "acr_doctor::timings";
/// Two steps that are this near are one after the other: a timer's grain, in milliseconds.
const GRAIN: f64 = 1.0;

/// The steps of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// Milliseconds from the first step's begin until everything was known.
    pub ms: f64,
    /// All steps, by their begin.
    pub steps: Vec<Step>,
    /// The chain of steps that waited for each other and ended last: places in `steps`, the first step first.
    pub critical_path: Vec<usize>,
    /// The round trips that this chain needs at least.
    pub round_trips: u32,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What kind of step.
    pub kind: StepKind,
    /// The host that was waited for.
    pub host: String,
    /// What was asked, e.g. `GET /v2/`; never a query or a body.
    pub what: String,
    /// Milliseconds after the first step's begin.
    pub begin: f64,
    /// Milliseconds that it took.
    pub ms: f64,
    /// The step that this one waited for, a place in `steps`; null for one that waited for none.
    pub after: Option<usize>,
}

/// Kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepKind {
    /// A token of the sign-in authority, its connection included.
    SignIn,
    /// A connection that is made before it is needed: name, TCP, TLS and a first answer.
    Connect,
    /// A request to Azure Resource Manager.
    Arm,
    /// A name's addresses.
    Dns,
    /// A proxy's tunnel.
    Proxy,
    /// A TCP connection.
    Tcp,
    /// A TLS handshake.
    Tls,
    /// A request to an endpoint, over a connection that stands.
    Http,
}

impl StepKind {
    /// All of them.
    const ALL: [Self; 8] =
        [Self::SignIn, Self::Connect, Self::Arm, Self::Dns, Self::Proxy, Self::Tcp, Self::Tls, Self::Http];

    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "signIn",
            Self::Connect => "connect",
            Self::Arm => "arm",
            Self::Dns => "dns",
            Self::Proxy => "proxy",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Http => "http",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How often a packet must go there and back at least. TLS 1.3 takes one (RFC 8446); connections of the sign-in and of
    /// [`StepKind::Connect`] are name, TCP, TLS, and the request itself.
    fn round_trips(self) -> u32 {
        match self {
            Self::SignIn | Self::Connect => 4,
            Self::Proxy => 3,
            Self::Arm | Self::Dns | Self::Tcp | Self::Tls | Self::Http => 1,
        }
    }
}

/// Begins a step, which ends when the span is dropped. Free of cost where nobody measures.
#[must_use]
pub fn step(kind: StepKind, host: &str, what: &str) -> Span {
    tracing::trace_span!(target: TARGET, "step", kind = kind.name(), host, what)
}

impl Timings {
    /// Orders steps, and finds which waited for which.
    pub fn of(mut steps: Vec<Step>, ms: f64) -> Self {
        steps.sort_by(|a, b| a.begin.total_cmp(&b.begin));
        let after: Vec<Option<usize>> = (0..steps.len()).map(|at| awaited(&steps, at)).collect();
        for (step, after) in steps.iter_mut().zip(after) {
            step.after = after;
        }
        let mut at = (0..steps.len()).max_by(|a, b| end(&steps, *a).total_cmp(&end(&steps, *b)));
        let mut critical_path = Vec::new();
        while let Some(step) = at.and_then(|index| steps.get(index).map(|step| (index, step))) {
            critical_path.push(step.0);
            // A step never waits for a later one, so this ends.
            at = step.1.after.filter(|before| *before < step.0);
        }
        critical_path.reverse();
        let round_trips = round_trips(&critical_path, &steps);
        Self { ms, steps, critical_path, round_trips }
    }
}

/// A second token of the sign-in needs no new connection.
fn round_trips(path: &[usize], steps: &[Step]) -> u32 {
    let mut signed_in = false;
    let kinds = path.iter().filter_map(|index| steps.get(*index)).map(|step| step.kind);
    kinds
        .map(|kind| {
            let again = kind == StepKind::SignIn && std::mem::replace(&mut signed_in, true);
            if again { 1 } else { kind.round_trips() }
        })
        .sum()
}

fn end(steps: &[Step], index: usize) -> f64 {
    steps.get(index).map_or(0.0, |step| step.begin + step.ms)
}

/// The last step to end before this one began, of those that it may have waited for.
fn awaited(steps: &[Step], at: usize) -> Option<usize> {
    let step = steps.get(at)?;
    let earlier = steps.iter().enumerate().take(at);
    earlier
        .filter(|(index, before)| end(steps, *index) <= step.begin + GRAIN && leads_to(before, step))
        .map(|(index, _)| index)
        .max_by(|a, b| end(steps, *a).total_cmp(&end(steps, *b)))
}

/// What waits for what: everything for what came before it at the same host; Azure Resource Manager and the registry's
/// exchange for a token; another endpoint's name for the configuration; a layer for the redirect to it.
fn leads_to(before: &Step, step: &Step) -> bool {
    match before.kind {
        _ if before.host == step.host => true,
        StepKind::SignIn => step.kind == StepKind::Arm || step.what.contains("/oauth2/"),
        StepKind::Connect => step.kind == StepKind::Arm,
        StepKind::Arm => matches!(step.kind, StepKind::Dns | StepKind::Proxy),
        StepKind::Http => before.what.contains("/blobs/") && matches!(step.kind, StepKind::Dns | StepKind::Http),
        StepKind::Dns | StepKind::Proxy | StepKind::Tcp | StepKind::Tls => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(kind: StepKind, host: &str, what: &str, begin: f64, ms: f64) -> Step {
        Step { kind, host: host.to_owned(), what: what.to_owned(), begin, ms, after: None }
    }

    #[test]
    fn the_path_is_the_chain_that_ends_last() {
        let steps = vec![
            made(StepKind::SignIn, "login", "token", 0.0, 200.0),
            made(StepKind::Connect, "arm", "HEAD /", 0.0, 190.0),
            made(StepKind::Dns, "myreg", "A, AAAA", 0.0, 50.0),
            made(StepKind::Tcp, "myreg", "443", 50.5, 50.0),
            made(StepKind::Arm, "arm", "GET /subscriptions", 200.4, 50.0),
            made(StepKind::Arm, "arm", "GET registry", 251.0, 50.0),
            made(StepKind::Arm, "arm", "GET usages", 301.5, 70.0),
            made(StepKind::Dns, "data", "A, AAAA", 301.6, 50.0),
            made(StepKind::Tcp, "data", "443", 352.0, 50.0),
        ];
        let timings = Timings::of(steps, 403.0);
        let named: Vec<&str> = timings.critical_path.iter().map(|i| timings.steps[*i].what.as_str()).collect();
        assert_eq!(named, ["token", "GET /subscriptions", "GET registry", "A, AAAA", "443"]);
        assert_eq!(timings.round_trips, 4 + 1 + 1 + 1 + 1);
        assert_eq!(timings.steps[3].after, Some(2), "a connection waits for its own name");
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in StepKind::ALL {
            assert_eq!(StepKind::named(kind.name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(Timings::of(Vec::new(), 1.0).critical_path, [] as [usize; 0]);
    }

    proptest::proptest! {
        #[test]
        fn any_steps_have_a_path(begins in proptest::collection::vec((0.0..50.0f64, 0.0..50.0f64, 0usize..8), 0..20)) {
            let steps = begins.iter().map(|(begin, ms, kind)| made(StepKind::ALL[*kind], "h", "/blobs/", *begin, *ms));
            let timings = Timings::of(steps.collect(), 100.0);
            let path = &timings.critical_path;
            assert!(path.windows(2).all(|pair| end(&timings.steps, pair[0]) <= timings.steps[pair[1]].begin + GRAIN));
        }
    }
}

//! How many registries a second `reconcile` judges on one core: `cargo bench --bench reconcile`.
//!
//! The worlds of tests/worlds in turn, in pages of a thousand as an audit has them: the configuration alone, and with
//! what a client met. The figure is CPU time of this thread's only work, so that other load on the machine does not count.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measurement, never shipped")]

use std::hint::black_box;
use std::time::Duration;

use acr_doctor::facts::{ConfigFacts, ProbeFacts, ResourceId};
use acr_doctor::reconcile::{Options, reconcile};
use serde_json::Value;
use time::macros::datetime;

const WORLDS: [&str; 4] = [
    include_str!("../tests/worlds/public-allow.json"),
    include_str!("../tests/worlds/ip-rule.json"),
    include_str!("../tests/worlds/service-endpoint.json"),
    include_str!("../tests/worlds/private-link-geo.json"),
];
const PAGE: usize = 1000;
const PAGES: usize = 20;

fn main() {
    let options = Options { audit: true, ..Options::at(datetime!(2026-11-24 12:00 UTC)) };
    let (pages, probes) = fleet();
    println!("| what | registries | findings | CPU time | registries a second |");
    println!("|---|--:|--:|--:|--:|");
    for (what, probed) in [("the configuration alone", false), ("configuration and probe", true)] {
        let before = cpu();
        let mut findings = 0;
        for _ in 0..PAGES {
            for (config, own) in pages.iter().zip(&probes) {
                let own = if probed { own.as_slice() } else { &[] };
                let report = black_box(reconcile(black_box(config), own, &options));
                findings += report.registries.iter().map(|r| r.findings.len()).sum::<usize>();
            }
        }
        let took = cpu().saturating_sub(before);
        let registries = PAGES * pages.iter().map(|config| config.registries.len()).sum::<usize>();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = registries as f64 / took.as_secs_f64();
        println!("| {what} | {registries} | {findings} | {:.2} s | {rate:.0} |", took.as_secs_f64());
    }
}

/// A page of each world: the same registry under many names, each with the probe of its own.
fn fleet() -> (Vec<ConfigFacts>, Vec<Vec<ProbeFacts>>) {
    let page = |text: &&str| {
        let world: Value = serde_json::from_str(text).expect("a world");
        let part = |name: &str| world.get(name).cloned().unwrap_or_default();
        let mut config: ConfigFacts = serde_json::from_value(part("config")).expect("its configuration");
        let probe: ProbeFacts = serde_json::from_value(part("probe")).expect("its probe");
        let first = config.registries.pop().expect("a registry");
        let mut probes = Vec::new();
        for n in 0..PAGE / WORLDS.len() {
            let mut registry = first.clone();
            registry.name = format!("fleet{n:06}").parse().expect("a name");
            registry.login_server = format!("fleet{n:06}.azurecr.io").parse().expect("a login server");
            registry.id = first
                .id
                .as_str()
                .replace(first.id.name(), registry.name.as_str())
                .parse::<ResourceId>()
                .expect("an id");
            let mut own = probe.clone();
            for endpoint in &mut own.endpoints {
                if endpoint.host == own.login_server {
                    endpoint.host = registry.login_server.clone();
                }
            }
            own.login_server = registry.login_server.clone();
            config.registries.push(registry);
            probes.push(own);
        }
        (config, probes)
    };
    WORLDS.iter().map(page).unzip()
}

/// CPU time that this process has used.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux tells CPU time");
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number");
    Duration::from_nanos(nanoseconds)
}

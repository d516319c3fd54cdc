//! Kinds of services: the page, and that each is judged as the page says.

use acr_doctor::facts::Report;
use acr_doctor::reconcile::rules::service_kinds::{KINDS, Passage, page};
use acr_doctor::reconcile::{Options, reconcile};
use serde_json::json;

use crate::{fixtures, golden};

#[test]
fn the_page_is_current() {
    golden::check("docs/services.md", &page());
}

/// What is said of a registry that restricts its network, when a service must pull.
fn judged(kind: &str, bypass: &str) -> Report {
    let mut world = fixtures::world("ip-rule");
    world["config"]["registries"][0]["networkRuleBypassOptions"] = json!({ "known": bypass });
    let (config, _) = fixtures::facts(&world).unwrap();
    reconcile(&config, &[], &Options { used_by: vec![kind.to_owned()], ..fixtures::options() })
}

#[test]
fn every_kind_is_judged_as_documented_by_all_of_its_names() {
    for kind in &KINDS {
        for name in kind.names.iter().flat_map(|name| [(*name).to_owned(), name.to_uppercase().replace('-', "_")]) {
            let shut = |bypass: &str| {
                let report = judged(&name, bypass);
                report.registries[0].findings.iter().any(|f| f.code.to_string() == "service/untrusted-service")
            };
            let expected = match kind.passage {
                Passage::OwnNetwork => (false, false),
                Passage::Trusted(_) => (false, true),
                Passage::Never(_) => (true, true),
            };
            assert_eq!((shut("AzureServices"), shut("None")), expected, "{name}");
        }
    }
    let mut names: Vec<&str> = KINDS.iter().flat_map(|kind| kind.names).copied().collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a name of two kinds: {names:?}");
    // Those that the contract names.
    for name in [
        "aks",
        "app-service",
        "container-instances",
        "container-apps",
        "functions",
        "machine-learning",
        "devops-hosted-agent",
    ] {
        assert!(names.contains(&name), "{name}");
    }
}

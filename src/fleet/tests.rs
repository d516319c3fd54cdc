mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::config::Session;
use crate::config::fake_arm::{Asked, FakeArm, Reply};
use crate::config::inventory::{InventoryOutcome, InventoryRequest, InventoryScope, Progress, SubnetRuleReads};
use crate::facts::report::RegistryReport;
use crate::facts::{ProbeFacts, RegistryConfig};
use crate::fleet::resume::{Resume, ResumeError};
use crate::reconcile::Options;
use world::{GRAPH, ONE, ROWS, TWO, World, id, registry};

fn request(cloud: crate::facts::Cloud) -> AuditRequest<'static> {
    AuditRequest {
        inventory: InventoryRequest {
            cloud,
            scope: InventoryScope::Subscriptions(vec![ONE.to_owned(), TWO.to_owned()]),
            deadline: Duration::from_secs(60),
            max_in_flight: 8,
            finished: BTreeSet::new(),
            subnet_rules: SubnetRuleReads::All,
        },
        filter: Filter::default(),
        options: Options { audit: true, ..Options::at(datetime!(2026-11-24 12:00 UTC)) },
        prober: None,
        max_probes: 1,
    }
}

struct Audited {
    outcome: InventoryOutcome,
    registries: Vec<RegistryReport>,
    asked: Vec<Asked>,
}

impl Audited {
    fn names(&self) -> Vec<&str> {
        self.registries.iter().map(|r| r.name.as_str()).collect()
    }

    fn has(&self, name: &str, code: &str) -> bool {
        self.registries.iter().any(|r| r.name == name && r.findings.iter().any(|f| f.code.as_str() == code))
    }
}

async fn run(
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    change: impl FnOnce(&mut AuditRequest<'static>),
    resume: Option<&mut Resume>,
) -> Audited {
    let arm = FakeArm::start(answer).await;
    let mut request = request(arm.cloud());
    change(&mut request);
    let session = Session::signed_in(arm.cloud(), "token");
    let mut registries = Vec::new();
    let take = |registry: RegistryReport| -> Result<(), ()> {
        registries.push(registry);
        Ok(())
    };
    let outcome = audit(&request, &session, &Progress::default(), resume, take).await.unwrap().inventory;
    by_severity(&mut registries);
    Audited { outcome, registries, asked: arm.asked() }
}

async fn of(world: World) -> Audited {
    run(move |asked| world.answer(asked), |_| {}, None).await
}

#[tokio::test]
async fn the_graph_gives_every_registry_with_what_it_refers_to() {
    let audited = of(World::new()).await;
    assert_eq!(audited.registries.len(), 8);
    assert_eq!((audited.outcome.subscriptions, audited.outcome.unread.len()), (2, 0));
    assert!(audited.has("sealed1", "private-link/none-while-public-disabled"), "{:?}", audited.registries);
    assert!(!audited.has("private1", "private-link/none-while-public-disabled"));
    assert!(!audited.has("private1", "private-link/endpoint-gone"));
    assert_eq!(audited.registries.first().map(|r| r.name.as_str()), Some("sealed1"), "the worst first");
}

#[tokio::test]
async fn subnet_rules_are_asked_of_arm_only_where_the_verdict_hangs_on_them() {
    let audited = of(World::new()).await;
    let arm: Vec<&str> = audited.asked.iter().map(Asked::path).filter(|path| *path != GRAPH).collect();
    assert_eq!(arm, [id(TWO, "subnets1")]);
    assert!(!audited.has("subnets1", "firewall/nobody-allowed"), "the rule that the row hides lets somebody in");
    let mut without = World::new();
    without.registries.retain(|r| r["name"] != "subnets1");
    without.registries.push(registry(TWO, "nobody1", json!({ "networkRuleSet": { "defaultAction": "Deny" } })));
    assert!(of(without).await.has("nobody1", "firewall/nobody-allowed"), "the same row without a rule");
}

#[tokio::test]
async fn in_a_large_fleet_arm_is_asked_only_where_nobody_else_is_let_in() {
    let rules = json!({ "networkRuleSet": { "defaultAction": "Deny",
        "ipRules": [{ "action": "Allow", "value": "203.0.113.0/24" }] } });
    let mut world = World::new();
    world.registries.push(registry(TWO, "rules1", rules));
    let audited = |reads| {
        let world = world.clone();
        run(move |asked| world.answer(asked), move |r| r.inventory.subnet_rules = reads, None)
    };
    let all = audited(SubnetRuleReads::All).await;
    let deciding = audited(SubnetRuleReads::Deciding).await;
    let arm = |audited: &Audited| -> Vec<String> {
        audited.asked.iter().map(Asked::path).filter(|path| *path != GRAPH).map(str::to_owned).collect()
    };
    let list = format!("/subscriptions/{TWO}/providers/Microsoft.ContainerRegistry/registries");
    assert_eq!((arm(&all), arm(&deciding)), (vec![list], vec![id(TWO, "subnets1")]), "one list, or one read");
    assert!(!deciding.has("subnets1", "firewall/nobody-allowed"));
    // What was not asked is unknown, and the report says why and how to know it.
    assert!(!all.has("rules1", "access/rules-not-shown") && deciding.has("rules1", "access/rules-not-shown"));
    let rules1 = deciding.registries.iter().find(|r| r.name == "rules1").unwrap();
    let missing = rules1.unknowns.iter().find(|u| u.fact.contains("virtualNetworkRules")).unwrap();
    assert_eq!(missing.needs.as_deref(), Some("--subnet-rules all"));
    assert!(missing.why.contains("not asked of ARM"), "{}", missing.why);
    let same = |a: &Audited, b: &Audited| a.registries.iter().all(|r| r.name == "rules1" || b.registries.contains(r));
    assert!(same(&all, &deciding), "nothing else differs");
}

#[tokio::test]
async fn a_row_of_a_version_that_hides_subnet_rules_hides_them_even_where_it_lists_none() {
    let mut world = World::new();
    let set = json!({ "networkRuleSet": { "defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": [] } });
    let mut row = registry(TWO, "subnets1", set);
    row["apiVersion"] = json!("2025-11-01");
    *world.registries.iter_mut().find(|r| r["name"] == "subnets1").unwrap() = row;
    let audited = of(world).await;
    assert!(audited.asked.iter().any(|a| a.path() == id(TWO, "subnets1")));
    assert!(!audited.has("subnets1", "firewall/nobody-allowed"));
}

#[tokio::test]
async fn requests_do_not_grow_with_registries_but_with_pages() {
    let graph = |audited: &Audited| audited.asked.iter().filter(|a| a.path() == GRAPH).count();
    let few = of(World::new()).await;
    let mut more = World::new();
    more.registries.extend((0..90).map(|n| registry(ONE, &format!("extra{n:03}"), json!({}))));
    let many = of(more).await;
    assert_eq!(many.registries.len(), 98);
    assert_eq!(graph(&many) - graph(&few), 98usize.div_ceil(ROWS) - 8usize.div_ceil(ROWS));
}

#[tokio::test]
async fn forbidden_subscriptions_are_named_and_the_rest_is_audited() {
    for graph_denied in [false, true] {
        let audited = of(World { forbidden: vec![TWO], graph_denied, ..World::new() }).await;
        assert_eq!(audited.registries.len(), 6, "graph denied: {graph_denied}");
        let unread: Vec<&str> = audited.outcome.unread.iter().map(|u| u.scope.as_str()).collect();
        assert_eq!((unread, audited.outcome.subscriptions), (vec![TWO], 1));
        assert!(audited.outcome.unread[0].needs.as_deref().is_some_and(|n| n.contains("registries/read")));
    }
}

#[tokio::test]
async fn where_the_graph_is_denied_lists_give_the_same_registries() {
    let by_lists = of(World { graph_denied: true, ..World::new() }).await;
    assert!(by_lists.outcome.graph_denied);
    let by_graph = of(World::new()).await;
    assert_eq!(by_lists.names(), by_graph.names());
    assert!(!by_lists.has("subnets1", "firewall/nobody-allowed"));
    assert!(by_lists.has("sealed1", "private-link/none-while-public-disabled"));
}

#[tokio::test]
async fn a_management_group_is_its_subscriptions_with_and_without_the_graph() {
    for graph_denied in [false, true] {
        let world = World { graph_denied, ..World::new() };
        let group = |request: &mut AuditRequest<'_>| {
            request.inventory.scope = InventoryScope::ManagementGroup("platform".to_owned());
        };
        let audited = run(move |asked| world.answer(asked), group, None).await;
        assert_eq!((audited.registries.len(), audited.outcome.subscriptions), (8, 2), "graph denied: {graph_denied}");
        let body: Value = serde_json::from_slice(&audited.asked[0].body).unwrap();
        assert_eq!(body["managementGroups"], json!(["platform"]));
    }
}

#[tokio::test]
async fn a_subscription_is_known_by_its_name_too() {
    let world = World::new();
    let by_name = |request: &mut AuditRequest<'_>| {
        request.inventory.scope = InventoryScope::Subscriptions(vec![format!("NAME of {TWO}")]);
    };
    let audited = run(move |asked| world.answer(asked), by_name, None).await;
    assert_eq!(audited.names(), ["sealed1", "subnets1"]);
}

#[tokio::test]
async fn faults_on_the_way_change_nothing_in_the_report() {
    let clean = [of(World::new()).await, of(World { graph_denied: true, ..World::new() }).await];
    for (clean, graph_denied) in clean.into_iter().zip([false, true]) {
        let (world, count) = (World { graph_denied, ..World::new() }, Arc::new(AtomicUsize::new(0)));
        let answer = move |asked: &Asked| {
            let n = count.fetch_add(1, Ordering::SeqCst);
            let mut reply = world.answer(asked);
            match n % 4 {
                0 => Reply::error(429, "RateLimiting", "slow down")
                    .with_header("x-ms-user-quota-remaining", "0")
                    .with_header("x-ms-user-quota-resets-after", "00:00:00"),
                1 => Reply::error(503, "ServerBusy", "busy").with_header("Retry-After", "0"),
                2 if n % 8 == 2 => {
                    reply.body.truncate(reply.body.len() / 2);
                    reply.cut = 10;
                    reply
                }
                _ => reply,
            }
        };
        let faulty = run(answer, |_| {}, None).await;
        assert_eq!(faulty.registries, clean.registries, "graph denied: {graph_denied}");
        assert_eq!(faulty.outcome.unread, clean.outcome.unread);
        assert!(faulty.asked.len() > clean.asked.len());
    }
}

#[tokio::test]
async fn filters_choose_by_tag_and_by_name() {
    let world = World::new();
    let only = run(
        move |asked| world.answer(asked),
        |request| {
            request.filter.tags = vec![("ENV".to_owned(), glob::Glob::new("dev"))];
            request.filter.name = Some(glob::Glob::new("*reg2"));
        },
        None,
    )
    .await;
    assert_eq!(only.names(), ["devreg2"]);
}

/// Counts how many registries it looks at at once.
#[derive(Default)]
struct Counting {
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

#[async_trait::async_trait]
impl Prober for Counting {
    async fn probe(&self, _: &RegistryConfig) -> Option<ProbeFacts> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        self.all.fetch_add(1, Ordering::Relaxed);
        // Whoever may look now has its turn.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

#[tokio::test]
async fn no_more_registries_are_looked_at_at_once_than_asked_for() {
    for (at_once, most) in [(1, 1), (2, 2), (8, ROWS)] {
        let world = World::new();
        let prober: &'static Counting = Box::leak(Box::default());
        let looked = run(
            move |asked| world.answer(asked),
            |request| {
                request.prober = Some(prober);
                request.max_probes = at_once;
            },
            None,
        )
        .await;
        assert_eq!(prober.most.load(Ordering::Relaxed), most, "--max-probes {at_once}");
        assert_eq!(prober.all.load(Ordering::Relaxed), looked.registries.len(), "each once");
    }
}

#[tokio::test]
async fn a_stopped_audit_goes_on_where_it_stopped() {
    let directory = std::env::temp_dir().join(format!("acr-doctor-resume-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("resume.jsonl");
    let full = of(World::new()).await;
    // The first run stops after its first page; its last line is cut off.
    let mut resume = Resume::open(&path, "scope", |_| panic!("new")).unwrap();
    let first: Vec<RegistryReport> = full.registries.iter().take(3).cloned().collect();
    resume.note(&first, None).unwrap();
    drop(resume);
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 20]).unwrap();
    let mut kept = Vec::new();
    let mut resume = Resume::open(&path, "scope", |registry| kept.push(registry)).unwrap();
    assert_eq!(kept, first[..2]);
    let world = World::new();
    let rest = run(move |asked| world.answer(asked), |_| {}, Some(&mut resume)).await;
    assert_eq!(rest.registries.len(), 6);
    kept.extend(rest.registries);
    by_severity(&mut kept);
    assert_eq!(kept, full.registries);
    let other = Resume::open(&path, "another scope", |_| {});
    assert!(matches!(other, Err(ResumeError::Scope { .. })));
    resume.finish().unwrap();
    std::fs::write(&path, "{\"kind\":\"Report\"}\n").unwrap();
    assert!(matches!(Resume::open(&path, "scope", |_| {}), Err(ResumeError::NotOurs { .. })));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn one_odd_row_spoils_nothing_and_is_named() {
    let mut world = World::new();
    world.registries[0]["properties"]["loginServer"] = json!(null);
    let audited = of(world).await;
    assert_eq!(audited.registries.len(), 7);
    assert_eq!(audited.outcome.unread[0].why, "a registry without loginServer");
}

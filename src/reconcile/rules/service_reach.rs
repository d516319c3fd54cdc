//! Azure services that must reach a restricted registry, apart from Defender: tasks, and those named with `--used-by`.

use crate::facts::registry::{NetworkRuleBypassOptions, Task};
use crate::facts::report::ExpectedPath;
use crate::facts::{Change, Fix, RegistryConfig, Severity};
use crate::reconcile::case::Case;
use crate::reconcile::expect::expect;
use crate::reconcile::place::Place;
use crate::reconcile::rule::{Draft, Rule, declare_finding};
use crate::reconcile::{command, evidence};

use super::service_kinds::{Passage, passage};

pub(super) static RULES: &[&Rule] = &[&TASKS_BLOCKED, &UNTRUSTED_SERVICE, &TRUSTED_ACCESS_NEEDLESS];

/// Whether trusted services pass; `None`: not known.
fn bypass(case: &Case<'_>, registry: &RegistryConfig) -> Option<bool> {
    case.know("networkRuleBypassOptions", &registry.network_rule_bypass_options)
        .map(|options| *options == NetworkRuleBypassOptions::AzureServices)
}

declare_finding! {
    /// ACR Tasks cannot pull from or push to the registry: the network rules shut them out.
    ///
    /// ## Why it matters
    /// `az acr build` and tasks run on machines outside the registry's allowed networks. Since June 2025 they pass only
    /// where the registry says so.
    ///
    /// ## How it shows
    /// - az acr build: `denied: client with IP '…' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`
    ///
    /// ## What decides it
    /// The registry restricts its network, and trusted services are off, or `networkRuleBypassAllowedForTasks` is not true,
    /// or the task has no system-assigned identity; and it has no agent pool in a network that the registry lets in.
    /// Without tasks it is only worth knowing.
    ///
    /// ## Fix
    /// Allow tasks to bypass the rules, or run them in an agent pool.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/manage-network-bypass-policy-for-tasks>
    TASKS_BLOCKED = "service/tasks-blocked", Error, article "manage-network-bypass-policy-for-tasks",
    explains [], tasks_blocked;
}

/// Why tasks do not pass, if they do not; `None`: they pass, or it is not known.
fn tasks_shut_out(case: &Case<'_>, registry: &RegistryConfig) -> Option<&'static str> {
    if bypass(case, registry)? {
        let allowed = case.know("networkRuleBypassAllowedForTasks", &registry.network_rule_bypass_allowed_for_tasks)?;
        (!allowed).then_some("networkRuleBypassAllowedForTasks is false")
    } else {
        Some("trusted services are off (networkRuleBypassOptions is None)")
    }
}

/// Whether a task runs in an agent pool whose subnet the registry lets in, or may do so for all that is known.
fn in_allowed_pool(case: &Case<'_>, registry: &RegistryConfig, task: &Task) -> bool {
    let Some(pool) = &task.agent_pool else { return false };
    let Some(pools) = case.know("agent pools", &registry.agent_pools) else { return true };
    let subnet = pools.iter().find(|p| p.name.eq_ignore_ascii_case(pool)).and_then(|p| p.subnet.as_ref());
    // A pool is a client in its subnet.
    subnet.is_some_and(|subnet| {
        let promised = expect(&case.from_place(Place::in_subnet(subnet)), &registry.login_server, None);
        promised.path != ExpectedPath::Blocked
    })
}

fn tasks_blocked(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry.filter(|_| case.network_restricted()) else {
        return Vec::new();
    };
    let tasks: Option<Vec<&Task>> = case.know("tasks", &registry.tasks).map(|all| {
        let off = |t: &Task| t.status.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("Disabled"));
        all.iter().filter(|t| !off(t)).collect()
    });
    let shut = tasks_shut_out(case, registry);
    let blocked: Vec<&str> = tasks
        .iter()
        .flatten()
        .filter(|t| !in_allowed_pool(case, registry, t))
        .filter(|t| shut.is_some() || (passes_by_bypass(registry) && !t.system_assigned_identity))
        .map(|t| t.name.as_str())
        .collect();
    let has_tasks = tasks.as_ref().is_some_and(|t| !t.is_empty());
    let named = case.options.used_by.iter().any(|kind| kind.eq_ignore_ascii_case("tasks"));
    if blocked.is_empty() && (has_tasks || shut.is_none()) {
        return Vec::new();
    }
    let why = shut.unwrap_or("the task has no system-assigned identity");
    let draft = Draft::new(
        match blocked.first() {
            Some(task) => format!("The task '{task}' of {} is blocked by the network rules", registry.name),
            None => format!("ACR Tasks could not reach {}", registry.name),
        },
        if blocked.is_empty() {
            format!("The registry restricts its network, and {why}: `az acr build` and tasks outside an agent pool would fail.")
        } else {
            format!("The registry restricts its network, and {why}. Blocked: {}.", blocked.join(", "))
        },
    )
    .seen([
        evidence::registry(
            registry,
            "/properties/networkRuleBypassOptions",
            registry.network_rule_bypass_options.known().map_or("unknown", NetworkRuleBypassOptions::as_str),
        ),
        evidence::registry(
            registry,
            "/properties/networkRuleBypassAllowedForTasks",
            registry.network_rule_bypass_allowed_for_tasks.known().copied(),
        ),
    ])
    .mend(task_fixes(registry, shut.is_some(), &blocked));
    vec![match (&tasks, blocked.is_empty()) {
        (_, false) => draft,
        // Somebody says that tasks must get in, such as quick builds, which leave no task behind.
        (_, true) if named => draft,
        (Some(_), true) => draft.severity(Severity::Info),
        (None, true) => draft.severity(Severity::Info).possible(["tasks".to_owned()]),
    }]
}

fn passes_by_bypass(registry: &RegistryConfig) -> bool {
    registry.network_rule_bypass_options.known() == Some(&NetworkRuleBypassOptions::AzureServices)
        && registry.network_rule_bypass_allowed_for_tasks.known() == Some(&true)
}

fn task_fixes(registry: &RegistryConfig, shut: bool, blocked: &[&str]) -> Vec<Fix> {
    let mut fixes = Vec::new();
    if shut {
        fixes.push(bypass_for_tasks(registry));
    }
    let assign = blocked.iter().take(3).filter(|_| !shut).map(|task| task_identity(registry, task));
    let assign: Vec<Fix> = assign.collect();
    match assign.as_slice() {
        [] => {}
        [one] => fixes.push(one.clone()),
        _ => fixes.push(Fix::steps("Give the tasks a system-assigned identity", assign)),
    }
    fixes.push(Fix::advice("Run the tasks in an agent pool whose subnet the registry lets in"));
    fixes
}

/// By a PATCH: `az resource update` writes the whole registry back, in a version that does not hold its subnet rules.
fn bypass_for_tasks(registry: &RegistryConfig) -> Fix {
    let merge = serde_json::json!({ "properties": {
        "networkRuleBypassOptions": "AzureServices", "networkRuleBypassAllowedForTasks": true } });
    let (url, body) = (format!("{}?api-version=2025-11-01", registry.id), merge.to_string());
    let words = ["az", "rest", "--method", "patch", "--url", &url, "--body", &body];
    Fix::command("Let tasks with a system-assigned identity bypass the rules", command::line(words))
        .change(Change::Patch { resource: registry.id.clone(), merge })
        .iac(
            "properties.networkRuleBypassAllowedForTasks",
            "azurerm_container_registry.network_rule_bypass_for_tasks_enabled",
        )
        .widening()
}

fn task_identity(registry: &RegistryConfig, task: &str) -> Fix {
    let mut words = vec!["az", "acr", "task", "identity", "assign", "-r", registry.name.as_str(), "-n", task];
    words.extend(command::scope(&registry.id));
    words.extend(["--identities", "[system]"]);
    let fix = Fix::command(format!("Give the task '{task}' a system-assigned identity"), command::line(words))
        .iac("Microsoft.ContainerRegistry/registries/tasks identity", "azurerm_container_registry_task.identity");
    match format!("{}/tasks/{task}", registry.id).parse() {
        Ok(resource) => fix
            .change(Change::Patch { resource, merge: serde_json::json!({ "identity": { "type": "SystemAssigned" } }) }),
        Err(_) => fix,
    }
}

declare_finding! {
    /// A service that must pull from the registry is not let past its network rules.
    ///
    /// ## Why it matters
    /// Some Azure services pass a registry's network rules as trusted services, others never do, whatever identity they have.
    ///
    /// ## How it shows
    /// - App Service: `ImagePullFailure`, `DockerApiException: … denied: client with IP '…' is not allowed access`
    /// - Azure Pipelines: `denied: client with IP '…' is not allowed access`
    ///
    /// ## What decides it
    /// The registry restricts its network, and the service named with `--used-by` is not a trusted one by Microsoft's
    /// table, or trusted services are off, or the restriction is by subnet rules, to which trusted services do not apply.
    ///
    /// ## Fix
    /// A private endpoint and VNet integration, or trusted services where they apply.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/allow-access-trusted-services>
    UNTRUSTED_SERVICE = "service/untrusted-service", Warning, article "allow-access-trusted-services",
    explains [], untrusted_service;
}

fn untrusted_service(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry.filter(|_| case.network_restricted()) else {
        return Vec::new();
    };
    case.options.used_by.iter().filter_map(|kind| shut_service(case, registry, kind)).collect()
}

fn shut_service(case: &Case<'_>, registry: &RegistryConfig, kind: &str) -> Option<Draft> {
    let by_subnets = !case.public_access_disabled() && case.subnet_rules().is_some_and(|rules| !rules.is_empty());
    let (why, fix) = match passage(kind) {
        Passage::OwnNetwork => return None,
        Passage::Never(way) => (
            "It is not one of the services that pass as trusted, whatever identity it has".to_owned(),
            Fix::advice(format!("Give it a way in: {way}")),
        ),
        Passage::Trusted(_) if by_subnets => (
            "Trusted services do not apply to a registry that is restricted by service endpoints".to_owned(),
            Fix::advice("Give it a way in: a private endpoint in a network that the service uses"),
        ),
        Passage::Trusted(needs) => {
            if bypass(case, registry)? {
                return None;
            }
            (
                format!("It would pass as a trusted service (it needs {needs}), and trusted services are off"),
                command::trusted_services(registry, "Let trusted services pass the network rules", true).widening(),
            )
        }
    };
    let observed = registry.network_rule_bypass_options.known().map_or("unknown", NetworkRuleBypassOptions::as_str);
    Some(
        Draft::new(format!("The service '{kind}' cannot pull from {}", registry.name), format!("{why}."))
            .seen([evidence::registry(registry, "/properties/networkRuleBypassOptions", observed)])
            .seen(case.rules().flatten().map(|rules| super::firewall::rule_set(registry, rules)))
            .mend([fix]),
    )
}

declare_finding! {
    /// Trusted services may pass the network rules, and nothing was found that needs it.
    ///
    /// ## Why it matters
    /// Every exception is a way in; one that nobody uses can go.
    ///
    /// ## How it shows
    /// - nothing fails; an audit lists it
    ///
    /// ## What decides it
    /// `networkRuleBypassOptions` is AzureServices on a restricted registry; it has no tasks, Defender for Containers does
    /// not scan it, and no service was named with `--used-by`. Deployments to Container Instances and imports cannot be
    /// seen from here. Told in an audit only.
    ///
    /// ## Fix
    /// Switch trusted services off, if nothing needs them.
    ///
    /// ## References
    /// - <https://learn.microsoft.com/azure/container-registry/allow-access-trusted-services>
    TRUSTED_ACCESS_NEEDLESS = "service/trusted-access-needless", Info, article "allow-access-trusted-services",
    explains [], trusted_access_needless;
}

fn trusted_access_needless(case: &Case<'_>) -> Vec<Draft> {
    let Some(registry) = case.registry.filter(|_| case.options.audit && case.network_restricted()) else {
        return Vec::new();
    };
    let plan = case.config.subscriptions.iter().find(|s| s.id.eq_ignore_ascii_case(registry.id.subscription()));
    let scanned = plan.and_then(|p| p.defender.known()).map(crate::facts::config::DefenderPlan::scans_registries);
    let tasks = case.know("tasks", &registry.tasks);
    let unused = tasks.is_none_or(Vec::is_empty) && scanned == Some(false) && case.options.used_by.is_empty();
    if !unused || bypass(case, registry) != Some(true) {
        return Vec::new();
    }
    let draft = Draft::new(
            format!("Trusted services may reach {}, and none is known to need it", registry.name),
            "No task is known and Defender for Containers does not scan it; deployments and imports cannot be seen from here.",
        )
        .likely()
        .seen([evidence::registry(registry, "/properties/networkRuleBypassOptions", "AzureServices")])
        .mend([command::trusted_services(registry, "Switch trusted services off", false)]);
    vec![if tasks.is_some() { draft } else { draft.possible(["tasks".to_owned()]) }]
}

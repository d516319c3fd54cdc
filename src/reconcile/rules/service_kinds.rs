//! Kinds of services that `--used-by` names, and how each gets past a registry's network rules.

/// How a service gets past a registry's network rules (allow-access-trusted-services).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Never as a trusted service; the words say which way is left.
    Never(&'static str),
    /// As a trusted service, with what it needs besides.
    Trusted(&'static str),
    /// By a network of the user's own: judged from there.
    OwnNetwork,
}

/// A kind of service.
#[derive(Debug, Clone, Copy)]
pub struct ServiceKind {
    /// Its names, the usual one first.
    pub names: &'static [&'static str],
    /// What Microsoft documents of it.
    pub passage: Passage,
}

const fn kind(names: &'static [&'static str], passage: Passage) -> ServiceKind {
    ServiceKind { names, passage }
}

/// What is left to a service that is not trusted.
const OF_ANY_OTHER: Passage = Passage::Never("a private endpoint in a network that the service uses");

/// The documented table: container-registry docs, "allow-access-trusted-services" and "manage-network-bypass-policy-for-tasks".
pub const KINDS: [ServiceKind; 13] = [
    kind(&["aks"], Passage::OwnNetwork),
    kind(&["vm", "virtual-machine", "vmss"], Passage::OwnNetwork),
    kind(
        &[
            "self-hosted-agent",
            "devops-self-hosted-agent",
            "azure-devops-self-hosted",
            "github-self-hosted-runner",
            "self-hosted-runner",
        ],
        Passage::OwnNetwork,
    ),
    kind(&["defender"], Passage::Trusted("nothing else")),
    kind(&["import"], Passage::Trusted("nothing else")),
    kind(&["tasks"], Passage::Trusted("networkRuleBypassAllowedForTasks and a system-assigned identity")),
    kind(&["container-instances", "aci"], Passage::Trusted("a managed identity with a role to pull")),
    kind(&["machine-learning", "ml"], Passage::Trusted("a system-assigned identity with a role to pull")),
    kind(&["app-service", "web-app"], Passage::Never("a private endpoint, VNet integration, and image pull over it")),
    kind(
        &["functions", "function-app"],
        Passage::Never("a private endpoint, VNet integration, and image pull over it"),
    ),
    kind(
        &["container-apps"],
        Passage::Never("a private endpoint, and an environment in a virtual network that reaches it"),
    ),
    kind(
        &["devops-hosted-agent", "azure-devops"],
        Passage::Never("a self-hosted agent in a network that the registry lets in"),
    ),
    kind(
        &["github-hosted-runner", "github-actions"],
        Passage::Never("a self-hosted runner in a network that the registry lets in"),
    ),
];

/// How a kind of service passes, by any of its names; one that Microsoft's table does not have is not trusted.
pub(in crate::reconcile) fn passage(kind: &str) -> Passage {
    let name = kind.to_ascii_lowercase().replace('_', "-");
    KINDS.iter().find(|kind| kind.names.contains(&name.as_str())).map_or(OF_ANY_OTHER, |kind| kind.passage)
}

/// The page docs/services.md.
pub fn page() -> String {
    let row = |kind: &ServiceKind| {
        let names: Vec<String> = kind.names.iter().map(|name| format!("`{name}`")).collect();
        let (passes, needs) = match kind.passage {
            Passage::OwnNetwork => ("from a network of yours", "a subnet or an address that the registry lets in"),
            Passage::Trusted(needs) => ("as a trusted service", needs),
            Passage::Never(way) => ("never", way),
        };
        format!("| {} | {passes} | {needs} |\n", names.join(", "))
    };
    let rows: String = KINDS.iter().map(row).collect();
    let other = row(&kind(&[], OF_ANY_OTHER)).replacen("|  |", "| any other |", 1);
    format!(
        "<!-- Written from src/reconcile/rules/service_kinds.rs; do not edit. -->\n\
         # Services\n\n\
         `--used-by KIND` names services that must pull from the registry. Where it restricts its network, each is judged by\n\
         what Microsoft documents of trusted services (`networkRuleBypassOptions`). These do not apply where subnet rules\n\
         restrict. `whatif` judges the same kinds as clients.\n\n\
         | `--used-by` | gets in | needs |\n|---|---|---|\n{rows}{other}"
    )
}

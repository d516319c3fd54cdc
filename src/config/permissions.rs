//! The rights that a run can use: the smallest role, and what is not known without each of them.

use serde_json::{Value, json};

/// One right and its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// The ARM action.
    pub action: &'static str,
    /// What it reads.
    pub reads: &'static str,
    /// What is not known without it.
    pub without: &'static str,
    /// Whether a diagnosis is worth little without it.
    pub essential: bool,
}

const fn right(action: &'static str, reads: &'static str, without: &'static str) -> Right {
    Right { action, reads, without, essential: false }
}

/// Each is an operation that Azure lists (role-based-access-control/permissions): with any other one ARM refuses a custom
/// role whole (InvalidActionOrNotAction). `registries/privateLinkResources/read` is none, though ARM checks it.
const RIGHTS: [Right; 38] = [
    Right {
        action: "Microsoft.ContainerRegistry/registries/read",
        reads: "the registry: public access, rules, private endpoint connections, data endpoints",
        without: "everything about the registry; only the probe remains",
        essential: true,
    },
    right(
        "Microsoft.ContainerRegistry/registries/replications/read",
        "geo-replications",
        "which regions' data endpoints clients are sent to, and whether a private endpoint lacks one's address",
    ),
    right(
        "Microsoft.ContainerRegistry/registries/tasks/read",
        "tasks and their identities",
        "whether network rules stop tasks",
    ),
    right(
        "Microsoft.ContainerRegistry/registries/agentPools/read",
        "agent pools and their subnets",
        "whether tasks run in an allowed subnet",
    ),
    right(
        "Microsoft.ContainerRegistry/registries/connectedRegistries/read",
        "connected registries",
        "which connected registries sync through these endpoints, and whether they are online",
    ),
    right(
        "Microsoft.ContainerRegistry/registries/cacheRules/read",
        "cache rules",
        "which repositories are caches, and of what",
    ),
    right(
        "Microsoft.ContainerRegistry/registries/listUsages/read",
        "limits and usage",
        "whether another rule or private endpoint still fits",
    ),
    right(
        "Microsoft.ContainerRegistry/checkNameAvailability/read",
        "whether the name of a registry that was not found is taken",
        "whether it exists in a subscription or tenant that this identity does not see",
    ),
    right("Microsoft.Resources/subscriptions/read", "subscriptions", "where to look for a registry known by name only"),
    right(
        "Microsoft.Resources/subscriptions/providers/read",
        "registration of Microsoft.ContainerRegistry",
        "whether a rule's subnet is in a subscription where the provider is not registered",
    ),
    right(
        "Microsoft.Network/privateEndpoints/read",
        "private endpoints",
        "their addresses and subnets, and whether they still exist",
    ),
    right(
        "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read",
        "their DNS zone groups",
        "whether records are kept by hand",
    ),
    right(
        "Microsoft.Network/networkInterfaces/read",
        "their network interfaces; on an Azure VM the machine's own",
        "which name has which address (customDnsConfigs or the zone group may still tell), and the client's subnet",
    ),
    right(
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces/read",
        "on a node of a scale set (AKS), its network interfaces",
        "the client's subnet, unless `--subnet` names it",
    ),
    right(
        "Microsoft.Network/privateDnsZones/read",
        "private DNS zones",
        "whether a zone for the registry exists, and where",
    ),
    right(
        "Microsoft.Network/privateDnsZones/ALL/read",
        "their records",
        "whether a record is missing, stale or another endpoint's",
    ),
    right(
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
        "their virtual network links",
        "whether the client's network is linked, and with fallback to the internet",
    ),
    right(
        "Microsoft.Network/virtualNetworks/read",
        "virtual networks, peerings and DNS servers",
        "whether the client's network reaches the private endpoint's",
    ),
    right(
        "Microsoft.Network/virtualNetworks/subnets/read",
        "subnets of rules, of private endpoints and of the client",
        "whether they have the service endpoint, free addresses, or exist at all",
    ),
    right(
        "Microsoft.Network/networkSecurityGroups/read",
        "network security groups on those subnets",
        "whether a rule stops outbound traffic",
    ),
    right(
        "Microsoft.Network/routeTables/read",
        "route tables on those subnets",
        "whether traffic leaves through a firewall",
    ),
    right(
        "Microsoft.Network/natGateways/read",
        "NAT gateways of those subnets",
        "which public address an IP rule must hold",
    ),
    right(
        "Microsoft.Network/azureFirewalls/read",
        "the Azure Firewall that a default route leads to",
        "which public address an IP rule must hold behind a firewall",
    ),
    right("Microsoft.Network/publicIPAddresses/read", "public addresses of a NAT gateway or a firewall", "the same"),
    right("Microsoft.Network/publicIPPrefixes/read", "a NAT gateway's public ranges", "the same"),
    right(
        "Microsoft.Network/locations/serviceTags/read",
        "service tags, where a security group may use them",
        "whether a rule with a tag covers an address",
    ),
    right("Microsoft.Authorization/locks/read", "locks", "whether a lock stops the fix"),
    right(
        "Microsoft.Authorization/policyAssignments/read",
        "policy assignments",
        "whether a policy denies or rewrites the fix",
    ),
    right(
        "Microsoft.Authorization/policyDefinitions/read",
        "definitions of one's own policies",
        "what one's own policies do",
    ),
    right(
        "Microsoft.Authorization/policySetDefinitions/read",
        "initiatives of one's own",
        "what one's own initiatives do",
    ),
    right(
        "Microsoft.Insights/diagnosticSettings/read",
        "diagnostic settings",
        "whether login events are collected, and where",
    ),
    right("Microsoft.Security/pricings/read", "Defender for Containers", "whether image scans are expected"),
    right(
        "Microsoft.ContainerService/managedClusters/read",
        "with `check --from aks`, the cluster",
        "where its nodes stand, how they leave, and who pulls",
    ),
    right(
        "Microsoft.Authorization/roleAssignments/read",
        "with `check --from aks`, the roles of the identity that pulls",
        "whether the cluster may pull",
    ),
    right(
        "Microsoft.Management/managementGroups/descendants/read",
        "with `audit --management-group`, the subscriptions below it",
        "which subscriptions are below a management group, unless Resource Graph tells",
    ),
    right(
        "Microsoft.OperationalInsights/workspaces/read",
        "with `logs`, the workspace that a diagnostic setting names",
        "under which id the workspace answers queries",
    ),
    right(
        "Microsoft.OperationalInsights/workspaces/query/read",
        "with `logs`, a query in that workspace",
        "which logins failed or were blocked",
    ),
    right(
        "Microsoft.OperationalInsights/workspaces/query/ContainerRegistryLoginEvents/read",
        "with `logs`, the table of logins",
        "the same",
    ),
];

/// Every right that a run can use.
pub fn rights() -> &'static [Right] {
    &RIGHTS
}

/// A custom role with exactly these rights, as `az role definition create --role-definition @FILE` takes it.
///
/// `scopes` are where it may be assigned: a subscription or a management group.
pub fn role_definition(scopes: &[String]) -> Value {
    json!({
        "Name": "Registry network diagnosis (acr-doctor)",
        "IsCustom": true,
        "Description": "Reads what decides who reaches a container registry. No data of the registry, no keys, no writes.",
        "Actions": RIGHTS.iter().map(|r| r.action).collect::<Vec<_>>(),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": scopes,
    })
}

/// What a refused action leaves unknown, by the action's name as ARM writes it.
pub fn without(action: &str) -> Option<&'static Right> {
    RIGHTS.iter().find(|r| r.action.eq_ignore_ascii_case(action))
}

/// The page docs/permissions.md.
pub fn page() -> String {
    let role = role_definition(&["/subscriptions/<subscription-id>".to_owned()]);
    let role = serde_json::to_string_pretty(&role).unwrap_or_default();
    let row = |r: &Right| format!("| `{}` | {} | {} |\n", r.action, r.reads, r.without);
    let rows: String = RIGHTS.iter().map(row).collect();
    format!(
        "<!-- Written from src/config/permissions.rs; do not edit. -->\n\
         # Rights\n\n\
         The built-in role **Reader** on the subscriptions concerned has all of these. Where that is too much, the custom\n\
         role below has exactly what a diagnosis can use: it reads, it sees no key and no repository, and it writes\n\
         nothing. `acr-doctor permissions` prints it.\n\n\
         Only `{}` is essential. Every other right adds\n\
         facts; without it the report says under `unknowns` what is not known and which action would tell, and findings\n\
         that depend on it are at most `possible`. Nothing is guessed from a refusal: \"we were not allowed to look\" and\n\
         \"there is none\" are different facts.\n\n\
         Rights on a resource group or a single resource are enough for what lies in it. With rights on the registry\n\
         alone, name it by its resource id, or by `--subscription` with `-g` and `-n`: lists of a subscription are refused\n\
         then, though Azure Resource Graph may still find it.\n\n\
         | right | what is read with it | not known without it |\n|---|---|---|\n{rows}\n\
         ## The role\n\n```json\n{role}\n```\n\n\
         ```\naz role definition create --role-definition @acr-doctor-role.json\n\
         az role assignment create --role \"Registry network diagnosis (acr-doctor)\" --assignee <identity> --scope <scope>\n```\n\n\
         Resource Graph (used to find a registry by its name, private DNS zones in other subscriptions, and fleets) needs no\n\
         right of its own: it shows what the identity may read.\n",
        RIGHTS[0].action
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_reads_and_does_nothing_else() {
        assert!(RIGHTS.iter().all(|r| r.action.ends_with("/read")));
        let mut actions = RIGHTS.map(|r| r.action);
        actions.sort_unstable();
        assert!(actions.windows(2).all(|w| w[0] != w[1]), "each right once");
        let role = role_definition(&["/subscriptions/s".to_owned()]);
        assert_eq!(role["Actions"].as_array().unwrap().len(), RIGHTS.len());
        assert!(without("microsoft.network/natgateways/READ").is_some());
    }

    #[test]
    fn the_page_is_current() {
        let path = format!("{}/docs/permissions.md", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), page(), "write it with UPDATE=1 cargo test");
    }
}

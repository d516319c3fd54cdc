//! The cluster whose nodes are to pull, above its report: where they stand, how they leave, who pulls, and how to look.

use crate::facts::cluster::ClusterConfig;
use crate::facts::report::{NodesReport, Report};
use crate::facts::{Known, ResourceId};

use super::terminal::{Ink, Style, line, paragraph, sanitise};

/// The cluster for a person; nothing where the report is not about one.
pub fn nodes(report: &Report, style: &Style) -> String {
    let Some(NodesReport { cluster, probe_command }) = &report.nodes else { return String::new() };
    let mut out = String::new();
    line(&mut out, &style.paint(Ink::Strong, &sanitise(cluster.id.name())));
    for (label, value) in [
        ("node pools", pools(cluster)),
        ("outbound", outbound(cluster)),
        ("kubelet identity", identity(cluster)),
        ("its roles", roles(cluster)),
    ] {
        let first = style.paint(Ink::Faint, &format!("  {label:<19}")).into_owned();
        paragraph(&mut out, style, &first, &" ".repeat(21), &value);
    }
    line(&mut out, "");
    line(
        &mut out,
        "This is what the configuration says. To look from a node, then join both (IMAGE: this program's image):",
    );
    line(&mut out, &format!("  {}", sanitise(probe_command)));
    line(
        &mut out,
        "  acr-doctor reconcile --config CONFIG --probe node.probe.json    (CONFIG: what check --save wrote)",
    );
    out
}

fn told<T>(known: &Known<T>, say: impl Fn(&T) -> String) -> String {
    match known {
        Known::Known(value) => say(value),
        Known::Unknown(unknown) => {
            let needs = unknown.needs.as_ref().map(|needs| format!("; needs {needs}")).unwrap_or_default();
            format!("not known: {}{needs}", unknown.why)
        }
    }
}

fn pools(cluster: &ClusterConfig) -> String {
    let place = |id: &ResourceId| {
        id.virtual_network().map_or_else(|| id.name().to_owned(), |network| format!("{}/{}", network.name(), id.name()))
    };
    let pools = cluster.node_pools.iter().map(|pool| format!("{} in {}", pool.name, told(&pool.subnet, place)));
    pools.collect::<Vec<_>>().join(", ")
}

fn outbound(cluster: &ClusterConfig) -> String {
    let addresses = told(&cluster.egress_addresses, |addresses| {
        let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        if shown.is_empty() { "no address".to_owned() } else { shown.join(", ") }
    });
    format!("{}: {addresses}", told(&cluster.outbound_type, Clone::clone))
}

fn identity(cluster: &ClusterConfig) -> String {
    told(&cluster.kubelet_identity, |identity| {
        let name = identity.id.as_ref().map(|id| format!("{}, ", id.name())).unwrap_or_default();
        format!("{name}object {}", identity.object_id)
    })
}

fn roles(cluster: &ClusterConfig) -> String {
    told(&cluster.roles, |roles| {
        let narrowed = |conditional: bool| if conditional { " (with a condition)" } else { "" };
        let shown: Vec<String> =
            roles.iter().map(|role| format!("{}{}", name_of(&role.role), narrowed(role.conditional))).collect();
        if shown.is_empty() { "none at this registry or above it".to_owned() } else { shown.join(", ") }
    })
}

/// The name of a built-in role that matters here.
fn name_of(role: &str) -> &str {
    match role {
        "7f951dda-4ed3-4680-a7ca-43fe172d538d" => "AcrPull",
        "8311e382-0749-4cb8-b61a-304f252e45ec" => "AcrPush",
        "acdd72a7-3385-48ef-bd42-f606fba81ae7" => "Reader",
        "b24988ac-6180-42a0-ab88-20f7382dd24c" => "Contributor",
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635" => "Owner",
        "b93aa761-3e63-49ed-ac28-beffa264f7ac" => "Container Registry Repository Reader",
        "2a1e307c-b015-4ebd-883e-5b7698a07328" => "Container Registry Repository Writer",
        "2efddaa5-3f1f-4df3-97df-af3f13818f4c" => "Container Registry Repository Contributor",
        other => other,
    }
}

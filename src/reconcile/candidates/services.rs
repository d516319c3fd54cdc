//! Missing facts of those who pull for others: tasks, a cluster's nodes.

use crate::facts::registry::Task;
use crate::reconcile::case::Case;

use super::private_link;
use super::supposed::Gap;

/// What is missing of services and clusters.
pub(super) fn gaps<'a>(case: &Case<'a>) -> Vec<Gap<'a>> {
    let tasks = Gap::of_registry(case, "tasks", |r| &r.tasks, |r| &mut r.tasks, [Vec::new(), vec![task()]]);
    [tasks, way_of_nodes(case)].into_iter().flatten().collect()
}

/// A task that runs by itself.
fn task() -> Task {
    Task { name: "supposed".to_owned(), system_assigned_identity: false, agent_pool: None, status: None }
}

/// Whether nodes have a private endpoint within reach: whichever fact of it is missing.
fn way_of_nodes<'a>(case: &Case<'a>) -> Option<Gap<'a>> {
    case.config.cluster.as_ref()?;
    let fact = "whether a private endpoint is within reach";
    let by_connection = || {
        Gap::of_registry(
            case,
            fact,
            |r| &r.private_endpoint_connections,
            |r| &mut r.private_endpoint_connections,
            private_link::connections(case),
        )
    };
    by_connection().or_else(|| private_link::endpoints_behind(case, fact))
}

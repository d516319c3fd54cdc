//! What has a row of its own: a registry, or the hosts from which it looks the same.

use crate::facts::HostGroup;
use crate::facts::report::{RegistryReport, Report};

/// A registry, as one of the hosts of a group sees it where several looked.
pub(super) struct Entry<'r> {
    pub(super) registry: &'r RegistryReport,
    pub(super) group: Option<&'r HostGroup>,
}

/// The entries, in the report's order.
pub(super) fn of(report: &Report) -> Vec<Entry<'_>> {
    let mut shown: Vec<&HostGroup> = Vec::new();
    let mut entries = Vec::new();
    for registry in &report.registries {
        let Some(group) = group_of(report, registry) else {
            entries.push(Entry { registry, group: None });
            continue;
        };
        if !shown.iter().any(|known| std::ptr::eq(*known, group)) {
            shown.push(group);
            entries.push(Entry { registry, group: Some(group) });
        }
    }
    entries
}

fn group_of<'r>(report: &'r Report, registry: &RegistryReport) -> Option<&'r HostGroup> {
    let (host, key) = (registry.seen_from.as_ref()?, registry.key());
    report.hosts.iter().find(|g| g.key == key && g.verdict == registry.verdict && g.hosts.contains(host))
}

/// From how many hosts of how many, and which; of one host its name alone.
pub(super) fn seen_from(report: &Report, group: &HostGroup) -> String {
    match report.hosts.iter().filter(|g| g.key == group.key).map(|g| g.hosts.len()).sum() {
        0 | 1 => group.hosts_in_words(),
        all => format!("{} of {all}: {}", group.hosts.len(), group.hosts_in_words()),
    }
}

/// Whether some registry has several rows, since several hosts looked at it.
pub(super) fn some_seen_often(report: &Report) -> bool {
    report.hosts.iter().any(|g| g.hosts.len() > 1 || report.hosts.iter().filter(|o| o.key == g.key).count() > 1)
}

//! Locks that would refuse a fix: whoever follows it should know before.

use crate::facts::registry::Lock;
use crate::facts::{Change, Finding};

use super::case::Case;

/// Says in each fix which of the known locks refuses it.
pub(super) fn tell(case: &Case<'_>, findings: &mut [Finding]) {
    let locks = case.registry.and_then(|registry| registry.locks.known()).map_or(&[][..], Vec::as_slice);
    // The finding about the lock takes it away.
    let others = findings.iter_mut().filter(|finding| finding.code.as_str() != "access/write-blocked");
    for fix in others.flat_map(|finding| &mut finding.fix) {
        let changes = fix.change.iter().chain(fix.steps.iter().filter_map(|step| step.change.as_ref()));
        if let Some(lock) = { changes }.find_map(|change| refusing(locks, change)) {
            let told =
                format!("{} (refused as long as the {} lock '{}' is there)", fix.summary, lock.level, lock.id.name());
            fix.summary = told;
        }
    }
}

/// The lock that refuses a change, if one does.
fn refusing<'l>(locks: &'l [Lock], change: &Change) -> Option<&'l Lock> {
    let resource = change.resource()?;
    let deletes = matches!(change, Change::Delete { .. });
    locks.iter().find(|lock| {
        let level = |level: &str| lock.level.eq_ignore_ascii_case(level);
        (level("ReadOnly") || (deletes && level("CanNotDelete")))
            && lock.scope().is_some_and(|scope| resource.is_within(scope))
    })
}

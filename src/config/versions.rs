//! Which API version of Microsoft.ContainerRegistry shows what (facts of its published SDK packages).

/// The version asked for first: the newest, and the only one since 2021 that shows subnet rules.
pub(crate) const NEWEST: &str = "2026-09-01-preview";
/// Tried where the cloud refuses the newest without saying what it has.
pub(crate) const FALLBACKS: [&str; 3] = ["2025-11-01", "2023-07-01", "2021-08-01-preview"];
/// The newest of the old versions that show subnet rules (under the key `id`).
const RULES_FALLBACK: &str = "2021-08-01-preview";

/// When a property appeared, and the later versions that lack it nevertheless.
struct Shown {
    property: &'static str,
    preview: &'static str,
    stable: &'static str,
    gaps: &'static [&'static str],
}

/// No version of this kind has it yet.
const NEVER: &str = "9999";

const fn shown(
    property: &'static str,
    preview: &'static str,
    stable: &'static str,
    gaps: &'static [&'static str],
) -> Shown {
    Shown { property, preview, stable, gaps }
}

const TABLE: [Shown; 15] = [
    shown("publicNetworkAccess", "2019-12-01", "2021-09-01", &[]),
    shown("networkRuleBypassOptions", "2019-12-01", "2021-09-01", &[]),
    shown("networkRuleBypassAllowedForTasks", "2025-05-01", "2025-11-01", &[]),
    shown("dataEndpointEnabled", "2019-12-01", "2021-09-01", &[]),
    shown("dataEndpointHostNames", "2019-12-01", "2021-09-01", &[]),
    shown("privateEndpointConnections", "2019-12-01", "2021-09-01", &[]),
    shown("anonymousPullEnabled", "2020-11-01", "2025-04-01", &["2021-09-01", "2022-12-01", "2023-07-01"]),
    shown("azureADAuthenticationAsArmPolicy", "2022-02-01", "2025-04-01", &["2022-12-01", "2023-07-01"]),
    shown("encryption", "2019-12-01", "2021-09-01", &[]),
    shown("roleAssignmentMode", "2025-03-01", "2025-11-01", &["2025-04-01"]),
    shown("regionalEndpoints", "2026-01-01", NEVER, &[]),
    shown("regionalEndpointHostNames", "2026-01-01", NEVER, &[]),
    shown("endpointProtocol", "2026-01-01", NEVER, &[]),
    shown("networkRuleSet", "2017-10-01", "2017-10-01", &[]),
    shown("regionEndpointEnabled", "2019-12-01", "2021-09-01", &[]),
];

/// Whether this version shows the property when the registry has it.
pub(crate) fn shows(property: &str, version: &str) -> bool {
    let (date, preview) = split(version);
    TABLE.iter().find(|row| row.property == property).is_none_or(|row| {
        let first = if preview { row.preview } else { row.stable };
        date >= first && !row.gaps.contains(&version)
    })
}

/// Whether this version shows subnet rules: from 2017-10-01 to 2021-12-01-preview, without 2021-09-01, under `id`;
/// from 2026-03-01-preview on under `virtualNetworkSubnetResourceId`.
pub(crate) fn shows_subnet_rules(version: &str) -> bool {
    let (date, preview) = split(version);
    let old =
        ("2017-10-01"..="2021-12-01").contains(&date) && version != "2021-09-01" && (preview || date < "2021-09-01");
    old || (preview && date >= "2026-03-01")
}

fn split(version: &str) -> (&str, bool) {
    version.split_once("-preview").map_or((version, false), |(date, _)| (date, true))
}

/// The newest version of these without `-preview`, or else the newest at all.
pub(crate) fn newest_stable(versions: &[String]) -> Option<String> {
    let stable = versions.iter().filter(|v| !split(v).1).max();
    stable.or_else(|| versions.iter().max()).cloned()
}

/// Which versions to try after the newest was refused: the cloud's own newest first, then what we know to exist.
pub(crate) fn candidates(offered: Option<&[String]>) -> Vec<String> {
    match offered {
        Some(offered) if !offered.is_empty() => {
            let mut sorted: Vec<String> = offered.to_vec();
            sorted.sort_by(|a, b| b.cmp(a));
            sorted.truncate(3);
            sorted
        }
        _ => FALLBACKS.map(str::to_owned).to_vec(),
    }
}

/// The version with which to ask once more for subnet rules; `None` where the cloud has none that shows them.
pub(crate) fn for_subnet_rules(offered: Option<&[String]>) -> Option<String> {
    match offered {
        Some(offered) => offered.iter().filter(|v| shows_subnet_rules(v)).max().cloned(),
        None => Some(RULES_FALLBACK.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnet_rules_are_shown_before_2021_09_and_again_since_2026_03() {
        for version in
            ["2017-10-01", "2019-05-01", "2021-06-01-preview", "2021-08-01-preview", "2021-12-01-preview", NEWEST]
        {
            assert!(shows_subnet_rules(version), "{version}");
        }
        for version in
            ["2017-03-01", "2021-09-01", "2022-02-01-preview", "2023-07-01", "2025-11-01", "2026-01-01-preview"]
        {
            assert!(!shows_subnet_rules(version), "{version}");
        }
    }

    #[test]
    fn a_gap_is_not_shown_although_older_versions_did() {
        assert!(shows("anonymousPullEnabled", "2020-11-01-preview"));
        assert!(!shows("anonymousPullEnabled", "2023-07-01"));
        assert!(!shows("regionalEndpoints", "2025-11-01"));
        assert!(shows("regionalEndpoints", NEWEST));
        assert!(!shows("publicNetworkAccess", "2019-05-01"));
    }

    #[test]
    fn the_clouds_own_versions_are_used() {
        let offered = ["2019-05-01", "2021-08-01-preview", "2022-12-01", "2023-07-01"].map(str::to_owned);
        assert_eq!(candidates(Some(&offered)).first().map(String::as_str), Some("2023-07-01"));
        assert_eq!(for_subnet_rules(Some(&offered)).as_deref(), Some("2021-08-01-preview"));
        assert_eq!(for_subnet_rules(Some(&["2023-07-01".to_owned()])), None);
        assert_eq!(newest_stable(&offered).as_deref(), Some("2023-07-01"));
    }
}

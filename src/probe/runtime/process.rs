//! When a daemon's process began (proc(5)).

use std::path::Path;
use std::time::{Duration, SystemTime};

/// Ticks a second in /proc/<pid>/stat: USER_HZ, 100 on every Linux.
const TICKS: u64 = 100;

/// The start of the oldest process of that name, where /proc shows one.
pub(super) fn started(name: &str) -> Option<SystemTime> {
    let boot = boot_time(&super::text(Path::new("/proc/stat"))?)?;
    let processes = std::fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let named = processes.filter(|path| super::text(&path.join("comm")).is_some_and(|comm| comm.trim() == name));
    let oldest = named.filter_map(|path| start_ticks(&super::text(&path.join("stat"))?)).min()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(boot) + Duration::from_millis(oldest * (1000 / TICKS)))
}

/// `btime` of /proc/stat: seconds since the epoch.
fn boot_time(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Field 22 of /proc/<pid>/stat; the name in parentheses may hold blanks.
fn start_ticks(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_field_22_whatever_the_name_holds() {
        let stat = "12 (a) b (c)) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 4242 1000 10";
        assert_eq!(start_ticks(stat), Some(4242));
        assert_eq!(start_ticks("rubbish"), None);
        assert_eq!(boot_time("cpu 1\nbtime 1700000000\n"), Some(1_700_000_000));
    }
}

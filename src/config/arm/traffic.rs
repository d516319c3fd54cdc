//! What went over the wire, and how much of Resource Graph's quota is left.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

use super::lock;

/// Counters for a progress bar, and the time at which the quota is renewed.
#[derive(Default)]
pub(crate) struct Traffic {
    sent: AtomicUsize,
    waiting: AtomicUsize,
    renewed_at: Mutex<Option<Instant>>,
}

/// One request that waits for its next try.
pub(super) struct Waiting<'t>(&'t AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Traffic {
    /// Requests sent so far, each try counted.
    pub(crate) fn requests(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Requests that wait because ARM was throttled or failed.
    pub(crate) fn throttled(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn waiting(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.waiting)
    }

    /// Notes that the user's quota is used up (`x-ms-user-quota-remaining: 0`), and returns how long.
    pub(super) fn note_quota(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let remaining: u64 = text("x-ms-user-quota-remaining")?.parse().ok()?;
        let pause = hours_minutes_seconds(text("x-ms-user-quota-resets-after")?)?;
        if remaining > 0 {
            return None;
        }
        *lock(&self.renewed_at) = Some(Instant::now() + pause);
        Some(pause)
    }

    /// Waits until there is quota again; not beyond the deadline, after which the request itself says so.
    pub(super) async fn quota_renewed(&self, deadline: Instant) {
        let renewed_at = *lock(&self.renewed_at);
        if let Some(at) = renewed_at.filter(|at| *at > Instant::now()) {
            let _waiting = self.waiting();
            tokio::time::sleep_until(at.min(deadline)).await;
        }
    }
}

/// `hh:mm:ss` as a duration.
fn hours_minutes_seconds(text: &str) -> Option<Duration> {
    let parts: Vec<u64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(*seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(remaining: &'static str, resets: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-user-quota-remaining", remaining.parse().unwrap());
        headers.insert("x-ms-user-quota-resets-after", resets.parse().unwrap());
        headers
    }

    #[tokio::test]
    async fn an_empty_quota_holds_the_next_query_back() {
        let traffic = Traffic::default();
        assert_eq!(traffic.note_quota(&headers("3", "00:00:05")), None);
        assert!(lock(&traffic.renewed_at).is_none());
        assert_eq!(traffic.note_quota(&headers("0", "00:01:05")), Some(Duration::from_secs(65)));
        assert!(lock(&traffic.renewed_at).is_some());
        assert_eq!(traffic.note_quota(&headers("0", "soon")), None);
    }
}

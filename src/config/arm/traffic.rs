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
    pub(super) fn note_quota(&self, headers: &HeaderMap, now: Instant) -> Option<Duration> {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let remaining: u64 = text("x-ms-user-quota-remaining")?.parse().ok()?;
        let pause = hours_minutes_seconds(text("x-ms-user-quota-resets-after")?)?;
        if remaining > 0 {
            return None;
        }
        *lock(&self.renewed_at) = Some(now + pause);
        Some(pause)
    }

    /// Waits until there is quota again; not beyond the deadline, after which the request itself says so.
    pub(super) async fn quota_renewed(&self, deadline: Instant) {
        if let Some(at) = self.held_until(Instant::now()) {
            let _waiting = self.waiting();
            tokio::time::sleep_until(at.min(deadline)).await;
        }
    }

    /// Until when queries are held back, if they are.
    fn held_until(&self, now: Instant) -> Option<Instant> {
        let renewed_at = *lock(&self.renewed_at);
        renewed_at.filter(|at| *at > now)
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

    #[test]
    fn an_empty_quota_holds_queries_back_for_as_long_as_it_says() {
        let (traffic, now) = (Traffic::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(traffic.note_quota(&headers("3", "00:00:05"), now), None);
        assert_eq!(traffic.held_until(now), None, "there is quota left");
        assert_eq!(traffic.note_quota(&headers("0", "00:01:05"), now), Some(Duration::from_secs(65)));
        assert_eq!(traffic.held_until(after(64)), Some(after(65)));
        assert_eq!(traffic.held_until(after(65)), None, "and not longer");
        assert_eq!(traffic.note_quota(&headers("0", "soon"), now), None);
        assert_eq!(traffic.held_until(after(64)), Some(after(65)), "what cannot be read changes nothing");
    }
}

//! Whether the client's clock can be believed, from what servers said of theirs.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::facts::http::HttpOutcome;
use crate::facts::tls::{TlsObservation, TlsOutcome};

use super::case::Case;

/// Smaller differences are latency and rounding (`Date` has whole seconds), and upset no certificate.
const TOLERANCE_SECONDS: u64 = 300;

/// A judgement about the client's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Servers agree with it, or other certificates are valid by it.
    Right,
    /// It is off.
    Wrong,
    /// Nothing tells.
    Undecided,
}

/// The largest difference between a server's clock and the client's, in seconds; `None`: no server told its time.
pub fn offset(case: &Case<'_>) -> Option<i64> {
    let started = case.probe?.started_at;
    let told = case.everything().filter_map(|e| {
        // No `Date` follows a failed handshake: a zero beside one says nothing.
        let by_tls = e.tls.as_ref().and_then(|t| {
            let held = t.outcome == TlsOutcome::Established;
            t.clock_offset_seconds.filter(|s| held || s.unsigned_abs() > TOLERANCE_SECONDS)
        });
        let date = e.http.as_ref().and_then(|h| match &h.outcome {
            HttpOutcome::Answered(answer) => answer.date,
            HttpOutcome::TimedOut | HttpOutcome::Closed | HttpOutcome::Malformed(_) => None,
        });
        // A run lasts minutes at most: the start of it is near enough to every answer.
        by_tls.or_else(|| date.map(|d| (d - started).whole_seconds()))
    });
    told.max_by_key(|seconds| seconds.unsigned_abs())
}

/// Judges the clock in the light of a certificate that is out of time by it.
pub fn judge(case: &Case<'_>, tls: &TlsObservation) -> Clock {
    if let Some(seconds) = offset(case) {
        return if seconds.unsigned_abs() > TOLERANCE_SECONDS && would_be_valid(case, tls, seconds) {
            Clock::Wrong
        } else {
            Clock::Right
        };
    }
    let handshakes = || case.everything().filter_map(|e| e.tls.as_ref());
    if handshakes().any(|t| t.outcome == TlsOutcome::Established) {
        return Clock::Right;
    }
    // A stranger's certificates are made for the day; several hosts' being out of time at once is this host's doing.
    let alike = handshakes().filter(|t| t.outcome == tls.outcome).count();
    if alike > 1 { Clock::Wrong } else { Clock::Undecided }
}

/// Whether the certificate is valid at the server's time.
fn would_be_valid(case: &Case<'_>, tls: &TlsObservation, offset: i64) -> bool {
    let Some(now) = case.probe.and_then(|p| p.started_at.checked_add(Duration::seconds(offset))) else {
        return false;
    };
    tls.chain.iter().all(|c| c.not_before <= now && now <= c.not_after)
}

/// A difference in the unit that a person would use.
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A time as RFC 3339.
pub fn shown(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.unix_timestamp().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_in_the_unit_that_a_person_would_use() {
        let told: Vec<String> = [-1, 119, 120, -7_200, 172_800, i64::MIN].into_iter().map(duration).collect();
        assert_eq!(&told[..5], ["1 second", "119 seconds", "2 minutes", "2 hours", "2 days"]);
        assert!(told[5].ends_with(" days"));
    }
}

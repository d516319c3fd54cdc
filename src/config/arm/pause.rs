//! How long to wait before a request is sent again.

use std::time::Duration;

/// `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822).ok()?;
    Some((date - time::OffsetDateTime::now_utc()).try_into().unwrap_or(Duration::ZERO))
}

/// "Please try again after '372' seconds."
pub(super) fn said_seconds(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("after '")?;
    rest.split('\'').next()?.parse().ok().map(Duration::from_secs)
}

/// Up to a quarter of the pause, so that parallel requests do not come back together.
pub(super) fn jitter(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0u8) % 256;
    pause.min(Duration::from_secs(4)) * u32::try_from(random).unwrap_or_default() / 1024
}

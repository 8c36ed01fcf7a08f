//! What GitHub's answer says about its limits. A pure reading of status, headers and message, as
//! <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api> has it.

use std::time::Duration;

/// A secondary limit without a time: "wait for at least one minute".
const SECONDARY: Duration = Duration::from_mins(1);

/// The longest that a doubled wait becomes: the primary limit is per hour.
const LONGEST: Duration = Duration::from_hours(1);

/// The headers that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers {
    /// Seconds.
    pub retry_after: Option<u64>,
    /// Requests left in this window.
    pub remaining: Option<u64>,
    /// When the window ends, seconds since the epoch by GitHub's clock.
    pub reset: Option<i64>,
    /// GitHub's clock, seconds since the epoch.
    pub date: Option<i64>,
}

/// How long to wait where the answer is that a limit is reached; `refused` is how often it was in a row
/// before. `None`: it is no limit.
pub(super) fn wait(
    status: u16,
    headers: Headers,
    message: &str,
    refused: u32,
    now: i64,
) -> Option<Duration> {
    if !matches!(status, 403 | 429) {
        return None;
    }
    if let Some(seconds) = headers.retry_after {
        return Some(Duration::from_secs(seconds));
    }
    if headers.remaining == Some(0)
        && let Some(reset) = headers.reset
    {
        // By the difference, as the clock here may be wrong; and a second more, as it is cut off.
        let left = reset.saturating_sub(headers.date.unwrap_or(now)).saturating_add(1);
        return Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)));
    }
    let message = message.to_ascii_lowercase();
    let is_secondary =
        message.contains("secondary rate limit") || message.contains("abuse detection");
    (status == 429 || is_secondary || message.contains("rate limit exceeded"))
        .then(|| SECONDARY.saturating_mul(1 << refused.min(6)).min(LONGEST))
}

/// `rel="next"` of a `Link` header.
pub(super) fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|entry| {
        let (address, rest) = entry.trim().strip_prefix('<')?.split_once('>')?;
        rest.split(';').any(|p| p.trim() == "rel=\"next\"").then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn wait_for(status: u16, headers: Headers, message: &str) -> Option<u64> {
        wait(status, headers, message, 0, NOW).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_limit_is_told_from_a_refusal_and_says_how_long() {
        let none = Headers::default();
        assert_eq!(wait_for(403, none, "Resource not accessible by integration"), None);
        assert_eq!(wait_for(404, none, "You have exceeded a secondary rate limit"), None);
        assert_eq!(wait_for(403, none, "You have exceeded a secondary rate limit."), Some(60));
        assert_eq!(wait_for(429, none, ""), Some(60));
        let after = Headers { retry_after: Some(7), remaining: Some(0), ..none };
        assert_eq!(wait_for(403, after, "whatever"), Some(7));
        let window = Headers { remaining: Some(0), reset: Some(NOW + 100), ..none };
        assert_eq!(wait_for(403, window, "API rate limit exceeded"), Some(101));
        let other_clock = Headers { date: Some(NOW + 90), ..window };
        assert_eq!(wait_for(403, other_clock, ""), Some(11), "by GitHub's own clock");
        let over = Headers { reset: Some(NOW - 5), ..window };
        assert_eq!(wait_for(403, over, ""), Some(0));
        assert_eq!(wait(429, none, "", 2, NOW), Some(Duration::from_mins(4)));
        assert_eq!(wait(429, none, "", 99, NOW), Some(Duration::from_hours(1)));
    }

    #[test]
    fn the_next_page_is_where_the_header_says() {
        let link = "<https://api.github.com/x?page=1>; rel=\"prev\", <https://api.github.com/x?page=3>; rel=\"next\"";
        assert_eq!(next_page(link), Some("https://api.github.com/x?page=3"));
        assert_eq!(next_page("<https://api.github.com/x?page=1>; rel=\"last\""), None);
        assert_eq!(next_page("rubbish"), None);
    }
}

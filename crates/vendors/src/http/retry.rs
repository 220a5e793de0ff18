//! When to try again, and how long to wait before it.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

use super::answer::HttpResponse;

/// How often and how long a request is tried.
///
/// Where the operation has a deadline, a rate limit is waited out until then: the
/// vendor works, and an operation that is given the time succeeds. Neither tries
/// nor time in all count for it.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Tries in all, the first included.
    pub max_tries: u32,
    /// Time in all, waits included.
    pub max_elapsed: Duration,
    /// Time in all for rate limits, whatever the operation's deadline; `None` for
    /// no other bound than that.
    pub max_rate_limited: Option<Duration>,
    /// The greatest first wait; it quadruples with every try.
    pub base_delay: Duration,
    /// The greatest wait, unless a Retry-After asks for more.
    pub max_delay: Duration,
    /// Statuses to try again besides 408, 429 and 5xx.
    pub extra_statuses: &'static [u16],
    /// Refusals to try again: a status, and words of the answer that tell it
    /// from others of this status.
    pub extra_answers: &'static [(u16, &'static str)],
    /// Rate limits besides 429, and besides what asks to be tried again with
    /// Retry-After: a status, and words of the answer.
    pub rate_limits: &'static [(u16, &'static str)],
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_tries: 8,
            max_elapsed: Duration::from_secs(60),
            max_rate_limited: None,
            base_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
            extra_statuses: &[],
            extra_answers: &[],
            rate_limits: &[],
        }
    }
}

impl RetryPolicy {
    /// Returns true where another try may bring another answer.
    pub(super) fn retries(&self, status: StatusCode, body: &[u8]) -> bool {
        let code = status.as_u16();
        matches!(code, 408 | 429)
            || says(self.extra_answers, code, body)
            || says(self.rate_limits, code, body)
            // What is not implemented will not be at the next try.
            || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
            || self.extra_statuses.contains(&code)
    }

    /// Returns true where the server works, and asks to slow down.
    pub(super) fn is_rate_limit(&self, response: &HttpResponse) -> bool {
        let code = response.status.as_u16();
        let body = response.body.expose();
        code == 429
            || says(self.rate_limits, code, body)
            || response.headers.contains_key(header::RETRY_AFTER)
                && self.retries(response.status, body)
    }

    /// Returns the wait after try number `tries` (from 1): somewhere in the upper
    /// half of a bound that quadruples, never less than `floor`.
    ///
    /// So the default waits 19 seconds in all at the very least: longer than a
    /// cluster takes to elect another leader, whatever chance has to say. With
    /// all waits down to nothing one request in forty gave up within 2.4 seconds:
    /// docs/adr/0006-retries.md.
    pub(super) fn delay(&self, tries: u32, floor: Option<Duration>) -> Duration {
        let quadruplings = tries.saturating_sub(1).min(10);
        let bound = self
            .base_delay
            .saturating_mul(1 << (2 * quadruplings))
            .min(self.max_delay);
        // Without randomness the bound itself is a safe wait.
        let share = getrandom::u32().unwrap_or(u32::MAX);
        let jitter = (bound / 2).mul_f64(f64::from(share) / f64::from(u32::MAX));
        (bound / 2 + jitter).max(floor.unwrap_or_default())
    }
}

fn says(known: &[(u16, &str)], code: u16, body: &[u8]) -> bool {
    let has = |words: &str| body.windows(words.len()).any(|at| at == words.as_bytes());
    let mut known = known.iter();
    known.any(|(status, words)| *status == code && has(words))
}

/// Reads `Retry-After`: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let at = Duration::from_secs(u64::try_from(at.as_second()).ok()?);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(now))
}

/// Reads `Retry-After`, for a fuzz target.
#[cfg(feature = "fuzzing")]
pub fn fuzz_retry_after(header: http::HeaderValue) {
    let headers = HeaderMap::from_iter([(header::RETRY_AFTER, header)]);
    let _ = retry_after(&headers, SystemTime::now());
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn delays_stay_in_the_upper_half_of_a_bound_that_quadruples_up_to_ten_seconds() {
        let policy = RetryPolicy::default();
        for (tries, bound) in [(1, 100), (2, 400), (3, 1_600), (5, 10_000), (50, 10_000)] {
            let bound = Duration::from_millis(bound);
            let delays: Vec<_> = (0..200).map(|_| policy.delay(tries, None)).collect();
            let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
            assert!(bound / 2 <= *least && *most <= bound, "{tries}: {delays:?}");
            // Many who failed at one moment come back at many.
            assert!(
                *least < bound * 6 / 10 && *most > bound * 9 / 10,
                "{delays:?}"
            );
        }
    }

    #[test]
    fn all_tries_together_outlive_an_election_and_stay_within_the_time_in_all() {
        let policy = RetryPolicy::default();
        for _ in 0..200 {
            let waits = (1..policy.max_tries).map(|tries| policy.delay(tries, None));
            let total: Duration = waits.sum();
            assert!(total >= Duration::from_secs(19), "{total:?}");
            assert!(total <= policy.max_elapsed, "{total:?}");
        }
    }

    #[test]
    fn retry_after_is_a_floor_and_may_exceed_the_greatest_delay() {
        let floor = Duration::from_secs(30);
        assert_eq!(RetryPolicy::default().delay(1, Some(floor)), floor);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "7".parse().unwrap());
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(retry_after(&headers, epoch), Some(Duration::from_secs(7)));
        let date = "Thu, 01 Jan 1970 00:01:40 GMT";
        headers.insert(header::RETRY_AFTER, date.parse().unwrap());
        assert_eq!(retry_after(&headers, epoch), Some(Duration::from_secs(100)));
        headers.insert(header::RETRY_AFTER, "soon".parse().unwrap());
        assert_eq!(retry_after(&headers, epoch), None);
    }

    #[test]
    fn only_transient_statuses_are_tried_again() {
        let policy = RetryPolicy {
            extra_statuses: &[472],
            ..RetryPolicy::default()
        };
        for code in [408, 429, 472, 500, 502, 503, 504] {
            assert!(
                policy.retries(StatusCode::from_u16(code).unwrap(), b""),
                "{code}"
            );
        }
        for code in [200, 204, 307, 400, 403, 404, 409, 473, 501] {
            assert!(
                !policy.retries(StatusCode::from_u16(code).unwrap(), b"later"),
                "{code}"
            );
        }
    }

    #[test]
    fn a_refusal_is_tried_again_where_its_words_are_known_to_pass() {
        let policy = RetryPolicy {
            extra_answers: &[(400, "try later")],
            ..RetryPolicy::default()
        };
        let bad = StatusCode::BAD_REQUEST;
        assert!(policy.retries(bad, b"{\"errors\":[\"please try later\"]}"));
        assert!(!policy.retries(bad, b"{\"errors\":[\"never\"]}"));
        assert!(!policy.retries(StatusCode::FORBIDDEN, b"try later"));
        assert!(!policy.retries(bad, b""));
    }
}

//! The retry policy and its waits.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

use super::answer::HttpResponse;

/// The limits for the tries of one request.
///
/// If the operation has a deadline, rate limits are retried until then: the server
/// works, and the request succeeds if the deadline permits. They count towards neither
/// `max_tries` nor `max_elapsed`.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Maximum number of tries, including the first.
    pub max_tries: u32,
    /// Maximum total time, including waits.
    pub max_elapsed: Duration,
    /// Maximum total time for rate limits, whatever the operation's deadline. `None`
    /// for no other limit than the deadline.
    pub max_rate_limited: Option<Duration>,
    /// Maximum first wait. It quadruples with every try.
    pub base_delay: Duration,
    /// Maximum wait, unless a Retry-After is longer.
    pub max_delay: Duration,
    /// Statuses to retry, besides 408, 429 and 5xx.
    pub extra_statuses: &'static [u16],
    /// Errors to retry: a status, and a text in the body that identifies the error.
    pub extra_answers: &'static [(u16, &'static str)],
    /// Rate limits besides 429 and responses with Retry-After: a status, and a text in
    /// the body.
    pub rate_limits: &'static [(u16, &'static str)],
    /// Rate limits without a body: a status, and the words beside it.
    pub rate_limit_reasons: &'static [(u16, &'static str)],
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
            rate_limit_reasons: &[],
        }
    }
}

impl RetryPolicy {
    /// Returns true if a retry may get another response.
    pub(super) fn retries(&self, status: StatusCode, body: &[u8]) -> bool {
        let code = status.as_u16();
        matches!(code, 408 | 429)
            || says(self.extra_answers, code, body)
            || says(self.rate_limits, code, body)
            // A method that is not implemented stays so.
            || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
            || self.extra_statuses.contains(&code)
    }

    /// Returns true if the server is rate limiting.
    pub(super) fn is_rate_limit(&self, response: &HttpResponse) -> bool {
        let code = response.status.as_u16();
        let body = response.body.expose();
        code == 429
            || says(self.rate_limits, code, body)
            || self.is_limited_by_reason(response)
            || response.headers.contains_key(header::RETRY_AFTER)
                && self.retries(response.status, body)
    }

    fn is_limited_by_reason(&self, response: &HttpResponse) -> bool {
        let Some(reason) = response.reason.as_deref() else {
            return false;
        };
        let found = (response.status.as_u16(), reason);
        self.rate_limit_reasons.contains(&found)
    }

    /// Returns the wait after try number `tries` (from 1): a random time in the upper
    /// half of a bound that quadruples, and at least `floor`.
    ///
    /// The default policy therefore waits at least 19 seconds in total, longer than a
    /// cluster takes to elect another leader. With full jitter and doubled bounds, one
    /// request in forty gave up within 2.4 seconds: docs/adr/0006-retries.md.
    pub(crate) fn delay(&self, tries: u32, floor: Option<Duration>) -> Duration {
        let quadruplings = tries.saturating_sub(1).min(10);
        let bound = self
            .base_delay
            .saturating_mul(1 << (2 * quadruplings))
            .min(self.max_delay);
        // Without randomness, the bound itself is a safe wait.
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

/// Parses `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let at = Duration::from_secs(u64::try_from(at.as_second()).ok()?);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(now))
}

/// Parses `Retry-After`, for a fuzz target.
#[cfg(feature = "testing")]
#[must_use]
pub fn fuzz_retry_after(header: http::HeaderValue) -> Option<Duration> {
    let headers = HeaderMap::from_iter([(header::RETRY_AFTER, header)]);
    retry_after(&headers, SystemTime::now())
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
            // Clients that failed at one moment retry at different ones.
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
    fn a_rate_limit_without_a_body_is_known_by_the_words_beside_its_status() {
        let policy = RetryPolicy {
            rate_limit_reasons: &[(503, "Slow Down")],
            ..RetryPolicy::default()
        };
        let is_limit = |policy: &RetryPolicy, status, reason: Option<&str>| {
            policy.is_rate_limit(&HttpResponse {
                host: "s3.example.com".to_owned(),
                status: StatusCode::from_u16(status).unwrap(),
                reason: reason.map(str::to_owned),
                headers: HeaderMap::new(),
                body: planton_secret::SecretBytes::from(&b""[..]),
                retried: false,
            })
        };
        assert!(is_limit(&policy, 503, Some("Slow Down")));
        assert!(!is_limit(&policy, 503, None));
        assert!(!is_limit(&policy, 500, Some("Slow Down")));
        assert!(!is_limit(&RetryPolicy::default(), 503, Some("Slow Down")));
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

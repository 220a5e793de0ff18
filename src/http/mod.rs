//! The one HTTP client: retries, timeouts, TLS, request counting.

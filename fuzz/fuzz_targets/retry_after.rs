//! Parses `Retry-After` of any server, in seconds or as a date.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_vendors::http::fuzz_retry_after;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = http::HeaderValue::from_bytes(bytes) {
        fuzz_retry_after(header);
    }
});

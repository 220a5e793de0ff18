//! Parses CA certificates in PEM from the configuration.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_vendors::http::fuzz_roots;

fuzz_target!(|text: &str| {
    fuzz_roots(text);
});

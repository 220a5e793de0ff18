//! Durations of `timeouts`: never zero.

#![no_main]

use libfuzzer_sys::fuzz_target;
use terraform_provider_planton::surface::parse_duration;

fuzz_target!(|text: &str| {
    if let Ok(duration) = parse_duration(text) {
        assert!(!duration.is_zero());
    }
});

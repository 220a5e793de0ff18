//! Parses durations of `timeouts`, which are never zero.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_plugin::fuzzed_duration;

fuzz_target!(|text: &str| {
    if let Some(duration) = fuzzed_duration(text) {
        assert!(!duration.is_zero());
    }
});

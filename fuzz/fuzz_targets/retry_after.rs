//! The target `retry_after` of the library, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    planton_fuzz::run("retry_after", input);
});

//! The target `private_fields` of the library, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    planton_fuzz::run("private_fields", input);
});

//! The target `import_id` of the library, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    planton_fuzz::run("import_id", input);
});

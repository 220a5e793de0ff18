//! The target `azure_key_vault_key` of the library, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    planton_fuzz::run("azure_key_vault_key", input);
});

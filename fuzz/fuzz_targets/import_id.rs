//! Parses names, as in import ids. A name that parses is printed unchanged.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_core::names::SecretName;

fuzz_target!(|text: &str| {
    if let Ok(name) = text.parse::<SecretName>() {
        assert_eq!(name.to_string(), text);
    }
});

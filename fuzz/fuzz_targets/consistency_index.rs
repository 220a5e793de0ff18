//! Parses the consistency index in a response of OpenBAO or Vault.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_vendors::openbao::client::fuzz_index;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = http::HeaderValue::from_bytes(bytes) {
        fuzz_index(&header);
    }
});

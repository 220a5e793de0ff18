//! Parses the private data of a resource, as a state returns it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_plugin::PrivateData;

fuzz_target!(|bytes: &[u8]| {
    let _ = PrivateData::decode(bytes);
});

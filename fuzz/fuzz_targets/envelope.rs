//! Parses envelopes, in binary and in stored form. A binary envelope that parses is
//! encoded to the same bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_envelope::Envelope;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::parse(bytes) {
        assert_eq!(envelope.encode(), bytes);
    }
    let _ = Envelope::parse_stored(bytes);
});

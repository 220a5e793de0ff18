//! Envelopes, binary and as text: what parses is written again as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_envelope::Envelope;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::parse(bytes) {
        assert_eq!(envelope.encode(), bytes);
    }
    let _ = Envelope::parse_stored(bytes);
});

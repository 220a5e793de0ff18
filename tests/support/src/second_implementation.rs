//! Scripts that open and seal many envelopes with tests/vectors/open_envelope.py.
//!
//! The arguments of a script are those of its class of KEK. It reads and prints one line for
//! each envelope.

/// Opens each envelope with the key alone, whose DEK it is never given.
const OPEN: &str = r#"
import json, sys
sys.path.insert(0, "tests/vectors")
import open_envelope as pse
kek = pse.KEK(*sys.argv[1:])
for line in sys.stdin:
    stored = line.strip().encode()
    claim = dict(pse.Envelope(stored).claim, extension=None)
    try:
        print(json.dumps(pse.open_with(kek, stored, claim)))
    except pse.Refused:
        print(json.dumps(None))
"#;

/// Seals each text under a DEK of its own, and wraps it.
const SEAL: &str = r#"
import json, os, struct, sys
sys.path.insert(0, "tests/vectors")
import open_envelope as pse
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
kek = pse.KEK(*sys.argv[1:])
for line in sys.stdin:
    asked = json.loads(line)
    plaintext, data_key = pse.write_value(asked["text"]), os.urandom(32)
    salt = pse.mac32(os.urandom(32), b"PSE1-SALT" + data_key + plaintext)
    ctx = pse.encode_context(asked["context"])
    encryption, commitment, _ = pse.derive(data_key, salt, ctx)
    length = struct.pack(">I", len(plaintext))
    sealed = AESGCM(encryption).encrypt(bytes(12), plaintext, ctx + length)
    binding = pse.wrap_binding(ctx, kek.provider, kek.kek_id, commitment)
    names = [asked["names"]] if "names" in asked else []
    wrapped = kek.wrap(data_key, binding, *names)
    stored = b"PSE1" + ctx[:1] + b"\x01" + ctx[1:60]
    for part in (kek.provider.encode(), kek.kek_id.encode(), wrapped):
        stored += pse.lp(part)
    print(pse.to_text(stored + salt + commitment + length + sealed).decode())
"#;

/// Returns the script that opens with a class of KEK, such as `TransitKek`.
pub fn opening(kek: &str) -> String {
    OPEN.replace("KEK", kek)
}

/// Returns the script that seals with a class of KEK.
pub fn sealing(kek: &str) -> String {
    SEAL.replace("KEK", kek)
}

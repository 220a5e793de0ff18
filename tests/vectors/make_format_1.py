"""Prints the vectors of format 1, sealed by the second implementation.

`format-1.json` is its frozen output. A change of this output is a new format and
never an update of that file.
"""

import hashlib
import json
import struct
import uuid

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import open_envelope as pse


def pattern(label, length):
    """Returns deterministic bytes that look random."""
    return hashlib.shake_256(b"PSE1 test vector: " + label.encode()).digest(length)


def identifier(label):
    return str(uuid.UUID(bytes=pattern(label, 16), version=4))


def key_file(*labels):
    head = b"PLK1\x01" if len(labels) == 1 else b"PLK1\x02" + bytes([len(labels)])
    for label in labels:
        head += uuid.UUID(identifier(label)).bytes + pattern(label + " root", 32)
    return head + hashlib.sha256(head).digest()


FILES = {name: key_file(name) for name in ("key file 1", "key file 2")}
FILES["rotated"] = key_file("root key 3", "root key 2", "root key 1")
# Each with its file, its organization, and the position of its root key.
KEKS = [
    ("key file 1", "acme", 0),
    ("key file 1", "acme-2", 0),
    ("key file 2", "acme", 0),
    ("rotated", "acme", 0),
    ("rotated", "acme", 2),
]
FOREIGN = [
    ("aws_kms", "arn:aws:kms:eu-central-1:111122223333:key/" + identifier("aws key"), 184),
    ("azure_key_vault_key", "https://kv.example/keys/escrow/" + "0" * 32, 256),
]
AWS, AZURE = FOREIGN


def context(purpose, version):
    extension = {
        pse.SECRET: None,
        pse.VALUE_FOR_NAME: pse.name_extension("prod", "db-password").hex(),
    }.get(purpose, pattern(f"configuration {purpose}", 32).hex())
    return {
        "purpose": purpose,
        "organization": identifier("organization"),
        "object": identifier("object"),
        "backend": identifier("backend"),
        "version": version,
        "extension": extension,
    }


def make_envelope(name, ctx_fields, plaintext, keks):
    data_key, salt = pattern(name + " data key", 32), pattern(name + " salt", 32)
    ctx = pse.encode_context(ctx_fields)
    encryption, commitment, fingerprint = pse.derive(data_key, salt, ctx)
    wraps = []
    for index, kek in enumerate(keks):
        if kek[0] in FILES:
            local = pse.LocalKek(FILES[kek[0]], *kek[1:])
            nonce = pattern(f"{name} nonce {index}", 12)
            provider, kek_id = local.provider, local.kek_id
        else:
            local, nonce, (provider, kek_id, length) = None, None, kek
        binding = pse.wrap_binding(ctx, provider, kek_id, commitment)
        if local:
            wrapped = local.wrap(data_key, binding, nonce)
        else:
            wrapped = pattern(f"{name} wrapped {index}", length)
        wraps.append(
            {
                "provider": provider,
                "kek_id": kek_id,
                "binding": binding.hex(),
                "nonce": nonce and nonce.hex(),
                "wrapped": wrapped.hex(),
            }
        )
    length = struct.pack(">I", len(plaintext))
    sealed = AESGCM(encryption).encrypt(bytes(12), plaintext, ctx + length)
    payload = salt + commitment + length + sealed
    stored = b"PSE1" + ctx[:1] + bytes([len(wraps)]) + ctx[1:60]
    for wrap in wraps:
        stored += pse.lp(wrap["provider"].encode()) + pse.lp(wrap["kek_id"].encode())
        stored += pse.lp(bytes.fromhex(wrap["wrapped"]))
    wraps_digest = hashlib.sha256(stored[5:6] + stored[65:]).hexdigest()
    stored += payload
    return {
        "name": name,
        "context": ctx_fields,
        "encoded_context": ctx.hex(),
        "data_key": data_key.hex(),
        "salt": salt.hex(),
        "encryption_key": encryption.hex(),
        "commitment": commitment.hex(),
        "fingerprint_key": fingerprint.hex(),
        "wraps": wraps,
        "plaintext": plaintext.hex(),
        "fingerprint": pse.mac32(fingerprint, plaintext).hex(),
        "payload_digest": hashlib.sha256(payload).hexdigest(),
        "wraps_digest": wraps_digest,
        "envelope": stored.hex(),
        "text": pse.to_text(stored).decode(),
    }


def make_refused(vector):
    good, home = bytes.fromhex(vector["envelope"]), vector["context"]
    payload = len(good) - (32 + 32 + 4 + len(vector["plaintext"]) // 2 + 16)

    def flipped(at):
        return good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]

    def patched(at, new):
        return good[:at] + new + good[at + len(new) :]

    text = vector["text"].encode()
    cases = [
        ("another version is expected", good, "refused", dict(home, version=home["version"] + 1)),
        ("another secret is expected", good, "refused", dict(home, object=identifier("other"))),
        ("another backend is expected", good, "refused", dict(home, backend=identifier("other"))),
        (
            "another organization is expected",
            good,
            "refused",
            dict(home, organization=identifier("other")),
        ),
        ("the version was altered", flipped(64), "refused", home),
        ("the salt was altered", flipped(payload), "refused", home),
        ("the commitment was altered", flipped(payload + 32), "refused", home),
        ("the ciphertext was altered", flipped(payload + 68), "refused", home),
        ("the tag was altered", flipped(len(good) - 1), "refused", home),
        ("no suite", patched(6, b"\0\0"), "unsupported", home),
        ("an unknown suite", patched(6, b"\0\2"), "unsupported", home),
        ("an unknown format", patched(4, b"\2"), "unsupported", home),
        ("an unknown purpose", patched(8, b"\5"), "malformed", home),
        ("another magic", patched(3, b"2"), "malformed", home),
        ("no wrapped key", patched(5, b"\0"), "malformed", home),
        ("five wrapped keys", patched(5, b"\5"), "malformed", home),
        ("the length is too small", patched(payload + 64, b"\0\0\0\0"), "malformed", home),
        ("the length is too great", patched(payload + 64, b"\xff" * 4), "malformed", home),
        ("a byte follows", good + b"\0", "malformed", home),
        ("the last byte is missing", good[:-1], "malformed", home),
        ("nothing", b"", "malformed", home),
        ("text with padding", text + b"=", "malformed", home),
        ("text with a line's end", text + b"\n", "malformed", home),
    ]
    refused = [
        {
            "name": name,
            "context": expected,
            "data_key": vector["data_key"],
            "stored": stored.hex(),
            "error": error,
        }
        for name, stored, error, expected in cases
    ]
    refused.append(
        {
            "name": "another data key",
            "context": home,
            "data_key": pattern("another data key", 32).hex(),
            "stored": good.hex(),
            "error": "refused",
        }
    )
    return refused


def make_redirected(vector):
    other = dict(vector["context"], extension=pattern("another place", 32).hex())
    return {
        "name": "a credential for another configuration",
        "context": other,
        "data_key": vector["data_key"],
        "stored": vector["envelope"],
        "error": "refused",
    }


def make_local_kek(name, organization, index):
    kek = pse.LocalKek(FILES[name], organization, index)
    message = b"which database is this"
    return {
        "key_file": FILES[name].hex(),
        "organization": organization,
        "index": index,
        "kek_id": kek.kek_id,
        "wrap_key": kek.wrap_key.hex(),
        "mac_key": kek.mac_key.hex(),
        "message": message.hex(),
        "mac": kek.mac(message).hex(),
    }


def make_bound_key(provider, kek_id):
    data_key, commitment = pattern("bound key", 32), pattern("bound commitment", 32)
    ctx = pse.encode_context(context(pse.SECRET, 1))
    binding = pse.wrap_binding(ctx, provider, kek_id, commitment)
    return {
        "provider": provider,
        "kek_id": kek_id,
        "context": context(pse.SECRET, 1),
        "commitment": commitment.hex(),
        "data_key": data_key.hex(),
        "binding": binding.hex(),
        "plaintext": (data_key + binding).hex(),
    }


def make_name_extension(environment, name):
    extension = pse.name_extension(environment, name).hex()
    return {"environment": environment, "name": name, "extension": extension}


def make_value(value):
    plaintext = pse.write_value(value).hex()
    if isinstance(value, bytes):
        return {"bytes": value.hex(), "plaintext": plaintext}
    return {"value": value, "plaintext": plaintext}


def make_record_mac(record_key, body):
    mac_key, organization = pattern("mac key", 32), identifier("organization")
    kek = pse.LocalKek(FILES["key file 1"], "acme")
    binding = pse.mac_key_binding(uuid.UUID(organization), kek.provider, kek.kek_id)
    return {
        "organization": organization,
        "provider": kek.provider,
        "kek_id": kek.kek_id,
        "binding": binding.hex(),
        "mac_key": mac_key.hex(),
        "record_key": record_key,
        "body": body.hex(),
        "mac": pse.record_mac(mac_key, record_key, body).hex(),
    }


def main():
    values = [
        "",
        "correct horse battery staple",
        "grüße 😀\n",
        {},
        {"username": "app", "password": 'a"b\\c\n\u0001\u001f\u007f/é'},
        {"\ue000": "sorted by UTF-8", "\U00010000": "and not by UTF-16", "a": "", "A": "b"},
        b"\xff\x00\x02",
        b"",
    ]
    one = [KEKS[0]]
    envelopes = [
        make_envelope("text", context(1, 1), pse.write_value(values[1]), one),
        make_envelope("empty", context(1, 2), b"", one),
        make_envelope("key-value", context(1, 3), pse.write_value(values[4]), one),
        make_envelope("four keys", context(1, 2**64 - 1), pse.write_value(values[2]),
                      [KEKS[0], AWS, KEKS[2], AZURE]),
        make_envelope("one block more", context(1, 5), pattern("long", 4097), [KEKS[1], KEKS[2]]),
        make_envelope("backend credential", context(2, 1), b'{"secret_access_key":"x"}', one),
        make_envelope("KEK credential", context(3, 1), b'{"client_secret":"y"}', one),
        make_envelope("value for a name", context(4, 0), pse.write_value(values[1]), one),
        make_envelope("binary", context(1, 6), pse.write_value(values[6]), [KEKS[3], KEKS[4]]),
    ]
    vectors = {
        "format": 1,
        "local_keks": [make_local_kek(*kek) for kek in KEKS],
        "envelopes": envelopes,
        "refused": make_refused(envelopes[0]) + [make_redirected(envelopes[5])],
        "record_macs": [
            make_record_mac("organization", b"{}"),
            make_record_mac("secrets/" + identifier("object"), b'{"generation":7}'),
        ],
        "values": [make_value(value) for value in values],
        "bound_keys": [make_bound_key(AZURE[0], AZURE[1]), make_bound_key("age", "ab" * 32)],
        "name_extensions": [
            make_name_extension("prod", "db-password"),
            make_name_extension(None, "db-password"),
        ],
    }
    print(json.dumps(vectors, indent=1))


if __name__ == "__main__":
    main()

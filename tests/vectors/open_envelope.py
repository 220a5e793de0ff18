"""Opens envelopes of format 1: a second implementation, written from
docs/format.md with nothing but PyPI `cryptography`.

    open_envelope.py format-1.json rules.json     checks every vector

Whoever holds the KEK can read a secret with these functions alone.
"""

import base64
import hashlib
import hmac
import json
import string
import struct
import sys
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SECRET, BACKEND_CREDENTIAL, KEK_CREDENTIAL = 1, 2, 3
TAG = 16


class Malformed(Exception):
    """The bytes are no envelope."""


class Unsupported(Exception):
    """Another format or suite."""


class Refused(Exception):
    """Well-formed, and not to be opened; never says why."""


def lp(data):
    return struct.pack(">H", len(data)) + data


def encode_context(context):
    digest = context["configuration_digest"]
    assert (digest is None) == (context["purpose"] == SECRET)
    return (
        struct.pack(">BHB", 1, 1, context["purpose"])
        + uuid.UUID(context["organization"]).bytes
        + uuid.UUID(context["object"]).bytes
        + uuid.UUID(context["backend"]).bytes
        + struct.pack(">Q", context["version"])
        + bytes.fromhex(digest or "")
    )


def extract(salt, key):
    return hmac.new(salt, key, hashlib.sha512).digest()


def expand(prk, info, length=32):
    return HKDFExpand(algorithm=hashes.SHA512(), length=length, info=info).derive(prk)


def derive(data_key, salt, ctx):
    """Returns encryption key, commitment and fingerprint key."""
    prk = extract(salt, data_key)
    digest = hashlib.sha256(ctx).digest()
    return tuple(
        expand(prk, b"PSE1" + label + digest)
        for label in (b"DERIVEKEY", b"COMMITKEY", b"FINGERPRINT")
    )


def mac32(key, message):
    return hmac.new(key, message, hashlib.sha512).digest()[:32]


def wrap_binding(ctx, provider, kek_id, commitment):
    ids = lp(provider.encode()) + lp(kek_id.encode())
    return hashlib.sha256(b"PSE1-WRAP" + ctx + ids + commitment).digest()


def mac_key_binding(organization, provider, kek_id):
    ids = lp(provider.encode()) + lp(kek_id.encode())
    return hashlib.sha256(b"PSE1-MACKEY" + organization.bytes + ids).digest()


def record_mac(mac_key, record_key, body):
    key = record_key.encode()
    return mac32(mac_key, b"PSE1-RECORD" + struct.pack(">Q", len(key)) + key + body)


def mac_key_commitment(mac_key):
    return mac32(mac_key, b"PSE1-MACKEY-ID").hex()


def document_digits(environment, name):
    """Returns the digits in the record key of a name's document."""
    names = lp((environment or "").encode()) + lp(name.encode())
    return hashlib.sha256(b"PSE1-RECORD" + names).hexdigest()[:15]


def configuration_digest(kind, name_prefix, configuration):
    """Returns what the context of a backend's credential ends in."""
    settings = '{"kind":%s,"name_prefix":%s,"configuration":%s}' % tuple(
        map(canonical, (kind, name_prefix, configuration))
    )
    return hashlib.sha256(settings.encode()).digest()


def canonical(value):
    # By code points, which is the order of the bytes in UTF-8 as well.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        if len(self.data) - self.at < length:
            raise Malformed("truncated")
        self.at += length
        return self.data[self.at - length : self.at]

    def unpack(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def lp(self, most):
        (length,) = self.unpack(">H")
        if not 1 <= length <= most:
            raise Malformed("length of a part")
        return self.take(length)


class Envelope:
    def __init__(self, stored):
        self.bytes = stored = from_text(stored) if stored[:5] == b"pse1." else stored
        reader = Reader(stored)
        if reader.take(4) != b"PSE1":
            raise Malformed("magic")
        ##= docs/format.md#5-precedence-of-refusals
        ##% A reader MUST refuse a truncated envelope as *malformed* at the field that is
        ##% cut, unless an earlier field is already refused.
        # One field at a time: a truncated envelope is refused for the first
        # field that is cut or wrong.
        if reader.unpack(">B") != (1,):
            raise Unsupported
        (count,) = reader.unpack(">B")
        if reader.unpack(">H") != (1,):
            raise Unsupported
        (purpose,) = reader.unpack(">B")
        if purpose not in (SECRET, BACKEND_CREDENTIAL, KEK_CREDENTIAL):
            raise Malformed("purpose")
        ids = [str(uuid.UUID(bytes=reader.take(16))) for _ in range(3)]
        (version,) = reader.unpack(">Q")
        if not 1 <= count <= 4:
            raise Malformed("number of wrapped keys")
        self.claim = {
            "purpose": purpose,
            "organization": ids[0],
            "object": ids[1],
            "backend": ids[2],
            "version": version,
        }
        self.wraps = {}
        for _ in range(count):
            try:
                kek = (reader.lp(32).decode(), reader.lp(512).decode())
            except UnicodeDecodeError:
                raise Malformed("identifier") from None
            if kek in self.wraps:
                raise Malformed("a KEK twice")
            self.wraps[kek] = reader.lp(1024)
        self.payload = stored[reader.at :]
        self.salt, self.commitment = reader.take(32), reader.take(32)
        self.length = reader.take(4)
        self.sealed = reader.take(int.from_bytes(self.length, "big") + TAG)
        if reader.at != len(stored):
            raise Malformed("trailing bytes")

    def binding(self, expected, provider, kek_id):
        return wrap_binding(encode_context(expected), provider, kek_id, self.commitment)

    def open(self, data_key, expected):
        """Returns plaintext and fingerprint key."""
        claim = {name: expected[name] for name in self.claim}
        ctx = encode_context(expected)
        encryption, commitment, fingerprint = derive(data_key, self.salt, ctx)
        if not hmac.compare_digest(commitment, self.commitment) or claim != self.claim:
            raise Refused
        try:
            opened = AESGCM(encryption).decrypt(bytes(12), self.sealed, ctx + self.length)
        except InvalidTag:
            raise Refused from None
        return opened, fingerprint


def to_text(envelope):
    return b"pse1." + base64.urlsafe_b64encode(envelope).rstrip(b"=")


def from_text(stored):
    body = stored[5:]
    allowed = (string.ascii_letters + string.digits + "-_").encode()
    if any(byte not in allowed for byte in body) or len(body) % 4 == 1:
        raise Malformed("not base64url")
    decoded = base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
    if to_text(decoded) != stored:
        raise Malformed("not canonical")
    return decoded


class LocalKek:
    """One organization's key out of a key file."""

    provider = "local"

    def __init__(self, key_file, organization):
        if len(key_file) != 85 or key_file[:5] != b"PLK1\x01":
            raise Malformed("key file")
        if hashlib.sha256(key_file[:53]).digest() != key_file[53:]:
            raise Malformed("key file is damaged")
        file_id, root_key = key_file[5:21], key_file[21:53]
        prk = extract(file_id, root_key)
        self.kek_id = f"{uuid.UUID(bytes=file_id)}/{organization}"
        self.wrap_key = expand(prk, b"PLK1" + b"WRAPKEY" + organization.encode())
        self.mac_key = expand(prk, b"PLK1" + b"MACKEY" + organization.encode())

    def wrap(self, data_key, binding, nonce):
        return nonce + AESGCM(self.wrap_key).encrypt(nonce, data_key, binding)

    def unwrap(self, wrapped, binding):
        if len(wrapped) != 12 + 32 + TAG:
            raise Refused
        try:
            return AESGCM(self.wrap_key).decrypt(wrapped[:12], wrapped[12:], binding)
        except InvalidTag:
            raise Refused from None

    def mac(self, message):
        return mac32(self.mac_key, message)


##= docs/format.md#22-values
##% A reader MUST refuse a plaintext of purpose 1 in any other form.
def read_value(plaintext):
    """Returns a text, or a dictionary of texts."""
    try:
        kind, body = plaintext[:1], plaintext[1:].decode()
        if kind == b"\0":
            return body
        pairs = json.loads(body, object_pairs_hook=list) if kind == b"\x01" else None
        # Written again, for the form of one value is the only one.
        value = dict(pairs)
        same = write_value(value) == plaintext
    except (UnicodeError, TypeError, ValueError) as error:
        raise Malformed("plaintext") from error
    if not same or not all(isinstance(text, str) for text in value.values()):
        raise Malformed("plaintext is not canonical")
    return value


def write_value(value):
    if isinstance(value, str):
        return b"\0" + value.encode()
    return b"\x01" + canonical(value).encode()


# The vectors.


def outcome(action):
    try:
        action()
    except (Malformed, Unsupported, Refused) as error:
        return type(error).__name__.lower()
    return "opened"


def check_envelope(vector, keks):
    context, data_key = vector["context"], bytes.fromhex(vector["data_key"])
    stored = bytes.fromhex(vector["envelope"])
    assert to_text(stored).decode() == vector["text"]
    for form in (stored, vector["text"].encode()):
        envelope = Envelope(form)
        assert hashlib.sha256(envelope.payload).hexdigest() == vector["payload_digest"]
        for wrap in vector["wraps"]:
            binding = envelope.binding(context, wrap["provider"], wrap["kek_id"])
            assert binding.hex() == wrap["binding"]
            wrapped = envelope.wraps[wrap["provider"], wrap["kek_id"]]
            assert wrapped.hex() == wrap["wrapped"]
            if kek := keks.get(wrap["kek_id"]):
                assert kek.unwrap(wrapped, binding) == data_key
        plaintext, fingerprint_key = envelope.open(data_key, context)
        assert plaintext.hex() == vector["plaintext"]
        assert mac32(fingerprint_key, plaintext).hex() == vector["fingerprint"]
    check_every_bit(stored, vector, keks)


def check_every_bit(stored, vector, keks):
    ours = next(wrap for wrap in vector["wraps"] if wrap["kek_id"] in keks)
    kek, context = keks[ours["kek_id"]], vector["context"]
    name = (kek.provider, kek.kek_id)
    others = [bytes.fromhex(w["wrapped"]) for w in vector["wraps"] if w is not ours]
    others += [w["kek_id"].encode() for w in vector["wraps"] if w is not ours]
    others += [w["provider"].encode() for w in vector["wraps"] if w is not ours]
    opened = 0
    for bit in range(len(stored) * 8):
        altered = bytearray(stored)
        altered[bit // 8] ^= 1 << bit % 8

        def action():
            envelope = Envelope(bytes(altered))
            if name not in envelope.wraps:
                raise Refused
            binding = envelope.binding(context, *name)
            envelope.open(kek.unwrap(envelope.wraps[name], binding), context)

        opened += outcome(action) == "opened"
    # Only other keys' wraps may change unseen: their own readers refuse them.
    assert opened <= 8 * sum(map(len, others)), opened


def check(vectors):
    keks = {}
    for entry in vectors["local_keks"]:
        kek = LocalKek(bytes.fromhex(entry["key_file"]), entry["organization"])
        assert kek.kek_id == entry["kek_id"]
        assert kek.mac(bytes.fromhex(entry["message"])).hex() == entry["mac"]
        keks[kek.kek_id] = kek
    for vector in vectors["envelopes"]:
        check_envelope(vector, keks)
    for vector in vectors["refused"]:
        stored, data_key = bytes.fromhex(vector["stored"]), bytes.fromhex(vector["data_key"])
        met = outcome(lambda: Envelope(stored).open(data_key, vector["context"]))
        assert met == vector["error"], (vector["name"], met)
    for vector in vectors["record_macs"]:
        key, body = bytes.fromhex(vector["mac_key"]), bytes.fromhex(vector["body"])
        assert record_mac(key, vector["record_key"], body).hex() == vector["mac"]
        organization = uuid.UUID(vector["organization"])
        binding = mac_key_binding(organization, vector["provider"], vector["kek_id"])
        assert binding.hex() == vector["binding"]
    for vector in vectors["values"]:
        plaintext = bytes.fromhex(vector["plaintext"])
        assert read_value(plaintext) == vector["value"]
        assert write_value(vector["value"]) == plaintext


##= docs/format.md#5-precedence-of-refusals
##= type=test
##% A reader MUST refuse a truncated envelope as *malformed* at the field that is cut,
##% unless an earlier field is already refused.
##= docs/format.md#22-values
##= type=test
##% A reader MUST refuse a plaintext of purpose 1 in any other form.
def check_rules(rules, vectors):
    """Checks what the frozen vectors leave open."""
    good = bytes.fromhex(vectors["envelopes"][0]["envelope"])
    for case in rules["refusals"]:
        stored = bytearray(good)
        for at, new in case["edits"]:
            stored[at : at + len(new) // 2] = bytes.fromhex(new)
        stored = stored[: case.get("length")] + bytes.fromhex(case.get("append", ""))
        met = outcome(lambda: Envelope(bytes(stored)))
        assert met == case["error"], (case["name"], met)
    for plaintext in rules["plaintexts_refused"]:
        met = outcome(lambda: read_value(bytes.fromhex(plaintext)))
        assert met == "malformed", (plaintext, met)
    for case in rules["key_files_refused"]:
        met = outcome(lambda: LocalKek(bytes.fromhex(case["key_file"]), "acme"))
        assert met == "malformed", (case["name"], met)
    for case in rules["mac_key_commitments"]:
        assert mac_key_commitment(bytes.fromhex(case["mac_key"])) == case["commitment"]
    for case in rules["documents"]:
        assert document_digits(case["environment"], case["name"]) == case["digits"], case
    for case in rules["configurations"]:
        settings = case["kind"], case["name_prefix"], case["configuration"]
        assert configuration_digest(*settings).hex() == case["digest"], case


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    vectors, rules = map(read_json, sys.argv[1:])
    check(vectors)
    check_rules(rules, vectors)
    kept = sum(map(len, rules.values()))
    print(f"opened {len(vectors['envelopes'])}, refused {len(vectors['refused'])}, kept {kept} rules")


if __name__ == "__main__":
    main()

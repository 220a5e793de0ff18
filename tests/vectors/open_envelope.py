"""Opens envelopes of format 1: a second implementation, written from
docs/format.md with nothing but PyPI `cryptography`.

    open_envelope.py format-1.json rules.json       checks every vector
    open_envelope.py --identity FILE ENVELOPE        opens an envelope with an age identity
    open_envelope.py --key-file FILE ENVELOPE        opens an envelope with a key file
    open_envelope.py --commands ENVELOPE             prints the command that unwraps each DEK
    open_envelope.py --data-key FILE ENVELOPE        opens an envelope with what such a command
                                                     printed; `-` reads it from stdin

Whoever holds the KEK can read a secret with these functions alone. A KEK in AWS KMS needs
PyPI `boto3` as well.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import shlex
import ssl
import string
import struct
import sys
import urllib.error
import urllib.request
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

SECRET, BACKEND_CREDENTIAL, KEK_CREDENTIAL, VALUE_FOR_NAME = 1, 2, 3, 4
# The most bytes that all wrapped DEKs take together.
MAX_WRAPS = 6296
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
    extension = context["extension"]
    assert (extension is None) == (context["purpose"] == SECRET)
    return (
        struct.pack(">BHB", 1, 1, context["purpose"])
        + uuid.UUID(context["organization"]).bytes
        + uuid.UUID(context["object"]).bytes
        + uuid.UUID(context["backend"]).bytes
        + struct.pack(">Q", context["version"])
        + bytes.fromhex(extension or "")
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


def name_extension(environment, name):
    """Returns what the context of a value sealed for a name ends in."""
    return hashlib.sha256(lp((environment or "").encode()) + lp(name.encode())).digest()


def unbind(wrapped, binding):
    """Returns the DEK of a KEK that takes no associated data: RSA, age."""
    if len(wrapped) != 64 or not hmac.compare_digest(wrapped[32:], binding):
        raise Refused
    return wrapped[:32]


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
        if purpose not in (SECRET, BACKEND_CREDENTIAL, KEK_CREDENTIAL, VALUE_FOR_NAME):
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
            self.wraps[kek] = reader.lp(2048)
        if reader.at - 65 > MAX_WRAPS:
            raise Malformed("wrapped keys")
        self.wraps_digest = hashlib.sha256(stored[5:6] + stored[65 : reader.at]).hexdigest()
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


def read_key_file(key_file):
    """Returns the root keys by UUID, the current one first."""
    body, checksum = key_file[:-32], key_file[-32:]
    if hashlib.sha256(body).digest() != checksum:
        raise Malformed("key file is damaged")
    reader = Reader(body)
    if reader.take(4) != b"PLK1":
        raise Malformed("key file")
    (form,) = reader.unpack(">B")
    count = 1 if form == 1 else reader.unpack(">B")[0]
    if form not in (1, 2) or (form == 2 and not 2 <= count <= 16):
        raise Malformed("key file")
    roots = {reader.take(16): reader.take(32) for _ in range(count)}
    if len(roots) != count or reader.at != len(body):
        raise Malformed("key file")
    return roots


class LocalKek:
    """One organization's key out of a key file: of its current root key, or a former one."""

    provider = "local"

    def __init__(self, key_file, organization, index=0):
        root_id, root_key = list(read_key_file(key_file).items())[index]
        prk = extract(root_id, root_key)
        self.kek_id = f"{uuid.UUID(bytes=root_id)}/{organization}"
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


class AwsKmsKek:
    """A key in AWS KMS, for whoever has credentials that may decrypt with it."""

    provider = "aws_kms"

    def __init__(self, kek_id, region=None, endpoint=None):
        import boto3

        self.kek_id = kek_id
        parts = kek_id.split(":")
        # The identifier of a multi-Region key has no Region.
        parts[3] = parts[3] or region
        self.arn = ":".join(parts)
        self.client = boto3.client("kms", region_name=parts[3], endpoint_url=endpoint)

    def wrap(self, data_key, binding, names):
        pairs = dict(names, **{"planton:binding": binding.hex()})
        answer = self.client.encrypt(
            KeyId=self.arn, Plaintext=data_key, EncryptionContext=pairs
        )
        return b"\x01" + lp(canonical(pairs).encode()) + answer["CiphertextBlob"]

    ##= docs/format.md#26-kek-in-aws-kms
    ##% A reader MUST refuse a `wrapped` with another first byte.
    ##= docs/format.md#26-kek-in-aws-kms
    ##% A reader without the catalog MUST refuse a `wrapped` whose `planton:binding` is not
    ##% the binding that it computes.
    ##= docs/format.md#26-kek-in-aws-kms
    ##% A reader MUST name the key of `kek_id` in its request to `Decrypt`.
    def unwrap(self, wrapped, binding):
        try:
            reader = Reader(wrapped)
            if reader.take(1) != b"\x01":
                raise Refused
            context = reader.lp(2048)
            pairs = json.loads(context)
            is_bound = pairs.get("planton:binding") == binding.hex()
            if not is_bound or canonical(pairs).encode() != context:
                raise Refused
        except (Malformed, ValueError, AttributeError):
            raise Refused from None
        try:
            answer = self.client.decrypt(
                KeyId=self.arn, CiphertextBlob=wrapped[reader.at :], EncryptionContext=pairs
            )
        except self.client.exceptions.InvalidCiphertextException:
            raise Refused from None
        except self.client.exceptions.IncorrectKeyException:
            raise Refused from None
        if len(answer["Plaintext"]) != 32:
            raise Refused
        return answer["Plaintext"]


class TransitKek:
    """A key in Transit, for whoever has a token that may decrypt with it."""

    def __init__(self, provider, kek_id, address, token):
        self.provider, self.kek_id = provider, kek_id
        self.address, self.token, self.namespace = address, token, ""
        if provider == "transit":
            self.mount, self.key = kek_id.rsplit("/", 1)
            return
        cluster, namespace, self.mount, self.key = kek_id.split(":")
        self.expect_cluster(cluster)
        self.namespace = namespace

    ##= docs/format.md#29-customers-transit-kek
    ##% A reader that reaches the engine MUST compare the server's cluster with the `kek_id`
    ##% before it sends anything else to the engine.
    def expect_cluster(self, expected):
        health = self.ask("sys/health?standbyok=true&perfstandbyok=true")
        clusters = [health["cluster_id"]]
        is_enterprise = health.get("enterprise") or "+ent" in health["version"]
        mode = health.get("replication_performance_mode")
        if is_enterprise and mode in ("primary", "secondary"):
            status = self.ask("sys/replication/performance/status")
            clusters.append(status["data"]["cluster_id"])
        if expected not in clusters:
            raise Refused

    def ask(self, path, body=None):
        headers = {"X-Vault-Request": "true"}
        if body is not None:
            headers["X-Vault-Token"] = self.token
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/v1/{path}", data, headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def wrap(self, data_key, binding):
        plaintext, context = map(base64.b64encode, (data_key, binding))
        body = {"plaintext": plaintext.decode(), "context": context.decode()}
        answer = self.ask(f"{self.mount}/encrypt/{self.key}", body)
        return answer["data"]["ciphertext"].encode()

    ##= docs/format.md#14-transit-kek
    ##% A reader MUST refuse a `wrapped` of another form without sending it to the engine.
    def unwrap(self, wrapped, binding):
        if not re.fullmatch(rb"vault:v[1-9][0-9]*:[\x21-\x7e]+", wrapped):
            raise Refused
        context = base64.b64encode(binding).decode()
        body = {"ciphertext": wrapped.decode(), "context": context}
        try:
            answer = self.ask(f"{self.mount}/decrypt/{self.key}", body)
        except urllib.error.HTTPError as error:
            if error.code == 400:
                raise Refused from None
            raise
        data_key = base64.b64decode(answer["data"]["plaintext"])
        if len(data_key) != 32:
            raise Refused
        return data_key


def call(method, url, body=None, token=None, ca_file=None):
    """Sends a request to a cloud's REST API, and returns its response."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    trusted = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
    with urllib.request.urlopen(request, context=trusted) as answer:
        return json.load(answer)


class GcpKmsKek:
    """A key in Google Cloud KMS, for whoever has a token that may decrypt with it."""

    provider = "gcp_kms"

    def __init__(self, kek_id, token, endpoint="https://cloudkms.googleapis.com"):
        self.kek_id, self.token, self.endpoint = kek_id, token, endpoint

    ##= docs/format.md#27-kek-in-gcp-kms
    ##% A reader MUST refuse a `wrapped` of another form without sending it to Cloud KMS.
    def unwrap(self, wrapped, binding):
        if wrapped[:1] != b"\x01" or not 10 <= len(wrapped) <= 1024 or not any(wrapped[1:9]):
            raise Refused
        body = {
            "ciphertext": base64.b64encode(wrapped[9:]).decode(),
            "additionalAuthenticatedData": base64.b64encode(binding).decode(),
        }
        url = f"{self.endpoint}/v1/{self.kek_id}:decrypt"
        try:
            answer = call("POST", url, body, self.token)
        except urllib.error.HTTPError as error:
            if error.code == 400 and json.load(error)["error"]["status"] == "INVALID_ARGUMENT":
                raise Refused from None
            raise
        data_key = base64.b64decode(answer["plaintext"])
        if len(data_key) != 32:
            raise Refused
        return data_key


class AzureKeyVaultKek:
    """A version of a key in Azure Key Vault, for whoever has a token that may unwrap."""

    provider = "azure_key_vault_key"

    def __init__(self, kek_id, token, ca_file=None):
        self.kek_id, self.token, self.ca_file = kek_id, token, ca_file

    ##= docs/format.md#28-kek-in-azure-key-vault
    ##% A reader MUST refuse a `wrapped` that is shorter than 256 bytes or longer than 512
    ##% bytes without sending it to Key Vault.
    def unwrap(self, wrapped, binding):
        if not 256 <= len(wrapped) <= 512:
            raise Refused
        value = base64.urlsafe_b64encode(wrapped).rstrip(b"=").decode()
        body = {"alg": "RSA-OAEP-256", "value": value}
        url = f"{self.kek_id}/unwrapkey?api-version=7.4"
        try:
            answer = call("POST", url, body, self.token, self.ca_file)
        except urllib.error.HTTPError as error:
            if error.code == 400:
                raise Refused from None
            raise
        return unbind(base64.urlsafe_b64decode(answer["value"] + "=="), binding)


def open_with(kek, stored, expected):
    """Opens an envelope with a KEK alone, and returns its value."""
    envelope = Envelope(stored)
    if (kek.provider, kek.kek_id) not in envelope.wraps:
        raise Refused
    binding = envelope.binding(expected, kek.provider, kek.kek_id)
    data_key = kek.unwrap(envelope.wraps[kek.provider, kek.kek_id], binding)
    plaintext, _ = envelope.open(data_key, expected)
    return read_value(plaintext)


BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32_checksum(prefix, values):
    """Returns 1 over a prefix and its values with a valid checksum (BIP 173)."""
    state = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= generator if top >> bit & 1 else 0
    return state


def bech32_decode(prefix, text):
    """Returns 32 bytes."""
    found, _, digits = text.lower().rpartition("1")
    values = [BECH32.index(digit) for digit in digits]
    if found != prefix or bech32_checksum(prefix, values) != 1:
        raise Malformed("bech32")
    bits = "".join(f"{value:05b}" for value in values[:-6])
    return int(bits[:256], 2).to_bytes(32, "big")


def bech32_encode(prefix, data):
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]
    checksum = bech32_checksum(prefix, values + [0] * 6) ^ 1
    values += [checksum >> 5 * (5 - at) & 31 for at in range(6)]
    return prefix + "1" + "".join(BECH32[value] for value in values)


def hkdf_sha256(key, salt, info):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(key)


class AgeIdentity:
    """An identity of age: <https://c2sp.org/age>."""

    provider = "age"

    def __init__(self, text):
        self.key = X25519PrivateKey.from_private_bytes(bech32_decode("age-secret-key-", text))
        self.public = self.key.public_key().public_bytes_raw()
        recipient = bech32_encode("age", self.public)
        self.kek_id = hashlib.sha256(recipient.encode()).hexdigest()

    def wrap(self, data_key, binding):
        ephemeral, file_key, nonce = X25519PrivateKey.generate(), os.urandom(16), os.urandom(16)
        share = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(self.key.public_key())
        wrap_key = hkdf_sha256(shared, share + self.public, b"age-encryption.org/v1/X25519")
        body = ChaCha20Poly1305(wrap_key).encrypt(bytes(12), file_key, None)
        share, body = (base64.b64encode(part).rstrip(b"=") for part in (share, body))
        header = b"age-encryption.org/v1\n-> X25519 " + share + b"\n" + body + b"\n---"
        mac_key = hkdf_sha256(file_key, b"", b"header")
        mac = base64.b64encode(hmac.new(mac_key, header, hashlib.sha256).digest()).rstrip(b"=")
        payload_key = hkdf_sha256(file_key, nonce, b"payload")
        last_chunk = bytes(11) + b"\x01"
        sealed = ChaCha20Poly1305(payload_key).encrypt(last_chunk, data_key + binding, None)
        return header + b" " + mac + b"\n" + nonce + sealed

    ##= docs/format.md#30-age-recipient
    ##% A reader MUST refuse a `wrapped` of another length or layout.
    def unwrap(self, wrapped, binding):
        if len(wrapped) != 264:
            raise Refused
        try:
            header, nonce, sealed = wrapped[:168].decode(), wrapped[168:184], wrapped[184:]
            version, stanza, body, mac, end = header.split("\n")
            kind, name, share = stanza.split(" ")
            mark, mac = mac.split(" ")
            if (version, kind, name, mark, end) != ("age-encryption.org/v1", "->", "X25519", "---", ""):
                raise Refused
            share, body, mac = (base64.b64decode(text + "=", validate=True) for text in (share, body, mac))
            shared = self.key.exchange(X25519PublicKey.from_public_bytes(share))
            info = b"age-encryption.org/v1/X25519"
            wrap_key = hkdf_sha256(shared, share + self.public, info)
            file_key = ChaCha20Poly1305(wrap_key).decrypt(bytes(12), body, None)
            mac_key = hkdf_sha256(file_key, b"", b"header")
            expected = hmac.new(mac_key, header[:-45].encode(), hashlib.sha256).digest()
            if not hmac.compare_digest(expected, mac):
                raise Refused
            payload_key = hkdf_sha256(file_key, nonce, b"payload")
            last_chunk = bytes(11) + b"\x01"
            return unbind(ChaCha20Poly1305(payload_key).decrypt(last_chunk, sealed, None), binding)
        except (InvalidTag, ValueError):
            raise Refused from None


##= docs/format.md#22-values
##% A reader MUST refuse a plaintext of purposes 1 and 4 in any other form.
def read_value(plaintext):
    """Returns a text, a dictionary of texts, or bytes."""
    if plaintext[:1] == b"\x02":
        return plaintext[1:]
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
    if isinstance(value, bytes):
        return b"\x02" + value
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
    """Opens an envelope with each KEK at hand alone. Returns the data key that they unwrap."""
    context, stored = vector["context"], bytes.fromhex(vector["envelope"])
    data_keys = set()
    assert to_text(stored).decode() == vector["text"]
    for form in (stored, vector["text"].encode()):
        envelope = Envelope(form)
        assert hashlib.sha256(envelope.payload).hexdigest() == vector["payload_digest"]
        assert envelope.wraps_digest == vector["wraps_digest"]
        for wrap in vector["wraps"]:
            binding = envelope.binding(context, wrap["provider"], wrap["kek_id"])
            assert binding.hex() == wrap["binding"]
            wrapped = envelope.wraps[wrap["provider"], wrap["kek_id"]]
            assert wrapped.hex() == wrap["wrapped"]
            if kek := keks.get(wrap["kek_id"]):
                data_keys.add(kek.unwrap(wrapped, binding))
        (data_key,) = data_keys
        assert data_key.hex() == vector["data_key"]
        plaintext, fingerprint_key = envelope.open(data_key, context)
        assert plaintext.hex() == vector["plaintext"]
        assert mac32(fingerprint_key, plaintext).hex() == vector["fingerprint"]
    check_every_bit(stored, vector, keks)
    return data_key


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


def check_refusal(vector, envelopes, data_keys):
    """Tries the data keys of all envelopes, but for the one that opens this envelope."""
    stored, context = bytes.fromhex(vector["stored"]), vector["context"]
    tried = 0
    for genuine, data_key in zip(envelopes, data_keys):
        if (genuine["envelope"], genuine["context"]) == (vector["stored"], context):
            continue
        met = outcome(lambda: Envelope(stored).open(data_key, context))
        assert met == vector["error"], (vector["name"], met)
        tried += 1
    assert tried >= len(envelopes) - 1


def check(vectors):
    keks = {}
    for entry in vectors["local_keks"]:
        kek = LocalKek(bytes.fromhex(entry["key_file"]), entry["organization"], entry["index"])
        assert kek.kek_id == entry["kek_id"]
        assert kek.mac(bytes.fromhex(entry["message"])).hex() == entry["mac"]
        keks[kek.kek_id] = kek
    data_keys = [check_envelope(vector, keks) for vector in vectors["envelopes"]]
    for vector in vectors["refused"]:
        check_refusal(vector, vectors["envelopes"], data_keys)
    for vector in vectors["record_macs"]:
        key, body = bytes.fromhex(vector["mac_key"]), bytes.fromhex(vector["body"])
        assert record_mac(key, vector["record_key"], body).hex() == vector["mac"]
        organization = uuid.UUID(vector["organization"])
        binding = mac_key_binding(organization, vector["provider"], vector["kek_id"])
        assert binding.hex() == vector["binding"]
    for vector in vectors["values"]:
        plaintext = bytes.fromhex(vector["plaintext"])
        value = bytes.fromhex(vector["bytes"]) if "bytes" in vector else vector["value"]
        assert read_value(plaintext) == value
        assert write_value(value) == plaintext
    for vector in vectors["bound_keys"]:
        binding, wrapped = bytes.fromhex(vector["binding"]), bytes.fromhex(vector["plaintext"])
        assert unbind(wrapped, binding).hex() == vector["data_key"]
        assert outcome(lambda: unbind(wrapped[:-1], binding)) == "refused"
        assert outcome(lambda: unbind(wrapped, wrapped[:32])) == "refused"
    for vector in vectors["name_extensions"]:
        assert name_extension(vector["environment"], vector["name"]).hex() == vector["extension"]


##= docs/format.md#5-precedence-of-refusals
##= type=test
##% A reader MUST refuse a truncated envelope as *malformed* at the field that is cut,
##% unless an earlier field is already refused.
##= docs/format.md#30-age-recipient
##= type=test
##% A reader MUST refuse a `wrapped` of another length or layout.
##= docs/format.md#22-values
##= type=test
##% A reader MUST refuse a plaintext of purposes 1 and 4 in any other form.
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
    for case in rules["age_wraps"]:
        identity, wrapped = AgeIdentity(case["identity"]), bytes.fromhex(case["wrapped"])
        assert identity.kek_id == case["kek_id"], case
        organization = uuid.UUID(case["organization"])
        binding = mac_key_binding(organization, "age", identity.kek_id)
        assert identity.unwrap(wrapped, binding).hex() == case["key"], case
        assert outcome(lambda: identity.unwrap(wrapped, bytes(32))) == "refused"
        assert outcome(lambda: identity.unwrap(wrapped + b"0", binding)) == "refused"
    for case in rules["mac_key_commitments"]:
        assert mac_key_commitment(bytes.fromhex(case["mac_key"])) == case["commitment"]
    for case in rules["documents"]:
        assert document_digits(case["environment"], case["name"]) == case["digits"], case
    for case in rules["configurations"]:
        settings = case["kind"], case["name_prefix"], case["configuration"]
        assert configuration_digest(*settings).hex() == case["digest"], case


def open_with_identity(identity_file, envelope_file):
    """Returns the value of a secret's version: nothing but the identity is known."""
    with open(identity_file, encoding="ascii") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    return open_with_any(map(AgeIdentity, lines), *read_envelope(envelope_file))


def open_with_key_file(key_file, envelope_file):
    """Returns the value of a secret's version: nothing but the key file is known."""
    envelope, context = read_envelope(envelope_file)
    with open(key_file, "rb") as file:
        content = file.read()
    organizations = {name.rpartition("/")[2] for kind, name in envelope.wraps if kind == "local"}
    roots = range(len(read_key_file(content)))
    keks = (LocalKek(content, name, root) for name in organizations for root in roots)
    return open_with_any(keks, envelope, context)


def open_with_any(keks, envelope, context):
    for kek in keks:
        if (kek.provider, kek.kek_id) in envelope.wraps:
            return open_with(kek, envelope.bytes, context)
    raise Refused


def read_envelope(path):
    """Returns an envelope of a secret's version and its context."""
    with open(path, "rb") as file:
        stored = file.read()
    # A file in text form may end in a line break, which is no part of it.
    envelope = Envelope(stored.rstrip(b"\r\n") if stored[:5] == b"pse1." else stored)
    if envelope.claim["purpose"] != SECRET:
        sys.exit("The context of this envelope is in its catalog: it is no version of a secret.")
    # Without a catalog, the context is the envelope's own claim.
    return envelope, {**envelope.claim, "extension": None}


# An envelope names its keys, and nothing has verified it: whoever wrote it could send a
# credential to a host of their own. So only these forms get a command.
AZURE_KEY = re.compile(
    r"https://[0-9A-Za-z-]+\.(vault\.azure\.net|vault\.azure\.cn|vault\.usgovcloudapi\.net"
    r"|managedhsm\.azure\.net)/keys/[0-9A-Za-z-]+/[0-9a-f]+"
)
KEY_FORMS = {
    "aws_kms": re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]{12}:key/[0-9A-Za-z-]+"),
    "gcp_kms": re.compile(
        r"projects/[0-9A-Za-z_.:-]+/locations/[0-9A-Za-z-]+/keyRings/[0-9A-Za-z_-]+"
        r"/cryptoKeys/[0-9A-Za-z_-]+"
    ),
    "azure_key_vault_key": AZURE_KEY,
    "transit": re.compile(r"[0-9A-Za-z_][0-9A-Za-z_./-]*/[0-9A-Za-z_.-]+"),
    "vault_transit": re.compile(
        r"[0-9A-Za-z-]*:[0-9A-Za-z_./-]*:[0-9A-Za-z_][0-9A-Za-z_./-]*:[0-9A-Za-z_.-]+"
    ),
}


def unwrap_command(provider, kek_id, wrapped, binding):
    """Returns a command of the key's vendor, for bash, that prints the DEK."""
    quote = shlex.quote
    if provider in KEY_FORMS and not KEY_FORMS[provider].fullmatch(kek_id):
        return "# This is no key identifier of that type. There is no command for it."

    def file_of(data):
        return f"<(echo {base64.b64encode(data).decode()} | base64 --decode)"

    if provider == "aws_kms":
        reader = Reader(wrapped[1:])
        context, ciphertext = reader.lp(2048).decode(), reader.data[reader.at :]
        parts = kek_id.split(":")
        region = parts[3] or "REGION"
        # The identifier of a multi-Region key has no Region.
        key = ":".join(parts[:3] + [region] + parts[4:])
        return (
            f"aws kms decrypt --region {quote(region)} --key-id {quote(key)}"
            f" --ciphertext-blob fileb://{file_of(ciphertext)}"
            f" --encryption-context {quote(context)} --query Plaintext --output text"
        )
    if provider == "gcp_kms":
        return (
            f"gcloud kms decrypt --key={quote(kek_id)} --ciphertext-file={file_of(wrapped[9:])}"
            f" --additional-authenticated-data-file={file_of(binding)} --plaintext-file=-"
        )
    if provider == "azure_key_vault_key":
        value = base64.urlsafe_b64encode(wrapped).rstrip(b"=").decode()
        body = json.dumps({"alg": "RSA-OAEP-256", "value": value})
        url = f"{kek_id}/unwrapkey?api-version=7.4"
        resource = f"https://{AZURE_KEY.fullmatch(kek_id)[1]}"
        return (
            f"az rest --method post --resource {resource} --url {quote(url)}"
            f" --body {quote(body)} --query value --output tsv"
        )
    if provider in ("transit", "vault_transit"):
        namespace, path = "", kek_id
        if provider == "vault_transit":
            _, namespace, mount, key = kek_id.split(":")
            path = f"{mount}/{key}"
        mount, _, key = path.rpartition("/")
        within = f" -namespace={quote(namespace)}" if namespace else ""
        return (
            f"bao write{within} -field=plaintext {quote(f'{mount}/decrypt/{key}')}"
            f" ciphertext={quote(wrapped.decode())}"
            f" context={base64.b64encode(binding).decode()}"
        )
    if provider == "age":
        return f"age --decrypt --identity IDENTITY_FILE {file_of(wrapped)}"
    if provider == "local":
        return "open_envelope.py --key-file KEY_FILE ENVELOPE"
    return "a key of an unknown type"


def commands(envelope_file):
    envelope, context = read_envelope(envelope_file)
    print("# The envelope names its keys. Check that a key is yours before you run its command.")
    for (provider, kek_id), wrapped in envelope.wraps.items():
        binding = envelope.binding(context, provider, kek_id)
        # A comment ends at a line break, which an identifier might contain.
        print(f"# {provider} {json.dumps(kek_id)}")
        print(unwrap_command(provider, kek_id, wrapped, binding))


def open_with_data_key(data_key_file, envelope_file):
    """Returns the value of a secret's version: a KMS has unwrapped its DEK."""
    envelope, context = read_envelope(envelope_file)
    if data_key_file == "-":
        given = sys.stdin.buffer.read()
    else:
        with open(data_key_file, "rb") as file:
            given = file.read()
    if len(given) not in (32, 64):
        text = given.strip().rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")
        given = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if len(given) == 64:
        bindings = (envelope.binding(context, *kek) for kek in envelope.wraps)
        if not any(hmac.compare_digest(given[32:], binding) for binding in bindings):
            raise Refused
        given = given[:32]
    if len(given) != 32:
        raise Refused
    plaintext, _ = envelope.open(given, context)
    return read_value(plaintext)


def show(value):
    """Writes a value to stdout: a text and bytes as they are, pairs as JSON."""
    if isinstance(value, dict):
        value = canonical(value)
    sys.stdout.buffer.write(value if isinstance(value, bytes) else value.encode())


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    opens = {
        "--identity": open_with_identity,
        "--key-file": open_with_key_file,
        "--data-key": open_with_data_key,
    }
    if sys.argv[1] == "--commands":
        return commands(*sys.argv[2:])
    if sys.argv[1] in opens:
        return show(opens[sys.argv[1]](*sys.argv[2:]))
    vectors, rules = map(read_json, sys.argv[1:])
    check(vectors)
    check_rules(rules, vectors)
    kept = sum(map(len, rules.values()))
    print(f"opened {len(vectors['envelopes'])}, refused {len(vectors['refused'])}, kept {kept} rules")


if __name__ == "__main__":
    main()

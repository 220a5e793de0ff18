"""A fake of Google Cloud KMS for tests: keys, their versions, and real AES-256-GCM.

It follows Google's documentation of purposes, states, primary versions, rotation,
sizes, additional authenticated data and checksums. `gcp_secret_manager_fake.py` serves
it, with identities, permissions and faults.

https://cloud.google.com/kms/docs/reference/rest
"""

import base64
import re
import secrets
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gcp_status import Refusal, crc32c, require

LIMIT = 65536
# Of plaintext and additional authenticated data together:
# https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt
HSM_LIMIT = 8192
# The project's number, which names it as well as its ID.
NUMBERS = {"1234567890": "acme"}
PURPOSES = {1: "ENCRYPT_DECRYPT", 5: "ASYMMETRIC_SIGN", 6: "ASYMMETRIC_DECRYPT", 9: "MAC"}
STATES = {1: "ENABLED", 2: "DISABLED"}
LEVELS = {1: "SOFTWARE", 2: "HSM", 3: "EXTERNAL", 4: "EXTERNAL_VPC"}

RING = r"/v1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/keyRings"
KEY = RING + r"/(?P<ring>[^/:]+)/cryptoKeys"
ONE = KEY + r"/(?P<key>[^/:]+)"
VERSION = ONE + r"/cryptoKeyVersions"
EACH = VERSION + r"/(?P<version>\d+)"
ROUTES = [
    ("POST", RING, "CreateKeyRing", "cloudkms.keyRings.create"),
    ("POST", KEY, "CreateCryptoKey", "cloudkms.cryptoKeys.create"),
    ("GET", ONE, "GetCryptoKey", "cloudkms.cryptoKeys.get"),
    ("PATCH", ONE, "UpdateCryptoKey", "cloudkms.cryptoKeys.update"),
    ("POST", ONE + ":updatePrimaryVersion", "UpdateCryptoKeyPrimaryVersion", "cloudkms.cryptoKeys.update"),
    ("POST", ONE + ":encrypt", "Encrypt", "cloudkms.cryptoKeyVersions.useToEncrypt"),
    ("POST", ONE + ":decrypt", "Decrypt", "cloudkms.cryptoKeyVersions.useToDecrypt"),
    ("POST", VERSION, "CreateCryptoKeyVersion", "cloudkms.cryptoKeyVersions.create"),
    ("GET", EACH, "GetCryptoKeyVersion", "cloudkms.cryptoKeyVersions.get"),
    ("PATCH", EACH, "UpdateCryptoKeyVersion", "cloudkms.cryptoKeyVersions.update"),
    ("POST", EACH + ":destroy", "DestroyCryptoKeyVersion", "cloudkms.cryptoKeyVersions.destroy"),
    ("POST", EACH + ":restore", "RestoreCryptoKeyVersion", "cloudkms.cryptoKeyVersions.restore"),
]
OPERATIONS = {name for _, _, name, _ in ROUTES}
QUERIES = {
    "CreateKeyRing": {"keyRingId"},
    "CreateCryptoKey": {"cryptoKeyId", "skipInitialVersionCreation"},
    "UpdateCryptoKey": {"updateMask"},
    "UpdateCryptoKeyVersion": {"updateMask"},
}
BODIES = {
    "CreateCryptoKey": {"purpose", "rotationPeriod", "nextRotationTime", "versionTemplate", "labels"},
    "UpdateCryptoKey": {"name", "rotationPeriod", "nextRotationTime", "labels"},
    "UpdateCryptoKeyPrimaryVersion": {"cryptoKeyVersionId"},
    "Encrypt": {"plaintext", "additionalAuthenticatedData", "plaintextCrc32c",
                "additionalAuthenticatedDataCrc32c"},
    "Decrypt": {"ciphertext", "additionalAuthenticatedData", "ciphertextCrc32c",
                "additionalAuthenticatedDataCrc32c"},
    "UpdateCryptoKeyVersion": {"name", "state"},
}


class KeyManagement:
    """The key rings of all projects, and the operations on their keys."""

    def __init__(self):
        self.rings = set()
        self.keys = {}

    def ring_name(self, at, ring):
        project = NUMBERS.get(at["project"], at["project"])
        return f"projects/{project}/locations/{at['location']}/keyRings/{ring}"

    def key(self, at):
        name = f"{self.ring_name(at, at['ring'])}/cryptoKeys/{at['key']}"
        if name not in self.keys:
            raise Refusal("NOT_FOUND", f"CryptoKey {name} not found.")
        return self.keys[name]

    def version(self, at):
        versions = self.key(at)["versions"]
        if at["version"] not in versions:
            raise Refusal("NOT_FOUND", f"CryptoKeyVersion {at['version']} not found.")
        return versions[at["version"]]

    def CreateKeyRing(self, at, query, body):
        name = self.ring_name(at, query.get("keyRingId", ""))
        require(re.fullmatch(r"[\w-]{1,63}", query.get("keyRingId", "")), "The ID is invalid.")
        if name in self.rings:
            raise Refusal("ALREADY_EXISTS", f"KeyRing {name} already exists.")
        self.rings.add(name)
        return {"name": name, "createTime": now()}

    def CreateCryptoKey(self, at, query, body):
        ring = self.ring_name(at, at["ring"])
        name = f"{ring}/cryptoKeys/{query.get('cryptoKeyId', '')}"
        if ring not in self.rings:
            raise Refusal("NOT_FOUND", f"KeyRing {ring} not found.")
        require(re.fullmatch(r"[\w-]{1,63}", query.get("cryptoKeyId", "")), "The ID is invalid.")
        if name in self.keys:
            raise Refusal("ALREADY_EXISTS", f"CryptoKey {name} already exists.")
        purpose = named(PURPOSES, body.get("purpose"))
        require(purpose in PURPOSES.values(), "The purpose is missing.")
        template = body.get("versionTemplate", {})
        level = named(LEVELS, template.get("protectionLevel", "SOFTWARE"))
        check_rotation(body)
        key = {
            "name": name,
            "purpose": purpose,
            "createTime": now(),
            "level": level,
            "importOnly": False,
            "versions": {},
            "primary": None,
        }
        key |= {k: body[k] for k in ("rotationPeriod", "nextRotationTime") if k in body}
        self.keys[name] = key
        if query.get("skipInitialVersionCreation") != "true":
            number = self.add_version(key)
            if purpose == "ENCRYPT_DECRYPT":
                key["primary"] = number
        return shown(key)

    def add_version(self, key):
        number = str(len(key["versions"]) + 1)
        key["versions"][number] = {
            "name": f"{key['name']}/cryptoKeyVersions/{number}",
            "state": "ENABLED",
            "protectionLevel": key["level"],
            "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION",
            "createTime": now(),
            "material": secrets.token_bytes(32),
        }
        return number

    def GetCryptoKey(self, at, query, body):
        return shown(self.key(at))

    def UpdateCryptoKey(self, at, query, body):
        key = self.key(at)
        check_rotation(body)
        for field in query.get("updateMask", "").split(","):
            key.pop(field, None)
            if field in body:
                key[field] = body[field]
        return shown(key)

    def UpdateCryptoKeyPrimaryVersion(self, at, query, body):
        key = self.key(at)
        number = body.get("cryptoKeyVersionId", "")
        require(key["purpose"] == "ENCRYPT_DECRYPT", "The key has no primary version.")
        self.enabled(self.version(at | {"version": number}))
        key["primary"] = number
        return shown(key)

    def CreateCryptoKeyVersion(self, at, query, body):
        key = self.key(at)
        return shown_version(key["versions"][self.add_version(key)])

    def GetCryptoKeyVersion(self, at, query, body):
        return shown_version(self.version(at))

    def UpdateCryptoKeyVersion(self, at, query, body):
        version = self.version(at)
        state = named(STATES, body.get("state"))
        require(query.get("updateMask") == "state" and state in STATES.values(), "Only the state can be set.")
        if version["state"] not in STATES.values():
            raise Refusal("FAILED_PRECONDITION", f"{version['name']} is {version['state']}.")
        version["state"] = state
        return shown_version(version)

    def DestroyCryptoKeyVersion(self, at, query, body):
        version = self.version(at)
        if version["state"] not in STATES.values():
            raise Refusal("FAILED_PRECONDITION", f"{version['name']} is {version['state']}.")
        version["state"] = "DESTROY_SCHEDULED"
        return shown_version(version)

    def RestoreCryptoKeyVersion(self, at, query, body):
        version = self.version(at)
        if version["state"] != "DESTROY_SCHEDULED":
            raise Refusal("FAILED_PRECONDITION", f"{version['name']} is {version['state']}.")
        version["state"] = "DISABLED"
        return shown_version(version)

    def end_destruction(self):
        """Destroys what is scheduled for destruction, as Google does after 30 days."""
        for key in self.keys.values():
            for version in key["versions"].values():
                if version["state"] == "DESTROY_SCHEDULED":
                    version |= {"state": "DESTROYED", "material": None}

    def set_import_only(self, name):
        self.keys[name]["importOnly"] = True

    @staticmethod
    def enabled(version):
        if version["state"] != "ENABLED":
            text = f"{version['name']} is not enabled, current state is: {version['state']}."
            raise Refusal("FAILED_PRECONDITION", text)
        return version

    def symmetric(self, at):
        key = self.key(at)
        if key["purpose"] != "ENCRYPT_DECRYPT":
            raise Refusal("FAILED_PRECONDITION", f"{key['name']} has the purpose {key['purpose']}.")
        return key

    def Encrypt(self, at, query, body):
        key = self.symmetric(at)
        if key["primary"] is None:
            raise Refusal("FAILED_PRECONDITION", f"{key['name']} has no primary version.")
        version = self.enabled(key["versions"][key["primary"]])
        plaintext, given = checked(body, "plaintext")
        data, data_given = checked(body, "additionalAuthenticatedData")
        require(plaintext, "The plaintext is empty.")
        if key["level"] == "HSM":
            require(len(plaintext) + len(data) <= HSM_LIMIT, "More than 8 KiB.")
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(version["material"]).encrypt(nonce, plaintext, data)
        # Opaque to clients. Google's ciphertexts name their version as well.
        ciphertext = b"\x0a" + int(key["primary"]).to_bytes(4, "big") + nonce + sealed
        answer = {
            "name": version["name"],
            "ciphertext": base64.b64encode(ciphertext).decode(),
            "ciphertextCrc32c": str(crc32c(ciphertext)),
            "protectionLevel": key["level"],
        }
        # JSON of protobuf omits false.
        if given:
            answer["verifiedPlaintextCrc32c"] = True
        if data_given:
            answer["verifiedAdditionalAuthenticatedDataCrc32c"] = True
        return answer

    def Decrypt(self, at, query, body):
        key = self.symmetric(at)
        ciphertext, _ = checked(body, "ciphertext")
        data, _ = checked(body, "additionalAuthenticatedData")
        number = str(int.from_bytes(ciphertext[1:5], "big"))
        if ciphertext[:1] != b"\x0a" or number not in key["versions"]:
            raise Refusal("INVALID_ARGUMENT", "Decryption failed: the ciphertext is invalid.")
        version = self.enabled(key["versions"][number])
        try:
            plaintext = AESGCM(version["material"]).decrypt(ciphertext[5:17], ciphertext[17:], data)
        except (InvalidTag, ValueError):
            raise Refusal(
                "INVALID_ARGUMENT",
                "Decryption failed: verify that 'name' refers to the correct CryptoKey.",
            ) from None
        answer = {
            "plaintext": base64.b64encode(plaintext).decode(),
            "plaintextCrc32c": str(crc32c(plaintext)),
            "protectionLevel": key["level"],
        }
        if number == key["primary"]:
            answer["usedPrimary"] = True
        return answer


def checked(body, field):
    """Returns the bytes of a field that match their checksum, and whether one was given."""
    try:
        data = base64.b64decode(body.get(field, ""), validate=True)
    except ValueError:
        raise Refusal("INVALID_ARGUMENT", f"{field} is no Base64.") from None
    require(len(data) <= LIMIT, f"{field} is larger than 64 KiB.")
    given = body.get(field + "Crc32c")
    require(given is None or isinstance(given, str), "int64 is text in JSON.")
    require(given is None or int(given) == crc32c(data), f"The checksum of {field} does not match.")
    return data, given is not None


def check_rotation(body):
    """https://cloud.google.com/kms/docs/rotate-key: at least a day, with the next time."""
    period = body.get("rotationPeriod")
    if period is not None:
        require(re.fullmatch(r"\d+(\.\d+)?s", period), "The period is no duration.")
        require(float(period[:-1]) >= 86400, "The period is shorter than a day.")
        require(body.get("nextRotationTime"), "The next rotation time is missing.")


def named(names, value):
    """Returns the name of an enum's value. Google's own clients send numbers."""
    return names.get(value, value)


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def shown_version(version):
    return {key: value for key, value in version.items() if key != "material"}


def shown(key):
    hidden = ("versions", "primary", "level", "importOnly")
    answer = {name: value for name, value in key.items() if name not in hidden}
    answer["versionTemplate"] = {
        "protectionLevel": key["level"],
        "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION",
    }
    if key["importOnly"]:
        answer["importOnly"] = True
    if key["primary"] is not None:
        answer["primary"] = shown_version(key["versions"][key["primary"]])
    return answer


def spoiled(answer, fault):
    """Damages a response, or takes away what it confirms."""
    if fault == "damage":
        field = "ciphertext" if "ciphertext" in answer else "plaintext"
        data = bytearray(base64.b64decode(answer[field]))
        data[-1] ^= 1
        return answer | {field: base64.b64encode(data).decode()}
    if fault == "unverified":
        return {name: value for name, value in answer.items() if not name.startswith("verified")}
    return answer

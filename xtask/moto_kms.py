"""AWS KMS in the front before moto.

moto keeps the keys and their aliases. It decrypts with disabled keys and with keys that
are scheduled for deletion, knows one version of a key's material, cannot decrypt what a
multi-Region key encrypted, and ignores policies. So the front encrypts by itself, and
follows AWS's API reference and its table of key states:
https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html
https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

import base64
import copy
import datetime
import hashlib
import json
import os
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from moto.kms.models import kms_backends

from moto_access import ACCOUNT, Refusal

REGIONS = {"eu-central-1", "eu-west-1", "us-east-1"}
ACTIONS = [
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GetKeyRotationStatus",
    "ReEncryptFrom",
    "ReEncryptTo",
]
# The first bytes and the length of AWS's ciphertexts of 32 bytes.
MAGIC = bytes.fromhex("01020200")
PADDING = 56
ROTATION_DAYS = 365

# The statements of key policies, by a key's ARN, besides the default that lets the
# account's identity policies decide.
key_policies = {}


def name_of(parameters):
    return parameters.get("KeyId", parameters.get("SourceKeyId", "-"))


def find(region, wanted):
    """Returns a key by its id, alias, or the ARN of either."""
    backend = kms_backends[ACCOUNT][region]
    name = wanted
    if wanted.startswith("arn:"):
        _, _, _, where, account, name = wanted.split(":", 5)
        if where != region:
            raise Refusal("NotFoundException", f"Invalid arn {where}")
        if account != ACCOUNT:
            raise Refusal("AccessDeniedException", f"User is not authorized on {wanted}")
        name = name.removeprefix("key/")
    if name.startswith("alias/"):
        for key in backend.keys.values():
            if name in key.aliases:
                return key
        shown = f"arn:aws:kms:{region}:{ACCOUNT}:{name}"
        raise Refusal("NotFoundException", f"Alias {shown} is not found.")
    if name not in backend.keys:
        shown = f"arn:aws:kms:{region}:{ACCOUNT}:key/{name}"
        raise Refusal("NotFoundException", f"Key '{shown}' does not exist")
    return backend.keys[name]


def needs(call):
    """Returns what a request needs: action, key and encryption context."""
    asked, region = call.parameters, call.region
    if call.action != "ReEncrypt":
        context = asked.get("EncryptionContext", {})
        return [(call.action, find(region, asked["KeyId"]), context)]
    source = find(region, asked["SourceKeyId"])
    destination = find(region, asked["DestinationKeyId"])
    return [
        ("ReEncryptFrom", source, asked.get("SourceEncryptionContext", {})),
        ("ReEncryptTo", destination, asked.get("DestinationEncryptionContext", {})),
    ]


def authorize(call, access):
    for action, key, context in needs(call):
        statements = key_policies.get(key.arn, [])
        access.permit(call, f"kms:{action}", key.arn, context, statements)


def serve(call, forward):
    if call.action not in ("Encrypt", "Decrypt", "ReEncrypt"):
        return inspect(call, forward)
    answer = {}
    plaintext = base64.b64decode(call.parameters.get("Plaintext", ""))
    for action, key, context in needs(call):
        check(key)
        if action in ("Decrypt", "ReEncryptFrom"):
            blob = base64.b64decode(call.parameters["CiphertextBlob"])
            plaintext = decrypt(key, blob, context)
            answer["SourceKeyId" if action == "ReEncryptFrom" else "KeyId"] = key.arn
        else:
            blob = encrypt(key, plaintext, context)
            answer |= {"CiphertextBlob": base64.b64encode(blob).decode(), "KeyId": key.arn}
    if call.action == "Decrypt":
        answer["Plaintext"] = base64.b64encode(plaintext).decode()
    headers = [("Content-Type", "application/x-amz-json-1.1")]
    return 200, headers, json.dumps(answer).encode()


def inspect(call, forward):
    key = find(call.region, call.parameters["KeyId"])
    is_rotation = call.action == "GetKeyRotationStatus"
    if is_rotation and key.origin != "AWS_KMS":
        raise Refusal(
            "UnsupportedOperationException",
            f"{key.arn} origin is {key.origin} which is not valid for this operation.",
        )
    status, headers, body = forward(call)
    if status != 200:
        return status, headers, body
    told = json.loads(body)
    if is_rotation and told["KeyRotationEnabled"]:
        told["RotationPeriodInDays"] = ROTATION_DAYS
    if not is_rotation and any(name.startswith("alias/aws/") for name in key.aliases):
        told["KeyMetadata"]["KeyManager"] = "AWS"
    return status, headers, json.dumps(told).encode()


def check(key):
    """Refuses cryptographic operations, as AWS does in these states of a key."""
    state = key.key_state
    if state == "Disabled":
        raise Refusal("DisabledException", f"{key.arn} is disabled.")
    if state == "PendingDeletion":
        raise Refusal("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if state == "PendingImport":
        raise Refusal("KMSInvalidStateException", f"{key.arn} is pending import.")
    if (key.key_usage, key.key_spec) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        raise Refusal("InvalidKeyUsageException", f"{key.arn} key usage is {key.key_usage}")


def materials(key):
    """Returns the versions of the key's material, the newest last. Replicas share them."""
    if not hasattr(key, "materials"):
        key.materials = [os.urandom(32)]
    return key.materials


def material_id(material):
    return hashlib.sha256(b"material" + material).digest()


def key_hash(key):
    return hashlib.sha256(key.id.encode()).digest()


def aad(head, context):
    return head + json.dumps(context, sort_keys=True).encode()


def encrypt(key, plaintext, context):
    if not 1 <= len(plaintext) <= 4096:
        raise Refusal("ValidationException", "1 validation error detected: 'plaintext'")
    material, nonce = materials(key)[-1], os.urandom(12)
    head = MAGIC + key_hash(key) + material_id(material) + os.urandom(PADDING)
    return head + nonce + AESGCM(material).encrypt(nonce, plaintext, aad(head, context))


def decrypt(key, blob, context):
    at = len(MAGIC) + 64 + PADDING
    head, nonce, sealed = blob[:at], blob[at : at + 12], blob[at + 12 :]
    if not blob.startswith(MAGIC) or len(sealed) < 16:
        raise Refusal("InvalidCiphertextException", "")
    if head[4:36] != key_hash(key):
        raise Refusal(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    for material in materials(key):
        if material_id(material) == head[36:68]:
            try:
                return AESGCM(material).decrypt(nonce, sealed, aad(head, context))
            except InvalidTag:
                break
    raise Refusal("InvalidCiphertextException", "")


# --- Control by tests


def control(told):
    return {
        "create": create,
        "replicate": replicate,
        "alias": alias,
        "state": set_state,
        "rotate": rotate,
        "forget": forget,
        "automatic": enable_rotation,
        "policy": set_policy,
    }[told.pop("do")](**told)


def of(arn):
    return find(arn.split(":")[3], arn)


def create(region, spec, usage, origin, multi_region):
    backend = kms_backends[ACCOUNT][region]
    key = backend.create_key(None, usage, spec, "", None, multi_region, origin)
    if multi_region:
        # AWS writes the UUID without hyphens.
        del backend.keys[key.id]
        key.id = f"mrk-{uuid.uuid4().hex}"
        key.arn = f"arn:aws:kms:{region}:{ACCOUNT}:key/{key.id}"
        key.multi_region_configuration["PrimaryKey"]["Arn"] = key.arn
        backend.keys[key.id] = key
    materials(key)
    return {"arn": key.arn}


def replicate(arn, region):
    replica = copy.copy(of(arn))
    replica.region = region
    replica.arn = f"arn:aws:kms:{region}:{ACCOUNT}:key/{replica.id}"
    replica.aliases = {}
    kms_backends[ACCOUNT][region].keys[replica.id] = replica
    return {"arn": replica.arn}


def alias(name, arn):
    key = of(arn)
    backend = kms_backends[ACCOUNT][key.region]
    backend.delete_alias(name)
    backend.create_alias(key.id, name)
    return {}


def set_state(arn, state):
    key = of(arn)
    if state == "Deleted":
        del kms_backends[ACCOUNT][key.region].keys[key.id]
    else:
        key.key_state, key.enabled = state, state == "Enabled"
        key.deletion_date = datetime.datetime(2099, 1, 1) if state == "PendingDeletion" else None
    return {}


def rotate(arn):
    materials(of(arn)).append(os.urandom(32))
    return {}


def forget(arn):
    """Removes all material but the newest, which AWS never does."""
    del materials(of(arn))[:-1]
    return {}


def enable_rotation(arn):
    of(arn).key_rotation_status = True
    return {}


def set_policy(arn, statements):
    key_policies[arn] = statements
    return {}

"""The keys of one Key Vault: RSA keys with real wraps, their versions and attributes.

https://learn.microsoft.com/rest/api/keyvault/keys
"""

import base64
import secrets
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from azure_authority import Refusal

OPERATIONS = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]
SIZES = (2048, 3072, 4096)
NAMES = {"wrapkey": "wrapKey", "unwrapkey": "unwrapKey"}
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (TypeError, ValueError):
        raise Refusal(400, "BadParameter", "Property value is not base64url") from None


class Keys:
    def __init__(self):
        self.keys = {}
        self.deleted = {}

    def serve(self, method, collection, rest, body, base, permit):
        """Handles a request. `permit` rejects the permissions that the caller lacks."""
        name, tail = rest[0], rest[1:]
        kind = (method, collection, tuple(tail))
        if kind == ("POST", "keys", ("create",)):
            permit("keys/create")
            return self.create(name, body, base)
        if kind == ("POST", "keys", ("rotate",)):
            permit("keys/rotate")
            newest = self.found(name)["versions"][-1]
            return self.create(name, newest["made_as"], base)
        if tail == ["rotationpolicy"]:
            return self.policy(method, name, body, base, permit)
        if kind == ("DELETE", "keys", ()):
            permit("keys/delete")
            self.deleted[name.lower()] = self.found(name)
            del self.keys[name.lower()]
            return 200, {"recoveryId": f"{base}/deletedkeys/{name}"}, {}
        if kind == ("POST", "deletedkeys", ("recover",)):
            permit("keys/recover")
            self.keys[name.lower()] = self.deleted.pop(name.lower())
            return 200, self.bundle(name, self.found(name)["versions"][-1], base), {}
        if kind == ("DELETE", "deletedkeys", ()):
            permit("keys/purge")
            del self.deleted[name.lower()]
            return 204, {}, {}
        if collection != "keys":
            raise Refusal(404, "KeyNotFound", "no such resource")
        if method == "GET" and len(tail) <= 1:
            permit("keys/get")
            return 200, self.bundle(name, self.version(name, *tail), base), {}
        if method == "PATCH" and len(tail) == 1:
            permit("keys/update")
            return self.update(name, self.version(name, *tail), body, base)
        if method == "POST" and len(tail) == 2 and tail[1] in NAMES:
            permit(f"keys/{tail[1]}")
            return self.transform(name, self.version(name, tail[0]), tail[1], body, base)
        raise Refusal(404, "NotFound", "no such resource")

    def found(self, name):
        if name.lower() not in self.keys:
            text = f"A key with (name/id) {name} was not found in this key vault."
            raise Refusal(404, "KeyNotFound", text)
        return self.keys[name.lower()]

    def version(self, name, wanted=None):
        versions = self.found(name)["versions"]
        if wanted is None:
            return versions[-1]
        for version in versions:
            if version["version"] == wanted:
                return version
        text = f"A key with (name/id) {name}/{wanted} was not found in this key vault."
        raise Refusal(404, "KeyNotFound", text)

    def create(self, name, body, base):
        if name.lower() in self.deleted:
            text = f"Key {name} is currently in a deleted but recoverable state."
            raise Refusal(409, "Conflict", text, "ObjectIsDeletedButRecoverable")
        kind, size = body.get("kty"), body.get("key_size", 2048)
        if kind not in ("RSA", "RSA-HSM", "EC", "EC-HSM") or size not in SIZES:
            raise Refusal(400, "BadParameter", "The type or the size is not supported")
        is_rsa = kind.startswith("RSA")
        version = {
            "version": secrets.token_hex(16),
            "kty": kind,
            "material": rsa.generate_private_key(65537, size) if is_rsa else None,
            "key_ops": body.get("key_ops") or (OPERATIONS if is_rsa else ["sign", "verify"]),
            "attributes": {"enabled": True} | (body.get("attributes") or {}),
            "created": int(time.time()),
            "made_as": body,
        }
        key = self.keys.setdefault(name.lower(), {"versions": [], "policy": []})
        key["versions"].append(version)
        return 200, self.bundle(name, version, base), {}

    def bundle(self, name, version, base):
        kid = f"{base}/keys/{name}/{version['version']}"
        key = {"kid": kid, "kty": version["kty"], "key_ops": version["key_ops"]}
        if version["material"]:
            numbers = version["material"].public_key().public_numbers()
            size = version["material"].key_size // 8
            key |= {"n": encoded(numbers.n.to_bytes(size, "big")), "e": "AQAB"}
        attributes = version["attributes"] | {
            "created": version["created"],
            "updated": version["created"],
            "recoveryLevel": "Recoverable+Purgeable",
        }
        return {"key": key, "attributes": attributes, "tags": {}}

    def update(self, name, version, body, base):
        version["attributes"] |= body.get("attributes") or {}
        version["key_ops"] = body.get("key_ops") or version["key_ops"]
        return 200, self.bundle(name, version, base), {}

    def policy(self, method, name, body, base, permit):
        key = self.found(name)
        if method == "PUT":
            permit("keys/setrotationpolicy")
            key["policy"] = body.get("lifetimeActions", [])
        else:
            permit("keys/getrotationpolicy")
        answer = {"id": f"{base}/keys/{name}/rotationpolicy", "lifetimeActions": key["policy"]}
        return 200, answer, {}

    def transform(self, name, version, operation, body, base):
        text = f"Operation {NAMES[operation]} is not"
        if NAMES[operation] not in version["key_ops"]:
            raise Refusal(403, "Forbidden", f"{text} permitted on this key.", "KeyOperationForbidden")
        attributes, now = version["attributes"], time.time()
        if operation == "unwrapkey" and not attributes["enabled"]:
            # The service rejects only this of both:
            # https://github.com/Azure/azure-sdk-for-python/issues/45342
            raise Refusal(403, "Forbidden", f"{text} allowed on a disabled key.", "KeyDisabled")
        begins, ends = attributes.get("nbf") or 0, attributes.get("exp") or now + 1
        if operation == "wrapkey" and not begins <= now < ends:
            # Expired keys unwrap. No page documents the inner code of this error:
            # https://learn.microsoft.com/azure/key-vault/keys/about-keys-details
            raise Refusal(403, "Forbidden", f"{text} allowed on an expired key.")
        if body.get("alg") != "RSA-OAEP-256" or not version["material"]:
            raise Refusal(400, "BadParameter", "The algorithm is not supported")
        value = decoded(body.get("value"))
        try:
            if operation == "wrapkey":
                value = version["material"].public_key().encrypt(value, OAEP)
            else:
                value = version["material"].decrypt(value, OAEP)
        except ValueError:
            raise Refusal(400, "BadParameter", "The value cannot be transformed") from None
        kid = f"{base}/keys/{name}/{version['version']}"
        return 200, {"kid": kid, "value": encoded(value)}, {}

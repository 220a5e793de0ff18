"""One Key Vault: its secrets, and the errors that it returns. `azure_keys.py` has its keys.

Limits: https://learn.microsoft.com/azure/key-vault/secrets/about-secrets
"""

import re
import secrets
import time
from urllib.parse import quote

from azure_authority import RESOURCE, Refusal
from azure_keys import Keys

MAX_VALUE_BYTES = 25600
MAX_TAGS = 15
MAX_TAG_CHARS = 256
PAGE = 25
API_VERSION = re.compile(r"7\.[0-6]|20\d\d-\d\d-\d\d")
PARAMETERS = {"api-version", "maxresults", "$skiptoken"}
SECRET_FIELDS = {"value", "contentType", "tags", "attributes"}
NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
# Permissions that only a test can grant. The provider's documentation requires
# none of them.
EXTRAS = {"purge", "recover", "keys/getrotationpolicy"}


class Vault:
    def __init__(self, options, authority):
        self.options = options
        self.authority = authority
        self.secrets = {}
        self.deleted = {}
        self.keys = Keys()
        self.log = []
        self.named = {}
        self.windows = {}
        self.control = {
            # Denied permissions and their inner error: {"set": "ForbiddenByRbac"}.
            "deny": {},
            # The granted permissions of EXTRAS.
            "grant": [],
            # How long a deletion takes: a number of requests, and seconds.
            "deletion_polls": 0,
            "deletion_seconds": 0,
            # Statuses of the next responses. Their requests have no effect.
            "answers": [],
            # The number of next requests of each method whose response is lost.
            "lose": {},
            # The status of an empty list of versions: 404, or 200.
            "absent_versions": 404,
            "purge_protected": False,
            # Permissions that take effect this many seconds after their first use.
            "grant_after": {},
            # Transactions in each window of `quota_seconds`; None for no limit.
            "quota": None,
            "quota_seconds": 10,
            "challenge_resource": RESOURCE,
            # The origin of links to further pages; None for this vault.
            "next_link_base": None,
            # The error status of managed identities; None for tokens.
            "machine_status": None,
        }

    def authorize(self, headers, base):
        resource = self.control["challenge_resource"]
        tenant = self.options["tenant_id"]
        challenge = f'Bearer authorization="{base}/{tenant}", resource="{resource}"'
        bearer = headers.get("Authorization", "")

        def refuse(message):
            raise Refusal(401, "Unauthorized", message, headers=[("WWW-Authenticate", challenge)])

        if not bearer.startswith("Bearer "):
            refuse("AKV10000: Request is missing a Bearer or PoP token.")
        known = self.authority.tokens.get(bearer.removeprefix("Bearer "))
        if known is None:
            refuse("AKV10046: Unable to resolve the key used for signature validation.")
        if known[1] != RESOURCE:
            refuse("AKV10022: Invalid audience.")
        if known[0] != tenant:
            refuse(f"AKV10032: Invalid issuer. Expected {tenant}, found {known[0]}.")

    def permit(self, permission):
        inner = self.control["deny"].get(permission)
        delay = self.control["grant_after"].get(permission)
        if delay is not None:
            named = self.named.setdefault(permission, time.monotonic())
            if time.monotonic() < named + delay:
                inner = inner or "ForbiddenByRbac"
        if permission in EXTRAS and permission not in self.control["grant"]:
            inner = inner or "ForbiddenByRbac"
        if inner == "ForbiddenByFirewall":
            text = "Client address is not authorized and caller is not a trusted service."
            raise Refusal(403, "Forbidden", text, inner)
        if inner:
            text = f"The user, group or application does not have {permission} permission."
            raise Refusal(403, "Forbidden", text, inner)

    def serve(self, method, path, query, body, headers, base):
        self.authorize(headers, base)
        if not API_VERSION.fullmatch(query.get("api-version", "")):
            raise Refusal(400, "BadParameter", "api-version must be specified, and be a known one")
        if set(query) - PARAMETERS:
            raise Refusal(400, "BadParameter", "The request has an unknown parameter")
        self.spend()
        parts = [part for part in path.split("/") if part]
        collection, rest = parts[0], parts[1:]
        if rest and not NAME.fullmatch(rest[0]):
            raise Refusal(400, "BadParameter", f"The request URI contains an invalid name: {rest[0]}")
        kind = (method, collection, len(rest))
        if collection in ("keys", "deletedkeys") and rest:
            return self.keys.serve(method, collection, rest, body, base, self.permit)
        if kind == ("PUT", "secrets", 1):
            return self.set(rest[0], body, base)
        if kind == ("GET", "secrets", 2) and rest[1] == "versions":
            return self.versions(rest[0], query, base)
        if method == "GET" and collection == "secrets" and len(rest) in (1, 2):
            return self.get(rest[0], rest[1] if len(rest) == 2 else None, base)
        if kind == ("PATCH", "secrets", 2):
            return self.update(rest[0], rest[1], body, base)
        if kind == ("DELETE", "secrets", 1):
            return self.delete(rest[0], base)
        if kind == ("GET", "secrets", 0):
            return self.list(query, base)
        if kind == ("GET", "deletedsecrets", 0):
            return self.list_deleted(query, base)
        if kind == ("GET", "deletedsecrets", 1):
            return self.get_deleted(rest[0], base)
        if kind == ("DELETE", "deletedsecrets", 1):
            return self.purge(rest[0])
        if kind == ("POST", "deletedsecrets", 2) and rest[1] == "recover":
            return self.recover(rest[0], base)
        raise Refusal(404, "NotFound", "no such resource")

    def spend(self):
        """Throttles requests beyond the quota, in fixed windows.

        https://learn.microsoft.com/azure/key-vault/general/service-limits
        """
        if self.control["quota"] is None:
            return
        seconds = self.control["quota_seconds"]
        window = int(time.monotonic() / seconds)
        spent = self.windows.get(window, 0)
        if spent >= self.control["quota"]:
            left = max(1, int((window + 1) * seconds - time.monotonic()))
            raise Refusal(429, "Throttled", "Too many requests", headers=[("Retry-After", str(left))])
        self.windows[window] = spent + 1

    # Bundles.

    def attributes(self, version):
        level = "Recoverable" if self.control["purge_protected"] else "Recoverable+Purgeable"
        return {
            "enabled": version["enabled"],
            "created": version["created"],
            "updated": version["updated"],
            "recoveryLevel": level,
            "recoverableDays": 90,
        }

    def bundle(self, name, version, base, value):
        bundle = {
            "id": f"{base}/secrets/{name}/{version['version']}",
            "attributes": self.attributes(version),
            "tags": version["tags"],
        }
        if version["contentType"]:
            bundle["contentType"] = version["contentType"]
        if value:
            bundle["value"] = version["value"]
        return bundle

    def deleted_bundle(self, name, base):
        entry = self.deleted[name.lower()]
        now = int(time.time())
        bundle = self.bundle(name, entry["versions"][-1], base, False)
        bundle["recoveryId"] = f"{base}/deletedsecrets/{name}"
        bundle["deletedDate"] = now
        bundle["scheduledPurgeDate"] = now + 90 * 86400
        return bundle

    def found(self, name):
        versions = self.secrets.get(name.lower())
        if versions is None:
            text = f"A secret with (name/id) {name} was not found in this key vault."
            raise Refusal(404, "SecretNotFound", text)
        return versions

    def await_deletion(self, name):
        """Returns 409 during a deletion. Each request shortens the deletion."""
        if self.is_under_way(name):
            text = f"Secret {name} is currently being deleted."
            raise Refusal(409, "Conflict", text, "ObjectIsBeingDeleted")

    def is_under_way(self, name):
        entry = self.deleted.get(name.lower())
        if entry and entry["polls"] > 0:
            entry["polls"] -= 1
            return True
        return bool(entry) and time.monotonic() < entry["until"]

    # Secrets.

    def set(self, name, body, base):
        self.permit("set")
        if set(body) - SECRET_FIELDS - {"name"}:
            raise Refusal(400, "BadParameter", "The request has an unknown property")
        value, tags = body.get("value"), body.get("tags") or {}
        if not isinstance(value, str):
            raise Refusal(400, "BadParameter", "Property value is required")
        if len(value.encode()) > MAX_VALUE_BYTES:
            raise Refusal(400, "BadParameter", "Property value exceeds the allowed size")
        too_long = any(
            len(text.encode("utf-16-le")) // 2 > MAX_TAG_CHARS or not key
            for key, tag in tags.items()
            for text in (key, tag)
        )
        if len(tags) > MAX_TAGS or too_long:
            raise Refusal(400, "BadParameter", "Tags are invalid")
        if len(body.get("contentType") or "") > 255:
            raise Refusal(400, "BadParameter", "Content type is invalid")
        self.await_deletion(name)
        if name.lower() in self.deleted:
            text = f"Secret {name} is currently in a deleted but recoverable state."
            raise Refusal(409, "Conflict", text, "ObjectIsDeletedButRecoverable")
        now = int(time.time())
        version = {
            "version": secrets.token_hex(16),
            "value": value,
            "tags": tags,
            "contentType": body.get("contentType"),
            "enabled": (body.get("attributes") or {}).get("enabled", True),
            "created": now,
            "updated": now,
        }
        self.secrets.setdefault(name.lower(), []).append(version)
        return 200, self.bundle(name, version, base, True), {}

    def get(self, name, wanted, base):
        self.permit("get")
        versions = self.found(name)
        version = versions[-1]
        if wanted:
            matching = [each for each in versions if each["version"] == wanted]
            if not matching:
                text = f"A secret with (name/id) {name}/{wanted} was not found in this key vault."
                raise Refusal(404, "SecretNotFound", text)
            version = matching[0]
        if not version["enabled"]:
            text = "Operation get is not allowed on a disabled secret."
            raise Refusal(403, "Forbidden", text, "SecretDisabled")
        return 200, self.bundle(name, version, base, True), {}

    def update(self, name, wanted, body, base):
        self.permit("set")
        matching = [each for each in self.found(name) if each["version"] == wanted]
        if not matching:
            raise Refusal(404, "SecretNotFound", "no such version")
        version = matching[0]
        version["enabled"] = (body.get("attributes") or {}).get("enabled", version["enabled"])
        version["tags"] = body.get("tags", version["tags"])
        version["updated"] = int(time.time())
        return 200, self.bundle(name, version, base, False), {}

    def page(self, items, path, query, base):
        count = int(query.get("maxresults", PAGE))
        if not 1 <= count <= PAGE:
            raise Refusal(400, "BadParameter", "maxresults must be between 1 and 25")
        start = int(query.get("$skiptoken", 0))
        answer = {"value": items[start : start + count], "nextLink": None}
        if start + count < len(items):
            base = self.control["next_link_base"] or base
            version = quote(query["api-version"])
            answer["nextLink"] = (
                f"{base}{path}?api-version={version}&$skiptoken={start + count}&maxresults={count}"
            )
        return 200, answer, {}

    def versions(self, name, query, base):
        self.permit("list")
        if name.lower() not in self.secrets and self.control["absent_versions"] == 200:
            return 200, {"value": [], "nextLink": None}, {}
        # The service documents no order of versions.
        versions = sorted(self.found(name), key=lambda version: version["version"])
        items = [self.bundle(name, version, base, False) for version in versions]
        return self.page(items, f"/secrets/{name}/versions", query, base)

    def list(self, query, base):
        self.permit("list")
        items = []
        for name in sorted(self.secrets):
            item = self.bundle(name, self.secrets[name][-1], base, False)
            item["id"] = f"{base}/secrets/{name}"
            items.append(item)
        return self.page(items, "/secrets", query, base)

    def list_deleted(self, query, base):
        self.permit("list")
        items = []
        for name in sorted(self.deleted):
            item = self.deleted_bundle(name, base)
            item["id"] = f"{base}/secrets/{name}"
            items.append(item)
        return self.page(items, "/deletedsecrets", query, base)

    def delete(self, name, base):
        self.permit("delete")
        self.await_deletion(name)
        versions = self.found(name)
        del self.secrets[name.lower()]
        polls = self.control["deletion_polls"]
        until = time.monotonic() + self.control["deletion_seconds"]
        self.deleted[name.lower()] = {"versions": versions, "polls": polls, "until": until}
        return 200, self.deleted_bundle(name, base), {}

    def found_deleted(self, name):
        if name.lower() not in self.deleted:
            raise Refusal(404, "SecretNotFound", f"Deleted Secret not found: {name}")

    def get_deleted(self, name, base):
        self.permit("get")
        self.found_deleted(name)
        if self.is_under_way(name):
            raise Refusal(404, "SecretNotFound", f"Deleted Secret not found: {name}")
        return 200, self.deleted_bundle(name, base), {}

    def purge(self, name):
        self.permit("purge")
        self.found_deleted(name)
        self.await_deletion(name)
        if self.control["purge_protected"]:
            text = "Operation purge is not allowed because purge protection is enabled."
            raise Refusal(403, "Forbidden", text)
        del self.deleted[name.lower()]
        return 204, None, {}

    def recover(self, name, base):
        self.permit("recover")
        self.found_deleted(name)
        self.await_deletion(name)
        versions = self.deleted.pop(name.lower())["versions"]
        self.secrets[name.lower()] = versions
        return 200, self.bundle(name, versions[-1], base, False), {}

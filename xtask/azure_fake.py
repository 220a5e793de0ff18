"""A fake of Azure Key Vault: a vault, and who gives out tokens for it.

`azure_fake.py FOLDER` reads FOLDER/options.json, writes FOLDER/ca.pem and
FOLDER/ports.json, prints `ready`, and serves until it is killed: the vault and
the authority over HTTPS, managed identities, GitHub's tokens and `/control`
over plain HTTP.

It enforces what the vendor documents, and nothing is kept but in memory.
"""

import base64
import datetime
import ipaddress
import json
import os
import re
import secrets
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

RESOURCE = "https://vault.azure.net"
MAX_VALUE_BYTES = 25600
MAX_TAGS = 15
MAX_TAG_CHARS = 256
PAGE = 25
NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
# Permissions that nobody has unless a test grants them: the provider asks
# practitioners for neither.
EXTRAS = {"purge", "recover"}


class Refusal(Exception):
    def __init__(self, status, code, message, inner=None, headers=()):
        super().__init__(message)
        error = {"code": code, "message": message}
        if inner:
            error["innererror"] = {"code": inner}
        self.answer = (status, {"error": error}, dict(headers))


class Authority:
    """Entra ID, as far as applications go."""

    def __init__(self, options):
        self.options = options
        self.client_secrets = {options["client_secret"]}
        self.tokens = {}
        self.issued = 0
        self.machine_requests = 0

    def issue(self, tenant, resource):
        token = f"fake-{secrets.token_hex(24)}"
        self.tokens[token] = (tenant, resource)
        self.issued += 1
        return token

    def token(self, tenant, form):
        options = self.options
        if tenant not in (options["tenant_id"], options["other_tenant_id"]):
            return self.refuse(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form.get("client_id") != options["client_id"]:
            return self.refuse(
                400, "unauthorized_client", 700016, "Application was not found in the directory."
            )
        if form.get("grant_type") != "client_credentials":
            return self.refuse(400, "unsupported_grant_type", 70003, "Unsupported grant type.")
        if "client_assertion" in form:
            if form["client_assertion"].strip() != options["assertion"]:
                return self.refuse(
                    400, "invalid_request", 700213, "No matching federated identity record found."
                )
        elif form.get("client_secret") not in self.client_secrets:
            return self.refuse(401, "invalid_client", 7000215, "Invalid client secret provided.")
        scope = form.get("scope", "")
        if not scope.endswith("/.default"):
            return self.refuse(400, "invalid_scope", 70011, "The scope is not valid.")
        token = self.issue(tenant, scope.removesuffix("/.default"))
        return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token}, {}

    @staticmethod
    def refuse(status, error, code, text):
        trace = "00000000-0000-0000-0000-000000000000"
        return (
            status,
            {
                "error": error,
                "error_description": f"AADSTS{code}: {text} Trace ID: {trace}",
                "error_codes": [code],
                "trace_id": trace,
                "correlation_id": trace,
            },
            {},
        )

    def discovery(self, base, tenant):
        prefix = f"{base}/{tenant}/oauth2/v2.0"
        document = {
            "token_endpoint": f"{prefix}/token",
            "authorization_endpoint": f"{prefix}/authorize",
            "issuer": f"{base}/{tenant}/v2.0",
        }
        return 200, document, {}

    def managed(self, query, headers, secret):
        if secret is not None and headers.get("X-IDENTITY-HEADER") != secret:
            return 401, {"statusCode": 401, "message": "unauthorized"}, {}
        if secret is None and headers.get("Metadata") != "true":
            text = "Required metadata header not specified"
            return 400, {"error": "invalid_request", "error_description": text}, {}
        known = self.options["managed_client_id"]
        if not known or query.get("client_id", known) != known:
            return 400, {"error": "invalid_request", "error_description": "Identity not found"}, {}
        token = self.issue(self.options["tenant_id"], query.get("resource", ""))
        answer = {
            "access_token": token,
            "expires_on": str(int(time.time()) + 3599),
            "resource": query.get("resource", ""),
            "token_type": "Bearer",
        }
        return 200, answer, {}


class Vault:
    def __init__(self, options, authority):
        self.options = options
        self.authority = authority
        self.secrets = {}
        self.deleted = {}
        self.keys = {}
        self.log = []
        self.control = {
            # Permissions that are denied, and how: {"set": "ForbiddenByRbac"}.
            "deny": {},
            # Which of the extras are granted.
            "grant": [],
            # Requests for which a deletion is under way.
            "deletion_polls": 0,
            # Statuses of the next answers, without anything being done.
            "answers": [],
            # The next requests of this method are done, and not answered.
            "lose": {},
            # What a list of no versions is: 404, or 200 and empty.
            "absent_versions": 404,
            "purge_protected": False,
            "challenge_resource": RESOURCE,
            # Where further pages are, if not here.
            "next_link_base": None,
            # What a machine's own identity service answers with, if not tokens.
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
        if permission in EXTRAS and permission not in self.control["grant"]:
            inner = inner or "ForbiddenByRbac"
        if inner == "ForbiddenByFirewall":
            text = "Client address is not authorized and caller is not a trusted service."
            raise Refusal(403, "Forbidden", text, inner)
        if inner:
            text = f"The user, group or application does not have secrets {permission} permission."
            raise Refusal(403, "Forbidden", text, inner)

    def serve(self, method, path, query, body, headers, base):
        self.authorize(headers, base)
        if "api-version" not in query:
            raise Refusal(400, "BadParameter", "api-version must be specified")
        parts = [part for part in path.split("/") if part]
        collection, rest = parts[0], parts[1:]
        if rest and not NAME.fullmatch(rest[0]):
            raise Refusal(400, "BadParameter", f"The request URI contains an invalid name: {rest[0]}")
        kind = (method, collection, len(rest))
        if collection == "keys":
            return self.key(method, rest, body, base)
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
        """Refuses while a deletion is under way, which each request brings nearer."""
        entry = self.deleted.get(name.lower())
        if entry and entry["polls"] > 0:
            entry["polls"] -= 1
            text = f"Secret {name} is currently being deleted."
            raise Refusal(409, "Conflict", text, "ObjectIsBeingDeleted")

    # Secrets.

    def set(self, name, body, base):
        self.permit("set")
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
        # In no order that anybody may rely on.
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
        self.deleted[name.lower()] = {"versions": versions, "polls": polls}
        return 200, self.deleted_bundle(name, base), {}

    def found_deleted(self, name):
        if name.lower() not in self.deleted:
            raise Refusal(404, "SecretNotFound", f"Deleted Secret not found: {name}")

    def get_deleted(self, name, base):
        self.permit("get")
        self.found_deleted(name)
        entry = self.deleted[name.lower()]
        if entry["polls"] > 0:
            entry["polls"] -= 1
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

    # Keys, as far as wrapping goes.

    def key(self, method, rest, body, base):
        if method == "POST" and rest[1:] == ["create"]:
            self.permit("create")
            key = rsa.generate_private_key(65537, int(body.get("key_size", 2048)))
            versions = self.keys.setdefault(rest[0].lower(), {})
            version = secrets.token_hex(16)
            versions[version] = key
            return 200, {"key": {"kid": f"{base}/keys/{rest[0]}/{version}", "kty": "RSA"}}, {}
        versions = self.keys.get(rest[0].lower()) if rest else None
        if not versions:
            raise Refusal(404, "KeyNotFound", "A key with this name was not found.")
        version = rest[1] if len(rest) > 1 else list(versions)[-1]
        key = versions.get(version)
        if key is None:
            raise Refusal(404, "KeyNotFound", "A key with this version was not found.")
        kid = f"{base}/keys/{rest[0]}/{version}"
        if method == "GET":
            self.permit("get")
            return 200, {"key": {"kid": kid, "kty": "RSA"}, "attributes": {"enabled": True}}, {}
        if method != "POST" or rest[2:] not in (["wrapkey"], ["unwrapkey"]):
            raise Refusal(404, "NotFound", "no such resource")
        if body.get("alg") != "RSA-OAEP-256":
            raise Refusal(400, "BadParameter", "the algorithm is not supported")
        self.permit(rest[2])
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        value = base64.urlsafe_b64decode(body["value"] + "==")
        if rest[2] == "wrapkey":
            value = key.public_key().encrypt(value, oaep)
        else:
            try:
                value = key.decrypt(value, oaep)
            except ValueError:
                raise Refusal(400, "BadParameter", "the value cannot be unwrapped") from None
        value = base64.urlsafe_b64encode(value).rstrip(b"=").decode()
        return 200, {"kid": kid, "value": value}, {}


LOCK = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered, and flushed after each answer.
    wbufsize = -1
    vault = None
    authority = None

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        base = f"{self.scheme}://{self.headers.get('Host')}"
        with LOCK:
            answer = self.route(url.path, query, raw, base)
        if answer is None:
            self.close_connection = True
            return
        status, body, headers = answer
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if data:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

    def log_message(self, *_):
        pass


class Secure(Handler):
    """The vault, and the authority."""

    scheme = "https"

    def route(self, path, query, raw, base):
        token = re.fullmatch(r"/([^/]+)/oauth2/v2\.0/token", path)
        if token and self.command == "POST":
            form = {key: values[0] for key, values in parse_qs(raw.decode()).items()}
            return self.authority.token(token[1], form)
        discovery = re.fullmatch(r"/([^/]+)/v2\.0/\.well-known/openid-configuration", path)
        if discovery:
            return self.authority.discovery(base, discovery[1])
        return self.ask_vault(path, query, raw, base)

    def ask_vault(self, path, query, raw, base):
        control = self.vault.control
        authenticated = "Authorization" in self.headers
        losing = authenticated and control["lose"].get(self.command, 0) > 0
        if authenticated and control["answers"] and not losing:
            status = control["answers"].pop(0)
            error = {"error": {"code": "Injected", "message": "asked for"}}
            answer = (status, error, {"Retry-After": "0"} if status in (429, 503) else {})
        else:
            try:
                body = json.loads(raw) if raw else {}
                answer = self.vault.serve(self.command, path, query, body, self.headers, base)
            except Refusal as refusal:
                answer = refusal.answer
        entry = {"method": self.command, "path": path, "status": answer[0]}
        self.vault.log.append(entry | {"authenticated": authenticated})
        if losing:
            control["lose"][self.command] -= 1
            return None
        return answer


class Plain(Handler):
    """Managed identities, GitHub's tokens, and the control of it all."""

    scheme = "http"

    def route(self, path, query, raw, base):
        options = self.authority.options
        machine = path in ("/msi/token", "/metadata/identity/oauth2/token")
        # Without its header it is only asked whether it is there.
        asked = path == "/msi/token" or self.headers.get("Metadata") == "true"
        if machine and asked:
            self.authority.machine_requests += 1
            if self.vault.control["machine_status"]:
                return self.vault.control["machine_status"], {"error": "asked for"}, {}
        if path == "/msi/token":
            return self.authority.managed(query, self.headers, options["identity_header"])
        if path == "/metadata/identity/oauth2/token":
            return self.authority.managed(query, self.headers, None)
        if path == "/actions/id-token":
            if self.headers.get("Authorization") != f"Bearer {options['actions_token']}":
                return 401, {"message": "unauthorized"}, {}
            if query.get("audience") != "api://AzureADTokenExchange":
                return 400, {"message": "another audience"}, {}
            return 200, {"value": options["assertion"]}, {}
        if path == "/control" and self.command == "POST":
            for key, value in json.loads(raw).items():
                assert key in self.vault.control, key
                self.vault.control[key] = value
            return 200, self.vault.control, {}
        if path == "/control/issue-token":
            return 200, {"token": self.authority.issue(options["tenant_id"], RESOURCE)}, {}
        if path == "/control/client-secrets" and self.command == "POST":
            body = json.loads(raw)
            self.authority.client_secrets.update(body["add"])
            self.authority.client_secrets.difference_update(body["remove"])
            return 200, {}, {}
        if path == "/control/expire-tokens" and self.command == "POST":
            self.authority.tokens.clear()
            return 200, {}, {}
        if path == "/control/state":
            state = {
                "secrets": self.vault.secrets,
                "deleted": self.vault.deleted,
                "requests": self.vault.log,
                "tokens_issued": self.authority.issued,
                "tokens": sorted(self.authority.tokens),
                "machine_requests": self.authority.machine_requests,
            }
            return 200, state, {}
        if path == "/control/secret" and self.command == "POST":
            body = json.loads(raw)
            if not NAME.fullmatch(body["name"]):
                return 400, {"error": "an invalid name"}, {}
            try:
                return self.vault.set(body["name"], body, "https://control")
            except Refusal as refusal:
                return refusal.answer
        if path == "/control/remove" and self.command == "POST":
            name = json.loads(raw)["name"].lower()
            self.vault.secrets.pop(name, None)
            self.vault.deleted.pop(name, None)
            return 200, {}, {}
        if path == "/control/disable" and self.command == "POST":
            body = json.loads(raw)
            for version in self.vault.secrets[body["name"].lower()]:
                if version["version"] == body["version"]:
                    version["enabled"] = body["enabled"]
            return 200, {}, {}
        return 404, {"error": "not found"}, {}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """A client that hangs up is no matter."""


def certificate(folder):
    """Makes an authority and a certificate for loopback; returns its files."""
    now = datetime.datetime.now(datetime.timezone.utc)
    days = datetime.timedelta(days=2)

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def builder(subject, issuer, key, issuer_key, usage):
        ski = x509.SubjectKeyIdentifier.from_public_key
        aki = x509.AuthorityKeyIdentifier.from_issuer_public_key
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - days)
            .not_valid_after(now + days)
            .add_extension(ski(key.public_key()), False)
            .add_extension(aki(issuer_key.public_key()), False)
            .add_extension(usage, True)
        )

    def usage(**on):
        names = (
            "digital_signature content_commitment key_encipherment data_encipherment"
            " key_agreement key_cert_sign crl_sign encipher_only decipher_only"
        )
        return x509.KeyUsage(**{key: on.get(key, False) for key in names.split()})

    root = ec.generate_private_key(ec.SECP256R1())
    authority = (
        builder("fake authority", "fake authority", root, root, usage(key_cert_sign=True))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(root, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    addresses = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
    ]
    leaf = (
        builder("fake vault", "fake authority", key, root, usage(digital_signature=True))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.SubjectAlternativeName(addresses), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(root, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    pkcs8 = serialization.PrivateFormat.PKCS8
    files = {
        "ca.pem": authority.public_bytes(pem),
        "cert.pem": leaf.public_bytes(pem),
        "key.pem": key.private_bytes(pem, pkcs8, serialization.NoEncryption()),
    }
    for file, content in files.items():
        with open(os.path.join(folder, file), "wb") as out:
            out.write(content)
    return os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")


def main(folder):
    with open(os.path.join(folder, "options.json"), encoding="utf-8") as file:
        options = json.load(file)
    Handler.authority = Authority(options)
    Handler.vault = Vault(options, Handler.authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder))
    secure = Server(("127.0.0.1", 0), Secure)
    # The handshake is the connection's own thread's: none waits for another's.
    secure.socket = context.wrap_socket(
        secure.socket, server_side=True, do_handshake_on_connect=False
    )
    plain = Server(("127.0.0.1", 0), Plain)
    ports = {"https": secure.server_address[1], "http": plain.server_address[1]}
    with open(os.path.join(folder, "ports.json"), "w", encoding="utf-8") as file:
        json.dump(ports, file)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    print("ready", flush=True)
    secure.serve_forever()


main(sys.argv[1])

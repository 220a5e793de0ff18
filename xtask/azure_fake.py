"""A fake of Azure Key Vault: a vault, and the authority that issues its tokens.

`azure_fake.py FOLDER` reads FOLDER/options.json, writes FOLDER/ca.pem and
FOLDER/ports.json, prints `ready`, and serves until the process that started it ends. It serves the
vault and the authority over HTTPS. It serves managed identities, GitHub's tokens
and `/control` over plain HTTP.

It enforces the vendor's documented rules, and keeps all data in memory. API:
https://learn.microsoft.com/rest/api/keyvault/secrets,
https://learn.microsoft.com/rest/api/keyvault/keys
"""

import json
import os
import re
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from azure_authority import RESOURCE, Authority, Refusal
from azure_certificate import certificate
from azure_vault import NAME, Vault
from end_with_parent import end_with_parent

LOCK = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered. The base class flushes it after each response.
    wbufsize = -1
    vault = None
    authority = None

    def handle_any(self):
        length = self.headers.get("Content-Length")
        if length is None and self.command in ("PUT", "POST", "PATCH"):
            # Key Vault's front end, HTTP.sys, returns 411 without a Content-Length.
            self.close_connection = True
            self.send_response(411, "Length Required")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        raw = self.rfile.read(int(length or 0))
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
    """Serves the vault and the authority."""

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
    """Serves managed identities, GitHub's tokens, and the control endpoint."""

    scheme = "http"

    def route(self, path, query, raw, base):
        options = self.authority.options
        machine = path in ("/msi/token", "/metadata/identity/oauth2/token")
        # A request without the header only probes for the endpoint.
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
        if path == "/control/token" and self.command == "POST":
            known = self.authority.tokens.get(json.loads(raw)["token"], (None, None))
            return 200, {"tenant": known[0], "resource": known[1]}, {}
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
        if path == "/control/key" and self.command == "POST":
            body = json.loads(raw)
            parts = body["path"].split("/")
            keys, given = self.vault.keys, body.get("body") or {}
            try:
                return keys.serve(
                    body["method"], parts[0], parts[1:], given, body["base"], lambda _: None
                )
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
        """Ignores clients that close the connection."""


def main(folder):
    end_with_parent()
    with open(os.path.join(folder, "options.json"), encoding="utf-8") as file:
        options = json.load(file)
    Handler.authority = Authority(options)
    Handler.vault = Vault(options, Handler.authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder))
    secure = Server(("127.0.0.1", 0), Secure)
    # Each connection's thread does its own handshake, so no client blocks another.
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

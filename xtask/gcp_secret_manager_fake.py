"""A fake of Google Cloud's Secret Manager for tests: REST, in memory. It serves
`gcp_kms_fake.py`, a fake of Cloud KMS, at the same address.

It follows Google's documentation of names, labels, sizes, checksums, states,
etags, paging, google.rpc.Status errors, bearer tokens, unknown fields, and the
required length of a POST. On request it enforces quotas in fixed windows, delays
eventually consistent reads, and delays grants. It also serves the token endpoints:
OAuth, STS, and IAM's generateAccessToken. Tests control it under /fake/. It writes
its address to the file `address`, and prints when it listens.

https://cloud.google.com/secret-manager/docs/reference/rest
"""

import base64
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import gcp_kms_fake
from end_with_parent import end_with_parent
from gcp_federation import Federation
from gcp_identity import Denied, Identity
from gcp_status import Refusal, crc32c, require

PAYLOAD_LIMIT = 65536
LABEL_KEY = re.compile(r"[^\W\d_A-Z][\w-]{0,62}")
LABEL_VALUE = re.compile(r"[\w-]{0,63}")
ANNOTATION = re.compile(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
SECRET = r"/v1/projects/(?P<project>[^/]+)/secrets"
VERSION = SECRET + r"/(?P<secret>[^/:]+)/versions"
ROUTES = [
    ("POST", SECRET, "CreateSecret", "secretmanager.secrets.create"),
    ("GET", SECRET, "ListSecrets", "secretmanager.secrets.list"),
    ("GET", SECRET + r"/(?P<secret>[^/:]+)", "GetSecret", "secretmanager.secrets.get"),
    ("DELETE", SECRET + r"/(?P<secret>[^/:]+)", "DeleteSecret", "secretmanager.secrets.delete"),
    ("POST", SECRET + r"/(?P<secret>[^/:]+):addVersion", "AddSecretVersion", "secretmanager.versions.add"),
    ("GET", VERSION, "ListSecretVersions", "secretmanager.versions.list"),
    ("GET", VERSION + r"/(?P<version>[^/:]+)", "GetSecretVersion", "secretmanager.versions.get"),
    ("GET", VERSION + r"/(?P<version>[^/:]+):access", "AccessSecretVersion", "secretmanager.versions.access"),
    ("POST", VERSION + r"/(?P<version>[^/:]+):disable", "DisableSecretVersion", "secretmanager.versions.disable"),
    ("POST", VERSION + r"/(?P<version>[^/:]+):enable", "EnableSecretVersion", "secretmanager.versions.enable"),
    ("POST", VERSION + r"/(?P<version>[^/:]+):destroy", "DestroySecretVersion", "secretmanager.versions.destroy"),
]
# The fields that each request accepts, in its query and its body.
QUERIES = {
    "CreateSecret": {"secretId"},
    "DeleteSecret": {"etag"},
    "ListSecrets": {"pageSize", "pageToken", "filter"},
    "ListSecretVersions": {"pageSize", "pageToken", "filter"},
}
# The parameters of every method: https://cloud.google.com/apis/docs/system-parameters
SYSTEM_PARAMETERS = {"alt", "$alt", "key", "prettyPrint", "quotaUser", "fields", "$fields"}
BODIES = {
    "CreateSecret": {"labels", "annotations", "replication", "topics", "expireTime", "ttl",
                     "rotation", "versionAliases", "versionDestroyTtl", "tags"},
    "AddSecretVersion": {"payload"},
    "DisableSecretVersion": {"etag"},
    "EnableSecretVersion": {"etag"},
    "DestroySecretVersion": {"etag"},
}
READS = {"GetSecret", "ListSecrets", "GetSecretVersion", "ListSecretVersions"}
QUERIES |= gcp_kms_fake.QUERIES
BODIES |= gcp_kms_fake.BODIES
ROUTES = [
    (method, re.compile(path), name, grant)
    for method, path, name, grant in ROUTES + gcp_kms_fake.ROUTES
]


class SecretManager:
    """The projects' secrets, and the operations on them."""

    def __init__(self):
        self.secrets = {}
        self.clock = 0
        self.behind = 0
        # The delay until eventually consistent reads return a new resource. An access
        # by number has none:
        # https://cloud.google.com/secret-manager/docs/reference/consistency
        self.lag = 0.0
        self.born = {}

    def is_known(self, *what):
        return time.monotonic() - self.born.get(what, 0.0) >= self.lag

    def stamp(self):
        """Returns a unique time and a unique etag."""
        self.clock = max(self.clock + 1, time.time_ns() // 1000 - self.behind)
        seconds, micros = divmod(self.clock, 1_000_000)
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        return f"{text}.{micros:06d}Z", f'"{self.clock:x}"'

    def secret(self, at):
        secret = self.secrets.get((at["project"], at["secret"]))
        if secret is None:
            raise Refusal("NOT_FOUND", f"Secret [{at['secret']}] not found.")
        return secret

    def version(self, at):
        versions = self.secret(at)["versions"]
        number = len(versions) if at["version"] == "latest" else at["version"]
        require(str(number).isdigit(), "The version is no number.")
        if not 1 <= int(number) <= len(versions):
            raise Refusal("NOT_FOUND", f"Secret Version [{number}] not found.")
        return versions[int(number) - 1]

    def CreateSecret(self, at, query, body):
        name = query.get("secretId", "")
        require(re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name), "The secretId is invalid.")
        labels, annotations = body.get("labels", {}), body.get("annotations", {})
        require(len(labels) <= 64, "There are more than 64 labels.")
        for key, value in labels.items():
            fits = LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value)
            lower = key == key.lower() and value == value.lower()
            short = len(key.encode()) <= 128 and len(value.encode()) <= 128
            require(fits and lower and short, f"The label {key} is invalid.")
        for key in annotations:
            require(ANNOTATION.fullmatch(key), f"The annotation {key} is invalid.")
        size = sum(len(part.encode()) for pair in annotations.items() for part in pair)
        require(size < 16384, "The annotations are too large.")
        replication = body.get("replication", {})
        replicas = replication.get("userManaged", {}).get("replicas", [])
        require("automatic" in replication or replicas, "The replication is missing.")
        for replica in replicas:
            fits = re.fullmatch(r"[a-z]+-[a-z]+\d+", replica.get("location", ""))
            require(fits, "There is no such location.")
        if (at["project"], name) in self.secrets:
            raise Refusal("ALREADY_EXISTS", f"Secret [{name}] already exists.")
        created, etag = self.stamp()
        secret = {
            # Google returns the project's number in place of its id.
            "name": f"projects/1234567890/secrets/{name}",
            "createTime": created,
            "etag": etag,
            "labels": labels,
            "annotations": annotations,
            "replication": replication,
            "versions": [],
        }
        self.secrets[at["project"], name] = secret
        self.born[at["project"], name] = time.monotonic()
        return shown(secret)

    def ListSecrets(self, at, query, body):
        all = [secret for (project, _), secret in self.secrets.items() if project == at["project"]]
        return page("secrets", sorted(map(shown, all), key=lambda s: s["name"]), query)

    def GetSecret(self, at, query, body):
        if not self.is_known(at["project"], at["secret"]):
            raise Refusal("NOT_FOUND", f"Secret [{at['secret']}] not found.")
        return shown(self.secret(at))

    def DeleteSecret(self, at, query, body):
        check_etag(self.secret(at), query.get("etag"))
        del self.secrets[at["project"], at["secret"]]
        return {}

    def AddSecretVersion(self, at, query, body):
        secret = self.secret(at)
        payload = body.get("payload", {})
        try:
            data = base64.b64decode(payload.get("data", ""), validate=True)
        except ValueError:
            raise Refusal("INVALID_ARGUMENT", "The data is no Base64.") from None
        require(data, "The payload is empty.")
        require(len(data) <= PAYLOAD_LIMIT, "The payload is larger than 64 KiB.")
        given = payload.get("dataCrc32c")
        require(given is None or isinstance(given, str), "int64 is text in JSON.")
        require(given is None or int(given) == crc32c(data), "The checksum differs.")
        created, etag = self.stamp()
        version = {
            "name": f"{secret['name']}/versions/{len(secret['versions']) + 1}",
            "createTime": created,
            "etag": etag,
            "state": "ENABLED",
            "clientSpecifiedPayloadChecksum": given is not None,
            "data": data,
        }
        secret["versions"].append(version)
        self.born[version["name"],] = time.monotonic()
        return shown(version)

    def ListSecretVersions(self, at, query, body):
        versions = reversed(self.secret(at)["versions"])
        versions = [shown(version) for version in versions if self.is_known(version["name"])]
        return page("versions", versions, query)

    def GetSecretVersion(self, at, query, body):
        version = self.version(at)
        if not self.is_known(version["name"]):
            raise Refusal("NOT_FOUND", f"Secret Version [{at['version']}] not found.")
        return shown(version)

    def AccessSecretVersion(self, at, query, body):
        version = self.version(at)
        if version["state"] != "ENABLED":
            raise Refusal("FAILED_PRECONDITION", f"The version is {version['state']}.")
        data = version["data"]
        payload = {"data": base64.b64encode(data).decode(), "dataCrc32c": str(crc32c(data))}
        return {"name": version["name"], "payload": payload}

    def DisableSecretVersion(self, at, query, body):
        return self.change(at, body, "DISABLED")

    def EnableSecretVersion(self, at, query, body):
        return self.change(at, body, "ENABLED")

    def DestroySecretVersion(self, at, query, body):
        return self.change(at, body, "DESTROYED")

    def change(self, at, body, state):
        version = self.version(at)
        check_etag(version, body.get("etag"))
        if version["state"] == "DESTROYED":
            raise Refusal("FAILED_PRECONDITION", "The version is destroyed.")
        version["state"] = state
        _, version["etag"] = self.stamp()
        if state == "DESTROYED":
            version["data"] = None
            version["destroyTime"] = self.stamp()[0]
        return shown(version)


def shown(resource):
    return {key: value for key, value in resource.items() if key not in ("data", "versions")}


def check_etag(resource, given):
    if given not in (None, "", resource["etag"]):
        raise Refusal("FAILED_PRECONDITION", "The etag does not match.")


def page(name, all, query):
    size = int(query.get("pageSize") or 25000)
    start = int(query.get("pageToken") or 0)
    answer = {name: all[start : start + size], "totalSize": len(all)}
    if start + size < len(all):
        answer["nextPageToken"] = str(start + size)
    return answer


class Fake:
    """Secret Manager with its permissions, quotas and injected faults."""

    def __init__(self, address):
        self.lock = threading.RLock()
        self.store = SecretManager()
        self.keys = gcp_kms_fake.KeyManagement()
        self.identity = Identity(address)
        self.federation = Federation(self.identity)
        self.denied = set()
        self.faults = []
        self.requests = []
        self.tokens = set()
        self.connections = set()
        # The reads, writes and accesses that each window allows, and its seconds.
        self.quotas = {}
        self.window = 60.0
        self.windows = {}
        # Permissions that take effect at a later time.
        self.pending = {}
        # The only project that requests may be billed to; None for any project.
        self.quota_project = None

    def steer(self, path, body):
        if path == "/fake/key":
            return self.identity.key_file(body.get("email", "ci@acme.iam.gserviceaccount.com"))
        if path == "/fake/user":
            return self.identity.user_file(body["client_id"])
        if path == "/fake/workload":
            return self.federation.credentials_file(body["source"], body["account"])
        if path == "/fake/subject-token":
            return {"token": self.federation.subject_token(body)}
        if path == "/fake/traffic":
            return {"connections": len(self.connections), "asked": self.identity.asked}
        if path == "/fake/token":
            return {"token": self.identity.mint("tester")}
        if path == "/fake/quotas":
            self.window = body.pop("seconds", 60.0)
            self.quotas = body
            self.windows = {}
        elif path == "/fake/who":
            return {"who": self.identity.who(f"Bearer {body['token']}")}
        elif path == "/fake/lag":
            self.store.lag = body["seconds"]
        elif path == "/fake/grant-later":
            at = time.monotonic() + body["seconds"]
            self.pending = {permission: at for permission in body["permissions"]}
        elif path == "/fake/quota-project":
            self.quota_project = body["project"]
        elif path == "/fake/deny":
            self.denied = set(body["permissions"])
        elif path == "/fake/fault":
            self.faults.append(body)
        elif path == "/fake/deny-impersonation":
            self.identity.impersonation = body["status"]
        elif path == "/fake/clear-faults":
            self.faults.clear()
        elif path == "/fake/tokens":
            return {"tokens": sorted(self.tokens)}
        elif path == "/fake/clock":
            self.store.behind = body["seconds_behind"] * 1_000_000
        elif path == "/fake/forget-tokens":
            self.identity.issued.clear()
        elif path == "/fake/delete-key":
            del self.identity.keys[body["key"]]
        elif path == "/fake/end-destruction":
            self.keys.end_destruction()
        elif path == "/fake/import-only":
            self.keys.set_import_only(body["key"])
        elif path != "/fake/requests":
            raise Refusal("NOT_FOUND", path)
        return {"requests": self.requests}

    def fault(self, operation):
        for fault in self.faults:
            if fault["operation"] in (operation, "*") and fault["times"] > 0:
                fault["times"] -= 1
                return fault["do"]
        return None

    def spend(self, operation):
        """Rejects requests beyond their quota, in fixed windows of the clock.

        https://cloud.google.com/secret-manager/quotas
        """
        kind = "reads" if operation in READS else "writes"
        kind = "accesses" if operation == "AccessSecretVersion" else kind
        allowed = self.quotas.get(kind)
        if allowed is None or operation in gcp_kms_fake.OPERATIONS:
            return
        window = int(time.monotonic() / self.window)
        spent = self.windows.get((kind, window), 0)
        if spent >= allowed:
            text = f"Quota exceeded for quota metric '{kind}'."
            raise Refusal("RESOURCE_EXHAUSTED", text, "RATE_LIMIT_EXCEEDED")
        self.windows[kind, window] = spent + 1

    def authorize(self, permission, headers):
        pays = headers.get("x-goog-user-project")
        if self.quota_project and pays != self.quota_project:
            text = "Caller does not have required permission to use the project."
            raise Refusal("PERMISSION_DENIED", text, "USER_PROJECT_DENIED")
        pending = self.pending.get(permission, 0.0) > time.monotonic()
        if permission in self.denied or pending:
            message = f"Permission '{permission}' denied on resource (or it may not exist)."
            raise Refusal("PERMISSION_DENIED", message, "IAM_PERMISSION_DENIED")

    def answer(self, method, path, query, body, headers):
        """Returns the response, and the injected fault if it must be lost."""
        if path == "/token":
            return self.identity.oauth(body), None
        if path == "/v1/token":
            return self.federation.exchange(body), None
        if path.endswith(":generateAccessToken"):
            who = self.authenticate(headers, "GenerateAccessToken")
            self.requests.append({"operation": "GenerateAccessToken", "as": who})
            account = path.rpartition("/")[2].partition(":")[0]
            return self.impersonate(account, body), None
        for known, pattern, operation, permission in ROUTES:
            match = pattern.fullmatch(path)
            if known == method and match:
                break
        else:
            raise Refusal("NOT_FOUND", "There is no such method.")
        fault = self.fault(operation)
        if fault == "expire":
            self.requests.append({"operation": operation, "as": None})
            raise Refusal("UNAUTHENTICATED", "expired", "ACCESS_TOKEN_EXPIRED")
        who = self.authenticate(headers, operation)
        self.requests.append({"operation": operation, "as": who})
        for given, known in ((query, QUERIES), (body, BODIES)):
            extra = set(given) - known.get(operation, set())
            if given is query:
                extra -= SYSTEM_PARAMETERS
            require(not extra, f"Invalid JSON payload received. Unknown name {sorted(extra)}.")
        self.spend(operation)
        if isinstance(fault, dict):
            raise Refusal(fault["status"], "a fault", fault.get("reason"))
        self.authorize(permission, headers)
        service = self.keys if operation in gcp_kms_fake.OPERATIONS else self.store
        done = getattr(service, operation)(match.groupdict(), query, body)
        if service is self.keys:
            return gcp_kms_fake.spoiled(done, fault), fault
        if fault == "damage":
            data = bytearray(base64.b64decode(done["payload"]["data"]))
            data[-1] ^= 1
            done["payload"]["data"] = base64.b64encode(data).decode()
        return done, fault

    def authenticate(self, headers, operation):
        authorization = headers.get("authorization", "")
        token = authorization.rpartition(" ")[2]
        self.tokens.add(token)
        who = self.identity.who(authorization)
        if who is None:
            raise Refusal("UNAUTHENTICATED", "No valid token.", "CREDENTIALS_MISSING")
        if token in self.identity.of_iam and operation != "GenerateAccessToken":
            reason = "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
            raise Refusal("PERMISSION_DENIED", "Insufficient scopes.", reason)
        return who

    def impersonate(self, account, body):
        if self.identity.impersonation:
            raise Refusal(self.identity.impersonation, "impersonation")
        require(body.get("scope"), "The scope is missing.")
        return self.identity.impersonate(account)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Buffered, and flushed after each response. Two small writes would wait for an
    # acknowledgement that the client delays by 40 ms.
    disable_nagle_algorithm = True
    wbufsize = -1

    def serve(self):
        length = self.headers.get("content-length")
        if self.command in ("POST", "PUT", "PATCH") and length is None:
            # Google's front end returns 411 without a length:
            # https://cloud.google.com/storage/docs/json_api/v1/status-codes
            self.close_connection = True
            self.send_response(411)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        raw = self.rfile.read(int(length or 0))
        split = urlsplit(self.path)
        path = unquote(split.path)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        fake, status, fault = self.server.fake, 200, None
        try:
            if self.headers.get("content-type", "").startswith("application/x-www-form"):
                body = {key: values[0] for key, values in parse_qs(raw.decode()).items()}
            else:
                body = json.loads(raw or b"{}")
            with fake.lock:
                if path.startswith("/fake/"):
                    answer = fake.steer(path, body)
                else:
                    if path not in ("/token", "/v1/token"):
                        # The client's port identifies an open connection.
                        fake.connections.add(self.client_address)
                    answer, fault = fake.answer(self.command, path, query, body, self.headers)
        except (Refusal, Denied) as refusal:
            status, answer = refusal.http, refusal.body
        except ValueError:
            refusal = Refusal("INVALID_ARGUMENT", "The body is no JSON.")
            status, answer = refusal.http, refusal.body
        if fault == "lose":
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=UTF-8")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = do_PATCH = serve

    def log_message(self, format, *arguments):
        pass


def main():
    end_with_parent()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_port}"
    server.fake = Fake(address)
    with open("address", "w") as file:
        file.write(address)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())

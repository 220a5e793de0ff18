"""A strict front before moto, for tests. It enforces rules of AWS that moto lacks.

moto stores the secrets, the KMS keys, the objects and the assumed roles. The front
authenticates, authorizes and checks each request, and corrects moto's responses. It
follows AWS's API references:
https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html
https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html

Usage: moto_front.py FOLDER REGION. Serves that region only, and AWS KMS in a few more.
Listens on a free loopback port, writes it to FOLDER/port, and prints "listening". Ends
with the process that started it.

Tests configure access and faults below /_front/:

  POST keys          {"id", "secret", "token"?}
  POST roles         {"arn", "external_id"?}
  POST identities    {"token"}: web identity tokens
  POST policies      {"principal", "policy"}: replaces the permissions of an access
                     key, or of a role by its ARN; the default is the provider's
                     documented policy on every secret
  POST kms-keys      {"id"}: adds a KMS key for Secrets Manager, by the id that requests
                     use
  POST s3            {"do", "bucket", ...}: changes a bucket; see moto_s3.py
  POST kms           {"do", ...}: changes a key of AWS KMS; see moto_kms.py
  POST expired       {"id"}: expires an access key
  POST no-key        {"id"}: deletes an access key
  POST rules         {"action", "name", "code", "message"?, "status"?,
                      "times"?, "carry_out"?}; a status of 0 closes the connection
  POST no-rules      {}: removes all rules
  POST grant-after   {"principal", "seconds"}: denies all its requests until then
  POST lag           {"seconds"}: delay until actions other than CreateSecret find a
                     new secret
  POST quotas        {"seconds", ACTION: number, ...}: requests in each fixed window
  GET  requests?name "ACTION ACCESS_KEY STATUS" of each request for a name
  GET  connections?name  the number of connections of those requests
  GET  sessions      [secret access key, session token] of each issued session
"""

import base64
import io
import json
import os
import re
import socket
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.iam.models import iam_backends  # noqa: F401  (registers the backend)
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    create_backend_app,
)
from moto.secretsmanager.models import secretsmanager_backends

import moto_kms
import moto_s3
from end_with_parent import end_with_parent
from moto_access import ACCOUNT, Access, Refusal

REGION = sys.argv[2]
NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
# A key id, an alias, or the ARN of either.
KMS_KEY = re.compile(
    r"(arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:)?"
    r"(alias/[A-Za-z0-9/_-]+|(key/)?(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}))"
)
AWS_KEY = "alias/aws/secretsmanager"
MAX_VALUE_BYTES = 65_536
MAX_LABELS = 20
MARKED = (
    "You can't perform this operation on the secret because it was marked for deletion."
)

moto = DomainDispatcherApplication(create_backend_app)
# Serializes requests, so a put and its correction are one step.
lock = threading.RLock()
access = Access()
# The KMS keys besides AWS's own.
kms_keys = set()
rules = []
# Parts of the names of secrets whose versions are less than a day old.
young = set()
requests = []
# The creation time of each secret, and the delay until other actions find it.
born = {}
lag = 0.0
quotas = {"seconds": 1.0}
windows = {}


class Call:
    """A request of a client."""

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.service = "secretsmanager"
        self.region = REGION
        self.key = "-"
        # The principal of policies, and its name in AWS's messages.
        self.principal = self.user = "-"
        self.parameters = {}
        amz_target = headers.get("x-amz-target")
        if amz_target:
            service, self.action = amz_target.split(".")
            self.parameters = json.loads(body or b"{}")
            name = self.parameters.get("SecretId", self.parameters.get("Name", "-"))
            if service == "TrentService":
                self.service = "kms"
                name = moto_kms.name_of(self.parameters)
        elif (method, target) != ("POST", "/"):
            self.service = "s3"
            self.action, name = moto_s3.describe(self)
        else:
            self.service = "sts"
            form = urllib.parse.parse_qs(body.decode())
            self.parameters = {name: values[0] for name, values in form.items()}
            self.action = self.parameters.get("Action", "-")
            name = self.parameters.get("RoleArn", "-")
        self.name = name


# --- Secrets Manager


def secret_of(call):
    """Returns the secret of a request, by its name or its whole ARN."""
    wanted = call.parameters.get("SecretId", call.parameters.get("Name"))
    for secret in secretsmanager_backends[ACCOUNT][call.region].secrets.values():
        if wanted in (secret.name, secret.arn):
            return secret
    return None


def check(call):
    """Rejects requests that AWS rejects and moto accepts."""
    parameters, action = call.parameters, call.action
    if action == "ListSecrets":
        return
    secret = secret_of(call)
    if action == "CreateSecret":
        if not NAME.fullmatch(parameters.get("Name", "")):
            raise Refusal(
                "ValidationException",
                "Invalid name. Must be a valid name containing alphanumeric characters, "
                "or any of the following: -/_+=.@!",
            )
        key = parameters.get("KmsKeyId")
        if key is not None and not KMS_KEY.fullmatch(key):
            raise Refusal(
                "InvalidParameterException",
                "The operation failed because of an invalid KMS key: Invalid keyId",
            )
        if len(parameters.get("Description", "")) > 2048:
            raise too_long("description", 2048)
        if secret is not None and secret.is_deleted():
            raise Refusal(
                "InvalidRequestException",
                "You can't create this secret because a secret with this name is already "
                "scheduled for deletion.",
            )
    elif secret is None or time.monotonic() - born.get(secret.arn, 0.0) < lag:
        raise Refusal(
            "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
        )
    elif secret.is_deleted() and action in ("PutSecretValue", "GetSecretValue"):
        raise Refusal("InvalidRequestException", MARKED)
    elif (
        secret.is_deleted()
        and action == "DeleteSecret"
        and not parameters.get("ForceDeleteWithoutRecovery")
    ):
        raise Refusal("InvalidRequestException", MARKED)
    # A put uses the KMS key that the secret was created with.
    if action == "PutSecretValue" and secret.kms_key_id not in {None, AWS_KEY, *kms_keys}:
        raise Refusal(
            "EncryptionFailure",
            "Secrets Manager can't encrypt the secret value: Key "
            f"'{secret.kms_key_id}' does not exist (Service: AWSKMS; Status Code: 400; "
            "Error Code: NotFoundException)",
        )
    if len(base64.b64decode(parameters.get("SecretBinary", ""))) > MAX_VALUE_BYTES:
        raise too_long("secretBinary", MAX_VALUE_BYTES)
    stages = parameters.get("VersionStages")
    if stages is not None and not (
        1 <= len(stages) <= MAX_LABELS and all(1 <= len(s) <= 256 for s in stages)
    ):
        raise too_long("versionStages", MAX_LABELS)


def too_long(what, limit):
    return Refusal(
        "ValidationException",
        f"1 validation error detected: Value at '{what}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}",
    )


def stages_after(before, version, asked):
    """Returns the labels of each version after a put of `version` with `asked`."""
    if version in before:
        return before
    labels = list(asked or ["AWSCURRENT"])
    if not before and "AWSCURRENT" not in labels:
        labels.append("AWSCURRENT")
    after = {}
    for other, held in before.items():
        kept = [label for label in held if label not in labels]
        if "AWSCURRENT" in labels:
            kept = [label for label in kept if label != "AWSPREVIOUS"]
            if "AWSCURRENT" in held:
                kept.append("AWSPREVIOUS")
        after[other] = kept
    after[version] = labels
    if len({label for held in after.values() for label in held}) > MAX_LABELS:
        raise Refusal("LimitExceededException", "You have too many staging labels.")
    return after


def put(call):
    secret = secret_of(call)
    version = call.parameters["ClientRequestToken"]
    before = {id: list(v["version_stages"]) for id, v in secret.versions.items()}
    after = stages_after(before, version, call.parameters.get("VersionStages"))
    status, headers, body = forward(call)
    # AWS deletes versions without labels at a time of its choosing, and none of the last day:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
    # The front deletes them at once, except where a test asks for that day.
    is_kept = any(part in secret.name for part in young)
    if status == 200:
        for id in list(secret.versions):
            if id in after and (after[id] or is_kept):
                secret.versions[id]["version_stages"] = list(after[id])
            else:
                del secret.versions[id]
        answer = json.loads(body)
        answer["VersionStages"] = after[version]
        body = json.dumps(answer).encode()
    return status, headers, body


def forward(call):
    """Forwards a request to moto, and returns its response."""
    path, _, query = call.target.partition("?")
    environ = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_TYPE": call.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(call.body)),
    }
    for name, value in call.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    answer = {}

    def start(status, headers, exc_info=None):
        answer["status"] = int(status.split()[0])
        answer["headers"] = headers

    body = b"".join(moto(environ, start))
    status = answer["status"]
    # AWS returns 400 where moto returns 404, except for S3.
    is_missing = status == 404 and call.service != "s3"
    return 400 if is_missing else status, answer["headers"], body


# --- Control by tests


def spend(action):
    """Throttles requests beyond a quota, in fixed windows."""
    allowed = quotas.get(action)
    if allowed is None:
        return
    window = int(time.monotonic() / quotas["seconds"])
    spent = windows.get((action, window), 0)
    if spent >= allowed:
        raise Refusal("ThrottlingException", "Rate exceeded")
    windows[action, window] = spent + 1


def rule_for(call):
    for rule in rules:
        if (
            rule["action"] in (call.action, "*")
            and rule["name"] in call.name
            and rule.get("times", 1) > 0
        ):
            rule["times"] = rule.get("times", 1) - 1
            return rule
    return None


def control(method, target, body):
    path, _, query = target.removeprefix("/_front/").partition("?")
    told = json.loads(body or b"{}")
    if (method, path) == ("GET", "requests"):
        name = urllib.parse.parse_qs(query)["name"][0]
        return [line for about, line, _ in requests if name in about]
    if (method, path) == ("GET", "connections"):
        name = urllib.parse.parse_qs(query)["name"][0]
        return len({peer for about, _, peer in requests if name in about})
    if (method, path) == ("GET", "sessions"):
        return access.sessions()
    if path == "keys":
        access.keys[told["id"]] = (told["secret"], told.get("token"))
    elif path == "roles":
        access.roles[told["arn"]] = told.get("external_id")
    elif path == "identities":
        access.identities.add(told["token"])
    elif path == "policies":
        access.policies[told["principal"]] = told["policy"]
    elif path == "s3":
        return moto_s3.control(told, REGION)
    elif path == "kms":
        return moto_kms.control(told)
    elif path == "kms-keys":
        kms_keys.add(told["id"])
    elif path == "expired":
        access.expired.add(told["id"])
    elif path == "no-key":
        del access.keys[told["id"]]
    elif path == "rules":
        rules.append(told)
    elif path == "no-rules":
        rules.clear()
    elif path == "grant-after":
        access.granted_from[told["principal"]] = time.monotonic() + told["seconds"]
    elif path == "young":
        young.add(told["name"])
    elif path == "lag":
        global lag
        lag = told["seconds"]
    elif path == "quotas":
        quotas.clear()
        quotas.update(told)
        windows.clear()
    else:
        raise KeyError(path)
    return {}


def answer(call, peer):
    refusal = None
    try:
        is_kms = call.service == "kms"
        access.authenticate(call, moto_kms.REGIONS if is_kms else {REGION})
        is_secret = call.service == "secretsmanager"
        if is_kms:
            moto_kms.authorize(call, access)
        elif call.service == "s3":
            moto_s3.authorize(call, access)
        else:
            access.authorize(call, secret_of(call) if is_secret else None)
        if is_secret:
            spend(call.action)
        rule = rule_for(call)
        if rule is not None:
            if rule.get("carry_out"):
                serve(call)
            raise Refusal(
                rule["code"], rule.get("message", ""), rule.get("status", 400)
            )
        status, headers, body = serve(call)
    except Refusal as error:
        refusal = error
    if refusal is not None:
        status, headers, body = refused(call, refusal)
    requests.append((call.name, f"{call.action} {call.key} {status}", peer))
    return status, headers, body


def serve(call):
    if call.service == "kms":
        return moto_kms.serve(call, forward)
    if call.service == "s3":
        return moto_s3.serve(call, access, forward)
    if call.service == "secretsmanager":
        check(call)
        if call.action == "PutSecretValue":
            return put(call)
        if call.action == "CreateSecret":
            answer = forward(call)
            created = secret_of(call)
            if answer[0] == 200 and created is not None:
                born[created.arn] = time.monotonic()
            return answer
    return forward(call)


def refused(call, error):
    if call.service == "s3":
        return moto_s3.refused(call, error)
    if call.service == "sts":
        body = (
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
            f"<Type>Sender</Type><Code>{error.code}</Code><Message>{error.message}"
            "</Message></Error><RequestId>front-request</RequestId></ErrorResponse>"
        )
        return error.status, [("Content-Type", "text/xml")], body.encode()
    body = json.dumps({"__type": error.code, "message": error.message})
    headers = [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("x-amzn-RequestId", "front-request"),
    ]
    return error.status, headers, body.encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        length = self.headers.get("content-length")
        if length is None and self.command in ("POST", "PUT"):
            # AWS returns 411 MissingContentLength.
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\n\r\n")
            return
        body = self.rfile.read(int(length or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with lock:
            if self.path.startswith("/_front/"):
                told = control(self.command, self.path, body)
                status, sent, content = 200, [], json.dumps(told).encode()
            else:
                call = Call(self.command, self.path, headers, body)
                # The client's port identifies an open connection.
                status, sent, content = answer(call, self.client_address)
        if status == 0:
            self.close_connection = True
            return
        head = [f"HTTP/1.1 {status} -"]
        skipped = ("content-length", "connection", "transfer-encoding")
        head += [f"{name}: {v}" for name, v in sent if name.lower() not in skipped]
        length = len(content)
        if self.command == "HEAD":
            # The length of the object, whose content is not sent.
            lengths = [v for name, v in sent if name.lower() == "content-length"]
            length, content = (lengths or [length])[0], b""
        head += [f"content-length: {length}"] if status != 204 else []
        self.wfile.write("\r\n".join([*head, "", ""]).encode() + content)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    end_with_parent()
    server = Server(("127.0.0.1", 0), Handler)
    with open(os.path.join(sys.argv[1], "port"), "w") as file:
        file.write(str(server.server_port))
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

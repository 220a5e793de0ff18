"""Authentication and authorization of the front before moto: access keys and their
signatures, roles, web identities, policies."""

import datetime
import hashlib
import hmac
import re
import time

from moto.sts.models import sts_backends

ACCOUNT = "123456789012"
GRANTED = [
    "CreateSecret",
    "PutSecretValue",
    "GetSecretValue",
    "DescribeSecret",
    "DeleteSecret",
]
# The prefix of access keys that may also list, as a user of the console can.
READER = "AKIAREADER"


class Refusal(Exception):
    """An error that AWS returns."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Access:
    def __init__(self):
        self.keys = {}
        self.roles = {}
        self.identities = set()
        self.policies = {}
        self.expired = set()
        # The time at which a principal's grants take effect.
        self.granted_from = {}

    def authenticate(self, call, regions):
        if call.action == "AssumeRoleWithWebIdentity":
            if call.parameters.get("WebIdentityToken") not in self.identities:
                raise Refusal("InvalidIdentityToken", "The token is not valid.")
            return
        header = call.headers.get("authorization", "")
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
            r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
            header,
        )
        if not found:
            raise Refusal(
                "MissingAuthenticationTokenException", "Missing Authentication Token", 403
            )
        call.key, date, call.region, service, signed, signature = found.groups()
        if service != call.service:
            raise wrong_scope(call, "correct service", service)
        if call.region not in regions:
            raise wrong_scope(call, "valid region", call.region)
        known = self.known_key(call.key)
        token = call.headers.get("x-amz-security-token")
        if known is None or (known["token"] is not None and known["token"] != token):
            raise Refusal(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        stamp = call.headers.get("x-amz-date", "")
        at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(
            tzinfo=datetime.timezone.utc
        )
        skew = abs((datetime.datetime.now(datetime.timezone.utc) - at).total_seconds())
        if skew > 300 or not stamp.startswith(date):
            raise Refusal("InvalidSignatureException", "Signature expired.", 403)
        call.principal, call.user = known["principal"], known["user"]
        expected = sign(call, known["secret"], stamp, date, service, signed.split(";"))
        if not hmac.compare_digest(expected, signature):
            # AWS's message quotes the canonical request, including the token.
            raise Refusal(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you "
                f"provided. The Canonical String should have been x-amz-security-token:{token}",
                403,
            )
        if call.key in self.expired:
            raise Refusal(
                "ExpiredTokenException",
                "The security token included in the request is expired",
            )

    def known_key(self, key):
        if key in self.keys:
            secret, token = self.keys[key]
            user = f"arn:aws:iam::{ACCOUNT}:user/{key}"
            return {"secret": secret, "token": token, "principal": key, "user": user}
        for role in assumed_roles():
            if role.access_key_id == key:
                return {
                    "secret": role.secret_access_key,
                    "token": role.session_token,
                    "principal": role.role_arn,
                    "user": role.arn,
                }
        return None

    @staticmethod
    def sessions():
        """Returns the secrets of every issued session."""
        return [[role.secret_access_key, role.session_token] for role in assumed_roles()]

    def authorize(self, call, secret):
        if call.action == "GetCallerIdentity":
            # Requires no permission: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
            return
        if call.service == "sts":
            arn = call.parameters.get("RoleArn")
            wanted = self.roles.get(arn)
            # Both the role's trust policy and the caller's policy must allow it.
            trusted = arn in self.roles and wanted in (None, call.parameters.get("ExternalId"))
            is_signed = call.action == "AssumeRole"
            if not trusted or (is_signed and not self.allows(call, "sts:AssumeRole", arn)):
                raise Refusal("AccessDenied", "Not authorized to perform sts:AssumeRole", 403)
            return
        resource = resource_of(call, secret)
        for action in [call.action] + (["TagResource"] if call.parameters.get("Tags") else []):
            if not self.allows(call, f"secretsmanager:{action}", resource):
                raise denied(call, f"secretsmanager:{action}", call.name)

    def permit(self, call, action, arn, context, statements):
        """Permits a request to AWS KMS that the identity's policy or one of the statements
        of the key's policy allows, and none denies."""
        own = self.statements(call)
        named = [
            statement
            for statement in statements
            if statement.get("Principal") in ("*", {"AWS": call.user}, {"AWS": call.principal})
        ]
        effects = {
            statement["Effect"]
            for statement in own + named
            if applies(statement, action, arn, context)
        }
        if "Deny" in effects:
            reason = "with an explicit deny in an identity-based policy"
            raise denied(call, action, arn, reason)
        if "Allow" not in effects:
            raise denied(call, action, arn)

    def allows(self, call, action, resource):
        """Evaluates a policy. Supports only the elements that the tests use."""
        for statement in self.statements(call):
            if statement["Effect"] != "Allow":
                raise KeyError("a policy has what this front does not know")
            if applies(statement, action, resource):
                return True
        return False

    def statements(self, call):
        """Returns the statements of the principal's policies, once they take effect."""
        if time.monotonic() < self.granted_from.get(call.principal, 0.0):
            return []
        if call.principal in self.policies:
            return self.policies[call.principal]["Statement"]
        more = ["ListSecrets"] if call.key.startswith(READER) else []
        actions = [f"secretsmanager:{name}" for name in GRANTED + more]
        actions += ["sts:AssumeRole", "kms:*", "s3:*"]
        return [{"Effect": "Allow", "Action": actions, "Resource": "*"}]


def applies(statement, action, resource, context=None):
    if set(statement) - {"Effect", "Principal", "Action", "Resource", "Condition"}:
        raise KeyError("a policy has what this front does not know")
    actions, resources = (
        [each] if isinstance(each, str) else each
        for each in (statement["Action"], statement["Resource"])
    )
    conditions = dict(statement.get("Condition", {}))
    required = conditions.pop("StringEquals", {})
    prefix = "kms:EncryptionContext:"
    if conditions or any(not name.startswith(prefix) for name in required):
        raise KeyError("a condition that this front does not know")
    return (
        any(matches(each, action) for each in actions)
        and any(matches(each, resource) for each in resources)
        and all(
            (context or {}).get(name.removeprefix(prefix)) == value
            for name, value in required.items()
        )
    )


def denied(call, action, resource, reason=None):
    reason = reason or f"because no identity-based policy allows the {action} action"
    return Refusal(
        "AccessDeniedException",
        f"User: {call.user} is not authorized to perform: {action} on resource: {resource} "
        f"{reason}",
    )


def assumed_roles():
    backends = [at for account in list(sts_backends) for at in sts_backends[account].values()]
    return [role for backend in backends for role in backend.assumed_roles]


def wrong_scope(call, what, sent):
    # STS uses an older protocol with another code for the same error.
    is_sts = call.service == "sts"
    code = "SignatureDoesNotMatch" if is_sts else "InvalidSignatureException"
    text = f"Credential should be scoped to a {what}, not '{sent}'. "
    return Refusal(code, text, 403)


def sign(call, secret, stamp, date, service, signed):
    def mac(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    path, _, query = call.target.partition("?")
    headers = "".join(
        f"{name}:{' '.join(call.headers.get(name, '').split())}\n" for name in signed
    )
    digest = hashlib.sha256(call.body).hexdigest()
    if service == "s3":
        # https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
        digest = call.headers.get("x-amz-content-sha256", digest)
        parts = [part.partition("=") for part in query.split("&") if part]
        query = "&".join(sorted(f"{name}={value}" for name, _, value in parts))
    canonical = "\n".join(
        [call.method, path, query, headers, ";".join(signed), digest]
    )
    scope = f"{date}/{call.region}/{service}/aws4_request"
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            stamp,
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = ("AWS4" + secret).encode()
    for part in (date, call.region, service, "aws4_request"):
        key = mac(key, part)
    return mac(key, text).hex()


def resource_of(call, secret):
    """Returns the ARN that policies match. A new name has no suffix yet: AWS appends
    six random characters when it creates the secret.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
    """
    if call.action == "ListSecrets" or call.name.startswith("arn:"):
        return call.name
    if secret is not None:
        return secret.arn
    return f"arn:aws:secretsmanager:{call.region}:{ACCOUNT}:secret:{call.name}-??????"


def matches(pattern, resource):
    parts = {"*": ".*", "?": "."}
    text = "".join(parts.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(text, resource) is not None

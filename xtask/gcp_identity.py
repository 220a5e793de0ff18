"""The identities of the Google Cloud fake: key files, users, and issued tokens."""

import base64
import json
import secrets
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# The audience that Google's own clients use, whatever the key file's token_uri is.
TOKEN_ENDPOINT = "https://oauth2.googleapis.com/token"
HOUR = 3600


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified(token, keys):
    """Returns the owner of the key that signed a token, and the claims; None if no
    known key did."""
    try:
        header, claims, signature = token.split(".")
        message = f"{header}.{claims}".encode()
        header, claims = json.loads(decoded(header)), json.loads(decoded(claims))
        who, key = keys[header["kid"]]
        key.verify(decoded(signature), message, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, KeyError, InvalidSignature):
        return None
    return (who, claims) if header["alg"] == "RS256" else None


class Denied(Exception):
    """An error of the token endpoint, in Google's wording.

    https://www.rfc-editor.org/rfc/rfc6749#section-5.2
    """

    def __init__(self, error, description, http=400):
        super().__init__(description)
        self.http = http
        self.body = {"error": error, "error_description": description}


class Identity:
    def __init__(self, address):
        self.address = address
        self.keys = {}
        self.users = {}
        self.issued = {}
        # Tokens with the scope of IAM only.
        self.of_iam = set()
        self.impersonation = None
        # The number of token requests.
        self.asked = 0

    def key_file(self, email):
        """Returns a service account's key file."""
        key = rsa.generate_private_key(65537, 2048)
        kid = secrets.token_hex(20)
        self.keys[kid] = (email, key.public_key())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": kid,
            "private_key": pem.decode(),
            "client_email": email,
            "client_id": "123456789012345678901",
            "token_uri": f"{self.address}/token",
            "universe_domain": "googleapis.com",
        }

    def user_file(self, client_id):
        """Returns the file that `gcloud auth application-default login` writes."""
        user = {
            "client_id": client_id,
            "client_secret": secrets.token_urlsafe(20),
            "refresh_token": "1//" + secrets.token_urlsafe(40),
        }
        self.users[client_id] = user
        return {"type": "authorized_user", **user, "token_uri": f"{self.address}/token"}

    def mint(self, who, everywhere=True):
        token = "ya29." + secrets.token_urlsafe(40)
        self.issued[token] = who
        if not everywhere:
            self.of_iam.add(token)
        return token

    def oauth(self, body):
        """Returns a token for a user's refresh token or a service account's
        assertion."""
        self.asked += 1
        kind = body.get("grant_type")
        if kind == "refresh_token":
            who = self.refreshed(body)
        elif kind == JWT_BEARER:
            who = self.asserted(body.get("assertion", ""))
        else:
            raise Denied("unsupported_grant_type", f"Invalid grant_type: {kind}")
        return {
            "access_token": self.mint(who),
            "expires_in": 3599,
            "scope": SCOPE,
            "token_type": "Bearer",
        }

    def refreshed(self, body):
        user = self.users.get(body.get("client_id"))
        if user is None:
            raise Denied("invalid_client", "The OAuth client was not found.", 401)
        if body.get("client_secret") != user["client_secret"]:
            raise Denied("invalid_client", "The provided client secret is invalid.", 401)
        if body.get("refresh_token") != user["refresh_token"]:
            raise Denied("invalid_grant", "Token has been expired or revoked.")
        return "user:" + user["client_id"]

    def asserted(self, assertion):
        """Verifies a service account's assertion.

        https://www.rfc-editor.org/rfc/rfc7523
        """
        known = verified(assertion, self.keys)
        if known is None:
            raise Denied("invalid_grant", "Invalid JWT Signature.")
        email, claims = known
        if claims.get("iss") != email:
            raise Denied("invalid_grant", "Invalid grant: account not found")
        if claims.get("aud") not in (f"{self.address}/token", TOKEN_ENDPOINT):
            raise Denied("invalid_grant", "Invalid JWT: Failed audience check.")
        if not self.is_timely(claims, HOUR):
            raise Denied("invalid_grant", "Invalid JWT: Check your iat and exp values.")
        if SCOPE not in claims.get("scope", "").split():
            raise Denied("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return email

    def impersonate(self, account):
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return {"accessToken": self.mint(account), "expireTime": ends}

    def who(self, authorization):
        """Returns the owner of a token, or None."""
        kind, _, token = authorization.partition(" ")
        if kind != "Bearer":
            return None
        return self.issued.get(token) or self.signed(token)

    def signed(self, token):
        """Verifies a self-signed token: https://google.aip.dev/auth/4111"""
        known = verified(token, self.keys)
        if known is None:
            return None
        email, claims = known
        # Google's client for Rust adds a margin for clock skew.
        in_time = self.is_timely(claims, HOUR + 60)
        ours = claims.get("iss") == claims.get("sub") == email
        return email if in_time and ours and claims.get("scope") == SCOPE else None

    @staticmethod
    def is_timely(claims, longest):
        begins, ends = claims.get("iat", 0), claims.get("exp", 0)
        return begins <= time.time() < ends <= begins + longest

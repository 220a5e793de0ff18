"""Whom the fake of Google Cloud knows: key files, and the tokens it gave out."""

import base64
import json
import secrets
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Identity:
    def __init__(self, address):
        self.address = address
        self.keys = {}
        self.issued = {}
        self.impersonation = None

    def key_file(self, email):
        """Makes a service account's key file."""
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

    def mint(self, who):
        token = "ya29." + secrets.token_urlsafe(40)
        self.issued[token] = who
        return token

    def oauth(self, body):
        """Answers the refresh of a user's credential."""
        return {
            "access_token": self.mint("user:" + body.get("client_id", "")),
            "expires_in": 3599,
            "scope": SCOPE,
            "token_type": "Bearer",
        }

    def impersonate(self, account):
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return {"accessToken": self.mint(account), "expireTime": ends}

    def who(self, authorization):
        """Returns whose token it is; None where it is nobody's."""
        kind, _, token = authorization.partition(" ")
        if kind != "Bearer":
            return None
        return self.issued.get(token) or self.signed(token)

    def signed(self, token):
        """Checks a token that a key file signed by itself: AIP-4111."""
        try:
            header, claims, signature = token.split(".")
            message = f"{header}.{claims}".encode()
            header, claims = json.loads(decoded(header)), json.loads(decoded(claims))
            email, key = self.keys[header["kid"]]
            key.verify(decoded(signature), message, padding.PKCS1v15(), hashes.SHA256())
        except (ValueError, KeyError, InvalidSignature):
            return None
        now = time.time()
        in_time = claims["iat"] <= now < claims["exp"] <= claims["iat"] + 3660
        ours = claims["iss"] == claims["sub"] == email and header["alg"] == "RS256"
        return email if in_time and ours and claims.get("scope") == SCOPE else None

"""Workload identity federation of the Google Cloud fake: one pool with one OIDC
provider, and the issuer of its tokens.

https://google.aip.dev/auth/4117, https://www.rfc-editor.org/rfc/rfc8693
"""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gcp_identity import SCOPE, Denied, verified

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
IAM_SCOPE = "https://www.googleapis.com/auth/iam"
ISSUER = "https://ci.example.com"
POOL = "projects/1234567890/locations/global/workloadIdentityPools/ci"
PROVIDER = f"//iam.googleapis.com/{POOL}/providers/oidc"
DAY = 86400


def encoded(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=")


class Federation:
    def __init__(self, identity):
        self.identity = identity
        self.key = None

    def credentials_file(self, source, account):
        """Returns the file that `gcloud iam workload-identity-pools
        create-cred-config` writes."""
        file = {
            "type": "external_account",
            "audience": PROVIDER,
            "subject_token_type": JWT,
            "token_url": f"{self.identity.address}/v1/token",
            "credential_source": source,
            "universe_domain": "googleapis.com",
        }
        if account:
            path = f"v1/projects/-/serviceAccounts/{account}:generateAccessToken"
            url = f"{self.identity.address}/{path}"
            file["service_account_impersonation_url"] = url
        return file

    def subject_token(self, changes):
        """Signs a workload's subject token."""
        if self.key is None:
            self.key = rsa.generate_private_key(65537, 2048)
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "repo:acme/infrastructure",
            "aud": f"https:{PROVIDER}",
            "iat": now - 1,
            "exp": now + 600,
        } | changes
        header = {"alg": "RS256", "typ": "JWT", "kid": "ci"}
        parts = [encoded(json.dumps(part).encode()) for part in (header, claims)]
        signature = self.key.sign(b".".join(parts), padding.PKCS1v15(), hashes.SHA256())
        return b".".join([*parts, encoded(signature)]).decode()

    def exchange(self, body):
        """Exchanges a subject token for an access token: the STS method `token`."""
        self.identity.asked += 1
        grant = body.get("grant_type")
        if grant != TOKEN_EXCHANGE:
            raise Denied("unsupported_grant_type", f"Invalid grant_type: {grant}")
        if body.get("requested_token_type") != ACCESS_TOKEN:
            raise Denied("invalid_request", "Invalid value for requested_token_type.")
        if body.get("audience") != PROVIDER:
            text = 'The target service indicated by the "audience" parameters is invalid.'
            raise Denied("invalid_target", text)
        if body.get("subject_token_type") != JWT:
            raise Denied("invalid_request", "Invalid value for subject_token_type.")
        scopes = set(body.get("scope", "").split())
        if not scopes & {SCOPE, IAM_SCOPE}:
            raise Denied("invalid_scope", "Invalid scope.")
        subject = self.believed(body.get("subject_token", ""))
        who = f"principal://iam.googleapis.com/{POOL}/subject/{subject}"
        return {
            "access_token": self.identity.mint(who, everywhere=SCOPE in scopes),
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": 3599,
        }

    def believed(self, token):
        """Verifies a subject token as an OIDC provider does, and returns its subject."""
        key = self.key and self.key.public_key()
        known = verified(token, {"ci": (ISSUER, key)} if key else {})
        # The worst case for logs: the error quotes the token that was sent.
        refusal = Denied("invalid_grant", f"The ID token is not valid: {token}")
        if known is None:
            raise refusal
        issuer, claims = known
        begins, ends = claims.get("iat", 0), claims.get("exp", 0)
        in_time = begins <= time.time() < ends <= begins + DAY
        ours = claims.get("iss") == issuer
        if not (in_time and ours and claims.get("aud") in (PROVIDER, f"https:{PROVIDER}")):
            raise refusal
        return claims["sub"]

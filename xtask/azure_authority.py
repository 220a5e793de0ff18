"""Entra ID for the Key Vault fake: tokens for applications and managed identities."""

import secrets
import time

RESOURCE = "https://vault.azure.net"


class Refusal(Exception):
    def __init__(self, status, code, message, inner=None, headers=()):
        super().__init__(message)
        error = {"code": code, "message": message}
        if inner:
            error["innererror"] = {"code": inner}
        self.answer = (status, {"error": error}, dict(headers))


class Authority:
    """Issues and verifies the tokens."""

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

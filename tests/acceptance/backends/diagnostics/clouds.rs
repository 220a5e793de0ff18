//! What a cloud refuses while a backend is verified.

use insta::assert_snapshot;
use serde_json::json;
use xtask::azure::AzureFake;
use xtask::gcp::{GcpFake, GcpFault};
use xtask::moto::Fault;
use xtask::tools::Tools;

use super::super::place::ACCESS_KEY;
use super::{embedded, write};
use crate::backends::Place;
use crate::reading::{Told, filters};
use crate::steps::Steps;

#[test]
fn what_aws_refuses_is_told_with_the_remedy() {
    let _filters = filters();
    let place = Place::aws();
    let moto = place.moto();
    let scene = embedded();
    let mut workspace = place.workspace(&scene);
    workspace.env("AWS_ENDPOINT_URL_STS", place.address());
    let session = "a session's token";
    moto.allow_key("ASIAEXPIRED", "hunter2", Some(session))
        .unwrap();
    moto.expire("ASIAEXPIRED").unwrap();
    let inject = |name: &str, action: &str, code: &str, message: &str| {
        let fault = Fault {
            action,
            name,
            code,
            message,
            ..Fault::default()
        };
        moto.inject(&fault).unwrap();
    };
    inject(
        "kms",
        "PutSecretValue",
        "AccessDeniedException",
        "Access to KMS is not allowed",
    );
    let user = "User: arn:aws:sts::123456789012:assumed-role/ci/run is not authorized to perform \
                it because no identity-based policy allows it";
    let steps = [
        ("no_create", "CreateSecret"),
        ("no_put", "PutSecretValue"),
        ("no_get", "GetSecretValue"),
        ("no_describe", "DescribeSecret"),
        ("no_delete", "DeleteSecret"),
        // With a window, that is, which a policy may allow nevertheless.
        ("no_delete", "DeleteSecret"),
    ];
    for (name, action) in steps {
        let name = name.replace('_', "-");
        inject(&name, action, "AccessDeniedException", user);
    }
    let block = place.block();
    let with = |from: &str, to: &str| {
        assert!(block.contains(from), "{block}");
        block.replace(from, to)
    };
    let mut backends = vec![
        ("region", with("eu-central-1", "eu-west-1")),
        (
            "kms",
            with(
                "    region",
                "    at_rest_kms_key_id = \"alias/acme\"\n    region",
            ),
        ),
        ("key", with(ACCESS_KEY, "AKIAUNKNOWN")),
        ("secret", with("var.backend_secret", "\"hunter2\"")),
        (
            "expired",
            with(ACCESS_KEY, "ASIAEXPIRED").replace(
                "secret_access_key_wo = var.backend_secret",
                &format!("secret_access_key_wo = \"hunter2\"\n    session_token_wo = {session:?}"),
            ),
        ),
        (
            "role",
            with(
                "    region",
                "    assume_role_arn = \"arn:aws:iam::123456789012:role/unknown\"\n    region",
            ),
        ),
    ];
    backends.extend(steps[..5].iter().map(|(name, _)| (*name, block.clone())));
    write(&workspace, &backends);
    let told = Told::by_apply(&workspace, &[("backend_secret", &place.secret)], &[]);
    for secret in ["hunter2", session, &place.secret] {
        assert!(!told.words().contains(secret), "{told:#?}");
    }
    assert_snapshot!(told.at("region"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "region"
      at region = "eu-west-1"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend, or the way to it, is not set up as this provider needs it (CreateSecret: planton/acme/probe/region-<8 hex>).

    What answers is of another region than eu-west-1. Check region, and endpoint if one is set.

    Original error: InvalidSignatureException (request front-request)
    "#);
    assert_snapshot!(told.at("kms"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "kms"
      at at_rest_kms_key_id = "alias/acme"

    The backend was not saved: it could not write an object with a throw-away name.

    The credentials in use may not do this on the secret backend (PutSecretValue: planton/acme/probe/kms-<8 hex>).

    Grant kms:GenerateDataKey and kms:Decrypt on the KMS key alias/acme (at_rest_kms_key_id) to the identity in use, in the key's policy as well.

    To save it unverified, set verify_connection to false.

    Original error: AccessDeniedException (request front-request)
    "#);
    assert_snapshot!(told.at("key"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "key"
      at access_key_id = "AKIAUNKNOWN"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (CreateSecret: planton/acme/probe/key-<8 hex>).

    AWS does not know the access key, or the session token is not of it: check access_key_id, and that the key is active and in this partition of AWS.

    Original error: UnrecognizedClientException (request front-request)
    "#);
    assert_snapshot!(told.at("secret"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "secret"
      at secret_access_key_wo = "hunter2"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (CreateSecret: planton/acme/probe/secret-<8 hex>).

    The secret access key is not that of the access key: check secret_access_key_wo (or AWS_SECRET_ACCESS_KEY), and that this machine's clock is right.

    Original error: InvalidSignatureException (request front-request)
    "#);
    assert_snapshot!(told.at("expired"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "expired"
      at session_token_wo = "a session's token"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (CreateSecret: planton/acme/probe/expired-<8 hex>).

    The credential in use has run out. Give a new one, or log in again.

    Original error: ExpiredTokenException (request front-request)
    "#);
    assert_snapshot!(told.at("role"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "role"
      at assume_role_arn = "arn:aws:iam::123456789012:role/unknown"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (CreateSecret: planton/acme/probe/role-<8 hex>).

    Let the credential in use take the role arn:aws:iam::123456789012:role/unknown: it needs sts:AssumeRole, and the role's trust policy has to name it, with the external_id that it asks for.

    Original error: sts:AssumeRole: AccessDenied
    "#);
    assert_snapshot!(told.at("no_create"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_create"
      at aws_secrets_manager = {
        region = "eu-central-1"
        endpoint = "http://127.0.0.1:<port>"
        access_key_id = "AKIAPLANTONTEST0001"
        secret_access_key_wo = var.backend_secret
        recovery_window_days = 0
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The credentials in use may not do this on the secret backend (CreateSecret: planton/acme/probe/no-create-<8 hex>).

    Grant secretsmanager:CreateSecret on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save it unverified, set verify_connection to false.

    Original error: AccessDeniedException (request front-request)
    "#);
    assert_snapshot!(told.at("no_put"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_put"
      at aws_secrets_manager = {
        region = "eu-central-1"
        endpoint = "http://127.0.0.1:<port>"
        access_key_id = "AKIAPLANTONTEST0001"
        secret_access_key_wo = var.backend_secret
        recovery_window_days = 0
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The credentials in use may not do this on the secret backend (PutSecretValue: planton/acme/probe/no-put-<8 hex>).

    Grant secretsmanager:PutSecretValue on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save it unverified, set verify_connection to false.

    Original error: AccessDeniedException (request front-request)
    "#);
    assert_snapshot!(told.at("no_get"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_get"
      at aws_secrets_manager = {
        region = "eu-central-1"
        endpoint = "http://127.0.0.1:<port>"
        access_key_id = "AKIAPLANTONTEST0001"
        secret_access_key_wo = var.backend_secret
        recovery_window_days = 0
      }

    The backend was not saved: it could not read an object with a throw-away name.

    The credentials in use may not do this on the secret backend (GetSecretValue: planton/acme/probe/no-get-<8 hex>).

    Grant secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save it unverified, set verify_connection to false.

    Original error: AccessDeniedException (request front-request)
    "#);
    assert_snapshot!(told.at("no_describe"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_describe"
      at aws_secrets_manager = {
        region = "eu-central-1"
        endpoint = "http://127.0.0.1:<port>"
        access_key_id = "AKIAPLANTONTEST0001"
        secret_access_key_wo = var.backend_secret
        recovery_window_days = 0
      }

    The backend was not saved: it could not look at an object with a throw-away name.

    The credentials in use may not do this on the secret backend (DescribeSecret: planton/acme/probe/no-describe-<8 hex>).

    Grant secretsmanager:DescribeSecret on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save it unverified, set verify_connection to false.

    Original error: AccessDeniedException (request front-request)
    "#);
    assert_snapshot!(told.at("no_delete"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_delete"
      at aws_secrets_manager = {
        region = "eu-central-1"
        endpoint = "http://127.0.0.1:<port>"
        access_key_id = "AKIAPLANTONTEST0001"
        secret_access_key_wo = var.backend_secret
        recovery_window_days = 0
      }

    The backend was not saved: it could not delete an object with a throw-away name.

    The credentials in use may not do this on the secret backend (DeleteSecret: planton/acme/probe/no-delete-<8 hex>).

    Grant secretsmanager:DeleteSecret on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save it unverified, set verify_connection to false.

    Original error: AccessDeniedException (request front-request)
    "#);
    assert_eq!(told.len(), 11);
    // Nothing of a refused backend is in the catalog.
    let records = scene.records();
    let backends = records.keys().filter(|key| key.starts_with("backends/"));
    assert_eq!(backends.count(), 0, "{records:?}");
}

#[test]
fn what_azure_refuses_is_told_with_the_remedy() {
    let _filters = filters();
    let place = Place::azure();
    let fake = place.azure_fake();
    let scene = embedded();
    let workspace = place.workspace(&scene);
    let secret = [("backend_secret", place.secret.as_str())];
    let block = place.block();
    let with = |from: &str, to: &str| {
        assert!(block.contains(from), "{block}");
        block.replace(from, to)
    };
    write(
        &workspace,
        &[
            ("no_tenant", with(AzureFake::TENANT, "acme.onmicrosoft.com")),
            (
                "other_tenant",
                with(AzureFake::TENANT, AzureFake::OTHER_TENANT),
            ),
            (
                "client",
                with(AzureFake::CLIENT, "44444444-0000-4000-8000-000000000004"),
            ),
            ("secret", with("var.backend_secret", "\"hunter2\"")),
        ],
    );
    let told = Told::by_apply(&workspace, &secret, &[]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("no_tenant"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "no_tenant"
      at tenant_id = "acme.onmicrosoft.com"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (GetSecretVersions: planton--acme--probe--no-tenant-<8 hex>).

    There is no such tenant, or it has no Key Vault. Check tenant_id.

    Original error: getting a token: status 400, AADSTS90002
    "#);
    assert_snapshot!(told.at("other_tenant"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "other_tenant"
      at tenant_id = "<uuid>"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (GetSecretVersions: planton--acme--probe--other-tenant-<8 hex>).

    https://127.0.0.1:<port> belongs to another tenant than the token. Set tenant_id to the vault's tenant.

    Original error: the vault: status 401, Unauthorized, AKV10032
    "#);
    assert_snapshot!(told.at("client"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "client"
      at client_id = "<uuid>"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (GetSecretVersions: planton--acme--probe--client-<8 hex>).

    The tenant does not know the application. Check client_id, and that tenant_id is the application's tenant.

    Original error: getting a token: status 400, AADSTS700016
    "#);
    assert_snapshot!(told.at("secret"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "secret"
      at client_secret_wo = "hunter2"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (GetSecretVersions: planton--acme--probe--secret-<8 hex>).

    The client secret is wrong, or has run out. Set client_secret_wo (or AZURE_CLIENT_SECRET) to a valid secret's value, not its ID.

    Original error: getting a token: status 401, AADSTS7000215
    "#);
    assert_eq!(told.len(), 4);

    write(&workspace, &[("own", block.clone())]);
    let denied = |deny: serde_json::Value| {
        fake.control(&json!({ "deny": deny })).unwrap();
        let told = Told::by_apply(&workspace, &secret, &[]);
        assert_eq!(told.len(), 1);
        told.everything()
    };
    assert_snapshot!(denied(json!({"set": "ForbiddenByRbac"})), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at azure_key_vault = {
        vault_url = "https://127.0.0.1:<port>"
        authority_host = "https://127.0.0.1:<port>"
        tenant_id = "<uuid>"
        client_id = "<uuid>"
        client_secret_wo = var.backend_secret
        purge_on_destroy = true
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The credentials in use may not do this on the secret backend (SetSecret: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission Set in an access policy of https://127.0.0.1:<port>, or the role "Key Vault Secrets Officer" where the vault uses Azure RBAC. A grant takes some minutes to come into force.

    To save it unverified, set verify_connection to false.

    Original error: the vault: status 403, Forbidden, ForbiddenByRbac
    "#);
    assert_snapshot!(denied(json!({"get": "ForbiddenByPolicy"})), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at azure_key_vault = {
        vault_url = "https://127.0.0.1:<port>"
        authority_host = "https://127.0.0.1:<port>"
        tenant_id = "<uuid>"
        client_id = "<uuid>"
        client_secret_wo = var.backend_secret
        purge_on_destroy = true
      }

    The backend was not saved: it could not read an object with a throw-away name.

    The credentials in use may not do this on the secret backend (GetSecret: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission Get in an access policy of https://127.0.0.1:<port>, or the role "Key Vault Secrets Officer" where the vault uses Azure RBAC. A grant takes some minutes to come into force.

    To save it unverified, set verify_connection to false.

    Original error: the vault: status 403, Forbidden, ForbiddenByPolicy
    "#);
    assert_snapshot!(denied(json!({"list": "ForbiddenByRbac"})), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at azure_key_vault = {
        vault_url = "https://127.0.0.1:<port>"
        authority_host = "https://127.0.0.1:<port>"
        tenant_id = "<uuid>"
        client_id = "<uuid>"
        client_secret_wo = var.backend_secret
        purge_on_destroy = true
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The credentials in use may not do this on the secret backend (GetSecretVersions: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission List in an access policy of https://127.0.0.1:<port>, or the role "Key Vault Secrets Officer" where the vault uses Azure RBAC. A grant takes some minutes to come into force.

    To save it unverified, set verify_connection to false.

    Original error: the vault: status 403, Forbidden, ForbiddenByRbac
    "#);
    assert_snapshot!(denied(json!({"delete": "ForbiddenByRbac"})), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at azure_key_vault = {
        vault_url = "https://127.0.0.1:<port>"
        authority_host = "https://127.0.0.1:<port>"
        tenant_id = "<uuid>"
        client_id = "<uuid>"
        client_secret_wo = var.backend_secret
        purge_on_destroy = true
      }

    The backend was not saved: it could not delete an object with a throw-away name.

    The credentials in use may not do this on the secret backend (DeleteSecret: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission Delete in an access policy of https://127.0.0.1:<port>, or the role "Key Vault Secrets Officer" where the vault uses Azure RBAC. A grant takes some minutes to come into force.

    To save it unverified, set verify_connection to false.

    Original error: the vault: status 403, Forbidden, ForbiddenByRbac
    "#);
    assert_snapshot!(denied(json!({"purge": "ForbiddenByRbac"})), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at azure_key_vault = {
        vault_url = "https://127.0.0.1:<port>"
        authority_host = "https://127.0.0.1:<port>"
        tenant_id = "<uuid>"
        client_id = "<uuid>"
        client_secret_wo = var.backend_secret
        purge_on_destroy = true
      }

    The backend was not saved: it could not delete an object with a throw-away name.

    The credentials in use may not do this on the secret backend (PurgeDeletedSecret: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission Purge in an access policy of https://127.0.0.1:<port>, or the role "Key Vault Secrets Officer" where the vault uses Azure RBAC. A grant takes some minutes to come into force.

    To save it unverified, set verify_connection to false.

    Original error: the vault: status 403, Forbidden, ForbiddenByRbac
    "#);
    assert_snapshot!(denied(json!({"set": "ForbiddenByFirewall"})), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at azure_key_vault = {
        vault_url = "https://127.0.0.1:<port>"
        authority_host = "https://127.0.0.1:<port>"
        tenant_id = "<uuid>"
        client_id = "<uuid>"
        client_secret_wo = var.backend_secret
        purge_on_destroy = true
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The credentials in use may not do this on the secret backend (SetSecret: planton--acme--probe--own-<8 hex>).

    The network rules of https://127.0.0.1:<port> keep this machine out. Add its address to the vault's firewall, or run where the vault's private endpoint can be reached.

    To save it unverified, set verify_connection to false.

    Original error: the vault: status 403, Forbidden, ForbiddenByFirewall
    "#);
    fake.control(&json!({"deny": {}})).unwrap();

    // What the vault cannot hold is told in the plan.
    workspace.applied(&secret);
    let large = "resource \"planton_secret\" \"large\" {\n  name     = \"large\"\n  backend  = \
                 planton_secret_backend.own.name\n  value_wo = join(\"\", [for i in range(1000) : \
                 \"0123456789012345678901234\"])\n}\n";
    workspace.write("large.tf", large).unwrap();
    let told = Told::by_plan(&workspace, &secret, &[]);
    assert_snapshot!(told.everything(), @r#"
    Error: Secret Value Too Large
      in resource "planton_secret" "large"
      at value_wo = join("", [for i in range(1000) : "0123456789012345678901234"])

    The value has 25000 bytes; Azure Key Vault holds at most 12300 bytes in one secret (the backend's limit less the greatest envelope). Nothing was written.

    Split the value, or keep it elsewhere and its key here.
    "#);
    // And where it is still to come.
    let to_come = place.workspace(&scene);
    write(&to_come, &[("later", block)]);
    to_come
        .write("large.tf", &large.replace(".own.", ".later."))
        .unwrap();
    let told = Told::by_plan(&to_come, &secret, &[]);
    assert_snapshot!(told.everything(), @r#"
    Error: Secret Value Too Large
      in resource "planton_secret" "large"
      at value_wo = join("", [for i in range(1000) : "0123456789012345678901234"])

    The value has 25000 bytes; Azure Key Vault holds at most 12300 bytes in one secret (the backend's limit less the greatest envelope). Nothing was written.

    Split the value, or keep it elsewhere and its key here.
    "#);
}

#[test]
fn what_gcp_refuses_is_told_with_the_remedy() {
    let _filters = filters();
    let place = Place::gcp();
    let fake = place.gcp_fake();
    let scene = embedded();
    let workspace = place.workspace(&scene);
    let secret = [("backend_secret", place.secret.as_str())];
    write(&workspace, &[("own", place.block())]);
    let refused = || {
        let told = Told::by_apply(&workspace, &secret, &[]);
        assert_eq!(told.len(), 1, "{told:#?}");
        told.everything()
    };
    let denied = |permission: &str| {
        fake.deny(&[&format!("secretmanager.{permission}")])
            .unwrap();
        refused()
    };
    assert_snapshot!(denied("secrets.create"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at gcp_secret_manager = {
        project_id = "acme-prod"
        endpoint = "http://127.0.0.1:<port>"
        service_account_key_json_wo = var.backend_secret
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The credentials in use may not do this on the secret backend (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    Grant secretmanager.secrets.create on projects/acme-prod to the account in use. The role Secret Manager Admin (roles/secretmanager.admin) on the project has all that is needed.

    To save it unverified, set verify_connection to false.

    Original error: status 403 PERMISSION_DENIED IAM_PERMISSION_DENIED
    "#);
    assert_snapshot!(denied("versions.add"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at gcp_secret_manager = {
        project_id = "acme-prod"
        endpoint = "http://127.0.0.1:<port>"
        service_account_key_json_wo = var.backend_secret
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The credentials in use may not do this on the secret backend (AddSecretVersion: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    Grant secretmanager.versions.add on projects/acme-prod to the account in use. The role Secret Manager Admin (roles/secretmanager.admin) on the project has all that is needed.

    To save it unverified, set verify_connection to false.

    Original error: status 403 PERMISSION_DENIED IAM_PERMISSION_DENIED
    "#);
    assert_snapshot!(denied("versions.access"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at gcp_secret_manager = {
        project_id = "acme-prod"
        endpoint = "http://127.0.0.1:<port>"
        service_account_key_json_wo = var.backend_secret
      }

    The backend was not saved: it could not read an object with a throw-away name.

    The credentials in use may not do this on the secret backend (AccessSecretVersion: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>/versions/1).

    Grant secretmanager.versions.access on projects/acme-prod to the account in use. The role Secret Manager Admin (roles/secretmanager.admin) on the project has all that is needed.

    To save it unverified, set verify_connection to false.

    Original error: status 403 PERMISSION_DENIED IAM_PERMISSION_DENIED
    "#);
    assert_snapshot!(denied("versions.get"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at gcp_secret_manager = {
        project_id = "acme-prod"
        endpoint = "http://127.0.0.1:<port>"
        service_account_key_json_wo = var.backend_secret
      }

    The backend was not saved: it could not look at an object with a throw-away name.

    The credentials in use may not do this on the secret backend (GetSecretVersion: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>/versions/1).

    Grant secretmanager.versions.get on projects/acme-prod to the account in use. The role Secret Manager Admin (roles/secretmanager.admin) on the project has all that is needed.

    To save it unverified, set verify_connection to false.

    Original error: status 403 PERMISSION_DENIED IAM_PERMISSION_DENIED
    "#);
    assert_snapshot!(denied("secrets.delete"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "own"
      at gcp_secret_manager = {
        project_id = "acme-prod"
        endpoint = "http://127.0.0.1:<port>"
        service_account_key_json_wo = var.backend_secret
      }

    The backend was not saved: it could not delete an object with a throw-away name.

    The credentials in use may not do this on the secret backend (DeleteSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    Grant secretmanager.secrets.delete on projects/acme-prod to the account in use. The role Secret Manager Admin (roles/secretmanager.admin) on the project has all that is needed.

    To save it unverified, set verify_connection to false.

    Original error: status 403 PERMISSION_DENIED IAM_PERMISSION_DENIED
    "#);
    fake.deny(&[]).unwrap();
    let fault = |status, reason| {
        fake.fault("CreateSecret", 1, GcpFault::Refuse(status, reason))
            .unwrap();
        refused()
    };
    assert_snapshot!(fault("NOT_FOUND", None), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "own"
      at project_id = "acme-prod"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend, or the way to it, is not set up as this provider needs it (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    There is no such project. Check project_id.

    Original error: status 404 NOT_FOUND
    "#);
    assert_snapshot!(fault("PERMISSION_DENIED", Some("SERVICE_DISABLED")), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "own"
      at gcp_secret_manager = {
        project_id = "acme-prod"
        endpoint = "http://127.0.0.1:<port>"
        service_account_key_json_wo = var.backend_secret
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend, or the way to it, is not set up as this provider needs it (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    The API is not enabled in the project. Run `gcloud services enable secretmanager.googleapis.com --project=acme-prod`, and wait a minute.

    Original error: status 403 PERMISSION_DENIED SERVICE_DISABLED
    "#);
    assert_snapshot!(fault("FAILED_PRECONDITION", None), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "own"
      at gcp_secret_manager = {
        project_id = "acme-prod"
        endpoint = "http://127.0.0.1:<port>"
        service_account_key_json_wo = var.backend_secret
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend, or the way to it, is not set up as this provider needs it (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    A policy of the organization forbids it: constraints/gcp.resourceLocations wants replica_locations, and others may want more.

    Original error: status 400 FAILED_PRECONDITION
    "#);

    // The key of an account that Google does not know.
    let elsewhere = GcpFake::start(&Tools::locate().unwrap()).unwrap();
    let unknown = elsewhere
        .key_file("ci@acme-prod.iam.gserviceaccount.com")
        .unwrap();
    let told = Told::by_apply(&workspace, &[("backend_secret", &unknown)], &[]);
    assert_snapshot!(told.everything(), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "own"
      at service_account_key_json_wo = var.backend_secret

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    The token was refused. Check that the service account or the user still exists and is enabled, that its key was not deleted, and that this machine's clock is right.

    Original error: status 401 UNAUTHENTICATED CREDENTIALS_MISSING
    "#);
}

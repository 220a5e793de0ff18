//! Errors of AWS during the verification of a backend.

use insta::assert_snapshot;
use xtask::moto::Fault;

use super::super::fixtures::ACCESS_KEY;
use super::{embedded, write};
use crate::backends::Place;
use crate::reading::{Told, filters};

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
        // With a recovery window. A policy may allow DeleteSecret with a window only.
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

    The backend was not saved: the provider could not write a test object.

    The secret backend or the connection to it is misconfigured (CreateSecret: planton/acme/probe/region-<8 hex>).

    The server belongs to another region than eu-west-1. Check region, and endpoint if it is set.

    Original error: InvalidSignatureException (request front-request)
    "#);
    assert_snapshot!(told.at("kms"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "kms"
      at at_rest_kms_key_id = "alias/acme"

    The backend was not saved: the provider could not write a test object.

    The credentials in use do not permit this operation on the secret backend (PutSecretValue: planton/acme/probe/kms-<8 hex>).

    Grant kms:GenerateDataKey and kms:Decrypt on the KMS key alias/acme (at_rest_kms_key_id) to the identity in use, in the key's policy as well.

    To save the backend without this test, set verify_connection to false.

    Original error: AccessDeniedException (request front-request)
    "#);
    assert_snapshot!(told.at("key"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "key"
      at access_key_id = "AKIAUNKNOWN"

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (CreateSecret: planton/acme/probe/key-<8 hex>).

    AWS does not recognize the access key, or the session token belongs to another key. Check access_key_id, and that the key is active and in this partition of AWS.

    Original error: UnrecognizedClientException (request front-request)
    "#);
    assert_snapshot!(told.at("secret"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "secret"
      at secret_access_key_wo = "hunter2"

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (CreateSecret: planton/acme/probe/secret-<8 hex>).

    The secret access key does not match the access key. Check secret_access_key_wo (or AWS_SECRET_ACCESS_KEY), and this machine's clock.

    Original error: InvalidSignatureException (request front-request)
    "#);
    assert_snapshot!(told.at("expired"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "expired"
      at session_token_wo = "a session's token"

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (CreateSecret: planton/acme/probe/expired-<8 hex>).

    The credentials in use have expired. Provide new ones, or log in again.

    Original error: ExpiredTokenException (request front-request)
    "#);
    assert_snapshot!(told.at("role"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "role"
      at assume_role_arn = "arn:aws:iam::123456789012:role/unknown"

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (CreateSecret: planton/acme/probe/role-<8 hex>).

    Let the credentials in use assume the role arn:aws:iam::123456789012:role/unknown. They need sts:AssumeRole. The role's trust policy must name them, and the external_id that it requires must be set.

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

    The backend was not saved: the provider could not write a test object.

    The credentials in use do not permit this operation on the secret backend (CreateSecret: planton/acme/probe/no-create-<8 hex>).

    Grant secretsmanager:CreateSecret on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not write a test object.

    The credentials in use do not permit this operation on the secret backend (PutSecretValue: planton/acme/probe/no-put-<8 hex>).

    Grant secretsmanager:PutSecretValue on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not read a test object.

    The credentials in use do not permit this operation on the secret backend (GetSecretValue: planton/acme/probe/no-get-<8 hex>).

    Grant secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not inspect a test object.

    The credentials in use do not permit this operation on the secret backend (DescribeSecret: planton/acme/probe/no-describe-<8 hex>).

    Grant secretsmanager:DescribeSecret on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not delete a test object.

    The credentials in use do not permit this operation on the secret backend (DeleteSecret: planton/acme/probe/no-delete-<8 hex>).

    Grant secretsmanager:DeleteSecret on arn:aws:secretsmanager:eu-central-1:*:secret:planton/acme/* to arn:aws:sts::123456789012:assumed-role/ci/run.

    To save the backend without this test, set verify_connection to false.

    Original error: AccessDeniedException (request front-request)
    "#);
    assert_eq!(told.len(), 11);
    // A backend that was not saved leaves nothing in the catalog.
    let records = scene.records();
    let backends = records.keys().filter(|key| key.starts_with("backends/"));
    assert_eq!(backends.count(), 0, "{records:?}");
}

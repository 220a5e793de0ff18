//! Errors of Google during the verification of a backend.

use insta::assert_snapshot;
use xtask::gcp::{GcpFake, GcpFault};
use xtask::tools::Tools;

use super::{embedded, write};
use crate::backends::Place;
use crate::reading::{Told, filters};

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

    The backend was not saved: the provider could not write a test object.

    The credentials in use do not permit this operation on the secret backend (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    Grant secretmanager.secrets.create on projects/acme-prod to the account in use.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not write a test object.

    The credentials in use do not permit this operation on the secret backend (AddSecretVersion: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    Grant secretmanager.versions.add on projects/acme-prod to the account in use.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not read a test object.

    The credentials in use do not permit this operation on the secret backend (AccessSecretVersion: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>/versions/1).

    Grant secretmanager.versions.access on projects/acme-prod to the account in use.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not delete a test object.

    The credentials in use do not permit this operation on the secret backend (DeleteSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    Grant secretmanager.secrets.delete on projects/acme-prod to the account in use.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not write a test object.

    The secret backend or the connection to it is misconfigured (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

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

    The backend was not saved: the provider could not write a test object.

    The secret backend or the connection to it is misconfigured (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

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

    The backend was not saved: the provider could not write a test object.

    The secret backend or the connection to it is misconfigured (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    A policy of the organization forbids it: constraints/gcp.resourceLocations wants replica_locations, and others may want more.

    Original error: status 400 FAILED_PRECONDITION
    "#);

    // A key of another fake's account, which this fake rejects.
    let elsewhere = GcpFake::start(&Tools::locate().unwrap()).unwrap();
    let unknown = elsewhere
        .key_file("ci@acme-prod.iam.gserviceaccount.com")
        .unwrap();
    let told = Told::by_apply(&workspace, &[("backend_secret", &unknown)], &[]);
    assert_snapshot!(told.everything(), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "own"
      at service_account_key_json_wo = var.backend_secret

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_own-<8 hex>).

    GCP rejected the token. Check that the service account or the user exists and is enabled, that its key was not deleted, and that this machine's clock is correct.

    Original error: status 401 UNAUTHENTICATED CREDENTIALS_MISSING
    "#);
}

//! Errors of Azure during the verification of a backend.

use insta::assert_snapshot;
use serde_json::json;
use xtask::azure::AzureFake;

use super::{embedded, write};
use crate::backends::Place;
use crate::reading::{Told, filters};
use crate::steps::Steps;

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

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (GetSecretVersions: planton--acme--probe--no-tenant-<8 hex>).

    There is no such tenant, or it has no Key Vault. Check tenant_id.

    Original error: getting a token: status 400, AADSTS90002
    "#);
    assert_snapshot!(told.at("other_tenant"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "other_tenant"
      at tenant_id = "<uuid>"

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (GetSecretVersions: planton--acme--probe--other-tenant-<8 hex>).

    https://127.0.0.1:<port> belongs to another tenant than the token. Set tenant_id to the vault's tenant.

    Original error: the vault: status 401, Unauthorized, AKV10032
    "#);
    assert_snapshot!(told.at("client"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "client"
      at client_id = "<uuid>"

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (GetSecretVersions: planton--acme--probe--client-<8 hex>).

    The tenant does not know the application. Check client_id, and that tenant_id is the application's tenant.

    Original error: getting a token: status 400, AADSTS700016
    "#);
    assert_snapshot!(told.at("secret"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "secret"
      at client_secret_wo = "hunter2"

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (GetSecretVersions: planton--acme--probe--secret-<8 hex>).

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

    The backend was not saved: the provider could not write a test object.

    The credentials in use do not permit this operation on the secret backend (SetSecret: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission Set in an access policy of https://127.0.0.1:<port>, or the data action Microsoft.KeyVault/vaults/secrets/setSecret/action where the vault uses Azure RBAC. A grant takes up to ten minutes to apply.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not read a test object.

    The credentials in use do not permit this operation on the secret backend (GetSecret: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission Get in an access policy of https://127.0.0.1:<port>, or the data action Microsoft.KeyVault/vaults/secrets/getSecret/action where the vault uses Azure RBAC. A grant takes up to ten minutes to apply.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not write a test object.

    The credentials in use do not permit this operation on the secret backend (GetSecretVersions: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission List in an access policy of https://127.0.0.1:<port>, or the data action Microsoft.KeyVault/vaults/secrets/readMetadata/action where the vault uses Azure RBAC. A grant takes up to ten minutes to apply.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not delete a test object.

    The credentials in use do not permit this operation on the secret backend (DeleteSecret: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission Delete in an access policy of https://127.0.0.1:<port>, or the data action Microsoft.KeyVault/vaults/secrets/delete where the vault uses Azure RBAC. A grant takes up to ten minutes to apply.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not delete a test object.

    The credentials in use do not permit this operation on the secret backend (PurgeDeletedSecret: planton--acme--probe--own-<8 hex>).

    Grant to the identity in use the secret permission Purge in an access policy of https://127.0.0.1:<port>, or the data action Microsoft.KeyVault/vaults/secrets/purge/action where the vault uses Azure RBAC. A grant takes up to ten minutes to apply.

    To save the backend without this test, set verify_connection to false.

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

    The backend was not saved: the provider could not write a test object.

    The credentials in use do not permit this operation on the secret backend (SetSecret: planton--acme--probe--own-<8 hex>).

    The network rules of https://127.0.0.1:<port> keep this machine out. Add its address to the vault's firewall, or run where the vault's private endpoint can be reached.

    To save the backend without this test, set verify_connection to false.

    Original error: the vault: status 403, Forbidden, ForbiddenByFirewall
    "#);
    fake.control(&json!({"deny": {}})).unwrap();

    // A value above the vault's size limit fails in the plan.
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

    The value has 25000 bytes, but Azure Key Vault stores at most 12300 bytes in one secret (the backend's limit minus the largest envelope). Nothing was written.

    Split the value; or store it elsewhere, and only its encryption key here.
    "#);
    // The same holds for a backend that does not exist yet.
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

    The value has 25000 bytes, but Azure Key Vault stores at most 12300 bytes in one secret (the backend's limit minus the largest envelope). Nothing was written.

    Split the value; or store it elsewhere, and only its encryption key here.
    "#);
}

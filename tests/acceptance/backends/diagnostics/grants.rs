//! Denies each grant of a self-hosted server in turn. The provider does not save the
//! backend, and the error names the grant.

use insta::assert_snapshot;
use xtask::openbao::Api;

use crate::reading::Told;

/// A backend whose token lacks one grant.
pub(super) struct Grant {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) token_name: &'static str,
    pub(super) token: String,
}

/// Creates tokens that permit all steps of the probe before a given step, and none from
/// that step on.
pub(super) fn tokens(api: &Api) -> Vec<Grant> {
    let [create, read] = [r#""create", "update""#, r#""create", "update", "read""#]
        .map(|granted| format!("path \"secret/data/*\" {{ capabilities = [{granted}] }}\n"));
    let look = "path \"secret/metadata/*\" { capabilities = [\"read\"] }\n";
    let of = |name: &str, policy: &str| {
        api.write_policy(name, policy).unwrap();
        api.create_token(&["default", name], "10m").unwrap()
    };
    let [none, blind, reader, keeper] = [
        of("none", "path \"secret/none\" { capabilities = [\"read\"] }"),
        of("blind", &create),
        of("reader", &read),
        of("keeper", &format!("{read}{look}")),
    ];
    let grant = |name, kind, token_name, token: &str| Grant {
        name,
        kind,
        token_name,
        token: token.to_owned(),
    };
    vec![
        grant("no_write", "openbao", "none", &none),
        grant("no_read", "openbao", "blind", &blind),
        grant("no_look", "openbao", "reader", &reader),
        grant("no_delete", "openbao", "keeper", &keeper),
        grant("no_look_vault", "hashicorp_vault", "reader", &reader),
        grant("no_delete_vault", "hashicorp_vault", "keeper", &keeper),
    ]
}

pub(super) fn expect_told(told: &Told) {
    assert_snapshot!(told.at("no_write"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_write"
      at openbao = {
        address = "http://127.0.0.1:<port>"
        token_wo = var.none
      }

    The backend was not saved: the provider could not write a test object.

    The credentials in use do not permit this operation on the secret backend (write secret: secret/data/planton/acme/probe/no-write-<8 hex>/1-<8 hex>).

    Grant to the role in use:
    path "secret/data/planton/*" {
      capabilities = ["create", "read", "update"]
    }
    path "secret/metadata/planton/*" {
      capabilities = ["delete", "list", "read"]
    }
    path "secret/destroy/planton/*" {
      capabilities = ["update"]
    }
    path "auth/token/lookup-self" {
      capabilities = ["read"]
    }

    To save the backend without this test, set verify_connection to false.

    Original error: the server returned 403: permission denied
    "#);
    assert_snapshot!(told.at("no_read"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_read"
      at openbao = {
        address = "http://127.0.0.1:<port>"
        token_wo = var.blind
      }

    The backend was not saved: the provider could not read a test object.

    The credentials in use do not permit this operation on the secret backend (read secret: secret/data/planton/acme/probe/no-read-<8 hex>/1-<8 hex>).

    Grant to the role in use:
    path "secret/data/planton/*" {
      capabilities = ["read"]
    }
    path "secret/metadata/planton/*" {
      capabilities = ["read"]
    }
    path "secret/data/planton/.fence/*" {
      capabilities = ["create", "update"]
    }

    To save the backend without this test, set verify_connection to false.

    Original error: the server returned 403: permission denied
    "#);
    assert_snapshot!(told.at("no_look"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_look"
      at openbao = {
        address = "http://127.0.0.1:<port>"
        token_wo = var.reader
      }

    The backend was not saved: the provider could not inspect a test object.

    The credentials in use do not permit this operation on the secret backend (read metadata: secret/metadata/planton/acme/probe/no-look-<8 hex>/1-<8 hex>).

    Grant to the role in use:
    path "secret/metadata/planton/*" {
      capabilities = ["read"]
    }
    path "secret/data/planton/.fence/*" {
      capabilities = ["create", "update"]
    }

    To save the backend without this test, set verify_connection to false.

    Original error: the server returned 403: permission denied
    "#);
    assert_snapshot!(told.at("no_delete"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_delete"
      at openbao = {
        address = "http://127.0.0.1:<port>"
        token_wo = var.keeper
      }

    The backend was not saved: the provider could not delete a test object.

    The credentials in use do not permit this operation on the secret backend (destroy versions: secret/destroy/planton/acme/probe/no-delete-<8 hex>/1-<8 hex>).

    Grant to the role in use:
    path "secret/data/planton/*" {
      capabilities = ["create", "read", "update"]
    }
    path "secret/metadata/planton/*" {
      capabilities = ["delete", "list", "read"]
    }
    path "secret/destroy/planton/*" {
      capabilities = ["update"]
    }
    path "auth/token/lookup-self" {
      capabilities = ["read"]
    }

    To save the backend without this test, set verify_connection to false.

    Original error: the server returned 403: permission denied
    "#);
    assert_snapshot!(told.at("no_look_vault"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_look_vault"
      at hashicorp_vault = {
        address = "http://127.0.0.1:<port>"
        token_wo = var.reader
      }

    The backend was not saved: the provider could not inspect a test object.

    The credentials in use do not permit this operation on the secret backend (read metadata: secret/metadata/planton/acme/probe/no-look-vault-<8 hex>/1-<8 hex>).

    Grant to the role in use:
    path "secret/metadata/planton/*" {
      capabilities = ["read"]
    }
    path "secret/data/planton/.fence/*" {
      capabilities = ["create", "update"]
    }

    To save the backend without this test, set verify_connection to false.

    Original error: the server returned 403: permission denied
    "#);
    assert_snapshot!(told.at("no_delete_vault"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_delete_vault"
      at hashicorp_vault = {
        address = "http://127.0.0.1:<port>"
        token_wo = var.keeper
      }

    The backend was not saved: the provider could not delete a test object.

    The credentials in use do not permit this operation on the secret backend (destroy versions: secret/destroy/planton/acme/probe/no-delete-vault-<8 hex>/1-<8 hex>).

    Grant to the role in use:
    path "secret/data/planton/*" {
      capabilities = ["create", "read", "update"]
    }
    path "secret/metadata/planton/*" {
      capabilities = ["delete", "list", "read"]
    }
    path "secret/destroy/planton/*" {
      capabilities = ["update"]
    }
    path "auth/token/lookup-self" {
      capabilities = ["read"]
    }

    To save the backend without this test, set verify_connection to false.

    Original error: the server returned 403: permission denied
    "#);
}

//! Errors of places that do not exist.

use insta::assert_snapshot;

use super::{embedded, write};
use crate::backends::Place;
use crate::reading::{Told, filters};

/// Tries every place at once. Each fails after all retries.
#[test]
fn a_place_that_is_not_there_is_told_at_its_address() {
    let _filters = filters();
    let azure = Place::azure();
    let gcp = Place::gcp();
    let scene = embedded();
    let workspace = azure.workspace(&scene);
    let authority = azure.address();
    let of = |kind: &str, lines: &str| format!("  {kind} = {{\n    {lines}\n  }}");
    let server = "address = \"http://127.0.0.1:1\"\n    token_wo = var.backend_secret";
    write(
        &workspace,
        &[
            ("openbao", of("openbao", server)),
            ("vault", of("hashicorp_vault", server)),
            (
                "aws",
                of(
                    "aws_secrets_manager",
                    "region = \"eu-central-1\"\n    endpoint = \"http://127.0.0.1:1\"\n    \
                     access_key_id = \"AKIA1\"\n    secret_access_key_wo = var.backend_secret",
                ),
            ),
            (
                "gcp",
                gcp.block_at("http://127.0.0.1:1")
                    .replace("var.backend_secret", &format!("{:?}", gcp.secret)),
            ),
            ("vault_url", azure.block_at("https://127.0.0.1:1")),
            (
                "authority",
                azure.block().replace(
                    &format!("authority_host = {authority:?}"),
                    "authority_host = \"https://127.0.0.1:1\"",
                ),
            ),
        ],
    );
    let told = Told::by_apply(&workspace, &[("backend_secret", "hunter2")], &[]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("openbao"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "openbao"
      at address = "http://127.0.0.1:1"

    The backend was not saved: the provider could not write a test object.

    The secret backend could not be reached or returned errors; retries were exhausted (write secret: secret/data/planton/acme/probe/openbao-<8 hex>/1-<8 hex>).

    Check the address, and that the server is reachable from this machine.

    To save the backend without this test, set verify_connection to false.

    Original error: POST 127.0.0.1/v1/secret/data/planton/acme/probe/openbao-<8 hex>/<version>-<attempt>: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("vault"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "vault"
      at address = "http://127.0.0.1:1"

    The backend was not saved: the provider could not write a test object.

    The secret backend could not be reached or returned errors; retries were exhausted (write secret: secret/data/planton/acme/probe/vault-<8 hex>/1-<8 hex>).

    Check the address, and that the server is reachable from this machine.

    To save the backend without this test, set verify_connection to false.

    Original error: POST 127.0.0.1/v1/secret/data/planton/acme/probe/vault-<8 hex>/<version>-<attempt>: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("aws"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "aws"
      at endpoint = "http://127.0.0.1:1"

    The backend was not saved: the provider could not write a test object.

    The secret backend could not be reached or returned errors; retries were exhausted (CreateSecret: planton/acme/probe/aws-<8 hex>).

    Check region and endpoint, and that this machine can reach AWS.

    To save the backend without this test, set verify_connection to false.

    Original error: no answer: POST 127.0.0.1/: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("gcp"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "gcp"
      at endpoint = "http://127.0.0.1:1"

    The backend was not saved: the provider could not write a test object.

    The secret backend could not be reached or returned errors; retries were exhausted (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_gcp-<8 hex>).

    Check that the endpoint is reachable from this machine.

    To save the backend without this test, set verify_connection to false.

    Original error: POST 127.0.0.1/v1/projects/acme-prod/secrets: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("vault_url"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "vault_url"
      at vault_url = "https://127.0.0.1:1"

    The backend was not saved: the provider could not write a test object.

    The secret backend could not be reached or returned errors; retries were exhausted (GetSecretVersions: planton--acme--probe--vault-url-<8 hex>).

    Check vault_url: no vault answers at https://127.0.0.1:1.

    To save the backend without this test, set verify_connection to false.

    Original error: the vault: GET 127.0.0.1/secrets/planton--acme--probe--vault-url-<8 hex>/versions: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("authority"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "authority"
      at authority_host = "https://127.0.0.1:1"

    The backend was not saved: the provider could not write a test object.

    The secret backend could not be reached or returned errors; retries were exhausted (GetSecretVersions: planton--acme--probe--authority-<8 hex>).

    Check authority_host, and that it can be reached from here.

    To save the backend without this test, set verify_connection to false.

    Original error: getting a token: POST 127.0.0.1/<uuid>/oauth2/v2.0/token: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_eq!(told.len(), 6);
}

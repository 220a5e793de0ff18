//! A server of one's own that does not let us in, and places that are not there.

use insta::assert_snapshot;
use serde_json::json;

use super::{embedded, write};
use crate::backends::Place;
use crate::reading::{Told, filters};

#[test]
fn what_a_server_refuses_is_told_with_the_remedy() {
    let _filters = filters();
    let place = Place::openbao();
    let api = place.server().api();
    api.enable_kv1("one").unwrap();
    let none = api.create_token(&["default"], "10m").unwrap();
    let blind = "path \"secret/data/*\" { capabilities = [\"create\", \"update\"] }";
    api.write_policy("blind", blind).unwrap();
    let blind = api.create_token(&["blind"], "10m").unwrap();
    let role = api
        .approle("approle", "ci", &["default"], json!({}))
        .unwrap();
    let scene = embedded();
    let workspace = place.workspace(&scene);
    let of = |kind: &str, more: &str| {
        let address = place.address();
        format!("  {kind} = {{\n    address = {address:?}\n    {more}\n  }}")
    };
    let approle = |more: &str| {
        let id = &role.role_id;
        let lines = format!("role_id = {id:?}, secret_id_wo = \"hunter2\"{more}");
        of("openbao", &format!("approle = {{ {lines} }}"))
    };
    let root = "token_wo = var.backend_secret";
    let token = |token: &str| of("openbao", &format!("token_wo = {token}"));
    write(
        &workspace,
        &[
            ("token", token("\"hunter2\"")),
            (
                "mount",
                of(
                    "openbao",
                    &format!("{root}\n    kv_mount_path = \"nowhere\""),
                ),
            ),
            (
                "kv1",
                of("openbao", &format!("{root}\n    kv_mount_path = \"one\"")),
            ),
            (
                "namespace",
                of(
                    "hashicorp_vault",
                    &format!("{root}\n    namespace = \"team\""),
                ),
            ),
            ("secret_id", approle("")),
            ("login_mount", approle(", mount_path = \"elsewhere\"")),
            (
                "token_file",
                of(
                    "openbao",
                    "jwt = { role = \"ci\", token_file = \"/nowhere/jwt\" }",
                ),
            ),
            ("ambient", of("openbao", "")),
            ("ambient_vault", of("hashicorp_vault", "")),
            ("no_write", token("var.none")),
            ("no_read", token("var.blind")),
            (
                "authority",
                of(
                    "openbao",
                    &format!("{root}\n    ca_cert_file = \"nowhere.pem\""),
                ),
            ),
            (
                "certificate",
                of("openbao", &format!("{root}\n    ca_cert_pem = \"none\"")),
            ),
        ],
    );
    let variables = ["none", "blind"].map(|name| {
        format!("variable \"{name}\" {{\n  type      = string\n  ephemeral = true\n}}\n")
    });
    workspace
        .write("variables.tf", &variables.concat())
        .unwrap();
    let given = [
        ("backend_secret", place.secret.as_str()),
        ("none", none.as_str()),
        ("blind", blind.as_str()),
    ];
    let told = Told::by_apply(&workspace, &given, &[]);
    for secret in ["hunter2", &place.secret, &none, &blind] {
        assert!(!told.words().contains(secret), "{told:#?}");
    }
    assert_snapshot!(told.at("token"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "token"
      at token_wo = "hunter2"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (write secret: secret/data/planton/acme/probe/token-<8 hex>/1-<8 hex>).

    The token is not, or no longer, valid: renew it. (A valid token whose policies do not allow it to look itself up looks the same.) Give a new token_wo, and change credentials_wo_version.

    Original error: write secret on "secret/data/planton/acme/probe/token-<8 hex>/<version>-<attempt>" was denied: the server answered 403: permission denied
    "#);
    assert_snapshot!(told.at("mount"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "mount"
      at kv_mount_path = "nowhere"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend, or the way to it, is not set up as this provider needs it (write secret: nowhere/data/planton/acme/probe/mount-<8 hex>/1-<8 hex>).

    No KV version 2 is mounted at "nowhere". Enable it with `bao secrets enable -path=nowhere -version=2 kv`, or correct the configured KV mount path or the namespace.

    Original error: the server answered 404: no handler for route
    "#);
    assert_snapshot!(told.at("kv1"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "kv1"
      at kv_mount_path = "one"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend, or the way to it, is not set up as this provider needs it (write secret: one/data/planton/acme/probe/kv1-<8 hex>/1-<8 hex>).

    The mount "one" is not KV version 2. Enable one elsewhere with `bao secrets enable -path=<mount> -version=2 kv`, or upgrade this one with `bao kv enable-versioning one`.
    "#);
    assert_snapshot!(told.at("namespace"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "namespace"
      at namespace = "team"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend, or the way to it, is not set up as this provider needs it (write secret: secret/data/planton/acme/probe/namespace-<8 hex>/1-<8 hex>).

    The namespace does not exist: check it, or create it.

    Original error: the server answered 404: namespace not found
    "#);
    assert_snapshot!(told.at("secret_id"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "secret_id"
      at approle = { role_id = "<uuid>", secret_id_wo = "hunter2" }

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (login: auth/approle/login).

    The server refused the login: check the auth method's mount path, the role, and the credential. Check approle.role_id; give a new approle.secret_id_wo, and change credentials_wo_version.

    Original error: login on "auth/approle/login" was refused: not authenticated: the server answered 400: invalid role or secret ID
    "#);
    assert_snapshot!(told.at("login_mount"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "login_mount"
      at approle = { role_id = "<uuid>", secret_id_wo = "hunter2", mount_path = "elsewhere" }

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (login: auth/elsewhere/login).

    The server refused the login: check the auth method's mount path, the role, and the credential. Check approle.role_id; give a new approle.secret_id_wo, and change credentials_wo_version.

    Original error: login on "auth/elsewhere/login" was denied: the server answered 403: permission denied
    "#);
    assert_snapshot!(told.at("token_file"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "token_file"
      at jwt = { role = "ci", token_file = "/nowhere/jwt" }

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (read token file: auth).

    Check the file that jwt.token_file names, and its mode; jwt.token_file takes a path, and not the token itself.

    Original error: No such file or directory (os error 2)
    "#);
    assert_snapshot!(told.at("ambient"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "ambient"
      at openbao = {
        address = "http://127.0.0.1:<port>"
        
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (log in: openbao.token_wo).

    No credential is configured, and the environment has none. Set token_wo, approle, jwt or kubernetes; or set the variable BAO_TOKEN, or log in with `bao login`.
    "#);
    assert_snapshot!(told.at("ambient_vault"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "ambient_vault"
      at hashicorp_vault = {
        address = "http://127.0.0.1:<port>"
        
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend does not, or no longer, accept the credentials: they are missing, wrong, or have run out (log in: hashicorp_vault.token_wo).

    No credential is configured, and the environment has none. Set token_wo, approle, jwt or kubernetes; or set the variable VAULT_TOKEN, or log in with `vault login`.
    "#);
    assert_snapshot!(told.at("no_write"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_write"
      at openbao = {
        address = "http://127.0.0.1:<port>"
        token_wo = var.none
      }

    The backend was not saved: it could not write an object with a throw-away name.

    The credentials in use may not do this on the secret backend (write secret: secret/data/planton/acme/probe/no-write-<8 hex>/1-<8 hex>).

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

    To save it unverified, set verify_connection to false.

    Original error: the server answered 403: permission denied
    "#);
    assert_snapshot!(told.at("no_read"), @r#"
    Error: Secret Backend Access Denied
      in resource "planton_secret_backend" "no_read"
      at openbao = {
        address = "http://127.0.0.1:<port>"
        token_wo = var.blind
      }

    The backend was not saved: it could not read an object with a throw-away name.

    The credentials in use may not do this on the secret backend (read secret: secret/data/planton/acme/probe/no-read-<8 hex>/1-<8 hex>).

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

    To save it unverified, set verify_connection to false.

    Original error: the server answered 403: permission denied
    "#);
    assert_snapshot!(told.at("authority"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "authority"
      at ca_cert_file = "nowhere.pem"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend cannot be used as it is set up (setting: openbao.ca_cert_file).

    The file "nowhere.pem" that ca_cert_file names could not be read: No such file or directory (os error 2). Check its path and its mode; ca_cert_file takes a path, and not what the file holds.
    "#);
    assert_snapshot!(told.at("certificate"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "certificate"
      at ca_cert_pem = "none"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend cannot be used as it is set up (setting: openbao.ca_cert_pem).

    Check the CA certificate (ca_cert_pem, ca_cert_file), and the client certificate with its key (client_cert_file, client_key_file): each must be PEM.

    Original error: CA certificate: cannot be sent: no certificate in PEM form
    "#);
    assert_eq!(told.len(), 13);
}

/// At every place at once: each gives up after all retries.
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

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend could not be reached, or failed, and still did after all retries (write secret: secret/data/planton/acme/probe/openbao-<8 hex>/1-<8 hex>).

    Check the address, and that the server can be reached from here.

    To save it unverified, set verify_connection to false.

    Original error: POST 127.0.0.1/v1/secret/data/planton/acme/probe/openbao-<8 hex>/<version>-<attempt>: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("vault"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "vault"
      at address = "http://127.0.0.1:1"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend could not be reached, or failed, and still did after all retries (write secret: secret/data/planton/acme/probe/vault-<8 hex>/1-<8 hex>).

    Check the address, and that the server can be reached from here.

    To save it unverified, set verify_connection to false.

    Original error: POST 127.0.0.1/v1/secret/data/planton/acme/probe/vault-<8 hex>/<version>-<attempt>: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("aws"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "aws"
      at endpoint = "http://127.0.0.1:1"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend could not be reached, or failed, and still did after all retries (CreateSecret: planton/acme/probe/aws-<8 hex>).

    Check region and endpoint, and that AWS can be reached from here.

    To save it unverified, set verify_connection to false.

    Original error: no answer: POST 127.0.0.1/: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("gcp"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "gcp"
      at endpoint = "http://127.0.0.1:1"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend could not be reached, or failed, and still did after all retries (CreateSecret: projects/acme-prod/secrets/planton_acme_probe_gcp-<8 hex>).

    Check that the endpoint can be reached from here.

    To save it unverified, set verify_connection to false.

    Original error: POST 127.0.0.1/v1/projects/acme-prod/secrets: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("vault_url"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "vault_url"
      at vault_url = "https://127.0.0.1:1"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend could not be reached, or failed, and still did after all retries (GetSecretVersions: planton--acme--probe--vault-url-<8 hex>).

    Check vault_url: no vault answers at https://127.0.0.1:1.

    To save it unverified, set verify_connection to false.

    Original error: the vault: GET 127.0.0.1/secrets/planton--acme--probe--vault-url-<8 hex>/versions: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("authority"), @r#"
    Error: Secret Backend Unavailable
      in resource "planton_secret_backend" "authority"
      at authority_host = "https://127.0.0.1:1"

    The backend was not saved: it could not write an object with a throw-away name.

    The secret backend could not be reached, or failed, and still did after all retries (GetSecretVersions: planton--acme--probe--authority-<8 hex>).

    Check authority_host, and that it can be reached from here.

    To save it unverified, set verify_connection to false.

    Original error: getting a token: POST 127.0.0.1/<uuid>/oauth2/v2.0/token: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_eq!(told.len(), 6);
}

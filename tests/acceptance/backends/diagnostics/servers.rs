//! Errors of a self-hosted server that rejects the provider's login.

use insta::assert_snapshot;
use serde_json::json;

use super::{embedded, grants, write};
use crate::backends::Place;
use crate::reading::{Told, filters};

#[test]
fn what_a_server_refuses_is_told_with_the_remedy() {
    let _filters = filters();
    let place = Place::openbao();
    let api = place.server().api();
    api.enable_kv1("one").unwrap();
    let grants = grants::tokens(api);
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
    let mut declared = vec![
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
        (
            "authority",
            of(
                "openbao",
                &format!("{root}\n    ca_cert_file = \"nowhere.pem\""),
            ),
        ),
        (
            "certificate",
            of(
                "openbao",
                &format!("{root}\n    ca_cert_file = \"none.pem\""),
            ),
        ),
    ];
    for grant in &grants {
        let line = format!("token_wo = var.{}", grant.token_name);
        declared.push((grant.name, of(grant.kind, &line)));
    }
    workspace.write("none.pem", "none").unwrap();
    write(&workspace, &declared);
    let mut given = vec![("backend_secret", place.secret.as_str())];
    let mut variables = String::new();
    for grant in &grants {
        let name = grant.token_name;
        if given.iter().all(|(given, _)| *given != name) {
            given.push((name, &grant.token));
            variables +=
                &format!("variable \"{name}\" {{\n  type      = string\n  ephemeral = true\n}}\n");
        }
    }
    workspace.write("variables.tf", &variables).unwrap();
    let told = Told::by_apply(&workspace, &given, &[]);
    let tokens = given.iter().map(|(_, token)| *token);
    for secret in tokens.chain(["hunter2"]) {
        assert!(!told.words().contains(secret), "{told:#?}");
    }
    assert_snapshot!(told.at("token"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "token"
      at token_wo = "hunter2"

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (write secret: secret/data/planton/acme/probe/token-<8 hex>/1-<8 hex>).

    The token is invalid or has expired: renew it. (A valid token whose policies do not allow auth/token/lookup-self looks the same.) Set a new token_wo, and change credentials_wo_version.

    Original error: write secret on "secret/data/planton/acme/probe/token-<8 hex>/<version>-<attempt>" was denied: the server returned 403: permission denied
    "#);
    assert_snapshot!(told.at("mount"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "mount"
      at kv_mount_path = "nowhere"

    The backend was not saved: the provider could not write a test object.

    The secret backend or the connection to it is misconfigured (write secret: nowhere/data/planton/acme/probe/mount-<8 hex>/1-<8 hex>).

    No KV version 2 engine is mounted at "nowhere". Enable it with `bao secrets enable -path=nowhere -version=2 kv`, or correct the configured KV mount path or the namespace.

    Original error: the server returned 404: no handler for route
    "#);
    assert_snapshot!(told.at("kv1"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "kv1"
      at kv_mount_path = "one"

    The backend was not saved: the provider could not write a test object.

    The secret backend or the connection to it is misconfigured (write secret: one/data/planton/acme/probe/kv1-<8 hex>/1-<8 hex>).

    The mount "one" is not KV version 2. Enable one elsewhere with `bao secrets enable -path=<mount> -version=2 kv`, or upgrade this one with `bao kv enable-versioning one`.
    "#);
    assert_snapshot!(told.at("namespace"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "namespace"
      at namespace = "team"

    The backend was not saved: the provider could not write a test object.

    The secret backend or the connection to it is misconfigured (write secret: secret/data/planton/acme/probe/namespace-<8 hex>/1-<8 hex>).

    The namespace does not exist. Correct it, or create it.

    Original error: the server returned 404: namespace not found
    "#);
    assert_snapshot!(told.at("secret_id"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "secret_id"
      at approle = { role_id = "<uuid>", secret_id_wo = "hunter2" }

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (login: auth/approle/login).

    The server rejected the login. Check the mount path of the auth method, the role, and the credential. Check approle.role_id. Set a new approle.secret_id_wo, and change credentials_wo_version.

    Original error: login on "auth/approle/login" failed: not authenticated: the server returned 400: invalid role or secret ID
    "#);
    assert_snapshot!(told.at("login_mount"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "login_mount"
      at approle = { role_id = "<uuid>", secret_id_wo = "hunter2", mount_path = "elsewhere" }

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (login: auth/elsewhere/login).

    The server rejected the login. Check the mount path of the auth method, the role, and the credential. Check approle.role_id. Set a new approle.secret_id_wo, and change credentials_wo_version.

    Original error: login on "auth/elsewhere/login" was denied: the server returned 403: permission denied
    "#);
    assert_snapshot!(told.at("token_file"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "token_file"
      at jwt = { role = "ci", token_file = "/nowhere/jwt" }

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (read token file: auth).

    Check the file that jwt.token_file names, and its mode; jwt.token_file takes a path, and not the token itself.

    Original error: No such file or directory (os error 2)
    "#);
    assert_snapshot!(told.at("ambient"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "ambient"
      at openbao = {
        address = "http://127.0.0.1:<port>"
        
      }

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (log in: openbao.token_wo).

    No credential is configured, and the environment contains none. Set token_wo, approle, jwt or kubernetes, or set the environment variable BAO_TOKEN, or log in with `bao login`.
    "#);
    assert_snapshot!(told.at("ambient_vault"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "ambient_vault"
      at hashicorp_vault = {
        address = "http://127.0.0.1:<port>"
        
      }

    The backend was not saved: the provider could not write a test object.

    The secret backend rejected the credentials: they are missing, wrong or expired (log in: hashicorp_vault.token_wo).

    No credential is configured, and the environment contains none. Set token_wo, approle, jwt or kubernetes, or set the environment variable VAULT_TOKEN, or log in with `vault login`.
    "#);
    grants::expect_told(&told);
    assert_snapshot!(told.at("authority"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "authority"
      at ca_cert_file = "nowhere.pem"

    The backend was not saved: the provider could not write a test object.

    The secret backend's settings are invalid (setting: openbao.ca_cert_file).

    The file "nowhere.pem" that ca_cert_file names could not be read: No such file or directory (os error 2). Check its path and its mode; ca_cert_file takes a path, and not what the file holds.
    "#);
    assert_snapshot!(told.at("certificate"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "certificate"
      at openbao = {
        address = "http://127.0.0.1:<port>"
        token_wo = var.backend_secret
        ca_cert_file = "none.pem"
      }

    The backend was not saved: the provider could not write a test object.

    The secret backend's settings are invalid (setting: openbao.ca_cert_pem).

    Check the CA certificate (ca_cert_pem, ca_cert_file), and the client certificate with its key (client_cert_file, client_key_file): each must be PEM.

    Original error: CA certificate: cannot be sent: no certificate in PEM form
    "#);
    assert_eq!(told.len(), 11 + grants.len());
}

//! A plan rejects invalid settings without a request to a vendor.

use insta::assert_snapshot;
use planton_vendors::BACKEND_TYPES;

use super::{embedded, write};
use crate::reading::{Told, filters};

#[test]
fn a_declaration_that_is_none_is_refused_by_validation() {
    let _filters = filters();
    let scene = embedded();
    let workspace = scene.workspace("");
    write(
        &workspace,
        &[
            ("none", String::new()),
            (
                "two",
                "  aws_secrets_manager = { region = \"eu-central-1\" }\n  gcp_secret_manager = { \
                 project_id = \"acme\" }"
                    .to_owned(),
            ),
            (
                "platform",
                "  openbao = { address = \"https://bao.example.com\" }".to_owned(),
            ),
            (
                "prefix",
                "  name_prefix = \"Acme Inc.\"\n  openbao = { address = \
                 \"https://bao.example.com\" }"
                    .to_owned(),
            ),
        ],
    );
    let told = Told::by_plan(&workspace, &[], &[]);
    // The test build of the provider has more types than a release.
    let types: Vec<_> = BACKEND_TYPES.iter().map(|known| known.name()).collect();
    let types = types.join(", ");
    let released = "aws_secrets_manager, gcp_secret_manager, azure_key_vault, hashicorp_vault, \
                    openbao";
    assert!(types.starts_with(released), "{types}");
    assert_snapshot!(told.at("none").replace(&types, "<all types>"), @r#"
    Error: Secret Backend Missing
      in resource "planton_secret_backend" "none"
      at resource "planton_secret_backend" "none" {

    No backend is configured.

    Set exactly one of <all types>.
    "#);
    assert_snapshot!(told.at("two").replace(&types, "<all types>"), @r#"
    Error: Conflicting Secret Backends
      in resource "planton_secret_backend" "two"
      at gcp_secret_manager = { project_id = "acme" }

    Exactly one of <all types> may be set, but aws_secrets_manager and gcp_secret_manager are.

    Remove all but one, or declare one backend for each.
    "#);
    assert_snapshot!(told.at("platform"), @r#"
    Error: Backend Name Reserved
      in resource "planton_secret_backend" "platform"
      at name = "platform"

    "platform" is the name of the built-in backend, which needs no declaration.

    Choose another name.
    "#);
    assert_snapshot!(told.at("prefix"), @r#"
    Error: Invalid Name
      in resource "planton_secret_backend" "prefix"
      at name_prefix = "Acme Inc."

    The name prefix must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit. The given one has upper-case letters, whitespace and other characters.
    "#);
    assert_eq!(told.len(), 4);
}

#[test]
fn settings_of_a_server_are_checked_while_planning() {
    let _filters = filters();
    let scene = embedded();
    let workspace = scene.workspace("");
    let of = |kind: &str, more: &str| {
        format!("  {kind} = {{\n    address = \"https://bao.example.com:8200\"\n    {more}\n  }}")
    };
    let bao = |more: &str| of("openbao", more);
    let vault = |more: &str| of("hashicorp_vault", more);
    write(
        &workspace,
        &[
            (
                "address",
                "  openbao = { address = \"bao.example.com:8200\" }".to_owned(),
            ),
            ("mount", bao("kv_mount_path = \"team a\"")),
            ("namespace", vault("namespace = \"team a\"")),
            (
                "logins",
                bao(
                    "approle = { role_id = \"x\", secret_id_wo = \"hunter2\" }\n    jwt = { role = \
                     \"x\", jwt_wo = \"hunter2\" }",
                ),
            ),
            (
                "token_and_role",
                bao(
                    "token_wo = \"hunter2\"\n    approle = { role_id = \"x\", secret_id_wo = \
                     \"hunter2\" }",
                ),
            ),
            (
                "two_jwts",
                bao("jwt = { role = \"x\", jwt_wo = \"hunter2\", token_file = \"jwt\" }"),
            ),
            (
                "authorities",
                bao("ca_cert_pem = \"x\"\n    ca_cert_file = \"ca.pem\""),
            ),
            ("certificate", bao("client_cert_file = \"client.pem\"")),
        ],
    );
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("address"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "address"
      at openbao = { address = "bao.example.com:8200" }

    The secret backend's settings are invalid (setting: openbao.address).

    address must be a URL such as https://bao.example.com:8200, with http or https, a host, and neither a user, a query nor a fragment.
    "#);
    assert_snapshot!(told.at("mount"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "mount"
      at kv_mount_path = "team a"

    The secret backend's settings are invalid (setting: openbao.kv_mount_path).

    kv_mount_path must be a mount path such as secret or team/secret, with letters, digits, _ . - and /.
    "#);
    assert_snapshot!(told.at("namespace"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "namespace"
      at namespace = "team a"

    The secret backend's settings are invalid (setting: hashicorp_vault.namespace).

    namespace must be a path such as team or team/a, with letters, digits, _ . - and /.
    "#);
    assert_snapshot!(told.at("logins"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "logins"
      at jwt = { role = "x", jwt_wo = "hunter2" }

    The secret backend's settings are invalid (setting: openbao.jwt).

    At most one of token_wo, approle, jwt, kubernetes may be set, and approle and jwt are. Remove all but one.
    "#);
    assert_snapshot!(told.at("token_and_role"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "token_and_role"
      at token_wo = "hunter2"

    The secret backend's settings are invalid (setting: openbao.token_wo).

    Set at most one of token_wo and approle.
    "#);
    assert_snapshot!(told.at("two_jwts"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "two_jwts"
      at jwt = { role = "x", jwt_wo = "hunter2", token_file = "jwt" }

    The secret backend's settings are invalid (setting: openbao.jwt.token_file).

    Set at most one of jwt.jwt_wo and jwt.token_file.
    "#);
    assert_snapshot!(told.at("authorities"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "authorities"
      at ca_cert_file = "ca.pem"

    The secret backend's settings are invalid (setting: openbao.ca_cert_file).

    At most one of ca_cert_pem, ca_cert_file may be set, and ca_cert_pem and ca_cert_file are. Remove all but one.

    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "authorities"
      at ca_cert_pem = "x"

    The secret backend's settings are invalid (setting: openbao.ca_cert_pem).

    ca_cert_pem must contain certificates in PEM form, which begin with -----BEGIN CERTIFICATE-----.

    Original error: CA certificate: cannot be sent: no certificate in PEM form
    "#);
    assert_snapshot!(told.at("certificate"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "certificate"
      at openbao = {
        address = "https://bao.example.com:8200"
        client_cert_file = "client.pem"
      }

    The secret backend's settings are invalid (setting: openbao.client_key_file).

    client_cert_file is set without client_key_file. Set both, or neither.
    "#);
    assert_eq!(told.len(), 9);

    // Only the plan can report a missing credential: the backend may have a sealed one.
    write(
        &workspace,
        &[
            ("no_secret_id", vault("approle = { role_id = \"x\" }")),
            ("no_jwt", vault("jwt = { role = \"x\" }")),
        ],
    );
    let told = Told::by_plan(&workspace, &[], &[]);
    assert_snapshot!(told.at("no_secret_id"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "no_secret_id"
      at approle = { role_id = "x" }

    The secret backend rejected the credentials: they are missing, wrong or expired (log in: hashicorp_vault.approle.secret_id_wo).

    Set approle.secret_id_wo to a non-empty value, and change credentials_wo_version.
    "#);
    assert_snapshot!(told.at("no_jwt"), @r#"
    Error: Secret Backend Login Failed
      in resource "planton_secret_backend" "no_jwt"
      at jwt = { role = "x" }

    The secret backend rejected the credentials: they are missing, wrong or expired (log in: hashicorp_vault.jwt.jwt_wo).

    Set jwt.jwt_wo to a non-empty value, and change credentials_wo_version.
    "#);
    assert_eq!(told.len(), 2);
}

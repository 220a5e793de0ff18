//! Tests the diagnostics for a platform that is missing, incomplete, or denies access.

use std::fmt::Display;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::json;
use xtask::openbao::{OpenBao, Seal, ServerOptions};
use xtask::tools::Tools;

use super::provider::aliased;
use crate::certificates::Authority;
use crate::reading::{Told, filters};
use crate::scene::{On, Scene, terraform_1_11};

fn block(organization: &str, address: &str, login: &str, more: impl Display) -> String {
    format!(
        "  organization = \"{organization}\"\n  openbao = {{\n    address = \"{address}\"\n    {login}\n    \
         {more}\n  }}"
    )
}

fn quoted(file: &Path) -> String {
    format!("{:?}", file.display().to_string())
}

#[test]
fn a_platform_that_cannot_be_used_is_told_with_the_remedy() {
    let _filters = filters();
    let authority = Authority::named("ours");
    let stranger = Authority::named("a stranger");
    let server = OpenBao::start(&Tools::locate().unwrap(), &authority.server()).unwrap();
    let api = server.api();
    api.enable_kv2("planton").unwrap();
    api.enable_kv1("one").unwrap();
    api.enable_transit("transit").unwrap();
    let role = api
        .approle("approle", "ci", &["default"], json!({}))
        .unwrap();
    let no_rights = api.create_token(&["default"], "10m").unwrap();

    let nobody_unseals = ServerOptions {
        seal: Seal::Shamir,
        ..ServerOptions::default()
    };
    let sealed = OpenBao::start(&Tools::locate().unwrap(), &nobody_unseals).unwrap();

    let (plain, tls) = (server.address(), server.tls_address().unwrap());
    let root = format!("token = {:?}", server.root_token());
    let approle = format!(
        "approle = {{ role_id = {:?}, secret_id = \"hunter2\" }}",
        role.role_id
    );
    let jwt_file = "jwt = { role = \"ci\", token_file = \"/nowhere/jwt\" }";
    let ca = |authority: &Authority| format!("ca_cert_file = {}", quoted(&authority.certificate()));
    let workspace = aliased(&[
        (
            "nothing_listens",
            block("a", "http://127.0.0.1:1", "token = \"s.hunter2\"", ""),
        ),
        (
            "wrong_token",
            block("b", plain, "token = \"s.hunter2\"", ""),
        ),
        (
            "no_token_file",
            block("c", plain, "token_file = \"/nowhere/token\"", ""),
        ),
        ("login_refused", block("d", plain, &approle, "")),
        ("no_jwt_file", block("e", plain, jwt_file, "")),
        (
            "no_rights",
            block("f", plain, &format!("token = {no_rights:?}"), ""),
        ),
        (
            "no_namespace",
            block("g", plain, &root, "namespace = \"nowhere\""),
        ),
        (
            "no_kv",
            block("h", plain, &root, "kv_mount_path = \"nowhere\""),
        ),
        ("kv_1", block("i", plain, &root, "kv_mount_path = \"one\"")),
        (
            "no_transit",
            block("j", plain, &root, "transit_mount_path = \"nowhere\""),
        ),
        ("wrong_authority", block("k", tls, &root, ca(&stranger))),
        (
            "sealed",
            block("m", sealed.address(), "token = \"s.hunter2\"", ""),
        ),
        ("no_certificate", block("l", tls, &root, ca(&authority))),
    ]);
    let told = Told::by_apply(&workspace, &[], &[]);
    for secret in ["hunter2", server.root_token(), &no_rights] {
        assert!(!told.words().contains(secret), "{told:#?}");
    }
    assert_snapshot!(told.at("nothing_listens"), @r#"
    Error: Platform Unavailable
      in resource "planton_secret" "nothing_listens"
      at resource "planton_secret" "nothing_listens" {

    The platform could not be reached or returned errors; retries were exhausted (read secret: planton/data/catalog/a/organization).

    Check the address, and that the server is reachable from this machine.

    Original error: GET 127.0.0.1/v1/planton/data/catalog/a/organization: cannot connect: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
    assert_snapshot!(told.at("wrong_token"), @r#"
    Error: Platform Login Failed
      in resource "planton_secret" "wrong_token"
      at resource "planton_secret" "wrong_token" {

    The platform rejected the provider's login: its credentials are missing, wrong or expired (read secret: planton/data/catalog/b/organization).

    The token is invalid or has expired: renew it. (A valid token whose policies do not allow auth/token/lookup-self looks the same.)

    Original error: read secret on "planton/data/catalog/b/organization" was denied: the server returned 403: permission denied
    "#);
    assert_snapshot!(told.at("no_token_file"), @r#"
    Error: Platform Login Failed
      in resource "planton_secret" "no_token_file"
      at resource "planton_secret" "no_token_file" {

    The platform rejected the provider's login: its credentials are missing, wrong or expired (read token file: auth).

    Check the file that token_file names, and its mode; token_file takes a path, and not the token itself.

    Original error: No such file or directory (os error 2)
    "#);
    assert_snapshot!(told.at("login_refused"), @r#"
    Error: Platform Login Failed
      in resource "planton_secret" "login_refused"
      at resource "planton_secret" "login_refused" {

    The platform rejected the provider's login: its credentials are missing, wrong or expired (login: auth/approle/login).

    The server rejected the login. Check the mount path of the auth method, the role, and the credential.

    Original error: login on "auth/approle/login" failed: not authenticated: the server returned 400: invalid role or secret ID
    "#);
    assert_snapshot!(told.at("no_jwt_file"), @r#"
    Error: Platform Login Failed
      in resource "planton_secret" "no_jwt_file"
      at resource "planton_secret" "no_jwt_file" {

    The platform rejected the provider's login: its credentials are missing, wrong or expired (read token file: auth).

    Check the file that jwt.token_file names, and its mode; jwt.token_file takes a path, and not the token itself.

    Original error: No such file or directory (os error 2)
    "#);
    assert_snapshot!(told.at("no_rights"), @r#"
    Error: Catalog Access Denied
      in resource "planton_secret" "no_rights"
      at resource "planton_secret" "no_rights" {

    The provider's credentials do not permit this operation on the platform's catalog (read secret: planton/data/catalog/f/organization).

    Grant to the role in use:
    path "planton/data/catalog/f/*" {
      capabilities = ["read"]
    }
    path "planton/data/catalog/f/fence/*" {
      capabilities = ["create", "update"]
    }
    path "planton/metadata/catalog/f/*" {
      capabilities = ["list", "read"]
    }

    Original error: the server returned 403: permission denied
    "#);
    assert_snapshot!(told.at("no_namespace"), @r#"
    Error: Platform Misconfigured
      in resource "planton_secret" "no_namespace"
      at resource "planton_secret" "no_namespace" {

    The platform or the connection to it is misconfigured (read secret: planton/data/catalog/g/organization).

    The namespace does not exist. Correct it, or create it.

    Original error: the server returned 404: namespace not found
    "#);
    assert_snapshot!(told.at("no_kv"), @r#"
    Error: Platform Misconfigured
      in resource "planton_secret" "no_kv"
      at resource "planton_secret" "no_kv" {

    The platform or the connection to it is misconfigured (read secret: nowhere/data/catalog/h/organization).

    No KV version 2 engine is mounted at "nowhere". Enable it with `bao secrets enable -path=nowhere -version=2 kv`, or correct the configured KV mount path or the namespace.

    Original error: the server returned 404: no handler for route
    "#);
    assert_snapshot!(told.at("kv_1"), @r#"
    Error: Platform Misconfigured
      in resource "planton_secret" "kv_1"
      at resource "planton_secret" "kv_1" {

    The platform or the connection to it is misconfigured (write fence: one/data/catalog/i/fence/<2 hex>).

    The mount "one" is not KV version 2. Enable one elsewhere with `bao secrets enable -path=<mount> -version=2 kv`, or upgrade this one with `bao kv enable-versioning one`.
    "#);
    assert_snapshot!(told.at("no_transit"), @r#"
    Error: Encryption Key Misconfigured
      in resource "planton_secret" "no_transit"
      at resource "planton_secret" "no_transit" {

    The key or its secrets engine is not configured as this provider requires (read key: nowhere/keys/planton-j).

    No Transit engine is mounted at "nowhere". Enable it with `bao secrets enable -path=nowhere transit`, or correct the configured Transit mount path or the namespace.

    Original error: the server returned 404: no handler for route
    "#);
    assert_snapshot!(told.at("wrong_authority"), @r#"
    Error: Platform Misconfigured
      in resource "planton_secret" "wrong_authority"
      at resource "planton_secret" "wrong_authority" {

    The platform or the connection to it is misconfigured (read secret: planton/data/catalog/k/organization).

    Check the CA certificate, and the client certificate if the server requires one.

    Original error: GET 127.0.0.1/v1/planton/data/catalog/k/organization: TLS failed: error sending request: client error (Connect): invalid peer certificate: UnknownIssuer
    "#);
    assert_snapshot!(told.at("no_certificate"), @r#"
    Error: Platform Misconfigured
      in resource "planton_secret" "no_certificate"
      at resource "planton_secret" "no_certificate" {

    The platform or the connection to it is misconfigured (read secret: planton/data/catalog/l/organization).

    Check the CA certificate, and the client certificate if the server requires one.

    Original error: GET 127.0.0.1/v1/planton/data/catalog/l/organization: TLS failed: error sending request: client error (SendRequest): connection error: received fatal alert: CertificateRequired
    "#);
    assert_eq!(told.len(), 13);
    let one = api
        .list_recursive("one", xtask::openbao::KvVersion::V1)
        .unwrap();
    assert!(one.is_empty(), "left in a mount that is not ours: {one:?}");

    assert_snapshot!(told.at("sealed"), @r#"
    Error: Platform Unavailable
      in resource "planton_secret" "sealed"
      at resource "planton_secret" "sealed" {

    The platform could not be reached or returned errors; retries were exhausted (read secret: planton/data/catalog/m/organization).

    The server is sealed. Unseal it.

    Original error: the server returned 503: sealed
    "#);
}

/// Every secret depends on the key, so the provider never creates another one in its
/// place.
#[test]
fn a_missing_transit_key_is_told_and_never_made_anew() {
    let _filters = filters();
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let workspace = scene.workspace(
        r#"
variable "rotation" {
  default = "1"
}
resource "planton_secret" "db" {
  name             = "db"
  value_wo         = "hunter2"
  value_wo_version = var.rotation
}
"#,
    );
    workspace.apply(&[]).unwrap().ok().unwrap();
    let api = scene.openbao().unwrap().api();
    let key = "transit/keys/planton-acme";
    let deletable = json!({"deletion_allowed": true});
    api.ok("POST", &format!("{key}/config"), Some(&deletable))
        .unwrap();
    api.ok("DELETE", key, None).unwrap();

    let told = Told::by_apply(&workspace, &[("rotation", "2")], &[]);
    assert_snapshot!(told.everything(), @r#"
    Error: Encryption Key Missing
      in resource "planton_secret" "db"
      at resource "planton_secret" "db" {

    The key encryption key does not exist. Beside it, only an escrow key opens the versions that were sealed under it (read key: transit/planton-acme).

    Check address, namespace and mount, or restore the key "planton-acme" from a backup. None is created in its place. If it is lost and there is an escrow key, install another key with that one's identity (rewrap --with): guide "Operator commands", section "After a main key was lost".
    "#);
    workspace
        .write(
            "more.tf",
            "resource \"planton_secret\" \"new\" {\n  name = \"new\"\n  generate = {}\n}\n",
        )
        .unwrap();
    let told = Told::by_apply(&workspace, &[], &[]);
    assert_snapshot!(told.at("new"), @r#"
    Error: Encryption Key Missing
      in resource "planton_secret" "new"
      at resource "planton_secret" "new" {

    The key encryption key does not exist. Beside it, only an escrow key opens the versions that were sealed under it (read key: transit/planton-acme).

    Check address, namespace and mount, or restore the key "planton-acme" from a backup. None is created in its place. If it is lost and there is an escrow key, install another key with that one's identity (rewrap --with): guide "Operator commands", section "After a main key was lost".
    "#);
    workspace
        .write(
            "more.tf",
            "ephemeral \"planton_secret\" \"db\" {\n  name = \"db\"\n}\n",
        )
        .unwrap();
    let told = Told::by_plan(&workspace, &[], &[]);
    assert_snapshot!(told.everything(), @r#"
    Error: Encryption Key Missing
      in ephemeral "planton_secret" "db"
      at ephemeral "planton_secret" "db" {

    The key encryption key does not exist. Beside it, only an escrow key opens the versions that were sealed under it (use key: transit/planton-acme).

    Check address, namespace and mount, or restore the key "planton-acme" from a backup. None is created in its place. If it is lost and there is an escrow key, install another key with that one's identity (rewrap --with): guide "Operator commands", section "After a main key was lost".

    Original error: decrypt on "transit/decrypt/planton-acme" failed: not found: the server returned 400: encryption key not found
    "#);
    assert_eq!(api.call("GET", key, None).unwrap().status, 404);
}

#[test]
fn a_state_of_another_platform_is_an_error_and_no_drift() {
    let _filters = filters();
    let one = Scene::new(&terraform_1_11(), On::Embedded);
    let other = Scene::new(&terraform_1_11(), On::Embedded);
    let secret = |name: &str| {
        format!(
            "resource \"planton_secret\" \"db\" {{\n  name = \"{name}\"\n  value_wo = \"x\"\n  \
             value_wo_version = \"1\"\n}}\n"
        )
    };
    let workspace = one.workspace(&secret("db"));
    workspace.apply(&[]).unwrap().ok().unwrap();
    workspace.write("provider.tf", &other.provider("")).unwrap();
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @r#"
    Error: Different Platform
      in resource "planton_secret" "db"
      at resource "planton_secret" "db" {

    This resource was created in catalog <uuid>, but the platform in the provider's configuration has no catalog of this organization.

    Set the provider's openbao, embedded or bucket block and its organization to the platform that contains this resource. To move to a new platform on purpose, remove the resource from the state (terraform state rm) and create it there.
    "#);

    let elsewhere = other.workspace(&secret("elsewhere"));
    elsewhere.apply(&[]).unwrap().ok().unwrap();
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @r#"
    Error: Different Platform
      in resource "planton_secret" "db"
      at resource "planton_secret" "db" {

    This resource was created in catalog <uuid>, but the platform in the provider's configuration has catalog <uuid>.

    Set the provider's openbao, embedded or bucket block and its organization to the platform that contains this resource. To move to a new platform on purpose, remove the resource from the state (terraform state rm) and create it there.
    "#);
    let told = Told::by_apply(&workspace, &[], &["-refresh=false", "-destroy"]);
    assert_snapshot!(told.everything(), @r"
    Error: Different Platform

    This resource was created in catalog <uuid>, but the platform in the provider's configuration has catalog <uuid>.

    Set the provider's openbao, embedded or bucket block and its organization to the platform that contains this resource. To move to a new platform on purpose, remove the resource from the state (terraform state rm) and create it there.
    ");
    assert!(workspace.resource("planton_secret.db").unwrap().is_some());
}

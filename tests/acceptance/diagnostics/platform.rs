//! A platform that is not there, not set up, or does not let us in.

use std::fmt::Display;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::json;
use xtask::openbao::OpenBao;
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
    let authority = Authority::new();
    let stranger = Authority::new();
    let server = OpenBao::start(&Tools::locate().unwrap(), &authority.server()).unwrap();
    let api = server.api();
    api.enable_kv2("planton").unwrap();
    api.enable_kv1("one").unwrap();
    api.enable_transit("transit").unwrap();
    let role = api
        .approle("approle", "ci", &["default"], json!({}))
        .unwrap();
    let no_rights = api.create_token(&["default"], "10m").unwrap();

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
        ("no_certificate", block("l", tls, &root, ca(&authority))),
    ]);
    let told = Told::by_apply(&workspace, &[], &[]);
    for secret in ["hunter2", server.root_token(), &no_rights] {
        assert!(!told.everything().contains(secret), "{told:#?}");
    }
    assert_snapshot!(told.at("nothing_listens"), @"");
    assert_snapshot!(told.at("wrong_token"), @"");
    assert_snapshot!(told.at("no_token_file"), @"");
    assert_snapshot!(told.at("login_refused"), @"");
    assert_snapshot!(told.at("no_jwt_file"), @"");
    assert_snapshot!(told.at("no_rights"), @"");
    assert_snapshot!(told.at("no_namespace"), @"");
    assert_snapshot!(told.at("no_kv"), @"");
    assert_snapshot!(told.at("kv_1"), @"");
    assert_snapshot!(told.at("no_transit"), @"");
    assert_snapshot!(told.at("wrong_authority"), @"");
    assert_snapshot!(told.at("no_certificate"), @"");
    assert_eq!(told.len(), 12);
    let one = api
        .list_recursive("one", xtask::openbao::KvVersion::V1)
        .unwrap();
    assert!(one.is_empty(), "left in a mount that is not ours: {one:?}");

    server.seal().unwrap();
    let workspace = aliased(&[("sealed", block("m", plain, &root, ""))]);
    assert_snapshot!(Told::by_apply(&workspace, &[], &[]).everything(), @"");
}

/// The key is what everything hangs on: nothing may take its place.
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
    assert_snapshot!(told.everything(), @"");
    workspace
        .write(
            "more.tf",
            "resource \"planton_secret\" \"new\" {\n  name = \"new\"\n  generate = {}\n}\n",
        )
        .unwrap();
    let told = Told::by_apply(&workspace, &[], &[]);
    assert_snapshot!(told.at("new"), @"");
    workspace
        .write(
            "more.tf",
            "ephemeral \"planton_secret\" \"db\" {\n  name = \"db\"\n}\n",
        )
        .unwrap();
    let told = Told::by_plan(&workspace, &[], &[]);
    assert_snapshot!(told.everything(), @"");
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
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @"");

    let elsewhere = other.workspace(&secret("elsewhere"));
    elsewhere.apply(&[]).unwrap().ok().unwrap();
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @"");
    let told = Told::by_apply(&workspace, &[], &["-refresh=false", "-destroy"]);
    assert_snapshot!(told.everything(), @"");
    assert!(workspace.resource("planton_secret.db").unwrap().is_some());
}

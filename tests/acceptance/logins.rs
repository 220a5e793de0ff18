//! Tests every connection and login of an OpenBAO, from a provider block.

use rcgen::ExtendedKeyUsagePurpose;
use serde_json::json;
use xtask::openbao::{Api, JwtIssuer, OpenBao};
use xtask::tools::Tools;

use crate::answering::always_answering;
use crate::certificates::Authority;
use crate::diagnostics::aliased;
use crate::reading::{REQUIRED, Requests};
use crate::scene::{On, Scene, terraform_1_11};

const ALL: &str =
    "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }";

/// Returns the account `apps/app` for each TokenReview.
fn fake_token_review() -> String {
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "status": {"authenticated": true, "audiences": ["planton"], "user": {
            "username": "system:serviceaccount:apps:app",
            "uid": "0b4e4c9e-0000-4000-8000-000000000001",
            "groups": ["system:serviceaccounts"],
        }},
    });
    always_answering("201 Created", &review)
}

fn kubernetes(api: &Api, issuer: &JwtIssuer, authority: &Authority) -> String {
    api.enable_auth("kubernetes", "kubernetes").unwrap();
    let config = json!({"kubernetes_host": fake_token_review(), "token_reviewer_jwt": "reviewer",
        "disable_local_ca_jwt": true,
        "kubernetes_ca_cert": std::fs::read_to_string(authority.certificate()).unwrap()});
    api.ok("POST", "auth/kubernetes/config", Some(&config))
        .unwrap();
    let role = json!({"bound_service_account_names": ["app"],
        "bound_service_account_namespaces": ["apps"], "audience": "planton",
        "token_policies": ["all"]});
    api.ok("POST", "auth/kubernetes/role/app", Some(&role))
        .unwrap();
    issuer
        .sign(&json!({
            "iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:apps:app",
            "aud": ["planton"],
            "kubernetes.io": {"namespace": "apps", "serviceaccount":
                {"name": "app", "uid": "0b4e4c9e-0000-4000-8000-000000000001"}},
        }))
        .unwrap()
}

#[test]
fn a_secret_is_kept_after_every_kind_of_login() {
    let tools = Tools::locate().unwrap();
    let authority = Authority::named("ours");
    let server = OpenBao::start(&tools, &authority.server()).unwrap();
    let api = server.api();
    api.enable_kv2("planton").unwrap();
    api.enable_transit("transit").unwrap();
    api.write_policy("all", ALL).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let token_file = file("token", &format!("{}\n", server.root_token()));
    let role = api.approle("machines", "ci", &["all"], json!({})).unwrap();
    let issuer = JwtIssuer::new(&tools).unwrap();
    api.jwt_role("jwt", "ci", &["all"], issuer.public_key(), json!({}))
        .unwrap();
    let jwt = issuer.sign(&json!({"sub": "ci"})).unwrap();
    let jwt_file = file("jwt", &jwt);
    let account_file = file("account", &kubernetes(api, &issuer, &authority));
    api.create_namespace("team").unwrap();
    let team = api.in_namespace("team");
    team.enable_kv2("secrets/planton").unwrap();
    team.enable_transit("keys").unwrap();
    let (certificate, key) = authority.sign("client", ExtendedKeyUsagePurpose::ClientAuth);

    let (plain, root) = (server.address(), server.root_token());
    let block = |organization: &str, address: &str, login: &str| {
        format!(
            "  organization = \"{organization}\"\n  openbao = {{\n    address = \"{address}\"\n    {login}\n  }}"
        )
    };
    let in_team = format!(
        "token = \"{root}\"\n    namespace = \"team\"\n    kv_mount_path = \"secrets/planton\"\n    \
         transit_mount_path = \"keys\""
    );
    let with_certificate = format!(
        "token = \"{root}\"\n    ca_cert_file = {:?}\n    client_cert_file = {certificate:?}\n    \
         client_key_file = {key:?}",
        authority.certificate()
    );
    let approle = format!(
        "approle = {{ mount_path = \"machines\", role_id = \"{}\", secret_id = \"{}\" }}",
        role.role_id, role.secret_id
    );
    let mut workspace = aliased(&[
        ("token", block("a", plain, &format!("token = \"{root}\""))),
        (
            "token_file",
            block("b", plain, &format!("token_file = {token_file:?}")),
        ),
        ("approle", block("c", plain, &approle)),
        (
            "jwt",
            block(
                "d",
                plain,
                &format!("jwt = {{ role = \"ci\", token = \"{jwt}\" }}"),
            ),
        ),
        (
            "jwt_file",
            block(
                "e",
                plain,
                &format!("jwt = {{ role = \"ci\", token_file = {jwt_file:?} }}"),
            ),
        ),
        (
            "kubernetes",
            block(
                "f",
                plain,
                &format!("kubernetes = {{ role = \"app\", token_file = {account_file:?} }}"),
            ),
        ),
        ("namespace", block("g", plain, &in_team)),
        (
            "certificate",
            block("h", server.tls_address().unwrap(), &with_certificate),
        ),
    ]);
    let requests = Requests::of(&mut workspace);
    workspace.apply(&[]).unwrap().ok().unwrap();
    let logins = requests.take();
    let logins = logins.iter().filter(|line| line.contains("login"));
    assert_eq!(logins.collect::<Vec<_>>(), ["POST login 200"; 4]);
    // The secrets are in the configured place, and can be opened again.
    let in_namespace = team
        .list_recursive("secrets/planton", xtask::openbao::KvVersion::V2)
        .unwrap();
    assert!(
        in_namespace.contains(&"catalog/g/organization".to_owned()),
        "{in_namespace:?}"
    );
    workspace.plan(&[]).unwrap().no_changes().unwrap();

    // The variables apply if the block does not set an argument.
    let environment = format!(
        "{REQUIRED}resource \"planton_secret\" \"x\" {{\n  name = \"x\"\n  generate = {{}}\n}}\n"
    );
    let mut workspace = aliased(&[]);
    workspace.write("main.tf", &environment).unwrap();
    workspace
        .env("PLANTON_ORG", "i")
        .env("BAO_ADDR", plain)
        .env("BAO_TOKEN", root);
    workspace.apply(&[]).unwrap().ok().unwrap();
    workspace
        .env("PLANTON_ADDR", plain)
        .env("PLANTON_TOKEN", root)
        .env("BAO_ADDR", "http://127.0.0.1:1")
        .env("BAO_TOKEN", "x");
    workspace.plan(&[]).unwrap().no_changes().unwrap();
}

/// The provider logs in again if a login expires during an apply, and the apply
/// continues.
#[test]
fn a_login_that_runs_out_in_the_middle_of_an_apply_is_made_once_more() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let server = scene.openbao().unwrap();
    let api = server.api();
    api.write_policy("all", ALL).unwrap();
    let short = json!({"token_ttl": "2s", "token_max_ttl": "2s"});
    let role = api.approle("approle", "ci", &["all"], short).unwrap();
    let mut workspace = scene.workspace(
        r#"
resource "planton_secret" "before" {
  name     = "before"
  value_wo = "hunter2"
}
resource "terraform_data" "meanwhile" {
  depends_on = [planton_secret.before]
  provisioner "local-exec" {
    command = "sleep 3"
  }
}
resource "planton_secret" "after" {
  depends_on = [terraform_data.meanwhile]
  count      = 3
  name       = "after-${count.index}"
  value_wo   = "hunter2"
}
"#,
    );
    workspace
        .write(
            "provider.tf",
            &format!(
                "{REQUIRED}provider \"planton\" {{\n  organization = \"acme\"\n  openbao = {{\n    address = \
                 {:?}\n    approle = {{ role_id = {:?}, secret_id = {:?} }}\n  }}\n}}\n",
                server.address(),
                role.role_id,
                role.secret_id
            ),
        )
        .unwrap();
    let requests = Requests::of(&mut workspace);
    workspace.apply(&[]).unwrap().ok().unwrap();
    let sent = requests.take();
    let logins = sent.iter().filter(|line| line.contains("login")).count();
    assert_eq!(logins, 2, "{sent:?}");
    assert!(
        sent.iter().any(|line| line.ends_with("403")),
        "the token did not run out: {sent:?}"
    );
}

//! Tests the diagnostics for the provider block and the environment.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use xtask::terraform::Workspace;

use crate::reading::{REQUIRED, Told, filters};
use crate::scene::{PROVIDER, terraform_1_11};

/// Creates a workspace with one provider block and one secret for each alias.
pub(crate) fn aliased(blocks: &[(&str, String)]) -> Workspace {
    let workspace = Workspace::new(&terraform_1_11(), PROVIDER.as_ref()).unwrap();
    let mut text = REQUIRED.to_owned();
    for (alias, block) in blocks {
        text.push_str(&format!(
            "provider \"planton\" {{\n  alias = \"{alias}\"\n{block}\n}}\n\
             resource \"planton_secret\" \"{alias}\" {{\n  provider = planton.{alias}\n  \
             name     = \"db\"\n  value_wo = \"hunter2\"\n}}\n"
        ));
    }
    workspace.write("main.tf", &text).unwrap();
    workspace
}

#[test]
fn a_malformed_block_is_told_at_the_attribute() {
    let _filters = filters();
    let openbao = |more: &str| {
        format!(
            "  organization = \"acme\"\n  openbao = {{\n    address = \"http://127.0.0.1:1\"\n{more}\n  }}"
        )
    };
    let workspace = aliased(&[
        ("organization", "  organization = \"Acme Inc.\"".to_owned()),
        (
            "environment",
            "  organization = \"acme\"\n  default_environment = \"Prod\"".to_owned(),
        ),
        (
            "label",
            "  organization = \"acme\"\n  default_labels = { \"\" = \"x\" }".to_owned(),
        ),
        (
            "both",
            format!("{}\n  embedded = {{}}", openbao("    token = \"t\"")),
        ),
        (
            "certificate",
            openbao("    token = \"t\"\n    client_cert_file = \"client.pem\""),
        ),
        (
            "key",
            openbao("    token = \"t\"\n    client_key_file = \"client.key\""),
        ),
        (
            "logins",
            openbao("    token = \"t\"\n    token_file = \"token\""),
        ),
        (
            "authorities",
            openbao("    token = \"t\"\n    ca_cert_pem = \"x\"\n    ca_cert_file = \"ca.pem\""),
        ),
        ("jwt", openbao("    jwt = { role = \"ci\" }")),
    ]);
    let told = Told::by_plan(&workspace, &[], &[]);
    assert_snapshot!(told.at("organization"), @r#"
    Error: Invalid Name
      in provider "planton"
      at organization = "Acme Inc."

    The organization must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit. The given one has upper-case letters, whitespace and other characters.
    "#);
    assert_snapshot!(told.at("environment"), @r#"
    Error: Invalid Name
      in provider "planton"
      at default_environment = "Prod"

    The default environment must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit. The given one has upper-case letters.
    "#);
    assert_snapshot!(told.at("label"), @r#"
    Error: Invalid Label
      in provider "planton"
      at default_labels = { "" = "x" }

    A label must have a key of 1 to 256 bytes, and a value of at most 256 bytes.

    Correct it.
    "#);
    assert_snapshot!(told.at("both"), @r#"
    Error: Conflicting Platforms
      in provider "planton"
      at embedded = {}

    Both openbao and embedded are set, but an organization has one platform.

    Remove one of the two blocks.
    "#);
    assert_snapshot!(told.at("certificate"), @r#"
    Error: Incomplete Client Certificate
      in provider "planton"
      at openbao = {

    client_cert_file is set without client_key_file. Set both, or neither.
    "#);
    assert_snapshot!(told.at("key"), @r#"
    Error: Incomplete Client Certificate
      in provider "planton"
      at openbao = {

    client_key_file is set without client_cert_file. Set both, or neither.
    "#);
    assert_snapshot!(told.at("logins"), @r#"
    Error: Conflicting Platform Settings
      in provider "planton"
      at token_file = "token"

    At most one of token, token_file, approle, jwt, kubernetes may be set, and token and token_file are. Remove all but one.
    "#);
    assert_snapshot!(told.at("authorities"), @r#"
    Error: Conflicting Platform Settings
      in provider "planton"
      at ca_cert_file = "ca.pem"

    At most one of ca_cert_pem, ca_cert_file may be set, and ca_cert_pem and ca_cert_file are. Remove all but one.
    "#);
    assert_snapshot!(told.at("jwt"), @r#"
    Error: Invalid Login Configuration
      in provider "planton"
      at jwt = { role = "ci" }

    The jwt block needs exactly one of token and token_file.

    Set one of them, and remove the other.
    "#);
    assert_eq!(told.len(), 9);
}

/// Rejected without opening a platform.
#[test]
fn a_setting_of_the_wrong_form_is_told_by_validation() {
    let openbao = |more: &str| format!("  organization = \"acme\"\n  openbao = {{\n{more}\n  }}");
    let local = "    address = \"http://127.0.0.1:1\"\n    token = \"s.hunter2\"";
    let workspace = aliased(&[
        (
            "no_url",
            openbao("    address = \"bao.example.com:8200\"\n    token = \"t\""),
        ),
        (
            "user_in_url",
            openbao("    address = \"https://user:hunter2@bao.example.com\"\n    token = \"t\""),
        ),
        (
            "mount",
            openbao(&format!("{local}\n    kv_mount_path = \"team a/kv\"")),
        ),
        (
            "namespace",
            openbao(&format!("{local}\n    namespace = \"team a\"")),
        ),
    ]);
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("no_url"), @r#"
    Error: Invalid Platform Address
      in provider "planton"
      at address = "bao.example.com:8200"

    address must be a URL such as https://bao.example.com:8200, with http or https, a host, and neither a user, a query nor a fragment.
    "#);
    assert_snapshot!(told.at("user_in_url"), @r#"
    Error: Invalid Platform Address
      in provider "planton"
      at address = "https://user:hunter2@bao.example.com"

    address must be a URL such as https://bao.example.com:8200, with http or https, a host, and neither a user, a query nor a fragment.
    "#);
    assert_snapshot!(told.at("mount"), @r#"
    Error: Invalid Mount Path
      in provider "planton"
      at kv_mount_path = "team a/kv"

    kv_mount_path must be a mount path such as secret or team/secret, with letters, digits, _ . - and /.
    "#);
    assert_snapshot!(told.at("namespace"), @r#"
    Error: Invalid Namespace
      in provider "planton"
      at namespace = "team a"

    namespace must be a path such as team or team/a, with letters, digits, _ . - and /.
    "#);
    assert_eq!(told.len(), 4);
}

#[test]
fn a_block_that_opens_no_platform_tells_why() {
    let _filters = filters();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| format!("{:?}", folder.path().join(name).display().to_string());
    let openbao = |more: &str| format!("  organization = \"acme\"\n  openbao = {{\n{more}\n  }}");
    let embedded = |name: &str| {
        format!(
            "  organization = \"acme\"\n  embedded = {{ path = {} }}",
            path(name)
        )
    };
    let local = "    address = \"http://127.0.0.1:1\"\n    token = \"s.hunter2\"";

    std::fs::write(folder.path().join("file"), "not a folder").unwrap();
    std::fs::write(folder.path().join("not-a-certificate"), "hunter2").unwrap();
    for name in ["keyless", "readable"] {
        let platform = aliased(&[("platform", embedded(name))]);
        platform.apply(&[]).unwrap().ok().unwrap();
    }
    std::fs::remove_file(folder.path().join("keyless/planton.key")).unwrap();
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(folder.path().join("readable/planton.key"), readable).unwrap();

    let mut workspace = aliased(&[
        (
            "no_organization",
            format!("  embedded = {{ path = {} }}", path("new")),
        ),
        ("no_address", openbao("    token = \"t\"")),
        (
            "no_credentials",
            openbao("    address = \"http://127.0.0.1:1\""),
        ),
        (
            "no_authority",
            openbao(&format!(
                "{local}\n    ca_cert_file = {}",
                path("nowhere.pem")
            )),
        ),
        (
            "bad_authority",
            openbao(&format!(
                "{local}\n    ca_cert_file = {}",
                path("not-a-certificate")
            )),
        ),
        ("nothing", "  organization = \"acme\"".to_owned()),
        ("file", embedded("file")),
        ("keyless", embedded("keyless")),
        ("readable", embedded("readable")),
    ]);
    workspace.env("TF_IN_AUTOMATION", "1");
    let told = Told::by_plan(&workspace, &[], &[]).hide(folder.path().display(), "<folder>");
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("no_organization"), @r#"
    Error: Organization Missing
      in provider "planton"
      at provider "planton" {

    No organization is configured. Every secret belongs to one.

    Set organization in the provider block, or the environment variable PLANTON_ORG.
    "#);
    assert_snapshot!(told.at("no_address"), @r#"
    Error: Platform Address Missing
      in provider "planton"
      at openbao = {

    The openbao block has no address.

    Set address, or the environment variable PLANTON_ADDR or BAO_ADDR.
    "#);
    assert_snapshot!(told.at("no_credentials"), @r#"
    Error: Platform Credentials Missing
      in provider "planton"
      at openbao = {
        address = "http://127.0.0.1:1"
      }

    No credentials for the platform are configured.

    Set one of token, token_file, approle, jwt and kubernetes in the openbao block, or the environment variable PLANTON_TOKEN, BAO_TOKEN or PLANTON_TOKEN_FILE.
    "#);
    assert_snapshot!(told.at("no_authority"), @r#"
    Error: File Not Readable
      in provider "planton"
      at ca_cert_file = "<folder>/nowhere.pem"

    The file "<folder>/nowhere.pem" that ca_cert_file names could not be read: No such file or directory (os error 2).

    Check its path and its mode; ca_cert_file takes a path, and not what the file holds.
    "#);
    assert_snapshot!(told.at("bad_authority"), @r#"
    Error: Invalid Platform Configuration
      in provider "planton"
      at openbao = {
        address = "http://127.0.0.1:1"
        token = "s.hunter2"
        ca_cert_file = "<folder>/not-a-certificate"
      }

    The openbao block is invalid (connect: http://127.0.0.1:1).

    Check the namespace, the CA certificate, and the client certificate with its key.

    Original error: CA certificate: cannot be sent: no certificate in PEM form
    "#);
    assert_snapshot!(told.at("nothing"), @r#"
    Error: Platform Missing
      in provider "planton"
      at provider "planton" {

    No platform is configured. TF_IN_AUTOMATION is set, so the provider does not use the embedded platform by default: its directory may be deleted with the machine of this run.

    Configure openbao or bucket in the provider block (or PLANTON_ADDR, or PLANTON_BUCKET_URL). If the directory is kept, set embedded = { path = … }.
    "#);
    assert_snapshot!(told.at("file"), @r#"
    Error: Embedded Platform Not Usable
      in provider "planton"
      at embedded = { path = "<folder>/file" }

    The embedded platform in <folder>/file could not be opened. Failed to look for the database: <folder>/file/planton.db.

    Check that the directory can be read and written.

    Original error: Not a directory (os error 20)
    "#);
    // The platform without its key file opens: what needs the key says that it is missing.
    assert_snapshot!(told.at("readable"), @r#"
    Error: Embedded Platform Not Usable
      in provider "planton"
      at embedded = { path = "<folder>/readable" }

    The embedded platform in <folder>/readable could not be opened. Failed to open key file: <folder>/readable/planton.key.

    Others may open the key file. Run `chmod 600 <folder>/readable/planton.key`; if they may have read it, rotate what it protects.
    "#);
    assert_eq!(told.len(), 8);
    let key = folder.path().join("keyless/planton.key");
    assert!(
        !key.exists(),
        "a key was made for a database that has another"
    );
}

#[test]
fn the_environment_names_one_platform_or_is_warned_about() {
    let _filters = filters();
    let mut workspace = aliased(&[("environment", "  organization = \"acme\"".to_owned())]);
    let folder = workspace.root().join("data");
    workspace.env("PLANTON_DATA_DIR", &folder);
    workspace.env("PLANTON_ADDR", "http://127.0.0.1:1");
    let told = Told::by_plan(&workspace, &[], &[]);
    assert_snapshot!(told.everything(), @r#"
    Error: Conflicting Platforms
      in provider "planton"
      at provider "planton" {

    The environment variables PLANTON_ADDR and PLANTON_DATA_DIR are both set, but an organization has one platform.

    Unset one of them, or configure openbao, embedded or bucket in the provider block.
    "#);

    workspace.env_remove("PLANTON_ADDR");
    assert_eq!(Told::by_plan(&workspace, &[], &[]).len(), 0);
    std::fs::write(&folder, "not a folder").unwrap();
    let told = Told::by_plan(&workspace, &[], &[]);
    let place = folder.display().to_string();
    assert!(told.words().contains(&place), "{told:#?}");

    workspace.env_remove("PLANTON_DATA_DIR");
    // VAULT_ADDR may be set for another tool, so it does not select a platform.
    workspace.env("VAULT_ADDR", "http://127.0.0.1:1");
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(told.success, "{told:#?}");
    assert_snapshot!(told.everything(), @r#"
    Warning: Embedded Platform In Use
      in provider "planton"
      at provider "planton" {

    No platform is configured, so the provider uses the embedded platform in <workspace>/home/.local/share/planton. Anybody who can read that directory can open its secrets.

    To keep it and silence this warning, set embedded = {}. To share secrets with others, configure openbao or bucket.
    "#);
}

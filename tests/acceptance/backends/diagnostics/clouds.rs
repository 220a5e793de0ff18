//! Errors of a plan for invalid settings of a cloud.

use insta::assert_snapshot;

use super::{embedded, write};
use crate::reading::{Told, filters};

#[test]
fn settings_of_aws_are_checked_while_planning() {
    let _filters = filters();
    let scene = embedded();
    let workspace = scene.workspace("");
    let aws = |lines: &str| format!("  aws_secrets_manager = {{\n    {lines}\n  }}");
    write(
        &workspace,
        &[
            ("region", aws("region = \"Frankfurt (eu-central-1)\"")),
            ("endpoint", aws("endpoint = \"http://aws.example.com\"")),
            ("secret_only", aws("secret_access_key_wo = \"hunter2\"")),
            ("role", aws("assume_role_arn = \"ci\"")),
            ("external_id", aws("external_id = \"x\"")),
            ("window", aws("recovery_window_days = 3")),
        ],
    );
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("region"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "region"
      at region = "Frankfurt (eu-central-1)"

    The secret backend's settings are invalid (setting: region).

    region must be the name of a region, such as eu-central-1.
    "#);
    assert_snapshot!(told.at("endpoint"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "endpoint"
      at endpoint = "http://aws.example.com"

    The secret backend's settings are invalid (setting: endpoint).

    endpoint must be a URL such as https://secretsmanager.eu-central-1.amazonaws.com: https (http for this machine only), a host, and no user, query or fragment.
    "#);
    assert_snapshot!(told.at("secret_only"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "secret_only"
      at aws_secrets_manager = {
        secret_access_key_wo = "hunter2"
      }

    The secret backend's settings are invalid (setting: access_key_id).

    Set it to the ID of the access key whose secret is secret_access_key_wo.
    "#);
    assert_snapshot!(told.at("role"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "role"
      at assume_role_arn = "ci"

    The secret backend's settings are invalid (setting: assume_role_arn).

    assume_role_arn must be the ARN of a role, such as arn:aws:iam::123456789012:role/name.
    "#);
    assert_snapshot!(told.at("external_id"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "external_id"
      at external_id = "x"

    The secret backend's settings are invalid (setting: external_id).

    external_id has an effect only with assume_role_arn, which is not set. Set both, or neither.
    "#);
    assert_snapshot!(told.at("window"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "window"
      at recovery_window_days = 3

    The secret backend's settings are invalid (setting: recovery_window_days).

    recovery_window_days must be from 7 to 30, or 0 to delete at once, without recovery.
    "#);
    assert_eq!(told.len(), 6);

    // Only the plan can report a missing credential: the backend may have a sealed one,
    // or the trigger may be unchanged.
    write(
        &workspace,
        &[
            ("id_only", aws("access_key_id = \"AKIA1\"")),
            ("token_only", aws("session_token_wo = \"hunter2\"")),
        ],
    );
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("id_only"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "id_only"
      at aws_secrets_manager = {
        access_key_id = "AKIA1"
      }

    The secret backend's settings are invalid (setting: secret_access_key_wo).

    secret_access_key_wo is required with access_key_id. To use the ambient credentials, set neither.
    "#);
    assert_snapshot!(told.at("token_only"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "token_only"
      at session_token_wo = "hunter2"

    The secret backend's settings are invalid (setting: session_token_wo).

    It requires access_key_id and secret_access_key_wo, which are not set.
    "#);
    assert_eq!(told.len(), 2);
}

#[test]
fn settings_of_gcp_and_azure_are_checked_while_planning() {
    let _filters = filters();
    let scene = embedded();
    let workspace = scene.workspace("");
    let gcp = |lines: &str| format!("  gcp_secret_manager = {{\n    {lines}\n  }}");
    let key = |key: &str| {
        gcp(&format!(
            "project_id = \"acme\"\n    service_account_key_json_wo = {key:?}"
        ))
    };
    let azure = |lines: &str| format!("  azure_key_vault = {{\n    {lines}\n  }}");
    let vault = |more: &str| {
        azure(&format!(
            "vault_url = \"https://acme.vault.azure.net\"\n    {more}"
        ))
    };
    write(
        &workspace,
        &[
            ("project", gcp("project_id = \"Acme Prod\"")),
            (
                "impersonate",
                gcp("project_id = \"acme\"\n    impersonate_service_account = \"ci\""),
            ),
            (
                "gcp_endpoint",
                gcp("project_id = \"acme\"\n    endpoint = \"secretmanager.example.com\""),
            ),
            (
                "locations",
                gcp("project_id = \"acme\"\n    replica_locations = []"),
            ),
            (
                "path",
                azure("vault_url = \"https://acme.vault.azure.net/secrets/db\""),
            ),
            (
                "plain",
                azure("vault_url = \"http://acme.vault.azure.net\""),
            ),
            ("authority", vault("authority_host = \"login.example.com\"")),
            (
                "tenant",
                vault("tenant_id = \"Acme Inc.\"\n    client_id = \"c\""),
            ),
            (
                "no_tenant",
                vault("client_id = \"c\"\n    client_secret_wo = \"hunter2\""),
            ),
            ("sources", vault("use_msi = true\n    use_cli = true")),
            (
                "secret_and_cli",
                vault(
                    "tenant_id = \"t\"\n    client_id = \"c\"\n    client_secret_wo = \
                     \"hunter2\"\n    use_cli = true",
                ),
            ),
        ],
    );
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("project"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "project"
      at project_id = "Acme Prod"

    The secret backend's settings are invalid (setting: project_id).

    project_id must be a project's identifier or number: 1 to 63 of a-z, 0-9 and hyphen, perhaps behind "example.com:".
    "#);
    assert_snapshot!(told.at("impersonate"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "impersonate"
      at impersonate_service_account = "ci"

    The secret backend's settings are invalid (setting: impersonate_service_account).

    impersonate_service_account must be an email address such as name@project.iam.gserviceaccount.com.
    "#);
    assert_snapshot!(told.at("gcp_endpoint"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "gcp_endpoint"
      at endpoint = "secretmanager.example.com"

    The secret backend's settings are invalid (setting: endpoint).

    endpoint must be a URL as https://secretmanager.googleapis.com: https and a host, or http and a loopback address, without a user, a path, a query or a fragment.
    "#);
    assert_snapshot!(told.at("locations"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "locations"
      at replica_locations = []

    The secret backend's settings are invalid (setting: replica_locations).

    replica_locations must name at least one location, such as "europe-west3"; omit it for automatic replication.
    "#);
    assert_snapshot!(told.at("path"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "path"
      at vault_url = "https://acme.vault.azure.net/secrets/db"

    The secret backend's settings are invalid (setting: vault_url).

    vault_url cannot be used: it must not have a path. An example is https://acme.vault.azure.net.
    "#);
    assert_snapshot!(told.at("plain"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "plain"
      at vault_url = "http://acme.vault.azure.net"

    The secret backend's settings are invalid (setting: vault_url).

    vault_url cannot be used: it must begin with https://. An example is https://acme.vault.azure.net.
    "#);
    assert_snapshot!(told.at("authority"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "authority"
      at authority_host = "login.example.com"

    The secret backend's settings are invalid (setting: authority_host).

    authority_host cannot be used: it is not a URL. An example is https://login.microsoftonline.com.
    "#);
    assert_snapshot!(told.at("tenant"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "tenant"
      at tenant_id = "Acme Inc."

    The secret backend's settings are invalid (setting: tenant_id).

    tenant_id is neither a UUID nor a domain.
    "#);
    assert_snapshot!(told.at("no_tenant"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "no_tenant"
      at azure_key_vault = {
        vault_url = "https://acme.vault.azure.net"
        client_id = "c"
        client_secret_wo = "hunter2"
      }

    The secret backend's settings are invalid (setting: tenant_id).

    Set tenant_id beside client_secret_wo.
    "#);
    assert_snapshot!(told.at("sources"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "sources"
      at use_cli = true

    The secret backend's settings are invalid (setting: use_cli).

    Only one of use_msi and use_cli can be true.
    "#);
    assert_snapshot!(told.at("secret_and_cli"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "secret_and_cli"
      at use_cli = true

    The secret backend's settings are invalid (setting: use_cli).

    Set either client_secret_wo or use_cli, not both.
    "#);
    assert_eq!(told.len(), 11);

    // A key file is not checked while its trigger is unchanged.
    write(
        &workspace,
        &[
            ("no_json", key("{\"type\": \"service_account\", hunter2")),
            (
                "other_json",
                key("{\"type\": \"authorized_user\", \"refresh_token\": \"hunter2\"}"),
            ),
            (
                "no_key",
                key("{\"type\": \"service_account\", \"client_email\": \"x\", \
                     \"private_key_id\": \"x\", \"project_id\": \"x\", \"private_key\": \
                     \"hunter2\"}"),
            ),
        ],
    );
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(!told.words().contains("hunter2"), "{told:#?}");
    assert_snapshot!(told.at("no_json"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "no_json"
      at service_account_key_json_wo = "{\"type\": \"service_account\", hunter2"

    The secret backend's settings are invalid (setting: service_account_key_json_wo).

    service_account_key_json_wo is not the key file of a service account: it is not a JSON object. Set it to the whole JSON file that `gcloud iam service-accounts keys create` writes.
    "#);
    assert_snapshot!(told.at("other_json"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "other_json"
      at service_account_key_json_wo = "{\"type\": \"authorized_user\", \"refresh_token\": \"hunter2\"}"

    The secret backend's settings are invalid (setting: service_account_key_json_wo).

    service_account_key_json_wo is not the key file of a service account: its "type" is not "service_account". Set it to the whole JSON file that `gcloud iam service-accounts keys create` writes.
    "#);
    assert_snapshot!(told.at("no_key"), @r#"
    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "no_key"
      at service_account_key_json_wo = "{\"type\": \"service_account\", \"client_email\": \"x\", \"private_key_id\": \"x\", \"project_id\": \"x\", \"private_key\": \"hunter2\"}"

    The secret backend's settings are invalid (setting: service_account_key_json_wo).

    service_account_key_json_wo is not the key file of a service account: its "private_key" is not an RSA key in PKCS#8 PEM form. Set it to the whole JSON file that `gcloud iam service-accounts keys create` writes.
    "#);
    assert_eq!(told.len(), 3);
}

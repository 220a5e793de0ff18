#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::http::ClientIdentity;
use crate::openbao::client::DEFAULT_KUBERNETES_TOKEN_FILE;
use planton_core::store::StoreErrorKind;

fn settings(kind: &str, more: &Value) -> StoreSettings {
    let mut configuration = json!({"address": "https://vault.example.com:8200"});
    let more = more.as_object().unwrap().clone();
    configuration.as_object_mut().unwrap().extend(more);
    StoreSettings {
        kind: kind.to_owned(),
        name_prefix: "planton".to_owned(),
        configuration: serde_json::from_value(configuration).unwrap(),
    }
}

fn client_config(config: &VaultConfig) -> Result<OpenBaoConfig, StoreError> {
    config.client_config(OpenBaoAuth::Token("t".into()))
}

fn read_authorities(config: &VaultConfig) -> Result<Option<String>, StoreError> {
    Ok(client_config(config)?.ca_cert_pem)
}

fn read_identity(config: &VaultConfig) -> Result<Option<ClientIdentity>, StoreError> {
    Ok(client_config(config)?.client_identity)
}

fn parsed(more: &Value) -> Result<VaultConfig, StoreError> {
    VaultConfig::from_settings(&settings("openbao", more))
}

#[test]
fn settings_have_the_documented_defaults() {
    for kind in [VaultKind::HashiCorpVault, VaultKind::OpenBao] {
        let config = VaultConfig::from_settings(&settings(kind.name(), &json!({}))).unwrap();
        assert_eq!(config.kind(), kind);
        assert_eq!(config.kv_mount_path().as_str(), "secret");
        assert_eq!(config.name_prefix(), "planton");
        assert_eq!(config.namespace(), None);
        assert!(config.login().is_none());
        assert_eq!(read_authorities(&config).unwrap(), None);
        assert!(read_identity(&config).unwrap().is_none());
    }
    let empty = json!({"kv_mount_path": "", "namespace": "", "ca_cert_pem": ""});
    assert_eq!(parsed(&empty).unwrap().kv_mount_path().as_str(), "secret");
    for root in ["/", "root", "root/"] {
        let config = parsed(&json!({"namespace": root})).unwrap();
        assert_eq!(config.namespace(), None, "{root}");
    }
    let config = parsed(&json!({"namespace": "/team/a/"})).unwrap();
    assert_eq!(config.namespace(), Some("team/a"));
}

#[test]
fn logins_have_the_documented_defaults() {
    let login = |more: Value| parsed(&more).unwrap().login().unwrap().clone();
    let Login::AppRole {
        mount_path,
        role_id,
    } = login(json!({"approle": {"role_id": "r"}}))
    else {
        panic!("an AppRole was given")
    };
    assert_eq!((mount_path.as_str(), role_id.expose()), ("approle", "r"));
    let Login::Jwt {
        mount_path,
        role,
        token_file,
    } = login(json!({"jwt": {"mount_path": "team/ci", "role": "r", "token_file": "/t"}}))
    else {
        panic!("a JWT login was given")
    };
    assert_eq!((mount_path.as_str(), role.as_str()), ("team/ci", "r"));
    assert_eq!(token_file, Some("/t".into()));
    let Login::Kubernetes {
        mount_path,
        token_file,
        ..
    } = login(json!({"kubernetes": {"role": "r"}}))
    else {
        panic!("a Kubernetes login was given")
    };
    assert_eq!(mount_path.as_str(), "kubernetes");
    assert_eq!(token_file, PathBuf::from(DEFAULT_KUBERNETES_TOKEN_FILE));
}

/// Each with the setting that the error stands at.
#[test]
fn what_cannot_be_used_is_misconfigured_at_its_setting_and_not_repeated() {
    let role = json!({"role": "r"});
    let pem = "-----BEGIN hunter2";
    for (setting, more) in [
        ("openbao.address", json!({"address": ""})),
        ("openbao.address", json!({"address": null})),
        ("openbao.address", json!({"address": "hunter2"})),
        ("openbao.address", json!({"address": "https://a:hunter2@b"})),
        ("openbao.address", json!({"address": "https://b?t=hunter2"})),
        ("openbao.namespace", json!({"namespace": "hunter2 !"})),
        (
            "openbao.kv_mount_path",
            json!({"kv_mount_path": "hunter2/*"}),
        ),
        (
            "openbao.ca_cert_file",
            json!({"ca_cert_pem": pem, "ca_cert_file": "hunter2"}),
        ),
        (
            "openbao.client_key_file",
            json!({"client_cert_file": "hunter2"}),
        ),
        (
            "openbao.client_cert_file",
            json!({"client_key_file": "hunter2"}),
        ),
        ("openbao.ca_cert_pem", json!({"ca_cert_pem": "hunter2"})),
        // All of these would stand in the state.
        (
            "openbao.ca_cert_pem",
            json!({"ca_cert_pem": "-----BEGIN EC PRIVATE KEY-----\nhunter2"}),
        ),
        ("openbao.ca_cert_file", json!({"ca_cert_file": pem})),
        (
            "openbao.client_cert_file",
            json!({"client_cert_file": pem, "client_key_file": "k"}),
        ),
        (
            "openbao.client_key_file",
            json!({"client_cert_file": "c", "client_key_file": "hunter2\n"}),
        ),
        (
            "openbao.jwt.token_file",
            json!({"jwt": {"role": "r", "token_file": " eyJhbGciOiJub25lIn0.e30.hunter2"}}),
        ),
        (
            "openbao.jwt",
            json!({"approle": {"role_id": "hunter2"}, "jwt": role}),
        ),
        (
            "openbao.kubernetes",
            json!({"jwt": role, "kubernetes": role}),
        ),
        (
            "openbao.approle.role_id",
            json!({"approle": {"mount_path": "a"}}),
        ),
        (
            "openbao.jwt.role",
            json!({"jwt": {"token_file": "hunter2"}}),
        ),
        (
            "openbao.kubernetes.role",
            json!({"kubernetes": {"role": ""}}),
        ),
        (
            "openbao.approle.mount_path",
            json!({"approle": {"mount_path": "hunter2 !", "role_id": "r"}}),
        ),
    ] {
        let error = parsed(&more).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{more}");
        assert_eq!(error.path(), setting, "{more}");
        assert!(error.remedy().is_some(), "{more}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let mut other = settings("openbao", &json!({}));
    other.kind = "aws_secrets_manager".to_owned();
    let error = VaultConfig::from_settings(&other).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let mut other = settings("openbao", &json!({}));
    other.name_prefix = "a//b".to_owned();
    let error = VaultConfig::from_settings(&other).unwrap_err();
    assert_eq!(error.path(), "name_prefix");
}

#[test]
fn a_file_that_cannot_be_read_is_misconfigured_at_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("cert.pem");
    std::fs::write(&certificate, "CERT").unwrap();
    let certificate = certificate.to_str().unwrap();

    let config = parsed(&json!({"ca_cert_file": "/nowhere/ca.pem"})).unwrap();
    let error = read_authorities(&config).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert_eq!(error.path(), "openbao.ca_cert_file");
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("/nowhere/ca.pem"), "{remedy}");
    let config = parsed(&json!({"ca_cert_file": certificate})).unwrap();
    assert_eq!(read_authorities(&config).unwrap().unwrap(), "CERT");

    let files = json!({"client_cert_file": certificate, "client_key_file": "/hunter2"});
    let error = read_identity(&parsed(&files).unwrap()).unwrap_err();
    assert_eq!(error.path(), "openbao.client_key_file");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    let files = json!({"client_cert_file": "/nowhere", "client_key_file": certificate});
    let error = read_identity(&parsed(&files).unwrap()).unwrap_err();
    assert_eq!(error.path(), "openbao.client_cert_file");
    let files = json!({"client_cert_file": certificate, "client_key_file": certificate});
    let identity = read_identity(&parsed(&files).unwrap()).unwrap().unwrap();
    assert_eq!(identity.key_pem.expose(), "CERT");
}

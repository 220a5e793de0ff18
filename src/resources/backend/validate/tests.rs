use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use planton_core::store::{SecretStore, StoreCapability, StoreError};
use planton_plugin::PathStep;
use planton_vendors::KekConnector;

/// Rejects the value `bad` of `kv_mount_path` and `region`, `namespace` together with `token`,
/// and `client_cert_file` without `client_key_file`.
#[derive(Debug)]
struct Rules;

#[async_trait]
impl ConnectStore for Rules {
    fn capabilities(&self) -> Vec<StoreCapability> {
        Vec::new()
    }

    fn check(
        &self,
        settings: &StoreSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), StoreError> {
        let refused = |setting: &str| Err(StoreError::unusable_setting(setting, "No."));
        for setting in ["kv_mount_path", "region"] {
            if settings.text(setting) == Some("bad") {
                return refused(setting);
            }
        }
        let token = credential.and_then(|all| all.get("token"));
        if token.is_some_and(|token| token.expose() == "bad") {
            return refused("openbao.token_wo");
        }
        let cert = settings.has("client_cert_file");
        if cert && !settings.has("client_key_file") {
            return refused("openbao.client_key_file");
        }
        if settings.has("namespace") && credential.is_some_and(|all| all.contains_key("token")) {
            return refused("openbao.token_wo");
        }
        Ok(())
    }

    async fn connect(
        &self,
        _: &StoreSettings,
        _: &StoreCredential,
    ) -> Result<Arc<dyn SecretStore>, StoreError> {
        unreachable!("validation connects to nothing")
    }
}

const ADDRESS: (&str, &str) = ("address", "https://bao.example.com");

fn openbao(attributes: &[(&'static str, &str)]) -> Value {
    let unknown = |text: &str| match text {
        "?" => Value::Unknown,
        text => text.into(),
    };
    let all = attributes.iter().map(|(name, text)| (*name, unknown(text)));
    Value::object([("name", "own".into()), ("openbao", Value::object(all))])
}

fn told(config: &Value) -> Vec<String> {
    let diagnostics = validate(config, &Rules, &KekConnector::default());
    let last = |one: &Diagnostic| match one.path.steps().last() {
        Some(PathStep::Attribute(name)) => name.clone(),
        _ => String::new(),
    };
    diagnostics.iter().map(last).collect()
}

#[test]
fn every_mistake_of_a_block_is_reported_at_its_attribute() {
    let all = [
        ADDRESS,
        ("kv_mount_path", "bad"),
        ("client_cert_file", "a.pem"),
        ("namespace", "team"),
        ("token_wo", "x"),
    ];
    assert_eq!(
        told(&openbao(&all)),
        ["kv_mount_path", "client_key_file", "token_wo"]
    );
    // An unknown address hides no mistake.
    let unknown = [&[("address", "?")], &all[1..]].concat();
    assert_eq!(told(&openbao(&unknown)).len(), 3);
}

#[test]
fn a_mistake_that_an_unknown_part_may_correct_is_not_reported() {
    for fine in [
        [ADDRESS, ("kv_mount_path", "?")],
        [("client_cert_file", "a.pem"), ("client_key_file", "?")],
        [("client_cert_file", "?"), ("client_key_file", "k.pem")],
        [("namespace", "?"), ("token_wo", "x")],
        [("namespace", "team"), ("token_wo", "?")],
    ] {
        let config = openbao(&[&[ADDRESS], &fine[..]].concat());
        assert_eq!(told(&config), [""; 0], "{fine:?}");
    }
    let wholly = Value::object([("name", "own".into()), ("openbao", Value::Unknown)]);
    assert_eq!(told(&wholly), [""; 0]);
}

#[test]
fn an_invalid_credential_is_reported_by_the_plan_that_uses_it() {
    let waits = [ADDRESS, ("token_wo", "bad")];
    assert_eq!(told(&openbao(&waits)), [""; 0]);
    let beside = [&waits[..], &[("kv_mount_path", "bad")]].concat();
    assert_eq!(told(&openbao(&beside)), ["kv_mount_path"]);
}

#[test]
fn a_vault_beyond_this_machine_without_tls_causes_a_warning() {
    let warned = |block: &'static str, address: &str| {
        let inner = Value::object([("address", Value::from(address))]);
        let config = Value::object([("name", Value::from("own")), (block, inner)]);
        let diagnostics = validate(&config, &Rules, &KekConnector::default());
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        !diagnostics.is_empty()
    };
    for block in ["hashicorp_vault", "openbao"] {
        assert!(warned(block, "http://vault.example.com:8200"));
        assert!(warned(block, "http://10.0.0.1:8200"));
        for quiet in [
            "https://vault.example.com",
            "http://127.0.0.1:8200",
            "http://[::1]:1",
        ] {
            assert!(!warned(block, quiet), "{quiet}");
        }
    }
}

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::openbao::VaultConfig;
use planton_core::store::StoreSettings;

fn config(kind: VaultKind, login: &Value) -> VaultConfig {
    let mut configuration = json!({"address": "https://vault.example.com"});
    let login = login.as_object().unwrap().clone();
    configuration.as_object_mut().unwrap().extend(login);
    VaultConfig::from_settings(&StoreSettings {
        kind: kind.name().to_owned(),
        name_prefix: "planton".to_owned(),
        configuration: serde_json::from_value(configuration).unwrap(),
    })
    .unwrap()
}

fn credential(parts: &[(&str, &str)]) -> StoreCredential {
    let parts = parts.iter();
    parts
        .map(|(name, text)| ((*name).to_owned(), (*text).into()))
        .collect()
}

fn found(
    config: &VaultConfig,
    parts: &[(&str, &str)],
    variables: &[(&'static str, &str)],
) -> Result<Found, StoreError> {
    let ambient = AmbientTokens::of(|name| {
        let mut known = variables.iter();
        let (_, value) = known.find(|(known, _)| *known == name)?;
        Some((*value).into())
    });
    Credential::parse(config, &credential(parts), ambient)?.find(config)
}

fn token(found: Found) -> String {
    match found.auth {
        OpenBaoAuth::Token(token) => token.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_given_goes_before_what_is_ambient() {
    let ambient = [("BAO_TOKEN", "ambient"), ("VAULT_TOKEN", "ambient")];
    for kind in [VaultKind::HashiCorpVault, VaultKind::OpenBao] {
        let given = [("token", "given")];
        let found = |login: Value, parts: &[(&str, &str)]| {
            found(&config(kind, &login), parts, &ambient).unwrap().auth
        };
        let OpenBaoAuth::Token(token) = found(json!({}), &given) else {
            panic!("a token was given")
        };
        assert_eq!(token.expose(), "given");
        let approle = json!({"approle": {"role_id": "r"}});
        let OpenBaoAuth::AppRole {
            role_id, secret_id, ..
        } = found(approle, &[("secret_id", "s")])
        else {
            panic!("an AppRole was given")
        };
        assert_eq!((role_id.expose(), secret_id.expose()), ("r", "s"));
        let jwt = json!({"jwt": {"role": "r"}});
        let OpenBaoAuth::Jwt {
            source: JwtSource::Token(jwt),
            ..
        } = found(jwt, &[("jwt", "j")])
        else {
            panic!("a JWT was given")
        };
        assert_eq!(jwt.expose(), "j");
        // Files count as ambient: nothing is given with them.
        let jwt = json!({"jwt": {"role": "r", "token_file": "/t"}});
        assert!(matches!(
            found(jwt, &[]),
            OpenBaoAuth::Jwt {
                source: JwtSource::File(_),
                ..
            }
        ));
        let kubernetes = json!({"kubernetes": {"role": "r"}});
        assert!(matches!(
            found(kubernetes, &[]),
            OpenBaoAuth::Kubernetes { .. }
        ));
    }
}

#[test]
fn each_vendor_has_its_own_variable_and_the_file_of_its_tools() {
    let (vault, bao) = (
        config(VaultKind::HashiCorpVault, &json!({})),
        config(VaultKind::OpenBao, &json!({})),
    );
    let both = [("VAULT_TOKEN", "v"), ("BAO_TOKEN", " b\n")];
    assert_eq!(token(found(&vault, &[], &both).unwrap()), "v");
    assert_eq!(token(found(&bao, &[], &both).unwrap()), "b");

    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".vault-token");
    let at_home = [("HOME", home.path().to_str().unwrap())];
    let lost = found(&vault, &[], &at_home).unwrap_err();
    assert_eq!(lost.kind(), StoreErrorKind::Unauthenticated);
    std::fs::write(&file, "f").unwrap();
    for config in [&vault, &bao] {
        let of_file = found(config, &[], &at_home).unwrap();
        assert!(matches!(&of_file.auth, OpenBaoAuth::TokenFile(path) if *path == file));
        assert!(of_file.renewal.contains("login"), "{of_file:?}");
    }
    let elsewhere = home.path().join("elsewhere");
    std::fs::write(&elsewhere, "e").unwrap();
    let moved = [at_home[0], ("BAO_TOKEN_PATH", elsewhere.to_str().unwrap())];
    for (config, expected) in [(&vault, &file), (&bao, &elsewhere)] {
        let of_file = found(config, &[], &moved).unwrap();
        assert!(matches!(&of_file.auth, OpenBaoAuth::TokenFile(path) if path == expected));
    }
}

#[test]
fn an_environment_without_a_token_is_told_with_all_the_ways_out() {
    for (kind, other, ways) in [
        (
            VaultKind::HashiCorpVault,
            ("BAO_TOKEN", "hunter2"),
            ["VAULT_TOKEN", "`vault login`"],
        ),
        (
            VaultKind::OpenBao,
            ("VAULT_TOKEN", "hunter2"),
            ["BAO_TOKEN", "`bao login`"],
        ),
    ] {
        let error = found(&config(kind, &json!({})), &[], &[other]).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unauthenticated);
        assert_eq!(error.path(), format!("{}.token_wo", kind.name()));
        for way in ways.iter().chain(&["token_wo", "approle", "kubernetes"]) {
            assert!(error.remedy().unwrap().contains(way), "{error:?}");
        }
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

/// Each with the setting that the error stands at.
#[test]
fn parts_of_different_logins_and_missing_ones_are_told_and_not_repeated() {
    use StoreErrorKind::{Misconfigured, Unauthenticated};
    let approle = json!({"approle": {"role_id": "r"}});
    let jwt = json!({"jwt": {"role": "r"}});
    let jwt_file = json!({"jwt": {"role": "r", "token_file": "/t"}});
    let kubernetes = json!({"kubernetes": {"role": "r"}});
    let nothing = json!({});
    for (login, given, kind, setting) in [
        (&approle, "", Unauthenticated, "approle.secret_id_wo"),
        (&approle, "token", Misconfigured, "token_wo"),
        (&approle, "jwt", Misconfigured, "jwt.jwt_wo"),
        (&jwt, "", Unauthenticated, "jwt.jwt_wo"),
        (&jwt, "token", Misconfigured, "token_wo"),
        (&jwt_file, "jwt", Misconfigured, "jwt.token_file"),
        (
            &jwt_file,
            "secret_id",
            Misconfigured,
            "approle.secret_id_wo",
        ),
        (&kubernetes, "token", Misconfigured, "token_wo"),
        (&nothing, "secret_id", Misconfigured, "approle.secret_id_wo"),
        (&nothing, "jwt", Misconfigured, "jwt.jwt_wo"),
        (
            &nothing,
            "password",
            Misconfigured,
            "credentials_wo_version",
        ),
    ] {
        let config = config(VaultKind::OpenBao, login);
        let parts = [(given, "hunter2")];
        let parts = if given.is_empty() { &[][..] } else { &parts };
        let error = found(&config, parts, &[("BAO_TOKEN", "t")]).unwrap_err();
        assert_eq!(error.kind(), kind, "{login} {given}");
        assert_eq!(
            error.path(),
            format!("openbao.{setting}"),
            "{login} {given}"
        );
        assert!(error.remedy().is_some(), "{login} {given}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    for (login, name) in [(&nothing, "token"), (&approle, "secret_id"), (&jwt, "jwt")] {
        let config = config(VaultKind::OpenBao, login);
        let error = found(&config, &[(name, "")], &[("BAO_TOKEN", "t")]).unwrap_err();
        assert_eq!(error.kind(), Unauthenticated, "an empty {name} is none");
    }
}

#[test]
fn nothing_else_of_the_environment_is_read() {
    let read = std::sync::Mutex::new(Vec::new());
    AmbientTokens::of(|name| {
        read.lock().unwrap().push(name.to_owned());
        None
    });
    let read = read.into_inner().unwrap();
    assert_eq!(read, ["VAULT_TOKEN", "BAO_TOKEN", "BAO_TOKEN_PATH", "HOME"]);
}

#[test]
fn nothing_ambient_is_shown_in_debug() {
    let ambient = AmbientTokens::of(|_| Some("hunter2".into()));
    let config = config(VaultKind::OpenBao, &json!({}));
    let parsed = Credential::parse(&config, &credential(&[]), ambient.clone()).unwrap();
    let found = parsed.find(&config).unwrap();
    let shown = format!("{ambient:?} {parsed:?} {found:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

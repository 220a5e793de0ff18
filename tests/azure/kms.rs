//! Tests a key in Key Vault as KEK.

use std::time::Duration;

use planton_core::kek::{ConnectKek, KekErrorKind, KeyRotation};
use planton_envelope::{KekId, WrappedKey};
use serde_json::json;
use test_support::keys::{
    Declared, all_of, context, data_key, is_same, wraps_open_after_any_rotations_and_rewraps,
};
use xtask::azure::AzureFake;

use super::kms_support::{KeyPlace, version};

//= docs/format.md#28-kek-in-azure-key-vault
//= type=test
//# A writer MUST write `azure_key_vault_key` as `provider`, and as `kek_id` the address of the
//# key's version, `https://<vault>/keys/<name>/<version>`, without a default port.
#[tokio::test]
async fn a_key_is_named_with_its_newest_version() {
    let place = KeyPlace::new();
    let newest = place.create("planton", &json!({"kty": "RSA"}));
    let resolved = place.declared().resolve().await.unwrap();
    let id = KekId {
        provider: "azure_key_vault_key".to_owned(),
        id: newest,
    };
    assert_eq!(resolved.id, id);
    assert_eq!(resolved.kek.id(), &id);
    assert_eq!(resolved.description.rotation, KeyRotation::Unknown);
    // A challenge, the key, and its rotation policy, which the role may not read.
    let asked = [("planton", 401), ("planton", 200), ("rotationpolicy", 403)];
    let asked = asked.map(|(path, status)| (path.to_owned(), status));
    assert_eq!(place.requests(), asked);
    assert_eq!(place.place.fake.tokens_issued().unwrap(), 1);
}

#[tokio::test]
async fn a_wrap_and_an_unwrap_take_one_request_each() {
    let place = KeyPlace::new();
    let declared = place.declared();
    let id = declared.resolve().await.unwrap().id;
    let kek = declared.open(&id);
    let before = place.requests().len();
    let (dek, context) = (data_key(7), context(kek.id(), 1));
    let wrapped = kek.wrap(&dek, context).await.unwrap();
    assert_eq!(wrapped.as_bytes().len(), 256);
    assert!(wrapped.as_bytes().len() <= kek.max_wrapped_bytes());
    let key = version(&id.id);
    // The first wrap of a process looks at the key.
    let asked = [(key.as_str(), 401), (&key, 200), ("wrapkey", 200)];
    let asked = asked.map(|(path, status)| (path.to_owned(), status));
    assert_eq!(place.requests()[before..], asked);
    let before = place.requests().len();
    kek.wrap(&dek, context).await.unwrap();
    assert!(is_same(&kek.unwrap(&wrapped, context).await.unwrap(), &dek));
    let asked = [("wrapkey".to_owned(), 200), ("unwrapkey".to_owned(), 200)];
    assert_eq!(place.requests()[before..], asked);
}

#[tokio::test]
async fn a_body_is_not_sent_before_the_challenge() {
    let place = KeyPlace::new();
    let declared = place.declared();
    let resolved = declared.resolve().await.unwrap();
    let context = context(&resolved.id, 1);
    let wrapped = resolved.kek.wrap(&data_key(7), context).await.unwrap();
    let kek = declared.open(&resolved.id);
    let before = place.requests().len();
    kek.unwrap(&wrapped, context).await.unwrap();
    let asked = [("unwrapkey".to_owned(), 401), ("unwrapkey".to_owned(), 200)];
    assert_eq!(place.requests()[before..], asked);
}

#[tokio::test]
async fn a_wrap_of_another_binding_or_key_is_refused() {
    let place = KeyPlace::new();
    place.create("other", &json!({"kty": "RSA"}));
    let kek = place.declared().resolve().await.unwrap().kek;
    let other = place.declared_with(json!({"key_url": place.url("other")}));
    let other = other.resolve().await.unwrap().kek;
    let own = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), own).await.unwrap();
    for refused in [
        kek.unwrap(&wrapped, context(kek.id(), 2)).await,
        other.unwrap(&wrapped, own).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), KekErrorKind::Refused);
    }
}

//= docs/format.md#28-kek-in-azure-key-vault
//= type=test
//# A reader MUST refuse a `wrapped` that is shorter than 256 bytes or longer than 512 bytes
//# without sending it to Key Vault.
#[tokio::test]
async fn an_altered_wrap_is_refused() {
    let place = KeyPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let context = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), context).await.unwrap();
    let bytes = wrapped.as_bytes();
    for at in (0..bytes.len()).step_by(5) {
        let mut altered = bytes.to_vec();
        altered[at] ^= 1 << (at % 8);
        let refused = kek.unwrap(&WrappedKey::new(altered), context).await;
        assert_eq!(refused.unwrap_err().kind(), KekErrorKind::Refused, "{at}");
    }
    let before = place.requests().len();
    for length in [0, 1, 255, 513] {
        let mut other = bytes.to_vec();
        other.resize(length, 0);
        let refused = kek.unwrap(&WrappedKey::new(other), context).await;
        assert_eq!(refused.unwrap_err().kind(), KekErrorKind::Refused);
    }
    assert_eq!(place.requests().len(), before, "no request");
}

#[tokio::test]
async fn each_version_of_a_rotated_key_opens_its_own_wraps() {
    let place = KeyPlace::new();
    let declared = place.declared();
    let first = declared.resolve().await.unwrap();
    let old = context(&first.id, 1);
    let wrapped = first.kek.wrap(&data_key(7), old).await.unwrap();
    place.rotate();
    let second = declared.resolve().await.unwrap();
    assert_ne!(first.id, second.id);
    let opened = declared.open(&first.id).unwrap(&wrapped, old).await;
    let dek = opened.unwrap();
    assert!(is_same(&dek, &data_key(7)));
    let new = context(&second.id, 1);
    let again = second.kek.wrap(&dek, new).await.unwrap();
    let refused = second.kek.unwrap(&wrapped, new).await;
    assert_eq!(refused.unwrap_err().kind(), KekErrorKind::Refused);

    // Nothing needs the old version any more.
    let disabled = json!({"attributes": {"enabled": false}});
    place.update(&first.id.id, &disabled);
    let opened = second.kek.unwrap(&again, new).await.unwrap();
    assert!(is_same(&opened, &data_key(7)));
}

#[tokio::test]
async fn a_newest_version_that_cannot_wrap_takes_no_place() {
    let place = KeyPlace::new();
    let declared = place.declared();
    let first = declared.resolve().await.unwrap().id;
    let is_still = async || {
        let Declared {
            connector,
            settings,
            credential,
        } = &declared;
        connector.is_still(settings, credential, &first).await
    };
    assert!(is_still().await.unwrap());
    place.rotate();
    assert!(!is_still().await.unwrap());
    let second = declared.resolve().await.unwrap().id.id;
    for unusable in [
        json!({"attributes": {"enabled": false}}),
        json!({"attributes": {"enabled": true, "nbf": 4_102_444_800_i64}}),
    ] {
        place.update(&second, &unusable);
        assert_eq!(is_still().await.unwrap_err().kind(), KekErrorKind::Disabled);
    }
    let usable = json!({"attributes": {"enabled": true, "nbf": 1}, "key_ops": ["wrapKey"]});
    place.update(&second, &usable);
    let refused = is_still().await.unwrap_err();
    assert_eq!(refused.kind(), KekErrorKind::Misconfigured);
}

//= docs/format.md#28-kek-in-azure-key-vault
//= type=test
//# A writer MUST refuse a key that is not RSA, that has a modulus of fewer than 2,048 bits, or
//# that is disabled.
#[tokio::test]
async fn a_disabled_key_neither_wraps_nor_unwraps_and_works_again_once_it_is_enabled() {
    let place = KeyPlace::new();
    let declared = place.declared();
    let resolved = declared.resolve().await.unwrap();
    let own = context(&resolved.id, 1);
    let wrapped = resolved.kek.wrap(&data_key(7), own).await.unwrap();
    place.update(&resolved.id.id, &json!({"attributes": {"enabled": false}}));
    // A fresh process: the vault itself would still wrap.
    let kek = declared.open(&resolved.id);
    for error in [
        kek.unwrap(&wrapped, own).await.unwrap_err(),
        kek.wrap(&data_key(7), own).await.unwrap_err(),
        kek.describe().await.unwrap_err(),
        declared.resolve().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), KekErrorKind::Disabled, "{error:?}");
        let remedy = error.remedy().unwrap();
        assert!(
            remedy.contains("az keyvault key set-attributes"),
            "{remedy}"
        );
        assert!(remedy.contains("--enabled true"), "{remedy}");
    }
    place.update(&resolved.id.id, &json!({"attributes": {"enabled": true}}));
    let opened = kek.unwrap(&wrapped, own).await.unwrap();
    assert!(is_same(&opened, &data_key(7)));
    kek.wrap(&data_key(7), own).await.unwrap();
}

#[tokio::test]
async fn an_expired_key_still_unwraps_and_wraps_no_more() {
    let place = KeyPlace::new();
    let declared = place.declared();
    let resolved = declared.resolve().await.unwrap();
    let own = context(&resolved.id, 1);
    let wrapped = resolved.kek.wrap(&data_key(7), own).await.unwrap();
    place.update(
        &resolved.id.id,
        &json!({"attributes": {"exp": 1_700_000_000}}),
    );
    let kek = declared.open(&resolved.id);
    let opened = kek.unwrap(&wrapped, own).await.unwrap();
    assert!(is_same(&opened, &data_key(7)));
    let error = kek.wrap(&data_key(7), own).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Disabled);
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("still opens"), "{remedy}");
    let future = json!({"attributes": {"exp": null, "nbf": 4_000_000_000_u64}});
    place.update(&resolved.id.id, &future);
    let error = declared.resolve().await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Disabled);
}

#[tokio::test]
async fn a_deleted_key_is_told_and_opens_again_once_it_is_recovered() {
    let place = KeyPlace::new();
    let declared = place.declared();
    let resolved = declared.resolve().await.unwrap();
    let own = context(&resolved.id, 1);
    let wrapped = resolved.kek.wrap(&data_key(7), own).await.unwrap();
    let fake = &place.place.fake;
    fake.key("DELETE", "keys/planton", &json!({})).unwrap();
    let before = place.requests().len();
    for error in [
        resolved.kek.unwrap(&wrapped, own).await.unwrap_err(),
        declared.resolve().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), KekErrorKind::NotFound, "{error:?}");
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains("az keyvault key recover"), "{remedy}");
        assert!(remedy.contains("No key is created"), "{remedy}");
    }
    assert!(place.requests()[before..].iter().all(|(_, s)| *s >= 400));
    fake.key("POST", "deletedkeys/planton/recover", &json!({}))
        .unwrap();
    let opened = resolved.kek.unwrap(&wrapped, own).await.unwrap();
    assert!(is_same(&opened, &data_key(7)));
}

#[tokio::test]
async fn a_denied_permission_is_named_for_roles_and_for_access_policies() {
    let place = KeyPlace::new();
    let declared = place.declared();
    let kek = declared.resolve().await.unwrap().kek;
    let own = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), own).await.unwrap();
    for (permission, action, of_policy) in [
        ("keys/get", "keys/read", "Get"),
        ("keys/wrapkey", "keys/wrap/action", "Wrap Key"),
        ("keys/unwrapkey", "keys/unwrap/action", "Unwrap Key"),
    ] {
        place.deny(&[permission]);
        let denied = match permission {
            "keys/get" => declared.resolve().await.map(drop),
            "keys/wrapkey" => kek.wrap(&data_key(7), own).await.map(drop),
            _ => kek.unwrap(&wrapped, own).await.map(drop),
        };
        let error = denied.unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::PermissionDenied, "{error:?}");
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains("Key Vault Crypto User"), "{remedy}");
        assert!(remedy.contains(action), "{remedy}");
        assert!(
            remedy.contains(&format!("permission {of_policy}.")),
            "{remedy}"
        );
        // The name of a vault is the first label of its host; that of the fake is an address.
        for command in [
            "\n  az role assignment create --role \"Key Vault Crypto User\" --assignee PRINCIPAL \
             --scope \"$(az keyvault show --name 127 --query id --output tsv)\"\n",
            "\n  az keyvault set-policy --name 127 --object-id PRINCIPAL --key-permissions get \
             wrapKey unwrapKey\n",
        ] {
            assert!(remedy.contains(command), "{remedy}");
        }
    }
    place.deny(&[]);
    assert!(kek.unwrap(&wrapped, own).await.is_ok());
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_refused_before_it_is_saved() {
    let place = KeyPlace::new();
    place.create("curve", &json!({"kty": "EC"}));
    place.create(
        "signs",
        &json!({"kty": "RSA", "key_ops": ["sign", "verify"]}),
    );
    for (name, kind, told) in [
        ("curve", KekErrorKind::Misconfigured, "--kty RSA"),
        (
            "signs",
            KekErrorKind::Misconfigured,
            "--ops wrapKey unwrapKey",
        ),
        ("missing", KekErrorKind::NotFound, "No key is created"),
    ] {
        let declared = place.declared_with(json!({"key_url": place.url(name)}));
        let error = declared.resolve().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}");
        assert!(error.remedy().unwrap().contains(told), "{error:?}");
    }
    // The operations of a version may be taken away later.
    let resolved = place.declared().resolve().await.unwrap();
    let own = context(&resolved.id, 1);
    let wrapped = resolved.kek.wrap(&data_key(7), own).await.unwrap();
    place.update(&resolved.id.id, &json!({"key_ops": ["wrapKey"]}));
    let error = resolved.kek.unwrap(&wrapped, own).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Misconfigured);
    assert!(error.remedy().unwrap().contains("--ops"), "{error:?}");
}

#[tokio::test]
async fn rotation_is_described_where_the_policy_may_be_read() {
    let place = KeyPlace::new();
    let fake = &place.place.fake;
    fake.grant(&["keys/getrotationpolicy"]).unwrap();
    let kek = place.declared().resolve().await.unwrap().kek;
    assert_eq!(kek.describe().await.unwrap().rotation, KeyRotation::Manual);
    let action = json!({"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}});
    let policy = json!({"lifetimeActions": [action]});
    fake.key("PUT", "keys/planton/rotationpolicy", &policy)
        .unwrap();
    let period = Duration::from_secs(90 * 86_400);
    let described = kek.describe().await.unwrap();
    assert_eq!(described.rotation, KeyRotation::Every(period));
}

#[tokio::test]
async fn settings_are_checked_without_a_request() {
    let place = KeyPlace::new();
    let Declared {
        connector,
        settings,
        credential,
    } = place.declared();
    connector.check(&settings, Some(&credential)).unwrap();
    connector.check(&settings, None).unwrap();
    let versioned = format!("{}/{}", place.url("planton"), "0".repeat(32));
    for (changes, setting) in [
        (json!({"key_url": versioned}), "key_url"),
        (json!({"key_url": place.place.fake.vault_url()}), "key_url"),
        (json!({"key_url": null}), "key_url"),
        (json!({"authority_host": "login"}), "authority_host"),
        (json!({"use_msi": true, "use_cli": true}), "use_cli"),
    ] {
        let error = connector.check(&place.settings(changes), None).unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::Misconfigured);
        assert_eq!(error.path(), setting);
        assert!(error.remedy().is_some());
    }
    let both = place.settings(json!({"use_msi": true}));
    let error = connector.check(&both, Some(&credential)).unwrap_err();
    assert_eq!(error.path(), "use_msi");
    // A key of another vault is not opened with this vault's credential.
    let id = KekId {
        provider: "azure_key_vault_key".to_owned(),
        id: versioned.replace("127.0.0.1", "127.0.0.2"),
    };
    let error = connector.open(&settings, &credential, &id).unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Misconfigured);
    assert!(place.requests().is_empty());
}

#[tokio::test]
async fn a_challenge_for_another_resource_gets_no_token() {
    let place = KeyPlace::new();
    for resource in ["https://management.azure.com", "nonsense"] {
        let challenge = json!({"challenge_resource": resource});
        place.place.fake.control(&challenge).unwrap();
        let error = place.declared().resolve().await.unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::Misconfigured, "{resource}");
        assert!(error.remedy().unwrap().contains("key_url"), "{error:?}");
    }
    assert_eq!(place.place.fake.tokens_issued().unwrap(), 0);
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_and_a_wrong_secret_is_told() {
    let place = KeyPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let own = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), own).await.unwrap();
    place.place.fake.expire_tokens().unwrap();
    let before = place.requests().len();
    kek.unwrap(&wrapped, own).await.unwrap();
    let asked = [("unwrapkey".to_owned(), 401), ("unwrapkey".to_owned(), 200)];
    assert_eq!(place.requests()[before..], asked);

    let declared = Declared {
        credential: [("client_secret".to_owned(), "hunter2".into())].into(),
        ..place.declared()
    };
    let error = declared.resolve().await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Unauthenticated);
    assert!(!all_of(&error).contains("hunter2"), "{error:?}");
    let other = place.declared_with(json!({"tenant_id": AzureFake::OTHER_TENANT}));
    let error = other.resolve().await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Unauthenticated);
    assert!(error.remedy().unwrap().contains("tenant_id"), "{error:?}");
}

#[test]
fn wraps_open_after_any_rotations_and_rewraps_of_the_key() {
    let place = KeyPlace::new();
    wraps_open_after_any_rotations_and_rewraps(&place.declared(), || place.rotate());
}

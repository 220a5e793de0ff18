//! What becomes of wraps when the key, its versions or the token's rights change.

use std::time::Duration;

use planton_core::kek::{KekErrorKind, KeyRotation, Rewrap};
use serde_json::json;
use subtle::ConstantTimeEq;
use xtask::faults::{Fault, Match};

use super::support::{Customer, context, dek, path, unwrap, wrap};
use crate::support::Place;

#[tokio::test]
async fn a_wrap_opens_after_a_rotation_and_a_rewrap_and_not_once_retired() {
    let place = Place::new().await;
    let customer = Customer::created(&place, "theirs").await;
    let resolved = customer.resolved().await;
    assert_eq!(resolved.description.rotation, KeyRotation::Manual);
    let kek = resolved.kek.as_ref();
    let old = wrap(kek).await.unwrap();
    let key = path(&place, "theirs");
    place.admin.ok("POST", &format!("{key}/rotate"), "").await;
    assert!(bool::from(unwrap(kek, &old).await.unwrap().ct_eq(&dek())));

    let description = kek.describe().await.unwrap();
    assert_eq!(description.newest_version, Some(2));
    assert_eq!(kek.is_newest(&old, &description), Some(false));
    let (wrapped, bound) = (&old, context(kek));
    let due = [Rewrap {
        wrapped,
        context: bound,
    }];
    let new = kek.rewrap(&due).await.remove(0).unwrap();
    assert_eq!(kek.is_newest(&new, &description), Some(true));

    let retire = r#"{"min_decryption_version":2}"#;
    let config = format!("{key}/config");
    place.admin.ok("POST", &config, retire).await;
    let fresh = customer.open(&resolved.id);
    let opened = unwrap(fresh.as_ref(), &new).await.unwrap();
    assert!(bool::from(opened.ct_eq(&dek())));
    let error = unwrap(fresh.as_ref(), &old).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Disabled, "{error:?}");

    // Restoring the version restores the reads.
    let restore = r#"{"min_decryption_version":1}"#;
    place.admin.ok("POST", &config, restore).await;
    unwrap(fresh.as_ref(), &old).await.unwrap();
}

#[tokio::test]
async fn a_deleted_key_is_missing_and_none_is_made_in_its_place() {
    let place = Place::new().await;
    let customer = Customer::created(&place, "theirs").await;
    let resolved = customer.resolved().await;
    let wrapped = wrap(resolved.kek.as_ref()).await.unwrap();
    let key = path(&place, "theirs");
    let allow = r#"{"deletion_allowed":true}"#;
    place
        .admin
        .ok("POST", &format!("{key}/config"), allow)
        .await;
    place.admin.ok("DELETE", &key, "").await;

    let kek = customer.open(&resolved.id);
    let errors = [
        unwrap(kek.as_ref(), &wrapped).await.map(drop),
        wrap(kek.as_ref()).await.map(drop),
        kek.describe().await.map(drop),
        customer.resolve().await.map(drop),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert_eq!(error.kind(), KekErrorKind::NotFound, "{error:?}");
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains("None is created"), "{remedy}");
        assert!(remedy.contains("key_name"), "{remedy}");
    }
    assert_eq!(place.admin.call("GET", &key, "").await.0, 404);
}

#[tokio::test]
async fn a_denied_request_names_the_rule_that_is_missing() {
    let place = Place::new().await;
    let customer = Customer::created(&place, "theirs").await;
    let resolved = customer.resolved().await;
    let wrapped = wrap(resolved.kek.as_ref()).await.unwrap();
    let mount = &place.config.transit_mount_path;
    let rule = |api: &str, capability: &str| {
        format!("path \"{mount}/{api}/theirs\" {{\n  capabilities = [\"{capability}\"]\n}}\n")
    };
    let [encrypt, decrypt, rewrap] =
        ["encrypt", "decrypt", "rewrap"].map(|api| rule(api, "update"));
    let read = rule("keys", "read");
    let lookup = "path \"auth/token/lookup-self\" {\n  capabilities = [\"read\"]\n}\n";
    let all = [&encrypt, &decrypt, &rewrap, &read];
    for missing in all {
        let granted = all.into_iter().filter(|rule| *rule != missing);
        let policy: String = granted.map(String::as_str).chain([lookup]).collect();
        let token = place.only(&policy).await;
        let limited = customer.clone().given("token", &token);
        let kek = limited.open(&resolved.id);
        let due = [Rewrap {
            wrapped: &wrapped,
            context: context(kek.as_ref()),
        }];
        let error = if *missing == encrypt {
            wrap(kek.as_ref()).await.map(drop)
        } else if *missing == decrypt {
            unwrap(kek.as_ref(), &wrapped).await.map(drop)
        } else if *missing == rewrap {
            kek.rewrap(&due).await.remove(0).map(drop)
        } else {
            // A role that only decrypts needs no more.
            unwrap(kek.as_ref(), &wrapped).await.unwrap();
            limited.resolve().await.map(drop)
        };
        let error = error.unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::PermissionDenied, "{error:?}");
        let expected = format!("Grant to the role in use:\n{missing}");
        assert_eq!(error.remedy(), Some(expected.as_str()));
    }
}

#[tokio::test]
async fn a_refused_token_names_the_argument_to_set() {
    let place = Place::new().await;
    let customer = Customer::created(&place, "theirs").await;
    let wrong = customer.given("token", "s.hunter2");
    let error = wrong.resolve().await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Unauthenticated, "{error:?}");
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("token_wo"), "{remedy}");
    assert!(remedy.contains("credentials_wo_version"), "{remedy}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

//= docs/format.md#14-transit-kek
//= type=test
//# A writer MUST refuse a key that is not of type `aes256-gcm96`, not `derived`, convergent,
//# or exportable.
#[tokio::test]
async fn a_key_of_another_kind_is_refused_before_it_is_saved_and_before_a_wrap() {
    let place = Place::new().await;
    let good = Customer::created(&place, "good").await.resolved().await;
    for (name, settings, reason) in [
        ("plain", r#"{"type":"aes256-gcm96"}"#, "not derived"),
        (
            "chacha",
            r#"{"type":"chacha20-poly1305","derived":true}"#,
            "not of the type",
        ),
        (
            "convergent",
            r#"{"derived":true,"convergent_encryption":true}"#,
            "convergent",
        ),
        (
            "exportable",
            r#"{"derived":true,"exportable":true}"#,
            "exportable",
        ),
    ] {
        place.admin.ok("POST", &path(&place, name), settings).await;
        let customer = Customer::of(&place, name);
        let mut id = good.id.clone();
        id.id = id.id.replace(":good", &format!(":{name}"));
        let opened = customer.open(&id);
        let errors = [
            customer.resolve().await.map(drop),
            wrap(opened.as_ref()).await.map(drop),
        ];
        for error in errors.map(Result::unwrap_err) {
            assert_eq!(error.kind(), KekErrorKind::Misconfigured, "{error:?}");
            assert!(error.remedy().unwrap().contains(reason), "{error:?}");
        }
    }
}

/// The owner of an imported key may keep a copy, and is told that it never rotates.
#[tokio::test]
async fn an_imported_key_and_one_with_backups_are_accepted_and_described() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let customer = Customer::created(&place, "theirs").await;
    let customer = customer.with("address", proxy.address());
    let answer = |more: serde_json::Value| {
        let mut data = json!({
            "type": "aes256-gcm96", "derived": true, "exportable": false,
            "latest_version": 1, "min_decryption_version": 1, "auto_rotate_period": 3600,
        });
        data.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let body = json!({ "data": data }).to_string();
        let read = Match::method("GET").and(Match::path("/keys/theirs"));
        proxy.fail(Fault::answer_in_place(200).with_body(&body).on(read));
    };
    let hourly = KeyRotation::Every(Duration::from_secs(3600));
    for (more, rotation) in [
        (json!({"imported_key": true}), KeyRotation::Never),
        (
            json!({"imported_key": true, "imported_key_allow_rotation": true}),
            hourly,
        ),
        (json!({"allow_plaintext_backup": true}), hourly),
    ] {
        answer(more);
        let resolved = customer.resolved().await;
        assert_eq!(resolved.description.rotation, rotation);
    }
    assert_eq!(proxy.unused_faults(), [""; 0]);
}

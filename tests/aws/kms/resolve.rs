//! A key as it is configured becomes a permanent identifier, or is refused.

use std::time::Duration;

use planton_core::kek::{ConnectKek, KekErrorKind, KeyEncryptionKey, KeyRotation};
use planton_vendors::KekConnector;
use serde_json::json;
use xtask::moto::{KmsKeyState, Moto, NewKmsKey};

use super::support::{Place, Sealed};

pub(crate) fn alias(place: &Place) -> String {
    format!("alias/planton/{}", place.key_id)
}

//= docs/format.md#12-wrapped-deks
//= type=test
//# A writer MUST NOT write an alias of a key as `kek_id`: it names the key permanently.
#[tokio::test]
async fn each_way_to_name_a_key_resolves_to_its_arn() {
    let place = Place::new().await;
    let (arn, name) = (place.arn.clone(), alias(&place));
    place.moto.alias_kms_key(&name, &arn).unwrap();
    let (_, id) = arn.split_once(":key/").unwrap();
    let alias_arn = format!("arn:aws:kms:{}:123456789012:{name}", Moto::REGION);
    for (key, region) in [
        (arn.as_str(), None),
        (alias_arn.as_str(), None),
        (id, Some(Moto::REGION)),
        (name.as_str(), Some(Moto::REGION)),
    ] {
        let resolved = place.resolve(json!({"key_id": key, "region": region}));
        let (kek, description) = resolved.await.unwrap();
        assert_eq!(kek.id().provider, "aws_kms");
        assert_eq!(kek.id().id, arn, "{key}");
        assert_eq!(description.rotation, KeyRotation::Manual);
        assert_eq!(description.newest_version, None);
        assert_eq!(kek.requests(), 2, "{key}: the key and its rotation");
        let sealed = Sealed::new(&kek, "acme", "prod/db");
        let wrapped = sealed.wrap(&kek).await.unwrap();
        assert!(wrapped.as_bytes().len() <= kek.max_wrapped_bytes());
        sealed.expect_opens(&place.kek(), &wrapped).await;
    }
}

#[tokio::test]
async fn a_moved_alias_is_another_key_and_the_former_one_still_opens() {
    let (place, other) = (Place::new().await, Place::new().await);
    let name = alias(&place);
    place.moto.alias_kms_key(&name, &place.arn).unwrap();
    let by_alias = json!({"key_id": name, "region": Moto::REGION});
    let (kek, _) = place.resolve(by_alias.clone()).await.unwrap();
    let sealed = Sealed::new(&kek, "acme", "db");
    let wrapped = sealed.wrap(&kek).await.unwrap();

    place.moto.alias_kms_key(&name, &other.arn).unwrap();
    let (moved, _) = place.resolve(by_alias.clone()).await.unwrap();
    assert_eq!(moved.id().id, other.arn);
    // The record's identifier leads, not the alias.
    let former = place.open(by_alias, &place.arn);
    sealed.expect_opens(&former, &wrapped).await;
    let refused = moved.unwrap(&wrapped, sealed.context()).await.unwrap_err();
    assert_eq!(refused.kind(), KekErrorKind::Refused);
    assert_eq!(place.requests(&place.arn).last().unwrap(), "Decrypt 200");
}

#[tokio::test]
async fn how_a_key_rotates_is_told() {
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let place = Place::new().await;
    place.moto.enable_kms_rotation(&place.arn).unwrap();
    let kek = place.kek();
    let description = kek.describe().await.unwrap();
    assert_eq!(description.rotation, KeyRotation::Every(year));
    assert_eq!(kek.requests(), 2);

    for origin in ["EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"] {
        let place = Place::with(&NewKmsKey {
            origin,
            ..NewKmsKey::default()
        })
        .await;
        let kek = place.kek();
        let description = kek.describe().await.unwrap();
        assert_eq!(description.rotation, KeyRotation::Never, "{origin}");
        assert_eq!(kek.requests(), 1, "{origin}: nothing to ask");
    }

    let policy = json!({"Statement": [
        {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*"},
    ]});
    place.moto.attach_policy(&place.key_id, &policy).unwrap();
    let description = place.kek().describe().await.unwrap();
    assert_eq!(description.rotation, KeyRotation::Unknown);
}

//= docs/format.md#26-kek-in-aws-kms
//= type=test
//# A writer MUST refuse a key that is not a customer managed symmetric encryption key (key
//# spec `SYMMETRIC_DEFAULT`, key usage `ENCRYPT_DECRYPT`).
#[tokio::test]
async fn a_key_of_another_type_is_refused() {
    for (spec, usage) in [
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("RSA_2048", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ] {
        let place = Place::with(&NewKmsKey {
            spec,
            usage,
            ..NewKmsKey::default()
        })
        .await;
        let error = place.refusal(json!({})).await;
        assert_eq!(error.kind(), KekErrorKind::Misconfigured, "{spec}");
        assert_eq!(error.path(), "key_id");
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains("SYMMETRIC_DEFAULT"), "{remedy}");
        assert_eq!(place.requests(&place.arn), ["DescribeKey 200"], "{spec}");
    }

    let place = Place::new().await;
    let managed = format!("alias/aws/{}", place.key_id.to_lowercase());
    place.moto.alias_kms_key(&managed, &place.arn).unwrap();
    let error = place.refusal(json!({})).await;
    assert_eq!(error.kind(), KekErrorKind::Misconfigured);
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("AWS managed key"), "{remedy}");
}

#[tokio::test]
async fn a_key_that_is_not_usable_or_not_there_is_not_saved() {
    let place = Place::new().await;
    let arn = &place.arn;
    for (state, kind, remedy) in [
        (
            KmsKeyState::Disabled,
            KekErrorKind::Disabled,
            format!("aws kms enable-key --region eu-central-1 --key-id {arn}"),
        ),
        (
            KmsKeyState::PendingDeletion,
            KekErrorKind::PendingDeletion,
            format!("aws kms cancel-key-deletion --region eu-central-1 --key-id {arn}"),
        ),
        (
            KmsKeyState::PendingImport,
            KekErrorKind::Disabled,
            format!("aws kms import-key-material --region eu-central-1 --key-id {arn}"),
        ),
        (
            KmsKeyState::Deleted,
            KekErrorKind::NotFound,
            "none is created in its place".to_owned(),
        ),
    ] {
        place.moto.set_kms_key_state(arn, state).unwrap();
        let error = place.refusal(json!({})).await;
        assert_eq!(error.kind(), kind, "{state:?}");
        assert_eq!(error.operation(), "DescribeKey");
        assert_eq!(error.path(), arn);
        let told = error.remedy().unwrap();
        assert!(told.contains(&remedy), "{state:?}: {told}");
    }
    assert_eq!(place.requests(arn).len(), 4, "each is final");

    let region = json!({"key_id": "alias/planton/none", "region": Moto::REGION});
    let error = place.refusal(region).await;
    assert_eq!(error.kind(), KekErrorKind::NotFound);
    assert_eq!(error.path(), "alias/planton/none");
}

#[tokio::test]
async fn the_registered_type_resolves_opens_and_checks() {
    let place = Place::new().await;
    let connector = KekConnector::default();
    let settings = place.settings(json!({}));
    connector
        .check(&settings, Some(&place.credential()))
        .unwrap();
    connector.check(&settings, None).unwrap();
    let error = connector.check(&settings, Some(&[].into())).unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Unauthenticated);
    assert_eq!(error.path(), "secret_access_key_wo");
    assert_eq!(place.requests(&place.arn), [""; 0], "no I/O");

    let credential = place.credential();
    let resolved = connector.resolve(&settings, &credential).await.unwrap();
    assert_eq!(resolved.id.id, place.arn);
    let opened = connector.open(&settings, &credential, &resolved.id);
    assert_eq!(opened.unwrap().id(), &resolved.id);
    assert_eq!(place.requests(&place.arn).len(), 2);
}

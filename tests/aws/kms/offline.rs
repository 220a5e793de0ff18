//! Envelopes under a key in AWS KMS, opened and sealed by the second implementation.

use planton_core::kek::{KekErrorKind, KeyEncryptionKey};
use planton_envelope::WrappedKey;
use planton_vendors::aws::AwsKmsKek;
use serde_json::{Value, json};
use test_support::second_implementation::{ENVELOPES, SecondImplementation, names, seal, text};
use xtask::moto::{Moto, NewKmsKey};

use super::support::Place;

/// Python gets an access key.
fn python(place: &Place, kek: &AwsKmsKek) -> SecondImplementation {
    let arguments = [&kek.id().id, Moto::REGION, place.moto.address()];
    SecondImplementation::new("pse.AwsKmsKek", &arguments)
        .with("AWS_ACCESS_KEY_ID", &place.key_id)
        .with("AWS_SECRET_ACCESS_KEY", &place.secret_key)
}

#[tokio::test]
async fn python_opens_what_is_sealed_here_with_the_key_alone() {
    let place = Place::new().await;
    let kek = place.kek();
    python(&place, &kek).opens_what_is_sealed_under(&kek).await;
    let decrypts = place.requests(&place.arn);
    let decrypts = decrypts.iter().filter(|line| *line == "Decrypt 200");
    assert_eq!(decrypts.count(), ENVELOPES);
}

//= docs/format.md#26-kek-in-aws-kms
//= type=test
//# A reader without the catalog MUST refuse a `wrapped` whose `planton:binding` is not the
//# binding that it computes.
#[tokio::test]
async fn python_and_this_code_refuse_a_wrap_of_another_version_without_a_catalog() {
    let place = Place::new().await;
    let kek = place.kek();
    let names = names();
    let (one, mut other) = (seal(&kek, &names, 1).await, seal(&kek, &names, 2).await);
    let moved = one.wrapped_keys().to_vec();
    let stolen = moved[0].1.clone();
    other.replace_wrapped_keys(moved).unwrap();
    let lines = [one.encode_text(), other.encode_text()];
    let opened = python(&place, &kek).open(&lines);
    assert_eq!(opened, [json!(text(1)), Value::Null]);

    let claimed = kek.claimed_names(&stolen).unwrap();
    assert_eq!(claimed, names);
    let sent = kek.requests();
    let bound = claimed.bound(other.binding(kek.id()));
    let error = kek.unwrap(&stolen, bound).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Refused);
    assert_eq!(kek.requests(), sent);
    kek.unwrap(&stolen, claimed.bound(one.binding(kek.id())))
        .await
        .unwrap();
    assert_eq!(
        kek.claimed_names(&WrappedKey::new(vec![1, 0, 2, b'{', b'}'])),
        None
    );
}

#[tokio::test]
async fn what_python_seals_under_a_multi_region_key_opens_here() {
    let place = Place::with(&NewKmsKey {
        multi_region: true,
        ..NewKmsKey::default()
    })
    .await;
    let id = place.arn.replacen(":eu-central-1:", "::", 1);
    let kek = place.open(json!({}), &id);
    python(&place, &kek).seals_what_opens_under(&kek).await;
}

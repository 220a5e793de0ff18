//! Rotation of a key, and rewrapping under its newest key material.

use planton_core::kek::{KekErrorKind, KeyEncryptionKey, Rewrap};
use planton_envelope::WrappedKey;
use test_support::keys::rewraps_wait_for_a_quota;
use xtask::moto::Fault;

use super::support::{Place, Sealed};

#[tokio::test]
async fn rewrapping_moves_to_the_newest_material_inside_kms_with_one_request_each() {
    let place = Place::new().await;
    let kek = place.kek();
    let mut sealed = Vec::new();
    for at in 0..20 {
        let one = Sealed::new(&kek, "acme", &format!("prod/s{at}"));
        let wrapped = one.wrap(&kek).await.unwrap();
        sealed.push((one, wrapped));
    }
    place.moto.rotate_kms_key(&place.arn).unwrap();
    // A rotated key needs nothing to be read.
    let (first, wrapped) = &sealed[0];
    first.expect_opens(&kek, wrapped).await;
    let description = kek.describe().await.unwrap();
    assert_eq!(kek.is_newest(wrapped, &description), None);

    let wraps: Vec<_> = sealed
        .iter()
        .map(|(one, wrapped)| Rewrap {
            wrapped,
            context: one.context(),
        })
        .collect();
    let (sent, before) = (kek.requests(), place.requests(&place.arn).len());
    let rewrapped = kek.rewrap(&wraps).await;
    assert_eq!(kek.requests() - sent, 20);
    assert_eq!(place.requests(&place.arn)[before..], ["ReEncrypt 200"; 20]);
    drop(wraps);

    place.moto.rotate_kms_key(&place.arn).unwrap();
    for ((one, old), new) in sealed.iter().zip(&rewrapped) {
        let new = new.as_ref().unwrap();
        assert_ne!(old, new);
        one.expect_opens(&kek, new).await;
    }
}

#[tokio::test]
async fn a_rewrap_of_many_waits_for_the_quota_and_shows_it() {
    let place = Place::new().await;
    let limit = || {
        let throttled = Fault {
            action: "ReEncrypt",
            name: &place.arn,
            status: 400,
            code: "ThrottlingException",
            message: "Rate exceeded",
            times: 40,
            ..Fault::default()
        };
        place.moto.inject(&throttled).unwrap();
    };
    assert_eq!(rewraps_wait_for_a_quota(&place.kek(), limit).await, 40);
}

#[tokio::test]
async fn what_was_rewrapped_opens_without_the_former_material_and_nothing_else_does() {
    let place = Place::new().await;
    let kek = place.kek();
    let sealed = Sealed::new(&kek, "acme", "db");
    let old = sealed.wrap(&kek).await.unwrap();
    place.moto.rotate_kms_key(&place.arn).unwrap();
    let wraps = [Rewrap {
        wrapped: &old,
        context: sealed.context(),
    }];
    let new = kek.rewrap(&wraps).await.remove(0).unwrap();
    place.moto.forget_former_kms_material(&place.arn).unwrap();
    sealed.expect_opens(&kek, &new).await;
    let error = kek.unwrap(&old, sealed.context()).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Refused);
}

#[tokio::test]
async fn a_wrap_that_fails_fails_alone() {
    let place = Place::new().await;
    let kek = place.kek();
    let sealed: Vec<_> = (0..3)
        .map(|at| Sealed::new(&kek, "acme", &format!("s{at}")))
        .collect();
    let mut wrapped = Vec::new();
    for one in &sealed {
        wrapped.push(one.wrap(&kek).await.unwrap());
    }
    // The last byte belongs to the ciphertext, so KMS refuses it.
    let mut altered = wrapped[1].as_bytes().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    wrapped[1] = WrappedKey::new(altered);
    let wraps: Vec<_> = sealed
        .iter()
        .zip(&wrapped)
        .map(|(one, wrapped)| Rewrap {
            wrapped,
            context: one.context(),
        })
        .collect();
    let rewrapped = kek.rewrap(&wraps).await;
    assert_eq!(rewrapped.len(), 3);
    for at in [0, 2] {
        sealed[at]
            .expect_opens(&kek, rewrapped[at].as_ref().unwrap())
            .await;
    }
    let error = rewrapped[1].as_ref().unwrap_err();
    assert_eq!(
        (error.kind(), error.operation()),
        (KekErrorKind::Refused, "ReEncrypt")
    );
}

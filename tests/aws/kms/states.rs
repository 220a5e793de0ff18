//! Revocation: a key that is disabled, scheduled for deletion or deleted.

use planton_core::kek::{KekErrorKind, KeyEncryptionKey, Rewrap};
use xtask::moto::KmsKeyState;

use super::support::{Place, Sealed};

#[tokio::test]
async fn a_revoked_key_opens_nothing_and_a_restored_one_does_again() {
    let place = Place::new().await;
    let (kek, arn) = (place.kek(), &place.arn);
    let sealed = Sealed::new(&kek, "acme", "prod/db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    for (state, kind, code, remedy) in [
        (
            KmsKeyState::Disabled,
            KekErrorKind::Disabled,
            "DisabledException",
            format!("aws kms enable-key --region eu-central-1 --key-id {arn}"),
        ),
        (
            KmsKeyState::PendingDeletion,
            KekErrorKind::PendingDeletion,
            "KMSInvalidStateException",
            format!(
                "aws kms cancel-key-deletion --region eu-central-1 --key-id {arn} && aws kms \
                 enable-key --region eu-central-1 --key-id {arn}"
            ),
        ),
        (
            KmsKeyState::PendingImport,
            KekErrorKind::Disabled,
            "KMSInvalidStateException",
            format!("aws kms import-key-material --region eu-central-1 --key-id {arn}"),
        ),
    ] {
        place.moto.set_kms_key_state(arn, state).unwrap();
        let before = place.requests(arn).len();
        for error in each_use(&place, &sealed, &wrapped).await {
            assert_eq!(error.kind(), kind, "{state:?}: {error:?}");
            assert_eq!(error.path(), arn);
            let told = error.remedy().unwrap();
            assert!(told.contains(&remedy), "{state:?}: {told}");
            assert!(format!("{error:?}").contains(code), "{error:?}");
        }
        let refused = ["Encrypt 400", "Decrypt 400", "ReEncrypt 400"];
        assert_eq!(place.requests(arn)[before..], refused, "{state:?}: final");
        let error = kek.describe().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{state:?}");
        assert!(error.remedy().unwrap().contains(&remedy));

        place
            .moto
            .set_kms_key_state(arn, KmsKeyState::Enabled)
            .unwrap();
        sealed.expect_opens(&kek, &wrapped).await;
        kek.describe().await.unwrap();
    }
}

#[tokio::test]
async fn a_deleted_key_is_missing_and_none_is_created_in_its_place() {
    let place = Place::new().await;
    let (kek, arn) = (place.kek(), &place.arn);
    let sealed = Sealed::new(&kek, "acme", "prod/db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    place
        .moto
        .set_kms_key_state(arn, KmsKeyState::Deleted)
        .unwrap();
    let before = place.requests(arn).len();
    for error in each_use(&place, &sealed, &wrapped).await {
        assert_eq!(error.kind(), KekErrorKind::NotFound, "{error:?}");
        assert!(
            error
                .remedy()
                .unwrap()
                .contains("none is created in its place")
        );
    }
    let refused = ["Encrypt 400", "Decrypt 400", "ReEncrypt 400"];
    assert_eq!(place.requests(arn)[before..], refused);
}

/// Wraps, unwraps and rewraps, and returns the errors.
async fn each_use(
    place: &Place,
    sealed: &Sealed,
    wrapped: &planton_envelope::WrappedKey,
) -> [planton_core::kek::KekError; 3] {
    let kek = place.kek();
    let wraps = [Rewrap {
        wrapped,
        context: sealed.context(),
    }];
    [
        sealed.wrap(&kek).await.unwrap_err(),
        kek.unwrap(wrapped, sealed.context()).await.unwrap_err(),
        kek.rewrap(&wraps).await.remove(0).unwrap_err(),
    ]
}

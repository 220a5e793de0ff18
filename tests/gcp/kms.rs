//! Tests a key in Cloud KMS as KEK.

use std::time::Duration;

use planton_core::kek::{ConnectKek, KekErrorKind, KeyRotation, Rewrap};
use planton_envelope::{KekId, WrappedKey};
use serde_json::json;
use test_support::keys::{
    Declared, context, data_key, is_same, wraps_open_after_any_rotations_and_rewraps,
};
use xtask::gcp::GcpFault;

use super::kms_support::{KmsPlace, RING};

//= docs/format.md#27-kek-in-gcp-kms
//= type=test
//# A writer MUST write `gcp_kms` as `provider`, and as `kek_id` the name of the cryptoKey, as
//# Cloud KMS returns it, without a version.
#[tokio::test]
async fn a_key_is_named_as_the_service_returns_it() {
    let place = KmsPlace::new();
    let by_number = KmsPlace::name().replace("projects/acme", "projects/1234567890");
    let declared = place.declared_with(json!({"key_name": by_number}));
    let resolved = declared.resolve().await.unwrap();
    let id = KekId {
        provider: "gcp_kms".to_owned(),
        id: KmsPlace::name(),
    };
    assert_eq!(resolved.id, id);
    assert_eq!(resolved.kek.id(), &id);
    assert_eq!(place.operations(), ["GetCryptoKey"]);
}

/// The settings name the project by its number, and the record by its ID. Both may name one
/// key, which the service alone knows.
#[tokio::test]
async fn a_number_of_a_project_in_the_settings_opens_no_key_of_another_project() {
    let place = KmsPlace::new();
    let id = KekId {
        provider: "gcp_kms".to_owned(),
        id: KmsPlace::name(),
    };
    let by = |number: &str| {
        let name = KmsPlace::name().replace("projects/acme", &format!("projects/{number}"));
        place.declared_with(json!({"key_name": name}))
    };
    let dek = data_key(7);
    let context = context(&id, 1);

    let kek = by("1234567890").open(&id);
    let before = place.operations().len();
    let wrapped = kek.wrap(&dek, context).await.unwrap();
    assert!(is_same(&kek.unwrap(&wrapped, context).await.unwrap(), &dek));
    let asked = ["GetCryptoKey", "Encrypt", "Decrypt"];
    assert_eq!(place.operations()[before..], asked);

    // A key of the same name in another project.
    let other = by("999");
    place.create_key_in("999", "secrets");
    let kek = other.open(&id);
    let before = place.operations().len();
    let refused = [
        kek.wrap(&dek, context).await.map(drop),
        kek.unwrap(&wrapped, context).await.map(drop),
        kek.describe().await.map(drop),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::Misconfigured);
        assert!(
            error.remedy().unwrap().contains("projects/999/"),
            "{error:?}"
        );
    }
    assert_eq!(place.operations()[before..], ["GetCryptoKey"; 3]);
}

//= docs/format.md#27-kek-in-gcp-kms
//= type=test
//# A writer MUST send the DEK to `encrypt` as `plaintext` and the binding as
//# `additionalAuthenticatedData`, both in base64 with padding (RFC 4648, section 4), with the
//# CRC32C of each.
#[tokio::test]
async fn a_wrap_and_an_unwrap_take_one_request_each() {
    let place = KmsPlace::new();
    let declared = place.declared();
    let resolved = declared.resolve().await.unwrap();
    let kek = declared.open(&resolved.id);
    let before = place.operations().len();
    let dek = data_key(7);
    let context = context(kek.id(), 1);
    let wrapped = kek.wrap(&dek, context).await.unwrap();
    assert!(wrapped.as_bytes().len() <= kek.max_wrapped_bytes());
    assert!(is_same(&kek.unwrap(&wrapped, context).await.unwrap(), &dek));
    assert_eq!(place.operations()[before..], ["Encrypt", "Decrypt"]);
    assert_eq!(
        kek.is_newest(&wrapped, &resolved.description),
        Some(true),
        "the version is kept in the wrap"
    );
}

#[tokio::test]
async fn a_wrap_of_another_binding_or_key_is_refused() {
    let place = KmsPlace::new();
    place.create_key("other", &json!({"purpose": "ENCRYPT_DECRYPT"}));
    let kek = place.declared().resolve().await.unwrap().kek;
    let other = place.declared_with(json!({"key_name": format!("{RING}/cryptoKeys/other")}));
    let other = other.resolve().await.unwrap().kek;
    let context = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), context).await.unwrap();
    let elsewhere = test_support::keys::context(kek.id(), 2);
    for refused in [
        kek.unwrap(&wrapped, elsewhere).await,
        other.unwrap(&wrapped, context).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), KekErrorKind::Refused);
    }
}

/// The version in the wrap is a hint of the writer, so it may change.
#[tokio::test]
async fn an_altered_wrap_is_refused() {
    let place = KmsPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let context = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), context).await.unwrap();
    let bytes = wrapped.as_bytes();
    for at in (0..bytes.len()).filter(|at| !(1..9).contains(at)) {
        let mut altered = bytes.to_vec();
        altered[at] ^= 1 << (at % 8);
        let refused = kek.unwrap(&WrappedKey::new(altered), context).await;
        assert_eq!(refused.unwrap_err().kind(), KekErrorKind::Refused, "{at}");
    }
    let before = place.operations().len();
    for length in [0, 1, 8, 9] {
        let cut = WrappedKey::new(bytes[..length].to_vec());
        let refused = kek.unwrap(&cut, context).await;
        assert_eq!(refused.unwrap_err().kind(), KekErrorKind::Refused);
    }
    assert_eq!(place.operations().len(), before, "no request");
}

#[tokio::test]
async fn a_rotated_key_opens_old_wraps_and_a_rewrap_frees_the_old_version() {
    let place = KmsPlace::new();
    let resolved = place.declared().resolve().await.unwrap();
    let kek = resolved.kek;
    let context = context(kek.id(), 1);
    let old = kek.wrap(&data_key(7), context).await.unwrap();
    place.rotate();
    let now = kek.describe().await.unwrap();
    assert_eq!(now.newest_version, Some(2));
    assert_eq!(kek.is_newest(&old, &now), Some(false));
    assert!(is_same(
        &kek.unwrap(&old, context).await.unwrap(),
        &data_key(7)
    ));

    let before = place.operations().len();
    let work = [Rewrap {
        wrapped: &old,
        context,
    }];
    let new = kek.rewrap(&work).await.remove(0).unwrap();
    assert_eq!(place.operations()[before..], ["Decrypt", "Encrypt"]);
    assert_eq!(kek.is_newest(&new, &now), Some(true));

    place.set_state(1, "DESTROY_SCHEDULED");
    place.place.fake.end_destruction().unwrap();
    let gone = kek.unwrap(&old, context).await.unwrap_err();
    assert_eq!(gone.kind(), KekErrorKind::Destroyed);
    let remedy = gone.remedy().unwrap();
    assert!(remedy.contains("Only an escrow key opens"), "{remedy}");
    assert!(!remedy.contains("gcloud"), "{remedy}");
    assert!(is_same(
        &kek.unwrap(&new, context).await.unwrap(),
        &data_key(7)
    ));
}

#[tokio::test]
async fn a_disabled_version_is_told_and_works_again_once_it_is_enabled() {
    let place = KmsPlace::new();
    let declared = place.declared();
    let kek = declared.resolve().await.unwrap().kek;
    let context = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), context).await.unwrap();
    for (state, kind, command) in [
        ("DISABLED", KekErrorKind::Disabled, "enable"),
        (
            "DESTROY_SCHEDULED",
            KekErrorKind::PendingDeletion,
            "restore",
        ),
    ] {
        place.set_state(1, state);
        let before = place.operations().len();
        for (error, operation) in [
            (kek.unwrap(&wrapped, context).await.unwrap_err(), "Decrypt"),
            (
                kek.wrap(&data_key(7), context).await.unwrap_err(),
                "Encrypt",
            ),
            (declared.resolve().await.unwrap_err(), "GetCryptoKey"),
        ] {
            assert_eq!(error.kind(), kind, "{state}");
            assert_eq!(error.operation(), operation);
            let remedy = error.remedy().unwrap();
            let command = format!("gcloud kms keys versions {command} ");
            assert!(remedy.contains(&command), "{remedy}");
            assert!(
                remedy.contains(
                    "--key=secrets --keyring=planton --location=europe-west3 --project=acme"
                ),
                "{remedy}"
            );
        }
        // Nothing was created in its place, and nothing retried.
        assert_eq!(
            place.operations()[before..],
            ["Decrypt", "Encrypt", "GetCryptoKey"]
        );
        if state == "DISABLED" {
            place.set_state(1, "ENABLED");
        } else {
            place.restore(1);
        }
        let opened = kek.unwrap(&wrapped, context).await.unwrap();
        assert!(is_same(&opened, &data_key(7)));
    }
}

#[tokio::test]
async fn a_denied_permission_is_named_with_its_role() {
    let place = KmsPlace::new();
    let declared = place.declared();
    let kek = declared.resolve().await.unwrap().kek;
    let context = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), context).await.unwrap();
    const CRYPTER: &str = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
    for (permission, role) in [
        ("cloudkms.cryptoKeys.get", "roles/cloudkms.viewer"),
        ("cloudkms.cryptoKeyVersions.useToEncrypt", CRYPTER),
        ("cloudkms.cryptoKeyVersions.useToDecrypt", CRYPTER),
    ] {
        place.place.fake.deny(&[permission]).unwrap();
        let denied = match permission {
            "cloudkms.cryptoKeys.get" => declared.resolve().await.map(drop),
            "cloudkms.cryptoKeyVersions.useToEncrypt" => {
                kek.wrap(&data_key(7), context).await.map(drop)
            }
            _ => kek.unwrap(&wrapped, context).await.map(drop),
        };
        let error = denied.unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::PermissionDenied, "{permission}");
        let remedy = error.remedy().unwrap();
        assert!(
            remedy.contains(permission) && remedy.contains(role),
            "{remedy}"
        );
        let command = format!(
            "\n  gcloud kms keys add-iam-policy-binding {} --role={role} --member=MEMBER\n",
            KmsPlace::name()
        );
        assert!(remedy.contains(&command), "{remedy}");
    }
    place.place.fake.deny(&[]).unwrap();
    assert!(kek.unwrap(&wrapped, context).await.is_ok());
}

#[tokio::test]
async fn rotation_is_described_as_the_key_has_it() {
    let place = KmsPlace::new();
    let manual = place.declared().resolve().await.unwrap().description;
    assert_eq!(manual.rotation, KeyRotation::Manual);
    assert_eq!(manual.newest_version, Some(1));
    let period = json!({
        "purpose": "ENCRYPT_DECRYPT",
        "rotationPeriod": "7776000s",
        "nextRotationTime": "2027-01-01T00:00:00Z",
    });
    place.create_key("rotating", &period);
    let hsm = json!({"protectionLevel": "EXTERNAL"});
    let external = json!({"purpose": "ENCRYPT_DECRYPT", "versionTemplate": hsm});
    place.create_key("external", &external);
    place.create_key("imported", &period);
    let imported = format!("{RING}/cryptoKeys/imported");
    place.place.fake.make_import_only(&imported).unwrap();
    for (id, rotation) in [
        (
            "rotating",
            KeyRotation::Every(Duration::from_secs(7_776_000)),
        ),
        ("external", KeyRotation::Never),
        ("imported", KeyRotation::Never),
    ] {
        let key_name = format!("{RING}/cryptoKeys/{id}");
        let declared = place.declared_with(json!({"key_name": key_name}));
        let description = declared.resolve().await.unwrap().description;
        assert_eq!(description.rotation, rotation, "{id}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_refused_before_it_is_saved() {
    let place = KmsPlace::new();
    place.create_key("signing", &json!({"purpose": "ASYMMETRIC_SIGN"}));
    let path = format!("{RING}/cryptoKeys?cryptoKeyId=empty&skipInitialVersionCreation=true");
    place.ok("POST", &path, &json!({"purpose": "ENCRYPT_DECRYPT"}));
    for (id, kind, told) in [
        (
            "signing",
            KekErrorKind::Misconfigured,
            "--purpose=encryption",
        ),
        ("empty", KekErrorKind::Disabled, "no primary version"),
        (
            "missing",
            KekErrorKind::NotFound,
            "No key is created in its place",
        ),
    ] {
        let key_name = format!("{RING}/cryptoKeys/{id}");
        let declared = place.declared_with(json!({"key_name": key_name}));
        let error = declared.resolve().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{id}");
        assert!(error.remedy().unwrap().contains(told), "{error:?}");
    }
}

#[tokio::test]
async fn settings_are_checked_without_a_request() {
    let place = KmsPlace::new();
    let Declared {
        connector,
        settings,
        credential,
    } = place.declared();
    connector.check(&settings, Some(&credential)).unwrap();
    connector.check(&settings, None).unwrap();
    let version = format!("{}/cryptoKeyVersions/1", KmsPlace::name());
    for (changes, setting) in [
        (json!({"key_name": version}), "key_name"),
        (json!({"key_name": "alias"}), "key_name"),
        (json!({"key_name": null}), "key_name"),
        (json!({"endpoint": "http://kms.example.com"}), "endpoint"),
        (
            json!({"impersonate_service_account": "nobody"}),
            "impersonate_service_account",
        ),
    ] {
        let settings = place.settings(changes);
        let error = connector.check(&settings, None).unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::Misconfigured);
        assert_eq!(error.path(), setting);
        assert!(error.remedy().is_some());
    }
    let bad = super::support::credential("no key file");
    let error = connector.check(&settings, Some(&bad)).unwrap_err();
    assert_eq!(error.path(), "service_account_key_json_wo");
    assert!(place.operations().is_empty());
}

//= docs/format.md#27-kek-in-gcp-kms
//= type=test
//# A writer MUST refuse a response that does not confirm both checksums, or whose ciphertext has
//# another CRC32C than the response says.
//= docs/format.md#27-kek-in-gcp-kms
//= type=test
//# A reader MUST send the ciphertext to `decrypt` with the binding as
//# `additionalAuthenticatedData`, and refuse a response whose plaintext has another CRC32C than
//# the response says, or does not have 32 bytes.
#[tokio::test]
async fn a_damaged_response_is_asked_for_once_more_and_then_refused() {
    let place = KmsPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let context = context(kek.id(), 1);
    let wrapped = kek.wrap(&data_key(7), context).await.unwrap();
    let fake = &place.place.fake;
    for (operation, fault) in [
        ("Encrypt", GcpFault::DamagePayload),
        ("Encrypt", GcpFault::ConfirmNothing),
        ("Decrypt", GcpFault::DamagePayload),
    ] {
        for (times, fails) in [(1, false), (2, true)] {
            fake.fault(operation, times, fault).unwrap();
            let before = place.operations().len();
            let outcome = match operation {
                "Encrypt" => kek.wrap(&data_key(7), context).await.map(drop),
                _ => kek.unwrap(&wrapped, context).await.map(drop),
            };
            let kind = outcome.map_err(|error| error.kind());
            let expected = match fails {
                false => Ok(()),
                true => Err(KekErrorKind::Unexpected),
            };
            assert_eq!(kind, expected, "{operation} {fault:?} {times}");
            assert_eq!(place.operations()[before..], [operation, operation]);
            fake.clear_faults().unwrap();
        }
    }
    // 31 bytes, which another client encrypted.
    let context_data = context.binding.as_bytes();
    let body = json!({
        "plaintext": base64(&[7; 31]),
        "additionalAuthenticatedData": base64(context_data),
    });
    let answer = place.ok("POST", &format!("{}:encrypt", KmsPlace::name()), &body);
    let ciphertext = from_base64(answer["ciphertext"].as_str().unwrap());
    let short = [&[1, 0, 0, 0, 0, 0, 0, 0, 1][..], &ciphertext].concat();
    let refused = kek.unwrap(&WrappedKey::new(short), context).await;
    assert_eq!(refused.unwrap_err().kind(), KekErrorKind::Refused);
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn from_base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

#[test]
fn wraps_open_after_any_rotations_and_rewraps_of_the_key() {
    let place = KmsPlace::new();
    wraps_open_after_any_rotations_and_rewraps(&place.declared(), || place.rotate());
}

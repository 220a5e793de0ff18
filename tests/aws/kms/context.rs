//! Encryption contexts: what a wrap belongs to.

use planton_core::kek::{KekErrorKind, KeyEncryptionKey, KeyPurpose, Rewrap, WrapNames};
use planton_envelope::{WrapBinding, WrappedKey};
use serde_json::{Value, json};
use uuid::Uuid;

use super::support::{Place, Sealed};

/// Splits a wrap into its context and its ciphertext.
pub(super) fn parts(wrapped: &WrappedKey) -> (Value, Vec<u8>) {
    let bytes = wrapped.as_bytes();
    assert_eq!(bytes[0], 1);
    let length = usize::from(u16::from_be_bytes([bytes[1], bytes[2]]));
    let (json, ciphertext) = bytes[3..].split_at(length);
    (serde_json::from_slice(json).unwrap(), ciphertext.to_vec())
}

pub(super) fn with_context(context: &Value, ciphertext: &[u8]) -> WrappedKey {
    let json = context.to_string();
    let length = u16::try_from(json.len()).unwrap().to_be_bytes();
    WrappedKey::new([&[1], &length[..], json.as_bytes(), ciphertext].concat())
}

//= docs/format.md#26-kek-in-aws-kms
//= type=test
//# A writer MUST encrypt with this encryption context, and no other pair.
//= docs/format.md#26-kek-in-aws-kms
//= type=test
//# A writer MUST write as `wrapped` the byte 1, `LP(context)` and the ciphertext that KMS
//# returns.
#[tokio::test]
async fn the_context_names_what_is_wrapped_and_a_key_policy_may_require_it() {
    let place = Place::new().await;
    let kek = place.kek();
    let policy = json!({"Statement": [{
        "Effect": "Allow",
        "Action": ["kms:Encrypt", "kms:Decrypt"],
        "Resource": place.arn,
        "Condition": {"StringEquals": {
            "kms:EncryptionContext:planton:organization": "acme",
            "kms:EncryptionContext:planton:environment": "prod",
            "kms:EncryptionContext:planton:purpose": "secret",
            "kms:EncryptionContext:planton:secret": "db",
        }},
    }]});
    place.moto.attach_policy(&place.key_id, &policy).unwrap();
    let sealed = Sealed::new(&kek, "acme", "prod/db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    let (context, _) = parts(&wrapped);
    let expected = json!({
        "planton:binding": hex::encode(sealed.binding.as_bytes()),
        "planton:environment": "prod",
        "planton:organization": "acme",
        "planton:purpose": "secret",
        "planton:secret": "db",
    });
    assert_eq!(context, expected);
    sealed.expect_opens(&kek, &wrapped).await;
    for (organization, name) in [("acme-2", "prod/db"), ("acme", "stage/db"), ("acme", "db")] {
        let other = Sealed::new(&kek, organization, name);
        let error = other.wrap(&kek).await.unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::PermissionDenied, "{name}");
    }
}

//= docs/format.md#26-kek-in-aws-kms
//= type=test
//# A reader that has the catalog MUST refuse a `wrapped` whose context is not byte for byte
//# the one that it computes, before it calls KMS.
//= docs/format.md#26-kek-in-aws-kms
//= type=test
//# A reader MUST refuse a `wrapped` with another first byte.
#[tokio::test]
async fn a_wrap_with_another_context_is_refused_without_a_request() {
    let place = Place::new().await;
    let kek = place.kek();
    let sealed = Sealed::new(&kek, "acme", "prod/db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    let (context, ciphertext) = parts(&wrapped);
    assert_eq!(with_context(&context, &ciphertext), wrapped);
    let sent = kek.requests();

    let mut altered = vec![
        // Downgraded: without any context, and without one pair.
        with_context(&json!({}), &ciphertext),
        WrappedKey::new(ciphertext.clone()),
        WrappedKey::new(Vec::new()),
        with_context(&context, &[]),
    ];
    for (name, value) in context.as_object().unwrap() {
        let mut less = context.clone();
        less.as_object_mut().unwrap().remove(name);
        altered.push(with_context(&less, &ciphertext));
        let mut other = context.clone();
        other[name] = format!("{}x", value.as_str().unwrap()).into();
        altered.push(with_context(&other, &ciphertext));
    }
    let mut spaced = serde_json::to_string_pretty(&context).unwrap().into_bytes();
    let length = u16::try_from(spaced.len()).unwrap().to_be_bytes();
    spaced.splice(0..0, [1, length[0], length[1]]);
    spaced.extend_from_slice(&ciphertext);
    altered.push(WrappedKey::new(spaced));
    let mut other_format = wrapped.as_bytes().to_vec();
    other_format[0] = 2;
    altered.push(WrappedKey::new(other_format));
    for (at, altered) in altered.iter().enumerate() {
        let error = kek.unwrap(altered, sealed.context()).await.unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::Refused, "{at}");
        let wraps = [Rewrap {
            wrapped: altered,
            context: sealed.context(),
        }];
        let rewrapped = kek.rewrap(&wraps).await;
        let error = rewrapped.into_iter().next().unwrap().unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::Refused, "{at}");
    }
    assert_eq!(kek.requests(), sent, "nothing was sent");
    sealed.expect_opens(&kek, &wrapped).await;
}

#[tokio::test]
async fn a_wrap_of_another_record_is_refused_without_a_request() {
    let place = Place::new().await;
    let kek = place.kek();
    let sealed = Sealed::new(&kek, "acme", "prod/db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    let sent = kek.requests();
    let acme = "acme".parse().unwrap();
    let others = [
        WrapNames::secret(&acme, &"prod/db2".parse().unwrap()),
        WrapNames::secret(&acme, &"stage/db".parse().unwrap()),
        WrapNames::secret(&acme, &"db".parse().unwrap()),
        WrapNames::secret(&"acme-2".parse().unwrap(), &"prod/db".parse().unwrap()),
        WrapNames::backend(&acme, &"db".parse().unwrap(), KeyPurpose::BackendCredential),
        WrapNames::mac_key(&acme),
    ];
    for names in &others {
        let error = kek.unwrap(&wrapped, names.bound(sealed.binding)).await;
        assert_eq!(
            error.unwrap_err().kind(),
            KekErrorKind::Refused,
            "{names:?}"
        );
    }
    // Another version of the same secret.
    let binding = WrapBinding::for_probe(Uuid::new_v4(), kek.id());
    let error = kek.unwrap(&wrapped, sealed.names.bound(binding)).await;
    assert_eq!(error.unwrap_err().kind(), KekErrorKind::Refused);
    assert_eq!(kek.requests(), sent);
}

//= docs/format.md#26-kek-in-aws-kms
//= type=test
//# A reader MUST name the key of `kek_id` in its request to `Decrypt`.
#[tokio::test]
async fn a_ciphertext_of_another_record_or_key_is_refused_by_kms() {
    let (place, other) = (Place::new().await, Place::new().await);
    let kek = place.kek();
    let sealed = Sealed::new(&kek, "acme", "prod/db");
    let (context, _) = parts(&sealed.wrap(&kek).await.unwrap());
    // The right context beside a ciphertext of another secret.
    let elsewhere = Sealed::new(&kek, "acme", "prod/other");
    let (_, ciphertext) = parts(&elsewhere.wrap(&kek).await.unwrap());
    let moved = with_context(&context, &ciphertext);
    // A ciphertext with exactly this context, under a key of somebody else: a redirect.
    let planted = place.open(json!({"key_id": other.arn}), &other.arn);
    let planted = planted.wrap(&sealed.dek, sealed.context()).await.unwrap();
    for wrapped in [moved, planted] {
        let sent = kek.requests();
        let error = kek.unwrap(&wrapped, sealed.context()).await.unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::Refused);
        assert_eq!(error.operation(), "Decrypt");
        assert!(error.remedy().unwrap().contains(&place.arn));
        assert_eq!(kek.requests() - sent, 1, "not tried again");
    }
    let decrypts = place.requests(&other.arn);
    assert!(!decrypts.iter().any(|line| line.starts_with("Decrypt")));
}

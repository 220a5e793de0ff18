//! A key whose service rewraps nothing itself.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};

use planton_envelope::{RootKey, WrapBinding};
use sha2::Digest as _;
use uuid::Uuid;

use super::*;
use crate::names::Slug;

/// A local key that counts its calls at one time.
#[derive(Debug)]
struct Counted {
    inner: LocalKek,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Counted {
    async fn call(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        // The other calls begin before this one ends.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl KeyEncryptionKey for Counted {
    fn id(&self) -> &KekId {
        self.inner.id()
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.call().await;
        self.inner.wrap(dek, context).await
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        self.call().await;
        self.inner.unwrap(wrapped, context).await
    }

    fn concurrency(&self) -> usize {
        CONCURRENT_CALLS
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        self.inner.is_newest(wrapped, description)
    }

    fn max_wrapped_bytes(&self) -> usize {
        self.inner.max_wrapped_bytes()
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        self.inner.describe().await
    }
}

#[tokio::test]
async fn a_rewrap_runs_as_many_calls_at_once_as_the_key_takes_and_keeps_their_order() {
    let acme = Slug::parse("acme").unwrap();
    let kek = Counted {
        inner: LocalKek::new(&RootKey::generate().unwrap(), &acme),
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    };
    let names = WrapNames::mac_key(&acme);
    let context = |number: u8| {
        names.bound(WrapBinding::for_mac_key(
            Uuid::from_bytes([number; 16]),
            kek.id(),
        ))
    };
    let mut wraps = Vec::new();
    for number in 0..30 {
        let dek = DataKey::copy_of(&[number; 32]);
        wraps.push(kek.inner.wrap(&dek, context(number)).await.unwrap());
    }
    let due: Vec<_> = (0..)
        .zip(&wraps)
        .map(|(number, wrapped)| Rewrap {
            wrapped,
            context: context(number),
        })
        .collect();
    let rewrapped = kek.rewrap(&due).await;
    assert_eq!(kek.most.load(Ordering::Relaxed), CONCURRENT_CALLS);
    assert_eq!(rewrapped.len(), 30);
    for (number, outcome) in (0..).zip(rewrapped) {
        let opened = kek.inner.unwrap(&outcome.unwrap(), context(number)).await;
        assert_eq!(opened.unwrap().expose(), &[number; 32]);
    }
}

/// A sealed credential is bound to this digest, so it must differ for each place.
#[test]
fn the_digest_of_settings_is_that_of_their_canonical_json() {
    let settings = |kind: &str, key: &str| KekSettings {
        kind: kind.to_owned(),
        configuration: [("key_id".to_owned(), key.into())].into(),
    };
    let one = settings("aws_kms", "one");
    let json = br#"{"kind":"aws_kms","configuration":{"key_id":"one"}}"#;
    let expected: [u8; 32] = sha2::Sha256::digest(json).into();
    assert_eq!(one.digest(), expected);
    for other in [settings("aws_kms", "two"), settings("gcp_kms", "one")] {
        assert_ne!(other.digest(), expected);
    }
}

/// Key policies and the logs of a KMS name the purposes: docs/guides/keys.md.
#[test]
fn each_purpose_has_the_published_name() {
    for (purpose, name) in [
        (KeyPurpose::Secret, "secret"),
        (KeyPurpose::BackendCredential, "backend-credential"),
        (KeyPurpose::KekCredential, "kek-credential"),
        (KeyPurpose::KekProbe, "kek-probe"),
        (KeyPurpose::BackendMarker, "backend-marker"),
        (KeyPurpose::MacKey, "mac-key"),
    ] {
        assert_eq!(purpose.as_str(), name);
        assert_eq!(KeyPurpose::of(name), Some(purpose));
    }
    assert_eq!(KeyPurpose::of(""), None);
}

#[test]
fn an_error_says_what_went_wrong() {
    for (kind, said) in [
        (KekErrorKind::NotFound, "key not found"),
        (KekErrorKind::Disabled, "key disabled"),
        (KekErrorKind::PendingDeletion, "key scheduled for deletion"),
        (KekErrorKind::Destroyed, "key destroyed"),
        (KekErrorKind::PermissionDenied, "was denied"),
        (KekErrorKind::Unauthenticated, "not authenticated"),
        (KekErrorKind::Refused, "does not open"),
        (KekErrorKind::RateLimited, "rate limited"),
        (KekErrorKind::Unavailable, "unavailable"),
        (KekErrorKind::Unexpected, "unexpected response"),
        (KekErrorKind::Misconfigured, "not configured as required"),
    ] {
        let told = KekError::new(kind, "unwrap", "key").to_string();
        assert!(told.contains("unwrap") && told.contains(said), "{told}");
    }
}

#[test]
fn a_fingerprint_reads_the_same_wherever_it_is_printed() {
    let text = "0123456789abcdef0123456789abcdef";
    let fingerprint: OrganizationFingerprint = text.parse().unwrap();
    assert_eq!(fingerprint.to_string(), text);
    assert!(format!("{fingerprint:?}").contains(text));
}

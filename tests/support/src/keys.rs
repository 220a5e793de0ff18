//! What the tests of every type of key share, and a property that each must have.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use planton_core::deadline::{OperationContext, QuotaWaits};
use planton_core::kek::{
    ConnectKek, KekError, KekErrorKind, KekSettings, KeyEncryptionKey, ResolvedKek, Rewrap,
    WrapContext,
};
use planton_core::store::StoreCredential;
use planton_envelope::{
    Context, DataKey, KekId, Purpose, Sealer, SecretValue, WrapBinding, WrappedKey,
};
use planton_vendors::KekConnector;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use subtle::ConstantTimeEq;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::wrapping::bound;

/// A declared key.
#[derive(Debug)]
pub struct Declared<C = KekConnector> {
    /// Opens the key.
    pub connector: C,
    /// The key's settings.
    pub settings: KekSettings,
    /// The key's credential.
    pub credential: StoreCredential,
}

impl<C: ConnectKek> Declared<C> {
    /// Asks the service for the key.
    pub async fn resolve(&self) -> Result<ResolvedKek, KekError> {
        let connector = &self.connector;
        connector.resolve(&self.settings, &self.credential).await
    }

    /// Opens the key that was resolved to `id`.
    #[must_use]
    pub fn open(&self, id: &KekId) -> Arc<dyn KeyEncryptionKey> {
        let opened = self.connector.open(&self.settings, &self.credential, id);
        opened.expect("settings that resolved also open")
    }
}

/// Binds a wrap by `kek` to one of 256 bindings.
#[must_use]
pub fn context(kek: &KekId, number: u8) -> WrapContext<'static> {
    bound(&WrapBinding::for_mac_key(
        Uuid::from_bytes([number; 16]),
        kek,
    ))
}

/// Returns one of 256 data keys.
#[must_use]
pub fn data_key(number: u8) -> DataKey {
    DataKey::copy_of(&[number; 32])
}

/// Returns whether both are the same data key.
#[must_use]
pub fn is_same(one: &DataKey, other: &DataKey) -> bool {
    one.ct_eq(other).into()
}

/// Rewraps twenty data keys, with a quota of the service that `limit` exhausts. Returns how
/// often a wait for it was shown.
pub async fn rewraps_wait_for_a_quota(kek: &dyn KeyEncryptionKey, limit: impl Fn()) -> usize {
    let mut wraps = Vec::new();
    for number in 0..20 {
        let dek = data_key(number);
        let wrapped = kek.wrap(&dek, context(kek.id(), number)).await;
        wraps.push(wrapped.expect("no quota yet"));
    }
    let due: Vec<_> = (0..)
        .zip(&wraps)
        .map(|(number, wrapped)| Rewrap {
            wrapped,
            context: context(kek.id(), number),
        })
        .collect();
    limit();
    let waits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&waits);
    let count = move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    let operation = OperationContext {
        deadline: Some(Instant::now() + Duration::from_secs(60)),
        quota_waits: Some(QuotaWaits::shown_by(count)),
        ..OperationContext::default()
    };
    let rewrapped = operation.scope(kek.rewrap(&due)).await;
    for (number, outcome) in (0..).zip(rewrapped) {
        let wrapped = outcome.expect("waited for the quota");
        let opened = kek.unwrap(&wrapped, context(kek.id(), number)).await;
        assert!(is_same(&opened.expect("a wrap"), &data_key(number)));
    }
    waits.load(Ordering::Relaxed)
}

/// Returns every text of an error and its sources.
#[must_use]
pub fn all_of(error: &KekError) -> String {
    let mut text = format!("{error} {error:?} {:?}", error.remedy());
    let mut source = error.source();
    while let Some(beneath) = source {
        text = format!("{text} {beneath} {beneath:?}");
        source = beneath.source();
    }
    text
}

#[derive(Clone, Debug)]
enum Step {
    Wrap { data_key: u8, binding: u8 },
    Rotate,
    RewrapAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<u8>(), any::<u8>())
            .prop_map(|(data_key, binding)| Step::Wrap { data_key, binding }),
        1 => Just(Step::Rotate),
        1 => Just(Step::RewrapAll),
    ];
    prop::collection::vec(step, 1..8)
}

struct Kept {
    kek: KekId,
    wrapped: WrappedKey,
    data_key: u8,
    binding: u8,
}

/// Checks that whatever was wrapped opens after any rotations and rewraps, under its own
/// binding and no other.
///
/// # Panics
///
/// If it does not.
pub fn wraps_open_after_any_rotations_and_rewraps<C: ConnectKek>(
    declared: &Declared<C>,
    rotate: impl Fn(),
) {
    let runtime = Runtime::new().expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases: 8,
        max_shrink_iters: 20,
        failure_persistence: None,
        ..Config::default()
    });
    let checked = runner.run(&steps(), |steps| {
        runtime.block_on(check(declared, &rotate, &steps))
    });
    checked.expect("the property holds");
}

async fn check(
    declared: &Declared<impl ConnectKek>,
    rotate: &impl Fn(),
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let mut kept: Vec<Kept> = Vec::new();
    for step in steps {
        let resolved = declared.resolve().await.expect("resolved");
        let kek = resolved.kek;
        match *step {
            Step::Rotate => rotate(),
            Step::Wrap { data_key, binding } => {
                let dek = self::data_key(data_key);
                let context = context(kek.id(), binding);
                let wrapped = kek.wrap(&dek, context).await.expect("wrapped");
                prop_assert!(wrapped.as_bytes().len() <= kek.max_wrapped_bytes());
                let newest = kek.is_newest(&wrapped, &resolved.description);
                prop_assert_ne!(newest, Some(false));
                kept.push(Kept {
                    kek: kek.id().clone(),
                    wrapped,
                    data_key,
                    binding,
                });
            }
            Step::RewrapAll => {
                for one in &mut kept {
                    *one = rewrapped(declared, kek.as_ref(), one).await;
                    let newest = kek.is_newest(&one.wrapped, &resolved.description);
                    prop_assert_ne!(newest, Some(false));
                }
            }
        }
    }
    for one in &kept {
        let kek = declared.open(&one.kek);
        let own = context(&one.kek, one.binding);
        let opened = kek.unwrap(&one.wrapped, own).await.expect("opened");
        prop_assert!(is_same(&opened, &data_key(one.data_key)));
        let other = context(&one.kek, one.binding.wrapping_add(1));
        let refused = kek.unwrap(&one.wrapped, other).await;
        let kind = refused.map_err(|error| error.kind()).map(drop);
        prop_assert_eq!(kind, Err(KekErrorKind::Refused));
    }
    Ok(())
}

async fn rewrapped(
    declared: &Declared<impl ConnectKek>,
    kek: &dyn KeyEncryptionKey,
    one: &Kept,
) -> Kept {
    let before = context(&one.kek, one.binding);
    let after = context(kek.id(), one.binding);
    let wrapped = if one.kek == *kek.id() {
        let work = [Rewrap {
            wrapped: &one.wrapped,
            context: before,
        }];
        let mut done = kek.rewrap(&work).await;
        assert_eq!(done.len(), 1);
        done.remove(0).expect("rewrapped")
    } else {
        // A version with an identifier of its own is another key.
        let former = declared.open(&one.kek);
        let dek = former.unwrap(&one.wrapped, before).await.expect("opened");
        kek.wrap(&dek, after).await.expect("wrapped")
    };
    Kept {
        kek: kek.id().clone(),
        wrapped,
        data_key: one.data_key,
        binding: one.binding,
    }
}

/// A secret's version that is sealed under one key alone.
#[derive(Debug)]
pub struct SealedUnder {
    /// The envelope.
    pub envelope: Vec<u8>,
    /// The context that the second implementation opens it in.
    pub context: serde_json::Value,
}

/// Seals a text under a key.
pub async fn seal_under(kek: &dyn KeyEncryptionKey, text: &str) -> SealedUnder {
    let context = Context {
        purpose: Purpose::Secret,
        organization: Uuid::new_v4(),
        object: Uuid::new_v4(),
        backend: Uuid::new_v4(),
        version: 1,
        extension: None,
    };
    let plaintext = SecretValue::Text(text.into()).to_plaintext();
    let sealer = Sealer::new(context.clone(), &plaintext).expect("randomness");
    let binding = bound(&sealer.binding(kek.id()));
    let wrapped = kek.wrap(sealer.data_key(), binding).await.expect("wrapped");
    let sealed = sealer.seal(vec![(kek.id().clone(), wrapped)]);
    SealedUnder {
        envelope: sealed.expect("short").encode(),
        context: serde_json::json!({
            "purpose": 1,
            "organization": context.organization,
            "object": context.object,
            "backend": context.backend,
            "version": 1,
            "extension": null,
        }),
    }
}

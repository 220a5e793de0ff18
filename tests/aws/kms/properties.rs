//! Properties of any data key, names and binding.

use planton_core::kek::{KekErrorKind, KeyEncryptionKey, KeyPurpose, Rewrap, WrapNames};
use planton_envelope::{DataKey, WrapBinding, WrappedKey};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::support::Place;

fn slugs() -> impl Strategy<Value = String> {
    "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
}

fn names() -> impl Strategy<Value = WrapNames> {
    let purposes = prop::sample::select(vec![
        KeyPurpose::BackendCredential,
        KeyPurpose::KekCredential,
        KeyPurpose::KekProbe,
        KeyPurpose::BackendMarker,
    ]);
    let environment = prop::option::of(slugs());
    (0..3usize, slugs(), environment, slugs(), purposes).prop_map(
        |(kind, organization, environment, name, purpose)| {
            let organization = organization.parse().unwrap();
            match kind {
                0 => WrapNames::mac_key(&organization),
                1 => WrapNames::backend(&organization, &name.parse().unwrap(), purpose),
                _ => {
                    let environment = environment.map(|slug| format!("{slug}/"));
                    let name = format!("{}{name}", environment.unwrap_or_default());
                    WrapNames::secret(&organization, &name.parse().unwrap())
                }
            }
        },
    )
}

#[test]
fn whatever_is_wrapped_opens_as_itself_rewrapped_or_not_and_altered_never() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = runtime.block_on(Place::new());
    let kek = place.kek();
    let cases = (
        any::<[u8; 32]>(),
        names(),
        any::<[u8; 16]>(),
        any::<prop::sample::Index>(),
        0..8u32,
    );
    let mut runner = TestRunner::new(Config::with_cases(64));
    let ran = runner.run(&cases, |(dek, names, uuid, at, bit)| {
        runtime.block_on(async {
            let dek = DataKey::copy_of(&dek);
            let context = names.bound(WrapBinding::for_probe(Uuid::from_bytes(uuid), kek.id()));
            let wrapped = kek.wrap(&dek, context).await.unwrap();
            prop_assert!(wrapped.as_bytes().len() <= kek.max_wrapped_bytes());
            let wraps = [Rewrap {
                wrapped: &wrapped,
                context,
            }];
            let again = kek.rewrap(&wraps).await.remove(0).unwrap();
            prop_assert_ne!(&again, &wrapped);
            for wrapped in [&wrapped, &again] {
                let opened = kek.unwrap(wrapped, context).await.unwrap();
                prop_assert!(bool::from(opened.ct_eq(&dek)));
            }
            let mut altered = wrapped.as_bytes().to_vec();
            let at = at.index(altered.len());
            altered[at] ^= 1 << bit;
            let refused = kek.unwrap(&WrappedKey::new(altered), context).await;
            prop_assert_eq!(refused.unwrap_err().kind(), KekErrorKind::Refused);
            Ok(())
        })
    });
    ran.unwrap();
}

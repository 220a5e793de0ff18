//! Attacks on an organization under a key file.
//!
//! Whoever has the file may do everything, so no role only encrypts.

use std::sync::Arc;

use async_trait::async_trait;
use planton_core::kek::{KeyEncryptionKey, LocalKek, WrapContext, WrapNames};
use planton_envelope::{DataKey, RootKey, WrapBinding, WrappedKey};
use planton_vendors::KekConnector;
use test_support::attacks::{Encryptor, Target};
use uuid::Uuid;

/// Whoever has the key file.
#[derive(Debug)]
struct Holder(Arc<LocalKek>);

#[async_trait]
impl Encryptor for Holder {
    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> WrappedKey {
        self.0.wrap(dek, context).await.unwrap()
    }

    /// A wrap as of a probe, whose binding says nothing of a secret.
    async fn downgraded(&self, dek: &DataKey, _: WrapContext<'_>) -> Vec<WrappedKey> {
        let names = WrapNames::mac_key(&"acme".parse().unwrap());
        let probe = WrapBinding::for_probe(Uuid::nil(), self.0.id());
        vec![self.wrap(dek, names.bound(probe)).await]
    }
}

fn target() -> ((), Target) {
    let acme = "acme".parse().unwrap();
    let key = || Arc::new(LocalKek::new(&RootKey::generate().unwrap(), &acme));
    let kek = key();
    let target = Target {
        connector: Arc::new(KekConnector::default()),
        platform: (Arc::clone(&kek) as _, Arc::clone(&kek) as _),
        main: None,
        theirs: key(),
        encryptor: Arc::new(Holder(kek)),
    };
    ((), target)
}

test_support::attacks!(target());

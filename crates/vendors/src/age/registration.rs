//! The key type `age`.

use std::sync::Arc;

use async_trait::async_trait;
use planton_core::kek::{KekError, KekErrorKind, KekSettings, KeyEncryptionKey, ResolvedKek};
use planton_core::store::StoreCredential;
use planton_envelope::KekId;

use super::kek::AgeKek;
use super::recipient::{Recipient, SETTING};
use crate::http::HttpSettings;
use crate::registration::{Field, KeyType, KeyUsage, MacKeyGuard, OpenKek};

pub(crate) static KEY_TYPE: KeyType = KeyType {
    name: "age",
    title: "age",
    description: "Recipient of age, for escrow. Only the holder of its identity can unwrap, \
                  offline and without this provider.",
    fields: &FIELDS,
    usage: KeyUsage::EscrowOnly,
    mac_key: MacKeyGuard::Nothing,
    opener: &Opener,
};

const FIELDS: [Field; 1] = [Field::text(
    SETTING,
    "X25519 recipient, `age1…`, as `age-keygen` prints it. It is not secret.",
)
.required()
.example("age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa")];

#[derive(Debug)]
struct Opener;

fn kek_of(settings: &KekSettings) -> Result<AgeKek, KekError> {
    Recipient::parse(settings.text(SETTING).unwrap_or_default()).map(AgeKek::new)
}

#[async_trait]
impl OpenKek for Opener {
    fn check(&self, settings: &KekSettings, _: Option<&StoreCredential>) -> Result<(), KekError> {
        kek_of(settings).map(drop)
    }

    fn names(&self, settings: &KekSettings, id: &KekId) -> bool {
        kek_of(settings).is_ok_and(|kek| kek.id() == id)
    }

    /// Sends nothing: a recipient is its own identifier.
    async fn resolve(
        &self,
        settings: &KekSettings,
        _: &StoreCredential,
        _: HttpSettings,
    ) -> Result<ResolvedKek, KekError> {
        let kek = kek_of(settings)?;
        Ok(ResolvedKek {
            id: kek.id().clone(),
            description: kek.describe().await?,
            kek: Arc::new(kek),
        })
    }

    fn open(
        &self,
        settings: &KekSettings,
        _: &StoreCredential,
        id: &KekId,
        _: HttpSettings,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError> {
        let kek = kek_of(settings)?;
        if kek.id() != id {
            return Err(
                KekError::new(KekErrorKind::Misconfigured, "open", SETTING).with_remedy(
                    "The record names another recipient than its settings. Restore the record.",
                ),
            );
        }
        Ok(Arc::new(kek))
    }
}

//! The KEKs of one place: those that wrap, and those that only unwrap.

use std::sync::Arc;

use planton_envelope::KekId;

use super::{KekPins, KeyEncryptionKey};

/// The KEKs of a backend, or of an organization itself.
#[derive(Clone, Debug)]
pub struct Keyring {
    main: Arc<dyn KeyEncryptionKey>,
    escrow: Vec<Arc<dyn KeyEncryptionKey>>,
    former: Vec<Arc<dyn KeyEncryptionKey>>,
    rescue: Vec<Arc<dyn KeyEncryptionKey>>,
    pins: Arc<KekPins>,
}

impl Keyring {
    /// Makes a keyring that wraps under `main` alone.
    #[must_use]
    pub fn new(main: Arc<dyn KeyEncryptionKey>, pins: Arc<KekPins>) -> Self {
        Self {
            main,
            escrow: Vec::new(),
            former: Vec::new(),
            rescue: Vec::new(),
            pins,
        }
    }

    /// Puts another key in the place of the main key.
    #[must_use]
    pub fn with_main(self, main: Arc<dyn KeyEncryptionKey>) -> Self {
        Self { main, ..self }
    }

    /// Adds keys under which each data key is wrapped as well.
    #[must_use]
    pub fn with_escrow(self, escrow: Vec<Arc<dyn KeyEncryptionKey>>) -> Self {
        Self { escrow, ..self }
    }

    /// Adds keys that wrapped before, and only unwrap now.
    #[must_use]
    pub fn with_former(mut self, former: Vec<Arc<dyn KeyEncryptionKey>>) -> Self {
        self.former.extend(former);
        self
    }

    /// Adds escrow identities that unwrap before every other key, since the main key may be
    /// lost.
    #[must_use]
    pub fn with_rescue(self, rescue: Vec<Arc<dyn KeyEncryptionKey>>) -> Self {
        Self { rescue, ..self }
    }

    /// Returns the escrow identities.
    #[must_use]
    pub fn rescue(&self) -> &[Arc<dyn KeyEncryptionKey>] {
        &self.rescue
    }

    /// Returns whether escrow identities unwrap. A wrap under the main key's identifier may
    /// then be one of a lost key with the same identifier.
    #[must_use]
    pub fn has_rescue(&self) -> bool {
        !self.rescue.is_empty()
    }

    /// Returns the pins.
    #[must_use]
    pub fn pins(&self) -> &Arc<KekPins> {
        &self.pins
    }

    /// Returns the main key.
    #[must_use]
    pub fn main(&self) -> &Arc<dyn KeyEncryptionKey> {
        &self.main
    }

    /// Returns the keys that wrap, the main key first.
    pub fn wrapping(&self) -> impl Iterator<Item = &dyn KeyEncryptionKey> {
        std::iter::once(&self.main)
            .chain(&self.escrow)
            .map(AsRef::as_ref)
    }

    /// As [`wrapping`](Self::wrapping), shared.
    pub fn wrapping_keys(&self) -> impl Iterator<Item = &Arc<dyn KeyEncryptionKey>> {
        std::iter::once(&self.main).chain(&self.escrow)
    }

    /// Returns the keys that unwrap, the main key first. An escrow key is not among them,
    /// unless an operator gave its identity: who revokes the main key revokes all reads.
    pub fn opening(&self) -> impl Iterator<Item = &Arc<dyn KeyEncryptionKey>> {
        let ordinary = std::iter::once(&self.main).chain(&self.former);
        self.rescue.iter().chain(ordinary)
    }

    /// Returns the first of the opening keys that has one of the identifiers `ids`, or a
    /// version that has one.
    #[must_use]
    pub fn opener(&self, ids: &[&KekId]) -> Option<Arc<dyn KeyEncryptionKey>> {
        let itself = self.opening().find(|kek| ids.contains(&kek.id())).cloned();
        let mut keks = self.opening();
        itself.or_else(|| keks.find_map(|kek| ids.iter().find_map(|id| kek.version(id))))
    }

    /// Returns the identifiers of the keys that wrap, the main key first.
    #[must_use]
    pub fn ids(&self) -> Vec<KekId> {
        self.wrapping().map(|kek| kek.id().clone()).collect()
    }

    /// Returns the first key that wraps and is not among the pinned ones.
    #[must_use]
    pub fn forbidden(&self) -> Option<&KekId> {
        let mut ids = self.wrapping().map(KeyEncryptionKey::id);
        ids.find(|id| !self.pins.allows(id))
    }
}

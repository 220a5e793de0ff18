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
            pins,
        }
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

    /// Returns the keys that unwrap, the main key first. An escrow key is not among them:
    /// who revokes the main key revokes all reads.
    pub fn opening(&self) -> impl Iterator<Item = &Arc<dyn KeyEncryptionKey>> {
        std::iter::once(&self.main).chain(&self.former)
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

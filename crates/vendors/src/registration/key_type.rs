//! What a vendor's folder registers of each of its types of keys.
//!
//! Schema, settings and credential handling of `encryption` and `escrow` derive from a
//! [`KeyType`].

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use planton_core::kek::{KekError, KekErrorKind, KekSettings, KeyEncryptionKey, ResolvedKek};
use planton_core::store::{StoreCredential, StoreError};
use planton_envelope::KekId;

use super::Field;
use crate::http::HttpSettings;

/// A type of key.
#[derive(Debug)]
pub struct KeyType {
    /// Name of the type, as a practitioner writes it.
    pub name: &'static str,
    /// Name of the type in messages, such as "AWS KMS".
    pub title: &'static str,
    /// Human-readable description.
    pub description: &'static str,
    /// The settings and the parts of a static credential. Without any part of a
    /// credential, the vendor's ambient chain applies.
    pub fields: &'static [Field],
    /// Where a key of this type may be used.
    pub usage: KeyUsage,
    /// What keeps whoever may encrypt with a key of this type from replacing the MAC key of
    /// an organization whose main key it is.
    pub mac_key: MacKeyGuard,
    /// Opens keys of this type.
    pub(crate) opener: &'static dyn OpenKek,
}

/// What keeps a MAC key from being replaced by whoever may encrypt with the main key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacKeyGuard {
    /// A second key, which the field of this name may name in the place of the main one.
    SecondKey(&'static str),
    /// Nothing that the provider can rely on: the public key alone encrypts, or only a
    /// statement in the key's policy that somebody may have omitted denies it.
    Nothing,
}

/// Where a key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUsage {
    /// As main key and for escrow.
    Any,
    /// For escrow only: the provider cannot unwrap with it.
    EscrowOnly,
}

/// Opens keys of one type. Each method has the contract of the method of
/// [`ConnectKek`](planton_core::kek::ConnectKek) with the same name.
#[async_trait]
pub(crate) trait OpenKek: Debug + Sync {
    fn check(
        &self,
        settings: &KekSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), KekError>;

    /// Returns whether `settings` by themselves name the key `id`, so that
    /// [`open`](Self::open) sends the credential to the place that they name.
    fn names(&self, settings: &KekSettings, id: &KekId) -> bool;

    async fn resolve(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        http: HttpSettings,
    ) -> Result<ResolvedKek, KekError>;

    /// By default, the settings name one key for good.
    fn may_move(&self, _: &KekSettings) -> bool {
        false
    }

    async fn is_still(
        &self,
        _: &KekSettings,
        _: &StoreCredential,
        _: &KekId,
        _: HttpSettings,
    ) -> Result<bool, KekError> {
        Ok(true)
    }

    async fn newest_version(
        &self,
        _: &KekSettings,
        _: &StoreCredential,
        _: HttpSettings,
    ) -> Result<Option<Arc<dyn KeyEncryptionKey>>, KekError> {
        Ok(None)
    }

    fn open(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
        http: HttpSettings,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError>;
}

/// Returns the error of a setting that keys share with the vendor's backend.
pub(crate) fn of_setting(kind: KekErrorKind, error: StoreError) -> KekError {
    let explained = KekError::new(kind, "configure", error.path());
    match error.remedy() {
        Some(remedy) => explained.with_remedy(remedy),
        None => explained,
    }
}

//! Attacks on the keys of an organization: written once, and tried on every type of key.
//!
//! A test module calls [`attacks!`](crate::attacks!) with its target, and has a test for each
//! attack. The attacker's bytes are made with the attacker's means alone: to write the
//! backend, to write the catalog, to encrypt with a key ([`Encryptor`]), or, where it says so,
//! to unwrap the MAC key and so to forge records.

mod attacker;
mod envelopes;
mod escrow;
mod mac_key;
mod objects;
mod scene;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use planton_core::kek::{ConnectKek, KeyEncryptionKey, LocalKek, ProvisionKek, WrapContext};
use planton_core::operations::DeclaredKek;
use planton_envelope::{DataKey, RootKey, WrappedKey};

pub use envelopes::{
    a_downgraded_context_opens_nothing, a_redirect_of_the_kek_opens_nothing,
    an_envelope_forged_with_the_right_to_encrypt_alone_is_not_opened,
    an_envelope_or_wrap_of_another_record_opens_nothing,
    wraps_swapped_between_versions_open_nothing,
};
pub use escrow::{
    a_removed_escrow_recipient_is_not_brought_back_by_an_older_record,
    a_stripped_or_replaced_escrow_wrap_is_found_by_verify,
    a_substituted_wrap_is_not_carried_on_by_a_rewrap,
    a_substituted_wrap_that_a_forged_record_names_is_carried_on_and_opens_nothing,
    a_substituted_wrap_that_a_forged_record_names_is_not_carried_on_under_the_same_key,
    an_escrow_recipient_that_a_catalog_writer_adds_gets_nothing,
};
pub use mac_key::a_mac_key_that_an_encrypting_role_wraps_is_not_the_organizations;

/// A type of key under attack.
#[derive(Debug)]
pub struct Target {
    /// Opens the keys of a backend.
    pub connector: Arc<dyn ConnectKek>,
    /// The organization's key, and that of its MAC key.
    pub platform: (Arc<dyn ProvisionKek>, Arc<dyn ProvisionKek>),
    /// The backend's main key; absent for the organization's.
    pub main: Option<DeclaredKek>,
    /// A key of the same type that belongs to the attacker.
    pub theirs: Arc<dyn KeyEncryptionKey>,
    /// The attacker who may encrypt with the main key, and no more.
    pub encryptor: Arc<dyn Encryptor>,
}

/// What an attacker does who may encrypt with a key. For a public key, that is anybody.
#[async_trait]
pub trait Encryptor: Send + Sync + Debug {
    /// Wraps a data key as the format says.
    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> WrappedKey;

    /// Wraps a data key with less context than the format says, in each way that the
    /// service allows.
    async fn downgraded(&self, dek: &DataKey, context: WrapContext<'_>) -> Vec<WrappedKey>;
}

/// Returns the keys of an embedded platform, on which a backend has a key of its own.
///
/// # Panics
///
/// If the operating system gives no randomness.
#[must_use]
pub fn embedded_platform() -> (Arc<dyn ProvisionKek>, Arc<dyn ProvisionKek>) {
    let root = RootKey::generate().unwrap();
    let kek = Arc::new(LocalKek::new(&root, &"acme".parse().unwrap()));
    (Arc::clone(&kek) as _, kek)
}

/// Defines a test for each attack. `$target` is an expression that gives a guard, which keeps
/// the service alive, and the [`Target`].
#[macro_export]
macro_rules! attacks {
    ($target:expr) => {
        $crate::attacks!(@each $target;
            a_redirect_of_the_kek_opens_nothing,
            wraps_swapped_between_versions_open_nothing,
            a_stripped_or_replaced_escrow_wrap_is_found_by_verify,
            a_substituted_wrap_is_not_carried_on_by_a_rewrap,
            a_downgraded_context_opens_nothing,
            an_envelope_or_wrap_of_another_record_opens_nothing,
            a_removed_escrow_recipient_is_not_brought_back_by_an_older_record,
            an_escrow_recipient_that_a_catalog_writer_adds_gets_nothing,
            a_mac_key_that_an_encrypting_role_wraps_is_not_the_organizations,
            an_envelope_forged_with_the_right_to_encrypt_alone_is_not_opened,
        );
    };
    (@each $target:expr; $($attack:ident,)*) => {
        $(
            #[tokio::test]
            async fn $attack() {
                let (_guard, target) = $target;
                $crate::attacks::$attack(&target).await;
            }
        )*
    };
}

//! Implements a KEK from a key file; it is also the reference implementation in tests.

use async_trait::async_trait;
use planton_envelope::{DataKey, KekId, LocalKey, RootKey, WrappedKey};

use super::{
    KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, KeyRotation, ProvisionKek,
    WrapContext,
};
use crate::names::Slug;

/// The KEK of one organization, derived from a root key.
///
/// It does no I/O: the caller reads the key file.
#[derive(Debug)]
pub struct LocalKek(LocalKey);

impl LocalKek {
    /// Derives the KEK of `organization`.
    #[must_use]
    pub fn new(root: &RootKey, organization: &Slug) -> Self {
        Self(LocalKey::new(root, organization.as_str()))
    }

    /// Returns the MAC of `message`, as [`LocalKey::mac`] does.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        self.0.mac(message)
    }

    fn error(&self, kind: KekErrorKind, operation: &'static str) -> KekError {
        KekError::new(kind, operation, self.0.id().id.as_str())
    }
}

#[async_trait]
impl KeyEncryptionKey for LocalKek {
    fn id(&self) -> &KekId {
        self.0.id()
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.0.wrap(dek, &context.binding).map_err(|source| {
            self.error(KekErrorKind::Unavailable, "wrap")
                .with_source(source)
        })
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        self.0
            .unwrap(wrapped, &context.binding)
            .ok_or_else(|| self.error(KekErrorKind::Refused, "unwrap"))
    }

    /// Returns true: a rotated key file has another key, with an identifier of its own.
    fn is_newest(&self, _: &WrappedKey, _: &KeyDescription) -> Option<bool> {
        Some(true)
    }

    fn max_wrapped_bytes(&self) -> usize {
        LocalKey::WRAPPED_BYTES
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        Ok(KeyDescription {
            rotation: KeyRotation::Manual,
            newest_version: None,
        })
    }
}

#[async_trait]
impl ProvisionKek for LocalKek {
    /// Does nothing: the key is derived from a key file that exists.
    async fn provision(&self) -> Result<(), KekError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use subtle::ConstantTimeEq;
    use uuid::Uuid;

    use super::*;
    use crate::kek::WrapNames;
    use planton_envelope::WrapBinding;

    #[tokio::test]
    async fn unwrap_opens_its_own_wrap_and_refuses_another_keys() {
        let root = RootKey::generate().expect("randomness");
        let kek = LocalKek::new(&root, &"acme".parse().expect("slug"));
        kek.provision().await.expect("nothing to do");
        let names = WrapNames::mac_key(&"acme".parse().expect("slug"));
        let binding = WrapBinding::for_mac_key(Uuid::from_bytes([1; 16]), kek.id());
        let context = names.bound(binding);
        let dek = DataKey::copy_of(&[7; 32]);
        let wrapped = kek.wrap(&dek, context).await.expect("wrapped");
        let opened = kek.unwrap(&wrapped, context).await.expect("unwrapped");
        assert!(bool::from(opened.ct_eq(&dek)));
        assert_eq!(wrapped.as_bytes().len(), kek.max_wrapped_bytes());
        let now = kek.describe().await.expect("described");
        assert_eq!(kek.is_newest(&wrapped, &now), Some(true));

        let stranger = LocalKek::new(&root, &"acme-2".parse().expect("slug"));
        // The MAC shows which rows belong to which key.
        assert_eq!(kek.mac(b"row"), kek.mac(b"row"));
        assert_ne!(kek.mac(b"row"), kek.mac(b"another row"));
        assert_ne!(kek.mac(b"row"), stranger.mac(b"row"));
        let error = stranger.unwrap(&wrapped, context).await;
        assert_eq!(error.expect_err("refused").kind(), KekErrorKind::Refused);
    }
}

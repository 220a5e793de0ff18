//! A key in AWS KMS.

mod context;
mod describe;
mod errors;
mod key;
mod regions;
mod registration;
mod requests;
mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use planton_core::kek::{
    CONCURRENT_CALLS, KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, Rewrap,
    WrapContext, WrapNames,
};
use planton_envelope::{DataKey, KekId, WrappedKey};

use crate::aws::credential::AwsCredential;
use crate::http::HttpSettings;
use context::{MAX_CONTEXT_BYTES, claimed_names, encryption_context, join, split};
use key::KmsKey;
use regions::{Regions, Target};
use requests::{KmsClient, MAX_CIPHERTEXT_BYTES};

pub(crate) use registration::KEY_TYPE;
pub use settings::AwsKmsConfig;

/// A symmetric encryption key in AWS KMS.
///
/// It requires `kms:DescribeKey` when it is saved, and then `kms:Encrypt` to wrap,
/// `kms:Decrypt` to unwrap, `kms:ReEncryptFrom` and `kms:ReEncryptTo` to rewrap. Each of
/// them is one request.
///
/// # Security
///
/// The encryption context is computed, never taken from the wrap: AWS KMS authenticates it,
/// CloudTrail logs it, and a key policy may require parts of it. AWS's SDK does not wipe
/// its own copies of a data key.
#[derive(Debug)]
pub struct AwsKmsKek {
    key: KmsKey,
    id: KekId,
    regions: Regions,
}

impl AwsKmsKek {
    /// Asks AWS KMS for the configured key, in each of its Regions.
    ///
    /// # Errors
    ///
    /// By meaning; `Disabled` and `Misconfigured` for a key that cannot be used.
    pub async fn resolve(
        config: &AwsKmsConfig,
        credential: AwsCredential,
        http: HttpSettings,
    ) -> Result<(Self, KeyDescription), KekError> {
        let regions = Regions::new(config, None, credential, http);
        let target = Target::Configured(&config.key_id);
        let found = describe::find(&regions, target).await?;
        let description = describe::describe(&regions, &found).await?;
        Ok((Self::of(found.key, regions), description))
    }

    /// Opens the key `id`, which the settings resolved to when they were saved. Sends
    /// nothing.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if `id` is not the identifier of a key in AWS KMS, or not of one that
    /// the settings may name: a pinned identifier must not vouch for another key's settings.
    pub fn open(
        config: &AwsKmsConfig,
        credential: AwsCredential,
        id: &KekId,
        http: HttpSettings,
    ) -> Result<Self, KekError> {
        let key = KmsKey::from_kek_id(id).filter(|key| config.may_name(key));
        let key = key.ok_or_else(|| {
            KekError::new(KekErrorKind::Misconfigured, "open", "key_id").with_remedy(
                "The record does not name a key of AWS KMS that its settings name. Save the key \
                 again.",
            )
        })?;
        let regions = Regions::new(config, Some(&key), credential, http);
        Ok(Self::of(key, regions))
    }

    /// Asks AWS KMS whether the configured key still is the key `id`. One request for each
    /// Region.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub(crate) async fn is_still(
        config: &AwsKmsConfig,
        credential: AwsCredential,
        id: &KekId,
        http: HttpSettings,
    ) -> Result<bool, KekError> {
        let regions = Regions::new(config, None, credential, http);
        let found = describe::find(&regions, Target::Configured(&config.key_id)).await?;
        Ok(found.key.kek_id() == *id)
    }

    fn of(key: KmsKey, regions: Regions) -> Self {
        Self {
            id: key.kek_id(),
            key,
            regions,
        }
    }

    /// Returns the number of requests to AWS so far, including those for credentials.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.regions.requests()
    }

    async fn rewrap_one(&self, wrap: &Rewrap<'_>) -> Result<WrappedKey, KekError> {
        const OPERATION: &str = "ReEncrypt";
        let context = &encryption_context(wrap.context);
        let old = split(wrap.wrapped, context).ok_or_else(|| self.refused(OPERATION))?;
        let again = |client: Arc<KmsClient>, key: String| async move {
            client.re_encrypt(&key, old, context).await
        };
        let target = Target::Resolved(&self.key);
        let ciphertext = self.regions.call(OPERATION, target, again).await?;
        Ok(join(context, &ciphertext))
    }

    /// Returns the error of a wrap that was not sent to AWS KMS.
    fn refused(&self, operation: &'static str) -> KekError {
        KekError::new(KekErrorKind::Refused, operation, &self.id.id).with_remedy(
            "The wrapped key has another encryption context than the record, so it belongs to \
             another secret, or was altered. Restore the envelope from a backup.",
        )
    }
}

#[async_trait]
impl KeyEncryptionKey for AwsKmsKek {
    fn id(&self) -> &KekId {
        &self.id
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        let context = &encryption_context(context);
        let encrypt = |client: Arc<KmsClient>, key: String| async move {
            client.encrypt(&key, dek, context).await
        };
        let target = Target::Resolved(&self.key);
        let ciphertext = self.regions.call("Encrypt", target, encrypt).await?;
        Ok(join(context, &ciphertext))
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        const OPERATION: &str = "Decrypt";
        let context = &encryption_context(context);
        let ciphertext = split(wrapped, context).ok_or_else(|| self.refused(OPERATION))?;
        let decrypt = |client: Arc<KmsClient>, key: String| async move {
            client.decrypt(&key, ciphertext, context).await
        };
        let target = Target::Resolved(&self.key);
        let plaintext = self.regions.call(OPERATION, target, decrypt).await?;
        let key = plaintext.expose().try_into();
        let key = key.map_err(|_| self.refused(OPERATION))?;
        Ok(DataKey::copy_of(key))
    }

    fn claimed_names(&self, wrapped: &WrappedKey) -> Option<WrapNames> {
        claimed_names(wrapped)
    }

    fn rewraps_in_service(&self) -> bool {
        true
    }

    /// Asks AWS KMS to encrypt each wrap again: no data key leaves it.
    async fn rewrap(&self, wraps: &[Rewrap<'_>]) -> Vec<Result<WrappedKey, KekError>> {
        let each: Vec<_> = wraps.iter().map(|wrap| self.rewrap_one(wrap)).collect();
        stream::iter(each)
            .buffered(self.concurrency())
            .collect()
            .await
    }

    /// Returns `None`: a ciphertext of AWS KMS does not show its key material.
    fn is_newest(&self, _: &WrappedKey, _: &KeyDescription) -> Option<bool> {
        None
    }

    fn concurrency(&self) -> usize {
        CONCURRENT_CALLS
    }

    fn max_wrapped_bytes(&self) -> usize {
        size_of::<u8>() + size_of::<u16>() + MAX_CONTEXT_BYTES + MAX_CIPHERTEXT_BYTES
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        let found = describe::find(&self.regions, Target::Resolved(&self.key)).await?;
        describe::describe(&self.regions, &found).await
    }
}

//! Limits the size of a value to what its backend can store.

use super::Secrets;
use crate::names::Slug;
use crate::operations::OperationError;
use crate::store::{PayloadEncoding, StoreCapability};
use planton_envelope::{SecretValue, max_plaintext_bytes};
use planton_secret::SecretBytes;

/// Rejects a plaintext that a store cannot hold, before anything is written.
///
/// # Errors
///
/// `ValueTooLarge`.
//= docs/format.md#23-limits
//# A writer MUST refuse a value if the greatest possible envelope around it would not fit its
//# secret backend.
pub(crate) fn check_size(
    capability: &StoreCapability,
    plaintext: &SecretBytes,
) -> Result<(), OperationError> {
    let limit = limit_of(capability);
    if plaintext.len() <= limit {
        return Ok(());
    }
    // Without the kind byte, which is not part of the user's value.
    Err(OperationError::ValueTooLarge {
        bytes: plaintext.len() - 1,
        limit: limit - 1,
        vendor: capability.vendor,
    })
}

/// Returns the size in bytes of the longest plaintext that a store can hold.
pub(crate) fn limit_of(capability: &StoreCapability) -> usize {
    let text = capability.encoding == PayloadEncoding::Text;
    max_plaintext_bytes(capability.max_payload_bytes, text)
}

impl Secrets<'_> {
    /// Rejects a value that exceeds the limit of a type of backend. Sends no request.
    ///
    /// # Errors
    ///
    /// `ValueTooLarge`.
    pub fn check_size_of_type(self, kind: &str, value: &SecretValue) -> Result<(), OperationError> {
        match self.organization.platform.connector.capability(kind) {
            Some(capability) => check_size(&capability, &value.to_plaintext()),
            None => Ok(()),
        }
    }

    /// Rejects a value that exceeds the limit of its backend, `None` for the default
    /// one. Sends no request for a value that every backend can store.
    ///
    /// # Errors
    ///
    /// `ValueTooLarge`, `UnknownBackend`; failures of the catalog.
    pub async fn check_size(
        self,
        backend: Option<&Slug>,
        value: &SecretValue,
    ) -> Result<(), OperationError> {
        let plaintext = value.to_plaintext();
        if plaintext.len() <= self.least_limit() {
            return Ok(());
        }
        let name = match backend {
            Some(name) => name.clone(),
            // The put checks the limit again, so an unverified default is enough.
            None => match self.organization.default_backend().view().await {
                Err(OperationError::OrganizationMissing { .. }) => Slug::platform_backend(),
                view => view?.backend,
            },
        };
        check_size(
            &self.organization.backends().capability_of(&name).await?,
            &plaintext,
        )
    }

    /// Returns the size in bytes of a plaintext that every backend can store.
    fn least_limit(self) -> usize {
        let types = self.organization.platform.connector.capabilities();
        let limits = types.iter().map(limit_of);
        limits.fold(
            limit_of(self.organization.platform.store.capability()),
            usize::min,
        )
    }
}

//! A key in Google Cloud KMS, over its REST API.

mod api;
mod errors;
mod key_name;
mod registration;
mod wrapped;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::gcp::client::GcpClient;
use api::{Api, CryptoKey, Encrypted};
use errors::{KmsOperation, Unusable};
use key_name::{is_key_name, may_be_same, version_of};
use planton_core::kek::{
    CONCURRENT_CALLS, KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, KeyRotation,
    WrapContext,
};
use planton_envelope::{DataKey, KekId, WrappedKey};
pub(crate) use registration::KEY;
use wrapped::{MAX_BYTES, Wrap};

/// The type of the key, and the [`KekId::provider`] of its wraps.
const GCP_KMS: &str = "gcp_kms";

/// The only purpose of a symmetric key of `encrypt` and `decrypt`.
const PURPOSE: &str = "ENCRYPT_DECRYPT";

/// A symmetric key. A wrap takes one request, and so does an unwrap. The first use of a key
/// takes one more if its settings have the project in another form than its identifier.
///
/// Cloud KMS chooses the version that decrypts by the ciphertext, so a rotated key needs
/// nothing to be read. It encrypts under the primary version.
#[derive(Debug)]
struct GcpKmsKek {
    api: Api,
    id: KekId,
    /// The name in the settings, if it has the project in another form than `id`: the service
    /// has yet to say that both are one key.
    unproven: Option<String>,
    proof: OnceCell<()>,
}

impl GcpKmsKek {
    /// Uses the key `name`. Sends nothing.
    //= docs/format.md#27-kek-in-gcp-kms
    //# A writer MUST write `gcp_kms` as `provider`, and as `kek_id` the name of the cryptoKey,
    //# as Cloud KMS returns it, without a version.
    fn new(client: GcpClient, name: &str) -> Self {
        Self {
            api: Api::new(client),
            id: KekId {
                provider: GCP_KMS.to_owned(),
                id: name.to_owned(),
            },
            unproven: None,
            proof: OnceCell::new(),
        }
    }

    /// Names the key in the settings, which [`may_be_same`] as this one.
    fn named_in_settings(self, name: &str) -> Self {
        Self {
            unproven: (name != self.id.id).then(|| name.to_owned()),
            ..self
        }
    }

    /// Takes the name that the service returned, and checks the key.
    async fn resolve(&mut self) -> Result<KeyDescription, KekError> {
        let key = self.api.key(&self.id.id).await?;
        if !is_key_name(&key.name) || !may_be_same(&self.id.id, &key.name) {
            return Err(self.error(KekErrorKind::Unexpected, KmsOperation::Get));
        }
        self.id.id = key.name.clone();
        self.check(&key)
    }

    /// Checks, once and before the first use, that the key in the settings is this one. Only
    /// the service knows which project a number names, so names in the same form need no
    /// request.
    async fn expect_named(&self) -> Result<(), KekError> {
        let Some(name) = &self.unproven else {
            return Ok(());
        };
        let ask = async || {
            let key = self.api.key(name).await?;
            if key.name == self.id.id {
                return Ok(());
            }
            let remedy = format!(
                "The record names the key {:?}, and its settings lead to {:?}. Declare the backend \
                 again with key_name = {:?}, if that is the right key.",
                self.id.id, key.name, self.id.id
            );
            Err(self
                .error(KekErrorKind::Misconfigured, KmsOperation::Get)
                .with_remedy(remedy))
        };
        self.proof.get_or_try_init(ask).await.map(|&()| ())
    }

    fn check(&self, key: &CryptoKey) -> Result<KeyDescription, KekError> {
        let name = &self.id.id;
        if key.purpose != PURPOSE {
            let remedy = format!(
                "The key {name:?} cannot encrypt and decrypt: its purpose is another one, and a \
                 purpose cannot be changed. Create a key with --purpose=encryption."
            );
            return Err(self
                .error(KekErrorKind::Misconfigured, KmsOperation::Get)
                .with_remedy(remedy));
        }
        let Some(primary) = &key.primary else {
            let remedy = format!(
                "The key {name:?} has no primary version, so it cannot encrypt. Create a version, \
                 or set one with `gcloud kms keys update --primary-version`."
            );
            return Err(self
                .error(KekErrorKind::Disabled, KmsOperation::Get)
                .with_remedy(remedy));
        };
        let version = version_of(&primary.name, name);
        if primary.state != "ENABLED" {
            let why = Unusable::of_state(&primary.state);
            return Err(self
                .error(why.kind(), KmsOperation::Get)
                .with_remedy(why.remedy(name, version)));
        }
        // Cloud KMS rotates neither imported material nor an external manager's key:
        // https://cloud.google.com/kms/docs/key-rotation#automatic_rotation
        let is_foreign = key.import_only || primary.protection_level.starts_with("EXTERNAL");
        let period = key.rotation_period.as_deref().and_then(seconds);
        Ok(KeyDescription {
            rotation: match period {
                _ if is_foreign => KeyRotation::Never,
                Some(period) => KeyRotation::Every(period),
                None => KeyRotation::Manual,
            },
            newest_version: version,
        })
    }

    fn error(&self, kind: KekErrorKind, operation: KmsOperation) -> KekError {
        KekError::new(kind, operation.name(), self.id.id.as_str())
    }
}

#[async_trait]
impl KeyEncryptionKey for GcpKmsKek {
    fn id(&self) -> &KekId {
        &self.id
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.expect_named().await?;
        let binding = context.binding.as_bytes();
        let encrypted = self.api.encrypt(&self.id.id, dek.expose(), binding).await?;
        let Encrypted {
            version,
            ciphertext,
        } = &encrypted;
        let wrap = Wrap {
            version: *version,
            ciphertext,
        };
        wrap.join()
            .filter(|_| !ciphertext.is_empty())
            .ok_or_else(|| self.error(KekErrorKind::Unexpected, KmsOperation::Encrypt))
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        let refused = || self.error(KekErrorKind::Refused, KmsOperation::Decrypt);
        let Wrap {
            version,
            ciphertext,
        } = Wrap::split(wrapped).ok_or_else(refused)?;
        self.expect_named().await?;
        let binding = context.binding.as_bytes();
        let decrypted = self
            .api
            .decrypt(&self.id.id, version, ciphertext, binding)
            .await?;
        let key = decrypted.expose().try_into().map_err(|_| refused())?;
        Ok(DataKey::copy_of(key))
    }

    /// Compares with the primary version, which may be an older one again.
    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        Some(Wrap::split(wrapped)?.version == description.newest_version?)
    }

    fn concurrency(&self) -> usize {
        CONCURRENT_CALLS
    }

    fn max_wrapped_bytes(&self) -> usize {
        MAX_BYTES
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        self.expect_named().await?;
        let key = self.api.key(&self.id.id).await?;
        self.check(&key)
    }
}

/// Parses a duration such as `7776000s`; protobuf allows a fraction:
/// <https://protobuf.dev/reference/protobuf/google.protobuf/#duration>.
fn seconds(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    Duration::try_from_secs_f64(number.parse().ok()?).ok()
}

//! An RSA key in Azure Key Vault, over its REST API.

mod api;
mod errors;
mod key_url;
mod registration;

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Span, Timestamp};
use tokio::sync::OnceCell;

use crate::azure::client::{AzureConnection, AzureCredential, AzureError, AzureErrorKind};
use crate::azure::settings::AzureIdentity;
use crate::http::HttpSettings;
use api::{KeyBundle, RotationPolicy, is_same};
use errors::{KeyOperation, disabled, explain, operations};
use key_url::{KeyUrl, KeyVersionUrl};
use planton_core::kek::{
    CONCURRENT_CALLS, KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, KeyRotation,
    WrapContext,
};
use planton_envelope::{DataKey, KekId, WrappedKey};
pub(crate) use registration::KEY;

/// The type of the key, and the [`KekId::provider`] of its wraps.
const AZURE_KEY_VAULT_KEY: &str = "azure_key_vault_key";

const MIN_BITS: usize = 2048;

/// The lengths of a modulus of 2,048 bits, and of 4,096 bits, the longest of Key Vault:
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details>.
const MIN_WRAPPED_BYTES: usize = 256;
const MAX_WRAPPED_BYTES: usize = 512;

/// The connection to a vault. It does no I/O before its first request.
#[derive(Debug)]
struct Connection {
    key: KeyUrl,
    identity: AzureIdentity,
    credential: AzureCredential,
    http: HttpSettings,
    opened: OnceCell<AzureConnection>,
}

impl Connection {
    async fn get(&self) -> Result<&AzureConnection, AzureError> {
        let open = async || {
            AzureConnection::new(
                &self.key.vault,
                self.identity.authority_host.as_ref(),
                &self.credential,
                &self.http,
            )
        };
        self.opened.get_or_try_init(open).await
    }

    /// Asks for the newest version of the key.
    async fn newest(&self) -> Result<(KeyVersionUrl, KeyBundle), KekError> {
        let key = &self.key;
        let path = key.to_string();
        let failed = |error| explain(key, &path, KeyOperation::Get, error);
        let opened = self.get().await.map_err(failed)?;
        let bundle = api::newest(opened, key).await.map_err(failed)?;
        let version = KeyVersionUrl::parse(&bundle.key.kid)
            .filter(|version| version.key.is_same(key))
            .ok_or_else(|| failed(AzureError::unexpected("it answered for another key")))?;
        Ok((version, bundle))
    }
}

/// One version of an RSA key. After a rotation, another version is another KEK, with an
/// identifier of its own.
///
/// # Security
///
/// RSA takes no associated data, so the binding is encrypted with the DEK. Whoever has the
/// public key can produce such a wrap: it proves no origin.
///
/// Key Vault wraps with a disabled version, and only refuses to unwrap
/// (<https://github.com/Azure/azure-sdk-for-python/issues/45342>). So the version is read
/// before the first wrap, once per process.
#[derive(Debug)]
struct AzureKek {
    connection: Connection,
    version: KeyVersionUrl,
    id: KekId,
    looked_at: OnceCell<()>,
}

impl AzureKek {
    //= docs/format.md#28-kek-in-azure-key-vault
    //# A writer MUST write `azure_key_vault_key` as `provider`, and as `kek_id` the address of
    //# the key's version, `https://<vault>/keys/<name>/<version>`, without a default port.
    fn new(connection: Connection, version: KeyVersionUrl) -> Self {
        Self {
            id: KekId {
                provider: AZURE_KEY_VAULT_KEY.to_owned(),
                id: version.to_string(),
            },
            connection,
            version,
            looked_at: OnceCell::new(),
        }
    }

    /// Asks for the newest version of a key, and checks it.
    async fn newest(connection: Connection) -> Result<Self, KekError> {
        let (version, bundle) = connection.newest().await?;
        let kek = Self::new(connection, version);
        kek.check(&bundle)?;
        let _ = kek.looked_at.set(());
        Ok(kek)
    }

    /// Asks whether the version `id` is the newest one. A newer one is checked as when it is
    /// saved: as long as it cannot wrap, nothing takes its place.
    async fn is_newest_version(connection: Connection, id: &KekId) -> Result<bool, KekError> {
        let (version, bundle) = connection.newest().await?;
        let kek = Self::new(connection, version);
        if kek.id == *id {
            return Ok(true);
        }
        kek.check(&bundle)?;
        Ok(false)
    }

    /// Reads and checks the version, once per process.
    async fn look(&self) -> Result<(), KekError> {
        let look = || async {
            let connection = self.connection().await?;
            let bundle = api::version(connection, &self.version).await;
            let bundle = bundle.map_err(|error| self.failed(KeyOperation::Get, error))?;
            self.check(&bundle)
        };
        self.looked_at.get_or_try_init(look).await.copied()
    }

    //= docs/format.md#28-kek-in-azure-key-vault
    //# A writer MUST refuse a key that is not RSA, that has a modulus of fewer than 2,048 bits,
    //# or that is disabled.
    fn check(&self, bundle: &KeyBundle) -> Result<(), KekError> {
        let refuse = |kind, remedy| Err(self.error(kind, KeyOperation::Get).with_remedy(remedy));
        let (key, of) = (&bundle.key, &self.version.key);
        if KeyVersionUrl::parse(&key.kid).is_none_or(|kid| !is_same(&kid, &self.version)) {
            return Err(self.error(KekErrorKind::Unexpected, KeyOperation::Get));
        }
        if !["RSA", "RSA-HSM"].contains(&key.kty.as_str()) || key.bits() < MIN_BITS {
            let remedy = format!(
                "The key {of} is not an RSA key of {MIN_BITS} bits or more. Create one with \
                 --kty RSA or --kty RSA-HSM, and --size {MIN_BITS} or more."
            );
            return refuse(KekErrorKind::Misconfigured, remedy);
        }
        let permits = |name: &str| key.key_ops.iter().any(|op| op == name);
        if !permits("wrapKey") || !permits("unwrapKey") {
            return refuse(KekErrorKind::Misconfigured, operations(of));
        }
        if bundle.attributes.enabled == Some(false) {
            return refuse(KekErrorKind::Disabled, disabled(of));
        }
        // An expired version still unwraps, which this check does not touch:
        // https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#date-time-controlled-operations
        let now = Timestamp::now().as_second();
        let (begins, ends) = (bundle.attributes.nbf, bundle.attributes.exp);
        if begins.is_some_and(|begins| now < begins) || ends.is_some_and(|ends| now >= ends) {
            let remedy = format!(
                "This version of {of} has expired, or is not valid yet, so nothing new can be \
                 wrapped with it. What it has wrapped still opens. Rotate the key, or change the \
                 dates of this version, and apply again."
            );
            return refuse(KekErrorKind::Disabled, remedy);
        }
        Ok(())
    }

    async fn described(&self) -> Result<KeyDescription, KekError> {
        let connection = self.connection().await?;
        let policy = api::rotation_policy(connection, &self.version.key).await;
        let rotation = match policy {
            Ok(policy) => rotation(&policy),
            // Key Vault Crypto User may not ask for it.
            Err(error) if error.kind() == AzureErrorKind::PermissionDenied => KeyRotation::Unknown,
            Err(error) => return Err(self.failed(KeyOperation::Get, error)),
        };
        Ok(KeyDescription {
            rotation,
            newest_version: None,
        })
    }

    async fn connection(&self) -> Result<&AzureConnection, KekError> {
        let opened = self.connection.get().await;
        opened.map_err(|error| self.failed(KeyOperation::Get, error))
    }

    async fn transform(
        &self,
        operation: KeyOperation,
        value: &[u8],
    ) -> Result<planton_secret::SecretBytes, KekError> {
        let connection = self.connection().await?;
        let transformed = api::transform(connection, &self.version, operation, value).await;
        transformed.map_err(|error| self.failed(operation, error))
    }

    fn failed(&self, operation: KeyOperation, error: AzureError) -> KekError {
        explain(&self.version.key, &self.id.id, operation, error)
    }

    fn error(&self, kind: KekErrorKind, operation: KeyOperation) -> KekError {
        KekError::new(kind, operation.name(), self.id.id.as_str())
    }
}

#[async_trait]
impl KeyEncryptionKey for AzureKek {
    fn id(&self) -> &KekId {
        &self.id
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.look().await?;
        let bound = dek.with_binding(&context.binding);
        let wrapped = self.transform(KeyOperation::Wrap, bound.expose()).await?;
        if !is_wrap(wrapped.expose()) {
            return Err(self.error(KekErrorKind::Unexpected, KeyOperation::Wrap));
        }
        Ok(WrappedKey::new(wrapped.expose().to_vec()))
    }

    //= docs/format.md#28-kek-in-azure-key-vault
    //# A reader MUST refuse a `wrapped` that is shorter than 256 bytes or longer than 512
    //# bytes without sending it to Key Vault.
    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        let refused = || self.error(KekErrorKind::Refused, KeyOperation::Unwrap);
        if !is_wrap(wrapped.as_bytes()) {
            return Err(refused());
        }
        let bound = self.transform(KeyOperation::Unwrap, wrapped.as_bytes());
        DataKey::from_bound(&bound.await?, &context.binding).ok_or_else(refused)
    }

    /// Returns true: a version's wraps are its own, under its own identifier.
    fn is_newest(&self, _: &WrappedKey, _: &KeyDescription) -> Option<bool> {
        Some(true)
    }

    fn concurrency(&self) -> usize {
        CONCURRENT_CALLS
    }

    fn max_wrapped_bytes(&self) -> usize {
        MAX_WRAPPED_BYTES
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        let connection = self.connection().await?;
        let bundle = api::version(connection, &self.version).await;
        let bundle = bundle.map_err(|error| self.failed(KeyOperation::Get, error))?;
        self.check(&bundle)?;
        let _ = self.looked_at.set(());
        self.described().await
    }
}

fn is_wrap(wrapped: &[u8]) -> bool {
    (MIN_WRAPPED_BYTES..=MAX_WRAPPED_BYTES).contains(&wrapped.len())
}

/// Returns how a policy rotates a key:
/// <https://learn.microsoft.com/azure/key-vault/keys/how-to-configure-key-rotation>.
fn rotation(policy: &RotationPolicy) -> KeyRotation {
    let mut actions = policy.lifetime_actions.iter();
    let Some(rotates) = actions.find(|one| one.action.kind.eq_ignore_ascii_case("rotate")) else {
        return KeyRotation::Manual;
    };
    let period = rotates.trigger.time_after_create.as_deref();
    period
        .and_then(days)
        .map_or(KeyRotation::Automatic, KeyRotation::Every)
}

/// Parses `P90D`, or a period in months and years, which count 30 and 365 days here.
fn days(period: &str) -> Option<Duration> {
    let span: Span = period.parse().ok()?;
    let (years, months) = (i64::from(span.get_years()), i64::from(span.get_months()));
    let (weeks, days) = (i64::from(span.get_weeks()), i64::from(span.get_days()));
    let days = 365 * years + 30 * months + 7 * weeks + days;
    Duration::try_from(SignedDuration::from_hours(24 * days)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_is_told_as_the_policy_says() {
        let of = |json: serde_json::Value| {
            let policy = serde_json::from_value(json).expect("a policy");
            rotation(&policy)
        };
        let policy = |trigger: serde_json::Value, kind: &str| {
            let action = serde_json::json!({"trigger": trigger, "action": {"type": kind}});
            serde_json::json!({"lifetimeActions": [action]})
        };
        let after = |time: &str| serde_json::json!({"timeAfterCreate": time});
        let day = Duration::from_secs(86_400);
        assert_eq!(of(serde_json::json!({})), KeyRotation::Manual);
        let notifies = policy(serde_json::json!({"timeBeforeExpiry": "P30D"}), "Notify");
        assert_eq!(of(notifies), KeyRotation::Manual);
        let before = policy(serde_json::json!({"timeBeforeExpiry": "P30D"}), "Rotate");
        assert_eq!(of(before), KeyRotation::Automatic);
        let rotates = policy(after("P90D"), "rotate");
        assert_eq!(of(rotates), KeyRotation::Every(90 * day));
        let rotates = policy(after("P1Y6M"), "Rotate");
        assert_eq!(of(rotates), KeyRotation::Every(545 * day));
    }
}

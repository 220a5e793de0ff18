//! Stores sealed versions in Azure Key Vault.

mod attempts;
mod foreign;
mod labels;
mod purge;
mod vault;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::azure::client::{AzureCredential, AzureError, AzureErrorKind};
use crate::azure::credential::read_credential;
use crate::azure::errors::{Operation, explain};
use crate::azure::settings::AzureConfig;
use crate::http::HttpSettings;
use attempts::{Attempts, Recalled};
use planton_core::store::{
    Deletion, DescribeOptions, ForeignObjects, NameRules, NativeVersionId, PayloadEncoding,
    PutOptions, RemoteName, SecretStore, StoreCapability, StoreCredential, StoreError,
    StoreErrorKind, VersionStatus, look_again,
};
use purge::Purge;
use vault::{Found, Vault, is_version};

/// Slightly below Key Vault's limit of 25 KB, which Microsoft does not define in bytes:
/// <https://learn.microsoft.com/azure/key-vault/secrets/about-secrets>
const MAX_PAYLOAD_BYTES: usize = 25_000;

const MAX_NAME_BYTES: usize = 127;

/// Time for which a role assignment may take effect. It takes up to ten minutes, and
/// usually much less. After this time, the error advises another apply:
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected>
const GRANTS_SETTLE: Duration = Duration::from_secs(120);

/// Stores the versions of a secret as versions of one Key Vault secret.
///
/// Key Vault has neither a compare-and-set nor a put that only creates. The store
/// therefore reads an object before it writes the first version, and leaves it
/// unchanged unless its tags contain the provider's mark.
///
/// Key Vault has no call that deletes one version. It can disable a version, but still
/// retains it, so this store does not report version deletion as a capability.
#[derive(Debug)]
pub struct AzureKeyVaultStore {
    config: AzureConfig,
    credential: AzureCredential,
    http: HttpSettings,
    capability: StoreCapability,
    vault: OnceCell<Vault>,
    attempts: Attempts,
}

impl AzureKeyVaultStore {
    /// Creates a store without any I/O, and without reading the environment.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if settings and credential contradict each other.
    pub fn new(
        config: AzureConfig,
        credential: &StoreCredential,
        http: HttpSettings,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            credential: read_credential(&config.identity, credential)?,
            config,
            http,
            capability: Self::capability_of(),
            vault: OnceCell::new(),
            attempts: Attempts::default(),
        })
    }

    /// Returns the capabilities of this type of store.
    #[must_use]
    pub const fn capability_of() -> StoreCapability {
        StoreCapability {
            kind: "azure_key_vault",
            vendor: "Azure Key Vault",
            encoding: PayloadEncoding::Text,
            max_payload_bytes: MAX_PAYLOAD_BYTES,
            name: NameRules {
                separator: "--",
                max_bytes: MAX_NAME_BYTES,
            },
            max_versions: None,
            deletes_versions: false,
        }
    }

    /// Returns the number of requests so far, including those for tokens.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.vault.get().map_or(0, Vault::requests)
    }

    async fn vault(&self) -> Result<&Vault, AzureError> {
        let open = async || Vault::open(&self.config, &self.credential, &self.http);
        self.vault.get_or_try_init(open).await
    }

    fn explain(&self, operation: Operation, name: &RemoteName, error: AzureError) -> StoreError {
        explain(&self.config.vault_url, operation, name.as_str(), error)
    }

    /// Checks that an object may get its first version from this provider.
    async fn look(&self, name: &RemoteName) -> Result<(), StoreError> {
        let failed = |error| self.explain(Operation::List, name, error);
        let vault = self.vault().await.map_err(failed)?;
        let ours =
            |version: vault::Properties| labels::is_ours(version.tags.as_ref()).then_some(());
        match vault.find(name, ours).await.map_err(failed)? {
            Found::Nothing | Found::Version(()) => Ok(()),
            Found::OthersOnly => Err(StoreError::new(
                StoreErrorKind::AlreadyExists,
                Operation::Set.name(),
                name.as_str(),
            )
            .with_remedy(format!(
                "A secret of this name in {} was not written by this provider. Rename or delete it.",
                self.config.vault_url
            ))),
        }
    }

    /// Finds the version that an attempt put and whose response was lost.
    async fn of_attempt(
        &self,
        name: &RemoteName,
        options: &PutOptions,
    ) -> Result<Option<NativeVersionId>, StoreError> {
        let failed = |error| self.explain(Operation::List, name, error);
        let vault = self.vault().await.map_err(failed)?;
        let mine = |version: vault::Properties| {
            labels::is_of_attempt(version.tags.as_ref(), options.attempt)
                .then(|| vault::version_of(version.id.as_deref(), name))
                .flatten()
        };
        match vault.find(name, mine).await.map_err(failed)? {
            Found::Version(id) => Ok(Some(id)),
            Found::Nothing | Found::OthersOnly => Ok(None),
        }
    }

    /// Sets a version. If Key Vault rejects a retry, finds the version that an earlier
    /// try set.
    async fn set(
        &self,
        name: &RemoteName,
        text: &str,
        options: &PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        let set = || async {
            let tags = labels::tags(options.version, options.attempt, &options.labels);
            self.vault().await?.set(name, text, tags).await
        };
        let error = match self.after_deletion(set).await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        if !error.is_in_doubt() {
            return Err(self.explain(Operation::Set, name, error));
        }
        let payload = text.as_bytes();
        self.attempts.remember(options.attempt, name, payload, None);
        // A vault that fails, or is rate limiting, cannot answer a list either.
        let answers = !matches!(
            error.kind(),
            AzureErrorKind::Unavailable
                | AzureErrorKind::Unreachable
                | AzureErrorKind::Ended
                | AzureErrorKind::RateLimited
        );
        let found = match answers {
            true => self.of_attempt(name, options).await?,
            false => None,
        };
        found.ok_or_else(|| self.explain(Operation::Set, name, error))
    }
}

#[async_trait]
impl SecretStore for AzureKeyVaultStore {
    fn capability(&self) -> &StoreCapability {
        &self.capability
    }

    fn foreign(&self) -> Option<&dyn ForeignObjects> {
        Some(self)
    }

    fn may_settle(&self, error: &StoreError) -> Option<Duration> {
        let source = std::error::Error::source(error)?.downcast_ref::<AzureError>()?;
        // A firewall's denial is permanent.
        let denied = source.kind() == AzureErrorKind::PermissionDenied;
        denied.then_some(GRANTS_SETTLE)
    }

    /// Takes one request, and one more to check an object before its first version.
    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        check(name, Operation::Set)?;
        let error = |kind| StoreError::new(kind, Operation::Set.name(), name.as_str());
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(error(StoreErrorKind::TooLarge));
        }
        let text = std::str::from_utf8(payload)
            .map_err(|source| error(StoreErrorKind::Corrupt).with_source(source))?;
        match self.attempts.recall(options.attempt, name, payload) {
            Recalled::Put(id) => return Ok(id),
            Recalled::Other => return Err(error(StoreErrorKind::Conflict)),
            Recalled::InDoubt => {
                if let Some(id) = self.of_attempt(name, &options).await? {
                    self.attempts
                        .remember(options.attempt, name, payload, Some(&id));
                    return Ok(id);
                }
                if options.keep.is_empty() {
                    self.look(name).await?;
                }
            }
            Recalled::Unknown if options.keep.is_empty() => self.look(name).await?,
            Recalled::Unknown => {}
        }
        let id = self.set(name, text, &options).await?;
        self.attempts
            .remember(options.attempt, name, payload, Some(&id));
        Ok(id)
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        check(name, Operation::Get)?;
        let error = |kind| StoreError::new(kind, Operation::Get.name(), name.as_str());
        if !is_version(version.as_str()) {
            return Err(error(StoreErrorKind::NotFound));
        }
        let get = async { self.vault().await?.get(name, version).await };
        let value = get.await;
        let value = value.map_err(|error| self.explain(Operation::Get, name, error))?;
        value
            .map(String::into_bytes)
            .ok_or_else(|| error(StoreErrorKind::Corrupt))
    }

    /// Takes one request per 25 versions of the object, up to the wanted version:
    /// <https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret-versions/get-secret-versions>
    ///
    /// A disabled version counts as present: it can be enabled again. If the
    /// object was purged and another writer created one of its name, the version is
    /// absent. The other object stays untouched.
    ///
    /// Microsoft does not document when a list includes a new version, so a second read
    /// confirms an absence.
    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        check(name, Operation::List)?;
        let look = || self.find_version(name, &options.version);
        look_again(options.absence, (Operation::List.name(), name), look).await
    }

    /// Takes one request, and one more to purge. If the record names no version, a
    /// first request checks the owner.
    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        check(name, Operation::Delete)?;
        let (versions, purge) = match what {
            // Key Vault has no such call. The versions remain until the object is
            // deleted.
            Deletion::Versions(_) => return Ok(()),
            Deletion::Object { versions } => {
                let asked_for = self.config.purge_on_destroy.then_some(Purge::AskedFor);
                (versions, asked_for)
            }
            Deletion::Purge { versions } => (versions, Some(Purge::ThrowAway)),
        };
        self.attempts.forget(name);
        if versions.is_empty() && !self.is_ours(name).await? {
            return Ok(());
        }
        let delete = async { self.vault().await?.delete(name).await };
        let purgeable = match delete.await {
            Ok(purgeable) => purgeable,
            // Deleted already, and perhaps still recoverable.
            Err(error)
                if matches!(
                    error.kind(),
                    AzureErrorKind::NotFound | AzureErrorKind::BeingDeleted
                ) =>
            {
                true
            }
            Err(error) => return Err(self.explain(Operation::Delete, name, error)),
        };
        let Some(purge) = purge else {
            return Ok(());
        };
        if purgeable {
            return self.purge(name, purge).await;
        }
        tracing::warn!(
            secret = name.as_str(),
            "the deleted secret stays recoverable: the vault is protected from purges"
        );
        Ok(())
    }
}

impl AzureKeyVaultStore {
    async fn find_version(
        &self,
        name: &RemoteName,
        wanted: &NativeVersionId,
    ) -> Result<VersionStatus, StoreError> {
        let mut some_are_ours = false;
        let this = |version: vault::Properties| {
            some_are_ours |= labels::is_ours(version.tags.as_ref());
            let id = vault::version_of(version.id.as_deref(), name)?;
            (id == *wanted).then_some(())
        };
        let find = async { self.vault().await?.find(name, this).await };
        let found = find.await;
        match found.map_err(|error| self.explain(Operation::List, name, error))? {
            Found::Version(()) => Ok(VersionStatus::Present),
            Found::OthersOnly if some_are_ours => Ok(VersionStatus::Missing),
            Found::OthersOnly | Found::Nothing => Err(StoreError::new(
                StoreErrorKind::NotFound,
                Operation::List.name(),
                name.as_str(),
            )),
        }
    }

    async fn is_ours(&self, name: &RemoteName) -> Result<bool, StoreError> {
        let ours =
            |version: vault::Properties| labels::is_ours(version.tags.as_ref()).then_some(());
        let find = async { self.vault().await?.find(name, ours).await };
        let found = find.await;
        let found = found.map_err(|error| self.explain(Operation::List, name, error))?;
        Ok(matches!(found, Found::Version(())))
    }
}

fn check(name: &RemoteName, operation: Operation) -> Result<(), StoreError> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let text = name.as_str();
    if (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(known) {
        return Ok(());
    }
    Err(StoreError::new(
        StoreErrorKind::InvalidName,
        operation.name(),
        text,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_hyphens_of_127_bytes_at_most() {
        let name = |text: &str| check(&RemoteName::new(text.to_owned()), Operation::Get).is_ok();
        assert!(name("planton--acme--env--prod--db-0badcafe"));
        assert!(name(&"a".repeat(127)));
        for bad in ["", "a_b", "a/b", "a.b", "a b", "é", "a?b", "..", "a%2fb"] {
            assert!(!name(bad), "{bad}");
        }
        assert!(!name(&"a".repeat(128)));
    }
}

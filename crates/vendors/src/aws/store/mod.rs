//! Stores sealed versions in AWS Secrets Manager.
//!
//! One AWS secret contains all versions of a `planton_secret`, as bytes. It is created
//! empty. Each version is then put with a staging label of its own, since AWS deletes
//! versions without a label: see `version.rs`. `AWSCURRENT` moves to each new version.
//! Otherwise the first version would keep that label, and AWS would never delete it.
//!
//! AWS has no call that deletes one version. A pruned version remains until a later
//! version takes its label and AWS deletes it:
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html>

mod description;
mod foreign;
mod name;
mod requests;
mod version;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::aws::client::{AwsError, AwsErrorKind, AwsSession};
use crate::aws::connection::no_secret_part;
use crate::aws::credential::AwsCredential;
use crate::aws::errors::of_connecting;
use crate::aws::settings::{AwsConfig, Recovery};
use crate::http::HttpSettings;
use name::{MAX_NAME_BYTES, check};
use planton_core::store::{
    Deletion, DescribeOptions, ForeignObjects, NameRules, NativeVersionId, PayloadEncoding,
    PutAgain, PutOptions, RemoteName, SecretStore, Standing, StoreCapability, StoreError,
    StoreErrorKind, VersionStatus, look_again,
};
use requests::{NewVersion, SecretsManager};
use version::{ObjectId, StoredVersion};

/// AWS's limit for the value of a secret:
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
const MAX_PAYLOAD_BYTES: usize = 65_536;

/// The operation of a put, in errors.
const PUT: &str = "PutSecretValue";

/// Time for which an IAM change may take effect. IAM is eventually consistent, usually
/// within seconds:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
const GRANTS_SETTLE: Duration = Duration::from_secs(30);

/// Stores each version as a version of one secret in AWS Secrets Manager.
///
/// The store requires `secretsmanager:CreateSecret`, `PutSecretValue`,
/// `GetSecretValue`, `DescribeSecret` and `DeleteSecret`, and no other permission. A
/// first version takes two requests, every other operation one.
///
/// Writes and deletions name the secret by its full ARN. They never reach a secret that
/// was created again under the same name.
#[derive(Debug)]
pub struct AwsSecretsManagerStore {
    config: AwsConfig,
    credential: AwsCredential,
    http: HttpSettings,
    capability: StoreCapability,
    client: OnceCell<SecretsManager>,
}

impl AwsSecretsManagerStore {
    /// Creates a store without any I/O. The first operation connects.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if settings and credential do not fit together.
    pub fn new(
        config: AwsConfig,
        credential: AwsCredential,
        http: HttpSettings,
    ) -> Result<Self, StoreError> {
        let has_id = config.connection.access_key_id.is_some();
        if has_id && matches!(credential, AwsCredential::Ambient) {
            return Err(no_secret_part());
        }
        Ok(Self {
            config,
            credential,
            http,
            capability: Self::capability_of(),
            client: OnceCell::new(),
        })
    }

    /// Returns the capabilities of this type of store.
    #[must_use]
    pub const fn capability_of() -> StoreCapability {
        StoreCapability {
            kind: "aws_secrets_manager",
            vendor: "AWS Secrets Manager",
            encoding: PayloadEncoding::Binary,
            max_payload_bytes: MAX_PAYLOAD_BYTES,
            name: NameRules {
                separator: "/",
                max_bytes: MAX_NAME_BYTES,
            },
            max_versions: Some(version::RING as u32),
            deletes_versions: false,
        }
    }

    /// Returns the number of requests to AWS so far, including those for credentials.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.client.get().map_or(0, SecretsManager::requests)
    }

    async fn client(&self) -> Result<&SecretsManager, StoreError> {
        let connect = || async {
            let identity = self.config.connection.identity(&self.credential);
            let session = AwsSession::connect(identity, self.http.clone()).await;
            let session = session.map_err(of_connecting)?;
            let pace = self.http.retry.base_delay;
            Ok(SecretsManager::new(
                session,
                &self.config,
                &self.credential,
                pace,
            ))
        };
        self.client.get_or_try_init(connect).await
    }

    /// Checks the arguments of a put, and returns the label that was chosen.
    fn checked(
        &self,
        name: &RemoteName,
        payload: &[u8],
        label: Option<u8>,
    ) -> Result<u8, StoreError> {
        check(name, PUT)?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(StoreError::new(
                StoreErrorKind::TooLarge,
                PUT,
                name.as_str(),
            ));
        }
        label.ok_or_else(|| {
            StoreError::new(StoreErrorKind::Misconfigured, PUT, name.as_str())
                .with_remedy("AWS labels 20 versions at most, 16 of which can be kept: keep fewer.")
        })
    }

    /// Puts a version into the secret that contains `sibling`.
    async fn put_into(
        &self,
        name: &RemoteName,
        sibling: &StoredVersion,
        new: &NewVersion<'_>,
    ) -> Result<NativeVersionId, StoreError> {
        let client = self.client().await?;
        let version = client.put(name, &sibling.object, new).await;
        let version = version.map_err(|error| client.explain(error, PUT, name))?;
        Ok(version.to_native_id())
    }

    /// Deletes a secret. Succeeds if the secret is absent or its deletion is scheduled.
    async fn delete_object(
        &self,
        name: &RemoteName,
        object: &ObjectId,
        recovery: Recovery,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        let refused = match client.delete(name, object, recovery).await {
            Ok(()) => return Ok(()),
            Err(refused) if refused.kind() == AwsErrorKind::NotFound => return Ok(()),
            Err(refused) => refused,
        };
        let explained = client.explain(refused, "DeleteSecret", name);
        if explained.kind() != StoreErrorKind::Misconfigured || recovery == Recovery::None {
            return Err(explained);
        }
        // The secret is either scheduled for deletion or in use elsewhere.
        // DescribeSecret distinguishes the two.
        match client.describe(name, Some(object)).await {
            Ok(secret) if secret.is_deleted => Ok(()),
            Err(error) if error.kind() == AwsErrorKind::NotFound => Ok(()),
            _ => Err(explained),
        }
    }

    async fn look(
        &self,
        name: &RemoteName,
        options: &DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        const OPERATION: &str = "DescribeSecret";
        let client = self.client().await?;
        let secret = client.describe(name, None).await;
        let secret = secret.map_err(|error| client.explain(error, OPERATION, name))?;
        let gone = || StoreError::new(StoreErrorKind::NotFound, OPERATION, name.as_str());
        if secret.is_deleted {
            return Err(gone());
        }
        let wanted = StoredVersion::parse(&options.version);
        let others = options.others.iter().filter_map(StoredVersion::parse);
        let mut known = wanted.iter().cloned().chain(others);
        if !known.any(|version| secret.object.as_ref() == Some(&version.object)) {
            // A secret of another writer stays untouched, and the version is absent.
            return match secret.is_ours {
                true => Ok(VersionStatus::Replaced),
                false => Err(gone()),
            };
        }
        let is_here = wanted.is_some_and(|wanted| {
            secret.object.as_ref() == Some(&wanted.object) && secret.holds(&wanted)
        });
        Ok(if is_here {
            VersionStatus::Present
        } else {
            VersionStatus::Missing
        })
    }

    /// Returns the secret that an interrupted creation left under this name, if this
    /// provider wrote it.
    async fn own(&self, name: &RemoteName) -> Result<Option<ObjectId>, StoreError> {
        let client = self.client().await?;
        match client.describe(name, None).await {
            Ok(secret) => Ok(secret.object.filter(|_| secret.is_ours)),
            Err(error) if error.kind() == AwsErrorKind::NotFound => Ok(None),
            Err(error) => Err(client.explain(error, "DescribeSecret", name)),
        }
    }
}

#[async_trait]
impl SecretStore for AwsSecretsManagerStore {
    fn capability(&self) -> &StoreCapability {
        &self.capability
    }

    fn foreign(&self) -> Option<&dyn ForeignObjects> {
        Some(self)
    }

    /// Includes a failure to assume a role, which may be new.
    fn may_settle(&self, error: &StoreError) -> Option<Duration> {
        let source = std::error::Error::source(error)?.downcast_ref::<AwsError>()?;
        let passes = error.kind() == StoreErrorKind::PermissionDenied || source.concerns_role();
        passes.then_some(GRANTS_SETTLE)
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        let keep = kept(&options.keep);
        let label = version::free_label(&keep, options.attempt);
        let new = NewVersion {
            payload,
            attempt: options.attempt,
            label: self.checked(name, payload, label)?,
            is_current: true,
        };
        if let Some(newest) = keep.last() {
            return self.put_into(name, newest, &new).await;
        }
        let client = self.client().await?;
        let object = client.create(name, &options.labels).await?;
        let put = client.put_into_new(name, &object, &new).await;
        let version = put.map_err(|error| client.explain(error, PUT, name))?;
        Ok(version.to_native_id())
    }

    async fn put_again(
        &self,
        name: &RemoteName,
        payload: &[u8],
        again: PutAgain,
    ) -> Result<NativeVersionId, StoreError> {
        let PutAgain { options, standing } = again;
        let keep = kept(&options.keep);
        let label = version::label_again(&keep, options.attempt);
        let new = NewVersion {
            payload,
            attempt: options.attempt,
            label: self.checked(name, payload, label)?,
            is_current: standing == Standing::Newest,
        };
        match keep.last() {
            Some(newest) => self.put_into(name, newest, &new).await,
            None => Err(StoreError::new(
                StoreErrorKind::NotFound,
                PUT,
                name.as_str(),
            )),
        }
    }

    /// A put takes its label from the version that has it.
    fn evicts(&self, later: &NativeVersionId, earlier: &NativeVersionId) -> bool {
        let (later, earlier) = (StoredVersion::parse(later), StoredVersion::parse(earlier));
        later.zip(earlier).is_some_and(|(later, earlier)| {
            let is_one_secret = later.object == earlier.object;
            is_one_secret && later.label == earlier.label && later != earlier
        })
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        const OPERATION: &str = "GetSecretValue";
        let error = |kind| StoreError::new(kind, OPERATION, name.as_str());
        check(name, OPERATION)?;
        let wanted =
            StoredVersion::parse(version).ok_or_else(|| error(StoreErrorKind::NotFound))?;
        let client = self.client().await?;
        let found = match client.get(name, &wanted.version_id).await {
            Ok(found) => found,
            Err(refused) if refused.concerns_deletion() => {
                return Err(error(StoreErrorKind::NotFound).with_source(refused));
            }
            Err(refused) => return Err(client.explain(refused, OPERATION, name)),
        };
        match found.payload {
            Some(payload) if found.object.as_ref() == Some(&wanted.object) => Ok(payload),
            _ => {
                Err(error(StoreErrorKind::Corrupt)
                    .with_remedy("Another writer replaced this version."))
            }
        }
    }

    /// AWS has no strongly consistent read. A second read confirms an absence.
    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        const OPERATION: &str = "DescribeSecret";
        check(name, OPERATION)?;
        let look = || self.look(name, &options);
        look_again(options.absence, (OPERATION, name), look).await
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        check(name, "DeleteSecret")?;
        let (versions, recovery, purge) = match what {
            // AWS has no such call. Later versions take their labels.
            Deletion::Versions(_) => return Ok(()),
            Deletion::Object { versions } => (versions, self.config.recovery, false),
            Deletion::Purge { versions } => (versions, Recovery::None, true),
        };
        let mut objects: Vec<ObjectId> = Vec::new();
        for version in versions.iter().filter_map(StoredVersion::parse) {
            if !objects.contains(&version.object) {
                objects.push(version.object);
            }
        }
        if objects.is_empty() {
            objects.extend(self.own(name).await?);
        }
        for object in &objects {
            match self.delete_object(name, object, recovery).await {
                // A policy may allow only deletions with a recovery window.
                Err(error) if purge && error.kind() == StoreErrorKind::PermissionDenied => {
                    self.delete_object(name, object, Recovery::Days(7)).await?;
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

/// Returns the versions to keep, the newest one last.
fn kept(keep: &[NativeVersionId]) -> Vec<StoredVersion> {
    keep.iter().filter_map(StoredVersion::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_labels_and_the_three_of_aws_are_the_twenty_that_it_attaches() {
        let ring = u32::from(version::RING);
        assert_eq!(ring + 3, 20);
        let capability = AwsSecretsManagerStore::capability_of();
        assert_eq!(capability.max_versions, Some(ring));
    }
}

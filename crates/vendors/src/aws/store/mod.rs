//! Sealed versions in AWS Secrets Manager.
//!
//! One secret of AWS holds all versions of one of ours, as bytes. It is made
//! empty, and then each version is put with a staging label of its own, since
//! AWS drops what has none: see `version.rs`. `AWSCURRENT` moves along, or the
//! first version would keep it and never age.
//!
//! AWS has no call that deletes one version: what is pruned stays until its
//! label is taken by a later version, and AWS drops it.

mod description;
mod foreign;
mod requests;
mod version;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::aws::client::{AwsError, AwsErrorKind, AwsIdentitySettings, AwsSession};
use crate::aws::credential::AwsCredential;
use crate::aws::errors::of_connecting;
use crate::aws::settings::{AwsConfig, Recovery, unusable};
use crate::http::HttpSettings;
use planton_core::store::{
    Deletion, DescribeOptions, ForeignObjects, NameRules, NativeVersionId, PayloadEncoding,
    PutOptions, RemoteName, SecretStore, StoreCapability, StoreError, StoreErrorKind,
    VersionStatus, look_again,
};
use requests::{NewVersion, SecretsManager};
use version::{ObjectId, StoredVersion};

/// AWS's limit for a secret's value.
const MAX_PAYLOAD_BYTES: usize = 65_536;

/// IAM is eventually consistent, usually within seconds:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
const GRANTS_SETTLE: Duration = Duration::from_secs(30);

/// AWS's limit for a secret's name.
const MAX_NAME_BYTES: usize = 512;

/// Stores each version as a version of one secret in AWS Secrets Manager.
///
/// It needs `secretsmanager:CreateSecret`, `PutSecretValue`, `GetSecretValue`,
/// `DescribeSecret` and `DeleteSecret`, and no others. Requests: two for a first
/// version, one for each verb besides.
///
/// A secret is asked for by its whole ARN where something is written or deleted:
/// one that somebody made anew under its name is never touched.
#[derive(Debug)]
pub struct AwsSecretsManagerStore {
    config: AwsConfig,
    credential: AwsCredential,
    http: HttpSettings,
    capability: StoreCapability,
    client: OnceCell<SecretsManager>,
}

impl AwsSecretsManagerStore {
    /// Takes settings and a credential; everything else waits for the first
    /// verb.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where settings and credential don't go together.
    pub fn new(
        config: AwsConfig,
        credential: AwsCredential,
        http: HttpSettings,
    ) -> Result<Self, StoreError> {
        if config.access_key_id.is_some() && matches!(credential, AwsCredential::Ambient) {
            return Err(unusable(
                "secret_access_key_wo",
                "Set it: it goes with access_key_id. Set neither for the ambient credentials.",
            ));
        }
        Ok(Self {
            config,
            credential,
            http,
            capability: Self::capability_of(),
            client: OnceCell::new(),
        })
    }

    /// Returns what every store of this type can do.
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

    /// Returns the number of requests to AWS so far, those for an identity
    /// included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.client.get().map_or(0, SecretsManager::requests)
    }

    async fn client(&self) -> Result<&SecretsManager, StoreError> {
        let connect = || async {
            let identity = AwsIdentitySettings {
                region: self.config.region.clone(),
                profile: self.config.profile.clone(),
                credential: match &self.credential {
                    AwsCredential::Static(credential) => Some(credential.clone()),
                    AwsCredential::Ambient => None,
                },
                assume_role: self.config.assume_role.clone(),
            };
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

    /// Deletes a secret; done where it is gone, or about to go.
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
        // Deleted already, or in use by something else: only the secret tells.
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
            // Somebody else's is left alone: ours is gone.
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

    /// Finds the secret of a creation that was given up, if it is one of ours.
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

    /// Of a role that was created a moment ago as well.
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
        const OPERATION: &str = "PutSecretValue";
        check(name, OPERATION)?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            let kind = StoreErrorKind::TooLarge;
            return Err(StoreError::new(kind, OPERATION, name.as_str()));
        }
        let keep: Vec<_> = options
            .keep
            .iter()
            .filter_map(StoredVersion::parse)
            .collect();
        let label = version::free_label(&keep, options.attempt).ok_or_else(|| {
            StoreError::new(StoreErrorKind::Misconfigured, OPERATION, name.as_str())
                .with_remedy("AWS labels 20 versions at most, 16 of which can be kept: keep fewer.")
        })?;
        let new = NewVersion {
            payload,
            attempt: options.attempt,
            label,
        };
        let client = self.client().await?;
        if let Some(newest) = keep.last() {
            let version = client.put(name, &newest.object, &new).await;
            let version = version.map_err(|error| client.explain(error, OPERATION, name))?;
            return Ok(version.to_native_id());
        }
        let object = client.create(name, &options.labels).await?;
        let put = client.put_into_new(name, &object, &new).await;
        let version = put.map_err(|error| client.explain(error, OPERATION, name))?;
        Ok(version.to_native_id())
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

    /// AWS's reads are eventually consistent, and none is not: absence is confirmed
    /// by a second look.
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
            // No call of AWS does it: their labels go to later versions.
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
                // A policy may allow deletions with a window only.
                Err(error) if purge && error.kind() == StoreErrorKind::PermissionDenied => {
                    self.delete_object(name, object, Recovery::Days(7)).await?;
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

/// AWS's own rules. It advises against names that end in a hyphen and six
/// characters, as its ARNs do; that matters only to those who ask by part of an
/// ARN, as nothing here does.
fn check(name: &RemoteName, operation: &'static str) -> Result<(), StoreError> {
    let text = name.as_str();
    let known = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b);
    if (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(known) {
        return Ok(());
    }
    Err(StoreError::new(
        StoreErrorKind::InvalidName,
        operation,
        text,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_aws_takes() {
        let name = |text: &str| check(&RemoteName::new(text.to_owned()), "put").is_ok();
        assert!(name("planton/acme/env/prod/db-0badcafe"));
        assert!(name("a+b=c.d@e_f"));
        assert!(name(&"a".repeat(512)));
        for bad in ["", "a b", "a:b", "a%2fb", "é", "a*", "a\n"] {
            assert!(!name(bad), "{bad}");
        }
        assert!(!name(&"a".repeat(513)));
    }

    #[test]
    fn our_labels_and_the_three_of_aws_are_the_twenty_that_it_attaches() {
        let ring = u32::from(version::RING);
        assert_eq!(ring + 3, 20);
        let capability = AwsSecretsManagerStore::capability_of();
        assert_eq!(capability.max_versions, Some(ring));
    }
}

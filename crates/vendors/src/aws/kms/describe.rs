//! Asks AWS KMS for a key, and refuses one that cannot be used.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kms::types::{
    KeyManagerType, KeyMetadata, KeySpec, KeyState, KeyUsageType, OriginType,
};
use planton_core::kek::{KekError, KekErrorKind, KeyDescription, KeyRotation};

use super::errors::{Unusable, unusable_key};
use super::key::KmsKey;
use super::regions::{Regions, Target};
use super::requests::KmsClient;
use super::settings::not_multi_region;

const OPERATION: &str = "DescribeKey";

/// A key that can be used.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) key: KmsKey,
    origin: Option<OriginType>,
}

/// Asks each Region for the key. A Region that cannot be reached is passed over if another
/// one answers: a key can be saved while a Region is down.
pub(super) async fn find(regions: &Regions, target: Target<'_>) -> Result<Found, KekError> {
    let mut found: Option<Found> = None;
    let mut unreachable = None;
    for at in 0..regions.count() {
        let wanted = found
            .as_ref()
            .map_or(target, |found| Target::Resolved(&found.key));
        let ask = |client: Arc<KmsClient>, key: String| async move {
            let metadata = client.describe(&key).await?;
            Ok((client, metadata))
        };
        let (client, metadata) = match regions.call_in(at, OPERATION, wanted, ask).await {
            Ok(answer) => answer,
            Err(failed) if failed.is_unreachable => {
                tracing::warn!(error = %failed.error, "a Region of the key is unreachable");
                unreachable = Some(failed.error);
                continue;
            }
            Err(failed) => return Err(failed.error),
        };
        let here = check(&metadata, client.region())?;
        if regions.count() > 1 && here.key.region().is_some() {
            return Err(not_multi_region());
        }
        match &found {
            Some(before) if before.key != here.key => return Err(unexpected(&here.key)),
            Some(_) => {}
            None => found = Some(here),
        }
    }
    match (found, unreachable) {
        (Some(found), _) => Ok(found),
        (None, Some(error)) => Err(error),
        (None, None) => Err(KekError::new(
            KekErrorKind::Misconfigured,
            OPERATION,
            "region",
        )),
    }
}

/// Asks how the key rotates.
pub(super) async fn describe(regions: &Regions, found: &Found) -> Result<KeyDescription, KekError> {
    let rotation = match &found.origin {
        Some(OriginType::AwsKms) => rotation(regions, &found.key).await?,
        // Automatic rotation needs key material of AWS KMS:
        // https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html
        Some(OriginType::External | OriginType::AwsCloudhsm | OriginType::ExternalKeyStore) => {
            KeyRotation::Never
        }
        _ => KeyRotation::Unknown,
    };
    Ok(KeyDescription {
        rotation,
        newest_version: None,
    })
}

async fn rotation(regions: &Regions, key: &KmsKey) -> Result<KeyRotation, KekError> {
    let ask = |client: Arc<KmsClient>, key: String| async move { client.rotation(&key).await };
    let target = Target::Resolved(key);
    let status = match regions.call("GetKeyRotationStatus", target, ask).await {
        Ok(status) => status,
        // Nothing depends on the answer, so the grant is not required.
        Err(error) if error.kind() == KekErrorKind::PermissionDenied => {
            return Ok(KeyRotation::Unknown);
        }
        Err(error) => return Err(error),
    };
    if !status.is_enabled {
        return Ok(KeyRotation::Manual);
    }
    let days = status.period_days.and_then(|days| u64::try_from(days).ok());
    Ok(match days {
        Some(days) => KeyRotation::Every(Duration::from_secs(days * 24 * 60 * 60)),
        None => KeyRotation::Automatic,
    })
}

//= docs/format.md#26-kek-in-aws-kms
//# A writer MUST refuse a key that is not a customer managed symmetric encryption key (key
//# spec `SYMMETRIC_DEFAULT`, key usage `ENCRYPT_DECRYPT`).
fn check(metadata: &KeyMetadata, region: &str) -> Result<Found, KekError> {
    let key = metadata.arn().and_then(KmsKey::from_arn);
    let key = key.ok_or_else(|| {
        KekError::new(KekErrorKind::Unexpected, OPERATION, metadata.key_id())
            .with_remedy("The answer does not name the key's ARN. Check endpoint, if one is set.")
    })?;
    let unusable = |why| Err(unusable_key(why, OPERATION, &key.arn_in(region), region));
    if metadata.key_manager() == Some(&KeyManagerType::Aws) {
        return unusable(Unusable::AwsManaged);
    }
    if metadata.key_usage() != Some(&KeyUsageType::EncryptDecrypt)
        || metadata.key_spec() != Some(&KeySpec::SymmetricDefault)
    {
        return unusable(Unusable::OtherType);
    }
    match metadata.key_state() {
        // A key whose primary Region changes stays usable.
        Some(KeyState::Enabled | KeyState::Updating) => {}
        Some(KeyState::Disabled) => return unusable(Unusable::Disabled),
        Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => {
            return unusable(Unusable::PendingDeletion);
        }
        Some(KeyState::PendingImport) => return unusable(Unusable::PendingImport),
        Some(KeyState::Creating) => return unusable(Unusable::Creating),
        _ => return unusable(Unusable::Unavailable),
    }
    Ok(Found {
        origin: metadata.origin().cloned(),
        key,
    })
}

fn unexpected(key: &KmsKey) -> KekError {
    KekError::new(KekErrorKind::Unexpected, OPERATION, key.to_string())
        .with_remedy("Two Regions answer with different keys. Check endpoint, if one is set.")
}

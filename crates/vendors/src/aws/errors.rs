//! Maps errors of AWS to errors of the store, with their remedies.

use super::caller::{Caller, connecting};
use crate::aws::client::{AwsError, AwsErrorKind};
use planton_core::store::{RemoteName, StoreError, StoreErrorKind};

use super::settings::unusable;

/// The context of a failed request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) name: &'a RemoteName,
    pub(super) region: &'a str,
    pub(super) kms_key_id: Option<&'a str>,
    pub(super) caller: &'a Caller,
}

/// Maps a failure of `operation` to an error of the store, with a remedy.
pub(super) fn explain(error: AwsError, operation: &'static str, place: Place<'_>) -> StoreError {
    use AwsErrorKind as K;
    let kind = match error.kind() {
        // CreateSecret refers to no object but the KMS key.
        K::NotFound if operation == "CreateSecret" => StoreErrorKind::Misconfigured,
        K::NotFound => StoreErrorKind::NotFound,
        // The token was used before, with another payload:
        // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
        K::AlreadyExists if operation == "PutSecretValue" => StoreErrorKind::Conflict,
        K::AlreadyExists => StoreErrorKind::AlreadyExists,
        K::WrongState if error.concerns_deletion() && operation != "DeleteSecret" => {
            StoreErrorKind::AlreadyExists
        }
        K::PermissionDenied => StoreErrorKind::PermissionDenied,
        K::Unauthenticated if error.concerns_region() => StoreErrorKind::Misconfigured,
        K::Unauthenticated | K::Expired => StoreErrorKind::Unauthenticated,
        K::LimitExceeded if operation == "PutSecretValue" => StoreErrorKind::RateLimited,
        K::RateLimited => StoreErrorKind::RateLimited,
        K::Unavailable => StoreErrorKind::Unavailable,
        K::Unexpected => StoreErrorKind::Unexpected,
        K::WrongState
        | K::InvalidParameter
        | K::LimitExceeded
        | K::KeyUnusable
        | K::KeyDisabled
        | K::Undecipherable
        | K::Misconfigured => StoreErrorKind::Misconfigured,
    };
    let explained = StoreError::new(kind, operation, place.name.as_str());
    let explained = match remedy(&error, operation, place) {
        Some(remedy) => explained.with_remedy(remedy),
        None => explained,
    };
    let explained = match setting(&error, operation, place) {
        Some(setting) => explained.with_setting(setting),
        None => explained,
    };
    explained.with_source(error)
}

/// Returns the setting that is the likely cause.
fn setting(error: &AwsError, operation: &str, place: Place<'_>) -> Option<&'static str> {
    use AwsErrorKind as K;
    Some(match error.kind() {
        K::PermissionDenied | K::KeyUnusable if error.concerns_kms() => "at_rest_kms_key_id",
        K::NotFound | K::InvalidParameter
            if operation == "CreateSecret" && place.kms_key_id.is_some() =>
        {
            "at_rest_kms_key_id"
        }
        _ => return place.caller.setting(error),
    })
}

/// Maps a failure to establish the session.
pub(super) fn of_connecting(error: AwsError) -> StoreError {
    let remedy = connecting(&error);
    let explained = match error.http() {
        Some(_) => {
            StoreError::new(StoreErrorKind::Misconfigured, "connect", "AWS").with_remedy(remedy)
        }
        None => unusable("region", remedy),
    };
    explained.with_source(error)
}

fn remedy(error: &AwsError, operation: &'static str, place: Place<'_>) -> Option<String> {
    use AwsErrorKind as K;
    Some(match error.kind() {
        K::PermissionDenied => grant(error, operation, place),
        K::KeyUnusable => usable_key(error, place),
        K::WrongState => state(error, place),
        K::AlreadyExists if operation == "CreateSecret" => {
            "A secret with this name exists that was not created by this provider. Rename one of \
             the two."
                .to_owned()
        }
        K::NotFound | K::InvalidParameter if operation == "CreateSecret" => {
            "Check at_rest_kms_key_id: the ARN, identifier or alias of a key in this region."
                .to_owned()
        }
        K::RateLimited | K::LimitExceeded => quota_remedy(error, operation, place.region),
        _ => return place.caller.remedy(error, place.region),
    })
}

/// Returns the missing grant.
fn grant(error: &AwsError, operation: &str, place: Place<'_>) -> String {
    let Place { name, region, .. } = place;
    let (whom, key) = (whom(error), key(place));
    if !error.concerns_kms() {
        return format!(
            "Grant secretsmanager:{operation} on arn:{}:secretsmanager:{region}:*:secret:{}* to \
             {whom}.",
            partition(region),
            folder(name)
        );
    }
    // PutSecretValue requires both permissions:
    // https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    let actions = match operation {
        "GetSecretValue" => "kms:Decrypt",
        _ => "kms:GenerateDataKey and kms:Decrypt",
    };
    format!(
        "Grant {actions} on the KMS key {key} (at_rest_kms_key_id) to {whom}, in the key's policy \
         as well."
    )
}

/// Returns the remedy for a KMS key that Secrets Manager cannot use.
fn usable_key(error: &AwsError, place: Place<'_>) -> String {
    let Place { name, region, .. } = place;
    let (whom, key) = (whom(error), key(place));
    format!(
        "Secrets Manager cannot use the KMS key {key} (at_rest_kms_key_id). Check that the key \
         exists and is enabled, and grant kms:GenerateDataKey and kms:Decrypt on it to {whom}. A \
         secret keeps the key with which it was created. If at_rest_kms_key_id was changed since, \
         and the secret has no value yet, delete it (aws secretsmanager delete-secret --region \
         {region} --secret-id {name} --force-delete-without-recovery)."
    )
}

/// Returns the remedy for a secret whose state does not allow the operation.
fn state(error: &AwsError, place: Place<'_>) -> String {
    let Place { name, region, .. } = place;
    if !error.concerns_deletion() {
        return "Another AWS service manages this secret, or it has replicas.".to_owned();
    }
    format!(
        "A secret of this name is deleted and in its recovery window. Until the window ends, the \
         name cannot be used. Delete the secret for good (aws secretsmanager delete-secret \
         --region {region} --secret-id {name} --force-delete-without-recovery), or restore it with \
         restore-secret."
    )
}

/// Returns the remedy for an exhausted quota.
fn quota_remedy(error: &AwsError, operation: &str, region: &str) -> String {
    if error.kind() == AwsErrorKind::RateLimited {
        return format!(
            "Secrets Manager allows an account {} in {region}. Raise the resource's timeouts, or \
             lower -parallelism.",
            quota(operation)
        );
    }
    match operation {
        "PutSecretValue" => "AWS keeps every version for 24 hours and allows about 100 of them. \
                             Write fewer versions, or wait."
            .to_owned(),
        _ => format!("Ask AWS for a higher quota of secrets in {region}."),
    }
}

/// Returns the identity that needs a grant.
fn whom(error: &AwsError) -> &str {
    error.principal().unwrap_or("the identity in use")
}

/// Returns the KMS key that encrypts the secret at rest.
fn key(place: Place<'_>) -> &str {
    place.kms_key_id.unwrap_or("aws/secretsmanager")
}

/// Returns AWS's request quota for an operation, per region:
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
fn quota(operation: &str) -> &'static str {
    match operation {
        "GetSecretValue" | "DescribeSecret" => {
            "10,000 requests of DescribeSecret and GetSecretValue a second"
        }
        "CreateSecret" => "50 requests of CreateSecret a second",
        "DeleteSecret" => "50 requests of DeleteSecret a second",
        _ => "50 requests of PutSecretValue a second",
    }
}

/// Returns the prefix of all names of the organization, so that one policy covers them
/// all.
fn folder(name: &RemoteName) -> &str {
    let text = name.as_str();
    let mut slashes = text.match_indices('/');
    slashes.nth(1).map_or(text, |(at, _)| &text[..=at])
}

/// Returns the AWS partition of a region.
fn partition(region: &str) -> &'static str {
    match region {
        cn if cn.starts_with("cn-") => "aws-cn",
        gov if gov.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

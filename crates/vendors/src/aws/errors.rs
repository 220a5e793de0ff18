//! Maps errors of AWS to errors of the store, with their remedies.

use crate::aws::client::{AwsError, AwsErrorKind};
use crate::http::HttpErrorKind;
use planton_core::store::{RemoteName, StoreError, StoreErrorKind};

use super::settings::unusable;

/// The context of a failed request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) name: &'a RemoteName,
    pub(super) region: &'a str,
    pub(super) kms_key_id: Option<&'a str>,
    pub(super) role_arn: Option<&'a str>,
    pub(super) has_endpoint: bool,
    pub(super) has_session_token: bool,
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
        K::WrongState | K::InvalidParameter | K::LimitExceeded | K::KeyUnusable => {
            StoreErrorKind::Misconfigured
        }
        _ => StoreErrorKind::Misconfigured,
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
        K::Unauthenticated if error.concerns_region() => "region",
        K::Unauthenticated if error.concerns_role() => "assume_role_arn",
        K::Unauthenticated if error.concerns_key() => "access_key_id",
        K::Unauthenticated => "secret_access_key",
        K::Expired if place.has_session_token => "session_token",
        K::Expired => "secret_access_key",
        K::Unexpected if place.has_endpoint => "endpoint",
        K::Unavailable | K::Misconfigured => match error.http()?.kind() {
            HttpErrorKind::Tls | HttpErrorKind::Connect | HttpErrorKind::Timeout => {
                match place.has_endpoint {
                    true => "endpoint",
                    false => "region",
                }
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// Maps a failure to establish the session.
pub(super) fn of_connecting(error: AwsError) -> StoreError {
    let explained = match error.http() {
        Some(_) => StoreError::new(StoreErrorKind::Misconfigured, "connect", "AWS")
            .with_remedy("Check the certificates that this machine trusts."),
        None => unusable(
            "region",
            "Set region, or AWS_REGION, or a region in the profile that is in use: neither of \
             them is there.",
        ),
    };
    explained.with_source(error)
}

fn remedy(error: &AwsError, operation: &'static str, place: Place<'_>) -> Option<String> {
    let Place {
        name,
        region,
        kms_key_id,
        role_arn,
        ..
    } = place;
    let whom = error.principal().unwrap_or("the identity in use");
    let key = kms_key_id.unwrap_or("aws/secretsmanager");
    Some(match error.kind() {
        AwsErrorKind::PermissionDenied if error.concerns_kms() => format!(
            "Grant {} on the KMS key {key} (at_rest_kms_key_id) to {whom}, in the key's policy as \
             well.",
            // PutSecretValue requires both permissions:
            // https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
            match operation {
                "GetSecretValue" => "kms:Decrypt",
                _ => "kms:GenerateDataKey and kms:Decrypt",
            }
        ),
        AwsErrorKind::PermissionDenied => format!(
            "Grant secretsmanager:{operation} on arn:{}:secretsmanager:{region}:*:secret:{}* to \
             {whom}.",
            partition(region),
            folder(name)
        ),
        AwsErrorKind::KeyUnusable => format!(
            "Secrets Manager cannot use the KMS key {key} (at_rest_kms_key_id). Check that the key \
             is there and enabled, and grant kms:GenerateDataKey and kms:Decrypt on it to {whom}. A \
             secret keeps the key that it was created with: where at_rest_kms_key_id was changed \
             since and nothing is stored yet, delete the empty secret (aws secretsmanager \
             delete-secret --region {region} --secret-id {name} --force-delete-without-recovery)."
        ),
        AwsErrorKind::Expired => {
            "The credential in use has run out. Give a new one, or log in again.".to_owned()
        }
        AwsErrorKind::Unauthenticated if error.concerns_region() => format!(
            "What answers is of another region than {region}. Check region, and endpoint if one is \
             set."
        ),
        AwsErrorKind::Unauthenticated if error.concerns_key() => "AWS does not know the access \
             key, or the session token is not of it: check access_key_id, and that the key is \
             active and in this partition of AWS."
            .to_owned(),
        AwsErrorKind::Unauthenticated if error.concerns_signature() => {
            "The secret access key is not that of the access key: check secret_access_key_wo (or \
             AWS_SECRET_ACCESS_KEY), and that this machine's clock is right."
                .to_owned()
        }
        AwsErrorKind::Unauthenticated if error.concerns_role() => format!(
            "Let the credential in use take the role {}: it needs sts:AssumeRole, and the role's \
             trust policy has to name it, with the external_id that it asks for.",
            role_arn.unwrap_or("that the profile or the environment names")
        ),
        AwsErrorKind::Unauthenticated => format!(
            "Check the credential in use{}, and that this machine's clock is right.",
            match error.principal() {
                Some(principal) => format!(" ({principal})"),
                None => String::new(),
            }
        ),
        AwsErrorKind::WrongState if error.concerns_deletion() => format!(
            "A secret of this name is deleted and within its recovery window: until that ends, \
             nothing can be put there. Delete it for good (aws secretsmanager delete-secret \
             --region {region} --secret-id {name} --force-delete-without-recovery), or bring it \
             back with restore-secret."
        ),
        AwsErrorKind::WrongState => {
            "Another service of AWS manages this secret, or it has replicas.".to_owned()
        }
        AwsErrorKind::AlreadyExists if operation == "CreateSecret" => {
            "A secret of this name is there, and not by this provider. Rename one of the two."
                .to_owned()
        }
        AwsErrorKind::NotFound | AwsErrorKind::InvalidParameter if operation == "CreateSecret" => {
            "Check at_rest_kms_key_id: a key of this region, by its ARN, identifier or alias."
                .to_owned()
        }
        AwsErrorKind::RateLimited => format!(
            "Secrets Manager allows an account {} in {region}. Raise the resource's timeouts, or \
             lower -parallelism.",
            quota(operation)
        ),
        AwsErrorKind::LimitExceeded if operation == "PutSecretValue" => {
            "AWS keeps every version for 24 hours and takes some 100 of them: write fewer, or \
             wait."
                .to_owned()
        }
        AwsErrorKind::LimitExceeded => {
            format!("Ask AWS for a higher quota of secrets in {region}.")
        }
        AwsErrorKind::Unexpected => {
            "Check endpoint if one is set, and the proxy or gateway between here and AWS."
                .to_owned()
        }
        AwsErrorKind::Unavailable | AwsErrorKind::Misconfigured => match error.http()?.kind() {
            HttpErrorKind::Tls => "Check endpoint, and the certificates that this machine trusts.",
            HttpErrorKind::Connect | HttpErrorKind::Timeout => {
                "Check region and endpoint, and that AWS can be reached from here."
            }
            _ => return None,
        }
        .to_owned(),
        _ => return None,
    })
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

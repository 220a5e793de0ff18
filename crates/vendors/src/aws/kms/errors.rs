//! Maps errors of AWS KMS to errors of a KEK, with their remedies.

use planton_core::kek::{KekError, KekErrorKind};

use crate::aws::caller::{Caller, connecting};
use crate::aws::client::{AwsError, AwsErrorKind};

/// The context of a failed request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The key, as the request named it.
    pub(super) key: &'a str,
    pub(super) region: &'a str,
    pub(super) caller: &'a Caller,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    AwsManaged,
    OtherType,
    Disabled,
    PendingDeletion,
    PendingImport,
    Creating,
    Unavailable,
}

impl Unusable {
    fn kind(self) -> KekErrorKind {
        match self {
            Self::AwsManaged | Self::OtherType => KekErrorKind::Misconfigured,
            Self::Disabled | Self::PendingImport => KekErrorKind::Disabled,
            Self::PendingDeletion => KekErrorKind::PendingDeletion,
            Self::Creating | Self::Unavailable => KekErrorKind::Unavailable,
        }
    }

    fn remedy(self, key: &str, region: &str) -> String {
        let aws = |command: &str| format!("aws kms {command} --region {region} --key-id {key}");
        match self {
            Self::AwsManaged => format!(
                "{key} is an AWS managed key, which only AWS services may use. Create a customer \
                 managed key: aws kms create-key --region {region}"
            ),
            Self::OtherType => format!(
                "{key} is not a symmetric encryption key. A key's type cannot be changed. Create \
                 another one, with key spec SYMMETRIC_DEFAULT and key usage ENCRYPT_DECRYPT: aws \
                 kms create-key --region {region}"
            ),
            Self::Disabled => format!(
                "The key is disabled. To permit its use again: {}",
                aws("enable-key")
            ),
            Self::PendingDeletion => format!(
                "The key is scheduled for deletion. After that, nothing that was sealed under it \
                 alone can be opened. To keep the key: {} && {}",
                aws("cancel-key-deletion"),
                aws("enable-key")
            ),
            Self::PendingImport => format!(
                "The key waits for its key material, which was deleted, has expired or was never \
                 imported. Import the same key material again: {}",
                aws("import-key-material")
            ),
            Self::Creating => {
                "AWS is still creating this replica of the key. Apply again in a minute.".to_owned()
            }
            Self::Unavailable => "The key's custom key store is disconnected. Connect it: aws kms \
                 connect-custom-key-store"
                .to_owned(),
        }
    }
}

/// Returns the error of a key that cannot be used.
pub(super) fn unusable_key(
    why: Unusable,
    operation: &'static str,
    key: &str,
    region: &str,
) -> KekError {
    let path = match why.kind() {
        KekErrorKind::Misconfigured => "key_id",
        _ => key,
    };
    KekError::new(why.kind(), operation, path).with_remedy(why.remedy(key, region))
}

/// Maps a failure of `operation` to an error of the KEK, with a remedy.
pub(super) fn explain(error: AwsError, operation: &'static str, place: Place<'_>) -> KekError {
    use AwsErrorKind as K;
    let Place {
        key,
        region,
        caller,
    } = place;
    if let Some(why) = state(&error) {
        return unusable_key(why, operation, key, region).with_source(error);
    }
    let kind = match error.kind() {
        K::NotFound => KekErrorKind::NotFound,
        K::PermissionDenied => KekErrorKind::PermissionDenied,
        K::Unauthenticated if error.concerns_region() => KekErrorKind::Misconfigured,
        K::Unauthenticated | K::Expired => KekErrorKind::Unauthenticated,
        K::Undecipherable => KekErrorKind::Refused,
        K::RateLimited => KekErrorKind::RateLimited,
        K::Unavailable => KekErrorKind::Unavailable,
        K::Unexpected => KekErrorKind::Unexpected,
        K::AlreadyExists
        | K::WrongState
        | K::InvalidParameter
        | K::LimitExceeded
        | K::KeyUnusable
        | K::KeyDisabled
        | K::Misconfigured => KekErrorKind::Misconfigured,
    };
    // A setting that has to change is the path.
    let path = match kind {
        KekErrorKind::Misconfigured => caller.setting(&error).unwrap_or("key_id"),
        KekErrorKind::Unauthenticated => caller.setting(&error).unwrap_or(key),
        _ => key,
    };
    let explained = KekError::new(kind, operation, path);
    let explained = match remedy(&error, operation, place) {
        Some(remedy) => explained.with_remedy(remedy),
        None => explained,
    };
    explained.with_source(error)
}

/// Maps a failure to establish a session.
pub(super) fn of_connecting(error: AwsError) -> KekError {
    let path = match error.http() {
        Some(_) => "endpoint",
        None => "region",
    };
    KekError::new(KekErrorKind::Misconfigured, "connect", path)
        .with_remedy(connecting(&error))
        .with_source(error)
}

/// Returns the state of the key that an error is about:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>
fn state(error: &AwsError) -> Option<Unusable> {
    match error.kind() {
        AwsErrorKind::KeyDisabled | AwsErrorKind::WrongState if error.concerns_key_deletion() => {
            Some(Unusable::PendingDeletion)
        }
        AwsErrorKind::KeyDisabled => Some(Unusable::Disabled),
        AwsErrorKind::WrongState if error.concerns_key_import() => Some(Unusable::PendingImport),
        AwsErrorKind::WrongState => Some(Unusable::Unavailable),
        _ => None,
    }
}

fn remedy(error: &AwsError, operation: &'static str, place: Place<'_>) -> Option<String> {
    let Place {
        key,
        region,
        caller,
    } = place;
    Some(match error.kind() {
        AwsErrorKind::NotFound => format!(
            "Check key_id and region: {region} has no key {key} in this account. A deleted key \
             does not come back, and none is created in its place."
        ),
        AwsErrorKind::PermissionDenied if error.is_explicit_deny() => format!(
            "A policy denies {} on {key} explicitly, and no grant overrides that. Find the \
             statement with Effect Deny in the key policy, the policies of {} or the \
             organization's policies, and exempt this key.",
            action(error, operation),
            whom(error, caller)
        ),
        AwsErrorKind::PermissionDenied => format!(
            "Add this statement to the policy of the key {key}:\n{}",
            statement(error, operation, caller)
        ),
        AwsErrorKind::Undecipherable => format!(
            "The wrapped key is not of the key {key} and this encryption context, or it was \
             altered. Restore the envelope from a backup."
        ),
        AwsErrorKind::InvalidParameter => format!(
            "Check key_id: a symmetric encryption key of {region}, by its key ID, alias, or the \
             ARN of either."
        ),
        AwsErrorKind::RateLimited => format!(
            "AWS KMS limits an account's cryptographic operations in {region}. Raise the \
             resource's timeouts, lower -parallelism, or ask AWS for a higher request quota."
        ),
        _ => return caller.remedy(error, region),
    })
}

/// Returns the action to grant. AWS names it: `ReEncrypt` takes two.
fn action(error: &AwsError, operation: &str) -> String {
    let named = error.denied_action().map(str::to_owned);
    named.unwrap_or_else(|| format!("kms:{operation}"))
}

/// Returns the statement of a key policy that permits the denied action, and no other.
fn statement(error: &AwsError, operation: &str, caller: &Caller) -> String {
    let actions = match (error.denied_action(), operation) {
        (None, "ReEncrypt") => r#"["kms:ReEncryptFrom", "kms:ReEncryptTo"]"#.to_owned(),
        _ => format!("{:?}", action(error, operation)),
    };
    format!(
        "{{\n  \"Effect\": \"Allow\",\n  \"Principal\": {{\"AWS\": {:?}}},\n  \"Action\": \
         {actions},\n  \"Resource\": \"*\"\n}}",
        whom(error, caller)
    )
}

fn whom(error: &AwsError, caller: &Caller) -> String {
    principal(error.principal(), caller.role_arn())
}

/// Returns the principal for a key policy. A session's ARN changes with every session, so
/// it is that of the session's role.
fn principal(named: Option<&str>, configured_role: Option<&str>) -> String {
    let Some(named) = named else {
        return configured_role
            .unwrap_or("<ARN of the identity in use>")
            .to_owned();
    };
    let Some((head, session)) = named.split_once(":assumed-role/") else {
        return named.to_owned();
    };
    let name = session.split('/').next().unwrap_or(session);
    match configured_role {
        // The ARN of a session lacks the role's path.
        Some(role) if role.rsplit('/').next() == Some(name) => role.to_owned(),
        _ => format!("{}:role/{name}", head.replacen(":sts:", ":iam:", 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principal_of_a_session_is_its_role_with_the_path_if_it_is_known() {
        let session = "arn:aws:sts::123456789012:assumed-role/ci/run";
        let role = "arn:aws:iam::123456789012:role/team/ci";
        let user = "arn:aws:iam::123456789012:user/ci";
        for (named, configured, expected) in [
            (None, None, "<ARN of the identity in use>"),
            (None, Some(role), role),
            (Some(user), Some(role), user),
            (Some(session), Some(role), role),
            (Some(session), None, "arn:aws:iam::123456789012:role/ci"),
            (
                Some(session),
                Some("arn:aws:iam::123456789012:role/other"),
                "arn:aws:iam::123456789012:role/ci",
            ),
        ] {
            assert_eq!(principal(named, configured), expected, "{named:?}");
        }
    }
}

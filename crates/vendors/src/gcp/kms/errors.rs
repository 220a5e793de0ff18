//! Maps errors of Cloud KMS to errors of a key, with their remedies.

use super::key_name::gcloud_options;
use crate::gcp::client::{GcpError, GcpErrorKind};
use planton_core::kek::{KekError, KekErrorKind};

/// A method of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KmsOperation {
    Get,
    Encrypt,
    Decrypt,
}

impl KmsOperation {
    /// Returns the vendor's name of the method.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "GetCryptoKey",
            Self::Encrypt => "Encrypt",
            Self::Decrypt => "Decrypt",
        }
    }

    /// Returns the last part of the method's address.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Get => "",
            Self::Encrypt => ":encrypt",
            Self::Decrypt => ":decrypt",
        }
    }

    /// Returns the permission that the method requires, and the role that contains it:
    /// <https://cloud.google.com/kms/docs/reference/permissions-and-roles>.
    fn grant(self) -> (&'static str, &'static str) {
        const BOTH: &str = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
        match self {
            Self::Get => ("cloudkms.cryptoKeys.get", "roles/cloudkms.viewer"),
            Self::Encrypt => ("cloudkms.cryptoKeyVersions.useToEncrypt", BOTH),
            Self::Decrypt => ("cloudkms.cryptoKeyVersions.useToDecrypt", BOTH),
        }
    }
}

/// Maps the error of a request for `key` to an error of the key. `version` is the one that
/// a wrap is under.
pub(super) fn explain(
    error: GcpError,
    operation: KmsOperation,
    key: &str,
    version: Option<u64>,
) -> KekError {
    use GcpErrorKind as G;
    use KekErrorKind as K;
    let parts = error.into_parts();
    // A failed token request has its own operation, path and remedy.
    let is_of_token = parts.operation != operation.name();
    let unusable = |why: Unusable| (why.kind(), Some(why.remedy(key, version)));
    let (kind, remedy) = match parts.kind {
        G::NotFound => (K::NotFound, Some(missing(key))),
        // The only state that these methods require is that of a version:
        // https://cloud.google.com/kms/docs/key-states
        G::FailedPrecondition if operation != KmsOperation::Get => unusable(Unusable::Unknown),
        G::KeyDisabled => unusable(Unusable::Disabled),
        G::KeyPendingDestruction => unusable(Unusable::PendingDestruction),
        G::KeyDestroyed => unusable(Unusable::Destroyed),
        G::PermissionDenied => (K::PermissionDenied, Some(grant(operation, key))),
        G::Unauthenticated => (K::Unauthenticated, None),
        G::RateLimited => (K::RateLimited, Some(quota(key))),
        G::Unavailable | G::Aborted => (K::Unavailable, None),
        G::InvalidArgument if operation == KmsOperation::Decrypt => (K::Refused, None),
        G::Unexpected | G::AlreadyExists => (K::Unexpected, None),
        G::InvalidArgument | G::FailedPrecondition | G::Misconfigured => (K::Misconfigured, None),
    };
    // For a rate limit, the client's own remedy names no quota.
    let own = parts
        .remedy
        .filter(|_| parts.kind != G::RateLimited || is_of_token);
    let path = match is_of_token {
        true => parts.path,
        false => key.to_owned(),
    };
    let mut explained = KekError::new(kind, parts.operation, path);
    if let Some(remedy) = own.or(remedy.filter(|_| !is_of_token)) {
        explained = explained.with_remedy(remedy);
    }
    match parts.source {
        Some(source) => explained.with_source(source),
        None => explained,
    }
}

fn missing(key: &str) -> String {
    format!(
        "Check key_name: there is no key {key:?}. Keys and key rings of Cloud KMS cannot be \
         deleted, so the name, the location or the project is another one. No key is created in \
         its place."
    )
}

/// Why a version of a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    Disabled,
    PendingDestruction,
    Destroyed,
    /// Cloud KMS does not say which of them.
    Unknown,
}

impl Unusable {
    /// Reads the state of a version:
    /// <https://cloud.google.com/kms/docs/reference/rest/v1/CryptoKeyVersionState>.
    pub(super) fn of_state(state: &str) -> Self {
        match state {
            "DISABLED" => Self::Disabled,
            "DESTROY_SCHEDULED" => Self::PendingDestruction,
            "DESTROYED" => Self::Destroyed,
            _ => Self::Unknown,
        }
    }

    pub(super) fn kind(self) -> KekErrorKind {
        match self {
            Self::Disabled | Self::Unknown => KekErrorKind::Disabled,
            Self::PendingDestruction => KekErrorKind::PendingDeletion,
            Self::Destroyed => KekErrorKind::Destroyed,
        }
    }

    /// Returns how the version is made usable again.
    pub(super) fn remedy(self, key: &str, version: Option<u64>) -> String {
        let options = gcloud_options(key).unwrap_or_default();
        let (what, number) = match version {
            Some(version) => (format!("Version {version}"), version.to_string()),
            None => (
                "The primary version".to_owned(),
                "<primary version>".to_owned(),
            ),
        };
        let gcloud = |command| format!("gcloud kms keys versions {command} {number} {options}");
        let (enable, restore) = (gcloud("enable"), gcloud("restore"));
        match self {
            Self::Disabled => format!(
                "{what} of {key:?} is disabled. Nothing else is used in its place. To enable \
                 it:\n  {enable}"
            ),
            Self::PendingDestruction => format!(
                "{what} of {key:?} is scheduled for destruction. After that, nothing that was \
                 sealed under it alone can be opened. To keep it:\n  {restore}\n  {enable}"
            ),
            // https://cloud.google.com/kms/docs/destroy-restore
            Self::Destroyed => format!(
                "{what} of {key:?} was destroyed. Nothing else is used in its place. Only an escrow \
                 key opens what was sealed under it, unless the version was imported and the same \
                 material is imported again."
            ),
            Self::Unknown => format!(
                "{what} of {key:?} is not enabled. Nothing else is used in its place. To enable \
                 it:\n  {enable}\nA version that is scheduled for destruction is restored \
                 first:\n  {restore}\nA destroyed version cannot be restored."
            ),
        }
    }
}

/// Returns the role to grant, with the command that grants it:
/// <https://cloud.google.com/sdk/gcloud/reference/kms/keys/add-iam-policy-binding>.
fn grant(operation: KmsOperation, key: &str) -> String {
    let (permission, role) = operation.grant();
    format!(
        "Grant {role}, which contains {permission}, to the account in use, with its own name in \
         place of MEMBER:\n  gcloud kms keys add-iam-policy-binding {key} --role={role} \
         --member=MEMBER\nA grant takes some minutes to apply. Without any role in the project, \
         Cloud KMS returns the same for a key that does not exist: check key_name as well."
    )
}

/// <https://cloud.google.com/kms/quotas>
fn quota(key: &str) -> String {
    let project = key.split('/').nth(1).unwrap_or_default();
    format!(
        "Cloud KMS limits the cryptographic requests of the project of the credential, and those \
         to HSM and external keys of {project}, by the minute. Raise the resource's timeouts, \
         lower -parallelism, or ask Google for a higher quota."
    )
}

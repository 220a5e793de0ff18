//! Diagnostics of a secret.

use uuid::Uuid;

use super::Named;
use planton_core::names::{SecretName, Slug};
use planton_core::operations::{ExistingRecord, InvalidGenerate};
use planton_core::store::StoreError;
use planton_plugin::Diagnostic;

/// Rejects the destruction or replacement of a protected secret.
pub(crate) fn deletion_protected(name: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Deletion Protected",
        format!(
            "Secret {name:?} has deletion_protection = true, so it can be neither destroyed nor \
             replaced.\n\nTo destroy or replace it, set deletion_protection to false and apply that \
             first."
        ),
    )
    .at("deletion_protection")
}

/// Rejects a secret that would take the name of a retained one.
pub(super) fn retained(name: &SecretName) -> Diagnostic {
    Diagnostic::error(
        "Retained Secret Not Replaceable",
        format!(
            "Secret {:?} has on_destroy = \"retain\", so it keeps its name. Nothing was \
             changed.\n\nTo replace it, set on_destroy to \"delete\" where it is managed, and apply \
             that first. To keep it, give the new secret another name.",
            name.to_string()
        ),
    )
    .at("takes_over")
}

/// Rejects a second resource of the same name in one configuration.
pub(super) fn declared_twice(name: &SecretName) -> Diagnostic {
    let name = name.to_string();
    Diagnostic::error(
        "Secret Declared Twice",
        format!(
            "Another resource of this configuration already created secret {name:?} in this \
             run.\n\nGive each resource its own name or environment. Or declare the secret once, \
             and refer to that resource from both places."
        ),
    )
    .at("name")
}

/// Rejects a plan in which two resources create a secret of the same name.
pub(crate) fn planned_twice(name: &SecretName) -> Diagnostic {
    let name = name.to_string();
    Diagnostic::error(
        "Secret Declared Twice",
        format!(
            "Two resources of this plan create secret {name:?}. The second creation would fail, \
             perhaps after Terraform has destroyed the secret that it replaces.\n\nGive each \
             resource its own name or environment. Or declare the secret once, and refer to that \
             resource from both places. To destroy everything, run terraform destroy \
             -refresh=false."
        ),
    )
    .at("name")
}

pub(super) fn not_found(secret: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Not Found",
        format!(
            "Secret {secret:?} does not exist in this organization.\n\nCheck its name and its \
             environment. A secret of organization scope has no environment."
        ),
    )
}

pub(super) fn version_not_found(secret: &str, version: u64) -> Diagnostic {
    Diagnostic::error(
        "Secret Version Not Found",
        format!(
            "Secret {secret:?} has no version {version}: it was never written, or keep_versions no \
             longer covers it.\n\nChoose another version, or omit version to read the current one."
        ),
    )
}

pub(super) fn version_lost(secret: &str, version: u64) -> Diagnostic {
    Diagnostic::error(
        "Secret Version Missing",
        format!(
            "The catalog names version {version} of secret {secret:?}, but its backend does \
             not contain it. The object was deleted there.\n\nRun terraform apply where the secret \
             is managed: it writes the value again as a new version. If this configuration \
             manages the secret, make the read wait for that version:\n\n  version = \
             planton_secret.<name>.version\n\nOr write it first: terraform apply \
             -target=planton_secret.<name>."
        ),
    )
}

pub(super) fn already_exists(
    name: &SecretName,
    uuid: Uuid,
    existing: &ExistingRecord,
) -> Diagnostic {
    Diagnostic::error(
        "Secret Already Exists",
        format!(
            "{}\n\nIf this apply is to replace that very secret under create_before_destroy, choose \
             another name, or set takes_over = \"{uuid}\". Do not set it for a secret of another \
             state, which would lose its name. To keep a tainted secret instead, run terraform \
             untaint.",
            Named::secret(name).already_exists(existing)
        ),
    )
}

pub(super) fn changed_concurrently(name: Option<&SecretName>) -> Diagnostic {
    let what = name.map_or_else(
        || "The secret".to_owned(),
        |name| format!("Secret {:?}", name.to_string()),
    );
    super::changed_concurrently("Secret", &what)
}

pub(super) fn moved(name: &SecretName, backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Catalog Record Altered",
        format!(
            "The record of secret {:?} names backend {:?}, but the state names another one. The \
             provider never moves a secret, so the record was altered.\n\nFind out who can \
             write to the platform's storage, and restore the record from a backup.",
            name.to_string(),
            backend.as_str()
        ),
    )
}

pub(super) fn rolled_back(name: &SecretName, seen: u64, found: u64) -> Diagnostic {
    Diagnostic::error(
        "Catalog Rolled Back",
        format!(
            "The record of secret {:?} is older than the one that this state has seen: its \
             generation was {seen}, and is {found} now. An old backup was restored, or old records \
             were replayed.\n\nIf the restore was intended, run terraform-provider-planton \
             platform accept-rollback: the guide \"Restore a backup\" says what it gives up. \
             Otherwise find out who can write to the platform's storage.",
            name.to_string()
        ),
    )
}

pub(super) fn value_too_large(bytes: usize, limit: usize, vendor: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Value Too Large",
        format!(
            "The value has {bytes} bytes, but {vendor} stores at most {limit} bytes in one secret \
             (the backend's limit minus the largest envelope). Nothing was written.\n\nSplit \
             the value; or store it elsewhere, and only its encryption key here."
        ),
    )
}

pub(super) fn envelope_malformed(secret: &str, version: u64) -> Diagnostic {
    Diagnostic::error(
        "Stored Secret Malformed",
        format!(
            "The object that the backend returned for version {version} of secret {secret:?} is \
             not an envelope of this provider: it was truncated or overwritten there.\n\nWrite the \
             value again by changing value_wo_version, and find out who can write to the backend."
        ),
    )
}

pub(super) fn envelope_refused(secret: &str, version: u64) -> Diagnostic {
    Diagnostic::error(
        "Stored Secret Rejected",
        format!(
            "The envelope of version {version} of secret {secret:?} failed its verification: it \
             is not the one that the catalog names, it was altered, or it belongs to another \
             secret or key.\n\nWrite the value again by changing value_wo_version, and find out who \
             can write to the backend."
        ),
    )
}

pub(super) fn invalid_generate(reason: &InvalidGenerate) -> Diagnostic {
    Diagnostic::error(
        "Value Cannot Be Generated",
        format!("{reason}.\n\nCorrect the generate argument."),
    )
}

pub(super) fn nothing_to_copy(backend: &Slug, remote_name: &str) -> Diagnostic {
    Diagnostic::error(
        "Nothing To Copy",
        format!(
            "Backend {:?} has no object {remote_name:?} to copy.\n\nCheck the object's name with \
             the vendor's own tools. The built-in backend contains objects of this provider only, \
             and none of them can be copied.",
            backend.as_str()
        ),
    )
}

pub(super) fn not_copyable(backend: &Slug, remote_name: &str, error: &StoreError) -> Diagnostic {
    Diagnostic::error(
        "Object Cannot Be Copied",
        format!(
            "Object {remote_name:?} on backend {:?} was not copied. {}\n\nCheck the object's \
             name with the vendor's own tools.",
            backend.as_str(),
            error.remedy().unwrap_or("Its value is not text.")
        ),
    )
}

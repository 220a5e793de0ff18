//! Diagnostics of the keys of a backend, and of what the provider block pins.

use super::by_kind;
use planton_core::kek::{KekError, KeyRotation, OrganizationFingerprint, pin_of};
use planton_core::names::Slug;
use planton_core::operations::{MAX_ESCROW_KEYS, MAX_FORMER_KEYS};
use planton_envelope::{KekId, MAX_WRAPS_BYTES};
use planton_plugin::{AttributePath, Diagnostic};

pub(super) fn not_allowed(key: &KekId) -> Diagnostic {
    Diagnostic::error(
        "Encryption Key Not Allowed",
        format!(
            "The key {pin:?} is not among the provider's allowed_key_ids, so nothing was encrypted \
             with it.\n\nIf the key is yours, add {pin:?} to allowed_key_ids. If you do not know \
             it, find out who added it to the organization or to the backend.",
            pin = pin_of(key)
        ),
    )
}

pub(super) fn probe_failed(error: &KekError) -> Diagnostic {
    let mut told = by_kind::kek(error);
    let failed = "The backend was not saved, since one of its keys cannot be used.";
    told.detail = format!("{failed}\n\n{}", told.detail);
    told
}

pub(super) fn declared_twice(key: &KekId) -> Diagnostic {
    twice(&format!("The key {:?} is declared twice.", pin_of(key)))
}

/// Rejects a block that names the key of another block.
pub(crate) fn same_key(first: &AttributePath, second: &AttributePath) -> Diagnostic {
    twice(&format!("{first} and {second} name the same key.")).at(second.clone())
}

fn twice(told: &str) -> Diagnostic {
    Diagnostic::error(
        "Encryption Key Declared Twice",
        format!(
            "{told} An escrow key is of use only if it is another key than the main one and the \
             other escrow keys.\n\nRemove one of the two, or name another key."
        ),
    )
}

pub(super) fn too_many(keys: usize) -> Diagnostic {
    Diagnostic::error(
        "Too Many Escrow Keys",
        format!(
            "{} escrow keys are declared, and at most {MAX_ESCROW_KEYS} are possible.\n\nRemove \
             some of them.",
            keys.saturating_sub(1)
        ),
    )
}

pub(super) fn too_many_former(keys: usize) -> Diagnostic {
    Diagnostic::error(
        "Too Many Former Keys",
        format!(
            "With this change, the backend would have {keys} former encryption keys, and at most \
             {MAX_FORMER_KEYS} are possible: each is kept, with its credential, to open what it has \
             encrypted. The backend was not changed.\n\nMove the existing versions to the present \
             key, and let go of the former ones: run terraform-provider-planton rewrap, and then \
             terraform-provider-planton rewrap --remove-former-keys."
        ),
    )
}

/// Warns that the backend keeps its main key, though its settings name another one by now.
pub(crate) fn kept(backend: &Slug, key: &KekId) -> Diagnostic {
    Diagnostic::warning(
        "Moved Encryption Key Not Saved",
        format!(
            "The settings of the encryption key of secret backend \"{backend}\" name another key \
             than the saved one, such as an alias that was moved. The backend has \
             {MAX_FORMER_KEYS} former keys, the maximum, so new versions are still encrypted with \
             {:?}.\n\nMove the existing versions to the present key, and remove the former keys: \
             run terraform-provider-planton rewrap, and then terraform-provider-planton rewrap \
             --remove-former-keys. The next plan then shows the change.",
            pin_of(key)
        ),
    )
}

/// Warns that nothing rotates a backend's main key by itself; `None` if something does, or if
/// that is unknown.
pub(crate) fn not_rotated(
    backend: &Slug,
    key: &KekId,
    rotation: KeyRotation,
) -> Option<Diagnostic> {
    let (what, remedy) = match rotation {
        KeyRotation::Every(_) | KeyRotation::Automatic | KeyRotation::Unknown => return None,
        KeyRotation::Manual => (
            "has no automatic rotation",
            "Enable automatic rotation in the key service, or rotate the key on a schedule of your \
             own.",
        ),
        KeyRotation::Never => (
            "cannot rotate: its key material was imported, or is kept outside the service",
            "Replace the key on a schedule of your own: change encryption, and run \
             terraform-provider-planton rewrap.",
        ),
    };
    Some(Diagnostic::warning(
        "Encryption Key Not Rotated",
        format!(
            "The encryption key of secret backend \"{backend}\", {:?}, {what}.\n\n{remedy} Existing \
             versions stay readable after a rotation.",
            pin_of(key)
        ),
    ))
}

pub(super) fn wraps_too_long(bytes: usize) -> Diagnostic {
    Diagnostic::error(
        "Too Many Encryption Keys",
        format!(
            "Data keys wrapped under all keys of this backend may take {bytes} bytes, and an \
             envelope reserves {MAX_WRAPS_BYTES} for them.\n\nRemove an escrow key, or replace \
             one by a key of a type with shorter wraps, such as age or vault_transit."
        ),
    )
}

/// Reports that a command that adds wraps is not told which keys may get any.
pub(super) fn pins_missing(fingerprint: bool, allowed_key_ids: bool) -> Diagnostic {
    let missing = [
        (fingerprint, "PLANTON_ORGANIZATION_FINGERPRINT"),
        (allowed_key_ids, "PLANTON_ALLOWED_KEY_IDS"),
    ];
    let missing = missing.into_iter().filter(|(is_missing, _)| *is_missing);
    let missing: Vec<_> = missing.map(|(_, name)| name).collect();
    Diagnostic::error(
        "Pins Required",
        format!(
            "This command relies on the keys that the catalog or a backup names, and has no state \
             that remembers them. So it must be told which ones are yours: {} {} not set.\n\nRun \
             terraform-provider-planton platform status on a machine that you trust, compare the \
             keys with those that you know, and set the variables to what it prints.",
            missing.join(" and "),
            if missing.len() == 1 { "is" } else { "are" }
        ),
    )
}

/// Reports what a rewrap would be denied, each missing permission with its remedy.
pub(crate) fn rewrap_denied(denials: &[KekError]) -> Diagnostic {
    let each: Vec<_> = denials
        .iter()
        .map(|error| match error.remedy() {
            Some(remedy) => format!("{error}. {remedy}"),
            None => format!("{error}."),
        })
        .collect();
    Diagnostic::error(
        "Rewrap Not Permitted",
        format!(
            "The credential in use lacks {} that the rewrap needs. Nothing was changed.\n\n{}",
            match denials.len() {
                1 => "a permission".to_owned(),
                several => format!("{several} permissions"),
            },
            each.join("\n\n")
        ),
    )
}

pub(super) fn escrow_not_found(key: &KekId) -> Diagnostic {
    Diagnostic::error(
        "Escrow Key Not Found",
        format!(
            "The organization has no escrow key {:?}; another command may have removed it. Nothing \
             was changed.\n\nRun terraform-provider-planton platform escrow list.",
            pin_of(key)
        ),
    )
}

/// Reports an identity that cannot vouch for the catalog.
pub(super) fn no_escrow_identity(escrow: &[KekId]) -> Diagnostic {
    let keys = match escrow {
        [] => "The organization has no escrow key.".to_owned(),
        keys => {
            let pins: Vec<_> = keys.iter().map(pin_of).collect();
            format!("Its escrow keys are:\n  {}", pins.join("\n  "))
        }
    };
    Diagnostic::error(
        "Not An Escrow Identity",
        format!(
            "The organization's MAC key is not wrapped for the given identity, so the identity \
             proves nothing about this catalog. Nothing was created or written. {keys}\n\nPass the \
             identity file of an escrow key of the organization. To move a single backend with \
             the identity of that backend's own escrow key, pass --backend as well."
        ),
    )
}

pub(super) fn another_fingerprint(
    organization: &Slug,
    expected: OrganizationFingerprint,
    found: Option<OrganizationFingerprint>,
) -> Diagnostic {
    let what = match found {
        Some(found) => format!(
            "Organization {:?} has the fingerprint {found} on this platform, and the provider \
             expects {expected}. It is another organization of this name, or its MAC key was \
             replaced. Nothing was read or written.\n\nCheck the platform's address. If the \
             platform was set up anew on purpose, set organization_fingerprint to the new \
             fingerprint.",
            organization.as_str()
        ),
        None => format!(
            "Organization {:?} does not exist on this platform, and the provider expects the \
             fingerprint {expected}. Nothing was created.\n\nCheck the platform's address. To \
             create a new organization, remove organization_fingerprint for the first apply, or \
             run terraform-provider-planton platform init.",
            organization.as_str()
        ),
    };
    Diagnostic::error("Organization Fingerprint Mismatch", what)
}

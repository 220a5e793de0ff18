//! What a wrapped key belongs to: a binding, and names for the log of a KMS.

use planton_envelope::WrapBinding;

use crate::names::{SecretName, Slug};

/// What a wrapped key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// A version of a secret.
    Secret,
    /// The credential of a secret backend.
    BackendCredential,
    /// The credential of a KEK.
    KekCredential,
    /// A throw-away key, before a KEK is saved.
    KekProbe,
    /// The marker of a secret backend, which is no secret.
    BackendMarker,
    /// The organization's MAC key.
    MacKey,
}

impl KeyPurpose {
    const ALL: [Self; 6] = [
        Self::Secret,
        Self::BackendCredential,
        Self::KekCredential,
        Self::KekProbe,
        Self::BackendMarker,
        Self::MacKey,
    ];

    /// Returns the purpose of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// Returns the name that an encryption context contains.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::BackendCredential => "backend-credential",
            Self::KekCredential => "kek-credential",
            Self::KekProbe => "kek-probe",
            Self::BackendMarker => "backend-marker",
            Self::MacKey => "mac-key",
        }
    }
}

/// The names of what a wrapped key belongs to. A KMS that logs an encryption context
/// shows them, and its key policy may require them.
///
/// # Security
///
/// Names only, never a value. They come from the verified record, not from an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrapNames {
    /// The organization.
    pub organization: Slug,
    /// The secret, or the backend whose credential it is; absent for a MAC key.
    pub object: Option<WrapObject>,
    /// What the wrapped key is for.
    pub purpose: KeyPurpose,
}

/// The object that a wrapped key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrapObject {
    /// A secret.
    Secret(SecretName),
    /// A secret backend.
    Backend(Slug),
}

impl WrapNames {
    /// Names a version of a secret.
    #[must_use]
    pub fn secret(organization: &Slug, name: &SecretName) -> Self {
        Self {
            organization: organization.clone(),
            object: Some(WrapObject::Secret(name.clone())),
            purpose: KeyPurpose::Secret,
        }
    }

    /// Names what belongs to a backend: its marker, its credential, or that of a KEK.
    #[must_use]
    pub fn backend(organization: &Slug, backend: &Slug, purpose: KeyPurpose) -> Self {
        Self {
            organization: organization.clone(),
            object: Some(WrapObject::Backend(backend.clone())),
            purpose,
        }
    }

    /// Names the organization's MAC key.
    #[must_use]
    pub fn mac_key(organization: &Slug) -> Self {
        Self {
            organization: organization.clone(),
            object: None,
            purpose: KeyPurpose::MacKey,
        }
    }

    /// Binds a wrap by `kek` to `binding` under these names.
    #[must_use]
    pub fn bound(&self, binding: WrapBinding) -> WrapContext<'_> {
        WrapContext {
            binding,
            names: self,
        }
    }
}

/// What one wrap is bound to.
#[derive(Clone, Copy, Debug)]
pub struct WrapContext<'a> {
    /// The cryptographic binding; it covers the KEK's identifier.
    pub binding: WrapBinding,
    /// The names.
    pub names: &'a WrapNames,
}

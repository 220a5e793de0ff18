//! What a sealed credential is for: the credential of a backend, or of a KEK.

use uuid::Uuid;

use crate::kek::{KekSettings, KeyPurpose, WrapNames};
use crate::names::Slug;
use crate::store::StoreSettings;
use planton_envelope::{Context, Purpose};

/// What a credential belongs to: a backend, or the organization.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CredentialOwner<'a> {
    uuid: Uuid,
    name: Option<&'a Slug>,
}

impl<'a> CredentialOwner<'a> {
    /// A backend.
    pub(crate) fn backend(uuid: Uuid, name: &'a Slug) -> Self {
        Self {
            uuid,
            name: Some(name),
        }
    }

    /// The organization, whose own UUID every context contains.
    pub(crate) fn organization() -> Self {
        Self {
            uuid: Uuid::nil(),
            name: None,
        }
    }

    /// Returns the names that a KMS logs.
    pub(crate) fn names(&self, organization: &Slug, purpose: KeyPurpose) -> WrapNames {
        match self.name {
            Some(backend) => WrapNames::backend(organization, backend, purpose),
            None => WrapNames {
                purpose,
                ..WrapNames::mac_key(organization)
            },
        }
    }
}

/// The settings that a credential is for. It opens with exactly these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CredentialUse<'a> {
    owner: CredentialOwner<'a>,
    purpose: Purpose,
    /// The type that the settings are of.
    pub(crate) kind: &'a str,
    settings_digest: [u8; 32],
}

impl<'a> CredentialUse<'a> {
    /// The credential with which a backend is reached.
    pub(crate) fn store(owner: CredentialOwner<'a>, settings: &'a StoreSettings) -> Self {
        Self {
            owner,
            purpose: Purpose::BackendCredential,
            kind: &settings.kind,
            settings_digest: settings.digest(),
        }
    }

    /// The credential with which a KEK of a backend is reached.
    pub(crate) fn kek(owner: CredentialOwner<'a>, settings: &'a KekSettings) -> Self {
        Self {
            owner,
            purpose: Purpose::KekCredential,
            kind: &settings.kind,
            settings_digest: settings.digest(),
        }
    }

    /// Returns the context of the envelope.
    pub(crate) fn context(&self, organization: Uuid, version: u64) -> Context {
        Context {
            purpose: self.purpose,
            organization,
            object: self.owner.uuid,
            backend: self.owner.uuid,
            version,
            extension: Some(self.settings_digest),
        }
    }

    /// Returns the names that a KMS logs.
    pub(crate) fn names(&self, organization: &Slug) -> WrapNames {
        let purpose = match self.purpose {
            Purpose::KekCredential => KeyPurpose::KekCredential,
            _ => KeyPurpose::BackendCredential,
        };
        self.owner.names(organization, purpose)
    }
}

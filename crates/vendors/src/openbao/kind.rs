//! The types of backend that have Vault's API.

use super::client::ServerVendor;

/// The vendor of a backend's server, by the type that a practitioner writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultKind {
    /// `hashicorp_vault`.
    HashiCorpVault,
    /// `openbao`.
    OpenBao,
}

impl VaultKind {
    /// Parses the name of a backend type; `None` for another type.
    #[must_use]
    pub fn parse(kind: &str) -> Option<Self> {
        [Self::HashiCorpVault, Self::OpenBao]
            .into_iter()
            .find(|known| known.name() == kind)
    }

    /// Returns the name of the backend type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HashiCorpVault => "hashicorp_vault",
            Self::OpenBao => "openbao",
        }
    }

    /// Returns the vendor's name in messages.
    #[must_use]
    pub const fn vendor(self) -> &'static str {
        match self {
            Self::HashiCorpVault => "HashiCorp Vault",
            Self::OpenBao => "OpenBAO",
        }
    }
}

impl From<VaultKind> for ServerVendor {
    fn from(kind: VaultKind) -> Self {
        match kind {
            VaultKind::HashiCorpVault => Self::Vault,
            VaultKind::OpenBao => Self::OpenBao,
        }
    }
}

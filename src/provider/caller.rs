//! Who is about to use an organization.

/// Who is about to use an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A run of Terraform. What it refreshes needs no key.
    Run,
    /// A command that trusts the records.
    Ordinary,
    /// A command that writes the records of a backup, where the platform itself may be lost.
    Restoration,
    /// A command that prints the keys for somebody to compare, or that opens one envelope.
    Inspection,
    /// A command that creates the organization, or brings it here, and prints its keys.
    Creation,
}

impl Caller {
    /// Returns whether the caller may create the organization, and a platform for it.
    pub(super) fn may_create(self) -> bool {
        match self {
            Self::Run | Self::Restoration | Self::Creation => true,
            Self::Ordinary | Self::Inspection => false,
        }
    }

    /// Returns whether the caller works without a pinned fingerprint: it trusts no record, or
    /// prints the fingerprint.
    pub(super) fn needs_no_pin(self) -> bool {
        match self {
            Self::Inspection | Self::Creation => true,
            Self::Run | Self::Ordinary | Self::Restoration => false,
        }
    }
}

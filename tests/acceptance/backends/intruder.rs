//! Changes to a secret by a person with rights at the vendor, as far as each vendor
//! permits them.

use super::Place;

/// The payload that overwrites or follows the provider's.
pub(super) const THEIRS: &str = "somebody else's";

/// A change to a secret's current version, or to the whole secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The version is deleted: on KV its path, on AWS the staging labels that retain it.
    Deleted,
    /// The version's data is deleted, and recoverable.
    SoftDeleted,
    /// The version's data is destroyed.
    Destroyed,
    /// The version is disabled: it cannot be read.
    Disabled,
    /// A disabled version is enabled.
    Enabled,
    /// The version is overwritten.
    Overwritten,
    /// A newer version is added.
    Overtaken,
    /// The secret is scheduled for deletion. Until then, its name is taken.
    Scheduled,
    /// The secret is deleted for good, and another one gets its name.
    MadeAnew,
}

/// What the provider finds after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The version is lost. The provider writes the next one.
    VersionLost,
    /// The object is gone. The provider writes the next version to another object.
    Gone,
    /// Nothing changed.
    Nothing,
}

impl Place {
    /// Returns the changes that the vendor permits, each with the name of the secret that
    /// it changes.
    pub(super) fn deeds(&self) -> &'static [(&'static str, Deed, Found)] {
        self.fixture.deeds()
    }

    /// Makes the change `deed` to the version `native_id` of `object`, the vendor's name
    /// of the secret.
    pub(super) fn commit(&self, deed: Deed, object: &str, native_id: &str) {
        self.fixture.commit(deed, object, native_id);
    }

    /// Enables a disabled version.
    pub(super) fn enable(&self, object: &str, native_id: &str) {
        self.commit(Deed::Enabled, object, native_id);
    }
}

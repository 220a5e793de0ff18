//! What a person with rights at the vendor does to a secret, as far as each vendor
//! permits it.

use super::Place;

/// The payload that replaces or overtakes the provider's.
pub(super) const THEIRS: &str = "somebody else's";

/// What is done to a secret's current version, or to all of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The version is deleted: on KV its path, on AWS the labels that keep it.
    Deleted,
    /// The version's data is deleted, and can be recovered.
    SoftDeleted,
    /// The version's data is destroyed.
    Destroyed,
    /// The version cannot be read until it is enabled again.
    Disabled,
    /// A disabled version is enabled.
    Enabled,
    /// The version is overwritten.
    Overwritten,
    /// A newer version is put beside it.
    Overtaken,
    /// The secret is scheduled for deletion, and its name is taken until then.
    Scheduled,
    /// The secret is deleted for good, and another one has its name.
    MadeAnew,
}

/// What the provider finds after a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The version is lost: the next is written.
    VersionLost,
    /// The object is gone: the next version goes to another one.
    Gone,
    /// Nothing has changed.
    Nothing,
}

impl Place {
    /// Returns the deeds that the vendor permits, each with the name of the secret
    /// to which it is done.
    pub(super) fn deeds(&self) -> &'static [(&'static str, Deed, Found)] {
        self.fixture.deeds()
    }

    /// Does `deed` to the version `native_id` of `object`, the vendor's name of the
    /// secret.
    pub(super) fn commit(&self, deed: Deed, object: &str, native_id: &str) {
        self.fixture.commit(deed, object, native_id);
    }

    /// Enables a disabled version.
    pub(super) fn enable(&self, object: &str, native_id: &str) {
        self.commit(Deed::Enabled, object, native_id);
    }
}

//! What must hold.

/// A promise, named as a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// A version that a state was told of is named by the record, until its owner
    /// destroys it, or somebody names it to adopt or displace it.
    AcknowledgedVersionsStay,
    /// What a record names is in the store. So a cleanup deletes nothing that a
    /// record names, or names later.
    NamedObjectsExist,
    /// No run changes or destroys what another state owns, unless it was named.
    OwnersAloneChange,
    /// Only the record of a run that is named is adopted, and only unchanged.
    OnlyNamedRunsAreAdopted,
    /// A run destroys nothing that it adopted.
    AdoptedIsNotDestroyed,
    /// No record refers to a backend that was removed.
    NoSecretOnARemovedBackend,
    /// An object of a record on a backend of one's own has its entry.
    NamedObjectsHaveEntries,
    /// When all is still, each object can be found: a record names it, an entry
    /// leads to it, or its uuid leads to the name's document.
    ObjectsAreFound,
    /// A deletion of a backend that is refused leaves the backend as it was.
    RefusedDeletionsChangeNothing,
    /// Where nothing crashed and no answer was lost, nothing is left behind.
    NothingIsLeftWithoutACrash,
    /// The next runs of everybody bring everything to its end.
    NextRunsConverge,
}

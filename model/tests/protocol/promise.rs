//! The promises that must hold.

/// A promise, named as a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// The record names each version that a state received in a response. This ends when
    /// its owner destroys the secret, or when a run names it to adopt or displace it.
    AcknowledgedVersionsStay,
    /// Each object that a record names is in the store. A cleanup therefore never deletes
    /// an object that a record names or will name.
    NamedObjectsExist,
    /// No run changes or destroys a secret of another state that it does not name.
    OwnersAloneChange,
    /// A creation adopts only an unchanged record of a named run.
    OnlyNamedRunsAreAdopted,
    /// A run never destroys a secret that it adopted.
    AdoptedIsNotDestroyed,
    /// No record refers to a removed backend.
    NoSecretOnARemovedBackend,
    /// Each object of a record on a registered backend has its entry.
    NamedObjectsHaveEntries,
    /// In a quiescent world, each object can be found through a record, through an entry,
    /// or through its uuid, which gives the key of the document.
    ObjectsAreFound,
    /// A refused deletion of a backend leaves the backend unchanged.
    RefusedDeletionsChangeNothing,
    /// Without a crash or a lost response, nothing is left behind.
    NothingIsLeftWithoutACrash,
    /// The next runs of all states converge.
    NextRunsConverge,
}

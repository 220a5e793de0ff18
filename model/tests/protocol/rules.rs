//! The rules of the model, and the forbidden loosenings of them.

use crate::world::Document;

/// A rule of the design to omit. `loosened.rs` shows for each that a promise breaks
/// without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loosening {
    /// The look at the backend may precede the response to the entry, as with a
    /// cached or shared look.
    LooksBeforeTheEntry,
    /// A lagging node may serve the look at the backend.
    LooksUnfenced,
    /// The look at the backend compares the name and not the uuid.
    LooksAtNamesAlone,
    /// A cleanup removes the entry before the object.
    RemovesEntriesFirst,
    /// A destroy removes the entries before the record.
    RemovesEntriesBeforeTheRecord,
    /// A creation whose commit had a conflict cleans up without reading the document.
    RecognisesNothing,
    /// A commit is recognized by its write id alone.
    RecognisesWriteIdsAlone,
    /// A commit is recognized by its native id under any remote name.
    RecognisesNativeIdsAlone,
    /// A creation or heal counts as lost if the record names its object and not its
    /// version.
    RecognisesVersionsOnly,
    /// A creation whose commit had a conflict commits the same put on the new revision.
    CommitsOnAnotherRevision,
    /// A creation whose commit had a conflict starts over under the same remote name.
    BeginsAnewWithTheSamePut,
    /// A cleanup deletes other processes' objects and entries without raising.
    CleansWithoutRaising,
    /// A collection lists the versions to delete after the raise.
    ListsVersionsAfterTheRaise,
    /// A cleanup does not raise a tombstone.
    RaiseSkipsTombstones,
    /// A deletion of a backend lists the entries before the response to its mark.
    ListsBeforeTheMark,
    /// A refused deletion of a backend leaves its mark.
    KeepsTheMark,
    /// A backend's tombstone is written on any revision.
    TombstonesAnotherRevision,
    /// A deletion of a backend treats a record in `deleting` as absent.
    TakesDeletingForGone,
    /// A creation adopts an unchanged record although no run is named.
    AdoptsLookAlikes,
    /// A creation adopts a named run's record although it was changed since.
    AdoptsChangedRecords,
    /// A creation completes another state's record whose object is missing.
    CompletesOthersRecords,
    /// An adoption does not change the stamp.
    AdoptsWithoutStamping,
    /// A put of a further version creates a missing object.
    VersionsCreateObjects,
    /// An entry that was written beside the read is reused although a document
    /// exists.
    ReusesEarlyEntries,
    /// An entry that was written beside the read is reused over a tombstone.
    ReusesEarlyEntriesOverTombstones,
    /// A read stores the record's stamp in the state.
    ReadMovesStamps,
    /// An update does not compare the stamp.
    UpdatesUnderAnyStamp,
    /// A destroy does not compare the stamp.
    DestroysUnderAnyStamp,
    /// A run may destroy a secret that it adopted.
    DestroysAdopted,
    /// A heal puts under a new remote name and writes no entry.
    HealsWithoutEntry,
    /// A heal writes its entry and skips the look at the backend.
    HealsWithoutLook,
    /// A heal drops the lost name from the record.
    ForgetsLostNames,
    /// A process with an unclear put deletes the object and its entry.
    CleansUpUnclearPuts,
    /// A collection removes an entry without an object.
    CollectsBareEntries,
    /// A collection removes the entry of an object that it deleted.
    CollectsEntries,
    /// A deletion of a backend removes the entries before its tombstone.
    RemovesEntriesBeforeTheTombstone,
    /// A creation displaces any record of its name.
    DisplacesUnnamed,
}

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) loosening: Option<Loosening>,
    /// The document that a lagging node returns.
    pub(crate) stale: Option<Document>,
    /// Whether a creation whose commit had a conflict starts over in the same process.
    pub(crate) begins_anew: bool,
}

impl Rules {
    pub(crate) fn is(&self, loosening: Loosening) -> bool {
        self.loosening == Some(loosening)
    }
}

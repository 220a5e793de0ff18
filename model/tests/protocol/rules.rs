//! The rules that the model follows, and the looser ones that are forbidden.

use crate::world::Document;

/// A rule of the design that is left out. Each is kept to show that a promise
/// breaks without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loosening {
    /// The look at the backend may come before the entry was answered, as one
    /// that was cached or shared does.
    LooksBeforeTheEntry,
    /// The look at the backend may be answered by a node that lags.
    LooksUnfenced,
    /// Entry first, then object.
    RemovesEntriesFirst,
    /// A destroy removes the entries while the record is still there.
    RemovesEntriesBeforeTheRecord,
    /// A creation that lost its commit cleans up without a look at what won.
    RecognisesNothing,
    /// A commit is recognised by its write id alone.
    RecognisesWriteIdsAlone,
    /// A commit is recognised by its native id, under whatever remote name.
    RecognisesNativeIdsAlone,
    /// A creation or heal counts as lost once its own version is gone from the
    /// record, though the record names its object.
    RecognisesVersionsOnly,
    /// A creation that lost its commit commits the same put on the revision that
    /// it finds.
    CommitsOnAnotherRevision,
    /// A creation that lost its commit begins anew under the same remote name.
    BeginsAnewWithTheSamePut,
    /// Others' objects and entries are cleaned up after a look, without raising.
    CleansWithoutRaising,
    /// A collection deletes whatever versions it finds after it has raised.
    ListsVersionsAfterTheRaise,
    /// A tombstone is not raised.
    RaiseSkipsTombstones,
    /// A backend's deletion lists the entries before its mark is answered.
    ListsBeforeTheMark,
    /// A deletion of a backend that is refused leaves its mark.
    KeepsTheMark,
    /// A backend's tombstone is written on whatever revision is found.
    TombstonesAnotherRevision,
    /// A deletion of a backend takes a record in `deleting` for none.
    TakesDeletingForGone,
    /// A creation adopts an unchanged record though no run is named.
    AdoptsLookAlikes,
    /// A named run's record is adopted though it was changed since.
    AdoptsChangedRecords,
    /// A creation completes another's record whose object is gone.
    CompletesOthersRecords,
    /// An adoption keeps the stamp.
    AdoptsWithoutStamping,
    /// A further version creates the object where there is none.
    VersionsCreateObjects,
    /// An entry that was written beside the read serves for a document that
    /// turns out to stand there.
    ReusesEarlyEntries,
    /// An entry that was written beside the read serves over a tombstone.
    ReusesEarlyEntriesOverTombstones,
    /// Read takes over the stamp that it finds.
    ReadMovesStamps,
    /// An update does not compare the stamp.
    UpdatesUnderAnyStamp,
    /// A destroy does not compare the stamp.
    DestroysUnderAnyStamp,
    /// A run may destroy what it adopted.
    DestroysAdopted,
    /// A heal puts under a new remote name without an entry.
    HealsWithoutEntry,
    /// A heal writes its entry and does not look at the backend.
    HealsWithoutLook,
    /// A heal does not keep the lost name in the record.
    ForgetsLostNames,
    /// A process whose put was never answered deletes the object and its entry.
    CleansUpUnclearPuts,
    /// A collection removes an entry that leads to no object.
    CollectsBareEntries,
    /// A collection removes the entry of an object that it has deleted.
    CollectsEntries,
    /// A deletion of a backend removes the entries before its tombstone.
    RemovesEntriesBeforeTheTombstone,
    /// A creation replaces whatever stands under its name.
    DisplacesUnnamed,
}

/// What a model goes by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) loosening: Option<Loosening>,
    /// What a node that lags answers instead of the document.
    pub(crate) stale: Option<Document>,
    /// Whether a creation that lost its commit begins anew in the same process.
    pub(crate) begins_anew: bool,
}

impl Rules {
    pub(crate) fn is(&self, loosening: Loosening) -> bool {
        self.loosening == Some(loosening)
    }
}

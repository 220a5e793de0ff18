//! Shows that each rule is needed: without it, a promise breaks.

mod ownership;

use crate::promise::Promise;
use crate::rules::Loosening;
use crate::scenario::{
    FIRST_RUN, OWN, Scenario, collect, create, delete_backend, destroy, heal, on, register_backend,
    rotate,
};
use crate::world::{A, B, BUILT_IN};

/// Explores a scenario twice. Under the loosening, `promise` must break. Under the
/// rules in force, no promise may break.
fn breaks(scenario: Scenario, loosening: Loosening, promise: Promise) {
    let strict = scenario.explore();
    if let Some(found) = strict.counterexample {
        panic!("without loosening: {found}");
    }
    let found = scenario.loosened(loosening).explore().counterexample;
    let found = found.unwrap_or_else(|| panic!("{loosening:?} breaks nothing"));
    println!("{loosening:?}: {found}");
    assert_eq!(found.broken, promise, "{found}");
}

#[test]
fn a_look_before_the_entry() {
    let scenario = Scenario::new()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::LooksBeforeTheEntry,
        Promise::NoSecretOnARemovedBackend,
    );
}

#[test]
fn a_look_that_is_not_fenced() {
    let scenario = Scenario::new()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::LooksUnfenced,
        Promise::NoSecretOnARemovedBackend,
    );
}

#[test]
fn an_entry_removed_before_its_object() {
    let scenario = Scenario::new().process(create(A, 1)).process(create(B, 2));
    breaks(
        scenario,
        Loosening::RemovesEntriesFirst,
        Promise::ObjectsAreFound,
    );
}

#[test]
fn an_entry_removed_before_the_record() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .process(destroy(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::RemovesEntriesBeforeTheRecord,
        Promise::NoSecretOnARemovedBackend,
    );
}

#[test]
fn a_loser_that_does_not_look_at_what_won() {
    let scenario = Scenario::new().losing(1).process(create(A, 1));
    breaks(
        scenario,
        Loosening::RecognisesNothing,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn a_commit_recognised_by_its_write_id_alone() {
    let scenario = Scenario::new()
        .losing(1)
        .process(create(A, 1))
        .process(create(B, 2).resuming(1));
    breaks(
        scenario,
        Loosening::RecognisesWriteIdsAlone,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn a_commit_recognised_by_its_native_id_alone() {
    let scenario = Scenario::new().process(create(A, 1)).process(create(B, 2));
    breaks(
        scenario,
        Loosening::RecognisesNativeIdsAlone,
        Promise::AcknowledgedVersionsStay,
    );
}

#[test]
fn an_object_deleted_because_its_first_version_is_gone() {
    let scenario = Scenario::new()
        .losing(1)
        .process(create(A, 1))
        .process(create(B, 2).resuming(1))
        .process(rotate(B, 3).after(1));
    breaks(
        scenario,
        Loosening::RecognisesVersionsOnly,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn a_commit_on_another_revision() {
    let scenario = Scenario::new()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::CommitsOnAnotherRevision,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn a_creation_begun_anew_with_the_same_put() {
    let scenario = Scenario::new()
        .beginning_anew()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::BeginsAnewWithTheSamePut,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn a_cleanup_by_looking_alone() {
    let scenario = Scenario::new()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::CleansWithoutRaising,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn a_collection_of_versions_by_looking_alone() {
    let scenario = Scenario::new()
        .with_secret(BUILT_IN)
        .process(on(rotate(A, 1), BUILT_IN))
        .process(collect());
    breaks(
        scenario,
        Loosening::CleansWithoutRaising,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn a_raise_that_skips_tombstones() {
    let scenario = Scenario::new()
        .with_tombstone()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::RaiseSkipsTombstones,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn versions_listed_after_the_raise() {
    let scenario = Scenario::new()
        .with_secret(BUILT_IN)
        .process(on(rotate(A, 1), BUILT_IN))
        .process(on(rotate(A, 2), BUILT_IN).after(0))
        .process(collect());
    breaks(
        scenario,
        Loosening::ListsVersionsAfterTheRaise,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn entries_listed_before_the_mark() {
    let scenario = Scenario::new()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::ListsBeforeTheMark,
        Promise::NoSecretOnARemovedBackend,
    );
}

#[test]
fn a_mark_that_is_not_taken_back() {
    let scenario = Scenario::new().with_secret(OWN).process(delete_backend());
    breaks(
        scenario,
        Loosening::KeepsTheMark,
        Promise::RefusedDeletionsChangeNothing,
    );
}

#[test]
fn a_tombstone_on_another_revision_than_the_mark() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .without_crashes()
        .process(destroy(A, 1))
        .process(create(B, 2))
        .process(delete_backend())
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::TombstonesAnotherRevision,
        Promise::NoSecretOnARemovedBackend,
    );
}

#[test]
fn a_record_in_deletion_taken_for_gone() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .with_deletion_begun()
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::TakesDeletingForGone,
        Promise::NoSecretOnARemovedBackend,
    );
}

#[test]
fn a_further_version_that_creates_its_object() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .process(rotate(A, 1))
        .process(create(B, 2).resuming(FIRST_RUN))
        .process(destroy(B, 3).after(1));
    breaks(
        scenario,
        Loosening::VersionsCreateObjects,
        Promise::ObjectsAreFound,
    );
}

#[test]
fn an_early_entry_reused() {
    let scenario = Scenario::new()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::ReusesEarlyEntries,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn an_early_entry_reused_over_a_tombstone() {
    let scenario = Scenario::new()
        .with_tombstone()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::ReusesEarlyEntriesOverTombstones,
        Promise::NamedObjectsExist,
    );
}

#[test]
fn a_heal_without_an_entry() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .with_lost_object()
        .process(heal(A, 1));
    breaks(
        scenario,
        Loosening::HealsWithoutEntry,
        Promise::NamedObjectsHaveEntries,
    );
}

#[test]
fn a_heal_without_a_look() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .with_lost_object()
        .process(heal(A, 1))
        .process(create(B, 2).resuming(FIRST_RUN))
        .process(destroy(B, 3).after(1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::HealsWithoutLook,
        Promise::ObjectsAreFound,
    );
}

#[test]
fn a_lost_name_that_is_forgotten() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .with_lost_object()
        .process(heal(A, 1));
    breaks(
        scenario,
        Loosening::ForgetsLostNames,
        Promise::NothingIsLeftWithoutACrash,
    );
}

#[test]
fn a_put_without_an_answer_cleaned_up() {
    let scenario = Scenario::new().losing(1).process(create(A, 1));
    breaks(
        scenario,
        Loosening::CleansUpUnclearPuts,
        Promise::ObjectsAreFound,
    );
}

#[test]
fn a_bare_entry_collected() {
    let scenario = Scenario::new().process(create(A, 1)).process(collect());
    breaks(
        scenario,
        Loosening::CollectsBareEntries,
        Promise::ObjectsAreFound,
    );
}

#[test]
fn an_entry_collected_with_its_object() {
    let scenario = Scenario::new()
        .losing(1)
        .process(create(A, 1))
        .process(collect());
    breaks(
        scenario,
        Loosening::CollectsEntries,
        Promise::ObjectsAreFound,
    );
}

#[test]
fn entries_removed_before_the_backends_tombstone() {
    let scenario = Scenario::new()
        .process(create(A, 1))
        .process(delete_backend());
    breaks(
        scenario,
        Loosening::RemovesEntriesBeforeTheTombstone,
        Promise::ObjectsAreFound,
    );
}

#[test]
fn a_look_at_the_backends_name_alone() {
    let scenario = Scenario::new()
        .process(create(A, 1))
        .process(delete_backend())
        .process(register_backend().after(1));
    breaks(
        scenario,
        Loosening::LooksAtNamesAlone,
        Promise::NoSecretOnARemovedBackend,
    );
}

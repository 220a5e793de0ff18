//! Rules on who owns a record.

use super::*;
use crate::process::Kind;
use crate::scenario::command;

#[test]
fn a_look_alike_adopted() {
    let scenario = Scenario::new().with_secret(OWN).process(create(B, 1));
    breaks(
        scenario,
        Loosening::AdoptsLookAlikes,
        Promise::OnlyNamedRunsAreAdopted,
    );
}

#[test]
fn a_changed_record_adopted() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .process(rotate(A, 1))
        .process(create(B, 2).resuming(FIRST_RUN));
    breaks(
        scenario,
        Loosening::AdoptsChangedRecords,
        Promise::OnlyNamedRunsAreAdopted,
    );
}

#[test]
fn a_record_completed_for_another() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .with_lost_object()
        .process(create(B, 1));
    breaks(
        scenario,
        Loosening::CompletesOthersRecords,
        Promise::OwnersAloneChange,
    );
}

#[test]
fn an_adoption_that_keeps_the_stamp() {
    let scenario = Scenario::new()
        .with_unsaved_secret(OWN)
        .process(create(B, 1).resuming(FIRST_RUN));
    breaks(
        scenario,
        Loosening::AdoptsWithoutStamping,
        Promise::AcknowledgedVersionsStay,
    );
}

#[test]
fn a_read_that_moves_the_stamp() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .process(create(B, 1).resuming(FIRST_RUN))
        .process(command(Kind::Read, A, 2))
        .process(destroy(A, 3).after(1));
    breaks(
        scenario,
        Loosening::ReadMovesStamps,
        Promise::OwnersAloneChange,
    );
}

#[test]
fn an_update_under_another_stamp() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .process(create(B, 1).resuming(FIRST_RUN))
        .process(rotate(A, 2));
    breaks(
        scenario,
        Loosening::UpdatesUnderAnyStamp,
        Promise::OwnersAloneChange,
    );
}

#[test]
fn a_destroy_under_another_stamp() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .process(create(B, 1).resuming(FIRST_RUN))
        .process(destroy(A, 2));
    breaks(
        scenario,
        Loosening::DestroysUnderAnyStamp,
        Promise::OwnersAloneChange,
    );
}

#[test]
fn a_run_that_destroys_what_it_adopted() {
    let scenario = Scenario::new()
        .with_unsaved_secret(OWN)
        .process(create(B, 1).resuming(FIRST_RUN))
        .process(destroy(B, 1).after(0));
    breaks(
        scenario,
        Loosening::DestroysAdopted,
        Promise::AdoptedIsNotDestroyed,
    );
}

#[test]
fn a_secret_displaced_by_whoever_comes() {
    let scenario = Scenario::new().with_secret(OWN).process(create(B, 1));
    breaks(
        scenario,
        Loosening::DisplacesUnnamed,
        Promise::OwnersAloneChange,
    );
}

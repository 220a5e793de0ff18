//! The promises that must hold in every world, and in every quiescent world.

use crate::process::Process;
use crate::promise::Promise;
use crate::scenario::{OTHER, OWN, STATES};
use crate::world::{
    BUILT_IN, BackendState, Held, PUTS, Put, Record, World, bit, members, putter_of,
};

/// Returns the first promise that does not hold.
pub(crate) fn broken(world: &World) -> Option<Promise> {
    let checks: [(Promise, bool); 4] = [
        (
            Promise::AcknowledgedVersionsStay,
            STATES.iter().all(|state| acknowledged_stays(world, *state)),
        ),
        (Promise::NamedObjectsExist, named_objects_exist(world)),
        (
            Promise::NoSecretOnARemovedBackend,
            world
                .document
                .records()
                .all(|record| !world.is_removed(record.backend, record.backend_uuid)),
        ),
        (
            Promise::NamedObjectsHaveEntries,
            named_objects_have_entries(world),
        ),
    ];
    let found = checks.into_iter().find(|(_, holds)| !holds);
    found
        .map(|(promise, _)| promise)
        .or_else(|| broken_when_still(world))
}

/// Checks that each version that the state received in a response still exists.
fn acknowledged_stays(world: &World, state: u8) -> bool {
    let known = &world.states[usize::from(state)];
    known.held().all(|held| {
        if held.destroying || known.released & bit(held.uuid) != 0 {
            return true;
        }
        let record = world.document.record(held.uuid);
        record.is_some_and(|record| is_as_told(record, held, state))
    })
}

fn is_as_told(record: &Record, held: &Held, state: u8) -> bool {
    let as_told = record.remote == held.remote && record.native == held.native;
    record.is_ready() && record.stamp == held.stamp && (as_told || record.writer == state)
}

fn named_objects_exist(world: &World) -> bool {
    world
        .document
        .records()
        .filter(|record| record.is_ready())
        .all(|record| {
            let place = world.place(record.remote);
            place.has(record.native) || place.drifted
        })
}

fn named_objects_have_entries(world: &World) -> bool {
    let mut records = world.document.records().filter(|record| record.is_ready());
    records.all(|record| {
        record.backend == BUILT_IN || members(record.remotes()).all(|put| world.place(put).entry)
    })
}

/// Returns a promise that does not hold in a quiescent world.
fn broken_when_still(world: &World) -> Option<Promise> {
    if !world.is_quiescent() {
        return None;
    }
    let processes = &world.processes;
    let cut_off = processes.iter().any(Process::was_cut_off);
    for put in puts().filter(|put| is_orphan(world, *put)) {
        if !is_admitted(world, put) {
            return Some(Promise::ObjectsAreFound);
        }
    }
    let marked = [OWN, OTHER]
        .iter()
        .any(|backend| world.backend(*backend).state == BackendState::Deleting);
    if marked && !cut_off {
        return Some(Promise::RefusedDeletionsChangeNothing);
    }
    let left = puts().any(|put| {
        let place = world.place(put);
        let is_there = place.entry || place.versions != 0;
        is_there && world.document.naming(put).is_none()
    });
    (left && !cut_off).then_some(Promise::NothingIsLeftWithoutACrash)
}

fn puts() -> impl Iterator<Item = Put> {
    0..PUTS as Put
}

/// Returns true for an object that neither a record nor an entry of a present backend
/// leads to. On the built-in backend, the object's uuid leads to its document.
fn is_orphan(world: &World, put: Put) -> bool {
    let place = world.place(put);
    let is_listed = place.entry && !world.is_removed(place.backend, place.backend_uuid);
    place.versions != 0
        && place.backend != BUILT_IN
        && !is_listed
        && world.document.naming(put).is_none()
}

/// Returns true for the accepted exception: a creation was delayed before its put while
/// its backend was removed, and its process died after the put.
fn is_admitted(world: &World, put: Put) -> bool {
    let Some(putter) = putter_of(put) else {
        return false;
    };
    let place = world.place(put);
    place.cleaned
        && world.is_removed(place.backend, place.backend_uuid)
        && world.processes[putter].was_cut_off()
}

/// Returns true if the world contains the accepted exception.
pub(crate) fn has_admitted_orphan(world: &World) -> bool {
    puts().any(|put| is_orphan(world, put) && is_admitted(world, put))
}

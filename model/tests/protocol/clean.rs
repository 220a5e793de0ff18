//! Cleans up objects of other processes: reads the document, raises it, deletes. A
//! deletion of a backend handles every entry, a collection every object that it finds.

use crate::process::{At, Kind, Outcome, Then, Turn};
use crate::rules::Loosening;
use crate::world::{BUILT_IN, BackendState, PUTS, Put, World, bit, members};
use crate::write::{Change, Write};
use crate::{backend, destroy, step};

/// Lists the objects of the built-in backend, and the entries of the others.
pub(crate) fn collect(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    turn.go(step::LIST, |world| {
        let puts = 0..PUTS as Put;
        let found = puts.filter(|put| {
            let place = world.place(*put);
            let is_listed = if place.backend == BUILT_IN {
                place.versions != 0
            } else {
                place.entry
            };
            is_listed && !world.is_removed(place.backend, place.backend_uuid)
        });
        let pending = found.map(bit).sum();
        world.processes[pid].pending = pending;
        world.processes[pid].at = At::CleanLook;
    });
}

/// Reads the document of the next entry or object.
pub(crate) fn look(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let process = turn.process();
    let collects = process.command.kind == Kind::Collect;
    if process.pending == 0 {
        // Finding no further entry is not a step. The next step is the tombstone.
        let mark = process.mark;
        if collects {
            turn.go_noted(step::LIST, "all seen", |world| {
                world.processes[pid].end(Outcome::Done);
            });
        } else {
            let mut world = *turn.world;
            backend::plan_write(&mut world, pid, BackendState::Tombstone, mark);
            let mut next = Turn {
                rules: turn.rules,
                world: &world,
                pid,
                out: turn.out,
            };
            backend::write(&mut next);
        }
        return;
    }
    let put = next_pending(turn);
    let document = turn.world.document;
    match document.naming(put).copied() {
        Some(record) if record.is_ready() && collects => look_at_versions(turn, put, record.native),
        Some(_) if collects => skip(turn, put, "named"),
        Some(record) if record.is_ready() => refuse(turn),
        Some(record) if !turn.is(Loosening::TakesDeletingForGone) => {
            turn.go_noted(step::RAISE, "being deleted", |world| {
                let process = &mut world.processes[pid];
                process.then = Then::CleanLook;
                destroy::finish(process, &record, document.revision);
            });
        }
        _ if !turn.world.place(put).entry && !collects => skip(turn, put, "gone"),
        _ => look_at_unnamed(turn, put),
    }
}

fn next_pending(turn: &Turn<'_>) -> Put {
    Put::try_from(turn.process().pending.trailing_zeros()).expect("few puts")
}

fn skip(turn: &mut Turn<'_>, put: Put, note: &'static str) {
    let pid = turn.pid;
    turn.go_noted(step::RAISE, note, |world| {
        world.processes[pid].pending &= !bit(put);
    });
}

/// Keeps the backend, because a record names one of its objects.
fn refuse(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let keeps_mark = turn.is(Loosening::KeepsTheMark);
    let mark = turn.process().mark;
    turn.go_noted(step::RAISE, "in use", |world| {
        world.processes[pid].pending = 0;
        if keeps_mark {
            world.processes[pid].end(Outcome::Refused);
        } else {
            backend::plan_write(world, pid, BackendState::Ready, mark);
        }
    });
}

/// Plans to delete an object or an entry that no record names.
fn look_at_unnamed(turn: &mut Turn<'_>, put: Put) {
    let pid = turn.pid;
    let collects = turn.process().command.kind == Kind::Collect;
    let is_bare = turn.world.place(put).versions == 0;
    if collects && is_bare && !turn.is(Loosening::CollectsBareEntries) {
        // A late put may still create its object, and only this entry leads to it.
        skip(turn, put, "no object");
        return;
    }
    let document = turn.world.document;
    let is_tombstone = document.revision > 0 && document.records().next().is_none();
    let skips_raise = turn.is(Loosening::CleansWithoutRaising)
        || (is_tombstone && turn.is(Loosening::RaiseSkipsTombstones));
    turn.go_noted(step::RAISE, "not named", |world| {
        if skips_raise {
            world.processes[pid].at = At::CleanObject;
        } else {
            plan_raise(world, pid, put);
        }
    });
}

/// Looks for versions of a record's object that the record does not name.
fn look_at_versions(turn: &mut Turn<'_>, put: Put, native: u8) {
    let pid = turn.pid;
    let record = turn.world.document.naming(put).copied();
    let is_lost = record.is_some_and(|record| record.remote != put);
    let others = turn.world.place(put).versions & !(1 << native);
    if is_lost || others == 0 {
        skip(turn, put, "named");
        return;
    }
    let skips_raise = turn.is(Loosening::CleansWithoutRaising);
    turn.go_noted(step::RAISE, "versions not named", |world| {
        world.processes[pid].native = native;
        world.processes[pid].versions = others;
        if skips_raise {
            world.processes[pid].at = At::CleanObject;
        } else {
            plan_raise(world, pid, put);
        }
    });
}

fn plan_raise(world: &mut World, pid: usize, put: Put) {
    let expected = world.document.revision;
    let process = &mut world.processes[pid];
    process.write = Some(Write {
        change: Change::Raise,
        uuid: put,
        put,
        native: 0,
        displaces: None,
        backend_uuid: process.backend_uuid,
        expected,
        id: process.next_write_id(pid),
    });
    process.at = At::Write;
}

/// Deletes the object, or only the versions that the record does not name.
pub(crate) fn clean_object(turn: &mut Turn<'_>) {
    let (pid, rules) = (turn.pid, turn.rules);
    let put = next_pending(turn);
    let process = turn.process();
    let collects = process.command.kind == Kind::Collect;
    // Without a version to keep, the whole object is deleted.
    let is_whole = process.native == 0;
    let kept = if is_whole { 0 } else { 1 << process.native };
    let is_late = is_whole || turn.is(Loosening::ListsVersionsAfterTheRaise);
    let found = if is_late { u8::MAX } else { process.versions };
    let place = *turn.world.place(put);
    if is_whole && place.entry && turn.is(Loosening::RemovesEntriesFirst) {
        turn.go(step::DELETE_UNNAMED_ENTRY, |world| take_entry(world, put));
        return;
    }
    let takes_entry = rules.is(Loosening::CollectsEntries) && collects
        || rules.is(Loosening::CollectsBareEntries) && collects && place.versions == 0
        || rules.is(Loosening::RemovesEntriesBeforeTheTombstone) && !collects;
    turn.go(step::CLEAN_UP, |world| {
        let place = world.place_mut(put);
        place.versions &= !found | kept;
        place.cleaned |= is_whole;
        let process = &mut world.processes[pid];
        (process.native, process.versions) = (0, 0);
        process.cleaned |= if is_whole { bit(put) } else { 0 };
        if is_whole && takes_entry {
            process.at = At::CleanEntry;
        } else {
            process.pending &= !bit(put);
            process.at = At::CleanLook;
        }
    });
}

fn take_entry(world: &mut World, put: Put) {
    world.place_mut(put).entry = false;
}

/// Removes the entry while a creation may still need it, which the rules forbid.
pub(crate) fn clean_entry(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let put = next_pending(turn);
    turn.go(step::DELETE_UNNAMED_ENTRY, |world| {
        let process = &mut world.processes[pid];
        process.pending &= !bit(put);
        process.at = At::CleanLook;
        take_entry(world, put);
    });
}

/// Removes the entries of a removed backend. They stay until then, because a creation
/// that is delayed before its put may still create its object.
pub(crate) fn clean_entries(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let cleaned = turn.process().cleaned;
    turn.go(step::DELETE_UNNAMED_ENTRY, |world| {
        world.processes[pid].end(Outcome::Done);
        for put in members(cleaned) {
            take_entry(world, put);
        }
    });
}

//! Creates a secret: entry, look at the backend, put, commit.

use crate::process::{At, Kind, Outcome, Then, Turn};
use crate::put::creates_object;
use crate::rules::{Loosening, Rules};
use crate::world::{BUILT_IN, Document, Held, Put, Record, World};
use crate::write::{Change, Write, stamp};
use crate::{destroy, step};

/// Adds the steps before a put under a new remote name: the read of the document, the
/// entry, the look at the backend. They occur in every order that the design allows.
pub(crate) fn prepare(turn: &mut Turn<'_>) {
    let process = turn.process();
    if process.spare {
        remove_spare_entry(turn);
    }
    let process = turn.process();
    if is_held_already(turn) {
        let pid = turn.pid;
        turn.go_noted(step::CREATE, "held already", |world| {
            world.processes[pid].end(Outcome::Done);
        });
        return;
    }
    let on_own = process.command.backend != BUILT_IN;
    let heals = process.command.kind == Kind::Heal;
    let (entered, looked, read) = (process.entered, process.looked, process.read);
    let spare = process.spare;
    if on_own && !entered && !(heals && turn.is(Loosening::HealsWithoutEntry)) {
        enter(turn);
    }
    let may_look = entered
        || turn.is(Loosening::LooksBeforeTheEntry)
        || (heals && turn.is(Loosening::HealsWithoutEntry));
    // The second entry is written beside the removal of the first one. The look follows both.
    if on_own && may_look && !looked && !spare && !(heals && turn.is(Loosening::HealsWithoutLook)) {
        look(turn);
    }
    if !read {
        read_document(turn);
    }
}

/// Returns true if the state already holds the secret. Terraform then creates it
/// only to replace it.
fn is_held_already(turn: &Turn<'_>) -> bool {
    let process = turn.process();
    let command = &process.command;
    command.kind == Kind::Create
        && process.at == At::Begin
        && command.named.is_none()
        && turn.world.states[usize::from(command.state)]
            .current
            .is_some()
}

/// Moves to the put once all preparations are done.
pub(crate) fn go_on_to_put(world: &mut World, rules: &Rules, pid: usize) {
    find_backend(world, pid);
    let process = &mut world.processes[pid];
    let on_own = process.command.backend != BUILT_IN;
    let heals = process.command.kind == Kind::Heal;
    let entered = process.entered || (heals && rules.is(Loosening::HealsWithoutEntry));
    let looked = process.looked || (heals && rules.is(Loosening::HealsWithoutLook));
    process.at = At::Prepare;
    if process.read && process.unusable {
        abandon(world, pid);
        return;
    }
    if !process.read || (on_own && !(entered && looked)) {
        return;
    }
    process.put = process.fresh();
    if process.command.kind == Kind::Create && !process.completes {
        process.target = process.put;
    }
    process.at = At::Put;
    let (put, uuid, backend) = (process.put, process.target, process.command.backend);
    let backend_uuid = process.backend_uuid;
    let place = world.place_mut(put);
    (place.uuid, place.backend, place.backend_uuid) = (uuid, backend, backend_uuid);
}

/// Resolves the backend's name when the process begins, and only then.
fn find_backend(world: &mut World, pid: usize) {
    let process = &world.processes[pid];
    if process.at == At::Begin && process.command.kind == Kind::Create {
        world.processes[pid].backend_uuid = world.backend_uuid(process.command.backend);
    }
}

/// Writes the entry.
fn enter(turn: &mut Turn<'_>) {
    let (pid, rules) = (turn.pid, turn.rules);
    turn.go(step::ENTRY, |world| {
        find_backend(world, pid);
        let process = &mut world.processes[pid];
        process.entered = true;
        let put = process.fresh();
        let (backend, backend_uuid) = (process.command.backend, process.backend_uuid);
        let place = world.place_mut(put);
        place.entry = true;
        (place.backend, place.backend_uuid) = (backend, backend_uuid);
        go_on_to_put(world, rules, pid);
    });
}

/// Reads the backend's record.
fn look(turn: &mut Turn<'_>) {
    let (pid, rules) = (turn.pid, turn.rules);
    let process = turn.process();
    let backend = process.command.backend;
    let by_name = process.at == At::Begin || turn.is(Loosening::LooksAtNamesAlone);
    let uuid = if by_name {
        turn.world.backend_uuid(backend)
    } else {
        process.backend_uuid
    };
    let usable = turn.world.is_usable(backend, uuid);
    if usable || turn.is(Loosening::LooksUnfenced) {
        let note = if usable { "" } else { "as it was" };
        turn.go_noted(step::LOOK, note, |world| {
            world.processes[pid].looked = true;
            go_on_to_put(world, rules, pid);
        });
    }
    if !usable {
        turn.go_noted(step::LOOK, "not usable", |world| {
            // The document of the name takes precedence, so the read comes first.
            world.processes[pid].looked = true;
            world.processes[pid].unusable = true;
            go_on_to_put(world, rules, pid);
        });
    }
}

/// Removes an entry that was written beside the read and does not count.
fn remove_spare_entry(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    turn.go(step::DELETE_ENTRY, |world| {
        let process = &mut world.processes[pid];
        process.spare = false;
        let put = process.fresh() - 1;
        world.place_mut(put).entry = false;
    });
}

/// Reads the document concurrently with the wrap.
fn read_document(turn: &mut Turn<'_>) {
    let (pid, rules) = (turn.pid, turn.rules);
    let now = turn.world.document;
    let stale = rules.stale.filter(|stale| *stale != now);
    for (seen, lags) in [(Some(now), false), (stale, true)] {
        let Some(seen) = seen else { continue };
        let met = met(turn, &seen);
        let note = match (met, lags) {
            (_, true) => "as it was",
            (Met::Nothing, _) => "nothing there",
            (Met::Finish(_), _) => "being deleted",
            (Met::Twice, _) => "declared twice",
            (Met::Adopt(_), _) => "to be adopted",
            (Met::Displace(_), _) => "to be displaced",
            (Met::Complete(_), _) => "to be completed",
            (Met::Exists, _) => "already exists",
        };
        turn.go_noted(step::WRAP, note, |world| {
            follow(world, rules, pid, met, &seen);
        });
    }
}

/// The finding of a creation under its name.
#[derive(Clone, Copy)]
enum Met {
    Nothing,
    Finish(Record),
    Twice,
    Adopt(Put),
    Displace(Put),
    Complete(Put),
    Exists,
}

fn met(turn: &Turn<'_>, seen: &Document) -> Met {
    let command = &turn.process().command;
    let Some(met) = &seen.current else {
        return Met::Nothing;
    };
    let resumed = command.resume == Some(met.stamp.run);
    let may_adopt = resumed || turn.is(Loosening::AdoptsLookAlikes);
    if !met.is_ready() {
        Met::Finish(*met)
    } else if command.named == Some(met.uuid) || turn.is(Loosening::DisplacesUnnamed) {
        Met::Displace(met.uuid)
    } else if turn.is(Loosening::CompletesOthersRecords)
        && turn.world.place(met.remote).versions == 0
    {
        Met::Complete(met.uuid)
    } else if met.stamp.run == command.run {
        Met::Twice
    } else if may_adopt && (!met.changed || turn.is(Loosening::AdoptsChangedRecords)) {
        Met::Adopt(met.uuid)
    } else {
        Met::Exists
    }
}

/// Acts on the finding.
fn follow(world: &mut World, rules: &Rules, pid: usize, met: Met, seen: &Document) {
    let process = &mut world.processes[pid];
    process.revision = seen.revision;
    process.displaces = None;
    match met {
        Met::Nothing | Met::Displace(_) | Met::Complete(_) => {
            process.read = true;
            match met {
                Met::Displace(uuid) => process.displaces = Some(uuid),
                Met::Complete(uuid) => {
                    process.target = uuid;
                    process.completes = true;
                }
                _ => {}
            }
            let is_over_tombstone = seen.current.is_none();
            let may_reuse = seen.revision == 0
                || rules.is(Loosening::BeginsAnewWithTheSamePut)
                || rules.is(Loosening::ReusesEarlyEntries)
                || (is_over_tombstone && rules.is(Loosening::ReusesEarlyEntriesOverTombstones));
            if process.entered && !may_reuse {
                process.attempt += 1;
                (process.entered, process.looked) = (false, false);
                process.unusable = false;
                process.spare = true;
            }
            go_on_to_put(world, rules, pid);
        }
        Met::Finish(record) => {
            process.then = Then::Prepare;
            destroy::finish(process, &record, seen.revision);
        }
        Met::Adopt(uuid) => adopt(world, pid, uuid, seen),
        Met::Twice | Met::Exists => abandon(world, pid),
    }
}

/// Starts an adoption.
fn adopt(world: &mut World, pid: usize, uuid: Put, seen: &Document) {
    let record = seen.record(uuid).expect("it was met");
    let process = &mut world.processes[pid];
    process.target = uuid;
    process.put = record.remote;
    process.then = Then::Adopt;
    if process.command.brings_value {
        process.adopts = true;
        process.old_native = record.native;
    } else {
        process.write = Some(Write {
            change: Change::Adopt,
            uuid,
            put: record.remote,
            native: record.native,
            displaces: None,
            backend_uuid: process.backend_uuid,
            expected: seen.revision,
            id: process.next_write_id(pid),
        });
    }
    if process.entered {
        process.at = At::DeleteOwnEntry;
    } else {
        process.go_on();
    }
}

/// Ends before any put.
fn abandon(world: &mut World, pid: usize) {
    let process = &mut world.processes[pid];
    if process.entered {
        process.then = Then::Over(Outcome::Refused);
        process.at = At::DeleteOwnEntry;
    } else {
        process.end(Outcome::Refused);
    }
}

/// Deletes the object or version of a lost commit, which no record names.
pub(crate) fn delete_orphan(turn: &mut Turn<'_>) {
    let (pid, rules) = (turn.pid, turn.rules);
    let on_own = turn.process().command.backend != BUILT_IN;
    let creates = creates_object(turn.process());
    turn.go(step::DELETE_ORPHAN, |world| {
        let process = world.processes[pid];
        let place = world.place_mut(process.put);
        if !creates {
            place.versions &= !(1 << process.native);
        } else {
            place.versions = 0;
        }
        let same_put =
            process.then == Then::Prepare && rules.is(Loosening::BeginsAnewWithTheSamePut);
        let has_entry = creates && on_own && place.entry && !same_put;
        if has_entry && !rules.is(Loosening::RemovesEntriesFirst) {
            world.processes[pid].at = At::DeleteOwnEntry;
        } else {
            go_on_after_loss(world, rules, pid);
        }
    });
}

/// Removes the entry of this attempt.
pub(crate) fn delete_own_entry(turn: &mut Turn<'_>) {
    let (pid, rules) = (turn.pid, turn.rules);
    turn.go(step::DELETE_ENTRY, |world| {
        let process = &world.processes[pid];
        let (put, then) = (process.fresh(), process.then);
        let has_put = process.put == put && process.native != 0;
        world.place_mut(put).entry = false;
        if then == Then::Adopt {
            world.processes[pid].entered = false;
            world.processes[pid].go_on();
        } else if has_put && rules.is(Loosening::RemovesEntriesFirst) {
            world.processes[pid].at = At::DeleteOrphan;
        } else {
            go_on_after_loss(world, rules, pid);
        }
    });
}

/// Starts over with a new put and a new entry, or ends.
fn go_on_after_loss(world: &mut World, rules: &Rules, pid: usize) {
    let process = &mut world.processes[pid];
    if process.then == Then::Prepare && !rules.is(Loosening::BeginsAnewWithTheSamePut) {
        process.attempt += 1;
        (process.entered, process.looked) = (false, false);
        process.unusable = false;
    }
    process.native = 0;
    process.write = None;
    process.go_on();
}

/// Returns the response to Terraform.
pub(crate) fn answer(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    turn.go(step::ANSWER, |world| {
        let process = &mut world.processes[pid];
        let write = process.write.take().expect("it was written");
        let command = process.command;
        let held = Held {
            uuid: write.uuid,
            stamp: stamp(command.run, &write),
            remote: write.put,
            native: write.native,
            destroying: false,
        };
        if process.old_native != 0 {
            process.at = At::Prune;
        } else {
            process.end(Outcome::Done);
        }
        let state = world.state_mut(command.state);
        match write.change {
            Change::Rotate | Change::Heal => {
                if let Some(known) = state.held_mut(write.uuid) {
                    let stamp = known.stamp;
                    *known = Held { stamp, ..held };
                }
            }
            _ => {
                state.deposed = state.current.take().or(state.deposed);
                state.current = Some(held);
            }
        }
    });
}

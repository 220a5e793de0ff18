//! Destroys a secret for its owner, or finishes a deletion that its owner started.

use crate::process::{At, Kind, Outcome, Process, Turn};
use crate::rules::Loosening;
use crate::step;
use crate::world::{BUILT_IN, Record, World, members};
use crate::write::{Change, Write};

/// Reads the record, and checks that this state may destroy it.
pub(crate) fn begin(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let command = turn.process().command;
    let state = &turn.world.states[usize::from(command.state)];
    // Terraform destroys a deposed object first.
    let Some(held) = state.deposed.or(state.current) else {
        turn.go_noted(step::DELETE, "nothing held", |world| {
            world.processes[pid].end(Outcome::Done);
        });
        return;
    };
    let document = turn.world.document;
    let record = document.record(held.uuid).copied();
    let Some(record) = record else {
        turn.go_noted(step::DELETE, "gone", |world| {
            world.processes[pid].end(Outcome::Done);
            world.state_mut(command.state).drop_held(held.uuid);
        });
        return;
    };
    if record.stamp != held.stamp && !turn.is(Loosening::DestroysUnderAnyStamp) {
        turn.go_noted(step::DELETE, "not its own", |world| {
            world.processes[pid].end(Outcome::Refused);
            world.state_mut(command.state).drop_held(held.uuid);
        });
        return;
    }
    let puts_back = record.former.is_some()
        && record.stamp.run == command.run
        && !turn.is(Loosening::DestroysAdopted);
    turn.go(step::DELETE, |world| {
        let process = &mut world.processes[pid];
        if !record.is_ready() {
            finish(process, &record, document.revision);
            return;
        }
        process.target = held.uuid;
        process.revision = document.revision;
        remember(process, &record);
        plan_write(
            world,
            pid,
            if puts_back {
                Change::PutBack
            } else {
                Change::Mark
            },
        );
        if let Some(held) = world.state_mut(command.state).held_mut(held.uuid) {
            held.destroying = !puts_back;
        }
    });
}

fn plan_write(world: &mut World, pid: usize, change: Change) {
    let process = &mut world.processes[pid];
    process.write = Some(Write {
        change,
        uuid: process.target,
        put: process.put,
        native: 0,
        displaces: None,
        backend_uuid: process.backend_uuid,
        expected: process.revision,
        id: process.next_write_id(pid),
    });
    process.at = At::Write;
}

/// Deletes the object and the lost objects.
pub(crate) fn delete_object(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let process = turn.process();
    let remotes = process.remotes;
    let early = turn.is(Loosening::RemovesEntriesBeforeTheRecord);
    if process.has_entries && turn.is(Loosening::RemovesEntriesFirst) {
        delete_entries(turn);
        return;
    }
    turn.go(step::DELETE_OBJECT, |world| {
        for put in members(remotes) {
            world.place_mut(put).versions = 0;
        }
        if world.processes[pid].has_entries && early {
            world.processes[pid].at = At::DeleteEntries;
        } else {
            plan_write(world, pid, Change::Remove);
        }
    });
}

/// Continues after the removal of the record. A destroy returns its response now, and
/// removes the entries afterwards.
pub(crate) fn removed(world: &mut World, pid: usize) {
    let process = &mut world.processes[pid];
    let (command, uuid) = (process.command, process.target);
    if !process.has_entries {
        end(world, pid);
        return;
    }
    process.at = At::DeleteEntries;
    if command.kind == Kind::Destroy {
        world.state_mut(command.state).drop_held(uuid);
    }
}

/// Removes the entries of all objects that the record named. They stay until the
/// record is removed, so that a deletion of the backend finds the record.
pub(crate) fn delete_entries(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let remotes = turn.process().remotes;
    let objects_first = !turn.is(Loosening::RemovesEntriesFirst);
    let record_first = !turn.is(Loosening::RemovesEntriesBeforeTheRecord);
    turn.go(step::DELETE_ENTRY, |world| {
        for put in members(remotes) {
            world.place_mut(put).entry = false;
        }
        world.processes[pid].has_entries = false;
        match (objects_first, record_first) {
            (false, _) => world.processes[pid].at = At::DeleteObject,
            (true, false) => plan_write(world, pid, Change::Remove),
            (true, true) => end(world, pid),
        }
    });
}

/// Continues after the complete removal of the secret.
fn end(world: &mut World, pid: usize) {
    let process = &mut world.processes[pid];
    let (command, uuid) = (process.command, process.target);
    process.write = None;
    process.remotes = 0;
    if command.kind == Kind::Destroy {
        process.end(Outcome::Done);
        world.state_mut(command.state).drop_held(uuid);
    } else {
        process.go_on();
    }
}

/// Continues the deletion of a marked record.
pub(crate) fn finish(process: &mut Process, record: &Record, revision: u8) {
    process.target = record.uuid;
    process.revision = revision;
    remember(process, record);
    process.at = At::DeleteObject;
}

fn remember(process: &mut Process, record: &Record) {
    process.remotes = record.remotes();
    process.has_entries = record.backend != BUILT_IN;
}

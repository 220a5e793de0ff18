//! Deletes a backend: mark, list, clean up, tombstone.

use crate::process::{At, Outcome, Turn};
use crate::rules::{Loosening, Rules};
use crate::step;
use crate::world::{BackendState, PUTS, Put, World, bit};
use crate::write::{BackendWrite, InFlight};

/// Reads the backend's record, and marks it if it has no mark.
pub(crate) fn begin(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let backend = turn.process().command.backend;
    let found = *turn.world.backend(backend);
    let known = turn.process().backend_uuid;
    if known != 0 && known != found.uuid {
        turn.go_noted(step::DELETE_BACKEND, "another", |world| {
            world.processes[pid].end(Outcome::Done);
        });
        return;
    }
    let lists_first = turn.is(Loosening::ListsBeforeTheMark);
    match found.state {
        BackendState::Ready => turn.go(step::DELETE_BACKEND, |world| {
            world.processes[pid].backend_uuid = found.uuid;
            if lists_first {
                let entries = entries(world, backend, found.uuid);
                world.processes[pid].pending = entries;
            }
            plan_write(world, pid, BackendState::Deleting, found.revision);
        }),
        BackendState::Deleting => turn.go_noted(step::DELETE_BACKEND, "marked", |world| {
            let process = &mut world.processes[pid];
            process.backend_uuid = found.uuid;
            process.mark = found.revision;
            process.at = At::List;
        }),
        BackendState::Tombstone => turn.go_noted(step::DELETE_BACKEND, "gone", |world| {
            world.processes[pid].end(Outcome::Done);
        }),
    }
}

pub(crate) fn plan_write(world: &mut World, pid: usize, becomes: BackendState, expected: u8) {
    let process = &mut world.processes[pid];
    process.backend_write = Some(BackendWrite {
        becomes,
        backend: process.command.backend,
        expected,
        id: process.next_write_id(pid),
    });
    process.at = At::BackendWrite;
}

/// Registers another backend under the name of a removed one.
pub(crate) fn register(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let backend = turn.process().command.backend;
    turn.go(step::REGISTER, |world| {
        world.processes[pid].end(Outcome::Done);
        let record = world.backend_mut(backend);
        if record.state == BackendState::Tombstone {
            record.uuid += 1;
            record.revision += 1;
            record.write_id = 0;
            record.state = BackendState::Ready;
        }
    });
}

/// Returns the set of a backend's entries.
fn entries(world: &World, backend: u8, uuid: u8) -> u32 {
    let puts = 0..PUTS as Put;
    let listed = puts.filter(|put| {
        let place = world.place(*put);
        place.entry && place.backend == backend && place.backend_uuid == uuid
    });
    listed.map(bit).sum()
}

/// Lists the entries. The listing begins after the response to the mark.
pub(crate) fn list(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let backend = turn.process().command.backend;
    turn.go(step::LIST, |world| {
        let uuid = world.processes[pid].backend_uuid;
        world.processes[pid].pending = entries(world, backend, uuid);
        world.processes[pid].at = At::CleanLook;
    });
}

/// Sends a write of the backend's record.
pub(crate) fn write(turn: &mut Turn<'_>) {
    let (pid, rules) = (turn.pid, turn.rules);
    let write = turn.process().backend_write.expect("a write is due");
    let name = match write.becomes {
        BackendState::Deleting => step::MARK_BACKEND,
        BackendState::Ready => step::TAKE_MARK_BACK,
        BackendState::Tombstone => step::BACKEND_TOMBSTONE,
    };
    if turn.world.backend(write.backend).revision != write.expected {
        turn.go_noted(name, "conflict", |world| {
            world.processes[pid].at = At::BackendReadBack;
        });
        return;
    }
    turn.go(name, |world| {
        carry_out(world, &write);
        written(world, rules, pid, &write);
    });
    if turn.may_lose() {
        turn.go_noted(name, "answer lost", |world| {
            world.losses_left -= 1;
            world.in_flight = Some(InFlight::Backend(write));
            world.processes[pid].at = At::BackendReadBack;
        });
    }
}

/// Carries out a write whose revision matched.
pub(crate) fn carry_out(world: &mut World, write: &BackendWrite) {
    let record = world.backend_mut(write.backend);
    record.state = write.becomes;
    record.revision += 1;
    record.write_id = write.id;
}

/// Reads the result of the write with a fenced read.
pub(crate) fn read_back(turn: &mut Turn<'_>) {
    let (pid, rules) = (turn.pid, turn.rules);
    let write = turn.process().backend_write.expect("a write was sent");
    let found = *turn.world.backend(write.backend);
    if found.write_id == write.id {
        turn.go_noted(step::READ_BACK, "own write id", |world| {
            written(world, rules, pid, &write);
        });
    } else if found.revision == write.expected {
        turn.go_noted(step::READ_BACK, "nothing yet", |world| {
            world.processes[pid].at = At::BackendWrite;
        });
        turn.go_noted(step::READ_BACK, "given up", |world| {
            world.processes[pid].end(Outcome::Unclear);
        });
    } else {
        turn.go_noted(step::READ_BACK, "overtaken", |world| {
            lost(world, rules, pid, &write, found.revision);
        });
    }
}

/// Continues after a write that succeeded.
fn written(world: &mut World, rules: &Rules, pid: usize, write: &BackendWrite) {
    let process = &mut world.processes[pid];
    process.backend_write = None;
    match write.becomes {
        BackendState::Deleting => {
            process.mark = write.expected + 1;
            process.at = if rules.is(Loosening::ListsBeforeTheMark) {
                At::CleanLook
            } else {
                At::List
            };
        }
        BackendState::Ready => process.end(Outcome::Refused),
        BackendState::Tombstone => process.at = At::CleanEntries,
    }
}

/// Continues after a write with a conflict.
fn lost(world: &mut World, rules: &Rules, pid: usize, write: &BackendWrite, found: u8) {
    match write.becomes {
        BackendState::Tombstone if rules.is(Loosening::TombstonesAnotherRevision) => {
            plan_write(world, pid, BackendState::Tombstone, found);
        }
        // A listing under another mark is not valid.
        BackendState::Deleting | BackendState::Tombstone => {
            let process = &mut world.processes[pid];
            process.backend_write = None;
            process.cleaned = 0;
            process.at = At::Begin;
        }
        BackendState::Ready => world.processes[pid].end(Outcome::Refused),
    }
}

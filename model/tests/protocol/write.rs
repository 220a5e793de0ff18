//! Writes of the name's document: compare-and-set, lost responses, reading back.

use crate::process::{At, Command, Outcome, Then, Turn};
use crate::promise::Promise;
use crate::rules::{Loosening, Rules};
use crate::world::{BackendState, Document, OPERATOR, Put, Record, RecordState, Stamp, World, bit};
use crate::{destroy, step};

/// The change that a write makes to the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    Create,
    Adopt,
    Rotate,
    Heal,
    Mark,
    Remove,
    Raise,
    /// Restores the former stamp of an adopted record.
    PutBack,
}

/// A compare-and-set of the document. A revision determines the content, so the
/// write holds only the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Write {
    pub(crate) change: Change,
    pub(crate) uuid: Put,
    pub(crate) put: Put,
    pub(crate) native: u8,
    pub(crate) displaces: Option<Put>,
    pub(crate) backend_uuid: u8,
    pub(crate) expected: u8,
    pub(crate) id: u8,
}

/// A compare-and-set of a backend's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BackendWrite {
    pub(crate) becomes: BackendState,
    pub(crate) backend: u8,
    pub(crate) expected: u8,
    pub(crate) id: u8,
}

/// A request with a lost response. The store may carry it out at any later time, or
/// never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InFlight {
    Document(u8, Write),
    Backend(BackendWrite),
    /// A put. `creates` distinguishes a new object from a further version.
    Put {
        put: Put,
        creates: bool,
    },
}

impl Write {
    fn step(&self) -> &'static str {
        match self.change {
            Change::Create | Change::Rotate | Change::Heal => step::COMMIT,
            Change::Adopt => step::ADOPT,
            Change::Mark => step::MARK_DELETING,
            Change::Remove => step::TOMBSTONE,
            Change::Raise => step::RAISE,
            Change::PutBack => step::PUT_BACK,
        }
    }
}

/// Sends the write.
pub(crate) fn write(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let rules = turn.rules;
    let write = turn.process().write.expect("a write is due");
    if turn.world.document.revision != write.expected {
        turn.go_noted(write.step(), "conflict", |world| {
            world.processes[pid].at = At::ReadBack;
        });
        return;
    }
    turn.go(write.step(), |world| {
        carry_out(world, rules, pid, &write);
        written(world, pid, &write);
    });
    if turn.may_lose() {
        turn.go_noted(write.step(), "answer lost", |world| {
            world.losses_left -= 1;
            world.in_flight = Some(InFlight::Document(pid as u8, write));
            world.processes[pid].at = At::ReadBack;
        });
    }
}

/// Reads the result of the write with a fenced read.
pub(crate) fn read_back(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let rules = turn.rules;
    let write = turn.process().write.expect("a write was sent");
    let document = &turn.world.document;
    let own_id = document.write_id == write.id && !turn.is(Loosening::RecognisesNothing);
    let own_name = is_named(turn, &write);
    if own_id || own_name {
        let note = if own_id { "own write id" } else { "own name" };
        turn.go_noted(step::READ_BACK, note, |world| written(world, pid, &write));
    } else if document.revision == write.expected {
        turn.go_noted(step::READ_BACK, "nothing yet", |world| {
            world.processes[pid].at = At::Write;
        });
        turn.go_noted(step::READ_BACK, "given up", |world| {
            world.processes[pid].end(Outcome::Unclear);
        });
    } else {
        turn.go_noted(step::READ_BACK, "overtaken", |world| {
            lost(world, rules, pid, &write);
        });
    }
}

/// Returns true if the document names the result of the write.
fn is_named(turn: &Turn<'_>, write: &Write) -> bool {
    let document = &turn.world.document;
    let mut records = document.records();
    let command = &turn.process().command;
    if turn.is(Loosening::RecognisesNothing) || turn.is(Loosening::RecognisesWriteIdsAlone) {
        return false;
    }
    if turn.is(Loosening::RecognisesNativeIdsAlone) {
        return records.any(|record| record.native == write.native);
    }
    let version = |record: &Record| record.remote == write.put && record.native == write.native;
    match write.change {
        Change::Create | Change::Heal if turn.is(Loosening::RecognisesVersionsOnly) => {
            records.any(|record| record.uuid == write.uuid && version(record))
        }
        Change::Create | Change::Heal => document.naming(write.put).is_some(),
        Change::Rotate => records.any(version),
        Change::Adopt => {
            let stamp = stamp(command.run, write);
            records.any(|record| record.uuid == write.uuid && record.stamp == stamp)
        }
        Change::Mark | Change::Remove | Change::Raise | Change::PutBack => false,
    }
}

pub(crate) fn stamp(run: u8, write: &Write) -> Stamp {
    Stamp {
        run,
        generation: write.expected + 1,
    }
}

/// Continues after a write that succeeded.
fn written(world: &mut World, pid: usize, write: &Write) {
    let process = &mut world.processes[pid];
    match write.change {
        Change::Create | Change::Rotate | Change::Heal | Change::Adopt => process.at = At::Answer,
        Change::Mark => {
            process.revision = write.expected + 1;
            process.at = At::DeleteObject;
            process.write = None;
        }
        Change::Raise => {
            process.at = At::CleanObject;
            process.write = None;
        }
        Change::Remove => destroy::removed(world, pid),
        Change::PutBack => {
            let state = process.command.state;
            process.end(Outcome::Done);
            world.state_mut(state).drop_held(write.uuid);
        }
    }
}

/// Continues after a write with a conflict.
fn lost(world: &mut World, rules: &Rules, pid: usize, write: &Write) {
    let found = world.document;
    let process = &mut world.processes[pid];
    process.write = None;
    match write.change {
        Change::Create
            if rules.is(Loosening::CommitsOnAnotherRevision) && found.current.is_none() =>
        {
            let expected = found.revision;
            let id = process.next_write_id(pid);
            process.write = Some(Write {
                expected,
                id,
                ..*write
            });
            process.at = At::Write;
        }
        Change::Create | Change::Heal | Change::Rotate => {
            process.then = match write.change {
                Change::Create if rules.begins_anew && process.attempt == 0 => Then::Prepare,
                _ => Then::Over(Outcome::Failed),
            };
            process.at =
                if rules.is(Loosening::RemovesEntriesFirst) && write.change != Change::Rotate {
                    At::DeleteOwnEntry
                } else {
                    At::DeleteOrphan
                };
        }
        Change::Adopt if process.adopts => {
            process.then = Then::Over(Outcome::Failed);
            process.at = At::DeleteOrphan;
        }
        Change::Adopt => process.end(Outcome::Failed),
        Change::Mark | Change::PutBack => process.at = At::Begin,
        // Another process finished the deletion, or only raised the document.
        Change::Remove if found.record(write.uuid).is_none() => destroy::removed(world, pid),
        Change::Remove => process.go_on(),
        Change::Raise => process.at = At::CleanLook,
    }
}

/// Carries out the write, whose revision matched.
pub(crate) fn carry_out(world: &mut World, rules: &Rules, pid: usize, write: &Write) {
    expect_rights(world, pid, write);
    let command = world.processes[pid].command;
    let stamp = stamp(command.run, write);
    let document = &mut world.document;
    document.revision += 1;
    document.write_id = write.id;
    match write.change {
        Change::Create => create(document, &command, write, stamp),
        Change::Remove => {
            document.current.take_if(|met| met.uuid == write.uuid);
            document.displaced.take_if(|met| met.uuid == write.uuid);
        }
        Change::Raise => {}
        Change::Adopt | Change::Rotate | Change::Heal | Change::Mark | Change::PutBack => {
            let record = document.record_mut(write.uuid).expect("compared");
            let before = *record;
            alter(record, rules, command.state, write, stamp);
            let after = *record;
            take_name_back(document);
            release(world, &before, &after);
        }
    }
}

fn create(document: &mut Document, command: &Command, write: &Write, stamp: Stamp) {
    if write.displaces.is_some() {
        document.displaced = document.current;
    }
    document.current = Some(Record {
        uuid: write.uuid,
        backend: command.backend,
        backend_uuid: write.backend_uuid,
        remote: write.put,
        native: write.native,
        lost: 0,
        state: RecordState::Ready,
        stamp,
        former: None,
        renewed: false,
        changed: false,
        owners: 1 << command.state,
        former_owners: 0,
        writer: command.state,
    });
}

fn alter(record: &mut Record, rules: &Rules, state: u8, write: &Write, stamp: Stamp) {
    match write.change {
        Change::Adopt => {
            record.former = Some(record.stamp);
            record.former_owners = record.owners;
            record.owners = 1 << state;
            record.changed = false;
            record.renewed = record.native != write.native;
            if record.renewed {
                record.native = write.native;
                record.writer = state;
            }
            if !rules.is(Loosening::AdoptsWithoutStamping) {
                record.stamp = stamp;
            }
        }
        Change::PutBack => {
            record.stamp = record.former.take().expect("adopted");
            record.changed |= record.renewed;
            record.renewed = false;
            record.owners = record.former_owners;
            record.former_owners = 0;
        }
        Change::Mark => record.state = RecordState::Deleting,
        Change::Rotate | Change::Heal => {
            if record.remote != write.put && !rules.is(Loosening::ForgetsLostNames) {
                record.lost |= bit(record.remote);
            }
            record.remote = write.put;
            record.native = write.native;
            record.changed = true;
            record.writer = state;
        }
        Change::Create | Change::Remove | Change::Raise => unreachable!("they alter no record"),
    }
}

/// Restores the name of a displaced secret when its owner writes it and the name is free.
fn take_name_back(document: &mut Document) {
    let is_ready = document.displaced.is_some_and(|record| record.is_ready());
    if document.current.is_none() && is_ready {
        document.current = document.displaced.take();
    }
}

/// Records the states that lost a secret to a run that named it, or that got it back.
fn release(world: &mut World, before: &Record, after: &Record) {
    for (state, terraform) in (0u8..).zip(&mut world.states) {
        let owned = before.owners >> state & 1 == 1;
        let owns = after.owners >> state & 1 == 1;
        if owned && !owns {
            terraform.released |= bit(after.uuid);
        } else if owns && !owned && !after.changed {
            terraform.released &= !bit(after.uuid);
        }
    }
}

/// Checks the write against the actual owners and the named secrets.
fn expect_rights(world: &mut World, pid: usize, write: &Write) {
    let command = world.processes[pid].command;
    let met = world.document.record(write.uuid).copied();
    let owns =
        |record: &Record| command.state != OPERATOR && record.owners >> command.state & 1 == 1;
    let broken = match write.change {
        Change::Create => match world.document.current {
            Some(met) if command.named != Some(met.uuid) => Some(Promise::OwnersAloneChange),
            _ => None,
        },
        Change::Adopt => met
            .filter(|met| command.resume != Some(met.stamp.run) || met.changed)
            .map(|_| Promise::OnlyNamedRunsAreAdopted),
        Change::Mark => met.and_then(|met| {
            let adopted = met.former.is_some() && met.stamp.run == command.run;
            if adopted {
                Some(Promise::AdoptedIsNotDestroyed)
            } else {
                (!owns(&met)).then_some(Promise::OwnersAloneChange)
            }
        }),
        Change::Rotate | Change::Heal => met
            .filter(|met| !owns(met))
            .map(|_| Promise::OwnersAloneChange),
        Change::Remove => met
            .filter(Record::is_ready)
            .map(|_| Promise::OwnersAloneChange),
        Change::Raise | Change::PutBack => None,
    };
    world.broken = world.broken.or(broken);
}

impl World {
    /// Drops a request in flight that can no longer succeed.
    pub(crate) fn drop_late_requests(&mut self) {
        let is_late = match &self.in_flight {
            Some(InFlight::Document(_, write)) => write.expected != self.document.revision,
            Some(InFlight::Backend(write)) => {
                write.expected != self.backend(write.backend).revision
            }
            Some(InFlight::Put { .. }) | None => false,
        };
        if is_late {
            self.in_flight = None;
        }
    }
}

//! Rotates, heals, reads and imports a secret.

use crate::process::{At, Kind, Outcome, Turn};
use crate::rules::Loosening;
use crate::world::{Held, bit};
use crate::{create, step};

/// Reads the record, and checks that this state may change the secret.
pub(crate) fn begin(turn: &mut Turn<'_>) {
    let (pid, rules) = (turn.pid, turn.rules);
    let now = turn.world.document;
    let stale = turn.rules.stale.filter(|stale| *stale != now);
    let command = turn.process().command;
    let held = turn.world.states[usize::from(command.state)].current;
    for (seen, note) in [(Some(now), ""), (stale, "as it was")] {
        let Some(seen) = seen else { continue };
        let under = |stamp| held.is_some_and(|held: Held| held.stamp == stamp);
        let any_stamp = turn.is(Loosening::UpdatesUnderAnyStamp);
        let record = held
            .and_then(|held| seen.record(held.uuid))
            .filter(|record| record.is_ready() && (under(record.stamp) || any_stamp));
        let Some(record) = record.copied() else {
            turn.go_noted(step::UPDATE, "not its own", |world| {
                world.processes[pid].end(Outcome::Refused);
            });
            continue;
        };
        let is_gone = turn.world.place(record.remote).versions == 0;
        turn.go_noted(step::UPDATE, note, |world| {
            let process = &mut world.processes[pid];
            process.revision = seen.revision;
            process.target = record.uuid;
            process.backend_uuid = record.backend_uuid;
            process.read = true;
            if is_gone && command.kind == Kind::Heal {
                create::go_on_to_put(world, rules, pid);
                return;
            }
            process.put = record.remote;
            process.old_native = record.native;
            process.at = At::Put;
        });
    }
}

/// Deletes the previous version, which the record no longer names.
pub(crate) fn prune(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    turn.go(step::PRUNE, |world| {
        let process = &mut world.processes[pid];
        let (put, old) = (process.put, process.old_native);
        process.end(Outcome::Done);
        world.place_mut(put).versions &= !(1 << old);
    });
}

/// Refreshes the state.
pub(crate) fn read(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let moves = turn.is(Loosening::ReadMovesStamps);
    turn.go(step::READ, |world| {
        let state = world.processes[pid].command.state;
        world.processes[pid].end(Outcome::Done);
        let records = world.document;
        for record in records.records().filter(|_| moves) {
            if let Some(held) = world.state_mut(state).held_mut(record.uuid) {
                held.stamp = record.stamp;
            }
        }
    });
}

/// Imports the named secret with the stamp of its record.
pub(crate) fn import(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let command = turn.process().command;
    let uuid = command.named.expect("an import names a secret");
    turn.go(step::IMPORT, |world| {
        world.processes[pid].end(Outcome::Done);
        let Some(record) = world.document.record_mut(uuid) else {
            return;
        };
        let held = Held {
            uuid,
            stamp: record.stamp,
            remote: record.remote,
            native: record.native,
            destroying: false,
        };
        let others = record.owners & !(1 << command.state);
        record.owners |= 1 << command.state;
        for (state, terraform) in world.states.iter_mut().enumerate() {
            if others >> state & 1 == 1 {
                terraform.released |= bit(uuid);
            }
        }
        let state = world.state_mut(command.state);
        state.released &= !bit(uuid);
        if state.held_mut(uuid).is_none() && state.current.is_none() {
            state.current = Some(held);
        }
    });
}

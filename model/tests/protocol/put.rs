//! Puts: under a new remote name or as a further version, and with a lost response.

use crate::process::{At, Kind, Outcome, Process, Then, Turn};
use crate::rules::Loosening;
use crate::step;
use crate::world::{Put, World};
use crate::write::{Change, InFlight, Write};

/// Puts the sealed value, under a new remote name or as a further version.
pub(crate) fn put(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    let creates = creates_object(turn.process());
    let is_there = turn.world.place(turn.process().put).versions != 0;
    if !creates && !is_there && !turn.is(Loosening::VersionsCreateObjects) {
        turn.go_noted(step::PUT, "not found", |world| {
            world.processes[pid].end(Outcome::Failed);
        });
        return;
    }
    turn.go(step::PUT, |world| land_put(world, pid));
    if turn.may_lose() {
        turn.go_noted(step::PUT, "answer lost", |world| {
            world.losses_left -= 1;
            let process = &world.processes[pid];
            let creates = creates_object(process);
            world.in_flight = Some(InFlight::Put {
                put: process.put,
                creates,
            });
            world.processes[pid].at = At::PutUnclear;
        });
    }
}

/// Continues after a put with a lost response: the process repeats it or gives up.
pub(crate) fn put_unclear(turn: &mut Turn<'_>) {
    let pid = turn.pid;
    turn.go_noted(step::PUT, "repeated", |world| {
        // The repeated put replaces the one in flight.
        world.in_flight = None;
        land_put(world, pid);
    });
    if turn.is(Loosening::CleansUpUnclearPuts) && creates_object(turn.process()) {
        turn.go_noted(step::PUT, "given up", |world| {
            let process = &mut world.processes[pid];
            process.at = At::DeleteOrphan;
            process.then = Then::Over(Outcome::Failed);
        });
        return;
    }
    turn.go_noted(step::PUT, "given up", |world| {
        world.processes[pid].end(Outcome::Unclear);
    });
}

/// Carries out a put whose response the process receives.
fn land_put(world: &mut World, pid: usize) {
    let process = &world.processes[pid];
    let (put, creates) = (process.put, creates_object(process));
    let native = carry_out_put(world, put, creates);
    let process = &mut world.processes[pid];
    process.native = native;
    process.at = At::Write;
    let change = match process.command.kind {
        Kind::Create if process.adopts => Change::Adopt,
        Kind::Create if process.target == put => Change::Create,
        _ if creates => Change::Heal,
        _ => Change::Rotate,
    };
    process.write = Some(Write {
        change,
        uuid: process.target,
        put,
        native,
        displaces: process.displaces,
        backend_uuid: process.backend_uuid,
        expected: process.revision,
        id: process.next_write_id(pid),
    });
}

/// Carries out a put, and returns the version's native id.
fn carry_out_put(world: &mut World, put: Put, creates: bool) -> u8 {
    let place = world.place_mut(put);
    if creates && place.versions != 0 {
        // The object of its own previous try: no other process has this remote name.
        return place.last_native;
    }
    place.add()
}

/// Carries out a put whose response was lost.
pub(crate) fn land_late_put(world: &mut World, put: Put, creates: bool) {
    let is_there = world.place(put).versions != 0;
    if creates || is_there {
        carry_out_put(world, put, creates);
    }
}

/// Returns true for a put under a new remote name.
pub(crate) fn creates_object(process: &Process) -> bool {
    match process.command.kind {
        Kind::Create => !process.adopts,
        _ => process.put == process.fresh() && process.command.kind == Kind::Heal,
    }
}

//! Runs the next commands from a quiescent world, and checks that they converge.

use crate::checker::Fingerprint;
use crate::invariants;
use crate::process::{At, Command, Kind, Outcome, Process, Turn, steps};
use crate::promise::Promise;
use crate::scenario::{OTHER, OWN, STATES, Scenario};
use crate::world::{BUILT_IN, BackendState, OPERATOR, PUTS, Put, RECOVERY, Record, World};

/// The maximum number of steps of a command.
const MANY: usize = 200;
/// The first run number of the recovery.
const RUN: u8 = 90;

/// Returns the promise that breaks when all states continue one after another. They
/// repeat interrupted creations, heal and destroy. A collection and the deletion of
/// the backends follow. At the end nothing may be left.
pub(crate) fn broken(scenario: &Scenario, world: &World) -> Option<Promise> {
    let mut next = Next {
        scenario,
        world: *world,
        run: RUN,
    };
    let all = next.all();
    all.err().or(next.world.broken)
}

/// Returns the fingerprint of everything that a recovery depends on.
pub(crate) fn start(world: &World) -> u128 {
    let mut same = *world;
    same.document.write_id = 0;
    for backend in &mut same.own_backends {
        backend.write_id = 0;
    }
    (same.losses_left, same.drifts_left) = (0, 0);
    for process in &mut same.processes {
        process.attempt = u8::from(process.was_cut_off());
        process.at = At::Begin;
    }
    Fingerprint::of(&same)
}

struct Next<'a> {
    scenario: &'a Scenario,
    world: World,
    run: u8,
}

type Converged = Result<(), Promise>;

impl Next<'_> {
    fn all(&mut self) -> Converged {
        for state in STATES {
            self.create(state)?;
            self.heal(state)?;
        }
        for state in STATES {
            self.import_what_is_left(state)?;
        }
        self.run(Command::by_operator(Kind::Collect, BUILT_IN))?;
        for backend in [OWN, OTHER] {
            let deleted = Command::by_operator(Kind::DeleteBackend, backend);
            self.run(deleted)?;
            expect(self.world.backend(backend).state == BackendState::Tombstone)?;
        }
        expect(self.world.document.records().next().is_none())?;
        let mut places = self.world.places.iter();
        let left = places.any(|place| place.versions != 0);
        expect(!left || invariants::has_admitted_orphan(&self.world))
    }

    /// Repeats a state's creation if its configuration has one: first without
    /// `PLANTON_RESUME`, then with the run from the message.
    fn create(&mut self, state: u8) -> Converged {
        let mut commands = self.scenario.commands().iter();
        let wanted =
            commands.find(|command| command.kind == Kind::Create && command.state == state);
        let Some(wanted) = wanted.copied() else {
            return Ok(());
        };
        if self.world.states[usize::from(state)].current.is_some() {
            return Ok(());
        }
        let before = self.world.document;
        let command = Command {
            run: self.next_run(),
            after: None,
            resume: None,
            ..wanted
        };
        let mut outcome = self.run(command)?;
        let interrupted = before
            .current
            .filter(|met| owns(met, state) && met.is_ready());
        if let Some(met) = interrupted {
            let refused = outcome == Outcome::Refused && self.world.document == before;
            expect(refused)?;
            let resumed = Command {
                run: self.next_run(),
                ..command.resuming(met.stamp.run)
            };
            outcome = self.run(resumed)?;
            expect((outcome == Outcome::Done) != met.changed)?;
        }
        let taken = self.world.document.current.is_some();
        let backend = wanted.backend;
        let uuid = self.world.backend_uuid(backend);
        let usable = self.world.is_usable(backend, uuid);
        expect(outcome == Outcome::Done || taken || !usable)
    }

    /// Heals the state's secret if its object is missing.
    fn heal(&mut self, state: u8) -> Converged {
        let Some(held) = self.world.states[usize::from(state)].current else {
            return Ok(());
        };
        let record = self.world.document.record(held.uuid).copied();
        let Some(record) = record.filter(|record| record.is_ready() && record.stamp == held.stamp)
        else {
            return Ok(());
        };
        let usable = self.world.is_usable(record.backend, record.backend_uuid);
        if self.world.place(record.remote).versions != 0 || !usable {
            return Ok(());
        }
        let command = Command::new(Kind::Heal, state, self.next_run(), record.backend);
        let outcome = self.run(command)?;
        let record = self.world.document.record(held.uuid);
        let healed =
            record.is_some_and(|record| self.world.place(record.remote).has(record.native));
        expect(outcome == Outcome::Done && healed)
    }

    /// Destroys the state's secrets. Then imports and destroys every other secret
    /// that it owns.
    fn import_what_is_left(&mut self, state: u8) -> Converged {
        self.destroy(state)?;
        let document = self.world.document;
        for record in document.records().filter(|record| owns(record, state)) {
            let import = Command::new(Kind::Import, state, self.next_run(), BUILT_IN);
            self.run(import.naming(record.uuid))?;
            self.destroy(state)?;
            expect(self.world.document.record(record.uuid).is_none())?;
        }
        Ok(())
    }

    fn destroy(&mut self, state: u8) -> Converged {
        while self.world.states[usize::from(state)]
            .held()
            .next()
            .is_some()
        {
            let before = self.world.states[usize::from(state)];
            let destroy = Command::new(Kind::Destroy, state, self.next_run(), BUILT_IN);
            self.run(destroy)?;
            expect(self.world.states[usize::from(state)] != before)?;
        }
        Ok(())
    }

    fn next_run(&mut self) -> u8 {
        self.run += 1;
        self.run
    }

    /// Runs one process to its end without interference.
    fn run(&mut self, command: Command) -> Result<Outcome, Promise> {
        let attempt = self.free_attempt();
        let mut process = Process::number(RECOVERY, command);
        process.attempt = attempt;
        self.world.processes[RECOVERY] = process;
        self.world.losses_left = 0;
        for _ in 0..MANY {
            if let At::Over(outcome) = self.world.processes[RECOVERY].at {
                return Ok(outcome);
            }
            let mut out = Vec::new();
            steps(&mut Turn {
                rules: &self.scenario.rules,
                world: &self.world,
                pid: RECOVERY,
                out: &mut out,
            });
            let (_, next) = out.swap_remove(0);
            self.world = next;
        }
        Err(Promise::NextRunsConverge)
    }

    /// Returns the first attempt with an unused put.
    fn free_attempt(&self) -> u8 {
        let first = Process::number(RECOVERY, Process::NOTHING.command).fresh();
        let is_free = |put: &Put| {
            let place = self.world.place(*put);
            !place.entry && place.last_native == 0
        };
        let free = (first..PUTS as Put).find(is_free);
        free.map_or(0, |put| put - first)
    }
}

fn owns(record: &Record, state: u8) -> bool {
    state != OPERATOR && record.owners >> state & 1 == 1
}

fn expect(holds: bool) -> Converged {
    if holds {
        Ok(())
    } else {
        Err(Promise::NextRunsConverge)
    }
}

//! Scenarios: the initial world and the commands of the processes.

use std::cell::RefCell;
use std::collections::HashSet;

use crate::checker::{Model, explore};
use crate::process::{Command, Kind, Label, Outcome, Process, Turn, steps};
use crate::promise::Promise;
use crate::put::land_late_put;
use crate::rules::{Loosening, Rules};
use crate::world::{
    A, B, BUILT_IN, Backend, BackendState, Document, FIRST, Held, OPERATOR, PROCESSES, PUTS, Place,
    Put, RECOVERY, Record, RecordState, Stamp, TerraformState, World,
};
use crate::write::InFlight;
use crate::{backend, invariants, recovery, step, write};

/// The run that created the initial secret.
pub(crate) const FIRST_RUN: u8 = 100;
/// A registered backend.
pub(crate) const OWN: u8 = 1;
/// Another registered backend.
pub(crate) const OTHER: u8 = 2;

/// A model to explore.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) rules: Rules,
    commands: Vec<Command>,
    initial: World,
    /// Whether processes may crash.
    crashes: bool,
    /// The fingerprints of the starts of earlier recoveries.
    converged: RefCell<HashSet<u128>>,
}

impl Scenario {
    /// Starts with the backends only.
    pub(crate) fn new() -> Self {
        let backend = Backend {
            uuid: 1,
            state: BackendState::Ready,
            revision: 1,
            write_id: 0,
        };
        let initial = World {
            document: Document::default(),
            own_backends: [backend; 2],
            places: [Place::default(); PUTS],
            processes: [Process::NOTHING; PROCESSES],
            states: [TerraformState::default(); 2],
            in_flight: None,
            losses_left: 0,
            drifts_left: 0,
            broken: None,
        };
        Self {
            rules: Rules::default(),
            commands: Vec::new(),
            initial,
            crashes: true,
            converged: RefCell::default(),
        }
    }

    /// Starts with the tombstone of a destroyed secret.
    pub(crate) fn with_tombstone(mut self) -> Self {
        self.initial.document.revision = 3;
        self
    }

    /// Starts with a secret of state A on `backend`.
    pub(crate) fn with_secret(mut self, backend: u8) -> Self {
        let stamp = Stamp {
            run: FIRST_RUN,
            generation: 1,
        };
        let backend_uuid = self.initial.backend_uuid(backend);
        let place = self.initial.place_mut(FIRST);
        place.backend = backend;
        place.backend_uuid = backend_uuid;
        place.entry = backend != BUILT_IN;
        let native = place.add();
        let record = Record {
            uuid: FIRST,
            backend,
            backend_uuid,
            remote: FIRST,
            native,
            lost: 0,
            state: RecordState::Ready,
            stamp,
            former: None,
            renewed: false,
            changed: false,
            owners: 1 << A,
            former_owners: 0,
            writer: A,
        };
        self.initial.document.revision = 1;
        self.initial.document.current = Some(record);
        self.initial.state_mut(A).current = Some(Held {
            uuid: FIRST,
            stamp,
            remote: FIRST,
            native,
            destroying: false,
        });
        self
    }

    /// The initial secret's object was removed manually.
    pub(crate) fn with_lost_object(mut self) -> Self {
        let place = self.initial.place_mut(FIRST);
        place.versions = 0;
        place.drifted = true;
        self
    }

    /// The initial secret's deletion was started.
    pub(crate) fn with_deletion_begun(mut self) -> Self {
        let record = self.initial.document.current.as_mut();
        record.expect("a secret").state = RecordState::Deleting;
        let held = self.initial.state_mut(A).current.as_mut();
        held.expect("it is held").destroying = true;
        self
    }

    /// The initial secret was committed, and its run died before the response.
    pub(crate) fn with_unsaved_secret(self, backend: u8) -> Self {
        let mut scenario = self.with_secret(backend);
        scenario.initial.state_mut(A).current = None;
        scenario
    }

    /// Allows this number of lost responses.
    pub(crate) fn losing(mut self, answers: u8) -> Self {
        self.initial.losses_left = answers;
        self
    }

    /// Allows the manual removal of one object at any time.
    pub(crate) fn drifting(mut self) -> Self {
        self.initial.drifts_left = 1;
        self
    }

    /// Allows a creation whose commit had a conflict to start over.
    pub(crate) fn beginning_anew(mut self) -> Self {
        self.rules.begins_anew = true;
        self
    }

    /// Allows a lagging node to serve reads that are not fenced.
    pub(crate) fn lagging(mut self) -> Self {
        self.rules.stale = Some(self.initial.document);
        self
    }

    /// Excludes crashes.
    pub(crate) fn without_crashes(mut self) -> Self {
        self.crashes = false;
        self
    }

    pub(crate) fn loosened(mut self, loosening: Loosening) -> Self {
        self.rules.loosening = Some(loosening);
        self.converged = RefCell::default();
        self
    }

    /// Adds a process.
    pub(crate) fn process(mut self, command: Command) -> Self {
        let pid = self.commands.len();
        assert!(pid < RECOVERY, "the last process is the recovery's");
        self.initial.processes[pid] = Process::number(pid, command);
        self.commands.push(command);
        self
    }

    /// Explores every schedule.
    pub(crate) fn explore(&self) -> crate::checker::Explored<Self> {
        explore(self)
    }

    pub(crate) fn commands(&self) -> &[Command] {
        &self.commands
    }
}

impl Command {
    /// Returns a command in the run with this number.
    pub(crate) fn new(kind: Kind, state: u8, run: u8, backend: u8) -> Self {
        Self {
            kind,
            state,
            run,
            backend,
            after: None,
            resume: None,
            brings_value: false,
            named: None,
        }
    }

    pub(crate) fn by_operator(kind: Kind, backend: u8) -> Self {
        Self::new(kind, OPERATOR, 99, backend)
    }

    pub(crate) fn after(mut self, process: usize) -> Self {
        self.after = Some(process);
        self
    }

    pub(crate) fn resuming(mut self, run: u8) -> Self {
        self.resume = Some(run);
        self
    }

    pub(crate) fn bringing_value(mut self) -> Self {
        self.brings_value = true;
        self
    }

    pub(crate) fn naming(mut self, secret: Put) -> Self {
        self.named = Some(secret);
        self
    }
}

/// Returns a command on the registered backend `OWN`.
pub(crate) fn command(kind: Kind, state: u8, run: u8) -> Command {
    Command::new(kind, state, run, OWN)
}

pub(crate) fn create(state: u8, run: u8) -> Command {
    command(Kind::Create, state, run)
}

pub(crate) fn rotate(state: u8, run: u8) -> Command {
    command(Kind::Rotate, state, run)
}

pub(crate) fn heal(state: u8, run: u8) -> Command {
    command(Kind::Heal, state, run)
}

pub(crate) fn destroy(state: u8, run: u8) -> Command {
    command(Kind::Destroy, state, run)
}

pub(crate) fn delete_backend() -> Command {
    Command::by_operator(Kind::DeleteBackend, OWN)
}

/// Registers a removed backend again.
pub(crate) fn register_backend() -> Command {
    Command::by_operator(Kind::Register, OWN)
}

pub(crate) fn collect() -> Command {
    Command::by_operator(Kind::Collect, BUILT_IN)
}

/// Moves a command to another backend.
pub(crate) fn on(mut command: Command, backend: u8) -> Command {
    command.backend = backend;
    command
}

impl Model for Scenario {
    type State = World;
    type Label = Label;
    type Property = Promise;

    fn initial(&self) -> World {
        self.initial
    }

    fn successors(&self, world: &World, out: &mut Vec<(Label, World)>) {
        for pid in 0..self.commands.len() {
            let before = out.len();
            steps(&mut Turn {
                rules: &self.rules,
                world,
                pid,
                out,
            });
            let may_crash = self.crashes && out.len() > before;
            if may_crash {
                let mut next = *world;
                next.processes[pid].end(Outcome::Crashed);
                let command = self.commands[pid];
                out.push((label(command, step::CRASH), next));
            }
        }
        out.extend(late_request(&self.rules, world));
        out.extend(removal_by_hand(world));
    }

    fn broken(&self, world: &World) -> Option<Promise> {
        let broken = world.broken.or_else(|| invariants::broken(world));
        if broken.is_some() || !world.is_quiescent() {
            return broken;
        }
        let is_new = self.converged.borrow_mut().insert(recovery::start(world));
        is_new.then(|| recovery::broken(self, world)).flatten()
    }

    fn is_wanted(&self, world: &World) -> bool {
        world.is_quiescent() && invariants::has_admitted_orphan(world)
    }
}

fn label(command: Command, step: &'static str) -> Label {
    Label {
        kind: command.kind,
        state: command.state,
        run: command.run,
        step,
        note: "",
    }
}

/// Returns the label of an event that no process causes.
fn labels_of_world(step: &'static str, note: &'static str) -> Label {
    Label {
        kind: Kind::Nothing,
        state: OPERATOR,
        run: 0,
        step,
        note,
    }
}

/// Carries out the request in flight, or drops it.
fn late_request(rules: &Rules, world: &World) -> Vec<(Label, World)> {
    let Some(late) = world.in_flight else {
        return Vec::new();
    };
    let mut dropped = *world;
    dropped.in_flight = None;
    let mut landed = dropped;
    match late {
        InFlight::Document(pid, late) => {
            write::carry_out(&mut landed, rules, usize::from(pid), &late);
        }
        InFlight::Backend(late) => backend::carry_out(&mut landed, &late),
        InFlight::Put { put, creates } => land_late_put(&mut landed, put, creates),
    }
    vec![
        (labels_of_world(step::LATE, "carried out"), landed),
        (labels_of_world(step::LATE, "never"), dropped),
    ]
}

/// Removes the object of a secret manually at the vendor.
fn removal_by_hand(world: &World) -> Option<(Label, World)> {
    let record = world.document.current.filter(|_| world.drifts_left > 0)?;
    let mut next = *world;
    next.drifts_left -= 1;
    let place = next.place_mut(record.remote);
    if place.versions == 0 || !record.is_ready() {
        return None;
    }
    place.versions = 0;
    place.drifted = true;
    Some((labels_of_world(step::BY_HAND, ""), next))
}

/// The Terraform states, for iteration.
pub(crate) const STATES: [u8; 2] = [A, B];

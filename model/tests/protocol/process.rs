//! Processes: the command of each, its progress, and its next steps.

use std::fmt::{self, Display};
use std::hash::{Hash, Hasher};

use crate::rules::{Loosening, Rules};
use crate::world::{A, B, BUILT_IN, FIRST, Put, World, put_of};
use crate::write::{BackendWrite, Write};
use crate::{backend, clean, create, destroy, put, update, write};

/// The task of a process, as one command of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) kind: Kind,
    /// The Terraform state, or the operator.
    pub(crate) state: u8,
    pub(crate) run: u8,
    /// The target backend.
    pub(crate) backend: u8,
    /// The process that must end before this one begins.
    pub(crate) after: Option<usize>,
    /// The run that `PLANTON_RESUME` names.
    pub(crate) resume: Option<u8>,
    /// Whether the given value differs from the one that an adoption finds.
    pub(crate) brings_value: bool,
    /// The secret that the command names, to displace or import it.
    pub(crate) named: Option<Put>,
}

/// The use cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Create,
    Rotate,
    Heal,
    Destroy,
    Read,
    Import,
    DeleteBackend,
    Register,
    Collect,
    /// No process.
    Nothing,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Done,
    /// It may not continue, and changed nothing.
    Refused,
    /// It lost a compare-and-set.
    Failed,
    /// It gave up without the result of its last request.
    Unclear,
    Crashed,
}

/// The next step of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Begin,
    Prepare,
    Put,
    PutUnclear,
    Write,
    ReadBack,
    Answer,
    Prune,
    DeleteOrphan,
    DeleteOwnEntry,
    DeleteObject,
    DeleteEntries,
    BackendWrite,
    BackendReadBack,
    List,
    CleanLook,
    CleanObject,
    CleanEntry,
    CleanEntries,
    Over(Outcome),
}

/// The continuation after the removal of an entry, or after the process finished
/// another one's deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    Over(Outcome),
    Begin,
    Prepare,
    Adopt,
    CleanLook,
}

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) command: Command,
    pub(crate) at: At,
    pub(crate) then: Then,
    /// The first of its puts.
    pub(crate) first_put: Put,
    pub(crate) attempt: u8,
    /// The uuid of the backend, resolved by name.
    pub(crate) backend_uuid: u8,
    /// It has the response to its entry.
    pub(crate) entered: bool,
    /// It has read the backend's record.
    pub(crate) looked: bool,
    /// The backend that it read accepts no new objects.
    pub(crate) unusable: bool,
    /// It has read the document.
    pub(crate) read: bool,
    /// The entry of the previous attempt still has to be removed.
    pub(crate) spare: bool,
    /// The document's revision that it acts on.
    pub(crate) revision: u8,
    /// The uuid of its record.
    pub(crate) target: Put,
    /// The remote name of its put.
    pub(crate) put: Put,
    pub(crate) native: u8,
    /// The native id that a rotation prunes.
    pub(crate) old_native: u8,
    pub(crate) displaces: Option<Put>,
    /// It adopts a record and puts a further version.
    pub(crate) adopts: bool,
    /// It completes another state's record, which is forbidden.
    pub(crate) completes: bool,
    /// The set of objects of the record that it deletes.
    pub(crate) remotes: u32,
    /// Whether their entries still have to be removed.
    pub(crate) has_entries: bool,
    /// The set of versions that a cleanup found before it raised.
    pub(crate) versions: u8,
    /// The set of objects and entries that a cleanup still has to read.
    pub(crate) pending: u32,
    /// The set of objects that a cleanup deleted.
    pub(crate) cleaned: u32,
    /// The revision of its mark on the backend.
    pub(crate) mark: u8,
    pub(crate) writes: u8,
    pub(crate) write: Option<Write>,
    pub(crate) backend_write: Option<BackendWrite>,
}

impl Process {
    /// Returns the process number `pid` with this command.
    pub(crate) fn number(pid: usize, command: Command) -> Self {
        let mut process = Self::new(command);
        process.first_put = put_of(pid, 0);
        process
    }

    /// Returns the put of this attempt.
    pub(crate) fn fresh(&self) -> Put {
        self.first_put + self.attempt
    }

    const fn new(command: Command) -> Self {
        Self {
            command,
            at: At::Begin,
            then: Then::Begin,
            first_put: FIRST,
            attempt: 0,
            backend_uuid: 0,
            entered: false,
            looked: false,
            unusable: false,
            read: false,
            spare: false,
            revision: 0,
            target: FIRST,
            put: FIRST,
            native: 0,
            old_native: 0,
            displaces: None,
            adopts: false,
            completes: false,
            remotes: 0,
            has_entries: false,
            versions: 0,
            pending: 0,
            cleaned: 0,
            mark: 0,
            writes: 0,
            write: None,
            backend_write: None,
        }
    }

    pub(crate) const NOTHING: Self = {
        let mut process = Self::new(Command {
            kind: Kind::Nothing,
            state: 0,
            run: 0,
            backend: BUILT_IN,
            after: None,
            resume: None,
            brings_value: false,
            named: None,
        });
        process.at = At::Over(Outcome::Done);
        process
    };

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.at, At::Over(_))
    }

    /// Returns true if it ended without its own cleanup.
    pub(crate) fn was_cut_off(&self) -> bool {
        matches!(self.at, At::Over(Outcome::Crashed | Outcome::Unclear))
    }

    /// Ends the process and resets its fields, so that worlds that differ only in them
    /// become equal.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        let first_put = self.first_put;
        *self = Self::new(self.command);
        self.first_put = first_put;
        self.at = At::Over(outcome);
    }

    /// Returns the id of its next write.
    pub(crate) fn next_write_id(&mut self, pid: usize) -> u8 {
        self.writes += 1;
        assert!(self.writes < 40, "a process that never ends");
        u8::try_from(pid * 40).expect("few processes") + self.writes
    }

    /// Continues after the removal of its own entry, or after a finished deletion.
    pub(crate) fn go_on(&mut self) {
        match self.then {
            Then::Over(outcome) => self.end(outcome),
            Then::Begin => self.at = At::Begin,
            Then::Prepare => {
                self.at = At::Prepare;
                self.read = false;
            }
            Then::Adopt if self.adopts => self.at = At::Put,
            Then::Adopt => self.at = At::Write,
            Then::CleanLook => self.at = At::CleanLook,
        }
    }
}

impl Hash for Process {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.at, self.then, self.attempt).hash(state);
        if self.is_over() {
            return;
        }
        let flags = [self.entered, self.looked, self.read, self.spare];
        let flags = (flags.map(u8::from), self.unusable);
        let numbers = [self.revision, self.target, self.put, self.native];
        let numbers = (numbers, self.backend_uuid);
        let others = [self.old_native, self.mark, self.writes];
        let others = (
            others,
            self.versions,
            self.adopts,
            self.completes,
            self.has_entries,
            self.remotes,
        );
        (flags, numbers, others, self.pending, self.cleaned).hash(state);
        (self.displaces, self.write, self.backend_write).hash(state);
    }
}

/// A transition in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) kind: Kind,
    pub(crate) state: u8,
    pub(crate) run: u8,
    pub(crate) step: &'static str,
    pub(crate) note: &'static str,
}

/// Hashes the addresses of the texts, so equal texts of different steps count apart.
impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.step.as_ptr(), self.note.as_ptr(), self.run).hash(state);
    }
}

impl Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.state {
            A => "A",
            B => "B",
            _ => "operator",
        };
        if self.kind != Kind::Nothing {
            write!(f, "{who}, run {}, {:?}: ", self.run, self.kind)?;
        }
        f.write_str(self.step)?;
        if !self.note.is_empty() {
            write!(f, " ({})", self.note)?;
        }
        Ok(())
    }
}

/// The possible next steps of one process.
pub(crate) struct Turn<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) world: &'a World,
    pub(crate) pid: usize,
    pub(crate) out: &'a mut Vec<(Label, World)>,
}

impl Turn<'_> {
    pub(crate) fn process(&self) -> &Process {
        &self.world.processes[self.pid]
    }

    pub(crate) fn is(&self, loosening: Loosening) -> bool {
        self.rules.is(loosening)
    }

    /// Adds a step.
    pub(crate) fn go(&mut self, step: &'static str, change: impl FnOnce(&mut World)) {
        self.go_noted(step, "", change);
    }

    /// Adds a step with a note about its result.
    pub(crate) fn go_noted(
        &mut self,
        step: &'static str,
        note: &'static str,
        change: impl FnOnce(&mut World),
    ) {
        let command = self.process().command;
        let mut next = *self.world;
        change(&mut next);
        next.drop_late_requests();
        let label = Label {
            kind: command.kind,
            state: command.state,
            run: command.run,
            step,
            note,
        };
        self.out.push((label, next));
    }

    /// Returns true if the response to the next request may be lost.
    pub(crate) fn may_lose(&self) -> bool {
        self.world.losses_left > 0 && self.world.in_flight.is_none()
    }
}

/// Adds every possible next step of the process.
pub(crate) fn steps(turn: &mut Turn<'_>) {
    let process = turn.process();
    if process.is_over() {
        return;
    }
    if let Some(before) = process.command.after
        && !turn.world.processes[before].is_over()
    {
        return;
    }
    match process.at {
        At::Begin => match process.command.kind {
            Kind::Create => create::prepare(turn),
            Kind::Rotate | Kind::Heal => update::begin(turn),
            Kind::Destroy => destroy::begin(turn),
            Kind::Read => update::read(turn),
            Kind::Import => update::import(turn),
            Kind::DeleteBackend => backend::begin(turn),
            Kind::Register => backend::register(turn),
            Kind::Collect => clean::collect(turn),
            Kind::Nothing => unreachable!("it is over"),
        },
        At::Prepare => create::prepare(turn),
        At::Put => put::put(turn),
        At::PutUnclear => put::put_unclear(turn),
        At::Write => write::write(turn),
        At::ReadBack => write::read_back(turn),
        At::Answer => create::answer(turn),
        At::Prune => update::prune(turn),
        At::DeleteOrphan => create::delete_orphan(turn),
        At::DeleteOwnEntry => create::delete_own_entry(turn),
        At::DeleteObject => destroy::delete_object(turn),
        At::DeleteEntries => destroy::delete_entries(turn),
        At::BackendWrite => backend::write(turn),
        At::BackendReadBack => backend::read_back(turn),
        At::List => backend::list(turn),
        At::CleanLook => clean::look(turn),
        At::CleanObject => clean::clean_object(turn),
        At::CleanEntry => clean::clean_entry(turn),
        At::CleanEntries => clean::clean_entries(turn),
        At::Over(_) => {}
    }
}

//! The state of the model between two steps: catalog, stores, processes, Terraform
//! states.

use std::hash::{Hash, Hasher};

use crate::process::Process;
use crate::promise::Promise;
use crate::write::InFlight;

/// Identifies one put under a new remote name. It stands for the object's remote
/// name, its entry, and, for a creation, the secret's uuid.
pub(crate) type Put = u8;

/// The number of puts in a world.
pub(crate) const PUTS: usize = 24;
/// The number of processes in a world.
pub(crate) const PROCESSES: usize = 6;
/// The process that runs the commands of a recovery, one after another.
pub(crate) const RECOVERY: usize = PROCESSES - 1;
/// The number of puts of each process. The recovery has the remaining ones.
const PUTS_EACH: usize = 3;
/// The put of the initial secret.
pub(crate) const FIRST: Put = 0;

/// The built-in backend, which has no record and no entries.
pub(crate) const BUILT_IN: u8 = 0;

/// Two Terraform states, and an operator without a state.
pub(crate) const A: u8 = 0;
pub(crate) const B: u8 = 1;
pub(crate) const OPERATOR: u8 = 2;

/// The run and the generation of a record's creation or adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    pub(crate) run: u8,
    pub(crate) generation: u8,
}

/// The progress of a secret's deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RecordState {
    Ready,
    Deleting,
}

/// One secret in a document. It has one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) uuid: Put,
    pub(crate) backend: u8,
    pub(crate) backend_uuid: u8,
    pub(crate) remote: Put,
    /// The native id of its version.
    pub(crate) native: u8,
    /// The set of remote names with lost objects.
    pub(crate) lost: u32,
    pub(crate) state: RecordState,
    pub(crate) stamp: Stamp,
    /// The stamp before an adoption.
    pub(crate) former: Option<Stamp>,
    /// Whether the adoption wrote a version.
    pub(crate) renewed: bool,
    /// Whether a version changed since it was stamped.
    pub(crate) changed: bool,
    /// Not in the real record: the set of states that own it.
    pub(crate) owners: u8,
    /// Not in the real record: the owners before an adoption.
    pub(crate) former_owners: u8,
    /// Not in the real record: the state whose run wrote the version.
    pub(crate) writer: u8,
}

impl Record {
    /// Returns true if one of the record's objects has this remote name.
    pub(crate) fn names(&self, put: Put) -> bool {
        self.remote == put || self.lost & bit(put) != 0
    }

    /// Returns the set of remote names in the record.
    pub(crate) fn remotes(&self) -> u32 {
        self.lost | bit(self.remote)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state == RecordState::Ready
    }
}

/// The document of the model's only name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Document {
    /// 0 if nothing was ever written. The generation has the same value.
    pub(crate) revision: u8,
    pub(crate) write_id: u8,
    pub(crate) current: Option<Record>,
    pub(crate) displaced: Option<Record>,
}

impl Document {
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.current.iter().chain(&self.displaced)
    }

    pub(crate) fn record(&self, uuid: Put) -> Option<&Record> {
        self.records().find(|record| record.uuid == uuid)
    }

    pub(crate) fn record_mut(&mut self, uuid: Put) -> Option<&mut Record> {
        let mut records = self.current.iter_mut().chain(&mut self.displaced);
        records.find(|record| record.uuid == uuid)
    }

    /// Returns the record with an object of this remote name.
    pub(crate) fn naming(&self, put: Put) -> Option<&Record> {
        self.records().find(|record| record.names(put))
    }
}

/// The progress of a backend's deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BackendState {
    Ready,
    Deleting,
    Tombstone,
}

/// The record of a registered backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Backend {
    /// Different for each backend that is registered under the name.
    pub(crate) uuid: u8,
    pub(crate) state: BackendState,
    pub(crate) revision: u8,
    pub(crate) write_id: u8,
}

/// The object and the entry of one remote name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) backend: u8,
    pub(crate) backend_uuid: u8,
    pub(crate) uuid: Put,
    pub(crate) entry: bool,
    /// The set of the native ids of the object's versions.
    pub(crate) versions: u8,
    /// The last native id that was assigned.
    pub(crate) last_native: u8,
    /// Not in the real world: the object was removed manually at the vendor.
    pub(crate) drifted: bool,
    /// Not in the real world: another process cleaned up here.
    pub(crate) cleaned: bool,
}

impl Place {
    pub(crate) fn has(&self, native: u8) -> bool {
        self.versions & 1 << native != 0
    }

    /// Adds a version, and returns its native id.
    pub(crate) fn add(&mut self) -> u8 {
        self.last_native += 1;
        self.versions |= 1 << self.last_native;
        self.last_native
    }

    /// Packs all fields into one word.
    fn packed(self) -> u64 {
        let flags = [self.entry, self.drifted, self.cleaned];
        let flags = flags.map(u8::from);
        let fields = [self.backend, self.uuid, self.versions, self.last_native];
        let [a, b, c] = flags;
        let [d, e, f, g] = fields;
        // Eight bits for each field. The caller adds the put in the highest ones.
        let numbers = u64::from_le_bytes([a | b << 1 | c << 2, d, e, f, g, 0, 0, 0]);
        numbers | u64::from(self.backend_uuid) << 40
    }
}

/// A secret in a Terraform state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    pub(crate) uuid: Put,
    pub(crate) stamp: Stamp,
    pub(crate) remote: Put,
    pub(crate) native: u8,
    /// Not in the real state: its owner started to destroy it.
    pub(crate) destroying: bool,
}

/// One Terraform state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct TerraformState {
    pub(crate) current: Option<Held>,
    pub(crate) deposed: Option<Held>,
    /// Not in the real state: the set of its secrets that another state named in
    /// order to adopt or import them.
    pub(crate) released: u32,
}

impl TerraformState {
    pub(crate) fn held(&self) -> impl Iterator<Item = &Held> {
        self.current.iter().chain(&self.deposed)
    }

    pub(crate) fn held_mut(&mut self, uuid: Put) -> Option<&mut Held> {
        let mut held = self.current.iter_mut().chain(&mut self.deposed);
        held.find(|held| held.uuid == uuid)
    }

    pub(crate) fn drop_held(&mut self, uuid: Put) {
        self.current.take_if(|held| held.uuid == uuid);
        self.deposed.take_if(|held| held.uuid == uuid);
    }
}

/// The whole state of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) document: Document,
    /// The registered backends, from number 1.
    pub(crate) own_backends: [Backend; 2],
    pub(crate) places: [Place; PUTS],
    pub(crate) processes: [Process; PROCESSES],
    pub(crate) states: [TerraformState; 2],
    /// A request with a lost response, which the store may still carry out.
    pub(crate) in_flight: Option<InFlight>,
    /// The number of responses that may still be lost.
    pub(crate) losses_left: u8,
    /// The number of objects that may still be removed manually.
    pub(crate) drifts_left: u8,
    /// The promise that a step broke.
    pub(crate) broken: Option<Promise>,
}

impl World {
    pub(crate) fn place(&self, put: Put) -> &Place {
        &self.places[usize::from(put)]
    }

    pub(crate) fn place_mut(&mut self, put: Put) -> &mut Place {
        &mut self.places[usize::from(put)]
    }

    pub(crate) fn backend(&self, backend: u8) -> &Backend {
        &self.own_backends[usize::from(backend) - 1]
    }

    pub(crate) fn backend_mut(&mut self, backend: u8) -> &mut Backend {
        &mut self.own_backends[usize::from(backend) - 1]
    }

    /// Returns true if the backend with this uuid was removed, even if another one
    /// has its name.
    pub(crate) fn is_removed(&self, backend: u8, uuid: u8) -> bool {
        if backend == BUILT_IN {
            return false;
        }
        let found = self.backend(backend);
        found.state == BackendState::Tombstone || found.uuid != uuid
    }

    /// Returns true if the backend with this uuid accepts new objects.
    pub(crate) fn is_usable(&self, backend: u8, uuid: u8) -> bool {
        !self.is_removed(backend, uuid)
            && (backend == BUILT_IN || self.backend(backend).state == BackendState::Ready)
    }

    /// Returns the uuid in the record of a backend's name.
    pub(crate) fn backend_uuid(&self, backend: u8) -> u8 {
        if backend == BUILT_IN {
            0
        } else {
            self.backend(backend).uuid
        }
    }

    pub(crate) fn state_mut(&mut self, state: u8) -> &mut TerraformState {
        &mut self.states[usize::from(state)]
    }

    /// Returns true if no process is running and no request is in flight.
    pub(crate) fn is_quiescent(&self) -> bool {
        self.in_flight.is_none() && self.processes.iter().all(Process::is_over)
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.document.hash(state);
        self.own_backends.hash(state);
        for (put, place) in self.places.iter().enumerate() {
            let packed = place.packed();
            if packed != 0 {
                state.write_u64(packed | (put as u64) << 56);
            }
        }
        self.processes.hash(state);
        self.states.hash(state);
        self.in_flight.hash(state);
        let counts = [self.losses_left, self.drifts_left];
        (counts, self.broken).hash(state);
    }
}

/// Returns the set with this one member.
pub(crate) fn bit(put: Put) -> u32 {
    1 << put
}

/// Returns the members of a set in ascending order.
pub(crate) fn members(set: u32) -> impl Iterator<Item = Put> {
    (0..PUTS as Put).filter(move |put| set & bit(*put) != 0)
}

/// Returns the put of a process at its `attempt`.
pub(crate) fn put_of(process: usize, attempt: u8) -> Put {
    let put = 2 + process * PUTS_EACH + usize::from(attempt);
    assert!(
        put < PUTS,
        "a process makes more puts than the world has room for"
    );
    Put::try_from(put).expect("few puts")
}

/// Returns the process of this put, or `None` for the initial puts.
pub(crate) fn putter_of(put: Put) -> Option<usize> {
    let process = usize::from(put).checked_sub(2)? / PUTS_EACH;
    Some(process.min(RECOVERY))
}

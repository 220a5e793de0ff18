//! What is known of every secret: who owns it, and which value is current.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::config::Name;
use super::reader::{Reading, Standing};

/// A secret that must be readable.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: Name,
    /// The folders whose states hold it by right. None: what a state forgot,
    /// what was retained, and what a killed run left.
    pub(crate) owners: BTreeSet<usize>,
    pub(crate) value: Option<String>,
    /// Version, labels and description: absent where they can't be read, since
    /// another secret has its name.
    pub(crate) record: Option<Record>,
    /// Whether another secret was put in its place.
    pub(crate) is_displaced: bool,
    pub(crate) is_protected: bool,
    pub(crate) is_retained: bool,
    /// The folder whose killed run left it, with no state to hold it.
    pub(crate) orphan_of: Option<usize>,
}

/// What the catalog says besides the value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) version: Option<u64>,
    pub(crate) labels: Value,
    pub(crate) description: Value,
}

impl Record {
    pub(crate) fn of(standing: &Standing) -> Self {
        Self {
            version: standing.version,
            labels: standing.labels.clone(),
            description: standing.description.clone(),
        }
    }
}

impl Known {
    pub(crate) fn new(name: Name) -> Self {
        Self {
            name,
            owners: BTreeSet::new(),
            value: None,
            record: None,
            is_displaced: false,
            is_protected: false,
            is_retained: false,
            orphan_of: None,
        }
    }

    pub(crate) fn is_owned_by(&self, folder: usize) -> bool {
        self.owners.contains(&folder)
    }

    /// Takes over what was read.
    pub(crate) fn learn(&mut self, uuid: &str, reading: &Reading) {
        self.value.clone_from(&reading.value);
        let standing = reading.standing.as_ref().filter(|it| it.uuid == uuid);
        self.record = standing.map(Record::of);
    }
}

/// All secrets of a sequence, by uuid.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) alive: BTreeMap<String, Known>,
    pub(crate) gone: BTreeSet<String>,
}

impl Ledger {
    /// Returns who may stand under `name`: the displaced too, which may have
    /// come back.
    pub(crate) fn under<'a>(
        &'a self,
        name: &'a Name,
    ) -> impl Iterator<Item = (&'a String, &'a Known)> {
        self.alive.iter().filter(move |(_, it)| it.name == *name)
    }

    pub(crate) fn bury(&mut self, uuid: &str) {
        self.alive.remove(uuid);
        self.gone.insert(uuid.to_owned());
    }
}

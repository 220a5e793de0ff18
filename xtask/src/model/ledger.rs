//! The ledger of all secrets: the owner and the current value of each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::config::Name;
use super::reader::{Reading, Standing};

/// A secret that must be readable.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: Name,
    /// The folders whose states own it. Empty for a secret that was forgotten,
    /// retained, or left by a killed run.
    pub(crate) owners: BTreeSet<usize>,
    pub(crate) value: Option<String>,
    /// Version, labels and description; absent if another secret has its name, so
    /// that they cannot be read.
    pub(crate) record: Option<Record>,
    /// Whether another secret displaced it.
    pub(crate) is_displaced: bool,
    pub(crate) is_protected: bool,
    pub(crate) is_retained: bool,
    /// The folder whose killed run left it without a state.
    pub(crate) orphan_of: Option<usize>,
}

/// The catalog's data besides the value.
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

    /// Records a reading.
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
    /// Returns the secrets that may hold `name`, including displaced ones that may
    /// have taken it back.
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

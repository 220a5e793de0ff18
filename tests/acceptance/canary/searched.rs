//! What a run left behind, and the search through it.

use std::fs;
use std::path::Path;

use xtask::canary::Canary;
use xtask::terraform::{Outcome, Workspace};

/// The bytes that a run left behind, by place.
pub(crate) struct Searched {
    /// Stands in the names of secrets and resources: what is searched holds it.
    pub(crate) mark: Canary,
    pub(crate) planted: Vec<Canary>,
    places: Vec<(String, Vec<u8>)>,
}

impl Searched {
    /// Searches for `planted`; nothing is searched yet.
    pub(crate) fn new(planted: Vec<Canary>) -> Self {
        let mark = Canary::alphanumeric("the mark");
        // A slug of at most 63 characters, with "-generated" behind it.
        let mark = Canary::of("the mark", &mark.value()[..40]);
        Self {
            mark,
            planted,
            places: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, place: &str, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        assert_ne!(self.mark.find_in(&bytes), [], "{place} was not searched");
        self.places.push((place.to_owned(), bytes));
    }

    /// Adds what may well be silent about the secrets.
    pub(crate) fn add_quiet(&mut self, place: &str, bytes: impl Into<Vec<u8>>) {
        self.places.push((place.to_owned(), bytes.into()));
    }

    pub(crate) fn add_run(&mut self, place: &str, outcome: &Outcome) {
        self.add(&format!("the log of {place}"), outcome.log.as_bytes());
        let printed = [outcome.stdout(), outcome.stderr()].concat();
        self.add_quiet(&format!("the output of {place}"), printed);
    }

    fn assert_clean(&self) {
        for canary in &self.planted {
            for (place, bytes) in &self.places {
                canary.absent_from(place, bytes).unwrap();
            }
        }
    }
}

/// Looks through what was gathered, and through whole folders.
pub(crate) fn search(searched: &Searched, folders: &[&Path]) {
    searched.assert_clean();
    for folder in folders {
        assert_ne!(
            searched.mark.find_below(folder).unwrap(),
            [],
            "nothing searched"
        );
        for canary in &searched.planted {
            canary.absent_below(folder).unwrap();
        }
    }
}

pub(crate) fn read(workspace: &Workspace, file: &str) -> Vec<u8> {
    fs::read(workspace.path().join(file)).unwrap()
}

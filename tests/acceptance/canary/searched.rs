//! Collects the bytes that a run leaves behind, and searches them for planted values.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use xtask::canary::Canary;
use xtask::terraform::{Outcome, Workspace};

use crate::steps::flat;

/// The bytes that a run leaves behind, by place.
pub(crate) struct Searched {
    /// The part of names that every searched place must contain.
    pub(crate) mark: Canary,
    pub(crate) planted: Vec<Canary>,
    places: Vec<(String, Vec<u8>)>,
}

impl Searched {
    /// Returns an empty collection, to be searched for `planted`.
    pub(crate) fn new(planted: Vec<Canary>) -> Self {
        let mark = Canary::alphanumeric("the mark");
        // Short enough for a slug of 63 characters that ends in "-generated".
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

    /// Adds bytes that may not mention the secrets at all.
    pub(crate) fn add_quiet(&mut self, place: &str, bytes: impl Into<Vec<u8>>) {
        self.places.push((place.to_owned(), bytes.into()));
    }

    pub(crate) fn add_run(&mut self, place: &str, outcome: &Outcome) {
        self.add(&format!("the log of {place}"), outcome.log.as_bytes());
        let printed = [outcome.stdout(), outcome.stderr()].concat();
        self.add_quiet(&format!("the output of {place}"), printed);
    }

    /// Returns the printed outputs that contain these words, which lines may break.
    pub(crate) fn outputs_with(&self, words: &str) -> Vec<&str> {
        let outputs = self.places.iter();
        let outputs = outputs.filter(|(place, _)| place.starts_with("the output of"));
        outputs
            .filter(|(_, text)| flat(&String::from_utf8_lossy(text)).contains(words))
            .map(|(place, _)| place.as_str())
            .collect()
    }

    fn assert_clean(&self) {
        for canary in &self.planted {
            for (place, bytes) in &self.places {
                canary.absent_from(place, bytes).unwrap();
            }
        }
    }
}

/// Searches the collection and whole folders.
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

/// Checks that no part of a key file is among these bytes: not as it is, in hexadecimal or in
/// base64.
#[track_caller]
pub(crate) fn expect_no_part_of(file: &[u8], place: &str, bytes: &[u8]) {
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    // The search finds what is there.
    assert!(holds(&bytes[..16]));
    for part in file.windows(15) {
        let base64 = STANDARD.encode(part);
        for form in [part, hex::encode(part).as_bytes(), base64.as_bytes()] {
            assert!(!holds(form), "a part of the key file is in {place}");
        }
    }
}

pub(crate) fn read(workspace: &Workspace, file: &str) -> Vec<u8> {
    fs::read(workspace.path().join(file)).unwrap()
}

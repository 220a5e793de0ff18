//! Places whose credentials are canaries. The fixtures make them: `Planted::openbao`
//! stands in the fixture of OpenBAO.

use xtask::canary::Canary;

use super::Place;
use crate::canary::Searched;

/// A place, what its credential is made of, and its vendor's ways to refuse.
pub(super) struct Planted {
    pub(super) place: Place,
    /// The block, if it is not the place's own.
    pub(super) block: String,
    /// Variables beside the place's secret.
    pub(super) more: Vec<(&'static str, String)>,
    /// Where else than at the place the provider finds its vendor.
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) credentials: Vec<Canary>,
    /// Credentials that are refused: nothing may repeat them either.
    pub(super) wrong: Vec<Canary>,
    /// Tells what the vendor has given out for the credential by now.
    pub(super) issued: Option<fn(&Place) -> Vec<String>>,
    /// Another credential, which the environment has: the block that takes it,
    /// and its variables.
    pub(super) ambient: Option<(String, Vec<(&'static str, String)>)>,
}

impl Planted {
    /// Returns `place` with its own block and secret, which is made of `credentials`.
    pub(super) fn new(place: Place, credentials: Vec<Canary>, wrong: Vec<Canary>) -> Self {
        Self {
            block: place.block(),
            place,
            more: Vec::new(),
            environment: Vec::new(),
            credentials,
            wrong,
            issued: None,
            ambient: None,
        }
    }

    /// Plants some of what the vendor has given out by now: every process gets its
    /// own, and the first, the last and one between say as much as all.
    pub(super) fn plant_issued(&self, searched: &mut Searched) {
        let Some(issued) = self.issued else {
            return;
        };
        let issued = issued(&self.place);
        assert!(!issued.is_empty(), "nothing was given out");
        let some = [0, issued.len() / 2, issued.len() - 1].map(|index| &issued[index]);
        for text in some {
            if searched.planted.iter().all(|known| known.value() != text) {
                searched
                    .planted
                    .push(Canary::of("what was given out", text));
            }
        }
    }

    /// Lets the vendor deny, fail, and call the credential expired, each once or
    /// for as long as it is asked.
    pub(super) fn refuse(&self, how: Refusal) {
        self.place.fixture.refuse(how);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Denied,
    Expired,
    Down,
    None,
}

//! Places whose credentials are canaries. The fixtures create them: `Planted::openbao` is
//! in the fixture of OpenBAO.

use xtask::canary::Canary;

use super::Place;
use crate::canary::Searched;

/// A place, the parts of its credential, and ways to make its vendor fail.
pub(crate) struct Planted {
    pub(crate) place: Place,
    /// The block, which may differ from the place's own.
    pub(crate) block: String,
    /// Variables beside the place's secret.
    pub(crate) more: Vec<(&'static str, String)>,
    /// Variables that give the provider other addresses of the vendor.
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) credentials: Vec<Canary>,
    /// Credentials that the vendor rejects. No output may contain them either.
    pub(super) wrong: Vec<Canary>,
    /// Returns the sessions or tokens that the vendor has issued for the credential so
    /// far.
    pub(super) issued: Option<fn(&Place) -> Vec<String>>,
    /// Another credential, in the environment: the block without a sealed credential, and
    /// the variables.
    pub(super) ambient: Option<(String, Vec<(&'static str, String)>)>,
}

impl Planted {
    /// Returns `place` with its own block and secret. `credentials` are the secret's
    /// parts.
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

    /// Plants three of the credentials that the vendor has issued so far: the first, the
    /// last, and one between. Each process gets its own, so three suffice.
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

    /// Makes the vendor deny, fail, or report an expired credential, each once or until
    /// the next call.
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

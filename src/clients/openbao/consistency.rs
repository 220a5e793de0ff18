//! What keeps a standby from answering with the past.
//!
//! OpenBAO's standbys serve reads from a state that lags behind, and judge a
//! compare-and-set by it. A server tells the index of its state with every
//! answer; sent back, it makes a standby that is not there yet forward the
//! request to the leader. A process that has written nothing has no index: it
//! asks for a fence, one small write, before it believes that nothing is there.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

const INDEX: HeaderName = HeaderName::from_static("x-vault-index");
const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");

/// The highest index that a write returned, and whether it covers all writes.
#[derive(Debug, Default)]
pub(super) struct Consistency(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    index: Option<Index>,
    /// Raised whenever a write may have landed whose index is not known.
    doubts: u64,
    /// The doubts that the index settles: those before the write was sent.
    settled: Option<u64>,
}

#[derive(Clone, Debug)]
struct Index {
    header: HeaderValue,
    cluster: String,
    value: u64,
}

/// The doubts when a write was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubts(u64);

impl Consistency {
    /// Returns true when what is read from now on is as new as the newest write
    /// of this process, of which there is at least one.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.state();
        state.settled == Some(state.doubts)
    }

    /// Adds the headers that keep a request from a state that lags behind.
    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(index) = &self.state().index {
            headers.insert(INDEX, index.header.clone());
            headers.insert(
                INCONSISTENT,
                HeaderValue::from_static("forward-active-node"),
            );
        }
    }

    /// Returns what to hand to [`wrote`](Self::wrote) after the write.
    pub(super) fn before_write(&self) -> Doubts {
        Doubts(self.state().doubts)
    }

    /// Takes note of a write that was acknowledged. A server that tells no
    /// index has no standby that answers with the past.
    pub(super) fn wrote(&self, before: Doubts, headers: &HeaderMap) {
        let mut state = self.state();
        if let Some(index) = headers.get(INDEX).and_then(parse) {
            let lower = state
                .index
                .as_ref()
                .is_some_and(|held| held.cluster == index.cluster && held.value >= index.value);
            if !lower {
                state.index = Some(index);
            }
        }
        state.settled = state.settled.max(Some(before.0));
    }

    /// Takes note of a write that may have landed, or that was refused in the
    /// light of a later one: the index held does not cover it.
    pub(super) fn doubt(&self) {
        self.state().doubts += 1;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // No panic can happen while the lock is held, and the state is whole
        // after each assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns which of 256 fences this process writes: two processes may share one,
/// since only the index of the write counts, and none is left behind for every
/// process that ever ran.
///
/// # Errors
///
/// When the operating system gives no randomness.
pub fn fence_slot() -> Result<String, getrandom::Error> {
    Ok(format!("{:02x}", getrandom::u32()? & 0xff))
}

#[derive(Deserialize)]
struct Fields {
    cluster: String,
    value: String,
}

/// Reads an index: base64 of `{"cluster":"…","value":"36"}`. One of another
/// form is taken as it is, newer than any other.
fn parse(header: &HeaderValue) -> Option<Index> {
    let fields = STANDARD
        .decode(header.as_bytes())
        .ok()
        .and_then(|json| serde_json::from_slice::<Fields>(&json).ok())
        .and_then(|fields| Some((fields.cluster, fields.value.parse().ok()?)));
    let (cluster, value) = fields.unwrap_or_else(|| (String::new(), u64::MAX));
    let opaque = cluster.is_empty();
    Some(Index {
        header: header.clone(),
        // An opaque index never compares as lower.
        cluster: if opaque {
            format!("{header:?}")
        } else {
            cluster
        },
        value,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn answer(cluster: &str, value: u64) -> HeaderMap {
        let json = format!(r#"{{"cluster":"{cluster}","value":"{value}"}}"#);
        let mut headers = HeaderMap::new();
        headers.insert(INDEX, STANDARD.encode(json).parse().unwrap());
        headers
    }

    fn sent(consistency: &Consistency) -> Option<HeaderValue> {
        let mut headers = HeaderMap::new();
        consistency.add_to(&mut headers);
        assert_eq!(
            headers.contains_key(INCONSISTENT),
            headers.contains_key(INDEX)
        );
        headers.get(INDEX).cloned()
    }

    #[test]
    fn the_highest_index_of_a_cluster_is_sent_back() {
        let consistency = Consistency::default();
        assert_eq!(sent(&consistency), None);
        for (value, highest) in [(9, 9), (10, 10), (9, 10)] {
            consistency.wrote(consistency.before_write(), &answer("a", value));
            assert_eq!(sent(&consistency), answer("a", highest).get(INDEX).cloned());
        }
    }

    #[test]
    fn another_cluster_begins_anew() {
        let consistency = Consistency::default();
        consistency.wrote(consistency.before_write(), &answer("a", 10));
        consistency.wrote(consistency.before_write(), &answer("b", 3));
        assert_eq!(sent(&consistency), answer("b", 3).get(INDEX).cloned());
    }

    #[test]
    fn an_index_of_unknown_form_is_sent_back_as_it_is() {
        let consistency = Consistency::default();
        for text in ["opaque-1", "opaque-2"] {
            let mut headers = HeaderMap::new();
            headers.insert(INDEX, text.parse().unwrap());
            consistency.wrote(consistency.before_write(), &headers);
            assert_eq!(sent(&consistency).unwrap(), text);
        }
    }

    #[test]
    fn a_write_settles_only_the_doubts_before_it() {
        let consistency = Consistency::default();
        assert!(!consistency.is_settled());
        let early = consistency.before_write();
        consistency.doubt();
        consistency.wrote(early, &answer("a", 1));
        assert!(!consistency.is_settled());
        consistency.wrote(consistency.before_write(), &HeaderMap::new());
        assert!(consistency.is_settled());
    }
}

//! The index of a server's state, which prevents stale reads from a standby.
//!
//! Standbys serve reads, and evaluate a compare-and-set, on replicated state that may
//! be stale. OpenBAO 2.7 and later and Vault Enterprise 1.7 and later return the index
//! of their state with every write. If a request contains the index, a standby that has
//! not reached it does not answer from its own state:
//! <https://openbao.org/docs/next/concepts/consistency/>,
//! <https://developer.hashicorp.com/vault/docs/enterprise/consistency>.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

const INDEX: HeaderName = HeaderName::from_static("x-vault-index");
const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");

/// The newest indices that writes returned, and whether they cover all writes.
#[derive(Debug, Default)]
pub(super) struct Consistency(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// No index in it covers another one.
    newest: Vec<Index>,
    /// Whether acknowledged writes returned an index.
    last_write: LastWrite,
    /// Incremented when a write without a known index may have been applied.
    doubts: u64,
    /// The value of `doubts` when the last acknowledged write was sent. That write
    /// settles these doubts.
    settled: Option<u64>,
}

/// The information about the server's state in responses to writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LastWrite {
    /// This process has not written yet.
    #[default]
    Nothing,
    /// At least one write returned an index, which later requests contain.
    Indexed,
    /// No write returned an index. The server's version determines how to prove that
    /// reads are not stale.
    Unindexed,
}

/// The value of `doubts` when a write was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubts(u64);

impl Consistency {
    /// Returns true if the last acknowledged write is the newest of this process: no
    /// later one may have been applied without an acknowledgement.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.state();
        state.settled == Some(state.doubts)
    }

    /// Returns the information from acknowledged writes.
    pub(super) fn last_write(&self) -> LastWrite {
        self.state().last_write
    }

    /// Returns the vendor of the indices, if their form is known.
    pub(super) fn form(&self) -> Option<IndexForm> {
        self.state().newest.first().and_then(Index::form)
    }

    /// Adds the headers that prevent a stale read.
    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        let state = self.state();
        for index in &state.newest {
            headers.append(INDEX, index.header.clone());
        }
        // Vault rejects every request with this header unless its configuration allows
        // it; its standbys return 412 until they have caught up. OpenBAO forwards the
        // request, and without this header returns 429.
        if state.newest.iter().any(Index::is_openbao) {
            let forward = HeaderValue::from_static("forward-active-node");
            headers.insert(INCONSISTENT, forward);
        }
    }

    /// Returns the value to pass to [`wrote`](Self::wrote) after the write.
    pub(super) fn before_write(&self) -> Doubts {
        Doubts(self.state().doubts)
    }

    /// Returns true if a response contains an index.
    pub(super) fn is_indexed(headers: &HeaderMap) -> bool {
        headers.contains_key(INDEX)
    }

    /// Records an acknowledged write.
    pub(super) fn wrote(&self, before: Doubts, headers: &HeaderMap) {
        let mut state = self.state();
        match headers.get(INDEX) {
            Some(header) => {
                state.merge(Index::parse(header));
                state.last_write = LastWrite::Indexed;
            }
            None if state.newest.is_empty() => state.last_write = LastWrite::Unindexed,
            // The current index does not cover this write.
            None => state.doubts += 1,
        }
        state.settled = state.settled.max(Some(before.0));
    }

    /// Records a write that may have been applied, or that conflicted with a newer one.
    /// The current index does not cover it.
    pub(super) fn doubt(&self) {
        self.state().doubts += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No panic can happen while the lock is held, and the state is consistent after
        // each assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds an index, and removes the ones that it covers. An index of another cluster
    /// or of another form replaces all others, since counters of two clusters are not
    /// comparable.
    fn merge(&mut self, new: Index) {
        if !self.newest.iter().all(|held| held.compares_to(&new)) {
            self.newest.clear();
        }
        if self.newest.iter().any(|held| held.covers(&new)) {
            return;
        }
        self.newest.retain(|held| !new.covers(held));
        self.newest.push(new);
    }
}

/// An index as a server returned it.
#[derive(Clone, Debug)]
struct Index {
    header: HeaderValue,
    /// `None` for an unknown form. Such an index is not comparable, so the last one is
    /// kept.
    parsed: Option<Parsed>,
}

#[derive(Clone, Debug)]
struct Parsed {
    form: IndexForm,
    cluster: String,
    /// All of them only increase.
    counters: Vec<u64>,
}

/// The vendor of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexForm {
    /// Base64 of `{"cluster":"…","value":"36"}`.
    OpenBao,
    /// Base64 of `v1:<cluster>:<local>:<replicated>:<hmac>`.
    Vault,
}

impl Index {
    fn parse(header: &HeaderValue) -> Self {
        let decoded = STANDARD.decode(header.as_bytes()).unwrap_or_default();
        Self {
            header: header.clone(),
            parsed: openbao(&decoded).or_else(|| vault(&decoded)),
        }
    }

    fn form(&self) -> Option<IndexForm> {
        self.parsed.as_ref().map(|parsed| parsed.form)
    }

    fn is_openbao(&self) -> bool {
        self.form() == Some(IndexForm::OpenBao)
    }

    fn compares_to(&self, other: &Self) -> bool {
        match (&self.parsed, &other.parsed) {
            (Some(one), Some(two)) => one.form == two.form && one.cluster == two.cluster,
            _ => false,
        }
    }

    /// Returns true if a state that has reached this index has also reached `other`.
    fn covers(&self, other: &Self) -> bool {
        let (Some(one), Some(two)) = (&self.parsed, &other.parsed) else {
            return false;
        };
        let mut counters = one.counters.iter().zip(&two.counters);
        self.compares_to(other) && counters.all(|(one, two)| one >= two)
    }
}

fn openbao(decoded: &[u8]) -> Option<Parsed> {
    #[derive(Deserialize)]
    struct Fields {
        cluster: String,
        value: String,
    }
    let fields: Fields = serde_json::from_slice(decoded).ok()?;
    Some(Parsed {
        form: IndexForm::OpenBao,
        cluster: fields.cluster,
        counters: vec![fields.value.parse().ok()?],
    })
}

/// Parses the form that Vault's own client reads:
/// <https://github.com/hashicorp/vault/blob/main/api/client.go>
/// (ParseReplicationState).
fn vault(decoded: &[u8]) -> Option<Parsed> {
    let text = std::str::from_utf8(decoded).ok()?;
    let parts: Vec<&str> = text.split(':').collect();
    let ["v1", cluster, local, replicated, _hmac] = parts[..] else {
        return None;
    };
    Some(Parsed {
        form: IndexForm::Vault,
        cluster: cluster.to_owned(),
        counters: vec![local.parse().ok()?, replicated.parse().ok()?],
    })
}

/// Returns whether the index in a response can be compared, for a fuzz target.
///
/// # Panics
///
/// If an index that can be compared does not cover itself, or another one does.
#[cfg(feature = "testing")]
#[must_use]
pub fn fuzz_index(header: &HeaderValue) -> bool {
    let index = Index::parse(header);
    assert_eq!(index.covers(&index), index.parsed.is_some());
    index.parsed.is_some()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn answer(index: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(INDEX, index.parse().unwrap());
        headers
    }

    fn openbao(cluster: &str, value: u64) -> String {
        STANDARD.encode(format!(r#"{{"cluster":"{cluster}","value":"{value}"}}"#))
    }

    fn vault(cluster: &str, local: u64, replicated: u64) -> String {
        STANDARD.encode(format!("v1:{cluster}:{local}:{replicated}:c0ffee"))
    }

    /// Returns the headers of a request after the server returned these indices in this
    /// order.
    fn sent_after(returned: &[String]) -> (Vec<String>, bool) {
        let consistency = Consistency::default();
        for index in returned {
            consistency.wrote(consistency.before_write(), &answer(index));
        }
        let mut headers = HeaderMap::new();
        consistency.add_to(&mut headers);
        let indices = headers.get_all(INDEX).into_iter();
        let indices = indices.map(|index| index.to_str().unwrap().to_owned());
        (indices.collect(), headers.contains_key(INCONSISTENT))
    }

    #[test]
    fn a_process_that_wrote_nothing_sends_no_header() {
        assert_eq!(sent_after(&[]), (vec![], false));
    }

    #[test]
    fn of_openbaos_indices_the_highest_is_sent_back_with_the_forwarding_header() {
        let [nine, ten] = [9, 10].map(|value| openbao("a", value));
        let returned = [nine.clone(), ten.clone(), nine];
        assert_eq!(sent_after(&returned), (vec![ten], true));
    }

    #[test]
    fn vault_is_never_sent_the_forwarding_header() {
        let newest = vault("a", 10, 3);
        let returned = [vault("a", 9, 3), newest.clone(), vault("a", 10, 2)];
        assert_eq!(sent_after(&returned), (vec![newest], false));
    }

    #[test]
    fn of_vaults_indices_both_are_sent_where_neither_covers_the_other() {
        let (local, replicated) = (vault("a", 9, 3), vault("a", 2, 7));
        let returned = [local.clone(), replicated.clone(), local.clone()];
        assert_eq!(
            sent_after(&returned),
            (vec![local.clone(), replicated.clone()], false)
        );
        let above = vault("a", 9, 7);
        let returned = [local, replicated, above.clone()];
        assert_eq!(sent_after(&returned), (vec![above], false));
    }

    #[test]
    fn the_counters_are_numbers_and_not_text() {
        let ten = vault("a", 10, 10);
        assert_eq!(
            sent_after(&[ten.clone(), vault("a", 9, 9)]),
            (vec![ten], false)
        );
    }

    #[test]
    fn an_index_of_another_cluster_replaces_what_is_held() {
        for [first, second] in [
            [openbao("a", 10), openbao("b", 3)],
            [vault("a", 10, 10), vault("b", 3, 3)],
            [openbao("a", 10), vault("a", 3, 3)],
            [vault("a", 10, 10), openbao("a", 3)],
        ] {
            let (indices, _) = sent_after(&[first, second.clone()]);
            assert_eq!(indices, [second]);
        }
    }

    #[test]
    fn of_indices_of_unknown_form_the_last_one_is_sent_back_without_another_header() {
        for unknown in [
            "opaque".to_owned(),
            STANDARD.encode("v2:a:9:9:c0ffee"),
            STANDARD.encode("v1:a:9:many:c0ffee"),
            STANDARD.encode("v1:a:9"),
            STANDARD.encode(r#"{"cluster":"a","value":"many"}"#),
        ] {
            for known in [openbao("a", 10), vault("a", 10, 10)] {
                let last = (vec![unknown.clone()], false);
                assert_eq!(sent_after(&[known.clone(), unknown.clone()]), last);
                let (indices, _) = sent_after(&[unknown.clone(), known.clone()]);
                assert_eq!(indices, [known]);
            }
        }
        let returned = ["opaque-2", "opaque-1"].map(str::to_owned);
        assert_eq!(sent_after(&returned), (vec!["opaque-1".to_owned()], false));
    }

    #[test]
    fn a_write_settles_only_the_doubts_before_it() {
        let consistency = Consistency::default();
        assert!(!consistency.is_settled());
        let early = consistency.before_write();
        consistency.doubt();
        consistency.wrote(early, &answer(&openbao("a", 1)));
        assert!(!consistency.is_settled());
        consistency.wrote(consistency.before_write(), &answer(&openbao("a", 2)));
        assert!(consistency.is_settled());
    }

    #[test]
    fn writes_tell_whether_the_server_has_an_index() {
        let consistency = Consistency::default();
        assert_eq!(consistency.last_write(), LastWrite::Nothing);
        consistency.wrote(consistency.before_write(), &HeaderMap::new());
        assert_eq!(consistency.last_write(), LastWrite::Unindexed);
        assert!(consistency.is_settled());
        consistency.wrote(consistency.before_write(), &answer(&openbao("a", 1)));
        assert_eq!(consistency.last_write(), LastWrite::Indexed);
        assert!(consistency.is_settled());
    }

    #[test]
    fn an_index_does_not_cover_a_later_write_without_one() {
        let consistency = Consistency::default();
        consistency.wrote(consistency.before_write(), &answer(&openbao("a", 1)));
        consistency.wrote(consistency.before_write(), &HeaderMap::new());
        assert_eq!(consistency.last_write(), LastWrite::Indexed);
        assert!(!consistency.is_settled());
        consistency.wrote(consistency.before_write(), &answer(&openbao("a", 2)));
        assert!(consistency.is_settled());
    }
}

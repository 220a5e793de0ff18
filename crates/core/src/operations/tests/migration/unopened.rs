//! Versions whose data keys no key at hand unwraps.

use super::*;
use crate::catalog::CatalogStore as _;

/// Fills the source, and seals two more secrets under a version of its key that is lost then.
async fn sealed_under_a_lost_key(pair: &Pair) {
    filled(pair).await;
    pair.source.kek.rotate();
    let process = pair.source.process();
    create(&process, "newer", None).await.unwrap();
    create(&process, "newer-cert", Some("vault")).await.unwrap();
    process.settle().await;
    pair.source.kek.forget_newest();
}

fn subjects(all: &[crate::operations::Unmoved]) -> Vec<(&str, Option<u64>)> {
    let mut subjects: Vec<_> = all
        .iter()
        .map(|it| (it.subject.as_str(), it.version))
        .collect();
    subjects.sort_unstable();
    subjects
}

/// Checks that a platform and the registered backend have no value of [`sealed_under_a_lost_key`].
async fn expect_sealed(world: &World) {
    let mut stored = world.store.payloads();
    let built_in = stored.len();
    stored.extend(world.connector.place("vault").payloads());
    assert!(built_in > 0 && stored.len() > built_in);
    for key in world.catalog.list("").await.unwrap() {
        stored.push(world.stored(&key).await.unwrap().body.into_bytes());
    }
    let is_in = |part: &[u8]| {
        let mut all = stored.iter();
        all.any(|bytes| bytes.windows(part.len()).any(|at| at == part))
    };
    // The name is no secret, and shows that the search works.
    assert!(is_in(b"newer-cert"));
    for value in ["hunter2", "next"] {
        assert!(!is_in(value.as_bytes()), "{value}");
    }
}

const LOST: [(&str, Option<u64>); 2] = [("newer", Some(1)), ("newer-cert", Some(1))];

#[tokio::test(start_paused = true)]
async fn a_survey_names_what_no_key_at_hand_opens() {
    let pair = Pair::new();
    sealed_under_a_lost_key(&pair).await;
    let interrupt = Interrupt::default();
    let survey = pair.migration().survey(&|_| {}, &interrupt).await.unwrap();
    assert_eq!(subjects(&survey.unopened), LOST);
    assert_eq!(survey.obstacles, []);
}

#[tokio::test(start_paused = true)]
async fn each_later_call_names_what_was_copied_without_being_opened() {
    let pair = Pair::new();
    sealed_under_a_lost_key(&pair).await;
    // Most of it is copied by the call that is killed.
    let last = kills::Call::Source(crate::catalog::CatalogVerb::List, 5);
    kills::killed_before(&pair, last).await;
    for _ in 0..2 {
        let done = pair.migrate().await.unwrap();
        assert!(done.is_complete, "{done:?}");
        assert_eq!(subjects(&done.unopened), LOST);
    }
    let interrupt = Interrupt::default();
    let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    assert_eq!(subjects(&swept.unopened), LOST);
    assert_eq!(pair.target.value("db").await.unwrap(), "next");
    pair.target.value("newer").await.unwrap_err();
    expect_sealed(&pair.target).await;

    // They are gone once nothing on the target needs the former key.
    let process = pair.target.process();
    for named in ["newer", "newer-cert"] {
        let own = own(&process.secrets().find(&name(named)).await.unwrap());
        process.secrets().delete(&own, &interrupt).await.unwrap();
    }
    let done = pair.migrate().await.unwrap();
    assert_eq!(subjects(&done.unopened), []);
}

//! Versions whose data keys no key at hand unwraps.

use super::*;

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

    // They are gone once nothing on the target needs the former key.
    let process = pair.target.process();
    for named in ["newer", "newer-cert"] {
        let own = own(&process.secrets().find(&name(named)).await.unwrap());
        process.secrets().delete(&own, &interrupt).await.unwrap();
    }
    let done = pair.migrate().await.unwrap();
    assert_eq!(subjects(&done.unopened), []);
}

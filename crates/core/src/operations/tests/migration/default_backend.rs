//! The record of the default backend, which only some organizations have.

use super::*;
use crate::operations::tests::backends::{chosen, slug};

#[tokio::test(start_paused = true)]
async fn a_default_backend_moves_with_its_owner() {
    let pair = Pair::new();
    filled(&pair).await;
    let before = chosen(&pair.source.process(), "vault", "platform").await;
    let interrupt = Interrupt::default();
    let survey = pair.migration().survey(&|_| {}, &interrupt).await.unwrap();
    let done = pair.migrated().await;
    // The verification looks at each document again.
    assert!(survey.total > 0 && done.total > survey.total, "{done:?}");

    let process = pair.target.process();
    let view = process.default_backend().view().await.unwrap();
    assert_eq!((view.backend, view.owner), (slug("vault"), before.owner));
    let created = create(&process, "late", None).await.unwrap();
    assert_eq!(created.backend, slug("vault"));
    // The source's record says where it went.
    let default = RecordKey::new("default");
    let left = pair.source.stored(&default).await.unwrap();
    assert!(left.body.starts_with(r#"{"moved":"#), "{}", left.body);
    // The way back finds the record in the form that says so.
    pair.back().migrated().await;
    let view = pair.source.process().default_backend().view().await;
    assert_eq!(view.unwrap().backend, slug("vault"));
}

#[tokio::test(start_paused = true)]
async fn an_organization_without_a_default_has_none_on_the_target() {
    let with_default = {
        let pair = Pair::new();
        filled(&pair).await;
        chosen(&pair.source.process(), "vault", "platform").await;
        pair
    };
    let without = Pair::new();
    filled(&without).await;
    let interrupt = Interrupt::default();
    let mut totals = Vec::new();
    for pair in [&with_default, &without] {
        let survey = pair.migration().survey(&|_| {}, &interrupt).await.unwrap();
        totals.push((survey.total, pair.migrated().await.total));
    }
    assert_eq!(totals[0].0, totals[1].0 + 1, "one record more to survey");
    assert!(totals[0].1 > totals[1].1, "{totals:?}");
    let default = RecordKey::new("default");
    for world in [&without.source, &without.target] {
        assert!(world.stored(&default).await.is_none());
    }
}

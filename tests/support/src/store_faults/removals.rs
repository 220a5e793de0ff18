//! Faults during a deletion. Acknowledged deletions took effect, and nothing else was
//! deleted.

use super::*;

pub(super) async fn run_all(bench: &Bench<'_>, undisturbed: &Undisturbed) {
    let usual = undisturbed.delete.len();
    for blow in BLOWS {
        delete_survives(bench, blow, usual).await;
    }
    let step = &bench.requests.delete;
    for Outage {
        name: case,
        fault,
        kind,
    } in OUTAGES
    {
        let (name, id, payload) = bench.object(&format!("delete-{case}")).await;
        let removing = bench.remove(bench.hasty, &name, vec![id.clone()]);
        let (error, seen) = bench.refused(fault(), step, removing).await;
        assert_eq!(error.kind(), *kind, "{case}: {error:?}");
        let expected = step.refused(&undisturbed.delete);
        assert_eq!(seen.len(), expected, "delete, {case}: {seen:?}");
        // The vendor did not act, so the object still exists and can be deleted.
        assert_eq!(bench.direct.get(&name, &id).await.unwrap(), payload);
        let removed = bench.remove(bench.store, &name, vec![id.clone()]).await;
        removed.unwrap();
        expect_gone(bench, &name, &id).await;
    }
    delete_whose_every_answer_is_lost_can_be_repeated(bench).await;
    delete_that_succeeds_is_done_whatever_the_answer_holds(bench, usual).await;
    delete_is_bounded_by_its_operation(bench).await;
}

async fn delete_survives(bench: &Bench<'_>, blow: &Blow, usual: usize) {
    let step = &bench.requests.delete;
    let (name, id, _) = bench.object(&format!("delete-{}", blow.name)).await;
    let (neighbour, kept, payload) = bench.object(&format!("delete-{}-not", blow.name)).await;
    let removing = bench.remove(bench.facing(blow), &name, vec![id.clone()]);
    let ((), seen) = bench.under(blow, step, removing).await;
    let expected = usual + step.extra(blow);
    assert_eq!(seen.len(), expected, "delete, {}: {seen:?}", blow.name);
    expect_gone(bench, &name, &id).await;
    let stays = bench.direct.get(&neighbour, &kept).await.unwrap();
    assert_eq!(stays, payload, "{}", blow.name);
}

async fn delete_whose_every_answer_is_lost_can_be_repeated(bench: &Bench<'_>) {
    let step = &bench.requests.delete;
    let (name, id, _) = bench.object("delete-all-lost").await;
    let removing = bench.remove(bench.hasty, &name, vec![id.clone()]);
    let (error, _) = bench.refused(Fault::lose_answer(), step, removing).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    let removed = bench.remove(bench.store, &name, vec![id.clone()]).await;
    removed.unwrap();
    expect_gone(bench, &name, &id).await;
}

/// Some vendors return 204 without a body, others a body of their own.
async fn delete_that_succeeds_is_done_whatever_the_answer_holds(bench: &Bench<'_>, usual: usize) {
    let step = &bench.requests.delete;
    for (case, answer) in [
        ("204", Fault::answer_in_place(204)),
        ("200", Fault::answer_in_place(200)),
        ("word", Fault::answer_in_place(200).with_body("deleted")),
    ] {
        let (name, id, _) = bench.object(&format!("delete-{case}")).await;
        bench.proxy.forget();
        bench.proxy.fail(answer.on(step.request.clone()));
        let removed = bench.remove(bench.store, &name, vec![id.clone()]).await;
        removed.unwrap_or_else(|error| panic!("{case}: {error:?}"));
        assert_eq!(bench.proxy.unused_faults(), [""; 0], "{case}");
        assert_eq!(bench.proxy.requests().len(), usual, "{case}");
        expect_gone(bench, &name, &id).await;
    }
}

async fn delete_is_bounded_by_its_operation(bench: &Bench<'_>) {
    let (name, id, payload) = bench.object("delete-bound").await;
    let removing = || bench.remove(bench.store, &name, vec![id.clone()]);
    bench.is_bounded(&bench.requests.delete, removing).await;
    assert_eq!(bench.direct.get(&name, &id).await.unwrap(), payload);
}

async fn expect_gone(bench: &Bench<'_>, name: &RemoteName, id: &NativeVersionId) {
    let got = bench
        .direct
        .get(name, id)
        .await
        .map(|payload| payload.len());
    let error = got.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound, "{name}: {error:?}");
    assert_eq!(bench.versions.count(name).await, 0, "{name}");
}

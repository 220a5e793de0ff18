//! Faults during a read. An existing version is never reported as gone.

use super::*;

pub(super) async fn run_all(bench: &Bench<'_>, undisturbed: &Undisturbed) {
    let object = bench.object("read").await;
    // A reader cannot distinguish a stall before the request from a stall after it.
    for blow in BLOWS.iter().filter(|blow| !(blow.hasty && blow.lands)) {
        get_survives(bench, blow, &object, undisturbed.get.len()).await;
        describe_survives(bench, blow, &object, undisturbed.describe.len()).await;
    }
    let (name, id, payload) = &object;
    for Outage {
        name: case,
        fault,
        kind,
    } in OUTAGES
    {
        let Requests { get, describe, .. } = &bench.requests;
        let (error, seen) = bench.refused(fault(), get, bench.hasty.get(name, id)).await;
        assert_eq!(error.kind(), *kind, "get, {case}: {error:?}");
        expect_discreet(&error, payload);
        let expected = get.refused(&undisturbed.get);
        assert_eq!(seen.len(), expected, "get, {case}: {seen:?}");

        let describing = bench.hasty.describe(name, about(id));
        let (error, seen) = bench.refused(fault(), describe, describing).await;
        assert_eq!(error.kind(), *kind, "describe, {case}: {error:?}");
        let expected = describe.refused(&undisturbed.describe);
        assert_eq!(seen.len(), expected, "describe, {case}: {seen:?}");
    }
    reads_are_bounded_by_their_operation(bench, &object).await;
    reads_answered_by_a_stranger_find_nothing_out(bench, &object).await;
}

type Object = (RemoteName, NativeVersionId, Vec<u8>);

async fn get_survives(bench: &Bench<'_>, blow: &Blow, (name, id, payload): &Object, usual: usize) {
    let step = &bench.requests.get;
    let (got, seen) = bench
        .under(blow, step, bench.facing(blow).get(name, id))
        .await;
    assert_eq!(got, *payload, "{}", blow.name);
    let expected = usual + step.extra(blow);
    assert_eq!(seen.len(), expected, "get, {}: {seen:?}", blow.name);
}

async fn describe_survives(bench: &Bench<'_>, blow: &Blow, (name, id, _): &Object, usual: usize) {
    let step = &bench.requests.describe;
    let describing = bench.facing(blow).describe(name, about(id));
    let (status, seen) = bench.under(blow, step, describing).await;
    assert_eq!(status, VersionStatus::Present, "{}", blow.name);
    let expected = usual + step.extra(blow);
    assert_eq!(seen.len(), expected, "describe, {}: {seen:?}", blow.name);
}

async fn reads_are_bounded_by_their_operation(bench: &Bench<'_>, (name, id, _): &Object) {
    let Requests { get, describe, .. } = &bench.requests;
    bench.is_bounded(get, || bench.store.get(name, id)).await;
    let describing = || bench.store.describe(name, about(id));
    bench.is_bounded(describe, describing).await;
}

/// A response of another form proves neither that a version exists nor that it is gone.
async fn reads_answered_by_a_stranger_find_nothing_out(bench: &Bench<'_>, (name, id, _): &Object) {
    let Requests { get, describe, .. } = &bench.requests;
    bench.proxy.forget();
    bench.proxy.fail(stranger().on(get.request.clone()));
    let got = bench.store.get(name, id).await;
    expect_strange(&got.map(|payload| payload.len()).unwrap_err());
    bench.proxy.fail(stranger().on(describe.request.clone()));
    let described = bench.store.describe(name, about(id)).await;
    expect_strange(&described.unwrap_err());
    // Both are the stranger's, for a store that reads an object after its description.
    bench.proxy.fail(stranger().on(describe.request.clone()));
    bench.proxy.fail(stranger().on(get.request.clone()));
    let described = bench.store.describe(name, about(id)).await;
    expect_strange(&described.unwrap_err());
    // A store without such a read leaves its fault unused.
    bench.proxy.forget();
}

//! Faults during a put. An acknowledged version exists, and a failed put can be repeated.

use super::*;

pub(super) async fn run_all(bench: &Bench<'_>, undisturbed: &Undisturbed) {
    let steps = &bench.requests.put;
    for (index, step) in steps.iter().enumerate() {
        let writes = index + 1 == steps.len();
        for blow in BLOWS {
            let case = format!("put-{index}-{}", blow.name);
            put_survives(
                bench,
                blow,
                &Put::first(bench, undisturbed, step, writes),
                &case,
            )
            .await;
        }
        for outage in OUTAGES {
            let case = format!("put-{index}-{}", outage.name);
            let put = Put::first(bench, undisturbed, step, writes);
            put_in_an_outage_is_refused_and_can_be_repeated(bench, &put, outage, &case).await;
        }
        let put = Put::first(bench, undisturbed, step, writes);
        put_is_bounded_by_its_operation(bench, &put, &format!("put-{index}-bound")).await;
    }
    let step = steps.last().unwrap();
    // A stall affects a later put as it affects a first one.
    for blow in BLOWS.iter().filter(|blow| !blow.hasty) {
        let case = format!("put-again-{}", blow.name);
        put_survives(bench, blow, &Put::later(bench, undisturbed, step), &case).await;
    }
    let first = Put::first(bench, undisturbed, step, true);
    let later = Put::later(bench, undisturbed, step);
    for (put, case) in [(&first, "put-all-lost"), (&later, "put-again-all-lost")] {
        match step.looks {
            true => put_whose_answer_is_lost_is_recognized_at_once(bench, put, case).await,
            false => put_whose_every_answer_is_lost_is_recognized_later(bench, put, case).await,
        }
    }
    put_that_lands_late_changes_nothing(bench, &first, "put-late").await;
    put_answered_by_a_stranger_is_not_acknowledged(bench, &first, "put-stranger").await;
}

/// The put of an object's first version, or of its second.
struct Put<'a> {
    step: &'a Step,
    /// Whether the step writes the payload.
    writes: bool,
    undisturbed: &'a [Seen],
    is_later: bool,
    payload: Vec<u8>,
}

/// An object before the put.
struct Object {
    name: RemoteName,
    options: PutOptions,
    older: Option<NativeVersionId>,
}

impl<'a> Put<'a> {
    fn first(
        bench: &Bench<'_>,
        undisturbed: &'a Undisturbed,
        step: &'a Step,
        writes: bool,
    ) -> Self {
        Self {
            step,
            writes,
            undisturbed: &undisturbed.first_put,
            is_later: false,
            payload: sample(bench.store, 7),
        }
    }

    fn later(bench: &Bench<'_>, undisturbed: &'a Undisturbed, step: &'a Step) -> Self {
        Self {
            undisturbed: &undisturbed.later_put,
            is_later: true,
            ..Self::first(bench, undisturbed, step, true)
        }
    }

    async fn prepare(&self, bench: &Bench<'_>, case: &str) -> Object {
        if !self.is_later {
            return Object {
                name: bench.name(case),
                options: options(1, &[]),
                older: None,
            };
        }
        let (name, older, _) = bench.object(case).await;
        Object {
            name,
            options: options(2, std::slice::from_ref(&older)),
            older: Some(older),
        }
    }
}

impl Object {
    fn older_versions(&self) -> usize {
        usize::from(self.older.is_some())
    }

    /// Checks that nothing was written.
    async fn expect_untouched(&self, bench: &Bench<'_>) {
        let count = bench.versions.count(&self.name).await;
        assert_eq!(count, self.older_versions(), "{}", self.name);
        self.expect_older(bench).await;
    }

    /// Checks that the version exists, beside at most `spares` unreferenced ones.
    /// Repeating the put through `store`, which put it, with the same attempt adds no
    /// version.
    async fn expect_put(
        &self,
        bench: &Bench<'_>,
        store: &dyn SecretStore,
        put: &Put<'_>,
        id: &NativeVersionId,
        spares: usize,
    ) {
        let name = &self.name;
        assert_eq!(bench.direct.get(name, id).await.unwrap(), put.payload);
        let status = bench.direct.describe(name, about(id)).await.unwrap();
        assert_eq!(status, VersionStatus::Present, "{name}");
        let least = self.older_versions() + 1;
        let count = bench.versions.count(name).await;
        assert!(
            (least..=least + spares).contains(&count),
            "{name}: {count} versions"
        );
        let again = store.put(name, &put.payload, self.options.clone());
        assert_eq!(again.await.unwrap(), *id, "{name}: the same attempt");
        assert_eq!(bench.versions.count(name).await, count, "{name}");
        self.expect_older(bench).await;
    }

    async fn expect_older(&self, bench: &Bench<'_>) {
        if let Some(older) = &self.older {
            let payload = bench.direct.get(&self.name, older).await.unwrap();
            assert_eq!(payload, sample(bench.direct, 1), "{}", self.name);
        }
    }
}

async fn put_survives(bench: &Bench<'_>, blow: &Blow, put: &Put<'_>, case: &str) {
    let object = put.prepare(bench, case).await;
    let store = bench.facing(blow);
    let putting = store.put(&object.name, &put.payload, object.options.clone());
    let (id, seen) = bench.under(blow, put.step, putting).await;
    let expected = put.undisturbed.len() + put.step.extra(blow);
    assert_eq!(seen.len(), expected, "{case}: {seen:?}");
    let spares = if blow.lands && put.writes {
        bench.spares
    } else {
        0
    };
    object.expect_put(bench, store, put, &id, spares).await;
}

async fn put_in_an_outage_is_refused_and_can_be_repeated(
    bench: &Bench<'_>,
    put: &Put<'_>,
    outage: &Outage,
    case: &str,
) {
    let object = put.prepare(bench, case).await;
    let putting = bench
        .hasty
        .put(&object.name, &put.payload, object.options.clone());
    let (error, seen) = bench.refused((outage.fault)(), put.step, putting).await;
    // A store that looks for its own write takes every such answer for unclear.
    let kind = match put.step.looks {
        true => StoreErrorKind::Unavailable,
        false => outage.kind,
    };
    assert_eq!(error.kind(), kind, "{case}: {error:?}");
    expect_discreet(&error, &put.payload);
    let expected = put.step.refused(put.undisturbed);
    assert_eq!(seen.len(), expected, "{case}: {seen:?}");
    object.expect_untouched(bench).await;
    let again = bench
        .store
        .put(&object.name, &put.payload, object.options.clone());
    let id = again.await.unwrap();
    object.expect_put(bench, bench.store, put, &id, 0).await;
}

async fn put_is_bounded_by_its_operation(bench: &Bench<'_>, put: &Put<'_>, case: &str) {
    let object = put.prepare(bench, case).await;
    let putting = || {
        bench
            .store
            .put(&object.name, &put.payload, object.options.clone())
    };
    bench.is_bounded(put.step, putting).await;
    object.expect_untouched(bench).await;
    let id = putting().await.unwrap();
    object.expect_put(bench, bench.store, put, &id, 0).await;
}

/// The caller gets an error although the put took effect. Repeating the attempt returns
/// the same version.
async fn put_whose_every_answer_is_lost_is_recognized_later(
    bench: &Bench<'_>,
    put: &Put<'_>,
    case: &str,
) {
    let object = put.prepare(bench, case).await;
    let putting = bench
        .hasty
        .put(&object.name, &put.payload, object.options.clone());
    let (error, seen) = bench.refused(Fault::lose_answer(), put.step, putting).await;
    assert_eq!(
        error.kind(),
        StoreErrorKind::Unavailable,
        "{case}: {error:?}"
    );
    expect_discreet(&error, &put.payload);
    assert!(
        seen.iter().all(|seen| seen.answered().is_some()),
        "{seen:?}"
    );
    let again = bench
        .hasty
        .put(&object.name, &put.payload, object.options.clone());
    let id = again.await.unwrap();
    object
        .expect_put(bench, bench.hasty, put, &id, HASTY_TRIES * bench.spares)
        .await;
}

/// The store finds its own write, and sends no second one.
async fn put_whose_answer_is_lost_is_recognized_at_once(
    bench: &Bench<'_>,
    put: &Put<'_>,
    case: &str,
) {
    let object = put.prepare(bench, case).await;
    bench.proxy.forget();
    let lost = Fault::lose_answer().on(put.step.request.clone());
    bench.proxy.fail(lost.times(HASTY_TRIES));
    let putting = bench
        .hasty
        .put(&object.name, &put.payload, object.options.clone());
    let id = putting.await.unwrap();
    assert_eq!(bench.proxy.count(&put.step.request), 1, "{case}");
    object.expect_put(bench, bench.hasty, put, &id, 0).await;
}

/// An abandoned try reaches the vendor after its repetition.
async fn put_that_lands_late_changes_nothing(bench: &Bench<'_>, put: &Put<'_>, case: &str) {
    let object = put.prepare(bench, case).await;
    let (hold, gate) = Fault::hold();
    bench.proxy.forget();
    bench.proxy.fail(hold.on(put.step.request.clone()));
    let putting = bench
        .hasty
        .put(&object.name, &put.payload, object.options.clone());
    let id = putting.await.unwrap();
    let held = || {
        let mut seen = bench.proxy.requests().into_iter();
        seen.find(|seen| seen.fault().is_some()).unwrap()
    };
    assert_eq!(held().answered(), None, "{case}");
    gate.open();
    let landing = async {
        while held().answered().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, landing).await.unwrap();
    object
        .expect_put(bench, bench.hasty, put, &id, bench.spares)
        .await;
}

/// A 2xx response of a captive portal is not a success.
async fn put_answered_by_a_stranger_is_not_acknowledged(
    bench: &Bench<'_>,
    put: &Put<'_>,
    case: &str,
) {
    let object = put.prepare(bench, case).await;
    bench.proxy.forget();
    bench.proxy.fail(stranger().on(put.step.request.clone()));
    let putting = bench
        .store
        .put(&object.name, &put.payload, object.options.clone());
    if put.step.looks {
        // The store looks for its write, finds none, and repeats it.
        let id = putting.await.unwrap();
        assert_eq!(bench.proxy.count(&put.step.request), 2, "{case}");
        object.expect_put(bench, bench.store, put, &id, 0).await;
        return;
    }
    let error = putting.await.unwrap_err();
    expect_strange(&error);
    expect_discreet(&error, &put.payload);
    object.expect_untouched(bench).await;
}

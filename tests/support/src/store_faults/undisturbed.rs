//! The requests of each verb without a fault.

use planton_core::store::conformance::payload::sample;
use planton_core::store::{SecretStore, VersionStatus};
use xtask::faults::Seen;

use super::{Bench, Requests, about, expect_one, options};

/// The requests of each verb without a fault.
pub(super) struct Undisturbed {
    pub(super) first_put: Vec<Seen>,
    pub(super) later_put: Vec<Seen>,
    pub(super) get: Vec<Seen>,
    pub(super) describe: Vec<Seen>,
    pub(super) delete: Vec<Seen>,
}

impl Undisturbed {
    pub(super) async fn measure(bench: &Bench<'_>) -> Self {
        let mut measured = Vec::new();
        for (store, case) in [
            (bench.hasty, "first-use-hasty"),
            (bench.store, "first-use"),
            (bench.store, "undisturbed"),
        ] {
            measured.push(Self::of(bench, store, case).await);
        }
        let measured = measured.pop().unwrap();
        let Requests {
            put,
            get,
            describe,
            delete,
        } = &bench.requests;
        for step in put {
            expect_one("first put", &measured.first_put, step);
        }
        expect_one("later put", &measured.later_put, put.last().unwrap());
        expect_one("get", &measured.get, get);
        expect_one("describe", &measured.describe, describe);
        expect_one("delete", &measured.delete, delete);
        measured
    }

    async fn of(bench: &Bench<'_>, store: &dyn SecretStore, case: &str) -> Self {
        let name = bench.name(case);
        let seen = || {
            let seen = bench.proxy.requests();
            bench.proxy.forget();
            seen
        };
        seen();
        let payload = sample(store, 1);
        let one = store.put(&name, &payload, options(1, &[])).await.unwrap();
        let first_put = seen();
        let keep = [one.clone()];
        let payload = sample(store, 2);
        let two = store.put(&name, &payload, options(2, &keep)).await.unwrap();
        let later_put = seen();
        assert_eq!(store.get(&name, &two).await.unwrap(), payload);
        let get = seen();
        let status = store.describe(&name, about(&two)).await.unwrap();
        assert_eq!(status, VersionStatus::Present);
        let describe = seen();
        let versions = vec![one, two];
        bench.remove(store, &name, versions).await.unwrap();
        seen();
        let name = bench.name(&format!("{case}-one"));
        let only = store.put(&name, &payload, options(1, &[])).await.unwrap();
        seen();
        bench.remove(store, &name, vec![only]).await.unwrap();
        Self {
            first_put,
            later_put,
            get,
            describe,
            delete: seen(),
        }
    }
}

//! A self-hosted OpenBAO on a way that fails.

use std::collections::BTreeMap;

use async_trait::async_trait;
use terraform_provider_planton::backends::openbao::OpenBaoStore;
use terraform_provider_planton::clients::openbao::KvV2;
use terraform_provider_planton::http::HttpSettings;
use terraform_provider_planton::store::{
    Deletion, DescribeOptions, PutOptions, RemoteName, SecretStore, StoreErrorKind, VersionStatus,
};
use uuid::Uuid;
use xtask::faults::{Fault, FaultProxy, Match};

use super::store_faults::{self, Bench, CountVersions, Requests, Step};
use super::support::Place;
use super::support::own::Own;

/// Counts the paths under a name: each is one version.
struct Paths(KvV2);

#[async_trait]
impl CountVersions for Paths {
    async fn count(&self, name: &RemoteName) -> usize {
        self.0.list(name.as_str()).await.unwrap().len()
    }
}

fn store(place: &Place, proxy: &FaultProxy, settings: HttpSettings) -> OpenBaoStore {
    let mount = place.config.kv_mount_path.to_string();
    let own = Own::new("openbao", proxy.address(), &mount).given("token", place.root_token());
    own.connect_with(settings).unwrap()
}

/// The request of each verb.
fn requests() -> Requests {
    let of = |method, part| Match::method(method).and(Match::path(part));
    Requests {
        // The path is taken, and is looked at to see by whom.
        put: vec![Step {
            after_lost: 1,
            ..Step::new(of("POST", "/data/"))
        }],
        get: Step::new(of("GET", "/data/")),
        describe: Step::new(of("GET", "/metadata/")),
        delete: Step::new(of("DELETE", "/metadata/")),
    }
}

#[tokio::test]
async fn the_store_passes_the_fault_suite() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let settings = HttpSettings::default;
    let mount = place.config.kv_mount_path.to_string();
    let direct = Own::new("openbao", &place.admin.address, &mount)
        .given("token", place.root_token())
        .store();
    let bench = Bench {
        proxy: &proxy,
        store: &store(&place, &proxy, store_faults::patient(settings())),
        hasty: &store(&place, &proxy, store_faults::hasty(settings())),
        direct: &direct,
        versions: &Paths(place.client().kv()),
        requests: requests(),
        spares: 0,
        prefix: "planton/faults".to_owned(),
    };
    store_faults::run_all(&bench).await;
}

/// A put that was given up lands after its object was deleted: a path comes
/// back, and it never passes for the version that was deleted.
#[tokio::test]
async fn a_put_that_lands_after_the_deletion_never_answers_to_the_old_id() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let store = store(&place, &proxy, store_faults::hasty(HttpSettings::default()));
    let name = RemoteName::new("planton/acme/org/late-0badcafe".to_owned());
    let options = PutOptions {
        version: 1,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    };
    let (hold, gate) = Fault::hold();
    proxy.fail(hold.on(Match::method("POST")));
    let id = store.put(&name, b"pse1.UFNFMQ", options).await.unwrap();
    let versions = vec![id.clone()];
    store
        .delete(&name, Deletion::Object { versions })
        .await
        .unwrap();
    gate.open();
    while proxy.requests()[0].answered().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(proxy.requests()[0].answered(), Some(200), "it did land");
    let error = store.get(&name, &id).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let about = DescribeOptions {
        version: id,
        others: Vec::new(),
    };
    let status = store.describe(&name, about).await.unwrap();
    assert_eq!(status, VersionStatus::Replaced);
}

//! Runs the fault suite against a user's own server.

use std::collections::BTreeMap;

use async_trait::async_trait;
use planton_core::store::{
    Absence, Deletion, DescribeOptions, PutOptions, RemoteName, SecretStore, StoreErrorKind,
    VersionStatus,
};
use planton_vendors::http::HttpSettings;
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::client::{KvV2, OpenBaoClient, OpenBaoConfig};
use uuid::Uuid;
use xtask::faults::{Fault, FaultProxy, Match};

use super::own::{namespace, with_approle};
use super::support::Place;
use super::support::own::Own;
use test_support::store_faults::{self, Bench, CountVersions, Requests, Step};

/// Counts the paths under a name. Each one is a version.
struct Paths(KvV2);

#[async_trait]
impl CountVersions for Paths {
    async fn count(&self, name: &RemoteName) -> usize {
        self.0.list(name.as_str()).await.unwrap().len()
    }
}

/// A user's own server, with a token or a login.
struct Site {
    own: Own,
    kv: KvV2,
}

impl Site {
    fn openbao(place: &Place) -> Self {
        Self {
            own: place.own("openbao").given("token", place.root_token()),
            kv: place.client().kv(),
        }
    }

    /// Returns a server whose namespace is verified before the first write, after a
    /// login.
    async fn vault(place: &Place) -> Self {
        let (namespace, inside) = namespace(place).await;
        let own = place
            .own("hashicorp_vault")
            .with("namespace", namespace.as_str());
        let config = OpenBaoConfig {
            namespace: Some(namespace),
            ..place.config.clone()
        };
        Self {
            own: with_approle(own, &inside, place.kv()).await,
            kv: OpenBaoClient::new(&config, None).unwrap().kv(),
        }
    }

    fn behind(&self, proxy: &FaultProxy, settings: HttpSettings) -> OpenBaoStore {
        let own = self.own.clone().with("address", proxy.address());
        own.connect_with(settings).unwrap()
    }

    async fn passes_the_fault_suite(self, proxy: FaultProxy) {
        let settings = HttpSettings::default;
        let bench = Bench {
            proxy: &proxy,
            store: &self.behind(&proxy, store_faults::patient(settings())),
            hasty: &self.behind(&proxy, store_faults::hasty(settings())),
            direct: &self.own.store(),
            versions: &Paths(self.kv),
            requests: requests(),
            spares: 0,
            prefix: "planton/faults".to_owned(),
        };
        store_faults::run_all(&bench).await;
    }
}

/// Returns the request of each verb.
fn requests() -> Requests {
    let of = |method, part| Match::method(method).and(Match::path(part));
    Requests {
        // The path is taken, so the store reads its owner.
        put: vec![Step {
            after_lost: 1,
            ..Step::new(of("POST", "/data/"))
        }],
        get: Step::new(of("GET", "/data/")),
        describe: Step::new(of("GET", "/metadata/")),
        delete: Step::new(of("DELETE", "/metadata/")),
    }
}

/// They run concurrently, because they mostly wait.
#[tokio::test]
async fn an_openbao_and_a_vault_with_namespace_and_login_pass_the_fault_suite() {
    let place = Place::new().await;
    let openbao = Site::openbao(&place);
    let vault = Site::vault(&place).await;
    tokio::join!(
        openbao.passes_the_fault_suite(place.proxy()),
        vault.passes_the_fault_suite(place.proxy()),
    );
}

/// An abandoned put takes effect after the deletion of its object. The path exists again,
/// and never counts as the deleted version.
#[tokio::test]
async fn a_put_that_lands_after_the_deletion_never_answers_to_the_old_id() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let settings = store_faults::hasty(HttpSettings::default());
    let store = Site::openbao(&place).behind(&proxy, settings);
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
        absence: Absence::Quick,
    };
    let status = store.describe(&name, about).await.unwrap();
    assert_eq!(status, VersionStatus::Replaced);
}

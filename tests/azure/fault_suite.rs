//! Runs the fault suite against Azure Key Vault, including its tokens and challenges.
//! `faults.rs` tests expired tokens.

use async_trait::async_trait;
use planton_core::store::{RemoteName, StoreCredential};
use planton_vendors::azure::AzureKeyVaultStore;
use planton_vendors::http::{HttpSettings, Roots};
use xtask::faults::{FaultProxy, Match, ProxyOptions};

use super::support::{self, Place};
use test_support::store_faults::{self, Bench, CountVersions, Requests, Step};

struct Versions<'a>(&'a Place);

#[async_trait]
impl CountVersions for Versions<'_> {
    async fn count(&self, name: &RemoteName) -> usize {
        self.0.versions(name)
    }
}

fn proxy(place: &Place) -> FaultProxy {
    let options = ProxyOptions::to(&place.fake.vault_url()).trusting(&place.fake.ca_file());
    FaultProxy::start(&options.with_tls()).unwrap()
}

/// Returns a store that uses the proxy for its vault and for its tokens.
fn store(
    place: &Place,
    proxy: &FaultProxy,
    purges: bool,
    settings: fn(HttpSettings) -> HttpSettings,
) -> AzureKeyVaultStore {
    let mut configuration = place.configuration();
    configuration["vault_url"] = proxy.address().into();
    configuration["authority_host"] = proxy.address().into();
    configuration["purge_on_destroy"] = purges.into();
    let secret = place.secret.value().into();
    let credential = StoreCredential::from([("client_secret".to_owned(), secret)]);
    let http = HttpSettings {
        roots: Roots::Pem(proxy.ca_pem().unwrap().to_owned()),
        ..place.http()
    };
    support::open(&configuration, &credential, settings(http)).unwrap()
}

/// Returns the vault's request of each verb.
fn requests() -> Requests {
    let of = |method, part| Match::method(method).and(Match::path(part));
    Requests {
        put: vec![
            // The store reads the owner of the object, if there is one.
            Step::new(of("GET", "/versions")),
            Step::new(of("PUT", "/secrets/")),
        ],
        get: Step::new(of("GET", "/secrets/").but_not(Match::path("/versions"))),
        describe: Step::new(of("GET", "/versions")),
        delete: Step::new(of("DELETE", "/secrets/")),
    }
}

async fn passes(purges: bool) {
    let place = Place::new();
    place
        .fake
        .grant(if purges { &["purge"] } else { &[] })
        .unwrap();
    let proxy = proxy(&place);
    let bench = Bench {
        proxy: &proxy,
        store: &store(&place, &proxy, purges, store_faults::patient),
        hasty: &store(&place, &proxy, purges, store_faults::hasty),
        direct: &place.store(),
        versions: &Versions(&place),
        requests: requests(),
        // Two puts create two versions.
        spares: 1,
        prefix: "planton--faults".to_owned(),
    };
    store_faults::run_all(&bench).await;
}

#[tokio::test]
async fn the_store_passes_the_fault_suite() {
    passes(false).await;
}

#[tokio::test]
async fn the_store_passes_the_fault_suite_where_it_purges() {
    passes(true).await;
}

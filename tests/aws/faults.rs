//! Runs the fault suite against AWS Secrets Manager. `identity.rs` tests expired keys.

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use planton_core::store::RemoteName;
use planton_vendors::aws::{AwsConfig, AwsCredential, AwsSecretsManagerStore};
use planton_vendors::http::HttpSettings;
use serde_json::json;
use xtask::faults::{FaultProxy, Match, ProxyOptions};

use super::support::{self, Place};
use test_support::store_faults::{self, Bench, CountVersions, Requests, Step};

/// Counts the versions of a secret that is not deleted.
struct Kept(Client);

#[async_trait]
impl CountVersions for Kept {
    async fn count(&self, name: &RemoteName) -> usize {
        let described = self.0.describe_secret().secret_id(name.as_str()).send();
        match described.await {
            Ok(secret) if secret.deleted_date.is_some() => 0,
            Ok(secret) => secret.version_ids_to_stages.map_or(0, |all| all.len()),
            Err(error) => {
                let error = error.into_service_error();
                assert!(error.is_resource_not_found_exception(), "{error:?}");
                0
            }
        }
    }
}

fn store(
    place: &Place,
    proxy: &FaultProxy,
    days: u8,
    settings: HttpSettings,
) -> AwsSecretsManagerStore {
    let more = json!({"endpoint": proxy.address(), "recovery_window_days": days});
    let config = AwsConfig::from_settings(&place.settings(more)).unwrap();
    let credential = AwsCredential::from_parts(&config, &place.credential()).unwrap();
    AwsSecretsManagerStore::new(config, credential, settings).unwrap()
}

/// Returns the request of each verb. `looks` is the number of requests after a lost
/// deletion.
fn requests(looks: usize) -> Requests {
    let of = |action: &str| Match::header("x-amz-target", &format!(".{action}"));
    Requests {
        put: vec![
            // The name is taken, so the store reads its owner.
            Step {
                after_lost: 1,
                ..Step::new(of("CreateSecret"))
            },
            Step::new(of("PutSecretValue")),
        ],
        get: Step::new(of("GetSecretValue")),
        describe: Step::new(of("DescribeSecret")),
        delete: Step {
            after_lost: looks,
            ..Step::new(of("DeleteSecret"))
        },
    }
}

async fn passes(days: u8, looks: usize) {
    let place = Place::new().await;
    let proxy = FaultProxy::start(&ProxyOptions::to(place.moto.address())).unwrap();
    let open = |settings| store(&place, &proxy, days, settings);
    let bench = Bench {
        proxy: &proxy,
        store: &open(store_faults::patient(support::hasty())),
        hasty: &open(store_faults::hasty(support::hasty())),
        direct: &place.store_with(json!({"recovery_window_days": days})),
        versions: &Kept(place.sdk().await),
        requests: requests(looks),
        // AWS uses the attempt as the version's id.
        spares: 0,
        prefix: format!("planton/{}/org", place.unique),
    };
    store_faults::run_all(&bench).await;
}

#[tokio::test]
async fn the_store_passes_the_fault_suite() {
    passes(0, 0).await;
}

#[tokio::test]
async fn the_store_passes_the_fault_suite_where_deletions_have_a_recovery_window() {
    // It is deleted, or something else uses it. A further request distinguishes the two.
    passes(7, 1).await;
}

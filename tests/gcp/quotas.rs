//! Tests the quotas of a project, and which of them a refresh uses.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use planton_core::store::{
    Absence, DescribeOptions, RemoteName, SecretStore, StoreErrorKind, VersionStatus,
};
use planton_vendors::http::OperationContext;
use xtask::gcp::GcpQuotas;

use super::support::{PAYLOAD, Place, about, counted, name, version};

const ACCESS: &str = "secretmanager.versions.access";

/// Returns quotas for an hour, in which `Some(0)` permits nothing.
fn none_of(reads: Option<u32>, accesses: Option<u32>) -> GcpQuotas {
    GcpQuotas {
        reads,
        writes: None,
        accesses,
        window: Duration::from_secs(3600),
    }
}

fn within(time: Duration) -> OperationContext {
    OperationContext {
        deadline: Some(Instant::now() + time),
        ..OperationContext::default()
    }
}

#[tokio::test]
async fn a_refresh_spends_an_access_and_no_read() {
    let place = Place::new();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    place.fake.limit(&none_of(Some(0), Some(1))).unwrap();
    let described = within(Duration::from_secs(60)).scope(store.describe(name(), about(&id)));
    let (status, requests) = counted(&store, described).await;
    assert_eq!((status.unwrap(), requests), (VersionStatus::Present, 1));
}

/// Refreshes ten secrets concurrently, as Terraform does. Quotas and windows are smaller
/// than Google's, in the proportions of 800 secrets and 600 reads a minute.
#[tokio::test]
async fn more_secrets_than_the_quota_of_reads_are_refreshed_by_either_role() {
    const SECRETS: usize = 80;
    let place = Place::settled();
    let store = Arc::new(place.store());
    let name = |n: usize| RemoteName::new(format!("planton_acme_org_s{n}-0badcafe"));
    let mut ids = Vec::new();
    for n in 0..SECRETS {
        let put = store.put(&name(n), PAYLOAD, version(1, &[])).await;
        ids.push((name(n), put.unwrap()));
    }
    let looks = |operation: &str| {
        let made = place.fake.requests().unwrap().into_iter();
        made.filter(|(made, _)| made == operation).count()
    };
    let quotas = GcpQuotas {
        reads: Some(60),
        writes: Some(60),
        accesses: Some(9_000),
        window: Duration::from_secs(2),
    };
    place.fake.limit(&quotas).unwrap();
    for (denied, operation) in [
        (&[][..], "AccessSecretVersion"),
        (&[ACCESS][..], "GetSecretVersion"),
    ] {
        place.fake.deny(denied).unwrap();
        let ids = Arc::new(Mutex::new(ids.clone()));
        let mut workers = JoinSet::new();
        for _ in 0..10 {
            let (ids, store) = (Arc::clone(&ids), Arc::clone(&store));
            workers.spawn(within(Duration::from_secs(120)).scope(async move {
                let mut present = 0;
                loop {
                    let Some((name, id)) = ids.lock().unwrap().pop() else {
                        return present;
                    };
                    let status = store.describe(&name, about(&id)).await.unwrap();
                    assert_eq!(status, VersionStatus::Present);
                    present += 1;
                }
            }));
        }
        let present: usize = workers.join_all().await.into_iter().sum();
        assert_eq!(present, SECRETS);
        assert!(looks(operation) >= SECRETS, "{operation}");
    }
    assert!(looks("AccessSecretVersion") <= SECRETS + 10);
}

#[tokio::test]
async fn a_role_that_may_not_access_is_refused_once_and_reads_metadata() {
    let place = Place::settled();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    place.fake.deny(&[ACCESS]).unwrap();
    for requests in [2, 1, 1] {
        let (status, made) = counted(&store, store.describe(name(), about(&id))).await;
        assert_eq!((status.unwrap(), made), (VersionStatus::Present, requests));
    }
    // Only an access confirms absence.
    let confirmed = DescribeOptions {
        absence: Absence::Confirmed,
        ..about(&id)
    };
    let error = store.describe(name(), confirmed).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::PermissionDenied);
    assert!(error.remedy().unwrap().contains(ACCESS), "{error:?}");
}

#[tokio::test]
async fn a_version_is_found_by_access_while_metadata_lags() {
    let place = Place::new();
    let store = place.store();
    place.fake.lag(Duration::from_secs(3600)).unwrap();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    for absence in [Absence::Quick, Absence::Confirmed] {
        let options = DescribeOptions {
            absence,
            ..about(&id)
        };
        let (status, requests) = counted(&store, store.describe(name(), options)).await;
        assert_eq!((status.unwrap(), requests), (VersionStatus::Present, 1));
    }
}

#[tokio::test]
async fn a_quota_that_outlives_the_operation_is_named() {
    let place = Place::settled();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    place.fake.limit(&none_of(Some(0), Some(0))).unwrap();
    let describe = within(Duration::from_secs(3)).scope(store.describe(name(), about(&id)));
    let (refused, requests) = counted(&store, describe).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::RateLimited);
    assert!(requests > 8, "{requests} tries in all");
    let remedy = error.remedy().unwrap();
    let quota = "allows projects/acme 600 reads, 600 writes and 90,000 accesses a minute, and \
                 AccessSecretVersion counts among the accesses";
    assert!(remedy.contains(quota), "{remedy}");
    // A role without the access permission uses the quota of reads.
    place.fake.deny(&[ACCESS]).unwrap();
    place.fake.limit(&none_of(Some(0), None)).unwrap();
    let describe = within(Duration::from_secs(3)).scope(store.describe(name(), about(&id)));
    let error = describe.await.unwrap_err();
    let remedy = error.remedy().unwrap();
    assert!(
        remedy.contains("GetSecretVersion counts among the reads"),
        "{remedy}"
    );
}

//! Tests throttling within and beyond an operation's deadline.

use std::time::{Duration, Instant};

use planton_core::store::{Deletion, RemoteName, SecretStore, StoreErrorKind};
use planton_vendors::http::OperationContext;
use xtask::moto::Fault;

use super::support::{PAYLOAD, Place, counted, status, version};

fn within(time: Duration) -> OperationContext {
    OperationContext {
        deadline: Some(Instant::now() + time),
        ..OperationContext::default()
    }
}

/// The two codes of AWS for throttling.
const WAYS: [(u16, &str); 2] = [
    (400, "ThrottlingException"),
    (429, "TooManyRequestsException"),
];

fn throttle(place: &Place, name: &RemoteName, action: &str, way: (u16, &str), times: u32) {
    let (status, code) = way;
    let fault = Fault {
        action,
        name: name.as_str(),
        status,
        code,
        message: "Rate exceeded",
        times,
        ..Fault::default()
    };
    place.moto.inject(&fault).unwrap();
}

#[tokio::test]
async fn throttling_is_retried_until_the_deadline_and_not_a_number_of_times() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    for way in WAYS {
        // More than the number of tries during an outage.
        throttle(&place, &name, "GetSecretValue", way, 20);
        let get = within(Duration::from_secs(60)).scope(store.get(&name, &id));
        let (read, requests) = counted(&store, get).await;
        assert_eq!(
            (read.unwrap().as_slice(), requests),
            (PAYLOAD, 21),
            "{way:?}"
        );
    }
}

#[tokio::test]
async fn throttling_that_outlives_the_operation_names_the_quota_of_that_call() {
    let place = Place::new().await;
    let store = place.store();
    for way in WAYS {
        for (action, quota) in [
            (
                "GetSecretValue",
                "10,000 requests of DescribeSecret and GetSecretValue",
            ),
            (
                "DescribeSecret",
                "10,000 requests of DescribeSecret and GetSecretValue",
            ),
            ("CreateSecret", "50 requests of CreateSecret"),
            ("PutSecretValue", "50 requests of PutSecretValue"),
            ("DeleteSecret", "50 requests of DeleteSecret"),
        ] {
            // Tests share the emulator, so each uses its own name.
            let name = place.named(&format!("{action}-{}", way.0));
            let other = place.named(&format!("{action}-{}-new", way.0));
            let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
            let struck = match action {
                "CreateSecret" | "PutSecretValue" => &other,
                _ => &name,
            };
            throttle(&place, struck, action, way, 100_000);
            let deletion = Deletion::Object {
                versions: vec![id.clone()],
            };
            let context = within(Duration::from_millis(400));
            let refused = context.scope(async {
                match action {
                    "GetSecretValue" => store.get(&name, &id).await.map(drop),
                    "DescribeSecret" => status(&store, &name, &id).await.map(drop),
                    "DeleteSecret" => store.delete(&name, deletion).await,
                    _ => store.put(&other, PAYLOAD, version(1, &[])).await.map(drop),
                }
            });
            let error = refused.await.unwrap_err();
            assert_eq!(
                error.kind(),
                StoreErrorKind::RateLimited,
                "{action}: {error:?}"
            );
            let remedy = error.remedy().unwrap();
            assert!(remedy.contains(quota), "{action}: {remedy}");
            assert!(remedy.contains("a second in eu-central-1"), "{remedy}");
            assert!(remedy.contains("timeouts"), "{remedy}");
        }
    }
}

//! Tests lost responses, and secrets that AWS does not return yet.

use std::time::Instant;

use planton_core::store::{Deletion, SecretStore, StoreErrorKind, VersionStatus};
use planton_vendors::http::OperationContext;
use xtask::moto::Fault;

use super::support::{PAYLOAD, Place, counted, shown, status, version};

/// Carries out the request, and loses its response.
fn lost<'a>(action: &'a str, name: &'a str) -> Fault<'a> {
    Fault {
        action,
        name,
        status: 503,
        code: "ServiceUnavailable",
        carry_out: true,
        ..Fault::default()
    }
}

#[tokio::test]
async fn a_put_whose_answers_were_lost_gives_one_version() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    for action in ["CreateSecret", "PutSecretValue"] {
        place.moto.inject(&lost(action, &place.unique)).unwrap();
    }
    let put = store.put(&name, PAYLOAD, version(1, &[])).await;
    let id = put.unwrap();
    let expected = [
        "CreateSecret 503",
        // It exists, and its description shows that it is ours.
        "CreateSecret 400",
        "DescribeSecret 200",
        "PutSecretValue 503",
        "PutSecretValue 200",
    ];
    assert_eq!(place.requests(), expected);
    let secret = place.sdk().await.describe_secret().secret_id(name.as_str());
    let stages = secret.send().await.unwrap().version_ids_to_stages.unwrap();
    assert_eq!(stages.len(), 1);
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
    let known = status(&store, &name, &id).await.unwrap();
    assert_eq!(known, VersionStatus::Present);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_done() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    place
        .moto
        .inject(&lost("DeleteSecret", &place.unique))
        .unwrap();
    let versions = vec![id.clone()];
    let delete = store.delete(&name, Deletion::Object { versions });
    let (deleted, requests) = counted(&store, delete).await;
    deleted.unwrap();
    assert_eq!(requests, 3, "lost, scheduled already, describe");
    let gone = status(&store, &name, &id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    place
        .moto
        .inject(&Fault {
            action: "GetSecretValue",
            name: name.as_str(),
            code: "ThrottlingException",
            message: "Rate exceeded",
            times: 2,
            ..Fault::default()
        })
        .unwrap();
    let (read, requests) = counted(&store, store.get(&name, &id)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 3));
}

#[tokio::test]
async fn a_new_secret_that_aws_does_not_know_everywhere_yet_is_waited_for() {
    let place = Place::new().await;
    let store = place.store();
    for (slug, times) in [("soon", 4), ("never", 5)] {
        let name = place.named(slug);
        place
            .moto
            .inject(&Fault {
                action: "PutSecretValue",
                name: name.as_str(),
                code: "ResourceNotFoundException",
                times,
                ..Fault::default()
            })
            .unwrap();
        let put = store.put(&name, PAYLOAD, version(1, &[]));
        let (put, requests) = counted(&store, put).await;
        assert_eq!(requests, 6, "create, five puts");
        match put {
            Ok(id) => assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD, "{slug}"),
            Err(error) => {
                assert_eq!(slug, "never");
                assert_eq!(error.kind(), StoreErrorKind::NotFound);
            }
        }
    }
}

#[tokio::test]
async fn an_operation_that_is_out_of_time_sends_nothing_more() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    let context = OperationContext {
        deadline: Some(Instant::now()),
        ..OperationContext::default()
    };
    let late = context.scope(store.get(&name, &id));
    let (refused, requests) = counted(&store, late).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
    assert!(shown(&refused).contains("deadline expired"), "{refused:?}");
    assert_eq!(requests, 0);
}

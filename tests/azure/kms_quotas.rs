//! Tests the quota of Key Vault for keys, within and beyond an operation's deadline.

use std::time::Duration;

use planton_core::kek::KekErrorKind;
use serde_json::json;
use test_support::keys::{context, data_key, is_same, rewraps_wait_for_a_quota};

use super::kms_support::{KeyPlace, within};

#[tokio::test]
async fn throttling_is_waited_for_within_the_deadline_and_then_told() {
    let place = KeyPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let own = context(kek.id(), 1);
    let dek = data_key(7);
    let wrapped = kek.wrap(&dek, own).await.unwrap();
    let fake = &place.place.fake;
    fake.control(&json!({"answers": vec![429; 20]})).unwrap();
    let unwrap = within(Duration::from_secs(60)).scope(kek.unwrap(&wrapped, own));
    assert!(is_same(&unwrap.await.unwrap(), &dek));
    fake.control(&json!({"quota": 3, "quota_seconds": 2}))
        .unwrap();
    for _ in 0..6 {
        let wrap = within(Duration::from_secs(60)).scope(kek.wrap(&dek, own));
        wrap.await.unwrap();
    }
    fake.control(&json!({"quota": 0})).unwrap();
    let wrap = within(Duration::from_millis(500)).scope(kek.wrap(&dek, own));
    let error = wrap.await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::RateLimited, "{error:?}");
    assert!(error.remedy().unwrap().contains("timeouts"), "{error:?}");
}

#[tokio::test]
async fn a_rewrap_of_many_waits_for_the_quota_and_shows_it() {
    let place = KeyPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let fake = &place.place.fake;
    let limit = || fake.control(&json!({"answers": vec![429; 40]})).unwrap();
    assert_eq!(rewraps_wait_for_a_quota(kek.as_ref(), limit).await, 40);
}

//! Tests the quota of Cloud KMS, within and beyond an operation's deadline.

use std::time::Duration;

use planton_core::kek::KekErrorKind;
use test_support::keys::{context, data_key, rewraps_wait_for_a_quota};
use xtask::gcp::GcpFault;

use super::kms_support::{KmsPlace, within};

#[tokio::test]
async fn a_quota_is_waited_for_within_the_deadline_and_then_told() {
    let place = KmsPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let context = context(kek.id(), 1);
    let fake = &place.place.fake;
    let exhausted = GcpFault::Refuse("RESOURCE_EXHAUSTED", Some("RATE_LIMIT_EXCEEDED"));
    fake.fault("Encrypt", 20, exhausted).unwrap();
    let dek = data_key(7);
    let wrap = within(Duration::from_secs(60)).scope(kek.wrap(&dek, context));
    wrap.await.unwrap();
    fake.fault("Encrypt", 100_000, exhausted).unwrap();
    let wrap = within(Duration::from_millis(300)).scope(kek.wrap(&dek, context));
    let error = wrap.await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::RateLimited, "{error:?}");
    assert!(error.remedy().unwrap().contains("timeouts"), "{error:?}");
}

#[tokio::test]
async fn a_rewrap_of_many_waits_for_the_quota_and_shows_it() {
    let place = KmsPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    let fake = &place.place.fake;
    let exhausted = GcpFault::Refuse("RESOURCE_EXHAUSTED", Some("RATE_LIMIT_EXCEEDED"));
    let limit = || {
        for operation in ["Encrypt", "Decrypt"] {
            fake.fault(operation, 30, exhausted).unwrap();
        }
    };
    assert_eq!(rewraps_wait_for_a_quota(kek.as_ref(), limit).await, 60);
}

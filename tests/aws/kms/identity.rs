//! Credentials, Regions and rate limits.

use std::time::{Duration, Instant};

use planton_core::kek::{KekErrorKind, KeyEncryptionKey};
use planton_vendors::aws::{AwsKmsConfig, AwsKmsKek};
use planton_vendors::http::OperationContext;
use serde_json::json;
use xtask::canary::Canary;
use xtask::moto::Fault;

use super::support::{Place, Sealed, shown};
use crate::support::hasty;

#[tokio::test]
async fn a_credential_that_aws_rejects_is_told_at_its_setting() {
    let mut place = Place::new().await;
    place.secret_key = "another".to_owned();
    let error = place.refusal(json!({})).await;
    assert_eq!(error.kind(), KekErrorKind::Unauthenticated);
    assert_eq!(error.path(), "secret_access_key");
    assert!(error.remedy().unwrap().contains("secret_access_key_wo"));

    let place = Place::new().await;
    place.moto.delete_key(&place.key_id).unwrap();
    let error = place.refusal(json!({})).await;
    assert_eq!(error.kind(), KekErrorKind::Unauthenticated);
    assert_eq!(error.path(), "access_key_id");

    let place = Place::new().await;
    let kek = place.kek();
    let sealed = Sealed::new(&kek, "acme", "db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    place.moto.expire(&place.key_id).unwrap();
    let error = kek.unwrap(&wrapped, sealed.context()).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Unauthenticated);
}

#[tokio::test]
async fn an_endpoint_of_another_region_is_told_at_the_region() {
    let place = Place::new().await;
    let settings = json!({"key_id": "alias/planton/x", "region": "ap-south-1"});
    let error = place.refusal(settings).await;
    assert_eq!(error.kind(), KekErrorKind::Misconfigured);
    assert_eq!(error.path(), "region");
    let remedy = error.remedy().unwrap();
    assert!(
        remedy.contains("another region than ap-south-1"),
        "{remedy}"
    );
}

#[tokio::test]
async fn throttling_is_retried_until_the_deadline() {
    let place = Place::new().await;
    let kek = place.kek();
    let sealed = Sealed::new(&kek, "acme", "db");
    let throttle = |action, times| {
        let fault = Fault {
            action,
            name: &place.arn,
            code: "ThrottlingException",
            message: "Rate exceeded",
            times,
            ..Fault::default()
        };
        place.moto.inject(&fault).unwrap();
    };
    let within = |time| OperationContext {
        deadline: Some(Instant::now() + time),
        ..OperationContext::default()
    };
    throttle("Encrypt", 20);
    let wrap = within(Duration::from_secs(60)).scope(sealed.wrap(&kek));
    let wrapped = wrap.await.unwrap();
    assert_eq!(kek.requests(), 21);

    throttle("Decrypt", 100_000);
    let unwrap = kek.unwrap(&wrapped, sealed.context());
    let error = within(Duration::from_millis(300)).scope(unwrap).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::RateLimited, "{error:?}");
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("timeouts"), "{remedy}");
    assert!(remedy.contains("eu-central-1"), "{remedy}");
}

#[tokio::test]
async fn an_answer_that_is_lost_costs_one_more_request() {
    let place = Place::new().await;
    let kek = place.kek();
    let sealed = Sealed::new(&kek, "acme", "db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    for (action, status) in [("Decrypt", 0), ("Decrypt", 503)] {
        place
            .moto
            .inject(&Fault {
                action,
                name: &place.arn,
                status,
                code: "KMSInternalException",
                carry_out: true,
                ..Fault::default()
            })
            .unwrap();
        let sent = kek.requests();
        kek.unwrap(&wrapped, sealed.context()).await.unwrap();
        assert_eq!(kek.requests() - sent, 2, "{status}");
    }
}

#[tokio::test]
async fn neither_debug_output_nor_any_error_shows_a_key() {
    let mut place = Place::new().await;
    let planted = Canary::alphanumeric("secret_access_key");
    place.secret_key = planted.value().to_owned();
    place
        .moto
        .allow_key(&place.key_id, planted.value(), None)
        .unwrap();
    let settings = place.settings(json!({}));
    let config = AwsKmsConfig::from_settings(&settings).unwrap();
    let credential = config.credential(&place.credential()).unwrap();
    let mut seen = format!("{config:?} {credential:?}");
    let resolved = AwsKmsKek::resolve(&config, credential, hasty()).await;
    let (kek, _) = resolved.unwrap();
    let sealed = Sealed::new(&kek, "acme", "db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    seen.push_str(&format!("{kek:?} {wrapped:?}"));
    for (status, code) in [
        (400, "AccessDeniedException"),
        (400, "KMSInvalidStateException"),
        (403, "Unheard-Of"),
        (500, "KMSInternalException"),
    ] {
        let message = format!("{} {:?}", planted.value(), sealed.dek.expose());
        place
            .moto
            .inject(&Fault {
                action: "Decrypt",
                name: &place.arn,
                status,
                code,
                message: &message,
                times: if status == 500 { 8 } else { 1 },
                ..Fault::default()
            })
            .unwrap();
        let error = kek.unwrap(&wrapped, sealed.context()).await.unwrap_err();
        seen.push_str(&shown(&error));
    }
    planted
        .absent_from("what was shown", seen.as_bytes())
        .unwrap();
    assert!(!seen.contains(&format!("{:?}", sealed.dek.expose())));
}

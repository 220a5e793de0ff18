//! Wraps and unwraps of concurrent callers share requests to Transit.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use planton_core::deadline::OperationContext;
use planton_core::kek::{KekErrorKind, KeyEncryptionKey, ProvisionKek, Rewrap};
use planton_envelope::{DataKey, WrappedKey};
use planton_vendors::openbao::TransitKek;
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;
use xtask::faults::{Fault, Match};

use super::support::{Place, bound, counted};

/// Returns the data key of the caller with this number.
fn dek(number: u128) -> DataKey {
    let mut bytes = [7; 32];
    bytes[..16].copy_from_slice(&number.to_be_bytes());
    DataKey::copy_of(&bytes)
}

async fn wrap(kek: &TransitKek, number: u128) -> WrappedKey {
    kek.wrap(&dek(number), bound(kek.id(), number))
        .await
        .unwrap()
}

fn is_dek(opened: &DataKey, number: u128) -> bool {
    bool::from(opened.ct_eq(&dek(number)))
}

/// Returns an altered wrap, which no key opens.
fn altered(wrapped: &WrappedKey) -> WrappedKey {
    let mut bytes = wrapped.as_bytes().to_vec();
    bytes[20] = if bytes[20] == b'A' { b'B' } else { b'A' };
    WrappedKey::new(bytes)
}

#[tokio::test]
async fn a_thousand_concurrent_wraps_and_unwraps_take_ten_requests_each() {
    let place = Place::new().await;
    let client = place.client();
    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    let wraps = join_all((0..1000).map(|number| wrap(&kek, number)));
    let (wraps, requests) = counted(&client, wraps).await;
    assert_eq!(requests, 10, "of a hundred wraps each");
    let unwraps = wraps.iter().zip(0..).map(async |(wrapped, number)| {
        let opened = kek.unwrap(wrapped, bound(kek.id(), number)).await;
        assert!(is_dek(&opened.unwrap(), number), "{number}");
    });
    let (_, requests) = counted(&client, join_all(unwraps)).await;
    assert_eq!(requests, 10);

    // As many as an apply runs at once: each round shares one request.
    let (_, requests) = counted(&client, async {
        for round in 0..10 {
            join_all((0..10).map(|caller| wrap(&kek, 10 * round + caller))).await;
        }
    })
    .await;
    assert_eq!(requests, 10);
}

#[tokio::test]
async fn a_single_wrap_takes_one_request_and_waits_a_few_milliseconds_at_most() {
    let place = Place::new().await;
    let client = place.client();
    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    let (wrapped, requests) = counted(&client, wrap(&kek, 1)).await;
    assert_eq!(requests, 1);
    let unwrapped = kek.unwrap(&wrapped, bound(kek.id(), 1));
    let (_, requests) = counted(&client, unwrapped).await;
    assert_eq!(requests, 1);

    // The median, against the same request without the window.
    let context = bound(kek.id(), 1);
    let (mut alone, mut coalesced) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let begun = Instant::now();
        let transit = client.transit();
        let plain = [7; 32];
        let sent = transit.encrypt("planton-acme", &plain, context.binding.as_bytes());
        sent.await.unwrap();
        alone.push(begun.elapsed());
        let begun = Instant::now();
        wrap(&kek, 1).await;
        coalesced.push(begun.elapsed());
    }
    alone.sort_unstable();
    coalesced.sort_unstable();
    let added = coalesced[25].saturating_sub(alone[25]);
    assert!(added < Duration::from_millis(10), "{added:?} more");
}

#[tokio::test]
async fn a_wrap_that_does_not_open_fails_alone() {
    let place = Place::new().await;
    let client = place.client();
    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    // A settled process does not suspect a stale standby.
    client.fence().await.unwrap();
    let mut wraps = join_all((0..20).map(|number| wrap(&kek, number))).await;
    wraps[3] = altered(&wraps[3]);
    // Of another binding.
    wraps.swap(7, 8);
    let unwraps = wraps.iter().zip(0..).map(|(wrapped, number)| {
        let context = bound(kek.id(), number);
        kek.unwrap(wrapped, context)
    });
    let (opened, requests) = counted(&client, join_all(unwraps)).await;
    assert_eq!(requests, 1);
    for (outcome, number) in opened.into_iter().zip(0..) {
        match number {
            3 | 7 | 8 => {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), KekErrorKind::Refused, "{number}: {error:?}");
            }
            _ => assert!(is_dek(&outcome.unwrap(), number), "{number}"),
        }
    }
}

#[tokio::test]
async fn a_retired_version_in_a_batch_fails_alone_and_says_so() {
    let place = Place::new().await;
    let client = place.client();
    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    let old = wrap(&kek, 1).await;
    let path = format!("{}/keys/planton-acme", place.config.transit_mount_path);
    place.admin.ok("POST", &format!("{path}/rotate"), "").await;
    let new = wrap(&kek, 2).await;
    let retire = r#"{"min_decryption_version":2}"#;
    let config = format!("{path}/config");
    place.admin.ok("POST", &config, retire).await;
    let (old, new) = tokio::join!(
        kek.unwrap(&old, bound(kek.id(), 1)),
        kek.unwrap(&new, bound(kek.id(), 2)),
    );
    assert_eq!(old.unwrap_err().kind(), KekErrorKind::Disabled);
    assert!(is_dek(&new.unwrap(), 2));
}

/// The server answers 200 whatever became of the items.
#[tokio::test]
async fn a_rewrap_reads_each_item_and_takes_a_request_for_a_hundred() {
    let place = Place::new().await;
    let client = place.client();
    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    client.fence().await.unwrap();
    let mut wraps = join_all((0..250).map(|number| wrap(&kek, number))).await;
    wraps[5] = altered(&wraps[5]);
    wraps[120] = WrappedKey::new(b"nonsense".to_vec());
    let path = format!("{}/keys/planton-acme", place.config.transit_mount_path);
    place.admin.ok("POST", &format!("{path}/rotate"), "").await;
    let due: Vec<Rewrap<'_>> = wraps
        .iter()
        .zip(0..)
        .map(|(wrapped, number)| Rewrap {
            wrapped,
            context: bound(kek.id(), number),
        })
        .collect();
    let (rewrapped, requests) = counted(&client, kek.rewrap(&due)).await;
    assert_eq!(requests, 4, "a fence, once per process; three batches");
    let again = counted(&client, kek.rewrap(&due[200..])).await;
    assert_eq!(again.1, 1);
    assert!(again.0.iter().all(Result::is_ok));

    let description = kek.describe().await.unwrap();
    assert_eq!(description.newest_version, Some(2));
    for (number, outcome) in (0..).zip(rewrapped) {
        if matches!(number, 5 | 120) {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), KekErrorKind::Refused, "{number}: {error:?}");
            continue;
        }
        let wrapped = outcome.unwrap();
        assert_eq!(kek.is_newest(&wrapped, &description), Some(true));
        let old = &wraps[usize::try_from(number).unwrap()];
        assert_eq!(kek.is_newest(old, &description), Some(false));
        let opened = kek.unwrap(&wrapped, bound(kek.id(), number)).await;
        assert!(is_dek(&opened.unwrap(), number), "{number}");
    }
}

#[tokio::test]
async fn a_denied_batch_is_denied_to_each_with_the_policy() {
    let place = Place::new().await;
    let kek = TransitKek::platform(&place.client(), &place.scope);
    kek.provision().await.unwrap();
    let wraps = join_all((0..5).map(|number| wrap(&kek, number))).await;
    let lookup = "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }\n";
    let only = super::support::token(&place.only(lookup).await);
    let client = place.client_as(only);
    let denied = TransitKek::platform(&client, &place.scope);
    let unwraps = wraps.iter().zip(0..).map(|(wrapped, number)| {
        let context = bound(denied.id(), number);
        denied.unwrap(wrapped, context)
    });
    let (outcomes, requests) = counted(&client, join_all(unwraps)).await;
    assert_eq!(requests, 2, "the batch, and a look at the token");
    for error in outcomes.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind(), KekErrorKind::PermissionDenied, "{error:?}");
        assert!(error.remedy().unwrap().contains("/decrypt/planton-acme"));
    }
}

#[tokio::test]
async fn a_cancelled_caller_leaves_the_others_of_its_batch_alone() {
    let place = Place::new().await;
    let proxy = place.proxy();
    let kek = TransitKek::platform(&place.client(), &place.scope);
    kek.provision().await.unwrap();
    let client = place.client_at(proxy.address());
    let kek = TransitKek::platform(&client, &place.scope);
    wrap(&kek, 0).await;

    // One caller gives up while the request of the batch is under way.
    let (hold, gate) = Fault::hold();
    proxy.fail(hold.on(Match::path("/encrypt/planton-acme")));
    let cancellation = CancellationToken::new();
    let context = OperationContext {
        cancellation: Some(cancellation.clone()),
        ..OperationContext::default()
    };
    let cancelled = async {
        let dek = dek(1);
        let wrapped = kek.wrap(&dek, bound(kek.id(), 1));
        let outcome = context.scope(wrapped).await;
        gate.open();
        outcome
    };
    let cancel = async {
        gate.reached().await.unwrap();
        cancellation.cancel();
    };
    let others = join_all((2..6).map(|number| wrap(&kek, number)));
    let (cancelled, (), others) = tokio::join!(cancelled, cancel, others);
    assert_eq!(cancelled.unwrap_err().kind(), KekErrorKind::Unavailable);
    for (wrapped, number) in others.iter().zip(2..) {
        let opened = kek.unwrap(wrapped, bound(kek.id(), number)).await;
        assert!(is_dek(&opened.unwrap(), number), "{number}");
    }
}

//! Checks the outcome and the requests of a conditional write after each kind of answer.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::bucket::client::scripted::{Scripted, Step};
use crate::bucket::{Bucket, BucketCatalog, BucketSettings};
use crate::http::{HttpErrorKind, HttpSettings, Proxies};
use planton_core::catalog::{
    CatalogError, CatalogErrorKind, CatalogStore as _, RecordKey, Revision, StoredRecord,
};
use planton_core::deadline::{OperationContext, Stop};
use planton_core::names::Slug;
use tokio_util::sync::CancellationToken;

/// The record of another writer.
const OTHERS: &str =
    r#"{"revision":1,"write_id":"00000000-0000-0000-0000-000000000007","body":"{}","mac":"0f"}"#;

const KEY: &str = "tf/acme/records/secrets/db.json";

fn catalog(store: &Scripted) -> BucketCatalog {
    BucketCatalog::new(&store.bucket(), Slug::parse("acme").unwrap())
}

fn key() -> RecordKey {
    RecordKey::new("secrets/db")
}

fn record(body: &str) -> StoredRecord {
    StoredRecord {
        body: body.to_owned(),
        mac: "0f".repeat(32),
    }
}

/// Creates a record, and returns the outcome with the requests.
async fn create(steps: &[Step]) -> (Result<Revision, CatalogError>, Vec<String>, Scripted) {
    let store = Scripted::new(steps.iter().cloned());
    let outcome = catalog(&store)
        .write(&key(), &record("1"), Revision::ABSENT)
        .await;
    (outcome, store.log(), store)
}

/// Creates a record, then replaces it.
async fn replace(steps: &[Step]) -> (Result<Revision, CatalogError>, Vec<String>, Scripted) {
    let store = Scripted::default();
    let catalog = catalog(&store);
    let first = catalog.write(&key(), &record("1"), Revision::ABSENT).await;
    store.then(steps.iter().cloned());
    let outcome = catalog.write(&key(), &record("2"), first.unwrap()).await;
    (outcome, store.log(), store)
}

fn expect_conflict(outcome: Result<Revision, CatalogError>) {
    assert_eq!(outcome.unwrap_err().kind(), CatalogErrorKind::Conflict);
}

#[tokio::test]
async fn a_clear_answer_takes_one_request() {
    let (outcome, log, _) = create(&[Step::Serve]).await;
    assert_eq!(
        (outcome.unwrap(), log),
        (Revision(1), vec!["PUT 200".to_owned()])
    );
    let (outcome, log, _) = replace(&[Step::Serve]).await;
    assert_eq!(
        (outcome.unwrap(), log),
        (Revision(2), vec!["PUT 200".to_owned()])
    );
}

#[tokio::test]
async fn a_lost_answer_after_the_write_landed_is_success() {
    let (outcome, log, _) = create(&[Step::LostAfter]).await;
    assert_eq!(outcome.unwrap(), Revision(1));
    assert_eq!(log, ["PUT -", "GET 200"]);
    let (outcome, log, store) = replace(&[Step::LostAfter]).await;
    assert_eq!(outcome.unwrap(), Revision(2));
    assert_eq!(log, ["PUT -", "GET 200"]);
    let (stored, revision) = catalog(&store).read(&key()).await.unwrap().unwrap();
    assert_eq!((stored, revision), (record("2"), Revision(2)));
}

#[tokio::test]
async fn a_lost_write_is_repeated() {
    let (outcome, log, _) = create(&[Step::LostBefore]).await;
    assert_eq!(outcome.unwrap(), Revision(1));
    assert_eq!(log, ["PUT -", "GET 404", "PUT 200"]);
    let (outcome, log, _) = replace(&[Step::LostBefore]).await;
    assert_eq!(outcome.unwrap(), Revision(2));
    assert_eq!(log, ["PUT -", "GET 200", "PUT 200"]);
}

#[tokio::test]
async fn a_version_identifier_is_no_other_content() {
    let store = Scripted::default();
    let catalog = catalog(&store);
    let first = catalog.write(&key(), &record("1"), Revision::ABSENT).await;
    store.keep_versions();
    store.then([Step::LostBefore]);
    let outcome = catalog.write(&key(), &record("2"), first.unwrap()).await;
    assert_eq!(outcome.unwrap(), Revision(2));
    assert_eq!(store.log(), ["PUT -", "GET 200", "PUT 200"]);
}

#[tokio::test]
async fn a_write_that_lands_after_the_read_is_recognized_by_its_repetition() {
    let (outcome, log, _) = create(&[Step::Late(1)]).await;
    assert_eq!(outcome.unwrap(), Revision(1));
    assert_eq!(log, ["PUT -", "GET 404", "PUT 412", "GET 200"]);
    let (outcome, log, _) = replace(&[Step::Late(1)]).await;
    assert_eq!(outcome.unwrap(), Revision(2));
    assert_eq!(log, ["PUT -", "GET 200", "PUT 412", "GET 200"]);
}

#[tokio::test]
async fn a_write_that_lands_after_its_repetition_changes_nothing() {
    let (outcome, log, store) = create(&[Step::Late(2)]).await;
    assert_eq!(outcome.unwrap(), Revision(1));
    assert_eq!(log, ["PUT -", "GET 404", "PUT 200"]);
    let again = catalog(&store);
    let (_, revision) = again.read(&key()).await.unwrap().unwrap();
    assert_eq!(
        again.write(&key(), &record("3"), revision).await.unwrap(),
        Revision(2)
    );
}

#[tokio::test]
async fn a_busy_limiting_or_failing_server_is_asked_again() {
    for (status, code) in [
        (409, "ConditionalRequestConflict"),
        (429, "SlowDown"),
        (503, "SlowDown"),
        (503, "ServiceUnavailable"),
        (500, "InternalError"),
        (408, "RequestTimeout"),
    ] {
        let (outcome, log, _) = create(&[Step::Status(status, code)]).await;
        assert_eq!(outcome.unwrap(), Revision(1), "{code}");
        assert_eq!(log, [&format!("PUT {status}"), "GET 404", "PUT 200"]);
    }
}

#[tokio::test]
async fn a_refused_connection_needs_no_read() {
    let (outcome, log, _) = create(&[Step::Unsent]).await;
    assert_eq!(outcome.unwrap(), Revision(1));
    assert_eq!(log, ["PUT -", "PUT 200"]);
}

#[tokio::test]
async fn anothers_write_is_a_conflict() {
    let (outcome, log, store) = create(&[Step::LostBehind(OTHERS)]).await;
    expect_conflict(outcome);
    assert_eq!(log, ["PUT -", "GET 200"]);
    assert_eq!(store.keys(), [KEY]);
    let (outcome, log, _) = replace(&[Step::LostBehind(OTHERS)]).await;
    expect_conflict(outcome);
    assert_eq!(log, ["PUT -", "GET 200"]);
    // Without doubt, no read is needed.
    let store = Scripted::default();
    store.overwrite(KEY, b"{}");
    let outcome = catalog(&store)
        .write(&key(), &record("1"), Revision::ABSENT)
        .await;
    expect_conflict(outcome);
    assert_eq!(store.log(), ["PUT 412"]);
}

/// A store may refuse a write while it still executes an earlier one.
#[tokio::test]
async fn a_refusal_in_doubt_while_nothing_has_changed_is_no_conflict() {
    let refused = Step::Status(412, "PreconditionFailed");
    let (outcome, log, _) = create(&[Step::LostBefore, refused.clone()]).await;
    assert_eq!(outcome.unwrap(), Revision(1));
    assert_eq!(log, ["PUT -", "GET 404", "PUT 412", "GET 404", "PUT 200"]);
    let (outcome, log, _) = replace(&[Step::LostBefore, refused.clone()]).await;
    assert_eq!(outcome.unwrap(), Revision(2));
    assert_eq!(log, ["PUT -", "GET 200", "PUT 412", "GET 200", "PUT 200"]);
    // Its outcome stays open.
    let store = Scripted::new([Step::LostBefore, refused.clone(), refused]);
    let catalog = BucketCatalog::new(&store.bucket_with(3), Slug::parse("acme").unwrap());
    let outcome = catalog.write(&key(), &record("1"), Revision::ABSENT).await;
    assert_eq!(outcome.unwrap_err().kind(), CatalogErrorKind::Unavailable);
    assert_eq!(store.log().len(), 6);
}

#[tokio::test]
async fn an_object_that_is_no_record_is_no_other_write() {
    let page = "<html>Welcome</html>";
    for (outcome, ..) in [
        create(&[Step::LostBehind(page)]).await,
        replace(&[Step::LostBehind(page)]).await,
    ] {
        assert_eq!(outcome.unwrap_err().kind(), CatalogErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn a_request_that_broke_after_it_was_sent_is_read_back() {
    for kind in [
        HttpErrorKind::Tls,
        HttpErrorKind::TooLarge,
        HttpErrorKind::DeadlineExceeded,
    ] {
        let (outcome, log, _) = create(&[Step::Breaks(kind)]).await;
        assert_eq!(outcome.unwrap(), Revision(1), "{kind:?}");
        assert_eq!(log, ["PUT -", "GET 200"], "{kind:?}");
    }
}

#[tokio::test]
async fn a_failed_handshake_is_final_and_explained() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = std::io::Write::write_all(&mut stream.unwrap(), b"HTTP/1.1 200 OK\r\n\r\n");
        }
    });
    let configuration = [
        ("url".to_owned(), "s3://acme-state/tf".into()),
        ("region".to_owned(), "eu-central-1".into()),
        ("endpoint".to_owned(), endpoint.as_str().into()),
        ("access_key_id".to_owned(), "AKIA1".into()),
    ];
    let credential = [("secret_access_key".to_owned(), "hunter2".into())];
    let settings = BucketSettings::read(&configuration.into(), &credential.into()).unwrap();
    let http = HttpSettings {
        proxies: Proxies::Ignored,
        ..HttpSettings::default()
    };
    let bucket = Bucket::open(&settings, http).unwrap();
    let catalog = BucketCatalog::new(&bucket, Slug::parse("acme").unwrap());
    let outcome = catalog.write(&key(), &record("1"), Revision::ABSENT).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Misconfigured, "{error:?}");
    assert_eq!(bucket.requests().total(), 1);
}

#[tokio::test]
async fn an_update_of_a_removed_record_is_a_conflict() {
    let (outcome, log, store) = replace(&[Step::LostAfterRemoval]).await;
    expect_conflict(outcome);
    assert_eq!(log, ["PUT -", "GET 404"]);
    assert_eq!(store.keys(), [""; 0]);
    let store = Scripted::default();
    let catalog = catalog(&store);
    let first = catalog.write(&key(), &record("1"), Revision::ABSENT).await;
    store.remove(KEY);
    store.then([]);
    expect_conflict(catalog.write(&key(), &record("2"), first.unwrap()).await);
    assert_eq!(store.log(), ["PUT 404"]);
}

#[tokio::test]
async fn a_permanent_failure_is_final_and_explained() {
    for (status, code, kind, words) in [
        (
            403,
            "AccessDenied",
            CatalogErrorKind::PermissionDenied,
            "s3:PutObject on arn:aws:s3:::acme-state/tf/acme/*",
        ),
        (
            403,
            "RequestTimeTooSkewed",
            CatalogErrorKind::Unauthenticated,
            "clock",
        ),
        (
            404,
            "NoSuchBucket",
            CatalogErrorKind::Misconfigured,
            "bucket acme-state does not exist",
        ),
        (
            301,
            "PermanentRedirect",
            CatalogErrorKind::Misconfigured,
            "Region",
        ),
        (501, "NotImplemented", CatalogErrorKind::Misconfigured, ""),
    ] {
        let (outcome, log, _) = create(&[Step::Status(status, code)]).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), log.len()), (kind, 1), "{code}");
        assert!(
            error.remedy().unwrap_or_default().contains(words),
            "{error:?}"
        );
        assert!(error.path().ends_with(KEY), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn tries_are_limited_by_the_policy() {
    let store = Scripted::new(vec![Step::Status(503, "ServiceUnavailable"); 8]);
    let bucket = store.bucket_with(3);
    let catalog = BucketCatalog::new(&bucket, Slug::parse("acme").unwrap());
    let outcome = catalog.write(&key(), &record("1"), Revision::ABSENT).await;
    assert_eq!(outcome.unwrap_err().kind(), CatalogErrorKind::Unavailable);
    // The last answer is unclear as well.
    let pair = ["PUT 503", "GET 404"];
    assert_eq!(store.log(), [pair, pair, pair].concat());
    assert_eq!(bucket.requests().total(), 6);
}

#[tokio::test]
async fn a_last_try_that_landed_is_success() {
    let store = Scripted::new([Step::LostAfter]);
    let catalog = BucketCatalog::new(&store.bucket_with(1), Slug::parse("acme").unwrap());
    let outcome = catalog.write(&key(), &record("1"), Revision::ABSENT).await;
    assert_eq!(outcome.unwrap(), Revision(1));
    assert_eq!(store.log(), ["PUT -", "GET 200"]);
}

#[tokio::test]
async fn a_success_that_cannot_be_parsed_is_read_back() {
    let (outcome, log, _) = create(&[Step::ServeWithoutTag]).await;
    assert_eq!(outcome.unwrap(), Revision(1));
    assert_eq!(log, ["PUT 200", "GET 200"]);
}

#[tokio::test]
async fn a_failure_after_an_unclear_answer_leaves_the_outcome_open() {
    // The repetition is denied.
    let denied = Step::Status(403, "AccessDenied");
    let (outcome, log, _) = create(&[Step::LostBefore, denied]).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Unavailable);
    assert!(
        error.remedy().unwrap().contains("s3:PutObject"),
        "{error:?}"
    );
    assert_eq!(log, ["PUT -", "GET 404", "PUT 403", "GET 404"]);
    // The read is denied.
    let store = Scripted::new([Step::LostAfter]);
    store.refuse_reads(403, "AccessDenied");
    let outcome = catalog(&store)
        .write(&key(), &record("1"), Revision::ABSENT)
        .await;
    assert_eq!(outcome.unwrap_err().kind(), CatalogErrorKind::Unavailable);
    assert_eq!(store.log(), ["PUT -", "GET 403"]);
}

#[tokio::test]
async fn a_cancelled_operation_writes_nothing_and_a_commit_gets_its_tries() {
    let cancellation = CancellationToken::new();
    cancellation.cancel();
    let context = OperationContext {
        cancellation: Some(cancellation),
        ..OperationContext::default()
    };
    let store = Scripted::new([Step::LostBefore, Step::LostBefore]);
    let catalog = &catalog(&store);
    let (key, record) = (&key(), &record("1"));
    let cancelled = context
        .clone()
        .scope(catalog.write(key, record, Revision::ABSENT))
        .await;
    assert_eq!(
        Stop::beneath(&cancelled.unwrap_err()),
        Some(Stop::Cancelled)
    );
    assert_eq!(store.log(), [""; 0]);
    let commit = OperationContext::committing(catalog.write(key, record, Revision::ABSENT));
    assert_eq!(context.scope(commit).await.unwrap(), Revision(1));
    assert_eq!(
        store.log(),
        ["PUT -", "GET 404", "PUT -", "GET 404", "PUT 200"]
    );
}

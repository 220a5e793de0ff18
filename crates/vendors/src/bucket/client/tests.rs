//! Checks what a client shows of its credentials.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use http::{HeaderMap, StatusCode};

use super::scripted::Scripted;
use crate::bucket::{Bucket, BucketCatalog, BucketSettings};
use crate::http::{CannedAnswer, CannedAnswers, HttpSettings};
use planton_core::catalog::{CatalogStore as _, RecordKey};
use planton_core::names::Slug;
use planton_secret::SecretBytes;

async fn read(bucket: &Bucket) {
    let catalog = BucketCatalog::new(bucket, Slug::parse("acme").unwrap());
    let found = catalog.read(&RecordKey::new("default")).await;
    assert_eq!(found.unwrap(), None);
}

#[tokio::test]
async fn a_bucket_of_s3_shows_no_credential() {
    let bucket = Scripted::default().bucket();
    read(&bucket).await;
    assert!(!format!("{bucket:?}").contains("hunter2"));
}

/// Of several requests with one rejected token, each is repeated with another.
#[tokio::test]
async fn each_request_with_a_rejected_token_is_repeated() {
    let bucket = azure();
    read(&bucket).await;
    let opened = bucket.client.opened().await.unwrap();
    assert!(opened.credentials.renews().await);
    assert!(opened.credentials.renews().await);
    read(&bucket).await;
}

#[tokio::test]
async fn a_container_of_azure_shows_no_token() {
    let bucket = azure();
    read(&bucket).await;
    assert!(!format!("{bucket:?}").contains("hunter2"));
    assert_eq!(bucket.requests().total(), 2);
}

/// A deletion shows soft delete, which a role for blobs may not read of the account.
#[tokio::test]
async fn soft_delete_of_azure_is_told_by_the_answer_to_a_deletion() {
    for (is_permanent, told) in [
        ("false", &["Bucket Keeps Deleted Objects"][..]),
        ("true", &[]),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-delete-type-permanent", is_permanent.parse().unwrap());
        let bucket = azure_answering(StatusCode::ACCEPTED, headers, "");
        let deleted = bucket.client.delete(&"tf/acme/probe/0".into()).await;
        deleted.unwrap();
        let advice = bucket.advice().into_iter();
        let summaries: Vec<_> = advice.map(|one| one.summary).collect();
        assert_eq!(summaries, told, "{is_permanent}");
    }
}

/// Returns a container without objects, which accepts one token.
fn azure() -> Bucket {
    let missing = "<Error><Code>BlobNotFound</Code></Error>";
    azure_answering(StatusCode::NOT_FOUND, HeaderMap::new(), missing)
}

fn azure_answering(status: StatusCode, headers: HeaderMap, body: &'static str) -> Bucket {
    let configuration = [
        ("url".to_owned(), "az://acmestate/state".into()),
        ("tenant_id".to_owned(), "tenant".into()),
        ("client_id".to_owned(), "client".into()),
    ];
    let credential = [("client_secret".to_owned(), "hunter2".into())];
    let settings = BucketSettings::read(&configuration.into(), &credential.into()).unwrap();
    let http = HttpSettings {
        canned: Some(CannedAnswers::new(move |request, url| {
            let is_token = url.host_str() == Some("login.microsoftonline.com");
            let (status, headers, body) = match is_token {
                true => (
                    StatusCode::OK,
                    HeaderMap::new(),
                    r#"{"token_type":"Bearer","expires_in":3600,"ext_expires_in":3600,"access_token":"hunter2"}"#,
                ),
                false => {
                    let header = request.headers.get("authorization").unwrap();
                    assert_eq!(header, "Bearer hunter2");
                    (status, headers.clone(), body)
                }
            };
            CannedAnswer {
                status,
                headers,
                body: SecretBytes::from(body.as_bytes()),
            }
        })),
        ..HttpSettings::default()
    };
    Bucket::open(&settings, http).unwrap()
}

//! Checks which stores a probe rejects.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::bucket::client::scripted::{Flaw, Scripted, Step};
use planton_core::catalog::{CatalogError, CatalogErrorKind};
use planton_core::names::Slug;

async fn probe(store: &Scripted) -> Result<(), CatalogError> {
    store.bucket().probe(&Slug::parse("acme").unwrap()).await
}

#[tokio::test]
async fn a_store_that_keeps_its_conditions_passes_and_is_left_empty() {
    let store = Scripted::default();
    probe(&store).await.unwrap();
    assert_eq!(store.keys(), [""; 0]);
    let puts = store
        .log()
        .iter()
        .filter(|line| line.starts_with("PUT"))
        .count();
    // A round of creations, eight of updates, and an update of nothing.
    assert_eq!(puts, 32 + 8 * 32 + 1);
}

#[tokio::test]
async fn a_lost_answer_and_a_rate_limit_do_not_fail_a_probe() {
    let store = Scripted::new([Step::LostAfter, Step::Status(429, "SlowDown")]);
    probe(&store).await.unwrap();
    let store = Scripted::new(vec![Step::Status(429, "SlowDown"); 40]);
    probe(&store).await.unwrap();
    assert_eq!(store.keys(), [""; 0]);
    // One winner of two writers is no race.
    let store = Scripted::new(vec![Step::Status(503, "ServiceUnavailable"); 30]);
    probe(&store).await.unwrap();
    let puts = store
        .log()
        .iter()
        .filter(|line| line.starts_with("PUT"))
        .count();
    assert_eq!(puts, 32 + 32 + 8 * 32 + 1);
    assert_eq!(store.keys(), [""; 0]);
}

/// S3 may answer a concurrent write so. The write lost its race.
#[tokio::test]
async fn a_store_that_answers_a_lost_race_with_409_passes() {
    let store = Scripted::with_flaw(Flaw::RefusesAsBusy);
    probe(&store).await.unwrap();
    assert_eq!(store.keys(), [""; 0]);
}

#[tokio::test]
async fn an_update_of_nothing_without_an_answer_is_repeated() {
    let mut steps = vec![Step::Serve; 32 + 8 * 32];
    steps.push(Step::Status(503, "ServiceUnavailable"));
    let store = Scripted::new(steps);
    probe(&store).await.unwrap();
    let puts = store.log();
    let puts: Vec<_> = puts.iter().filter(|line| line.starts_with("PUT")).collect();
    assert_eq!(puts.len(), 32 + 8 * 32 + 2);
    assert_eq!(puts[puts.len() - 2..], ["PUT 503", "PUT 404"]);
}

#[tokio::test]
async fn an_update_of_nothing_whose_answer_is_lost_is_found() {
    let store = Scripted::with_flaw(Flaw::CreatesByUpdate);
    let mut steps = vec![Step::Serve; 32 + 8 * 32];
    steps.push(Step::LostAfter);
    store.then(steps);
    let error = probe(&store).await.unwrap_err();
    let words = "update of an object that does not exist";
    assert!(error.remedy().unwrap().contains(words), "{error:?}");
}

#[tokio::test]
async fn a_store_with_a_flaw_is_rejected_by_its_name() {
    for (flaw, words) in [
        (
            Flaw::IgnoresConditions,
            "executed 32 of 32 parallel creations",
        ),
        (Flaw::TwoWinners, "executed 2 of 32 parallel updates"),
        (Flaw::DropsMetadata, "does not return the metadata"),
        (
            Flaw::CreatesByUpdate,
            "update of an object that does not exist",
        ),
    ] {
        let store = Scripted::with_flaw(flaw);
        let error = probe(&store).await.unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::Misconfigured);
        assert!(error.remedy().unwrap().contains(words), "{error:?}");
        assert_eq!(store.keys(), [""; 0], "{flaw:?}");
    }
}

#[tokio::test]
async fn a_missing_permission_is_explained() {
    let store = Scripted::new(vec![Step::Status(403, "AccessDenied"); 32]);
    let error = probe(&store).await.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::PermissionDenied);
    assert!(
        error.remedy().unwrap().contains("s3:PutObject"),
        "{error:?}"
    );
}

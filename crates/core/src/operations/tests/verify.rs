//! A verification finds what was altered, moved, removed or wrapped for others.

use super::*;
use crate::catalog::{CatalogErrorKind, RecordKey};
use crate::kek::{KekPins, KeyEncryptionKey, pin_of};
use crate::operations::tests::backends::keys::{declared_with, keys};
use crate::operations::tests::backends::{chosen, create, slug};
use crate::operations::{Problem, Verification, Verify};

async fn verified(process: &Organization, what: Verify<'_>) -> Verification {
    let interrupt = Interrupt::default();
    let verified = process.keys().verify(what, &|_| {}, &interrupt).await;
    verified.unwrap()
}

fn found(verification: &Verification) -> Vec<(&str, Option<u64>, Problem)> {
    let findings = verification.findings.iter();
    let findings = findings.map(|one| (one.subject.as_str(), one.version, one.problem));
    findings.collect()
}

/// Two secrets in the built-in backend, and one in a backend of its own keys.
async fn three(world: &World) {
    created(world, "db", "x").await;
    created(world, "api", "x").await;
    let process = world.warm().await;
    declared_with(&process, keys(Some("own"), &["safe"])).await;
    create(&process, "there", Some("vault")).await.unwrap();
}

#[tokio::test]
async fn an_intact_organization_has_no_finding_and_no_value_is_unwrapped() {
    let world = World::new();
    three(&world).await;
    let process = world.warm().await;
    let before = world.counts();
    let all = verified(&process, Verify::default()).await;
    assert_eq!((all.documents, all.looked_at, all.versions), (3, 3, 3));
    assert_eq!((found(&all), all.due), (Vec::new(), 0));
    assert_eq!((world.counts() - before).unwrap, 0);
    let vault = slug("vault");
    let what = Verify {
        backend: Some(&vault),
        ..Verify::default()
    };
    assert_eq!(verified(&process, what).await.versions, 1);
    // A rotated key leaves versions that are due for a rewrap, and is no finding.
    world.kek.rotate();
    let all = verified(&world.warm().await, Verify::default()).await;
    assert_eq!((found(&all), all.due), (Vec::new(), 2));
}

#[tokio::test]
async fn a_rewrap_is_not_advised_for_a_key_whose_wraps_show_no_version() {
    let world = World::new();
    three(&world).await;
    let due = async || verified(&world.warm().await, Verify::default()).await.due;
    world.kek.hide_versions();
    world.kek.rotate();
    assert_eq!(due().await, 0, "a rewrap could be advised for ever");
    world.kek_connector.key("own").rotate();
    assert_eq!(due().await, 1, "the wrap of this key shows its version");
}

#[tokio::test]
async fn an_altered_record_and_a_missing_and_a_foreign_object_are_found() {
    let world = World::new();
    three(&world).await;
    let document = world.document(&name("api")).await;
    let api = document.current.unwrap();
    let removed = &api.versions[0].native_id;
    assert!(world.store.remove_version(&api.remote_name, removed));
    let all = verified(&world.warm().await, Verify::default()).await;
    assert_eq!(found(&all), [("api", Some(1), Problem::Envelope)]);

    // An envelope of another secret, whose record names this object's payload.
    let db = world.document(&name("db")).await;
    let digest = db.current.as_ref().unwrap().versions[0]
        .payload_sha256
        .clone();
    let key = crate::catalog::record_key_of_name(&name("db"));
    world
        .forge(key.as_str(), |body| body.replace(&digest, &"0".repeat(64)))
        .await;
    let all = verified(&world.warm().await, Verify::default()).await;
    let mut subjects: Vec<_> = found(&all);
    subjects.sort_by_key(|(subject, ..)| (*subject).to_owned());
    let both = [
        ("api", Some(1), Problem::Envelope),
        ("db", Some(1), Problem::Envelope),
    ];
    assert_eq!(subjects, both);

    world
        .alter(&name("there"), |body| {
            body.replace("\"there\"", "\"other\"")
        })
        .await;
    let all = verified(&world.warm().await, Verify::default()).await;
    let altered = all
        .findings
        .iter()
        .find(|one| one.problem == Problem::Record);
    let altered = altered.expect("the altered record");
    assert!(altered.subject.starts_with("secrets/"), "{altered:?}");
    let meaning = CatalogErrorKind::Altered;
    assert!(
        altered
            .detail
            .contains(crate::error::ErrorKind::meaning(meaning)),
        "{altered:?}"
    );
}

#[tokio::test]
async fn an_altered_record_of_a_backend_of_the_default_and_of_the_organization_is_found() {
    let world = World::new();
    three(&world).await;
    chosen(&world.warm().await, "vault", "vault").await;
    let key = "backends/vault";
    let whole = world.stored(&RecordKey::new(key)).await.unwrap();
    world
        .alter_key(key, |body| body.replace("\"vault\"", "\"other\""))
        .await;
    let all = verified(&world.warm().await, Verify::default()).await;
    // Without its backend's record, the version on it is not looked at.
    let both = [
        (key, None, Problem::Record),
        ("there", None, Problem::Backend),
    ];
    assert_eq!((found(&all), all.versions), (both.into(), 2));
    world.catalog.overwrite(&RecordKey::new(key), whole);
    let all = verified(&world.warm().await, Verify::default()).await;
    assert_eq!((found(&all), all.versions), (Vec::new(), 3));

    world
        .alter_key("default", |body| body.replace("\"vault\"", "\"other\""))
        .await;
    let all = verified(&world.warm().await, Verify::default()).await;
    assert_eq!(found(&all), [("default", None, Problem::Record)]);

    // No other record can be verified without that of the organization.
    let generation = |body: &str| body.replacen("\"generation\":", "\"generation\":1", 1);
    world.alter_key("organization", generation).await;
    let process = world.process();
    let interrupt = Interrupt::default();
    let keys = process.keys();
    let refused = keys.verify(Verify::default(), &|_| {}, &interrupt).await;
    let altered = matches!(&refused, Err(OperationError::Catalog(error)) if error.kind() == CatalogErrorKind::Altered);
    assert!(altered, "{refused:?}");
}

#[tokio::test]
async fn a_version_wrapped_for_a_key_that_is_not_pinned_is_found() {
    let world = World::new();
    three(&world).await;
    let fingerprint = world.warm().await.keys().fingerprint().await.unwrap();
    let own = world.kek_connector.key("own");
    let process = world.process().with_pins(KekPins {
        organization: Some(fingerprint),
        allowed_key_ids: Some([pin_of(world.kek.id()), pin_of(own.id())].into()),
    });
    let all = verified(&process, Verify::default()).await;
    assert_eq!(found(&all), [("there", Some(1), Problem::Keys)]);
    let safe = pin_of(world.kek_connector.key("safe").id());
    assert!(all.findings[0].detail.contains(&safe), "{all:?}");
}

#[tokio::test]
async fn a_drill_opens_through_the_escrow_key_alone_and_names_what_it_does_not_open() {
    let world = World::new();
    three(&world).await;
    let process = world.warm().await;
    let own = world.kek_connector.key("own");
    own.deny(KekVerb::Unwrap, crate::kek::KekErrorKind::Disabled);
    let safe = world.kek_connector.key("safe");
    let vault = slug("vault");
    let what = Verify {
        backend: Some(&vault),
        drill: Some(safe.as_ref()),
    };
    let drilled = verified(&process, what).await;
    assert_eq!((drilled.drilled, found(&drilled)), (1, Vec::new()));
    let what = Verify {
        backend: None,
        drill: Some(safe.as_ref()),
    };
    let drilled = verified(&process, what).await;
    assert_eq!(drilled.drilled, 1);
    let mut problems = found(&drilled);
    problems.sort_by_key(|(subject, ..)| (*subject).to_owned());
    let both = [
        ("api", Some(1), Problem::Drill),
        ("db", Some(1), Problem::Drill),
    ];
    assert_eq!(problems, both);
}

#[tokio::test]
async fn a_verification_holds_no_more_documents_than_a_chunk() {
    use crate::catalog::CatalogVerb;
    use crate::store::StoreVerb;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SECRETS: usize = 230;
    const CHUNK: usize = 100;
    let world = World::new();
    let process = world.warm().await;
    for number in 0..SECRETS {
        create(&process, &format!("s{number}"), None).await.unwrap();
    }
    let process = world.warm().await;
    let (reads, gets) = (
        world.catalog.calls(CatalogVerb::Read),
        world.store.calls(StoreVerb::Get),
    );
    // What was read and has not been compared with its version must be in memory.
    let most = Arc::new(AtomicUsize::new(0));
    for nth in 1..=SECRETS {
        let (catalog, store) = (Arc::clone(&world.catalog), Arc::clone(&world.store));
        let most = Arc::clone(&most);
        world.catalog.before(CatalogVerb::Read, nth, async move {
            let read = catalog.calls(CatalogVerb::Read) - reads;
            let compared = store.calls(StoreVerb::Get) - gets;
            most.fetch_max(read - compared, Ordering::Relaxed);
        });
    }
    let all = verified(&process, Verify::default()).await;
    assert_eq!((all.versions, found(&all)), (SECRETS, Vec::new()));
    let most = most.load(Ordering::Relaxed);
    // The record of the default backend is read as well.
    assert!((CHUNK / 2..=CHUNK + 1).contains(&most), "{most}");
}

//! Backups and restorations beside other processes.

use std::collections::BTreeSet;

use super::*;
use crate::catalog::SecretDocument;
use crate::operations::tests::backends::{chosen, create, declared};

/// Heals a secret on the backend at `a`, so that its record names another entry. Creates another
/// secret there.
async fn changed(world: World, view: SecretView) {
    let process = world.warm().await;
    let place = world.connector.place("a");
    let document = world.document(&view.name).await;
    assert!(place.remove_object(&document.current.unwrap().remote_name));
    let heal = UpdateSecret {
        heals: true,
        ..rotate(&view, "healed")
    };
    let interrupt = Interrupt::default();
    process.secrets().update(heal, &interrupt).await.unwrap();
    create(&process, "late", Some("vault")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_backup_has_every_entry_that_its_records_name_whenever_they_change() {
    let mut with_late = BTreeSet::new();
    for nth in 1..=4 {
        for verb in [CatalogVerb::Read, CatalogVerb::List] {
            if verb == CatalogVerb::List && nth == 4 {
                continue;
            }
            let world = World::new();
            let process = world.warm().await;
            declared(&process, "vault", "a").await;
            let view = create(&process, "db", Some("vault")).await.unwrap();
            let race = changed(world.clone(), view);
            world.catalog.before(verb, nth, race);
            let backup = backed_up(&world).await;
            let mut reader = BackupReader::new(&backup[..]).unwrap();
            let (mut named, mut entries) = (Vec::new(), Vec::new());
            while let Some((key, stored)) = reader.next_record().unwrap() {
                if key.as_str().starts_with("secrets/") {
                    let document: SecretDocument = serde_json::from_str(&stored.body).unwrap();
                    let secret = document.current.unwrap();
                    named.extend(secret.entries().iter().map(|entry| entry.record_key()));
                    if secret.name == name("late") {
                        with_late.insert((format!("{verb:?}"), nth));
                    }
                } else if key.as_str().starts_with("entries/") {
                    entries.push(key);
                }
            }
            assert!(!named.is_empty());
            for key in named {
                assert!(entries.contains(&key), "{verb:?} {nth}: no {key}");
            }
        }
    }
    // Some backups had listed the secrets before the other one was created, and some had not.
    assert!(
        !with_late.is_empty() && with_late.len() < 7,
        "{with_late:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_backup_has_the_backend_that_its_default_names_whenever_it_is_chosen() {
    let mut names = BTreeSet::new();
    for nth in 1..=4 {
        for verb in [CatalogVerb::Read, CatalogVerb::List] {
            if verb == CatalogVerb::List && nth == 4 {
                continue;
            }
            let world = World::new();
            created(&world, "db", "v").await;
            let race = async |world: World| {
                let process = world.warm().await;
                declared(&process, "vault", "a").await;
                chosen(&process, "vault", "platform").await;
            };
            world.catalog.before(verb, nth, race(world.clone()));
            let backup = backed_up(&world).await;
            let mut reader = BackupReader::new(&backup[..]).unwrap();
            let (mut default, mut backends) = (None, Vec::new());
            while let Some((key, stored)) = reader.next_record().unwrap() {
                if key.as_str() == "default" {
                    let record: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
                    default = Some(format!("backends/{}", record["backend"].as_str().unwrap()));
                }
                backends.push(key.to_string());
            }
            if let Some(default) = &default {
                assert!(backends.contains(default), "{verb:?} {nth}: no {default}");
            }
            names.insert(default);
        }
    }
    // Some backups had read the default before it was chosen, and some had not.
    assert_eq!(names.len(), 2, "{names:?}");
}

#[tokio::test]
async fn a_first_use_and_a_restoration_that_meet_leave_one_organization() {
    for wins in ["first use", "restoration"] {
        let world = World::new();
        created(&world, "db", "v").await;
        let backup = backed_up(&world).await;
        let pin = Some(fingerprint(&world).await);
        lose(&world);
        let create = |world: World| async move {
            let process = world.process();
            let created = process.secrets();
            let create = create_of("db", given("another"));
            created.create(create, &Interrupt::default()).await
        };
        if wins == "first use" {
            let racing = world.clone();
            let race = async move { drop(create(racing).await.unwrap()) };
            world.catalog.before(CatalogVerb::Write, 1, race);
            let lost = restore(&world, pin, &backup, APPLY).await;
            let is_lost = matches!(lost, Err(OperationError::ChangedConcurrently { .. }));
            assert!(is_lost, "{lost:?}");
            let refused = restore(&world, pin, &backup, OVERWRITE).await;
            let is_refused = matches!(refused, Err(OperationError::DifferentPlatform { .. }));
            assert!(is_refused, "{refused:?}");
            assert_eq!(world.value("db").await.unwrap(), "another");
        } else {
            // The creation has found an empty catalog, and is about to write its record.
            let (racing, file) = (world.clone(), backup.clone());
            let race = async move { drop(restore(&racing, pin, &file, APPLY).await.unwrap()) };
            world.catalog.before(CatalogVerb::Write, 1, race);
            let refused = create(world.clone()).await;
            assert!(refused.is_err(), "{refused:?}");
            assert_eq!(world.value("db").await.unwrap(), "v");
        }
    }
}

#[tokio::test]
async fn a_process_from_before_the_loss_makes_a_record_that_a_restoration_leaves() {
    let world = World::new();
    created(&world, "db", "v").await;
    created(&world, "other", "o").await;
    let late = world.warm().await;
    let backup = backed_up(&world).await;
    let pin = Some(fingerprint(&world).await);
    lose(&world);
    // It knows the organization, and takes the name for free.
    let create = create_of("db", given("late"));
    let interrupt = Interrupt::default();
    late.secrets().create(create, &interrupt).await.unwrap();
    let done = restore(&world, pin, &backup, APPLY).await.unwrap();
    assert_eq!((done.missing, done.different.len()), (2, 1), "{done:?}");
    assert_eq!(world.value("db").await.unwrap(), "late");
    assert_eq!(world.value("other").await.unwrap(), "o");
}

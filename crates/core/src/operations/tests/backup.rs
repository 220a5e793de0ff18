//! A catalog that was lost is restored from a backup, and its states converge once somebody
//! accepts that it is older than what they have seen.

mod accepted;
mod concurrent;
mod elsewhere;

use std::io::Cursor;

use super::*;
use crate::catalog::{
    CatalogErrorKind, CatalogStore as _, CatalogVerb, InMemoryCatalog, RecordKey,
    record_key_of_name,
};
use crate::kek::{KekPins, OrganizationFingerprint};
use crate::operations::{
    AcceptRollback, AcceptedRollback, AfterRestore, BackupFileError, BackupHeader, BackupReader,
    BackupWriter, DifferentRecord, Restore, Restored,
};

const APPLY: Restore = Restore {
    applies: true,
    overwrites: false,
};
const OVERWRITE: Restore = Restore {
    applies: true,
    overwrites: true,
};

/// Returns a backup of the catalog.
async fn backed_up(world: &World) -> Vec<u8> {
    let mut bytes = Vec::new();
    let process = world.process();
    let interrupt = Interrupt::default();
    let keys = process.keys();
    let done = keys.backup(&mut bytes, &|_| {}, &interrupt).await.unwrap();
    assert!(done.1.altered.is_empty(), "{done:?}");
    bytes
}

async fn fingerprint(world: &World) -> OrganizationFingerprint {
    world.process().keys().fingerprint().await.unwrap()
}

/// Restores a backup in a separate process, which knows the organization's fingerprint.
async fn restore(
    world: &World,
    pin: Option<OrganizationFingerprint>,
    backup: &[u8],
    what: Restore,
) -> Result<Restored, OperationError> {
    let pins = KekPins {
        organization: pin,
        ..KekPins::default()
    };
    let process = world.process().with_pins(pins).for_restoring();
    let interrupt = Interrupt::default();
    let mut source = Cursor::new(backup);
    let keys = process.keys();
    keys.restore(&mut source, what, &|_| {}, &interrupt).await
}

async fn accept(
    world: &World,
    applies: bool,
    unnoted: bool,
) -> Result<AcceptedRollback, OperationError> {
    let process = world.process();
    let how = AcceptRollback { applies, unnoted };
    process
        .keys()
        .accept_rollback(how, &Interrupt::default())
        .await
}

/// Accepts a rollback that was noted.
async fn accepted(world: &World) -> AcceptedRollback {
    let accepted = accept(world, true, false).await.unwrap();
    assert!(accepted.is_due && accepted.floor > accepted.floor_before);
    accepted
}

/// Empties the catalog.
fn lose(world: &World) {
    world.catalog.restore(InMemoryCatalog::new().snapshot());
}

async fn rotated(world: &World, view: &SecretView, value: &str) -> SecretView {
    let process = world.warm().await;
    let (rotate, interrupt) = (rotate(view, value), Interrupt::default());
    let rotated = process.secrets().update(rotate, &interrupt);
    rotated.await.unwrap()
}

#[tokio::test]
async fn a_lost_catalog_is_restored_record_by_record_and_every_value_opens() {
    let world = World::new();
    let db = created(&world, "db", "v1").await;
    created(&world, "prod/db", "v2").await;
    let gone = created(&world, "gone", "v3").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    process
        .secrets()
        .delete(&own(&gone), &interrupt)
        .await
        .unwrap();
    let backup = backed_up(&world).await;
    let before = world.catalog.list("").await.unwrap();
    let pin = Some(fingerprint(&world).await);
    lose(&world);

    let shown = restore(&world, pin, &backup, Restore::default())
        .await
        .unwrap();
    assert_eq!(
        (shown.records, shown.missing, shown.next),
        (4, 4, AfterRestore::Nothing)
    );
    assert_eq!(
        world.catalog.list("").await.unwrap(),
        [],
        "a dry run writes nothing"
    );
    let done = restore(&world, pin, &backup, APPLY).await.unwrap();
    assert_eq!((done.missing, done.equal, done.applied), (4, 0, true));
    assert_eq!(done.next, AfterRestore::AcceptRollback);
    assert_eq!(world.catalog.list("").await.unwrap(), before);
    // Apart from the note of the restoration, each record is the one of the backup.
    let mut reader = BackupReader::new(&backup[..]).unwrap();
    while let Some((key, stored)) = reader.next_record().unwrap() {
        let found = world.stored(&key).await.unwrap();
        assert_eq!(found == stored, key.as_str() != "organization", "{key}");
    }
    assert_eq!(world.value("db").await.unwrap(), "v1");
    assert_eq!(world.value("prod/db").await.unwrap(), "v2");
    // Nothing is newer in the state than in the backup.
    assert_eq!(
        refreshed(&world, &db).await.unwrap(),
        Refreshed::Present(db)
    );
    let again = restore(&world, pin, &backup, APPLY).await.unwrap();
    assert_eq!(
        (again.missing, again.equal, again.different),
        (0, 4, vec![])
    );
}

#[tokio::test]
async fn a_restoration_killed_before_any_write_goes_on_and_meanwhile_nobody_opens_the_organization()
{
    let world = World::new();
    for named in ["a", "b", "c"] {
        created(&world, named, "v").await;
    }
    let backup = backed_up(&world).await;
    let pin = Some(fingerprint(&world).await);
    // The note, three records, and the note again.
    for nth in 1..=5 {
        for landing in [crate::store::Landing::Before, crate::store::Landing::After] {
            lose(&world);
            let kind = CatalogErrorKind::Unavailable;
            world.fail_catalog(CatalogVerb::Write, nth, landing, kind);
            restore(&world, pin, &backup, APPLY).await.unwrap_err();
            let is_begun = nth > 1 || landing == crate::store::Landing::After;
            let is_ended = nth == 5 && landing == crate::store::Landing::After;
            if is_begun && !is_ended {
                let process = world.process();
                let create = create_of("d", given("v"));
                let refused = process
                    .secrets()
                    .create(create, &Interrupt::default())
                    .await;
                let is_refused = matches!(refused, Err(OperationError::RestoreUnfinished { .. }));
                assert!(is_refused, "{nth}: {refused:?}");
                let refused = world.process().keys().fingerprint().await;
                assert!(matches!(
                    refused,
                    Err(OperationError::RestoreUnfinished { .. })
                ));
                let refused = accept(&world, true, true).await;
                assert!(matches!(
                    refused,
                    Err(OperationError::RestoreUnfinished { .. })
                ));
            }
            let shown = restore(&world, pin, &backup, Restore::default())
                .await
                .unwrap();
            let next = match (is_begun, is_ended) {
                (false, _) => AfterRestore::Nothing,
                (true, false) => AfterRestore::Restore,
                (true, true) => AfterRestore::AcceptRollback,
            };
            assert_eq!((shown.applied, shown.next), (false, next), "{nth}");
            let done = restore(&world, pin, &backup, APPLY).await.unwrap();
            assert_eq!(done.next, AfterRestore::AcceptRollback, "{nth}: {done:?}");
            assert_eq!(done.applied, !is_ended, "{nth}: {done:?}");
            assert!(done.different.is_empty(), "{nth}: {done:?}");
            for named in ["a", "b", "c"] {
                assert_eq!(world.value(named).await.unwrap(), "v");
            }
            accepted(&world).await;
        }
    }
}

#[tokio::test]
async fn a_catalog_that_lacks_some_records_gets_these_and_keeps_what_differs() {
    let world = World::new();
    let kept = created(&world, "kept", "old").await;
    created(&world, "lost", "lost").await;
    let backup = backed_up(&world).await;
    rotated(&world, &kept, "new").await;
    let lost = record_key_of_name(&name("lost"));
    world.catalog.delete_by_hand(&lost);

    let done = restore(&world, None, &backup, APPLY).await.unwrap();
    let different = DifferentRecord {
        key: record_key_of_name(&name("kept")),
        in_backup: Some(1),
        in_catalog: Some(2),
        is_altered: false,
    };
    assert_eq!((done.missing, done.equal), (1, 1));
    assert_eq!(done.different, [different]);
    assert_eq!(world.value("kept").await.unwrap(), "new");
    assert_eq!(world.value("lost").await.unwrap(), "lost");

    let done = restore(&world, None, &backup, OVERWRITE).await.unwrap();
    assert_eq!(done.different.len(), 1);
    assert_eq!(world.value("kept").await.unwrap(), "old");
}

#[tokio::test]
async fn altered_records_are_replaced_only_on_request_and_so_is_the_organizations() {
    for key in ["organization", record_key_of_name(&name("db")).as_str()] {
        let world = World::new();
        created(&world, "db", "v").await;
        let backup = backed_up(&world).await;
        let pin = Some(fingerprint(&world).await);
        world
            .alter_key(key, |body| {
                body.replace("\"generation\":", "\"generation\":1")
            })
            .await;
        let kept = restore(&world, pin, &backup, APPLY).await;
        if key == "organization" {
            let refused = matches!(&kept, Err(OperationError::Catalog(error))
                if error.kind() == CatalogErrorKind::Altered);
            assert!(refused, "{kept:?}");
        } else {
            assert!(kept.unwrap().different[0].is_altered);
        }
        assert!(world.value("db").await.is_err());
        let done = restore(&world, pin, &backup, OVERWRITE).await.unwrap();
        assert!(done.different[0].is_altered);
        assert_eq!(world.value("db").await.unwrap(), "v");
    }
}

#[tokio::test]
async fn a_record_whose_mac_does_not_verify_is_not_in_a_backup_and_is_named() {
    let world = World::new();
    created(&world, "db", "v").await;
    created(&world, "other", "v").await;
    world
        .alter(&name("db"), |body| {
            body.replace("\"text\"", "\"key_value\"")
        })
        .await;
    let process = world.process();
    let mut bytes = Vec::new();
    let keys = process.keys();
    let done = keys
        .backup(&mut bytes, &|_| {}, &Interrupt::default())
        .await;
    let (_, done) = done.unwrap();
    assert_eq!(done.altered, [record_key_of_name(&name("db"))]);
    assert_eq!((done.records, done.looked_at), (2, 4));
    assert_eq!(done.listed, done.looked_at);
}

//= docs/format.md#31-backups
//= type=test
//# A reader MUST NOT write a record of a backup before it has verified the MACs of all
//# records and of the backup.
//= docs/format.md#31-backups
//= type=test
//# A writer MUST compute the MAC of a backup as that of a record with the key `backup` and the
//# body `sha256`.
#[tokio::test]
async fn a_backup_that_somebody_changed_is_refused_as_a_whole() {
    let world = World::new();
    created(&world, "a", "v").await;
    created(&world, "b", "v").await;
    let backup = backed_up(&world).await;
    let pin = Some(fingerprint(&world).await);
    lose(&world);
    let rewritten = |change: &dyn Fn(&RecordKey, &mut String) -> bool,
                     mac: &dyn Fn(&str) -> String| {
        let mut reader = BackupReader::new(&backup[..]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = BackupWriter::new(&mut bytes, reader.header()).unwrap();
        while let Some((key, mut stored)) = reader.next_record().unwrap() {
            if change(&key, &mut stored.body) {
                writer.add(&key, &stored).unwrap();
            }
        }
        writer.finish(mac).unwrap();
        bytes
    };
    let of_the_file = BackupReader::new(&backup[..]).map(|mut reader| {
        while reader.next_record().unwrap().is_some() {}
        reader.trailer().unwrap().mac.clone()
    });
    let mac = of_the_file.unwrap();
    let last = record_key_of_name(&name("a")).max(record_key_of_name(&name("b")));
    let another_body = |key: &RecordKey, body: &mut String| {
        if *key == last {
            *body = body
                .replace("\"version\"", "\"Version\"")
                .replace("ready", "deleting");
        }
        true
    };
    let one_less = |key: &RecordKey, _: &mut String| *key != last;
    for forged in [
        rewritten(&another_body, &|_| mac.clone()),
        rewritten(&one_less, &|_| mac.clone()),
        rewritten(&|_, _| true, &|_| "00".repeat(32)),
    ] {
        let refused = restore(&world, pin, &forged, APPLY).await;
        let is_refused = matches!(
            refused,
            Err(OperationError::Backup(BackupFileError::Mac(_)))
        );
        assert!(is_refused, "{refused:?}");
        assert_eq!(world.catalog.list("").await.unwrap(), []);
    }
    assert_eq!(rewritten(&|_, _| true, &|_| mac.clone()), backup);
    restore(&world, pin, &backup, APPLY).await.unwrap();
}

#[tokio::test]
async fn only_the_catalog_that_a_backup_was_taken_of_takes_it() {
    let world = World::new();
    created(&world, "db", "v").await;
    let backup = backed_up(&world).await;
    let pin = fingerprint(&world).await;

    // An organization that was created anew, under the same KEK.
    lose(&world);
    created(&world, "db", "another").await;
    let refused = restore(&world, None, &backup, OVERWRITE).await;
    assert!(
        matches!(refused, Err(OperationError::DifferentPlatform { .. })),
        "{refused:?}"
    );

    // Another name.
    let mut reader = BackupReader::new(&backup[..]).unwrap();
    let header = reader.header().clone();
    let other = BackupHeader::new(
        "other".parse().unwrap(),
        header.catalog,
        header.fingerprint,
        header.taken_at,
    );
    let mut bytes = Vec::new();
    let mut writer = BackupWriter::new(&mut bytes, &other).unwrap();
    while let Some((key, stored)) = reader.next_record().unwrap() {
        writer.add(&key, &stored).unwrap();
    }
    writer.finish(|_| String::new()).unwrap();
    let refused = restore(&world, Some(pin), &bytes, APPLY).await;
    let is_refused = matches!(
        refused,
        Err(OperationError::Backup(BackupFileError::OfAnother { .. }))
    );
    assert!(is_refused, "{refused:?}");

    // Another MAC key, which somebody who may encrypt has made up.
    lose(&world);
    let forger = World {
        catalog: std::sync::Arc::new(InMemoryCatalog::new()),
        ..world.clone()
    };
    created(&forger, "db", "forged").await;
    let forged = backed_up(&forger).await;
    let refused = restore(&world, Some(pin), &forged, APPLY).await;
    assert!(
        matches!(refused, Err(OperationError::AnotherFingerprint { .. })),
        "{refused:?}"
    );
    let refused = restore(&world, None, &forged, APPLY).await;
    let is_refused = matches!(
        refused,
        Err(OperationError::PinsMissing {
            fingerprint: true,
            ..
        })
    );
    assert!(is_refused, "{refused:?}");
    assert_eq!(world.catalog.list("").await.unwrap(), []);
}

//! Records that a collection must not believe: stale, altered, and restored ones.

use super::*;
use crate::catalog::CatalogStore as _;

fn failures(collection: &Collection) -> usize {
    let leftovers = collection.leftovers.iter();
    let failed = leftovers.filter(|one| matches!(one.disposal, Disposal::Failed(_)));
    failed.count()
}

/// The listing has the objects of two names, and a standby that lags does not have the record
/// of one of them.
#[tokio::test]
async fn a_node_that_lags_hides_no_record_from_a_collection() {
    for backend in [None, Some("vault")] {
        for what in [SHOW, DELETE] {
            let of = backend.unwrap_or("platform");
            let world = World::new();
            let process = world.warm().await;
            declared(&process, "vault", "a").await;
            let old = create(&process, "db", backend).await.unwrap();
            let secrets = process.secrets();
            let interrupt = Interrupt::default();
            secrets.delete(&own(&old), &interrupt).await.unwrap();
            process.settle().await;
            let collector = world.warm().await;
            let tombstone = world.catalog.snapshot();
            create(&world.process(), "db", backend).await.unwrap();
            let key = record_key_of_name(&name("db"));
            world.catalog.serve_stale_from(&tombstone, &key);
            let collection = collected(&collector, of, what).await;
            assert_eq!(collection.leftovers, [], "{of}");
            assert_eq!(world.value("db").await.unwrap(), "hunter2", "{of}");
        }
    }
}

#[tokio::test]
async fn an_entry_with_a_forged_mac_leads_to_no_deletion() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    create(&process, "db", Some("vault")).await.unwrap();
    let named = world.document(&name("db")).await.current.unwrap();
    killed(&world, "api", Some("vault")).await;
    let entries = world.catalog.list("entries").await.unwrap();
    let of_api = async |key: &crate::catalog::RecordKey| {
        let stored = world.stored(key).await.unwrap();
        stored.body.contains("api").then(|| key.clone())
    };
    let mut found = None;
    for key in &entries {
        found = found.or(of_api(key).await);
    }
    // The object that the record of the other secret names.
    let key = found.unwrap();
    let forged = |body: &str| {
        let mut entry: serde_json::Value = serde_json::from_str(body).unwrap();
        entry["remote_name"] = named.remote_name.as_str().into();
        entry.to_string()
    };
    world.alter_key(key.as_str(), forged).await;
    let place = world.connector.place("a");
    let before = place.objects();
    let collection = collected(&world.warm().await, "vault", DELETE).await;
    assert_eq!(failures(&collection), 1, "{collection:?}");
    assert_eq!(collection.leftovers[0].reason, Reason::Unclear);
    assert_eq!(place.objects(), before);
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

/// A name that was created, destroyed and created again since: its document is at a later
/// generation than the one that the killed creation read.
#[tokio::test]
async fn an_entry_from_an_earlier_generation_of_its_name_takes_nothing_of_a_later_one() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    killed(&world, "db", Some("vault")).await;
    let old = create(&process, "db", Some("vault")).await.unwrap();
    let interrupt = Interrupt::default();
    let secrets = process.secrets();
    secrets.delete(&own(&old), &interrupt).await.unwrap();
    process.settle().await;
    let new = create(&process, "db", Some("vault")).await.unwrap();
    let collection = collected(&world.warm().await, "vault", DELETE).await;
    let deleted = [(Reason::Orphan, false, Disposal::Deleted)];
    assert_eq!(disposals(&collection), deleted);
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
    // The state of the owner accepts the raised document.
    let Refreshed::Present(seen) = refreshed(&world, &new).await.unwrap() else {
        panic!("the secret is there");
    };
    assert_eq!(seen.generation, new.generation + 1);
    let rotated = secrets.update(rotate(&new, "next"), &interrupt).await;
    assert_eq!(number(&rotated.unwrap()), Some(2));
}

/// The restored records do not name what was written since the backup.
#[tokio::test]
async fn after_a_restore_an_age_that_reaches_behind_the_backup_spares_what_came_after_it() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    killed(&world, "old", None).await;
    let built_in = create(&process, "db", None).await.unwrap();
    create(&process, "api", Some("vault")).await.unwrap();
    let backup = world.catalog.snapshot();
    // A day ago.
    world.store.backdate(Duration::from_secs(86_400));
    let interrupt = Interrupt::default();
    let secrets = process.secrets();
    let rotated = secrets.update(rotate(&built_in, "next"), &interrupt);
    rotated.await.unwrap();
    create(&process, "later", None).await.unwrap();
    create(&process, "late", Some("vault")).await.unwrap();
    let objects = (
        world.store.payloads().len(),
        world.connector.place("a").objects(),
    );
    let after = world.catalog.snapshot();
    world.catalog.restore(backup);

    let collector = world.warm().await;
    let default = Collect {
        orphans: None,
        deletes: true,
    };
    for backend in ["platform", "vault"] {
        let nothing = collected(&collector, backend, default).await;
        assert_eq!(nothing.leftovers, [], "{backend}");
    }
    let what = Collect {
        orphans: Some(Duration::from_secs(80_000)),
        deletes: true,
    };
    let collection = collected(&collector, "platform", what).await;
    let deleted = [(Reason::Orphan, false, Disposal::Deleted)];
    assert_eq!(
        disposals(&collection),
        deleted,
        "what was killed before the backup"
    );
    assert_eq!(
        collection.too_young, 2,
        "the version and the secret after it"
    );
    // The entries of what came after the backup are gone with it, so nothing leads there.
    let collection = collected(&collector, "vault", SHOW).await;
    assert_eq!(
        (collection.leftovers, collection.too_young),
        (Vec::new(), 0)
    );
    let now = (
        world.store.payloads().len(),
        world.connector.place("a").objects(),
    );
    assert_eq!(now, (objects.0 - 1, objects.1));
    // The records of that time still open everything.
    world.catalog.restore(after);
    assert_eq!(world.value("db").await.unwrap(), "next");
    for named in ["api", "later", "late"] {
        assert_eq!(world.value(named).await.unwrap(), "hunter2", "{named}");
    }
}

/// A creation that was held before its put for longer than the collection's age, and dies
/// after the put.
#[tokio::test]
async fn what_a_creation_puts_after_a_collection_and_never_commits_names_nothing() {
    for backend in [None, Some("vault")] {
        let of = backend.unwrap_or("platform");
        let world = World::new();
        let process = world.warm().await;
        declared(&process, "vault", "a").await;
        killed(&world, "db", backend).await;
        let store = match backend {
            None => std::sync::Arc::clone(&world.store),
            Some(_) => world.connector.place("a"),
        };
        let collector = world.warm().await;
        store.before(StoreVerb::Put, 1, async move {
            collected(&collector, of, DELETE).await;
        });
        // Its commit fails, and it dies before it deletes its object. The collection deletes
        // what each entry that it finds leads to.
        store.inject(Fault {
            verb: StoreVerb::Delete,
            nth: if backend.is_some() { 3 } else { 2 },
            landing: Landing::Before,
            kind: StoreErrorKind::Unavailable,
        });
        create(&process, "db", backend).await.unwrap();
        assert_eq!(world.value("db").await.unwrap(), "hunter2", "{of}");
        assert_eq!(
            store.payloads().len(),
            if backend.is_some() { 3 } else { 2 },
            "{of}"
        );
        let left = collected(&world.warm().await, of, DELETE).await;
        // Nothing leads to an object whose entry is removed. It is sealed, and no record names
        // it: SECURITY.md.
        let found = usize::from(backend.is_none());
        assert_eq!(left.leftovers.len(), found, "{of}");
        assert_eq!(world.value("db").await.unwrap(), "hunter2", "{of}");
    }
}

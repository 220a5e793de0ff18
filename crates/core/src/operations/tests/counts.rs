//! Exact number of requests of each use case.

use super::*;
use crate::operations::{Interrupt, RefreshSecret, Refreshed, SeenSecret, Selector};

const NONE: Counts = Counts {
    read: 0,
    fenced: 0,
    write: 0,
    forget: 0,
    put: 0,
    get: 0,
    describe: 0,
    delete: 0,
    wrap: 0,
    unwrap: 0,
    provision: 0,
};

/// Runs `call`. Returns its result and the number of its requests.
async fn cost<T>(world: &World, call: impl Future<Output = T>) -> (T, Counts) {
    let before = world.counts();
    let result = call.await;
    (result, world.counts() - before)
}

#[tokio::test]
async fn creating_costs_four_requests_on_the_built_in_backend() {
    let world = World::new();
    let organization = world.warm().await;
    let interrupt = Interrupt::default();
    // A process reads the default backend once.
    let first = organization
        .secrets()
        .create(create_of("first", given("x")), &interrupt);
    let (view, counts) = cost(&world, first).await;
    view.unwrap();
    assert_eq!(counts.total(), 5);
    let requests = [
        create_of("db0", given("hunter2")),
        create_of(
            "db1",
            crate::operations::ValueSource::Given(pairs(&[("user", "u"), ("password", "p")])),
        ),
        generate_of("generated", world::spec()),
        CreateSecret {
            backend: Some("platform".parse().unwrap()),
            ..create_of("named", given("x"))
        },
    ];
    for create in requests {
        let (view, counts) = cost(&world, organization.secrets().create(create, &interrupt)).await;
        let view = view.unwrap();
        assert_eq!(view.backend.as_str(), "platform");
        assert_eq!(number(&view), Some(1));
        let expected = Counts {
            read: 1,
            write: 1,
            put: 1,
            wrap: 1,
            ..NONE
        };
        assert_eq!(counts, expected);
    }
    assert_eq!(world.value("db0").await.unwrap(), "hunter2");
    assert_eq!(world.value("db1").await.unwrap(), "password=p,user=u");
    assert_eq!(world.value("generated").await.unwrap().len(), 24);
    let names = ["first", "db0", "db1", "generated", "named"];
    assert_eq!(world.unreferenced(&names).await, 0);
}

#[tokio::test]
async fn rotating_costs_four_requests_and_one_when_versions_go() {
    let world = World::new();
    let organization = world.warm().await;
    let interrupt = Interrupt::default();
    let mut create = create_of("db", given("v1"));
    create.arguments.keep_versions = 2;
    let mut view = organization
        .secrets()
        .create(create, &interrupt)
        .await
        .unwrap();
    for (value, deletions) in [("v2", 0), ("v3", 1), ("v4", 1)] {
        let update = async {
            let update = rotate(&view, value);
            let updated = organization.secrets().update(update, &interrupt).await;
            organization.settle().await;
            updated
        };
        let (updated, counts) = cost(&world, update).await;
        view = updated.unwrap();
        let expected = Counts {
            read: 1,
            write: 1,
            put: 1,
            wrap: 1,
            delete: deletions,
            ..NONE
        };
        assert_eq!(counts, expected, "{value}");
    }
    let document = world.document(&name("db")).await;
    let numbers: Vec<u64> = document
        .current
        .unwrap()
        .versions
        .iter()
        .map(|v| v.number)
        .collect();
    assert_eq!(numbers, [3, 4]);
    assert_eq!(world.unreferenced(&["db"]).await, 0);
}

#[tokio::test]
async fn editing_costs_two_requests_and_writes_no_version() {
    let world = World::new();
    let organization = world.warm().await;
    let interrupt = Interrupt::default();
    let view = organization
        .secrets()
        .create(create_of("db", given("x")), &interrupt)
        .await
        .unwrap();

    let unchanged = organization
        .secrets()
        .update(world::edit(&view), &interrupt);
    let (same, counts) = cost(&world, unchanged).await;
    assert_eq!(same.unwrap(), view);
    assert_eq!(counts, Counts { read: 1, ..NONE });

    let mut edit = world::edit(&view);
    edit.metadata.description = Some("for the shop".to_owned());
    let (edited, counts) = cost(&world, organization.secrets().update(edit, &interrupt)).await;
    let edited = edited.unwrap();
    assert_eq!(
        counts,
        Counts {
            read: 1,
            write: 1,
            ..NONE
        }
    );
    assert_eq!(edited.version, view.version);
    assert!(edited.updated_at > view.updated_at);

    let mut edit = world::edit(&edited);
    edit.arguments.deletion_protection = true;
    let argued = organization
        .secrets()
        .update(edit, &interrupt)
        .await
        .unwrap();
    assert_eq!(
        argued.updated_at, edited.updated_at,
        "arguments are not the secret"
    );
}

#[tokio::test]
async fn refreshing_costs_two_requests_and_never_a_key() {
    let world = World::new();
    let interrupt = Interrupt::default();
    let warm = world.warm().await;
    let view = warm
        .secrets()
        .create(create_of("db", given("x")), &interrupt)
        .await
        .unwrap();
    let process = world.process();
    let version = view.version.clone().unwrap();
    let request = RefreshSecret {
        name: name("db"),
        uuid: view.uuid,
        backend: None,
        seen: Some(SeenSecret {
            generation: view.generation,
            version: Some((version.number, version.payload)),
            marks: None,
        }),
    };
    let (refreshed, counts) = cost(&world, process.secrets().refresh(&request)).await;
    assert_eq!(refreshed.unwrap(), Refreshed::Present(view.clone()));
    // One more read for the organization's record, once per process.
    assert_eq!(
        counts,
        Counts {
            read: 2,
            describe: 1,
            ..NONE
        }
    );
    let (refreshed, counts) = cost(&world, process.secrets().refresh(&request)).await;
    assert_eq!(refreshed.unwrap(), Refreshed::Present(view));
    assert_eq!(
        counts,
        Counts {
            read: 1,
            describe: 1,
            ..NONE
        }
    );
}

#[tokio::test]
async fn opening_costs_three_requests_and_the_organizations_once() {
    let world = World::new();
    let interrupt = Interrupt::default();
    let warm = world.warm().await;
    let view = warm
        .secrets()
        .create(create_of("db", given("x")), &interrupt)
        .await
        .unwrap();
    let process = world.process();
    let by_uuid = Selector::Uuid(view.uuid);
    let (opened, counts) = cost(&world, process.secrets().open(&by_uuid, None)).await;
    assert_eq!(world::exposed(&opened.unwrap().value), "x");
    assert_eq!(
        counts,
        Counts {
            read: 2,
            get: 1,
            unwrap: 2,
            ..NONE
        }
    );
    for selector in [by_uuid, Selector::Name(name("db"))] {
        let (opened, counts) = cost(&world, process.secrets().open(&selector, Some(1))).await;
        assert_eq!(opened.unwrap().view, unmarked(&view));
        assert_eq!(
            counts,
            Counts {
                read: 1,
                get: 1,
                unwrap: 1,
                ..NONE
            }
        );
    }
    let (same, counts) = cost(
        &world,
        process.secrets().is_current_value(view.uuid, &text("x")),
    )
    .await;
    assert!(same.unwrap());
    assert_eq!(counts.total(), 3);
    assert!(
        !process
            .secrets()
            .is_current_value(view.uuid, &text("y"))
            .await
            .unwrap()
    );
    let other_kind = pairs(&[("a", "x")]);
    let compared = process.secrets().is_current_value(view.uuid, &other_kind);
    let (same, counts) = cost(&world, compared).await;
    assert!(!same.unwrap());
    assert_eq!(counts.unwrap, 0, "the kind alone tells");
}

#[tokio::test]
async fn deleting_costs_five_requests_and_no_key() {
    let world = World::new();
    let interrupt = Interrupt::default();
    let organization = world.warm().await;
    let view = organization
        .secrets()
        .create(create_of("db", given("x")), &interrupt)
        .await
        .unwrap();
    let delete = own(&view);
    let deletion = async {
        let deleted = organization.secrets().delete(&delete, &interrupt).await;
        organization.settle().await;
        deleted
    };
    let (deleted, counts) = cost(&world, deletion).await;
    deleted.unwrap();
    let expected = Counts {
        read: 1,
        write: 2,
        delete: 1,
        forget: 1,
        ..NONE
    };
    assert_eq!(counts, expected);
    assert!(world.document(&view.name).await.is_tombstone());
    assert!(world.store.objects().is_empty());
    let again = organization
        .secrets()
        .delete(&any(&view.name, view.uuid), &interrupt)
        .await;
    again.expect("what is gone is deleted");
}

#[tokio::test]
async fn a_process_reads_its_organization_and_unwraps_its_mac_key_once() {
    let world = World::new();
    world.warm().await;
    let process = world.process();
    let interrupt = Interrupt::default();
    let (results, counts) = cost(&world, async {
        let create = |named| {
            process
                .secrets()
                .create(create_of(named, given("x")), &interrupt)
        };
        tokio::join!(create("a"), create("b"), create("c"), create("d"))
    })
    .await;
    for result in [results.0, results.1, results.2, results.3] {
        result.unwrap();
    }
    assert_eq!(counts.unwrap, 1);
    // The organization's record, its MAC key, and the default.
    assert_eq!(counts.total(), 4 * 4 + 3);
    assert_eq!(counts.provision, 0);
}

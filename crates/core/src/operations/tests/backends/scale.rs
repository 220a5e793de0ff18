//! Requests in an organization of 100,000 secrets.

use super::{DONE, create, declared, delete};
use crate::catalog::{CatalogVerb, RecordKey, StoredRecord};
use crate::operations::tests::world::World;

const SECRETS: usize = 100_000;

/// Fills the catalog with records of secrets, none of which a request of the test may read.
fn fill(world: &World) {
    for number in 0..SECRETS {
        let key = RecordKey::new(format!("secrets/org/{number:x}"));
        let record = StoredRecord {
            body: "no document".to_owned(),
            mac: String::new(),
        };
        world.catalog.overwrite(&key, record);
    }
}

/// Returns the number of all requests to the catalog so far.
fn requests(world: &World) -> usize {
    let verbs = [
        CatalogVerb::Read,
        CatalogVerb::ReadFenced,
        CatalogVerb::ReadSinceOwnWrites,
        CatalogVerb::Write,
        CatalogVerb::ForgetHistory,
        CatalogVerb::Remove,
        CatalogVerb::List,
    ];
    verbs.map(|verb| world.catalog.calls(verb)).iter().sum()
}

#[tokio::test]
async fn a_backend_is_deleted_among_100_000_secrets_with_fewer_than_50_requests() {
    let world = World::new();
    let process = world.warm().await;
    fill(&world);
    let vault = declared(&process, "vault", "a").await;
    let before = requests(&world);
    assert_eq!(delete(&process, &vault).await.unwrap(), DONE);
    process.settle().await;
    let sent = requests(&world) - before;
    assert!(sent < 50, "{sent} requests");
}

#[tokio::test]
async fn who_needs_a_backend_is_found_among_100_000_secrets_by_its_entries() {
    let world = World::new();
    let process = world.warm().await;
    fill(&world);
    let vault = declared(&process, "vault", "a").await;
    create(&process, "db", Some("vault")).await.unwrap();
    let before = requests(&world);
    let backends = process.backends();
    let refused = backends.expect_unused(&vault.name, vault.uuid).await;
    refused.unwrap_err();
    assert!(requests(&world) - before < 5);
}

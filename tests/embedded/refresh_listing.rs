//! Refreshes by listing.

use std::sync::Arc;

use planton_core::kek::LocalKek;
use planton_core::names::Slug;
use planton_core::operations::Platform;
use planton_envelope::RootKey;
use planton_vendors::embedded::EmbeddedStore;
use planton_vendors::{Connector, KekConnector};
use test_support::refresh_listing;

use super::{catalog, open};

#[tokio::test]
async fn every_change_is_seen_once_the_listing_is_old() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path()).await;
    let organization = Slug::parse("acme").unwrap();
    let root = RootKey::generate().unwrap();
    let kek = || Arc::new(LocalKek::new(&root, &organization));
    let platform = || Platform {
        catalog: Arc::new(catalog(&database)),
        kek: kek(),
        mac_kek: kek(),
        former_keks: Vec::new(),
        kek_connector: Arc::new(KekConnector::default()),
        store: Arc::new(EmbeddedStore::new(database.clone())),
        connector: Arc::new(Connector::default()),
    };
    refresh_listing::every_change_is_seen_once_the_listing_is_old(&organization, &platform).await;
}

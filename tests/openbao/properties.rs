//! Properties of keys in Transit: an organization's own, and a customer's.

use std::sync::Arc;

use async_trait::async_trait;
use planton_core::kek::{
    ConnectKek, KekError, KekSettings, KeyEncryptionKey, ProvisionKek as _, ResolvedKek,
};
use planton_core::store::StoreCredential;
use planton_envelope::KekId;
use planton_vendors::KekConnector;
use planton_vendors::openbao::TransitKek;
use planton_vendors::openbao::client::{OpenBaoClient, PolicyScope};
use test_support::keys::{Declared, wraps_open_after_any_rotations_and_rewraps};
use tokio::runtime::Runtime;

use super::customers_key::support::Customer;
use super::support::Place;

/// Opens an organization's own key, as each of its processes does.
#[derive(Debug)]
struct Platforms {
    client: OpenBaoClient,
    scope: PolicyScope,
}

impl Platforms {
    fn key(&self) -> Arc<TransitKek> {
        Arc::new(TransitKek::platform(&self.client, &self.scope))
    }
}

#[async_trait]
impl ConnectKek for Platforms {
    fn check(&self, _: &KekSettings, _: Option<&StoreCredential>) -> Result<(), KekError> {
        Ok(())
    }

    async fn resolve(&self, _: &KekSettings, _: &StoreCredential) -> Result<ResolvedKek, KekError> {
        let kek = self.key();
        kek.provision().await?;
        Ok(ResolvedKek {
            id: kek.id().clone(),
            description: kek.describe().await?,
            kek,
        })
    }

    fn may_move(&self, _: &KekSettings) -> bool {
        false
    }

    fn names(&self, _: &KekSettings, _: &KekId) -> bool {
        true
    }

    async fn is_still(
        &self,
        _: &KekSettings,
        _: &StoreCredential,
        _: &KekId,
    ) -> Result<bool, KekError> {
        Ok(true)
    }

    fn open(
        &self,
        _: &KekSettings,
        _: &StoreCredential,
        _: &KekId,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError> {
        Ok(self.key())
    }
}

/// Checks the property, with rotations of the key `named` by its administrator.
fn check<C: ConnectKek>(runtime: &Runtime, place: &Place, named: &str, declared: &Declared<C>) {
    let path = format!("{}/keys/{named}/rotate", place.config.transit_mount_path);
    wraps_open_after_any_rotations_and_rewraps(declared, || {
        // The property has a runtime of its own, on this thread.
        std::thread::scope(|scope| {
            let rotate = || runtime.block_on(place.admin.ok("POST", &path, ""));
            scope.spawn(rotate).join().unwrap();
        });
    });
}

#[test]
fn wraps_open_after_any_rotations_and_rewraps_of_the_platforms_key() {
    let runtime = Runtime::new().unwrap();
    let place = runtime.block_on(Place::new());
    let declared = Declared {
        connector: Platforms {
            client: place.client(),
            scope: place.scope.clone(),
        },
        settings: Customer::of(&place, "planton-acme").settings,
        credential: StoreCredential::new(),
    };
    check(&runtime, &place, "planton-acme", &declared);
}

#[test]
fn wraps_open_after_any_rotations_and_rewraps_of_a_customers_key() {
    let runtime = Runtime::new().unwrap();
    let place = runtime.block_on(Place::new());
    let customer = runtime.block_on(Customer::created(&place, "theirs"));
    let declared = Declared {
        connector: KekConnector::default(),
        settings: customer.settings,
        credential: customer.credential,
    };
    check(&runtime, &place, "theirs", &declared);
}

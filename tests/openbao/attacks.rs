//! Attacks on an organization under keys in Transit: its own, and a customer's.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use planton_core::kek::WrapContext;
use planton_envelope::{DataKey, WrappedKey};
use serde_json::json;
use test_support::attacks::Encryptor;
use test_support::attacks::a_substituted_wrap_that_a_forged_record_names_is_carried_on_and_opens_nothing as carried_on;

use super::support::Place;
use super::support::admin::Admin;

/// A token that may encrypt with one key, and nothing else.
struct EncryptOnly {
    token: Admin,
    path: String,
}

impl fmt::Debug for EncryptOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl EncryptOnly {
    async fn of(place: &Place, key: &str) -> Arc<Self> {
        let path = format!("{}/encrypt/{key}", place.config.transit_mount_path);
        let policy = format!("path \"{path}\" {{ capabilities = [\"update\"] }}");
        let token = place.only(&policy).await;
        Arc::new(Self {
            token: Admin::new(&place.admin.address, &token),
            path,
        })
    }

    async fn encrypt(&self, dek: &DataKey, context: &[u8]) -> WrappedKey {
        let body = json!({
            "plaintext": STANDARD.encode(dek.expose()),
            "context": STANDARD.encode(context),
        });
        let answer = self.token.ok("POST", &self.path, &body.to_string()).await;
        let ciphertext = answer["data"]["ciphertext"].as_str().unwrap();
        WrappedKey::new(ciphertext.as_bytes().to_vec())
    }
}

#[async_trait]
impl Encryptor for EncryptOnly {
    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> WrappedKey {
        self.encrypt(dek, context.binding.as_bytes()).await
    }

    /// A derived key takes no empty context.
    async fn downgraded(&self, dek: &DataKey, context: WrapContext<'_>) -> Vec<WrappedKey> {
        let binding = context.binding.as_bytes();
        let mut made = Vec::new();
        for fewer in [&binding[..1], &binding[..16], &[0; 32]] {
            made.push(self.encrypt(dek, fewer).await);
        }
        made
    }
}

async fn rotate(place: &Place, key: &str) {
    let path = format!("{}/keys/{key}/rotate", place.config.transit_mount_path);
    place.admin.ok("POST", &path, "").await;
}

mod platforms_key {
    use std::sync::Arc;

    use planton_core::kek::ProvisionKek as _;
    use planton_vendors::KekConnector;
    use planton_vendors::openbao::TransitKek;
    use test_support::attacks::Target;

    use super::{EncryptOnly, rotate};
    use crate::support::Place;

    async fn target() -> (Place, Target) {
        let (place, elsewhere) = (Place::new().await, Place::new().await);
        let client = place.client();
        let kek = TransitKek::platform(&client, &place.scope);
        let mac_kek = TransitKek::platform_mac(&client, &place.scope);
        kek.provision().await.unwrap();
        let theirs = TransitKek::platform(&elsewhere.client(), &elsewhere.scope);
        theirs.provision().await.unwrap();
        let target = Target {
            connector: Arc::new(KekConnector::default()),
            platform: (Arc::new(kek), Arc::new(mac_kek)),
            main: None,
            theirs: Arc::new(theirs),
            encryptor: EncryptOnly::of(&place, "planton-acme").await,
        };
        (place, target)
    }

    test_support::attacks!(target().await);

    #[tokio::test]
    async fn a_substituted_wrap_that_a_forged_record_names_is_carried_on_and_opens_nothing() {
        let (place, target) = target().await;
        let rotate = rotate(&place, "planton-acme");
        super::carried_on(&target, rotate).await;
    }
}

mod customers_key {
    use std::sync::Arc;

    use planton_core::operations::DeclaredKek;
    use planton_vendors::KekConnector;
    use test_support::attacks::{Target, embedded_platform};

    use super::{EncryptOnly, rotate};
    use crate::customers_key::support::Customer;
    use crate::support::Place;

    async fn target() -> (Place, Target) {
        let place = Place::new().await;
        let customer = Customer::created(&place, "customers").await;
        let theirs = Customer::created(&place, "theirs").await;
        let target = Target {
            connector: Arc::new(KekConnector::default()),
            platform: embedded_platform(),
            main: Some(DeclaredKek {
                settings: customer.settings.clone(),
                credential: Some(customer.credential.clone()),
            }),
            theirs: theirs.resolved().await.kek,
            encryptor: EncryptOnly::of(&place, "customers").await,
        };
        (place, target)
    }

    test_support::attacks!(target().await);

    #[tokio::test]
    async fn a_substituted_wrap_that_a_forged_record_names_is_carried_on_and_opens_nothing() {
        let (place, target) = target().await;
        let rotate = rotate(&place, "customers");
        super::carried_on(&target, rotate).await;
    }
}

//! Envelopes under a Transit key, opened and sealed by the second implementation.

use planton_core::kek::{KeyEncryptionKey as _, ProvisionKek as _};
use planton_envelope::KekId;
use planton_vendors::openbao::TransitKek;
use test_support::second_implementation::SecondImplementation;

use super::support::Customer;
use crate::support::Place;

/// Python gets a token.
fn python(place: &Place, kek: &KekId) -> SecondImplementation {
    let arguments = [&kek.provider, &kek.id, &place.admin.address];
    let [provider, id, address] = arguments.map(String::as_str);
    let arguments = [provider, id, address, place.root_token()];
    SecondImplementation::new("pse.TransitKek", &arguments)
}

#[tokio::test]
async fn python_opens_what_is_sealed_here_with_a_token_alone() {
    let place = Place::new().await;
    let customers = Customer::created(&place, "theirs").await.resolved().await;
    let theirs = python(&place, &customers.id);
    theirs
        .opens_what_is_sealed_under(customers.kek.as_ref())
        .await;
    let platforms = TransitKek::platform(&place.client(), &place.scope);
    platforms.provision().await.unwrap();
    let ours = python(&place, platforms.id());
    ours.opens_what_is_sealed_under(&platforms).await;
}

#[tokio::test]
async fn what_python_seals_with_a_token_opens_here() {
    let place = Place::new().await;
    let platforms = TransitKek::platform(&place.client(), &place.scope);
    platforms.provision().await.unwrap();
    let ours = python(&place, platforms.id());
    ours.seals_what_opens_under(&platforms).await;
    let resolved = Customer::created(&place, "theirs").await.resolved().await;
    let theirs = python(&place, &resolved.id);
    theirs.seals_what_opens_under(resolved.kek.as_ref()).await;
}

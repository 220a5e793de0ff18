//! Tests of the use cases, over a catalog, a store and a KEK that fail, race and return false
//! results on demand.

#![expect(clippy::unwrap_used, reason = "tests")]

mod abandoned;
mod adoption;
mod attacks;
mod backends;
mod backup;
mod collisions;
mod counts;
mod crashes;
mod customers_key;
mod depth;
mod displaced;
mod doubles;
mod drift;
mod escrow;
mod escrow_rollback;
mod first_use;
mod forgetting;
mod gc;
mod healing;
mod housekeeping;
mod impostor;
mod interrupts;
mod kek_doubles;
mod limits;
mod mac_key;
mod memory;
mod migration;
mod name_holder;
mod ownership;
mod protection;
mod races;
mod reading;
mod refresh_listing;
mod requests;
mod rescue;
mod reseal;
mod rewrap;
mod rollback;
mod stepping;
mod stored_envelope;
mod tampering;
mod verify;
mod world;

use super::{
    CreateSecret, Interrupt, OperationError, Organization, RefreshSecret, Refreshed, SecretView,
    SeenSecret, Selector, UpdateSecret, ValueSource, ViewMarks,
};
use world::{
    Counts, KekVerb, World, any, at, cancellable, create_of, edit, generate_of, given, name, own,
    pairs, rotate, text,
};

/// Creates `named` in a separate process.
async fn created(world: &World, named: &str, value: &str) -> SecretView {
    let process = world.warm().await;
    let create = create_of(named, given(value));
    process
        .secrets()
        .create(create, &Interrupt::default())
        .await
        .unwrap()
}

/// Returns the request to refresh the secret that `view` shows.
fn seen(view: &SecretView) -> RefreshSecret {
    let version = view.version.as_ref();
    RefreshSecret {
        name: view.name.clone(),
        uuid: view.uuid,
        backend: Some(view.backend.clone()),
        seen: Some(SeenSecret {
            generation: view.generation,
            version: version.map(|version| (version.number, version.payload)),
            marks: None,
        }),
    }
}

/// Returns the view without its marks, which only a write and a refresh add.
fn unmarked(view: &SecretView) -> SecretView {
    SecretView {
        marks: ViewMarks::default(),
        ..view.clone()
    }
}

/// Returns the view of a secret that is present, without its marks.
fn present(refreshed: &Refreshed) -> Option<SecretView> {
    match refreshed {
        Refreshed::Present(view) => Some(unmarked(view)),
        _ => None,
    }
}

/// Refreshes a secret in a separate process.
async fn refreshed(world: &World, view: &SecretView) -> Result<Refreshed, OperationError> {
    let process = world.process();
    if let Some(seen) = &view.backend_seen {
        process.backends().remember(seen.clone());
    }
    process.secrets().refresh(&seen(view)).await
}

/// Returns the number of the current version.
fn number(view: &SecretView) -> Option<u64> {
    view.version.as_ref().map(|version| version.number)
}

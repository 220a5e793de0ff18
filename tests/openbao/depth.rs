//! Exact number of requests on the wire that run in a row, and of all requests.

use std::time::Duration;

use futures_util::future::join_all;
use planton_core::names::Slug;
use planton_core::operations::{
    BackendArguments, BackendOnDestroy, CreateSecret, DeclaredKeys, Interrupt, Organization,
    RegisterBackend, SecretView,
};
use planton_vendors::http::RetryPolicy;
use test_support::secret_requests::{destruction, rotation};
use xtask::faults::FaultProxy;

use super::support::Place;
use super::support::organization::creation;

/// The delay of each request. Requests that are sent side by side overlap even on a busy
/// machine.
const PACE: Duration = Duration::from_millis(150);

/// All requests of a use case, and those in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    requests: usize,
    in_a_row: usize,
}

const fn cost(requests: usize, in_a_row: usize) -> Cost {
    Cost { requests, in_a_row }
}

/// An organization behind a proxy that delays each request.
struct Paced {
    place: Place,
    proxy: FaultProxy,
    backend: Slug,
}

impl Paced {
    /// Creates the organization, and one secret on its built-in backend.
    async fn built_in() -> Self {
        let place = Place::new().await;
        let paced = Self {
            proxy: place.proxy(),
            place,
            backend: Slug::platform_backend(),
        };
        paced.warm().await;
        paced.proxy.pace(PACE);
        paced
    }

    /// Creates the organization with a registered backend on another mount.
    async fn registered() -> Self {
        let (place, other) = (Place::new().await, Place::new().await);
        let paced = Self {
            proxy: place.proxy(),
            backend: Slug::parse("own").unwrap(),
            place,
        };
        let own = other.own("openbao").given("token", other.root_token());
        let own = own.with("address", paced.proxy.address());
        let register = RegisterBackend {
            name: paced.backend.clone(),
            description: None,
            settings: own.settings,
            fixed: Vec::new(),
            credential: own.credential,
            keys: DeclaredKeys::default(),
            arguments: BackendArguments {
                credentials_wo_version: None,
                verify_connection: true,
                on_destroy: BackendOnDestroy::Delete,
            },
        };
        let process = paced.process();
        let interrupt = Interrupt::default();
        let registered = process.backends().register(register, &interrupt).await;
        registered.unwrap();
        paced.warm().await;
        paced.proxy.pace(PACE);
        paced
    }

    /// Starts a process that reaches the platform through the proxy.
    fn process(&self) -> Organization {
        self.place
            .process_at(self.proxy.address(), RetryPolicy::default())
    }

    /// Starts a process that has created a secret before.
    async fn warm(&self) -> Organization {
        let process = self.process();
        let named = format!("warm-{:08x}", uuid::Uuid::new_v4().as_fields().0);
        self.create(&process, &named).await;
        process
    }

    async fn create(&self, process: &Organization, named: &str) -> SecretView {
        let mut create = CreateSecret {
            backend: Some(self.backend.clone()),
            ..creation(named, "v1")
        };
        create.arguments.keep_versions = 1;
        let interrupt = Interrupt::default();
        process.secrets().create(create, &interrupt).await.unwrap()
    }

    async fn rotate(&self, process: &Organization, view: &SecretView) -> SecretView {
        let update = rotation(view, "v2");
        let interrupt = Interrupt::default();
        process.secrets().update(update, &interrupt).await.unwrap()
    }

    async fn delete(&self, process: &Organization, view: &SecretView) {
        let delete = destruction(view);
        let interrupt = Interrupt::default();
        process.secrets().delete(&delete, &interrupt).await.unwrap();
    }

    /// Runs a use case, and returns its cost.
    async fn cost<T>(&self, use_case: impl Future<Output = T>) -> (T, Cost) {
        self.proxy.forget();
        let result = use_case.await;
        let requests = self.proxy.requests();
        let in_a_row = self.proxy.in_a_row();
        (result, cost(requests.len(), in_a_row))
    }
}

/// Runs a lifecycle, and returns the cost of: a creation, a rotation, the deletion of the
/// version before it, a destroy, the removals after it, and a creation over the tombstone.
async fn lifecycle(paced: &Paced) -> [Cost; 6] {
    let process = paced.warm().await;
    let (view, created) = paced.cost(paced.create(&process, "db")).await;
    let (view, rotated) = paced.cost(paced.rotate(&process, &view)).await;
    let ((), pruned) = paced.cost(process.settle()).await;
    let ((), destroyed) = paced.cost(paced.delete(&process, &view)).await;
    let ((), removed) = paced.cost(process.settle()).await;
    let (_, again) = paced.cost(paced.create(&process, "db")).await;
    [created, rotated, pruned, destroyed, removed, again]
}

#[tokio::test]
async fn a_lifecycle_on_the_built_in_backend() {
    let paced = Paced::built_in().await;
    let costs = lifecycle(&paced).await;
    let expected = [
        cost(4, 3),
        cost(4, 3),
        cost(1, 1),
        cost(4, 4),
        cost(1, 1),
        cost(4, 3),
    ];
    assert_eq!(costs, expected);
}

#[tokio::test]
async fn a_lifecycle_on_a_registered_backend() {
    let paced = Paced::registered().await;
    let costs = lifecycle(&paced).await;
    let expected = [
        cost(6, 4),
        cost(4, 3),
        cost(1, 1),
        cost(4, 4),
        cost(2, 1),
        cost(9, 5),
    ];
    assert_eq!(costs, expected);
}

/// The first secret of a process on an organization that exists: organization; MAC key and
/// properties of the KEK; record, then a fence and the record again, since an absence is about to
/// be believed; put; commit.
#[tokio::test]
async fn the_first_creation_of_a_process() {
    let paced = Paced::built_in().await;
    let process = paced.process();
    let (_, first) = paced.cost(paced.create(&process, "db")).await;
    assert_eq!(first, cost(9, 7));
}

/// Nothing in the process limits how many requests are under way: `-parallelism=64` has as many
/// in a row as one creation, but for the batches of wraps.
#[tokio::test]
async fn sixty_four_creations_at_once_take_hardly_more_in_a_row_than_one() {
    let paced = Paced::built_in().await;
    let process = paced.process();
    paced.create(&process, "first").await;
    let names: Vec<String> = (0..64).map(|number| format!("db-{number}")).collect();
    let creations = names.iter().map(|name| paced.create(&process, name));
    let (_, cost) = paced.cost(join_all(creations)).await;
    assert!(cost.in_a_row <= 4, "{cost:?}");
    assert!(cost.requests >= 3 * 64, "{cost:?}");
}

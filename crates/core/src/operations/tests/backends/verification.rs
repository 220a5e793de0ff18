//! A backend that was declared without verification is verified later.

use super::{arguments, change, declare, register, settings};
use crate::operations::tests::world::World;
use crate::operations::{
    BackendArguments, Interrupt, OperationError, RegisterBackend, UpdateBackend,
};
use crate::store::{Fault, Landing, StoreErrorKind, StoreVerb};

fn unverified() -> BackendArguments {
    BackendArguments {
        verify_connection: false,
        ..arguments("1")
    }
}

#[tokio::test]
async fn a_change_to_verify_probes_the_place_and_marks_it_once() {
    let world = World::new();
    let process = world.warm().await;
    let request = RegisterBackend {
        arguments: unverified(),
        ..declare("vault", "a")
    };
    let view = register(&process, request).await.unwrap();
    let place = world.connector.place("a");
    assert!(place.objects().is_empty(), "nothing was probed");

    let verify = || UpdateBackend {
        arguments: arguments("1"),
        ..change(&view)
    };
    let interrupt = Interrupt::default();
    let backends = process.backends();
    place.inject(Fault {
        verb: StoreVerb::Put,
        nth: 1,
        landing: Landing::Before,
        kind: StoreErrorKind::PermissionDenied,
    });
    let refused = backends.update(verify(), &interrupt).await;
    assert!(
        matches!(
            refused,
            Err(OperationError::ProbeFailed { step: "write", .. })
        ),
        "{refused:?}"
    );
    assert!(place.objects().is_empty());
    let elsewhere = UpdateBackend {
        settings: settings("b"),
        ..verify()
    };
    let moved = backends.update(elsewhere, &interrupt).await;
    assert!(
        matches!(moved, Err(OperationError::BackendNotMarked { .. })),
        "{moved:?}"
    );

    let verified = backends.update(verify(), &interrupt).await.unwrap();
    assert_eq!(place.objects().len(), 1, "the marker");
    let described = UpdateBackend {
        description: Some("described".to_owned()),
        ..change(&verified)
    };
    backends.update(described, &interrupt).await.unwrap();
    assert_eq!(place.objects().len(), 1, "the same marker");
}

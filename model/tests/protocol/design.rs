//! Shows that the design holds in every schedule of these scenarios.

use std::time::Instant;

use crate::checker::Explored;
use crate::scenario::{
    FIRST_RUN, OTHER, OWN, Scenario, collect, create, delete_backend, destroy, heal, on,
    register_backend, rotate,
};
use crate::step;
use crate::world::{A, B, BUILT_IN, FIRST};

/// Explores a scenario in which every promise must hold.
fn holds(scenario: &Scenario, floor: usize) -> Explored<Scenario> {
    let begun = Instant::now();
    let explored = scenario.explore();
    println!("{} states in {:?}", explored.states, begun.elapsed());
    if let Some(found) = &explored.counterexample {
        panic!("{found}");
    }
    assert!(
        explored.states >= floor,
        "explored {} states only",
        explored.states
    );
    explored
}

/// Returns how often a step with this note was taken.
fn taken(explored: &Explored<Scenario>, step: &str, note: &str) -> usize {
    let steps = explored.taken.iter();
    let found = steps.filter(|(label, _)| label.step == step && label.note == note);
    found.map(|(_, count)| count).sum()
}

#[test]
fn two_creations_on_the_same_backend() {
    let scenario = Scenario::new()
        .losing(2)
        .beginning_anew()
        .process(create(A, 1))
        .process(create(B, 2));
    holds(&scenario, 1_500);
}

#[test]
fn two_creations_on_the_built_in_backend() {
    let scenario = Scenario::new()
        .losing(2)
        .beginning_anew()
        .process(on(create(A, 1), BUILT_IN))
        .process(on(create(B, 2), BUILT_IN))
        .process(collect());
    holds(&scenario, 100_000);
}

#[test]
fn two_creations_on_different_backends_while_one_is_deleted() {
    let scenario = Scenario::new()
        .with_tombstone()
        .losing(1)
        .beginning_anew()
        .process(create(A, 1))
        .process(on(create(B, 2), OTHER))
        .process(delete_backend());
    holds(&scenario, 200_000);
}

#[test]
fn two_creations_while_their_backend_is_deleted() {
    let scenario = Scenario::new()
        .losing(1)
        .beginning_anew()
        .process(create(A, 1))
        .process(create(B, 2))
        .process(delete_backend());
    holds(&scenario, 150_000);
}

#[test]
fn a_creation_while_the_backend_is_deleted() {
    for scenario in [Scenario::new(), Scenario::new().with_tombstone().lagging()] {
        let scenario = scenario
            .losing(2)
            .beginning_anew()
            .process(create(A, 1))
            .process(delete_backend());
        let explored = holds(&scenario, 4_000);
        assert!(
            explored.wanted,
            "a held creation leaves an object on a removed backend"
        );
        assert!(taken(&explored, step::READ_BACK, "own write id") > 0);
        assert!(taken(&explored, step::DELETE_ORPHAN, "") > 0);
        assert!(taken(&explored, step::LATE, "carried out") > 0);
    }
}

#[test]
fn a_creation_while_two_delete_the_backend() {
    for scenario in [Scenario::new(), Scenario::new().with_tombstone().lagging()] {
        let scenario = scenario
            .losing(1)
            .process(create(A, 1))
            .process(delete_backend())
            .process(delete_backend());
        let explored = holds(&scenario, 80_000);
        assert!(taken(&explored, step::TAKE_MARK_BACK, "") > 0);
        assert!(taken(&explored, step::BACKEND_TOMBSTONE, "conflict") > 0);
    }
}

#[test]
fn a_creation_while_others_collect() {
    let scenario = Scenario::new()
        .beginning_anew()
        .process(create(A, 1))
        .process(create(B, 2))
        .process(collect());
    holds(&scenario, 40_000);
}

#[test]
fn a_creation_while_its_backend_is_registered_anew() {
    let scenario = Scenario::new()
        .losing(1)
        .process(create(A, 1))
        .process(delete_backend())
        .process(register_backend().after(1))
        .process(create(B, 2));
    let explored = holds(&scenario, 150_000);
    assert!(taken(&explored, step::LOOK, "not usable") > 0);
}

#[test]
fn rotations_while_another_collects() {
    let scenario = Scenario::new()
        .with_secret(BUILT_IN)
        .losing(1)
        .lagging()
        .process(on(rotate(A, 1), BUILT_IN))
        .process(on(rotate(A, 2), BUILT_IN).after(0))
        .process(collect());
    let explored = holds(&scenario, 1_000);
    assert!(taken(&explored, step::CLEAN_UP, "") > 0);
}

#[test]
fn rotations_while_two_collect() {
    let scenario = Scenario::new()
        .with_secret(BUILT_IN)
        .process(on(rotate(A, 1), BUILT_IN))
        .process(on(rotate(A, 2), BUILT_IN).after(0))
        .process(collect())
        .process(collect());
    holds(&scenario, 1_000);
}

#[test]
fn healing_what_was_removed_by_hand() {
    for backend in [BUILT_IN, OWN] {
        let scenario = Scenario::new()
            .with_secret(backend)
            .drifting()
            .losing(1)
            .process(on(rotate(A, 1), backend))
            .process(on(heal(A, 2), backend).after(0))
            .process(on(create(B, 3), backend))
            .process(collect());
        let explored = holds(&scenario, 90_000);
        assert!(taken(&explored, step::PUT, "not found") > 0);
    }
}

#[test]
fn heal_while_the_backend_is_deleted() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .drifting()
        .losing(1)
        .process(heal(A, 1))
        .process(heal(A, 2).after(0))
        .process(delete_backend());
    let explored = holds(&scenario, 15_000);
    assert!(taken(&explored, step::TAKE_MARK_BACK, "") > 0);
}

#[test]
fn heal_while_the_backend_is_deleted_and_another_state_adopts() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .with_lost_object()
        .losing(1)
        .process(heal(A, 1))
        .process(create(B, 2).resuming(FIRST_RUN))
        .process(destroy(B, 3).after(1))
        .process(delete_backend());
    holds(&scenario, 70_000);
}

#[test]
fn takes_over_what_another_state_owns() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .losing(1)
        .process(rotate(A, 1))
        .process(create(B, 2).naming(FIRST))
        .process(destroy(A, 3).after(0))
        .process(destroy(B, 4).after(1));
    let explored = holds(&scenario, 150_000);
    assert!(taken(&explored, step::WRAP, "to be displaced") > 0);
}

#[test]
fn takes_over_its_own_while_the_backend_is_deleted() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .process(create(A, 1).naming(FIRST))
        .process(destroy(A, 2).after(0))
        .process(delete_backend());
    holds(&scenario, 3_000);
}

#[test]
fn a_displaced_secret_takes_its_name_back() {
    let scenario = Scenario::new()
        .with_secret(BUILT_IN)
        .process(on(create(B, 1).naming(FIRST), OTHER))
        .process(destroy(B, 2).after(0))
        .process(on(rotate(A, 3), BUILT_IN))
        .process(on(create(B, 4), BUILT_IN).after(1));
    holds(&scenario, 3_000);
}

#[test]
fn adoption_after_a_crash() {
    let scenario = Scenario::new()
        .losing(1)
        .process(create(A, 1))
        .process(create(A, 2).resuming(1).after(0))
        .process(create(A, 3).resuming(2).after(1))
        .process(create(B, 4));
    let explored = holds(&scenario, 50_000);
    assert!(taken(&explored, step::ADOPT, "") > 0);
}

#[test]
fn adoption_by_a_run_that_destroys_afterwards() {
    let scenario = Scenario::new()
        .losing(1)
        .process(create(A, 1))
        .process(create(B, 2).resuming(1).bringing_value())
        .process(destroy(B, 2).after(1))
        .process(rotate(A, 3).after(0));
    let explored = holds(&scenario, 14_000);
    assert!(taken(&explored, step::PUT_BACK, "") > 0);
}

#[test]
fn adoption_of_what_lives() {
    let scenario = Scenario::new()
        .losing(2)
        .process(create(A, 1))
        .process(create(B, 3).resuming(1))
        .process(rotate(B, 4).after(1))
        .process(destroy(A, 5).after(0));
    let explored = holds(&scenario, 20_000);
    assert!(taken(&explored, step::READ_BACK, "own name") > 0);
    assert!(taken(&explored, step::DELETE, "not its own") > 0);
}

#[test]
fn the_same_name_declared_twice() {
    let scenario = Scenario::new()
        .losing(1)
        .process(create(A, 1))
        .process(on(create(A, 1), OTHER));
    let explored = holds(&scenario, 800);
    assert!(taken(&explored, step::WRAP, "declared twice") > 0);
}

#[test]
fn destroy_while_the_backend_is_deleted() {
    let scenario = Scenario::new()
        .with_secret(OWN)
        .losing(1)
        .process(destroy(A, 1))
        .process(create(B, 2))
        .process(delete_backend());
    holds(&scenario, 100_000);
}

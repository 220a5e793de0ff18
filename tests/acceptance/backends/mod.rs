//! Registered backends, with the real Terraform.

mod ambient;
mod announced;
mod answers;
mod canary;
mod configuration;
mod copy;
mod crash;
mod credentials;
mod data;
mod deletion;
mod diagnostics;
mod drift;
mod faults;
mod fixtures;
mod forgotten;
mod former_default;
mod front;
mod halfway;
mod held;
mod ignored;
mod inside;
mod intruder;
mod kept;
mod labels;
mod lifecycle;
mod limits;
mod marker;
mod ownership;
mod partly_known;
mod place;
mod planted;
mod quotas;
mod races;
mod reading;
mod replacement;
mod requests;
mod roles;
mod stopped;
mod timeouts;
mod unsteady;

pub(crate) use place::Place;
pub(crate) use xtask::reader::Object;

/// Declares the backend `own` at `place`, whose credential is `backend_secret`.
pub(crate) fn declared(place: &Place) -> String {
    let backend = configuration::plain_backend(place, "own");
    [configuration::VARIABLES, &backend].concat()
}

/// Lists the names of the blocks.
macro_rules! names {
    (; $($place:ident => $start:path,)+) => {
        &[$(stringify!($place)),+]
    };
}

/// The blocks of all types.
pub(crate) const BLOCKS: &[&str] = fixtures::each_place!(names,);

/// Makes one test for each place of `fn(&Scene, Place)`: on the embedded
/// platform, with the Terraform on PATH.
macro_rules! at_every_place {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::backends::{Place, tests_of};
            use crate::scene::{On, Scene, terraform_1_11};

            fn scene() -> Scene {
                Scene::new(&terraform_1_11(), On::Embedded)
            }

            crate::backends::each_place!(tests_of, $name);
        }
    )+};
}

/// Makes the tests of one scene, in a module of its own.
macro_rules! tests_of {
    ($name:ident; $($place:ident => $start:path,)+) => {$(
        #[test]
        fn $place() {
            super::$name(&scene(), $start());
        }
    )+};
}

pub(crate) use at_every_place;
use fixtures::each_place;
use tests_of;

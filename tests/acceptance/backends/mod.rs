//! Tests of registered backends with the real Terraform.

mod ambient;
mod announced;
mod answers;
mod canary;
pub(crate) mod configuration;
mod copy;
mod crash;
mod crash_default;
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
pub(crate) mod planted;
mod quotas;
mod races;
mod reading;
mod replacement;
mod requests;
mod roles;
mod stopped;
mod timeouts;
mod unsteady;

use std::collections::BTreeSet;

use planton_vendors::BACKEND_TYPES;

pub(crate) use place::Place;
pub(crate) use xtask::reader::Object;

/// Declares the backend `own` at `place`, whose credential is `backend_secret`.
pub(crate) fn declared(place: &Place) -> String {
    let backend = configuration::plain_backend(place, "own");
    [configuration::VARIABLES, &backend].concat()
}

/// Generates one test for each place from a `fn(&Scene, Place)`, on the embedded
/// platform, with the Terraform on PATH.
macro_rules! at_every_place {
    ($($name:ident),+ $(,)?) => {
        crate::backends::in_modules!(tests_of: $($name),+);
    };
}

/// Generates the same as [`at_every_place`], for each place that is reached over HTTP.
macro_rules! at_every_server {
    ($($name:ident),+ $(,)?) => {
        crate::backends::in_modules!(tests_of_servers: $($name),+);
    };
}

/// Generates the tests of each scene, in its own module.
macro_rules! in_modules {
    ($tests_of:ident: $($name:ident),+) => {$(
        mod $name {
            use crate::backends::{Place, $tests_of};
            use crate::scene::{On, Scene, terraform_1_11};

            fn scene() -> Scene {
                Scene::new(&terraform_1_11(), On::Embedded)
            }

            crate::backends::each_place!($tests_of, $name);
        }
    )+};
}

macro_rules! tests_of {
    ($name:ident; over_http { $($server:tt)* } on_disk { $($folder:tt)* }) => {
        crate::backends::tests_at!($name; $($server)* $($folder)*);
    };
}

macro_rules! tests_of_servers {
    ($name:ident; over_http { $($server:tt)* } on_disk $folders:tt) => {
        crate::backends::tests_at!($name; $($server)*);
    };
}

macro_rules! tests_at {
    ($name:ident; $($place:ident => $start:ident,)+) => {$(
        #[test]
        fn $place() {
            super::$name(&scene(), Place::$start());
        }
    )+};
}

use at_every_place;
use at_every_server;
use fixtures::each_place;
use in_modules;
use tests_at;
use tests_of;
use tests_of_servers;

/// Lists the names of the blocks.
macro_rules! names {
    (; over_http { $($server:ident => $start:ident,)+ } on_disk { $($folder:ident => $then:ident,)* }) => {
        [$(stringify!($server),)+ $(stringify!($folder),)*]
    };
}

#[test]
fn each_type_of_backend_has_a_fixture() {
    let fixtures = BTreeSet::from(each_place!(names,));
    let types = BACKEND_TYPES.iter().map(|known| known.name());
    assert_eq!(fixtures, types.collect());
}

//! Backends of a practitioner's own, with the real Terraform.

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

/// The blocks of all types.
pub(crate) const BLOCKS: [&str; 5] = [
    "aws_secrets_manager",
    "gcp_secret_manager",
    "azure_key_vault",
    "hashicorp_vault",
    "openbao",
];

/// Makes one test for each place of `fn(&Scene, Place)`: on the embedded
/// platform, with the Terraform on PATH.
macro_rules! at_every_place {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::backends::Place;
            use crate::scene::{On, Scene, terraform_1_11};

            fn scene() -> Scene {
                Scene::new(&terraform_1_11(), On::Embedded)
            }

            #[test]
            fn openbao() {
                super::$name(&scene(), Place::openbao());
            }

            #[test]
            fn hashicorp_vault() {
                super::$name(&scene(), Place::vault());
            }

            #[test]
            fn aws_secrets_manager() {
                super::$name(&scene(), Place::aws());
            }

            #[test]
            fn gcp_secret_manager() {
                super::$name(&scene(), Place::gcp());
            }

            #[test]
            fn azure_key_vault() {
                super::$name(&scene(), Place::azure());
            }
        }
    )+};
}

pub(crate) use at_every_place;

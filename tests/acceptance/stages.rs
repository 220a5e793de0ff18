//! The Terraforms and platforms that a scenario runs on.
//!
//! An ordinary run has each platform with one Terraform, and each Terraform on one platform. An
//! extensive run has every Terraform on every platform, and a bucket of each service.

use test_support::extent;

use crate::scene::{On, Scene, terraform_1_11};

/// Returns the buckets of this run.
fn buckets() -> Vec<On> {
    let services = extent::bucket_services().iter();
    services.map(|service| On::Bucket(*service)).collect()
}

/// Runs a scenario on the buckets of this run.
pub(crate) fn on_buckets(scenario: impl Fn(&Scene)) {
    for on in buckets() {
        scenario(&Scene::new(&terraform_1_11(), on));
    }
}

/// Returns the platforms on which the Terraform of the tools runs: the fastest one, or all.
pub(crate) fn platforms_of_1_15() -> Vec<On> {
    let mut all = vec![On::Embedded];
    if extent::is_extensive() {
        all.push(On::OpenBao);
        all.extend(buckets());
    }
    all
}

/// Generates a test for each stage from a `fn(&Scene)`.
macro_rules! on_every_stage {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::scene::{On, Scene, terraform_1_11};
            use crate::stages::{on_buckets, platforms_of_1_15};

            #[test]
            fn terraform_1_11_embedded() {
                super::$name(&Scene::new(&terraform_1_11(), On::Embedded));
            }

            #[test]
            fn terraform_1_11_openbao() {
                super::$name(&Scene::new(&terraform_1_11(), On::OpenBao));
            }

            #[test]
            fn terraform_1_11_bucket() {
                on_buckets(super::$name);
            }

            #[test]
            fn terraform_1_15() {
                for on in platforms_of_1_15() {
                    super::$name(&Scene::new(&crate::scene::terraform_1_15(), on));
                }
            }
        }
    )+};
}

pub(crate) use on_every_stage;

/// Generates a test for each platform from a `fn(&Scene)`, with one Terraform.
macro_rules! on_each_platform {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::scene::{On, Scene, terraform_1_11};

            #[test]
            fn embedded() {
                super::$name(&Scene::new(&terraform_1_11(), On::Embedded));
            }

            #[test]
            fn openbao() {
                super::$name(&Scene::new(&terraform_1_11(), On::OpenBao));
            }

            #[test]
            fn bucket() {
                crate::stages::on_buckets(super::$name);
            }
        }
    )+};
}

pub(crate) use on_each_platform;

/// Generates one test for each Terraform from a `fn(&Scene)`, on the embedded platform,
/// for behaviour that does not depend on the platform.
macro_rules! with_every_terraform {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::scene::{On, Scene};

            #[test]
            fn terraform_1_11() {
                super::$name(&Scene::new(&crate::scene::terraform_1_11(), On::Embedded));
            }

            #[test]
            fn terraform_1_15() {
                super::$name(&Scene::new(&crate::scene::terraform_1_15(), On::Embedded));
            }
        }
    )+};
}

pub(crate) use with_every_terraform;

//! The credentials of a bucket: the same chains as those of the backends.

mod azure;
mod gcs;
mod s3;

pub(super) use azure::{AzureProvider, fault as azure_fault};
pub(super) use gcs::GcsProvider;
pub(super) use s3::{S3Provider, fault as s3_fault};

use super::exchange::{Answer, note};
use super::fault::Fault;

/// Records why there is no credential, and returns the error for `object_store`.
fn no_credential(fault: Fault) -> object_store::Error {
    let source = fault.to_string().into();
    note(Answer::NoCredential(fault));
    object_store::Error::Generic {
        store: "credential",
        source,
    }
}

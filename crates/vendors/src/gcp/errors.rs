//! Maps errors of Secret Manager to errors of the store, with their remedies.

use crate::gcp::client::{GcpError, GcpErrorKind};
use crate::http::{HttpError, HttpErrorKind};
use planton_core::store::{StoreError, StoreErrorKind};

/// A method of the API, and the permission that it requires.
pub(super) struct Operation {
    pub(super) name: &'static str,
    permission: &'static str,
}

impl Operation {
    pub(super) const fn new(name: &'static str, permission: &'static str) -> Self {
        Self { name, permission }
    }
}

/// Returns true if the endpoint is unreachable or is not Google's API.
fn is_of_endpoint(error: &HttpError) -> bool {
    matches!(
        error.kind(),
        HttpErrorKind::Connect
            | HttpErrorKind::Timeout
            | HttpErrorKind::Tls
            | HttpErrorKind::Redirected
    )
}

/// Returns the project of a resource: `projects/acme`.
fn project(resource: &str) -> &str {
    let mut slashes = resource.match_indices('/');
    slashes.nth(1).map_or(resource, |(at, _)| &resource[..at])
}

/// Returns the setting that is the likely cause.
fn setting(kind: GcpErrorKind, operation: &str, creates: bool) -> Option<&'static str> {
    use GcpErrorKind as K;
    Some(match kind {
        _ if operation == "GenerateAccessToken" => "impersonate_service_account",
        K::Unauthenticated => "service_account_key_json",
        K::NotFound | K::InvalidArgument if creates => "project_id",
        K::FailedPrecondition if creates => "replica_locations",
        _ => return None,
    })
}

/// Returns the quota that a request counts towards:
/// <https://cloud.google.com/secret-manager/quotas>
fn quota(operation: &Operation, resource: &str) -> String {
    let counts = match operation.name {
        "AccessSecretVersion" => "accesses",
        "GetSecret" | "GetSecretVersion" | "ListSecretVersions" => "reads",
        _ => "writes",
    };
    format!(
        "Secret Manager allows {} 600 reads, 600 writes and 90,000 accesses a minute, and {} counts \
         among the {counts}. Raise the resource's timeouts, lower -parallelism, or ask Google for \
         a higher quota.",
        project(resource),
        operation.name
    )
}

/// Maps the error of a request for `resource` to an error of the store.
pub(super) fn explain(error: GcpError, operation: &Operation, resource: &str) -> StoreError {
    use GcpErrorKind as K;
    use StoreErrorKind as S;
    let parts = error.into_parts();
    let accesses = operation.name == "AccessSecretVersion";
    let creates = operation.name == "CreateSecret";
    let (kind, remedy) = match parts.kind {
        // A creation can miss only its parent, the project.
        K::NotFound if creates => (
            S::Misconfigured,
            Some("There is no such project. Check project_id.".to_owned()),
        ),
        K::NotFound => (S::NotFound, None),
        K::AlreadyExists => (S::AlreadyExists, None),
        // The version is disabled or destroyed.
        K::FailedPrecondition if accesses => (S::NotFound, None),
        K::FailedPrecondition if creates => (
            S::Misconfigured,
            Some(
                "A policy of the organization forbids it: constraints/gcp.resourceLocations wants \
                 replica_locations, and others may want more."
                    .to_owned(),
            ),
        ),
        K::FailedPrecondition
        | K::KeyDisabled
        | K::KeyPendingDestruction
        | K::KeyDestroyed
        | K::Aborted => (S::Conflict, None),
        K::PermissionDenied => (
            S::PermissionDenied,
            Some(format!(
                "Grant {} on {} to the account in use.",
                operation.permission,
                project(resource)
            )),
        ),
        K::Unauthenticated => (S::Unauthenticated, None),
        K::RateLimited => (S::RateLimited, Some(quota(operation, resource))),
        K::Unavailable => (S::Unavailable, None),
        K::Unexpected => (S::Unexpected, None),
        K::InvalidArgument if creates => (
            S::Misconfigured,
            Some("Check project_id and replica_locations.".to_owned()),
        ),
        K::InvalidArgument | K::Misconfigured => (S::Misconfigured, None),
    };
    // A failed token request has its own operation and path.
    let is_of_token = parts.operation != operation.name;
    let path = match is_of_token {
        false => resource.to_owned(),
        true => parts.path,
    };
    let mut explained = StoreError::new(kind, parts.operation, path);
    let http = parts.source.as_deref();
    let http = http.and_then(|source| source.downcast_ref::<HttpError>());
    let is_of_endpoint = !is_of_token && http.is_some_and(is_of_endpoint);
    let setting = match is_of_endpoint || parts.kind == K::Unexpected {
        true => Some("endpoint"),
        false => setting(parts.kind, parts.operation, creates),
    };
    if let Some(setting) = setting {
        explained = explained.with_setting(setting);
    }
    // For a rate limit, the client's own remedy names no quota.
    let own = parts
        .remedy
        .filter(|_| parts.kind != K::RateLimited || is_of_token);
    if let Some(remedy) = own.or(remedy) {
        explained = explained.with_remedy(remedy);
    }
    match parts.source {
        Some(source) => explained.with_source(source),
        None => explained,
    }
}
